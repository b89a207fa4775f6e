"""A real `tensorboard` process over a logdir, for tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

import pytest

from mlflow_server import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START_UP = 120.0  # seconds; a cold start takes about five


@contextmanager
def tensorboard(logdir: Path, folder: Path, *options: str) -> Iterator[str]:
    """The address of a `tensorboard` on a free port, until the block ends; its log goes to `folder`.

    It loads our plugin by the entry point of the installed package, so one that is only on the path is skipped.
    """
    if "diagnose" not in entry_points(group="tensorboard_plugins").names:
        pytest.skip("the package is not installed, so tensorboard does not know of its plugin")
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "tensorboard.main", "--host", "127.0.0.1", "--port", str(port)]
    elsewhere = {"--logdir", "--logdir_spec", "--grpc_data_provider"}.intersection(options)
    command += list(options) if elsewhere else ["--logdir", str(logdir), *options]
    log = folder / "tensorboard.log"
    with log.open("wb") as output:
        # A session of its own: the data server is a process beside it, and both end together.
        server = subprocess.Popen(command, cwd=folder, stdout=output, stderr=output, start_new_session=True)
    try:
        _wait(f"{address}/data/plugins_listing", server, log)
        yield address
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


@contextmanager
def data_server(logdir: Path) -> Iterator[str]:
    """The address of TensorBoard's data server by itself, which keeps ten points of a curve."""
    binary = pytest.importorskip("tensorboard_data_server", reason="it is not made for this machine").server_binary()
    port = free_port()
    command = [binary, "--logdir", str(logdir), "--port", str(port)]
    command += ["--host", "127.0.0.1", "--samples-per-plugin", "scalars=10", "--reload", "1"]
    server = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def _wait(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_UP
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - our own server
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise RuntimeError(f"tensorboard did not start:\n{log.read_text(errors='replace')[-3000:]}")
