"""The installed command, as a process: against a real server, a dead one, a silent one, and a reader that leaves."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sysconfig
import time
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric

from mlflow_diagnose.readers.tracking.quiet import quiet
from mlflow_server import EXPERIMENT, free_port

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("mlflow")]

COMMAND = Path(sysconfig.get_path("scripts"), "mlflow-diagnose")
EPOCHS = np.arange(60)
CURVES = {
    "train_loss": 2 * np.exp(-EPOCHS / 8),
    "val_loss": 0.6 + 1.5 * np.exp(-EPOCHS / 4) + 0.02 * np.clip(EPOCHS - 15, 0, None),
}


def started(*args, **environment):
    """The command, started."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    env = {**own, "MLFLOW_DISABLE_TELEMETRY": "true", **environment}
    return subprocess.Popen(
        [COMMAND, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, text=True, encoding="utf-8"
    )


def ended(*args, **environment):
    """The exit status, stdout and stderr of the command."""
    with started(*args, **environment) as process:
        out, err = process.communicate(timeout=200)
    return process.returncode, out, err


@pytest.fixture
def run_id(store):
    """An overfitting run."""
    with quiet():
        client = MlflowClient(store.uri)
        run_id = client.create_run(EXPERIMENT, run_name="too long").info.run_id
        points = [
            Metric(name, float(y), 1_700_000_000_000 + x, x)
            for name, values in CURVES.items()
            for x, y in enumerate(values)
        ]
        client.log_batch(run_id, points)
    return run_id


@pytest.fixture
def silent():
    """A port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def test_a_run_is_diagnosed_written_and_cleaned(store, run_id):
    """Over HTTP as from sqlite; one unknown run beside it makes status 3."""
    status, out, err = ended("nope", run_id, "--tracking-uri", store.uri, "--format", "json")
    document = json.loads(out)
    message = f"MLflow at {store.uri} has no run 'nope'"
    assert (status, err) == (3, f"mlflow-diagnose: {message}\n")
    assert document["errors"] == [{"run": "nope", "message": message}]
    assert [(run["run_id"], run["verdict"]) for run in document["runs"]] == [(run_id, "overfitting")]
    query = "SELECT value FROM tags WHERE run_uuid = ? AND key = 'diagnose.verdict'"
    assert store.rows(query, run_id) == [("overfitting",)]
    assert (store.artifact_folder(run_id) / "diagnosis" / "report.html").is_file()

    status, out, err = ended("clean", run_id, "--tracking-uri", store.uri)
    assert (status, err) == (0, "")
    assert "diagnosis/report.html" in out
    assert store.rows(query, run_id) == []


@pytest.mark.parametrize("args", [["a-run"], ["clean", "a-run"]])
def test_a_dead_server_is_told_soon(args):
    """Status 3 and one line with the address, in seconds; MLflow alone would try for minutes."""
    uri = f"http://127.0.0.1:{free_port()}"
    began = time.monotonic()
    status, out, err = ended(*args, "--tracking-uri", uri)
    assert time.monotonic() - began < 60
    assert (status, out) == (3, "")
    assert err == f"mlflow-diagnose: MLflow at {uri}: run a-run could not be read: Connection refused\n"


def test_a_server_that_never_answers_is_given_up(silent):
    """After the time that MLflow's own variable sets; the JSON still parses."""
    uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
    status, out, err = ended("a-run", "--tracking-uri", uri, "--format", "json", MLFLOW_HTTP_REQUEST_TIMEOUT="1")
    message = f"MLflow at {uri}: run a-run could not be read: no answer in time"
    assert (status, err) == (3, f"mlflow-diagnose: {message}\n")
    assert json.loads(out)["errors"] == [{"run": "a-run", "message": message}]


def test_interrupt_ends_it_with_a_line(silent):
    """Ctrl-C while it waits for a server: no traceback, and the status shells know."""
    with started("a-run", "--tracking-uri", f"http://127.0.0.1:{silent.getsockname()[1]}") as process:
        silent.settimeout(100)
        connection, _ = silent.accept()
        with connection:
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err == "mlflow-diagnose: interrupted; what was written stays\n"


@pytest.mark.parametrize("args", [["rules"], ["RUN"], ["RUN", "--format", "json"], ["RUN", "--format", "html"]])
def test_a_reader_that_leaves_gets_no_traceback(sqlite, args):
    """As `head` leaves; a run is written before it is printed."""
    own = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_TRACKING_URI": sqlite.uri}
    with quiet():
        run_id = MlflowClient(sqlite.uri).create_run(EXPERIMENT).info.run_id
    words = [run_id if word == "RUN" else word for word in args]
    reading, writing = os.pipe()
    os.close(reading)
    process = subprocess.run([COMMAND, *words], stdout=writing, stderr=subprocess.PIPE, env=own, check=False)
    os.close(writing)
    assert (process.returncode, process.stderr) == (141, b"")
    if run_id in words:
        rows = sqlite.rows("SELECT value FROM tags WHERE run_uuid = ? AND key = 'diagnose.verdict'", run_id)
        assert rows == [("insufficient_data",)]


def test_a_full_disk_is_told():
    """What could not be printed is no success."""
    with Path("/dev/full").open("wb") as full:
        process = subprocess.run([COMMAND, "rules"], stdout=full, stderr=subprocess.PIPE, check=False)
    assert process.returncode == 3
    assert process.stderr == b"mlflow-diagnose: the output could not be written: [Errno 28] No space left on device\n"
