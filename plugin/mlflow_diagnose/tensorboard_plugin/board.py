"""What the tab shows: the runs, and the verdict of each, kept current by a thread for as long as somebody looks."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from mlflow_diagnose.errors import DiagnoseError
from mlflow_diagnose.tensorboard_plugin.rows import Row
from mlflow_diagnose.text import plain

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping

    from curve_analyzers.findings import Report
    from mlflow_diagnose.tensorboard_plugin.answers import Answer
    from mlflow_diagnose.tensorboard_plugin.judging import Judging
    from mlflow_diagnose.tensorboard_plugin.logs import Logs

__all__ = ["Board", "Listed"]

SCAN_EVERY = 2.0  # seconds, or longer where scanning takes longer
SHARE = 0.1  # of the time that may go into scanning, and into judging one and the same growing run
LOOKING = 20.0  # seconds after a request for which somebody is taken to look
MOST_REPORTS = 16  # kept whole; of the others the row is
MOST_POINTS = 4_000_000  # in the reports kept whole
FIRST_ANSWER = 1.0  # seconds that the first list waits for the first scan


@dataclass(frozen=True)
class Listed:
    """The runs as they stand.

    Attributes:
        rows: A row for each run, in the order of the logs.
        version: Changes when a row does.
        scanned: Whether the logs were looked through at all yet.
        waiting: How many runs have not been judged yet.
        trouble: Why the logs could not be read; empty where they could.
    """

    rows: tuple[Row, ...]
    version: int
    scanned: bool
    waiting: int
    trouble: str


class Board:
    """The runs of some logs and their verdicts.

    One thread reads and judges; it runs while somebody looks. Requests only take what is there, and say which runs are
    wanted first.

    Args:
        logs: The runs.
        judging: How they are judged.
    """

    def __init__(self, logs: Logs, judging: Judging) -> None:
        self._logs, self._judging = logs, judging
        self._found: Mapping[str, Hashable] = {}  # as the last scan gave it; the thread's own
        self._changed = threading.Condition()
        # All below belongs to the condition's lock.
        self._stamps: Mapping[str, Hashable] = {}
        self._rows: dict[str, Row] = {}
        self._judged: dict[str, Hashable] = {}  # the stamp that each verdict rests on
        self._stale: dict[str, None] = {}  # the runs whose verdict does not rest on what they are now, in their order
        self._not_before: dict[str, float] = {}
        self._reports: dict[str, tuple[Report, Answer]] = {}
        self._opened: list[str] = []  # the runs that somebody opened, the last one first
        self._wanted: list[str] = []  # the runs that somebody sees in the list
        self._version = 0
        self._scanned = False
        self._trouble = ""
        self._looked = 0.0
        self._thread: threading.Thread | None = None

    def listed(self) -> Listed:
        """All runs, those that were not judged yet too."""
        with self._changed:
            self._look()
            self._changed.wait_for(lambda: self._scanned, FIRST_ANSWER)
            rows = tuple(self._rows[run_id] for run_id in self._stamps)
            waiting = sum(run_id not in self._judged for run_id in self._stamps)
            return Listed(rows, self._version, self._scanned, waiting, self._trouble)

    def want(self, run_ids: Iterable[str]) -> None:
        """Say which runs somebody sees: they are judged before the others."""
        with self._changed:
            self._wanted = list(run_ids)
            self._changed.notify_all()

    def whole(self, run_id: str, patience: float) -> tuple[Report, Answer] | None:
        """All about a run; None where it could not be judged within `patience` seconds.

        Raises:
            KeyError: There is no such run.
            DiagnoseError: It could not be read.
        """
        with self._changed:
            self._look()
            self._opened = [run_id, *(each for each in self._opened if each != run_id)][:MOST_REPORTS]
            self._changed.notify_all()
            self._changed.wait_for(lambda: run_id in self._reports or self._hopeless(run_id), patience)
            if run_id in self._reports:
                return self._reports[run_id]
            if self._scanned and run_id not in self._stamps:
                raise KeyError(run_id)
            if self._hopeless(run_id):
                raise DiagnoseError(self._rows[run_id].brief)
            return None

    def _hopeless(self, run_id: str) -> bool:
        """Whether a run is not there, or was found unreadable as it is."""
        if run_id not in self._stamps:
            return self._scanned
        return run_id not in self._stale and self._rows[run_id].status == "unreadable"

    def _look(self) -> None:
        self._looked = time.monotonic()
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="mlflow-diagnose", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        """Scan and judge until nobody looks."""
        next_scan = 0.0
        while True:
            if (now := time.monotonic()) >= next_scan:
                self._scan()
                next_scan = max(
                    now + max(SCAN_EVERY, self._logs.rest), time.monotonic() + (time.monotonic() - now) / SHARE
                )
            with self._changed:
                if time.monotonic() - self._looked > LOOKING:
                    self._thread = None
                    return
                run_id, _ = self._next()
                stamp, awaited = self._stamps.get(run_id or ""), run_id in {*self._opened, *self._wanted}
            if not awaited:
                # Nobody waits for this one, but somebody will soon open one of those that are done.
                import mlflow_diagnose.report.chart  # noqa: F401, PLC0415 - matplotlib takes a second
            if run_id is not None:
                self._judge(run_id, stamp)
                continue
            with self._changed:
                run_id, later = self._next()
                if run_id is None:
                    self._changed.wait(max(min(next_scan, later) - time.monotonic(), 0.01))

    def _scan(self) -> None:
        try:
            stamps, trouble = self._logs.scan(), ""
        except Exception as error:  # noqa: BLE001 - the thread goes on, the verdicts stay, and the tab tells
            stamps, trouble = self._found, _told(error)
        try:
            self._judging.look()
        except Exception as error:  # noqa: BLE001 - the same
            trouble = trouble or f"Still judged as before: {_told(error)}"
        self._found = stamps
        stamps = {run_id: (stamp, self._judging.stamp) for run_id, stamp in stamps.items()}
        with self._changed:
            gone = self._rows.keys() - stamps.keys()
            for run_id in gone:
                for kept in (self._rows, self._judged, self._not_before, self._reports):
                    kept.pop(run_id, None)
            new = stamps.keys() - self._rows.keys()
            for run_id in new:
                self._rows[run_id] = Row.waiting(run_id)
            if gone or new or trouble != self._trouble or not self._scanned:
                self._version += 1
            self._stamps, self._trouble, self._scanned = stamps, trouble, True
            self._stale = dict.fromkeys(run for run, stamp in stamps.items() if self._judged.get(run) != stamp)
            self._changed.notify_all()

    def _next(self) -> tuple[str | None, float]:
        """The run to judge now, None where there is none, and when there will be one at the earliest."""
        now, later = time.monotonic(), float("inf")
        opened = [run_id for run_id in self._opened if run_id in self._stamps]
        for run_id in opened:
            if run_id not in self._reports and not self._hopeless(run_id):
                return run_id, now
        for run_id in chain(opened, self._wanted, self._stale):
            if run_id in self._stale:
                if (at := self._not_before.get(run_id, now)) <= now:
                    return run_id, now
                later = min(later, at)
        return None, later

    def _judge(self, run_id: str, stamp: Hashable) -> None:
        # The first list is there before scipy is.
        from mlflow_diagnose.pipeline import judge_raw  # noqa: PLC0415 - see above
        from mlflow_diagnose.tensorboard_plugin.answers import answer_of, row_of  # noqa: PLC0415 - the same

        began = time.monotonic()
        report: Report | None = None
        answer: Answer | None = None
        try:
            report = judge_raw(self._logs.read(run_id), self._judging.settings())
            row, answer = row_of(report), answer_of(report, self._judging.source) if run_id in self._opened else None
        except Exception as error:  # noqa: BLE001 - one run's trouble is not the others'
            report, row = None, Row.unreadable(run_id, _told(error))
        with self._changed:
            if run_id not in self._stamps:
                return
            self._judged[run_id] = stamp
            if self._stamps[run_id] == stamp:
                self._stale.pop(run_id, None)
            self._not_before[run_id] = time.monotonic() + (time.monotonic() - began) / SHARE
            self._reports.pop(run_id, None)
            if report and answer:
                self._keep(run_id, report, answer)
            if row != self._rows[run_id]:
                self._rows[run_id] = row
                self._version += 1
            self._changed.notify_all()

    def _keep(self, run_id: str, report: Report, answer: Answer) -> None:
        """Keep a report whole, and of the others those that were opened last, as far as there is room."""
        self._reports[run_id] = report, answer
        room = MOST_POINTS
        for place, opened in enumerate(self._opened):
            room -= _points(self._reports[opened][0]) if opened in self._reports else 0
            if room < 0 and place:
                self._opened = self._opened[:place]
                break
        for kept in self._reports.keys() - {run_id, *self._opened}:
            del self._reports[kept]


def _points(report: Report) -> int:
    return sum(map(len, report.run.curves.values()))


def _told(error: Exception) -> str:
    told = str(error) if isinstance(error, DiagnoseError) else f"a bug of ours, {type(error).__name__}: {error}"
    return plain(told)
