"""MLflow behind a server: its runs over HTTP, the histories of many runs in one answer where the server can."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from curve_analyzers.model import RawCurve
from mlflow_diagnose.errors import BadInputError, DiagnoseError, ReadError, RunNotFoundError
from mlflow_diagnose.readers.tracking.quiet import quiet
from mlflow_diagnose.readers.tracking.server import FORBIDDEN, OK, PASSING, RefusedError, Server
from mlflow_diagnose.readers.tracking.tracked import no_experiment, tracked_run
from mlflow_diagnose.readers.tracking.uri import first_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from curve_analyzers.model import RawRun

__all__ = ["MlflowRestReader"]

API = "/api/2.0/mlflow"
BULK = "/ajax-api/2.0/mlflow/metrics/get-history-bulk"

PAGE = 1000  # experiments or runs in one answer
MOST_RUNS = 100  # that the server takes in one question for histories
MOST_ROWS = 25_000  # that it answers with; what is beyond it leaves out without a word
NO_SUCH_RUN = frozenset({"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"})  # the second for `../x`
NOT_MLFLOWS = "the answer is not what MLflow answers"

# So many runs are read at a time, to begin with; then as many as hold so many points.
FIRST_RUNS, POINTS_AT_A_TIME = 10, 1_000_000


class MlflowRestReader:
    """Reads runs from an MLflow server, also deleted ones.

    Args:
        tracking_uri: The server's, `http://...`.
    """

    source = "mlflow"

    def __init__(self, tracking_uri: str) -> None:
        self.server = Server(tracking_uri)
        self._has_bulk = True
        self._together = MOST_RUNS  # as many as lately came whole in one answer

    def run_ids(self, experiment: str | None = None, search: str = "") -> list[str]:
        """Every run that is not deleted, the newest of each experiment first; of one experiment, where it is named.

        Args:
            experiment: Its name, or its id.
            search: Only runs that MLflow's search finds by this filter.

        Raises:
            BadInputError: There is no store at the tracking URI, no such experiment, or the filter is none.
            ReadError: It could not be read.
        """
        with quiet(), self.server.asking("its runs could not be listed"):
            asked: dict[str, object] = {"max_results": PAGE}
            if experiment is None:
                found = self._pages(f"{API}/experiments/search", "experiments", asked)
                experiments = [_text(each, "experiment_id") for each in found]
            else:
                experiments = [self._experiment_id(experiment)]
            asked |= {"experiment_ids": experiments, "run_view_type": "ACTIVE_ONLY", "filter": search}
            try:
                runs = self._pages(f"{API}/runs/search", "runs", asked) if experiments else []
                return [_text(_part(run, "info"), "run_id") for run in runs]
            except RefusedError as error:
                if search and error.code == "INVALID_PARAMETER_VALUE":
                    raise BadInputError(f"--filter {search!r}: {first_line(error)}") from error
                raise

    def _experiment_id(self, name: str) -> str:
        for path, asked in (("get-by-name", "experiment_name"), ("get", "experiment_id")):
            try:
                found = _part(self.server.get(f"{API}/experiments/{path}", [(asked, name)]), "experiment")
            except RefusedError as error:
                if error.code not in NO_SUCH_RUN:
                    raise
            else:
                if found.get("lifecycle_stage") != "deleted":
                    return _text(found, "experiment_id")
        raise no_experiment(self.server.shown, name)

    def read(self, run_id: str) -> RawRun:
        """One run, its points in the order MLflow gives them (of time), its tags without MLflow's and ours.

        Raises:
            RunNotFoundError: The store has no such run.
            BadInputError: There is no store at the tracking URI.
            ReadError: The run could not be read.
        """
        (run,) = self._block([run_id])
        if isinstance(run, DiagnoseError):
            raise run
        return run

    def read_many(self, run_ids: Iterable[str]) -> Iterator[RawRun | DiagnoseError]:
        """Runs in the order asked for, as `read` gives them; in place of one that cannot be read, the error.

        Raises:
            BadInputError: There is no store at the tracking URI.
        """
        waiting, size = list(run_ids), FIRST_RUNS
        while waiting:
            runs = self._block(waiting[:size])
            yield from runs
            del waiting[:size]
            curves = (curve for run in runs if not isinstance(run, DiagnoseError) for curve in run.curves)
            points = sum(len(curve.values) for curve in curves)
            size = min(2 * size, MOST_RUNS, max(1, POINTS_AT_A_TIME * len(runs) // max(1, points)))

    def runs(self, run_ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        """What MLflow says of runs, the latest point of each metric in it, without those that are gone.

        Raises:
            ReadError: The server does not answer.
        """

        def ask(run_id: str) -> Mapping[str, Any] | None:
            try:
                return _part(self.server.get(f"{API}/runs/get", [("run_id", run_id), ("run_uuid", run_id)]), "run")
            except RefusedError as error:
                if error.code not in NO_SUCH_RUN:
                    raise
                return None

        with quiet(), self.server.asking("the state of its runs could not be read"):
            found = zip(run_ids, self.server.each(ask, run_ids), strict=True)
            return {run_id: run for run_id, run in found if run is not None}

    def _block(self, run_ids: Sequence[str]) -> list[RawRun | DiagnoseError]:
        """Some runs, first what each of them has, then the histories of each metric in as few answers as it takes."""
        with quiet():
            found = self.server.each(self._run, run_ids)
            having: defaultdict[str, list[str]] = defaultdict(list)
            for run in found:
                if isinstance(run, _Run):
                    for name in run.metrics:
                        having[name].append(run.run_id)
            jobs = [
                (name, ids[first : first + self._together])
                for name, ids in having.items()
                for first in range(0, len(ids), self._together)
            ]
            curves: dict[tuple[str, str], RawCurve | ReadError] = {}
            for job in self.server.each(self._histories, jobs):
                curves |= job
        return [
            run.with_curves([curves[run.run_id, name] for name in run.metrics]) if isinstance(run, _Run) else run
            for run in found
        ]

    def _run(self, run_id: str) -> _Run | DiagnoseError:
        """What MLflow says of a run, or the error that it is."""
        try:
            with self.server.asking(f"run {run_id} could not be read"):
                try:
                    run = _part(self.server.get(f"{API}/runs/get", [("run_id", run_id), ("run_uuid", run_id)]), "run")
                    return _Run.of(run_id, _part(run, "info"), _part(run, "data", {}))
                except RefusedError as error:
                    if error.code not in NO_SUCH_RUN:
                        raise
                    return RunNotFoundError(f"MLflow at {self.server.shown} has no run {run_id!r}")
        except ReadError as error:
            return error

    def _histories(self, job: tuple[str, Sequence[str]]) -> dict[tuple[str, str], RawCurve | ReadError]:
        """A metric of some runs, by run and name, or the errors that they are."""
        name, run_ids = job
        found: dict[tuple[str, str], RawCurve | ReadError] = {}
        waiting = list(run_ids)
        try:
            while waiting and self._has_bulk:
                with self.server.asking(f"metric {name!r} of {len(waiting)} runs could not be read"):
                    whole = self._bulk(name, waiting)
                found |= {(run_id, name): curve for run_id, curve in whole.items()}
                waiting = [run_id for run_id in waiting if run_id not in whole]
        except ReadError as error:
            return found | {(run_id, name): error for run_id in waiting}
        return found | {(run_id, name): self._history(name, run_id) for run_id in waiting}

    def _bulk(self, name: str, run_ids: Sequence[str]) -> dict[str, RawCurve | ReadError]:
        """A metric of at least one of some runs, of as many as came whole."""
        asked = [("metric_key", name), *(("run_id", run_id) for run_id in run_ids)]
        try:
            rows = _rows(self.server.get(BULK, asked))
            by_run = {run_id: list(group) for run_id, group in groupby(rows, itemgetter("run_id"))}
            curves: dict[str, RawCurve | ReadError] = {
                run_id: _curve(name, points) for run_id, points in by_run.items() if run_id in run_ids
            }
        except (RefusedError, KeyError, TypeError) as error:
            # An older server, one whose front lets only MLflow's documented interface through, or one run that is
            # not for this user.
            self._has_bulk = isinstance(error, RefusedError) and error.status in {FORBIDDEN, *PASSING}
            return {run_id: self._history(name, run_id) for run_id in run_ids}
        if len(rows) < MOST_ROWS:
            self._together = min(2 * self._together, MOST_RUNS)
            # A run without an answer lost its metric meanwhile, or the server knows better than to say why.
            return {run_id: curves.get(run_id) or self._history(name, run_id) for run_id in run_ids}
        # The answer may end in the midst of its last run: that one is asked for again.
        curves.pop(rows[-1]["run_id"], None)
        self._together = max(1, len(curves))
        return curves or {run_ids[0]: self._history(name, run_ids[0])}

    def _history(self, name: str, run_id: str) -> RawCurve | ReadError:
        """A metric of one run however long, or the error that it is."""
        asked = [("run_id", run_id), ("run_uuid", run_id), ("metric_key", name)]
        rows: list[Mapping[str, Any]] = []
        try:
            with self.server.asking(f"the metrics of run {run_id} could not be read"):
                for page in _paged(lambda token: self.server.get(f"{API}/metrics/get-history", [*asked, *token])):
                    rows += _rows(page)
                return _curve(name, rows)
        except ReadError as error:
            return error

    def _pages(self, path: str, part: str, asked: Mapping[str, object]) -> Iterator[Mapping[str, Any]]:
        for page in _paged(lambda token: self.server.post(path, {**asked, **dict(token)})):
            yield from _list(page, part)


@dataclass(frozen=True, slots=True)
class _Run:
    """What MLflow says of a run, but for the histories of its metrics.

    Attributes:
        run_id: The run.
        name: What people call it, perhaps nothing.
        status: MLflow's word for its state.
        deleted: Whether it is deleted.
        metrics: The names of its metrics, sorted.
        params: Its params.
        tags: All its tags.
        experiment_id: The experiment it belongs to.
    """

    run_id: str
    name: str
    status: str
    deleted: bool
    metrics: Sequence[str]
    params: Mapping[str, str]
    tags: Mapping[str, str]
    experiment_id: str

    @classmethod
    def of(cls, run_id: str, info: Mapping[str, Any], data: Mapping[str, Any]) -> _Run:
        """The run in an answer.

        Raises:
            RefusedError: It is none.
        """
        params, tags = (
            {_text(each, "key"): _text(each, "value", "") for each in _list(data, part)} for part in ("params", "tags")
        )
        metrics = sorted({_text(each, "key") for each in _list(data, "metrics")})
        deleted = info.get("lifecycle_stage") == "deleted"
        return cls(
            run_id,
            _text(info, "run_name", ""),
            _text(info, "status", ""),
            deleted,
            metrics,
            params=params,
            tags=tags,
            experiment_id=_text(info, "experiment_id", ""),
        )

    def with_curves(self, curves: Sequence[RawCurve | ReadError]) -> RawRun | ReadError:
        """The run, or the first error among its curves."""
        for curve in curves:
            if isinstance(curve, ReadError):
                return curve
        return tracked_run(
            self.run_id,
            self.name,
            [curve for curve in curves if isinstance(curve, RawCurve)],
            self.params,
            self.tags,
            status=self.status,
            deleted=self.deleted,
            experiment_id=self.experiment_id,
        )


def _paged(ask: Callable[[list[tuple[str, str]]], Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Every page of an answer; `ask` takes the token of the next as a part of the question."""
    token: list[tuple[str, str]] = []
    seen = set()
    while True:
        page = ask(token)
        yield page
        following = _text(page, "next_page_token", "")
        if not following:
            return
        if following in seen:
            raise RefusedError(OK, "", "the server gives the same page again and again")
        seen.add(following)
        token = [("page_token", following)]


