"""Histories from a server over a store of 2,000 runs and ten million points: our reader beside MLflow's client.

    python -m pytest -n0 tests/benchmarks/test_rest_speed.py --benchmark-only [--share 0.05]

Each reader reads a sample of the runs, of another size: what compares is the time of a point, in the table of what was
wanted.
"""

from __future__ import annotations

import pytest

from benchmarks.stores import METRICS, POINTS, run_id
from benchmarks.targets import Target
from mlflow_diagnose.readers.mlflow_rest import MlflowRestReader
from mlflow_server import mlflow_ui
from rawruns import client_at


@pytest.fixture(scope="module")
def server(tmp_path_factory, store):
    """A real `mlflow ui` over the big store, which answers as a server does."""
    with mlflow_ui(tmp_path_factory.mktemp("server"), store.uri) as uri:
        yield uri


def ours(uri, run_ids):
    """This project's reader."""
    return sum(len(curve.values) for run in MlflowRestReader(uri).read_many(run_ids) for curve in run.curves)


def ours_one_by_one(uri, run_ids):
    """The same, a run at a time."""
    reader = MlflowRestReader(uri)
    return sum(len(curve.values) for run_id in run_ids for curve in reader.read(run_id).curves)


def mlflow_client(uri, run_ids):
    """MLflow's client, a history a call."""
    client = client_at(uri)
    return sum(
        len(client.get_metric_history(run_id, name))
        for run_id in run_ids
        for name in client.get_run(run_id).data.metrics
    )


GROUP = "10 M points behind a server"
NAME = "test_ten_million_points_behind_a_server"
TARGETS = (
    Target(
        "a server, many runs: times MlflowClient, a point",
        (GROUP, f"{NAME}[ours-200]"),
        (GROUP, f"{NAME}[mlflow_client-4]"),
        at_least=5,
    ),
)


@pytest.mark.benchmark(group=GROUP)
@pytest.mark.parametrize(("reader", "most"), [(ours, 200), (ours_one_by_one, 4), (mlflow_client, 4)])
def test_ten_million_points_behind_a_server(benchmark, server, runs, reader, most):
    """Every point of the sample is there."""
    sample = min(most, runs)
    run_ids = [run_id(number * (runs // sample)) for number in range(sample)]
    count = benchmark.pedantic(reader, (server, run_ids), rounds=3)
    assert count == sample * len(METRICS) * POINTS
    benchmark.extra_info["points"] = count
