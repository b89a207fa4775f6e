"""TensorBoard runs as runs of an MLflow experiment, to which each import adds what is new."""

from __future__ import annotations

import re
import zlib
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
from mlflow.entities import LifecycleStage, Metric, Param, RunStatus

from mlflow_diagnose.errors import BadInputError, ReadError
from mlflow_diagnose.readers import open_source
from mlflow_diagnose.readers.mlflow import TrackingStore
from mlflow_diagnose.text import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import numpy.typing as npt
    from mlflow import MlflowClient

    from curve_analyzers.model import RawCurve, RawRun

__all__ = ["LOGDIR_TAG", "Importer", "mlflow_names"]

LOGDIR_TAG = "diagnose.logdir"
METRICS_AT_ONCE, PARAMS_AT_ONCE, RUNS_AT_ONCE = 1000, 100, 1000  # what MLflow takes and gives in one request
LONGEST_KEY, LONGEST_PARAM = 250, 500  # characters that every store of MLflow's takes
LARGEST = np.finfo(np.float64).max  # what databases keep in place of infinity
NOT_MLFLOWS = re.compile(r"[^\w.\- /]", re.ASCII)  # MLflow's names have no other characters on every system


class Importer:
    """Keeps TensorBoard runs in an MLflow experiment, which is made where it is not there.

    Args:
        tracking_uri: The store's.
        experiment: The name of the experiment.
        logdir: What names the logdir in the tag `diagnose.logdir`, by which its runs are known again.

    Attributes:
        tracking_uri: The store's.
        added: The points added so far.

    Raises:
        BadInputError: The experiment is deleted, or there is no such store.
        WriteError: It could not be made.
    """

    def __init__(self, tracking_uri: str, experiment: str, logdir: str) -> None:
        self.added = 0
        self.tracking_uri, self._logdir = tracking_uri, logdir.rstrip("/")
        self._store = TrackingStore(tracking_uri)
        with self._store.writing(f"experiment {experiment!r} could not be made") as client:
            self._experiment = _experiment_id(client, experiment)
        with self._store.asking(f"the runs of experiment {experiment!r} could not be listed", ReadError) as client:
            self._known = dict(_imported(client, self._experiment))

    def take(self, raw: RawRun) -> str:
        """Add to the MLflow run of a TensorBoard run what it does not have, and return its id.

        Points are known by step, time to the millisecond, and value. What is in MLflow and no longer in the log stays.

        Raises:
            ReadError: What is there could not be read.
            WriteError: Something could not be added; the next try goes on from there.
        """
        key = self._logdir if raw.run_id == "." else f"{self._logdir}/{raw.run_id}"
        names = mlflow_names(curve.name for curve in raw.curves)
        times = [curve.wall_times for curve in raw.curves if curve.wall_times is not None and len(curve.wall_times)]
        first, last = (
            (_milliseconds(min(each.min() for each in times)), _milliseconds(max(each.max() for each in times)))
            if times
            else (0, 0)
        )
        if (run_id := self._known.get(key)) is None:
            with self._store.writing(f"a run for {key} could not be made") as client:
                made = client.create_run(self._experiment, first, {LOGDIR_TAG: key}, plain(raw.name))
                run_id = self._known[key] = str(made.info.run_id)
        there = open_source(self.tracking_uri).read(run_id)
        points = {curve.name: _rows(curve) for curve in there.curves}
        new = [
            metric
            for curve in raw.curves
            for metric in _metrics(names[curve.name], _rows(curve), points.get(names[curve.name]))
        ]
        params = [
            Param(name, text[:LONGEST_PARAM]) for name, text in _renamed(raw.params).items() if name not in there.params
        ]
        with self._store.writing(f"what is new in {key} could not be added to run {run_id}") as client:
            for start in range(0, len(params), PARAMS_AT_ONCE):
                client.log_batch(run_id, params=params[start : start + PARAMS_AT_ONCE])
            for start in range(0, len(new), METRICS_AT_ONCE):
                client.log_batch(run_id, new[start : start + METRICS_AT_ONCE])
            if new or there.status == RunStatus.to_string(RunStatus.RUNNING):
                client.set_terminated(run_id, end_time=last)
        self.added += len(new)
        return run_id


def mlflow_names(names: Iterable[str]) -> dict[str, str]:
    """For names of curves the ones that MLflow allows; two that would be the same are told apart by a checksum."""
    cleaned = {name: _cleaned(name) for name in names}
    taken = Counter(cleaned.values())
    return {
        name: new if new == name or taken[new] == 1 else f"{new[: LONGEST_KEY - 9]}_{zlib.crc32(name.encode()):08x}"
        for name, new in cleaned.items()
    }


def _cleaned(name: str) -> str:
    parts = [part for part in NOT_MLFLOWS.sub("_", name).split("/") if part.strip(".")]
    return "/".join(parts)[:LONGEST_KEY].rstrip("/") or "_"


def _renamed(params: Mapping[str, str]) -> dict[str, str]:
    names = mlflow_names(params)
    return {names[key]: text for key, text in params.items()}


def _experiment_id(client: MlflowClient, name: str) -> str:
    found = client.get_experiment_by_name(name)
    if found is None:
        return str(client.create_experiment(name))
    if found.lifecycle_stage == LifecycleStage.DELETED:
        raise BadInputError(
            f"the experiment {name!r} is deleted; `mlflow experiments restore --experiment-id {found.experiment_id}` "
            "brings it back"
        )
    return str(found.experiment_id)


def _imported(client: MlflowClient, experiment_id: str) -> Iterator[tuple[str, str]]:
    """The runs of an experiment that an import made, by what they were made from."""
    token = None
    while True:
        page = client.search_runs([experiment_id], f"tags.`{LOGDIR_TAG}` != ''", 1, RUNS_AT_ONCE, None, token)
        for run in page:
            yield run.data.tags[LOGDIR_TAG], run.info.run_id
        if not (token := page.token):
            return


def _milliseconds(seconds: float) -> int:
    return round(1000 * seconds) if np.isfinite(seconds) else 0


def _rows(curve: RawCurve) -> npt.NDArray[np.int64]:
    """The points of a curve as MLflow knows them, (n, 3): step, time in milliseconds, the bits of the value."""
    times = np.zeros(len(curve.values)) if curve.wall_times is None else curve.wall_times
    values = np.clip(curve.values, -LARGEST, LARGEST) + 0.0  # -0.0 is 0.0
    values[np.isnan(values)] = np.nan
    milliseconds = np.round(np.nan_to_num(1000 * times)).astype(np.int64)
    return np.stack([curve.steps.astype(np.int64), milliseconds, values.view(np.int64)], axis=1)


def _metrics(name: str, rows: npt.NDArray[np.int64], there: npt.NDArray[np.int64] | None) -> Iterator[Metric]:
    """The points that are not there yet, in their order, each once."""
    known = 0 if there is None else len(there)
    both = rows if there is None else np.concatenate([there, rows])
    if not len(both):
        return
    _, firsts = np.unique(both, axis=0, return_index=True)
    new = both[np.sort(firsts[firsts >= known])]
    values = np.ascontiguousarray(new[:, 2]).view(np.float64)
    for (step, time), value in zip(new[:, :2].tolist(), values.tolist(), strict=True):
        yield Metric(name, value, time, step)
