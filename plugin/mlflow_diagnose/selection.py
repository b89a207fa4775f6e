"""Which runs of a tracking store are meant: those of an experiment, or the ones of these that MLflow's search finds."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol, cast

from mlflow_diagnose.errors import BadInputError, DiagnoseError
from mlflow_diagnose.readers.tracking.metric_files import parse
from mlflow_diagnose.readers.tracking.uri import first_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mlflow.entities import Run

    from curve_analyzers.model import RawCurve
    from mlflow_diagnose.readers import Reader
    from mlflow_diagnose.readers.mlflow_files import MlflowFilesReader
    from mlflow_diagnose.readers.tracking.run_files import RunFiles

__all__ = ["select_runs"]


class TrackingReader(Protocol):
    """A reader of a place that has experiments."""

    def run_ids(self, experiment: str | None = None) -> list[str]:
        """The runs of an experiment."""


class SearchingReader(Protocol):
    """A reader that has MLflow search."""

    def run_ids(self, experiment: str | None = None, search: str = "") -> list[str]:
        """The runs of an experiment that a filter finds."""


def select_runs(reader: Reader, tracking_uri: str, experiment: str, search: str | None = None) -> list[str]:
    """The runs of an experiment that are not deleted, the newest first.

    A filter is answered by MLflow itself, or by its own search where a store in files is read without it. A database
    that another version of MLflow made is not searched, as MLflow would migrate it.

    Args:
        reader: The reader of the store.
        tracking_uri: The store's.
        experiment: Its name, or its id.
        search: A filter in MLflow's search syntax, `metrics.val_loss > 1`; None for all runs.

    Raises:
        BadInputError: There is no such experiment, or the filter is none.
        ReadError: The runs could not be listed.
    """
    from mlflow_diagnose.readers.mlflow_files import MlflowFilesReader  # noqa: PLC0415 - for those that are in files
    from mlflow_diagnose.readers.mlflow_sql import SqlReader  # noqa: PLC0415 - the same

    if not search:
        return cast("TrackingReader", reader).run_ids(experiment)
    if isinstance(reader, MlflowFilesReader):
        return list(_found(reader, reader.run_ids(experiment), search))
    if isinstance(reader, SqlReader):
        from mlflow_diagnose.readers.mlflow import MlflowReader  # noqa: PLC0415 - MLflow, for its search

        return MlflowReader(tracking_uri).run_ids(experiment, search)
    return cast("SearchingReader", reader).run_ids(experiment, search)


def _found(reader: MlflowFilesReader, run_ids: Sequence[str], search: str) -> Iterator[str]:
    """Which runs MLflow's search finds, of runs that are read without MLflow opening, and so changing, the store."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - seconds to import
    from mlflow.utils.search_utils import SearchUtils  # noqa: PLC0415 - the same

    for run_id in run_ids:
        try:
            run = _entity(reader.open_run(run_id))
        except DiagnoseError:
            continue  # told by whoever reads it for what it is
        try:
            if SearchUtils.filter([run], search):  # type: ignore[no-untyped-call] # MLflow left it untyped
                yield run_id
        except MlflowException as error:
            raise BadInputError(f"--filter {search!r}: {first_line(error)}") from error


def _entity(files: RunFiles) -> Run:
    """A run as MLflow's search takes it."""
    from mlflow.entities import Metric, Param, Run, RunData, RunInfo, RunTag  # noqa: PLC0415 - as above

    raw = files.run(parse(list(files.metrics.values())))
    metrics = [Metric(curve.name, *_latest(curve)) for curve in raw.curves]
    params = [Param(key, text) for key, text in files.params.items()]
    tags = [RunTag(key, text) for key, text in files.tags.items()]
    start, end = (
        int(text) if (text := files.meta.get(key, "")).isdecimal() else 0 for key in ("start_time", "end_time")
    )
    info = RunInfo(
        raw.run_id,
        files.meta.get("experiment_id", ""),
        files.meta.get("user_id", ""),
        raw.status or "RUNNING",
        start,
        end,
        "active",
        artifact_uri=files.meta.get("artifact_uri", ""),
        run_name=raw.name,
    )
    return Run(info, RunData(metrics, params, tags))


def _latest(curve: RawCurve) -> tuple[float, int, int]:
    """The value, time and step of what MLflow calls the latest point: of the last step, then of the last time."""
    times = [0.0] * len(curve.values) if curve.wall_times is None else curve.wall_times.tolist()
    points = zip(curve.steps.tolist(), times, curve.values.tolist(), strict=True)
    step, time, value = max(points, key=lambda point: (*point[:2], 0.0 if math.isnan(point[2]) else point[2]))
    return value, int(1000 * time), step
