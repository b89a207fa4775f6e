"""Runs laid down alike in every kind of MLflow store, and when two of them as read are the same."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

from mlflow_server import EXPERIMENT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from curve_analyzers.model import RawRun

    Logged = Mapping[str, tuple[Sequence[float], Sequence[int]]]

__all__ = ["LOGGED", "assert_same", "client_at", "lay_down"]

NAN, INFINITY = float("nan"), float("inf")
START = 1_700_000_000_000

# The values and steps of each metric, logged in this order, a second and a half apart.
LOGGED: Logged = {
    "all at one step": ([3.0, 2.0, 1.0], [0, 0, 0]),
    "blows up": ([1.0, INFINITY, -INFINITY], [5, 6, 7]),
    "metrics/metrics/mAP50B": ([0.1 + 0.2, 1e-320, 1.7e308], [1, 2, 3]),
    "one": ([0.25], [-3]),
    "steps go back": ([2.0, 1.0, 0.5, 0.4], [10, 20, 10, 2**60]),
    "val loss": ([NAN, 1.5], [10, 20]),
}


def client_at(uri: str) -> MlflowClient:
    """MLflow's own client, whose first use warns of MLflow's own making."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return MlflowClient(uri)


def lay_down(
    uri: str, logged: Mapping[str, tuple[Sequence[float], Sequence[int]]] = LOGGED, name: str = "a run"
) -> str:
    """Log a finished run with params and tags into the default experiment of a store; its id."""
    client = client_at(uri)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run_id: str = client.create_run(EXPERIMENT, tags={"team": "vision"}, run_name=name).info.run_id
    points = [
        Metric(metric, value, START + 1500 * index, step)
        for metric, (values, steps) in logged.items()
        for index, (value, step) in enumerate(zip(values, steps, strict=True))
    ]
    client.log_batch(
        run_id, points[:1000], [Param("lr", "0.1"), Param("optimizer/name", "Adam W")], [RunTag("a b", "é")]
    )
    for first in range(1000, len(points), 1000):
        client.log_batch(run_id, points[first : first + 1000])
    client.set_terminated(run_id)
    return run_id


def assert_same(run: RawRun, other: RawRun) -> None:
    """The same to the bit, but for the id that each store gave it."""
    for attribute in ("source", "name", "params", "tags", "status"):
        assert getattr(run, attribute) == getattr(other, attribute)
    assert list(run.notes) == list(other.notes)
    assert [curve.name for curve in run.curves] == [curve.name for curve in other.curves]
    for one, two in zip(run.curves, other.curves, strict=True):
        for part in ("steps", "values", "wall_times"):
            assert getattr(one, part).dtype == getattr(two, part).dtype, one.name
            np.testing.assert_array_equal(getattr(one, part), getattr(two, part), err_msg=f"{one.name}: {part}")
