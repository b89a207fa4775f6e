"""The same as MLflow's own client says, to the bit, of whatever may be logged, from every kind of store."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlflow_diagnose.readers import mlflow_sql, open_source
from mlflow_diagnose.readers.tracking.quiet import quiet
from randomruns import all_runs, as_client_says, as_read, lay_down, logged_runs
from rawruns import client_at

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("mlflow")]

FRAMEWORKS = Path(__file__).parents[2] / "fixtures" / "frameworks"
TOGETHER = 5  # runs that are logged, and then read together


def assert_read_as_client_says(uri, run_ids):
    """Each run alone, and all of them together."""
    client, reader = client_at(uri), open_source(uri)
    expected = [as_client_says(client, run_id) for run_id in run_ids]
    assert [as_read(reader.read(run_id)) for run_id in run_ids] == expected
    assert [as_read(run) for run in reader.read_many(run_ids)] == expected


def check(uri, runs):
    """Log runs and read them."""
    client = client_at(uri)
    assert_read_as_client_says(uri, [lay_down(client, run) for run in runs])


batches = st.lists(logged_runs(), min_size=TOGETHER, max_size=TOGETHER)
lasting = {"deadline": None, "suppress_health_check": list(HealthCheck)}


@given(batches)
@settings(max_examples=200 // TOGETHER, **lasting)
def test_sqlite(sqlite, runs):
    """200 runs, a query a run."""
    check(sqlite.uri, runs)


@given(batches)
@settings(max_examples=60 // TOGETHER, **lasting)
def test_sqlite_as_a_whole(sqlite, runs):
    """60 more, by the way in which whole stores are read."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mlflow_sql, "MANY", 1)
        patch.setattr("threading.active_count", lambda: 1)
        check(sqlite.uri, runs)


@given(batches)
@settings(max_examples=100 // TOGETHER, **lasting)
def test_a_file_store(tmp_path_factory, runs):
    """100 runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
        check((tmp_path_factory.getbasetemp() / "mlruns").as_uri(), runs)


@given(batches)
@settings(max_examples=50 // TOGETHER, **lasting)
def test_a_server(server, runs):
    """50 runs."""
    check(server.uri, runs)


@given(batches)
@settings(max_examples=50 // TOGETHER, **lasting)
def test_postgresql(postgresql, runs):
    """50 runs."""
    check(postgresql, runs)


@given(batches)
@settings(max_examples=50 // TOGETHER, **lasting)
def test_mysql(mysql, runs):
    """50 runs."""
    check(mysql, runs)


def test_every_run_of_the_fixtures(tmp_path):
    """What frameworks logged; a copy, as MLflow's client writes to what it opens."""
    uri = f"sqlite:///{shutil.copy(FRAMEWORKS / 'mlflow.db', tmp_path)}"
    with quiet():
        run_ids = all_runs(client_at(uri))
    assert len(run_ids) >= 10
    assert_read_as_client_says(uri, run_ids)
