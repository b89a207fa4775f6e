"""Histories from a server over a store of 2,000 runs and ten million points: our reader beside MLflow's client.

    python -m pytest -n0 tests/benchmarks/test_rest_speed.py --benchmark-only

The store takes three gigabytes and some minutes to lay down. Each reader reads a sample of its runs, of another size:
the table's `extra_info` has the microseconds a point, which compare.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing

import numpy as np
import pytest

from mlflow_diagnose.readers.mlflow_rest import MlflowRestReader
from mlflow_server import EXPERIMENT, mlflow_server
from rawruns import client_at

RUNS, METRICS, POINTS = 2_000, 10, 500
START = 1_700_000_000_000


def run_id_of(number):
    """The id of a run by its number."""
    return f"a{number:031x}"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A real server over that store, written past MLflow, which would take hours."""
    random = np.random.default_rng(0)
    with mlflow_server(tmp_path_factory.mktemp("server")) as store:
        first = client_at(store.uri).create_run(EXPERIMENT).info.run_id
        with closing(sqlite3.connect(store.database)) as connection, connection:
            connection.execute("PRAGMA synchronous = OFF")
            (run,) = connection.execute("SELECT * FROM runs WHERE run_uuid = ?", (first,))
            holes = ", ".join("?" * len(run))
            for number in range(RUNS):
                run_id = run_id_of(number)
                copy = [run_id if value == first else value for value in run]
                connection.execute(f"INSERT INTO runs VALUES ({holes})", copy)  # noqa: S608 - holes alone
                rows = [
                    (f"metric {metric}", value, START + 137 * step, step, 0, run_id)
                    for metric in range(METRICS)
                    for step, value in enumerate(random.normal(size=POINTS).tolist())
                ]
                for table, written in (("metrics", rows), ("latest_metrics", rows[POINTS - 1 :: POINTS])):
                    connection.executemany(
                        f"INSERT INTO {table} (key, value, timestamp, step, is_nan, run_uuid) "  # noqa: S608 - as above
                        "VALUES (?, ?, ?, ?, ?, ?)",
                        written,
                    )
        yield store


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


@pytest.mark.parametrize(("reader", "runs"), [(ours, 200), (ours_one_by_one, 4), (mlflow_client, 4)])
def test_ten_million_points_behind_a_server(benchmark, server, reader, runs):
    """Every point of the sample is there."""
    run_ids = [run_id_of(number * (RUNS // runs)) for number in range(runs)]
    count = benchmark.pedantic(reader, (server.uri, run_ids), rounds=3)
    assert count == runs * METRICS * POINTS
    benchmark.extra_info["microseconds a point"] = round(1e6 * benchmark.stats.stats.median / count, 1)
