"""Many runs in one call: which they are, who works on them, and what became of all of them."""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from mlflow_diagnose.errors import BadInputError, DiagnoseError
from mlflow_diagnose.patience import Patience
from mlflow_diagnose.readers import Reader, open_source
from mlflow_diagnose.readers.tracking.uri import absolute, default_tracking_uri
from mlflow_diagnose.selection import select_runs
from mlflow_diagnose.work import Done, Job, Worker, do_chunk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from curve_analyzers.experiment.summary import RunSummary
    from curve_analyzers.findings import Report
    from mlflow_diagnose.engines import Engine
    from mlflow_diagnose.failures import Failures

__all__ = ["SUMMARY", "Counts", "Runs"]

Item = TypeVar("Item")
Result = TypeVar("Result")

SUMMARY = "summary"  # the view of a run that is compared with others
SHOWN_FROM = 20  # runs, from which a bar shows how far the work is


@dataclass
class Counts:
    """What became of the runs of a call; what is counted grows with the rules, not with the runs.

    Attributes:
        judged: Runs that have a report.
        written: Of these, runs to which something was written.
        failed: Runs that could not be read, judged or written.
        statuses: Runs by their status.
        severities: The severities of all findings.
    """

    judged: int = 0
    written: int = 0
    failed: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    severities: set[str] = field(default_factory=set)

    def add(self, done: Done) -> None:
        """Count a run."""
        self.failed += done.error is not None
        if done.report:
            self.judged += 1
            self.written += done.written
            self.statuses[done.report.status] += 1
            self.severities |= {finding.severity.word for finding in done.report.findings}


class Runs:
    """The runs of one call.

    Args:
        job: What is to be done with each.
        engine: Who does it.
        failures: Takes those that fail; None for a call that looks at `done` itself.

    Attributes:
        job: As it is done: with the store that MLflow itself would use where none was named.
        counts: What became of the runs so far.
        summaries: What comparing the runs takes of each, where the job has that view.
    """

    def __init__(self, job: Job, engine: Engine, failures: Failures | None = None) -> None:
        self.engine, self.failures = engine, failures
        self.counts = Counts()
        self.summaries: list[RunSummary] = []
        if job.logdir is None:
            job = replace(job, tracking_uri=job.tracking_uri or default_tracking_uri())
        if engine.name != "local":
            job = _anywhere(job)
        self.job = replace(job, call=uuid4().hex)
        self.patience = Patience()
        self.reader: Reader = open_source(job.tracking_uri, logdir=job.logdir, verify=job.verify)

    def chosen(self, run_ids: Sequence[str], experiment: str | None = None, search: str | None = None) -> list[str]:
        """The runs meant: those named, else those of the experiment, else all there are; each once.

        Raises:
            BadInputError: There is no such place or experiment, or the filter is none.
            ReadError: They could not be listed.
        """
        if run_ids:
            return list(dict.fromkeys(run_ids))
        found = self.patience.trying(lambda: self._listed(experiment, search))
        # What lists its runs is there, and worth waiting for should it fall silent.
        self.job = replace(self.job, answered=True)
        return list(dict.fromkeys(found))

    def judged(self, run_ids: Sequence[str], *, progress: bool = False) -> Iterator[tuple[Report, Mapping[str, Any]]]:
        """The report of each run that could be judged and its views, in the order of the runs, as they come.

        Args:
            run_ids: The runs.
            progress: Whether a bar may show how far the work is, on stderr where that is a terminal.
        """
        shown = progress and len(run_ids) >= SHOWN_FROM and sys.stderr.isatty()
        with _bar(len(run_ids)) if shown else nullcontext(lambda: None) as advance:
            for done in self.done(run_ids):
                advance()
                if done.error and self.failures:
                    self.failures.add(done.run_id, done.error, done.trace)
                self.counts.add(done)
                if SUMMARY in done.views:
                    self.summaries.append(done.views[SUMMARY])
                if done.report:
                    yield done.report, done.views

    def done(self, run_ids: Sequence[str]) -> Iterator[Done]:
        """What became of each run, in their order; whoever does the work, it is the same to the byte."""
        remote = self.job.logdir is not None and "://" in self.job.logdir
        if remote or self.engine.is_here(len(run_ids)):
            yield from Worker(self.job, self.reader).do(run_ids)
            return
        chunks = self.engine.chunks(run_ids, dear=self.job.write and self.job.artifacts)
        results = self.engine.spread(partial(do_chunk, self.job), chunks)
        for chunk, result in zip(chunks, results, strict=True):
            if isinstance(result, DiagnoseError):
                yield from (Done(run_id, error=result) for run_id in chunk)
            else:
                yield from result

    def everywhere(self, work: Callable[[list[Item]], Result], items: Sequence[Item]) -> Iterator[Result]:
        """What `work` makes of pieces of something that there is one of for each run, by whoever does the runs.

        Raises:
            DiagnoseError: `work` could not do a piece.
        """
        if self.engine.is_here(len(items)):
            yield work(list(items))
            return
        for result in self.engine.spread(work, self.engine.chunks(items, dear=False)):
            if isinstance(result, DiagnoseError):
                raise result
            yield result

    def _listed(self, experiment: str | None, search: str | None) -> Sequence[str]:
        if experiment is None:
            return list(self.reader.run_ids())
        return select_runs(self.reader, self.job.tracking_uri or "", experiment, search)


def _anywhere(job: Job) -> Job:
    """A job whose places are named so that a worker finds them from wherever it runs.

    Raises:
        BadInputError: The logdir is one that only this process can read.
    """
    if job.logdir is not None and "://" in job.logdir:
        raise BadInputError(
            "a logdir behind a URL is read here: leave --engine out, or copy it to where workers see it"
        )
    logdir = job.logdir if job.logdir is None else str(Path(job.logdir).absolute())
    return replace(job, logdir=logdir, tracking_uri=job.tracking_uri and absolute(job.tracking_uri))


def _bar(total: int) -> AbstractContextManager[Callable[[], None]]:
    """A bar on stderr, and what moves it on by a run."""
    from rich.console import Console  # noqa: PLC0415 - for many runs on a terminal alone
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn  # noqa: PLC0415 - the same

    class Bar(Progress):
        def __enter__(self) -> Callable[[], None]:  # type: ignore[override] # it hands out what moves it
            super().__enter__()
            task = self.add_task("runs", total=total)
            return lambda: self.advance(task)

    columns = (BarColumn(), MofNCompleteColumn(), "runs,", TimeRemainingColumn(), "left")
    return Bar(*columns, console=Console(stderr=True), transient=True)
