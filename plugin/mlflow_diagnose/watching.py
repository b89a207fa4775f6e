"""Runs that are still training, followed: what is new is read, and what changed its verdict is told and written."""

from __future__ import annotations

import signal
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Event
from typing import TYPE_CHECKING, Protocol

from curve_analyzers.findings import Report, Severity
from mlflow_diagnose.errors import DiagnoseError
from mlflow_diagnose.patience import may_pass
from mlflow_diagnose.readers.mlflow_sql import SqlReader
from mlflow_diagnose.readers.states import RunState, states
from mlflow_diagnose.work import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType

    from curve_analyzers.model import RawRun
    from mlflow_diagnose.failures import Failures
    from mlflow_diagnose.importing import Importer
    from mlflow_diagnose.readers.tensorboard import TensorBoardReader

__all__ = ["Changes", "LogdirChanges", "TrackingChanges", "Watch", "stopping"]

MOST_POINTS = 8_000_000  # of running runs that are kept to be read on, about 200 MB
LOOK_AGAIN = 20  # looks, after which runs that had ended are asked for too: one may have been resumed


class Changes(Protocol):
    """Says which runs of a place changed, and reads them."""

    def changed(self) -> Sequence[str]:
        """The runs in which anything is new since the last call; all of them at the first.

        Raises:
            DiagnoseError: The place could not be looked at.
        """

    def read(self, run_id: str) -> RawRun:
        """A run by now.

        Raises:
            DiagnoseError: It could not be read.
        """

    def is_over(self, run_id: str) -> bool:
        """Whether a run has ended, as far as the place tells."""


class LogdirChanges:
    """The runs under a logdir, each file of which is read on from its last whole record.

    Args:
        reader: Of the logdir.
        importer: Takes what is new into MLflow runs, which are then the ones judged; None for the logdir's own.
    """

    def __init__(self, reader: TensorBoardReader, importer: Importer | None = None) -> None:
        self.reader, self.importer = reader, importer

    def changed(self) -> Sequence[str]:
        """The runs whose files grew."""
        return self.reader.grown()

    def read(self, run_id: str) -> RawRun:
        """The run by now; taken into MLflow, under its id there."""
        raw = self.reader.read(run_id)
        return raw if self.importer is None else replace(raw, source="mlflow", run_id=self.importer.take(raw))

    def is_over(self, run_id: str) -> bool:  # noqa: ARG002 - a logdir does not tell
        """No logdir tells that a run has ended."""
        return False


class TrackingChanges:
    """Runs of a tracking store.

    Args:
        worker: Reads them.
        listed: Which they are, by now: new ones may be added to an experiment.
    """

    def __init__(self, worker: Worker, listed: Callable[[], Sequence[str]]) -> None:
        self._worker, self._listed = worker, listed
        self._states: dict[str, RunState] = {}
        self._held: dict[str, RawRun] = {}
        self._looks = 0

    def changed(self) -> Sequence[str]:
        """The runs whose state, or the latest point of a metric of which, is another."""
        listed = list(dict.fromkeys(self._listed()))
        self._looks += 1
        asked = [
            run_id
            for run_id in listed
            if self._looks % LOOK_AGAIN == 0 or run_id not in self._states or not self._states[run_id].is_over
        ]
        found = states(self._worker.reader, asked)
        changed = [run_id for run_id, state in found.items() if state != self._states.get(run_id)]
        self._states = {run_id: state for run_id in listed if (state := found.get(run_id, self._states.get(run_id)))}
        return changed

    def read(self, run_id: str) -> RawRun:
        """The run: only what is new where the store can tell it, and all of it once the run has ended."""
        reader, before = self._worker.reader, self._held.pop(run_id, None)
        over = self.is_over(run_id)
        raw = reader.read_on(before) if before and not over and isinstance(reader, SqlReader) else reader.read(run_id)
        if not over and isinstance(reader, SqlReader):
            self._held[run_id] = raw
            while sum(len(curve.values) for each in self._held.values() for curve in each.curves) > MOST_POINTS:
                del self._held[next(iter(self._held))]
        return raw

    def is_over(self, run_id: str) -> bool:
        """Whether MLflow calls it ended."""
        return run_id in self._states and self._states[run_id].is_over


@dataclass(frozen=True, slots=True)
class Told:
    """What was last told of a run: while that stays, nothing is printed, and nothing written until the run ends."""

    verdict: str
    status: str
    rules: frozenset[str]

    @classmethod
    def of(cls, report: Report) -> Told:
        """What a report tells."""
        rules = frozenset(each.rule for each in report.findings if each.severity > Severity.INFO)
        return cls(report.verdict, report.status, rules)


class Watch:
    """Follows runs until it is stopped. What is kept of a run does not grow while it trains.

    Args:
        worker: Judges and writes.
        changes: Says what is new.
        failures: Takes what fails; what may pass is tried again with the next look.
        show: Takes each report whose verdict is new.
    """

    def __init__(self, worker: Worker, changes: Changes, failures: Failures, show: Callable[[Report], None]) -> None:
        self._worker, self._changes, self._failures, self._show = worker, changes, failures, show
        self._told: dict[str, Told] = {}
        self._unwritten: set[str] = set()
        self._again: set[str] = set()

    def follow(self, seconds: float, stop: Event) -> None:
        """Look every so many seconds until `stop` is set; then give each run its last verdict."""
        while True:
            began = time.monotonic()
            self.look(stop)
            if stop.wait(max(0.0, seconds - (time.monotonic() - began))):
                break
        self.end()

    def look(self, stop: Event | None = None) -> None:
        """Judge the runs that changed; write those whose verdict did, or that have ended."""
        try:
            changed = dict.fromkeys([*self._changes.changed(), *self._again])
        except DiagnoseError as error:
            self._fail(error)
            return
        self._again.clear()
        for run_id in changed:
            if stop is not None and stop.is_set():
                self._again.add(run_id)
            else:
                self._judge(run_id, last=self._changes.is_over(run_id))

    def end(self) -> None:
        """Write the diagnosis that each run has by now, where it is not the one that stands there."""
        for run_id in sorted(self._unwritten | self._again):
            self._judge(run_id, last=True)

    def _judge(self, run_id: str, *, last: bool) -> None:
        try:
            raw = self._changes.read(run_id)
        except DiagnoseError as error:
            self._fail(error, run_id, again=may_pass(error))
            return
        before = self._told.get(run_id)
        done = self._worker.judged(raw, write=lambda report: last or Told.of(report) != before)
        if done.report:
            now = Told.of(done.report)
            if now != before:
                self._show(done.report)
            (self._unwritten.discard if last or now != before else self._unwritten.add)(run_id)
            self._told[run_id] = now
        if done.error:
            if done.passes:
                self._told.pop(run_id, None)
            self._fail(done.error, run_id, done.trace, again=done.passes)

    def _fail(self, error: DiagnoseError, run_id: str = "", trace: str = "", *, again: bool = False) -> None:
        self._failures.add(run_id, error, trace)
        # What is told is not kept: over days that would be much.
        self._failures.lines.clear()
        if again:
            self._again.add(run_id)


@contextmanager
def stopping() -> Iterator[Event]:
    """An event that SIGTERM or the first Ctrl-C sets; a second Ctrl-C ends the program."""
    stop = Event()

    def ask(number: int, _: FrameType | None) -> None:
        stop.set()
        signal.signal(number, before[signal.Signals(number)])

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, ask)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
