"""The stores of the live tests: one real server for all of them, and a sqlite store opened without one."""

from __future__ import annotations

import pytest

from mlflow_server import fresh_store, mlflow_server


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A real `mlflow server`, reached over HTTP."""
    with mlflow_server(tmp_path_factory.mktemp("server")) as store:
        yield store


@pytest.fixture(scope="session")
def sqlite(tmp_path_factory):
    """A sqlite store that MLflow's client opens itself."""
    return fresh_store(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture(params=["sqlite", "server"])
def store(request):
    """Each kind of store."""
    return request.getfixturevalue(request.param)
