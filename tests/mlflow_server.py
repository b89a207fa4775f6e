"""Real MLflow stores for tests: a fresh sqlite store in an instant, and a real `mlflow server` over one."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

START_UP = 120.0  # seconds; a cold start takes about ten
EXPERIMENT = "0"  # MLflow's default experiment, the one of each store here whose artifacts have a known place


@dataclass(frozen=True)
class Store:
    """An MLflow store.

    Attributes:
        uri: The tracking URI.
        database: The sqlite file behind it.
        artifacts: The folder below which a run of the default experiment has its artifacts.
    """

    uri: str
    database: Path
    artifacts: Path

    def artifact_folder(self, run_id: str) -> Path:
        """Where the artifacts of a run of the default experiment are."""
        return self.artifacts / EXPERIMENT / run_id / "artifacts"

    def rows(self, query: str, *values: object) -> list[tuple[object, ...]]:
        """The rows of a query on the store's own tables; a change is committed."""
        with closing(sqlite3.connect(self.database, timeout=20)) as connection, connection:
            return connection.execute(query, values).fetchall()


def fresh_store(folder: Path) -> Store:
    """A store of its own in a folder, with nothing but the default experiment, whose artifacts go there too."""
    folder.mkdir(parents=True, exist_ok=True)
    database, artifacts = folder / "mlflow.db", folder / "artifacts"
    shutil.copy(_template(), database)
    store = Store(f"sqlite:///{database}", database, artifacts)
    _set_location(store, (artifacts / EXPERIMENT).as_uri())
    return store


@contextmanager
def mlflow_server(folder: Path) -> Iterator[Store]:
    """A healthy `mlflow server` on a free port over a fresh store; artifacts are proxied, as by default."""
    store = fresh_store(folder)
    _set_location(store, f"mlflow-artifacts:/{EXPERIMENT}")
    with _serving(folder, "server", store.uri, "--artifacts-destination", str(store.artifacts)) as uri:
        yield Store(uri, store.database, store.artifacts)


@contextmanager
def mlflow_server_that_restarts(folder: Path) -> Iterator[tuple[Store, Callable[[], None]]]:
    """The same, and what kills the server and starts it again on its port, which takes it some time."""
    store = fresh_store(folder)
    _set_location(store, f"mlflow-artifacts:/{EXPERIMENT}")
    port = free_port()
    options = ("--artifacts-destination", str(store.artifacts))
    with ExitStack() as first, ExitStack() as second:
        uri = first.enter_context(_serving(folder, "server", store.uri, *options, port=port))

        def restart() -> None:
            first.close()
            second.enter_context(_serving(folder, "server", store.uri, *options, port=port))

        yield Store(uri, store.database, store.artifacts), restart


@contextmanager
def mlflow_server_with_users(folder: Path, admin: tuple[str, str]) -> Iterator[Store]:
    """The same behind MLflow's basic-auth app: whoever is no admin may read everything and write nothing."""
    store = fresh_store(folder)
    _set_location(store, f"mlflow-artifacts:/{EXPERIMENT}")
    config = folder / "auth.ini"
    config.write_text(
        f"[mlflow]\ndefault_permission = READ\ndatabase_uri = sqlite:///{folder / 'auth.db'}\n"
        f"admin_username = {admin[0]}\nadmin_password = {admin[1]}\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
    )
    more = {"MLFLOW_AUTH_CONFIG_PATH": str(config), "MLFLOW_FLASK_SERVER_SECRET_KEY": "of this test"}
    options = ("--app-name", "basic-auth", "--artifacts-destination", str(store.artifacts))
    with _serving(folder, "server", store.uri, *options, more=more) as uri:
        yield Store(uri, store.database, store.artifacts)


@contextmanager
def secured_server(folder: Path, password: str) -> Iterator[Store]:
    """A server with MLflow's basic-auth app, whose users may do nothing until they are given leave, but for `admin`."""
    store = fresh_store(folder)
    _set_location(store, f"mlflow-artifacts:/{EXPERIMENT}")
    config = folder / "basic_auth.ini"
    config.write_text(
        f"[mlflow]\ndefault_permission = NO_PERMISSIONS\ndatabase_uri = sqlite:///{folder / 'users.db'}\n"
        f"admin_username = admin\nadmin_password = {password}\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
    )
    settings = {"MLFLOW_AUTH_CONFIG_PATH": str(config), "MLFLOW_FLASK_SERVER_SECRET_KEY": password}
    options = ("--artifacts-destination", str(store.artifacts), "--app-name", "basic-auth")
    with _serving(folder, "server", store.uri, *options, more=settings) as uri:
        yield Store(uri, store.database, store.artifacts)


@contextmanager
def mlflow_ui(folder: Path, tracking_uri: str) -> Iterator[str]:
    """The address of a running `mlflow ui` over a store that is there; its log goes to the folder."""
    with _serving(folder, "ui", tracking_uri) as uri:
        yield uri


@contextmanager
def _serving(
    folder: Path,
    what: str,
    backend: str,
    *options: str,
    port: int | None = None,
    more: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """`mlflow server` or `mlflow ui` on a port, with more in its environment, until the block ends."""
    port = port or free_port()
    uri = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "mlflow", what, "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", backend, *options]
    log = folder / f"{what}.log"
    with log.open("wb") as output:
        # A session of its own: the server starts workers, and all of them end together.
        server = subprocess.Popen(
            command,
            cwd=folder,
            env={**_environment(), **(more or {})},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        _wait_until_healthy(uri, server, log)
        yield uri
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@cache
def _template() -> Path:
    """An empty store, migrated once for all tests of this process: that takes MLflow seconds."""
    folder = Path(tempfile.mkdtemp(prefix="mlflow-template-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    database = folder / "mlflow.db"
    make = "import mlflow, sys; mlflow.MlflowClient(sys.argv[1])"
    subprocess.run(
        [sys.executable, "-c", make, f"sqlite:///{database}"],
        cwd=folder,
        env=_environment(),
        check=True,
        capture_output=True,
    )
    return database


def _set_location(store: Store, location: str) -> None:
    store.rows("UPDATE experiments SET artifact_location = ? WHERE experiment_id = ?", location, int(EXPERIMENT))


def _environment() -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "_MLFLOW_"))}
    return {**own, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


def _wait_until_healthy(uri: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_UP
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{uri}/health", timeout=5) as answer:  # noqa: S310 - our own server
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise RuntimeError(f"mlflow server did not start:\n{log.read_text(errors='replace')[-3000:]}")
