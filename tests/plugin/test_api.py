"""The Python API."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric

import eventlogs
import mlflow_diagnose
from mlflow_diagnose.errors import BadInputError, RunNotFoundError
from mlflow_diagnose.readers.tracking.quiet import quiet
from mlflow_server import EXPERIMENT, fresh_store

EPOCHS = np.arange(60)
FALLING = 2 * np.exp(-EPOCHS / 8)
TURNING = 0.6 + 1.5 * np.exp(-EPOCHS / 4) + 0.02 * np.clip(EPOCHS - 15, 0, None)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store of its own."""
    return fresh_store(tmp_path_factory.mktemp("store"))


@pytest.fixture
def run_id(store):
    """An overfitting run whose held-out curve has a name of the user's own."""
    with quiet():
        client = MlflowClient(store.uri)
        run_id = client.create_run(EXPERIMENT, run_name="too long").info.run_id
        for name, values in (("train_loss", FALLING), ("theirs", TURNING)):
            client.log_batch(run_id, [Metric(name, float(y), 1_700_000_000_000 + x, x) for x, y in enumerate(values)])
    return run_id


def test_import_is_light():
    """What is heavy comes with the first diagnosis."""
    script = "import sys, mlflow_diagnose; print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert {"numpy", "mlflow", "pandas"} & set(ended.stdout.split()) == set()


def test_diagnose(store, run_id):
    """Verdict, status and findings are at hand, a map says what a curve is, and nothing is written."""
    found = mlflow_diagnose.diagnose(run_id, tracking_uri=store.uri, role_map={"theirs": "val_loss"})
    assert (found.verdict, found.status) == ("overfitting", "critical")
    assert found.findings[0].rule == "overfitting"
    assert found.findings == found.report.findings
    assert repr(found) == f"<Diagnosis of 'too long': overfitting (critical): {found.findings[0].brief}>"
    assert store.rows("SELECT key FROM tags WHERE run_uuid = ? AND key LIKE 'diagnose.%'", run_id) == []


def test_frame_has_a_row_for_each_finding(store, run_id):
    """In the order of the findings, with the same columns where there are none."""
    found = mlflow_diagnose.diagnose(run_id, tracking_uri=store.uri, role_map={"theirs": "val_loss"})
    frame = found.to_frame()
    assert list(frame["rule"]) == [finding.rule for finding in found.findings]
    row = frame.iloc[0]
    assert (row["severity"], row["last_step"], row["consequence_of"]) == ("critical", 59, None)
    assert row["message"] == found.findings[0].message
    none = mlflow_diagnose.diagnose(run_id, tracking_uri=store.uri, role_map={"theirs": "none", "train_loss": "none"})
    assert none.verdict == "insufficient_data"
    assert repr(none) == "<Diagnosis of 'too long': insufficient_data>"
    assert [*none.to_frame().columns] == [*frame.columns]


def test_write_puts_the_diagnosis_into_the_run(store, run_id, monkeypatch):
    """With the tracking URI that MLflow itself would use where none is given."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.uri)
    found = mlflow_diagnose.diagnose(run_id, write=True)
    tag = store.rows("SELECT value FROM tags WHERE run_uuid = ? AND key = 'diagnose.verdict'", run_id)
    assert tag == [(found.verdict,)]
    assert (store.artifact_folder(run_id) / "diagnosis" / "report.html").is_file()


def test_diagnose_logdir(tmp_path):
    """Every run by its name there."""
    for name, val in (("a", FALLING + 0.1), ("b", TURNING)):
        eventlogs.write(tmp_path / name, [*eventlogs.curve("loss", FALLING), *eventlogs.curve("theirs", val)])
    found = mlflow_diagnose.diagnose_logdir(tmp_path, role_map={"theirs": "val_loss"})
    assert {name: each.verdict for name, each in found.items()} == {"a": "healthy", "b": "overfitting"}


def test_errors_are_the_documented_ones(store, run_id, tmp_path):
    """For a run, a role, a curve, a store and a logdir that are not there."""
    with pytest.raises(RunNotFoundError, match="has no run 'nope'"):
        mlflow_diagnose.diagnose("nope", tracking_uri=store.uri)
    with pytest.raises(BadInputError, match="'valloss' is no role"):
        mlflow_diagnose.diagnose(run_id, tracking_uri=store.uri, role_map={"theirs": "valloss"})
    with pytest.raises(BadInputError, match="no curve 'x' to map; it has 'theirs', 'train_loss'"):
        mlflow_diagnose.diagnose(run_id, tracking_uri=store.uri, role_map={"x": "val_loss"})
    with pytest.raises(BadInputError, match="there is no MLflow store"):
        mlflow_diagnose.diagnose(run_id, tracking_uri=f"sqlite:///{tmp_path}/none.db")
    with pytest.raises(BadInputError, match="holds no TensorBoard event file"):
        mlflow_diagnose.diagnose_logdir(tmp_path)