def _curve(name: str, rows: Sequence[Mapping[str, Any]]) -> RawCurve:
    """The points of a metric; a value may be text, as `"NaN"` is.

    Raises:
        RefusedError: The rows are no points.
    """
    try:
        return RawCurve(
            name,
            steps=np.array([int(row.get("step", 0)) for row in rows], np.int64),
            values=np.array([float(row.get("value", 0.0)) for row in rows], np.float64),
            wall_times=np.array([int(row.get("timestamp", 0)) for row in rows], np.float64) / 1000,
        )
    except (AttributeError, TypeError, ValueError, OverflowError) as error:
        raise RefusedError(OK, "", NOT_MLFLOWS) from error


def _rows(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return _list(answer, "metrics")


def _list(answer: Mapping[str, Any], part: str) -> list[Mapping[str, Any]]:
    found = answer.get(part, [])
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise RefusedError(OK, "", NOT_MLFLOWS)
    return found


def _part(answer: Mapping[str, Any], part: str, default: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
    found = answer.get(part, default)
    if not isinstance(found, dict):
        raise RefusedError(OK, "", NOT_MLFLOWS)
    return found


def _text(answer: Mapping[str, Any], part: str, default: str | None = None) -> str:
    found = answer.get(part, default)
    if not isinstance(found, str):
        raise RefusedError(OK, "", NOT_MLFLOWS)
    return found
