"""MLflow stores in a database, read as they are: a query a run, sorted here, without MLflow and its migrations."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from curve_analyzers.model import RawCurve, RawRun
from mlflow_diagnose.errors import BadInputError, DiagnoseError, ReadError, RunNotFoundError
from mlflow_diagnose.readers.tracking.databases import Database, Points, open_database
from mlflow_diagnose.readers.tracking.tracked import tracked_run
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
RUN = "SELECT name, status, lifecycle_stage FROM runs WHERE run_uuid = :run_id"
PAIRS = "SELECT {key}, value FROM {table} WHERE run_uuid = :run_id"
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

    def run_ids(self) -> list[str]:
        """Every run that is not deleted, nor its experiment, the newest first.

        Raises:
            BadInputError: There is no store at the tracking URI.
            ReadError: It could not be read.
        """
        with self._telling("its runs could not be listed"):
            return [run_id for (run_id,) in self._database.rows(RUNS)]

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
