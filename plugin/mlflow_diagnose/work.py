"""What is done with each of many runs, by whichever process does it: read, judged and written back."""

from __future__ import annotations

import os
import traceback
from dataclasses import dataclass, field, replace
from functools import cached_property
from multiprocessing import current_process
from typing import TYPE_CHECKING, Any

import numpy as np

from curve_analyzers.findings import Report
from curve_analyzers.model import Curve
from mlflow_diagnose import pipeline
from mlflow_diagnose.config import Settings
from mlflow_diagnose.errors import BadInputError, DiagnoseError, NotAllowedError
from mlflow_diagnose.extensions import StrangeWriter, writer_for
from mlflow_diagnose.failures import bug
from mlflow_diagnose.language import speaking, spoken
from mlflow_diagnose.patience import Patience, may_pass
from mlflow_diagnose.readers import Reader, open_source
from mlflow_diagnose.readers.tracking.tracked import PAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from curve_analyzers.model import RawRun

__all__ = ["Done", "Job", "Worker", "do_chunk", "without_points"]


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is to be done with runs; small, and picklable as long as its parts are.

    Attributes:
        tracking_uri: The store of the runs; None for MLflow's own choice. Never shown: it may hold a password.
        logdir: A TensorBoard logdir that they are in instead.
        verify: Whether to check event files against their checksums.
        settings: How the runs are judged.
        write: Whether to write back.
        artifacts: Whether to write the artifacts too, and not the tags alone.
        artifact_dir: Where the artifacts go of a run whose own place is on another machine.
        force: Write even what is unchanged.
        note: Add a section to the runs' descriptions.
        answered: Whether the store has answered already, so that it is worth waiting for.
        points: Whether reports keep the points of their curves, a hundred times as large as all the rest.
        call: Tells the jobs of one call from those of another.
        views: What else to make of each report while it has its points, by name, for `Done.views`.
        summary: Whether to write the diagnosis beside the logs of the logdir.
        event_files: Whether to read event files among a run's artifacts where it has curves of its own, too.
        lang: The language of pages and views; by default the one in use where the job is made.
        send_to: Writers of other packages that get each report, by name, perhaps with an argument behind it. Never
            shown: an argument may be a secret.
    """

    tracking_uri: str | None = field(default=None, repr=False)
    logdir: str | None = None
    verify: bool = False
    settings: Settings = field(default_factory=Settings, repr=False)
    write: bool = False
    artifacts: bool = True
    artifact_dir: str | None = None
    force: bool = False
    note: bool = False
    answered: bool = False
    points: bool = False
    call: str = ""
    views: Mapping[str, Callable[[Report], Any]] = field(default_factory=dict, repr=False)
    summary: bool = False
    event_files: bool = False
    lang: str = field(default_factory=spoken)
    send_to: Sequence[str] = field(default=(), repr=False)


@dataclass(frozen=True)
class Done:
    """What became of a run.

    Attributes:
        run_id: The run.
        report: Its diagnosis, without the points unless they were asked for; None where it could not be judged.
        written: Whether something was written: not where nothing was to be, or what was to be stood there already.
        error: What could not be read, judged or written; None where all went well.
        trace: Where in the code it happened, for `--debug`.
        passes: Whether it may go well with a later try.
        views: What `Job.views` made of the report.
    """

    run_id: str
    report: Report | None = None
    written: bool = False
    error: DiagnoseError | None = None
    trace: str = ""
    passes: bool = False
    views: Mapping[str, Any] = field(default_factory=dict)


class Worker:
    """Does a job, run by run; keeps its reader and its client from one chunk of runs to the next.

    Args:
        job: The job.
        reader: A reader of the job's place, where there is one already.
    """

    def __init__(self, job: Job, reader: Reader | None = None) -> None:
        self.job = job
        self.patience = Patience(answered=job.answered)
        self.reader = reader or self._opened()
        self._refused: NotAllowedError | None = None

    def do(self, run_ids: Sequence[str]) -> Iterator[Done]:
        """Read, judge and write runs in the order asked for; what one of them cannot take costs the others nothing."""
        for run_id, raw in zip(run_ids, self._raw(run_ids), strict=True):
            yield self._one(run_id, raw)

    def judged(self, raw: RawRun, *, write: Callable[[Report], bool]) -> Done:
        """Judge a run that was read already; it is written back only where `write` says so of its report."""
        return self._one(raw.run_id, raw, write)

    def _one(self, run_id: str, raw: RawRun | DiagnoseError, write: Callable[[Report], bool] = lambda _: True) -> Done:
        with speaking(self.job.lang):
            return self._become(run_id, raw, write)

    def _become(self, run_id: str, raw: RawRun | DiagnoseError, write: Callable[[Report], bool]) -> Done:
        report, written, views = None, False, dict[str, Any]()
        try:
            if isinstance(raw, DiagnoseError) and may_pass(raw):
                raw = self.patience.trying(lambda: self._again(run_id))
            if not isinstance(raw, DiagnoseError) and PAGE in raw.tags:
                return Done(run_id)
            raw = self._with_event_files(raw)
            report = pipeline.judge_raw(raw, self.job.settings)
            self.patience.answered = True
            views = {name: view(report) for name, view in self.job.views.items()}
            if self.job.summary and self.job.logdir is not None:
                pipeline.write_summary(report, self.job.logdir, force=self.job.force)
            if (self.job.write or self.job.send_to) and write(report):
                written = self.job.write and self._written(report)
                for writer in self._strangers:
                    writer.write(report)
        except Exception as error:  # noqa: BLE001 - a bug that one run meets is not the others'
            told = error if isinstance(error, DiagnoseError) else DiagnoseError(f"run {run_id}: {bug(error)}")
            trace = "".join(traceback.format_exception(error))
            # As it came, an error holds on to the libraries' own, which may not survive the way to another process.
            alone = type(told)(str(told))
            return Done(run_id, self._slim(report), False, alone, trace, may_pass(error), views)
        return Done(run_id, self._slim(report), written, views=views)

    def _with_event_files(self, raw: RawRun | DiagnoseError) -> RawRun | DiagnoseError:
        """The run with what the event files among its artifacts hold, where that is asked for or all there may be."""
        if isinstance(raw, DiagnoseError) or raw.source != "mlflow" or self.job.tracking_uri is None:
            return raw
        if not self.job.event_files and any(len(curve.values) for curve in raw.curves):
            return raw
        from mlflow_diagnose.readers.event_artifacts import with_event_files  # noqa: PLC0415 - for few runs

        uri = self.job.tracking_uri
        return self.patience.trying(lambda: with_event_files(raw, self.reader, uri))

    def _written(self, report: Report) -> bool:
        if self._refused:
            raise self._refused
        write = self._write_back
        try:
            return self.patience.trying(lambda: write(report))
        except NotAllowedError as error:
            self._refused = error  # nobody who may only read is asked to wait for as many refusals as there are runs
            raise

    def _raw(self, run_ids: Sequence[str]) -> Iterator[RawRun | DiagnoseError]:
        """Each run as it was read, or why it was not."""
        reader, place = self.reader, 0
        reading = reader.read_many(run_ids)
        while place < len(run_ids):
            if reader is not self.reader:  # what the old one reads on is lost with its connection
                reader = self.reader
                reading = reader.read_many(run_ids[place:])
            try:
                raw = next(reading)
            except BadInputError:
                raise
            except DiagnoseError as error:  # the store could not be opened
                yield from (error for _ in run_ids[place:])
                return
            yield raw
            place += 1
        # Only here, at its end, does a reader let go of what it opened for many runs.
        next(reading, None)

    def _again(self, run_id: str) -> RawRun:
        """A run, read by a new reader: the connection of the old one may be broken."""
        self.reader = self._opened()
        return self.reader.read(run_id)

    def _opened(self) -> Reader:
        return open_source(self.job.tracking_uri, logdir=self.job.logdir, verify=self.job.verify)

    @cached_property
    def _write_back(self) -> pipeline.WriteBack:
        job = self.job
        return pipeline.WriteBack(
            job.tracking_uri, artifact_dir=job.artifact_dir, force=job.force, note=job.note, artifacts=job.artifacts
        )

    @cached_property
    def _strangers(self) -> list[StrangeWriter]:
        return [writer_for(text) for text in self.job.send_to]

    def _slim(self, report: Report | None) -> Report | None:
        return report if report is None or self.job.points else without_points(report)


def do_chunk(job: Job, run_ids: Sequence[str]) -> list[Done]:
    """Do some runs of a job in a process that may be asked for more of them."""
    # By the call, as functions among the views are no longer equal once they were pickled.
    if _LAST.worker is None or _LAST.worker.job.call != job.call:
        _LAST.worker = Worker(job)
    parent, done = os.getppid(), []
    for each in _LAST.worker.do(run_ids):
        done.append(each)
        # Nobody waits for the rest where the call was killed. Other engines look after their workers themselves.
        if os.getppid() != parent and current_process().name.startswith("Loky"):
            os._exit(1)
    return done


def without_points(report: Report) -> Report:
    """A report whose curves are empty: what it says, a hundredth of its size."""
    run = report.run
    curves = {name: Curve(name, np.empty(0, np.int64), np.empty(0)) for name in run.roles.values()}
    return replace(report, run=replace(run, curves=curves))


class _Last:
    """The worker of this process, kept while it is asked for the same job."""

    worker: Worker | None = None


_LAST = _Last()
