"""MLflow stores in a database, read as they are: a query a run, sorted here, without MLflow and its migrations."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from curve_analyzers.model import RawCurve, RawRun
from mlflow_diagnose.errors import BadInputError, DiagnoseError, ReadError, RunNotFoundError
from mlflow_diagnose.readers.tracking.databases import Database, Points, open_database
from mlflow_diagnose.readers.tracking.tracked import no_experiment, tracked_run
from mlflow_diagnose.readers.tracking.uri import first_line, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["SqlReader"]

MANY = 50  # runs, from which another way of reading is worth its start

# What every MLflow since 1.0 has, and 0.x too but for the step.
TABLES = {
    "runs": {"run_uuid", "name", "status", "start_time", "lifecycle_stage", "experiment_id"},
    "metrics": {"run_uuid", "key", "value", "timestamp"},
}

RUNS = (
    "SELECT runs.run_uuid FROM runs JOIN experiments ON runs.experiment_id = experiments.experiment_id "
    "WHERE runs.lifecycle_stage = 'active' AND experiments.lifecycle_stage = 'active' "
    "ORDER BY coalesce(runs.start_time, 0) DESC, runs.run_uuid"
)
OF_EXPERIMENT = RUNS.replace("ORDER BY", "AND experiments.{column} = :value ORDER BY")
EXPERIMENT = "SELECT experiment_id FROM experiments WHERE lifecycle_stage = 'active' AND {column} = :value"
MARK = (
    "SELECT status, end_time, (SELECT count(*) FROM {table} WHERE run_uuid = :run_id), "
    "(SELECT max(timestamp) FROM {table} WHERE run_uuid = :run_id), "
    "(SELECT sum({step}) FROM {table} WHERE run_uuid = :run_id) FROM runs WHERE run_uuid = :run_id"
)
RUN = "SELECT name, status, lifecycle_stage FROM runs WHERE run_uuid = :run_id"
PAIRS = "SELECT {key}, value FROM {table} WHERE run_uuid = :run_id"
TAGS = (
    "SELECT runs.run_uuid, tags.{key}, tags.value FROM runs "
    "LEFT JOIN tags ON tags.run_uuid = runs.run_uuid AND tags.{key} IN ({names}) "
    "WHERE runs.lifecycle_stage = 'active' AND runs.experiment_id = :experiment"
)
POINTS = (
    "SELECT {key} AS name, timestamp AS time, {step} AS step, {value} AS value FROM metrics WHERE run_uuid = :run_id"
)


class SqlReader:
    """Reads runs, also deleted ones, of MLflow stores of any version; connects on first use and stays connected.

    Args:
        tracking_uri: The store's, of a database.
    """

    source = "mlflow"

    def __init__(self, tracking_uri: str) -> None:
        self.uri = tracking_uri
        self.shown = shown(tracking_uri)

    def run_ids(self, experiment: str | None = None) -> list[str]:
        """Every run that is not deleted, nor its experiment, the newest first; of one experiment, where it is named.

        Args:
            experiment: Its name, or its id.

        Raises:
            BadInputError: There is no store at the tracking URI, or no such experiment.
            ReadError: It could not be read.
        """
        with self._telling("its runs could not be listed"):
            if experiment is None:
                return [run_id for (run_id,) in self._database.rows(RUNS)]
            for column in ("name", "experiment_id"):
                if column == "experiment_id" and not experiment.isdecimal():
                    break
                value = int(experiment) if column == "experiment_id" else experiment
                if self._database.rows(EXPERIMENT.format(column=column), value=value):
                    query = OF_EXPERIMENT.format(column=column)
                    return [run_id for (run_id,) in self._database.rows(query, value=value)]
        raise no_experiment(self.shown, experiment)

    def read(self, run_id: str) -> RawRun:
        """One run, its points in the order MLflow gives them (of time), its tags without MLflow's and ours.

        Raises:
            RunNotFoundError: The store has no such run.
            BadInputError: There is no store at the tracking URI.
            ReadError: The run could not be read.
        """
        with self._telling(f"run {run_id} could not be read"):
            return self._read(run_id, self._database.points)

    def read_many(self, run_ids: Sequence[str]) -> Iterator[RawRun | DiagnoseError]:
        """Runs one after the other, as `read` gives each; in place of one that fails stands its error.

        Raises:
            BadInputError: There is no store at the tracking URI.
            ReadError: It could not be opened.
        """
        with self._telling("it could not be opened"):
            database = self._database
            asking = database.many() if len(run_ids) >= MANY else nullcontext(database.points)
        with asking as points:
            for run_id in run_ids:
                try:
                    with self._telling(f"run {run_id} could not be read"):
                        run: RawRun | DiagnoseError = self._read(run_id, points)
                except DiagnoseError as error:
                    run = error
                yield run

    def marks(self, run_ids: Sequence[str]) -> dict[str, tuple[object, ...]]:
        """Of runs the status, the end time, and what changes when a metric gets a point, without those that are gone.

        Raises:
            ReadError: The store could not be read.
        """
        with self._telling("the state of its runs could not be read"):
            # Before 1.3 MLflow kept no table of latest points: then the points themselves are counted.
            table = "latest_metrics" if self._database.columns("latest_metrics") else "metrics"
            step = "step" if "step" in self._database.columns(table) else "0"
            query = MARK.format(table=table, step=step)
            found = {run_id: self._database.rows(query, run_id=run_id) for run_id in run_ids}
            return {run_id: rows[0] for run_id, rows in found.items() if rows}

    def tags(self, experiment_id: str, names: Sequence[str]) -> dict[str, dict[str, str]]:
        """Of every run of an experiment that is not deleted those of these tags that it has, by its id.

        Raises:
            ReadError: The store could not be read.
        """
        with self._telling(f"the tags of the runs of experiment {experiment_id} could not be read"):
            places = {f"name{place}": name for place, name in enumerate(names)}
            query = TAGS.format(key=self._database.key, names=", ".join(f":{place}" for place in places))
            found: dict[str, dict[str, str]] = {}
            for run_id, name, text in self._database.rows(query, experiment=int(experiment_id), **places):
                tags = found.setdefault(run_id, {})
                if name is not None:
                    tags[str(name)] = "" if text is None else str(text)
            return found

    def artifact_uri(self, run_id: str) -> str:
        """Where a run's artifacts are, empty where the store does not tell.

        Raises:
            ReadError: The store could not be read.
        """
        with self._telling(f"run {run_id} could not be read"):
            if "artifact_uri" not in self._database.columns("runs"):
                return ""
            found = self._database.rows("SELECT artifact_uri FROM runs WHERE run_uuid = :run_id", run_id=run_id)
            return str(found[0][0] or "") if found else ""

    def read_on(self, before: RawRun) -> RawRun:
        """A run that was read before, with only the points read that were logged since its latest one.

        Points whose time lies before that, as of a machine whose clock is late, are missed until the run is read whole.

        Raises:
            RunNotFoundError: The store has no such run any more.
            ReadError: It could not be read.
        """
        times = [curve.wall_times.max() for curve in before.curves if curve.wall_times is not None and len(curve.steps)]
        since = round(1000 * max(times, default=0))

        def later(query: str, run_id: str) -> Points:
            return self._database.points(f"{query} AND timestamp >= {since:d}", run_id)

        with self._telling(f"run {before.run_id} could not be read"):
            run = self._read(before.run_id, later)
        kept = {curve.name: _before(curve, since / 1000) for curve in before.curves}
        for curve in run.curves:
            kept[curve.name] = _appended(kept[curve.name], curve) if curve.name in kept else curve
        return replace(run, curves=[kept[name] for name in sorted(kept)])

    def _read(self, run_id: str, points: Callable[[str, str], Points]) -> RawRun:
        database = self._database
        found = database.rows(RUN, run_id=run_id)
        if not found:
            raise RunNotFoundError(f"MLflow at {self.shown} has no run {run_id!r}")
        ((name, status, stage),) = found
        params, tags = (
            {str(key): "" if value is None else str(value) for key, value in database.rows(query, run_id=run_id)}
            for query in (PAIRS.format(key=database.key, table=table) for table in ("params", "tags"))
        )
        return tracked_run(
            run_id,
            # Before 2.0 the name was a tag.
            str(name or tags.get("mlflow.runName") or ""),
            _curves(points(self._points_query, run_id)),
            params,
            tags,
            status=str(status or ""),
            deleted=stage == "deleted",
        )

    @cached_property
    def _database(self) -> Database:
        database = open_database(self.uri)
        weakref.finalize(self, database.close)
        if any(not columns <= database.columns(table) for table, columns in TABLES.items()):
            raise BadInputError(f"{self.shown} is a database, and not one of MLflow's")
        return database

    @cached_property
    def _points_query(self) -> str:
        database, columns = self._database, self._database.columns("metrics")
        return POINTS.format(
            key=database.key,
            step="step" if "step" in columns else "0",
            # A number stands where is_nan says that there is none.
            value=f"CASE WHEN {database.is_nan} THEN NULL ELSE value END" if "is_nan" in columns else "value",
        )

    @contextmanager
    def _telling(self, failure: str) -> Iterator[None]:
        """All that a driver raises becomes one clear line: what failed, and why."""
        try:
            yield
        except DiagnoseError:
            raise
        except Exception as caught:
            if "file is not a database" in str(caught):
                raise BadInputError(f"{self.shown} is no SQLite database") from caught
            raise ReadError(f"MLflow at {self.shown}: {failure}: {first_line(caught)}") from caught


def _before(curve: RawCurve, seconds: float) -> RawCurve:
    """The points of a curve before a time."""
    if curve.wall_times is None:
        return curve
    keep = curve.wall_times < seconds
    return RawCurve(curve.name, curve.steps[keep], curve.values[keep], curve.wall_times[keep])


def _appended(curve: RawCurve, later: RawCurve) -> RawCurve:
    if curve.wall_times is None or later.wall_times is None:
        return later
    return RawCurve(
        curve.name,
        np.concatenate([curve.steps, later.steps]),
        np.concatenate([curve.values, later.values]),
        np.concatenate([curve.wall_times, later.wall_times]),
    )


def _curves(points: Points) -> list[RawCurve]:
    """A curve for each metric, by name, its points by time, then step, then value, as MLflow orders them."""
    by_name = sorted(range(len(points.names)), key=points.names.__getitem__)
    # Small integers are sorted in linear time.
    place = np.empty(len(by_name), np.min_scalar_type(len(by_name)))
    place[by_name] = np.arange(len(by_name))
    curve = place[points.codes]
    order = np.argsort(curve, kind="stable")
    times, grouped = points.times[order], curve[order]
    if np.any((times[1:] <= times[:-1]) & (grouped[1:] == grouped[:-1])):
        values = np.nan_to_num(points.values, nan=0.0, posinf=np.inf, neginf=-np.inf)  # MLflow keeps NaN as 0
        order = np.lexsort((values, points.steps, points.times, curve))
        times = points.times[order]
    steps, values, seconds = points.steps[order], points.values[order], times / 1000
    sizes = np.bincount(curve, minlength=len(by_name))
    ends = np.cumsum(sizes)
    return [
        RawCurve(points.names[code], steps[start:end], values[start:end], seconds[start:end])
        for code, start, end in zip(by_name, ends - sizes, ends, strict=True)
    ]
