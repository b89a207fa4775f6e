"""How far each run of a tracking store is, asked without reading its points: what changed is read, the rest is not."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlflow_diagnose.errors import DiagnoseError
from mlflow_diagnose.readers.mlflow_files import MlflowFilesReader
from mlflow_diagnose.readers.mlflow_rest import MlflowRestReader
from mlflow_diagnose.readers.mlflow_sql import SqlReader
from mlflow_diagnose.readers.tracking.run_files import STATUS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mlflow_diagnose.readers import Reader

__all__ = ["RunState", "states"]

GOING_ON = frozenset({"RUNNING", "SCHEDULED"})


@dataclass(frozen=True, slots=True)
class RunState:
    """How far a run is.

    Attributes:
        status: MLflow's word for it.
        mark: Changes when the status, the end time, or the latest point of any metric does.
    """

    status: str
    mark: Hashable

    @property
    def is_over(self) -> bool:
        """Whether the run has ended."""
        return self.status not in GOING_ON


def states(reader: Reader, run_ids: Sequence[str]) -> dict[str, RunState]:
    """The states of runs, without those that are gone or cannot be read just now.

    Raises:
        ReadError: The store does not answer.
    """
    if isinstance(reader, SqlReader):
        return {run_id: RunState(str(row[0] or ""), row) for run_id, row in reader.marks(run_ids).items()}
    if isinstance(reader, MlflowRestReader):
        return {run_id: _of_answer(run) for run_id, run in reader.runs(run_ids).items()}
    if isinstance(reader, MlflowFilesReader):
        return {run_id: state for run_id in run_ids if (state := _of_files(reader.find(run_id), reader, run_id))}
    found = {}
    for run_id in run_ids:
        try:
            run = reader.read(run_id)
        except DiagnoseError:
            continue
        latest = tuple((curve.name, len(curve.values)) for curve in run.curves)
        found[run_id] = RunState(run.status, latest)
    return found


def _of_answer(run: Mapping[str, Any]) -> RunState:
    info, data = run.get("info", {}), run.get("data", {})
    latest = tuple(
        sorted(
            (str(each.get("key")), each.get("step", 0), each.get("timestamp", 0)) for each in data.get("metrics", [])
        )
    )
    return RunState(str(info.get("status", "")), (info.get("status"), info.get("end_time"), latest))


def _of_files(folder: Path | None, reader: MlflowFilesReader, run_id: str) -> RunState | None:
    """The state of a run in files, by the sizes and times of the files of its metrics."""
    meta = reader.meta(run_id)
    if folder is None or meta is None:
        return None
    stamps = []
    for place, _, names in os.walk(folder / "metrics"):
        for name in sorted(names):
            path = os.path.join(place, name)  # noqa: PTH118 - as os.walk gives it
            try:
                stat = os.stat(path)  # noqa: PTH116 - the same
            except OSError:
                continue
            stamps.append((path, stat.st_size, stat.st_mtime_ns))
    status = STATUS.get(meta.get("status", "1"), "")
    return RunState(status, (status, meta.get("end_time"), tuple(sorted(stamps))))
