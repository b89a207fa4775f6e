"""The stores of the live tests: one real server for all of them, and a sqlite store opened without one."""

from __future__ import annotations

import pytest
from mlflow import MlflowClient

import mysql as mariadb
from mlflow_diagnose.readers.tracking.quiet import quiet
from mlflow_server import fresh_store, mlflow_server
from postgres import binaries, postgres


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


@pytest.fixture(scope="session")
def postgresql():
    """The tracking URI of an MLflow store in a real PostgreSQL."""
    if binaries() is None:
        pytest.skip("there is no PostgreSQL on this machine")
    pytest.importorskip("psycopg2")
    with postgres() as uri:
        with quiet():
            MlflowClient(uri)
        yield uri


@pytest.fixture(scope="session")
def mysql():
    """The tracking URI of an MLflow store in a real MariaDB."""
    if mariadb.binaries() is None:
        pytest.skip("there is no MariaDB on this machine")
    pytest.importorskip("pymysql")
    with mariadb.mysql() as uri:
        with quiet():
            MlflowClient(uri)
        yield uri
