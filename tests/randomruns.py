"""MLflow runs with whatever MLflow lets a program log, and what MLflow's own client says of them."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import strategies as st
from mlflow.entities import Metric, Param, RunTag, ViewType

from mlflow_diagnose.readers.tracking.quiet import quiet
from mlflow_server import EXPERIMENT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlflow import MlflowClient

    from curve_analyzers.model import RawRun

__all__ = ["Logged", "as_client_says", "as_read", "lay_down", "logged_runs"]

OURS_AND_MLFLOWS = ("mlflow.", "diagnose.")


@dataclass(frozen=True)
class Logged:
    """A run to log.

    Attributes:
        name: Its name; MLflow makes one up where it is empty.
        points: Of each metric, in the order they are logged: value, time in milliseconds, step.
        params: Its params.
        tags: Its tags.
        status: How it ended.
        deleted: Whether it is deleted afterwards.
    """

    name: str
    points: Mapping[str, Sequence[tuple[float, int, int]]]
    params: Mapping[str, str]
    tags: Mapping[str, str]
    status: str
    deleted: bool


# Texts that every database takes, names as MLflow checks them.
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\r\t"), max_size=30)
names = st.sampled_from(["loss", "val_loss", "val/loss", "metrics/mAP50B", "a b", "größe"]) | st.text(
    st.characters(categories=["Ll", "Lu", "Nd"], include_characters="_-. /:"), min_size=1, max_size=30
).filter(lambda name: posixpath.normpath(name) == name and not name.startswith(("/", "..")) and name != ".")
values = st.floats() | st.sampled_from([0.1 + 0.2, -0.0, 5e-324, 1.7976931348623157e308])
times = st.integers(0, 2**53) | st.integers(1_700_000_000_000, 1_700_000_000_005)
steps = st.integers(-(2**63), 2**63 - 1) | st.integers(-2, 5)


def _apart(names: Mapping[str, object]) -> bool:
    """Whether no name is the folder of another: files cannot be both."""
    return not any(other.startswith(f"{name}/") for name in names for other in names)


@st.composite
def logged_runs(draw) -> Logged:
    """A run."""
    points = st.lists(st.tuples(values, times, steps), min_size=1, max_size=12)
    tags = st.dictionaries(names, texts, max_size=3).filter(_apart)
    return Logged(
        name=draw(texts),
        points=draw(st.dictionaries(names, points, max_size=4).filter(_apart)),
        params=draw(st.dictionaries(names, texts, max_size=3).filter(_apart)),
        tags=draw(tags) | draw(st.sampled_from([{}, {"diagnose.verdict": "x", "mlflow.source.name": "y"}])),
        status=draw(st.sampled_from(["RUNNING", "FINISHED", "FAILED", "KILLED"])),
        deleted=draw(st.sampled_from([False, False, True])),
    )


def lay_down(client: MlflowClient, run: Logged) -> str:
    """Log a run; its id."""
    with quiet():
        run_id: str = client.create_run(EXPERIMENT, run_name=run.name or None).info.run_id
        client.log_batch(
            run_id,
            [Metric(name, *point) for name, points in run.points.items() for point in points],
            [Param(*each) for each in run.params.items()],
            [RunTag(*each) for each in run.tags.items()],
        )
        if run.status != "RUNNING":
            client.set_terminated(run_id, run.status)
        if run.deleted:
            client.delete_run(run_id)
    return run_id


def as_client_says(client: MlflowClient, run_id: str) -> dict[str, object]:
    """All that a reader has to know of a run, asked of MLflow's client, the numbers to the bit."""
    with quiet():
        run = client.get_run(run_id)
        histories = {name: client.get_metric_history(run_id, name) for name in run.data.metrics}
    return {
        "id": run.info.run_id,
        "name": run.info.run_name,
        "status": run.info.status,
        "deleted": run.info.lifecycle_stage == "deleted",
        "params": run.data.params,
        "tags": {key: text for key, text in run.data.tags.items() if not key.startswith(OURS_AND_MLFLOWS)},
        "curves": {
            name: _bits(
                [point.step for point in points],
                [point.value for point in points],
                [point.timestamp / 1000 for point in points],
            )
            for name, points in histories.items()
        },
    }


def as_read(run: RawRun) -> dict[str, object]:
    """The same of a run as a reader gave it."""
    return {
        "id": run.run_id,
        "name": run.name,
        "status": run.status,
        "deleted": any("deleted" in note for note in run.notes),
        "params": run.params,
        "tags": run.tags,
        "curves": {each.name: _bits(each.steps, each.values, each.wall_times) for each in run.curves},
    }


def all_runs(client: MlflowClient) -> list[str]:
    """The ids of all runs of a store, deleted ones too."""
    with quiet():
        experiments = [each.experiment_id for each in client.search_experiments(ViewType.ALL)]
        return [run.info.run_id for run in client.search_runs(experiments, run_view_type=ViewType.ALL)]


def _bits(steps: Sequence[int], values: Sequence[float], times: Sequence[float]) -> tuple[bytes, bytes, bytes]:
    numbers = np.array(values, "f8")
    numbers[np.isnan(numbers)] = np.nan  # there are many, and a store keeps that it is one
    return np.array(steps, "i8").tobytes(), numbers.tobytes(), np.array(times, "f8").tobytes()
