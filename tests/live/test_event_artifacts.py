"""Event files among the artifacts of a run, as Keras' autologging leaves them, in every kind of store."""

from __future__ import annotations

import json
import os
import pickle

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric

import eventlogs
from mlflow_diagnose.cli import main
from mlflow_diagnose.readers import event_artifacts, open_source
from mlflow_diagnose.readers.event_artifacts import with_event_files
from mlflow_diagnose.readers.tracking.quiet import quiet
from mlflow_server import EXPERIMENT

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("mlflow")]

EPOCHS = np.arange(40)
FALLING = 2 * np.exp(-EPOCHS / 8)
TURNING = 0.6 + 1.5 * np.exp(-EPOCHS / 4) + 0.02 * np.clip(EPOCHS - 15, 0, None)


def diagnosed(capsys, *args):
    """The one run of a call's JSON."""
    with pytest.raises(SystemExit) as ended:
        main([*map(str, args), "--no-write", "--format", "json"])
    out, err = capsys.readouterr()
    assert (ended.value.code, err) == (0, "")
    (run,) = json.loads(out)["runs"]
    return run


@pytest.fixture
def new_run(store, tmp_path):
    """Makes runs with curves of their own and others in event files, as Keras lays them down."""

    def made(own, logged):
        with quiet():
            client = MlflowClient(store.uri)
            run_id = client.create_run(EXPERIMENT).info.run_id
            points = [
                Metric(name, float(np.float32(value)), 1_700_000_000_000 + 1000 * step, step)
                for name, values in own.items()
                for step, value in enumerate(values)
            ]
            client.log_batch(run_id, points)
            for name, values in logged.items():
                folder, _, tag = name.partition("/")
                eventlogs.write(tmp_path / "logs" / folder, eventlogs.curve(tag, values))
            client.log_artifacts(run_id, str(tmp_path / "logs"), "tensorboard_logs")
        return run_id

    return made


KERAS = {"train/epoch_loss": FALLING, "validation/epoch_loss": TURNING}


def test_a_run_without_a_metric_is_judged_by_them(capsys, store, new_run):
    """With a note that says so."""
    run_id = new_run({}, KERAS)
    run = diagnosed(capsys, run_id, "--tracking-uri", store.uri)
    assert run["verdict"] == "overfitting"
    assert run["roles"] == {"train_loss": "train/epoch_loss", "val_loss": "validation/epoch_loss"}
    reader = open_source(store.uri)
    assert event_artifacts.FOUND in with_event_files(reader.read(run_id), reader, store.uri).notes


def test_two_sources_are_compared_when_asked_for(capsys, store, new_run):
    """`--artifacts`: what differs is a finding; without it nobody looks."""
    run_id = new_run({"loss": FALLING, "val_loss": TURNING}, {**KERAS, "validation/epoch_loss": TURNING + 0.3})
    args = (run_id, "--tracking-uri", store.uri, "--select", "sources_disagree")
    run = diagnosed(capsys, *args, "--artifacts")
    assert run["verdict"] == "sources_disagree"
    assert run["findings"][0]["curves"] == ["val_loss"]
    assert diagnosed(capsys, *args)["verdict"] == "insufficient_data"


def test_the_same_twice_is_no_finding(capsys, store, new_run):
    """The usual case: autologging and a callback."""
    run_id = new_run({"loss": FALLING, "val_loss": TURNING}, KERAS)
    run = diagnosed(capsys, run_id, "--tracking-uri", store.uri, "--select", "sources_disagree", "--artifacts")
    assert run["findings"] == []


def test_traps_among_artifacts(store, new_run, tmp_path):
    """A link out of the folder, a pipe and a pickle are left alone; files beyond the bounds are told."""
    run_id = new_run({}, KERAS)
    folder = store.artifact_folder(run_id) / "tensorboard_logs"
    secret = eventlogs.write(tmp_path / "elsewhere", eventlogs.curve("secret", FALLING))
    (folder / "linked.tfevents").symlink_to(secret)
    (folder / "linked").symlink_to(secret.parent)
    sprung = tmp_path / "sprung"
    (folder / "pickled.tfevents").write_bytes(pickle.dumps(_Trap(str(sprung))))
    reader = open_source(store.uri)
    run = with_event_files(reader.read(run_id), reader, store.uri)
    names = {curve.name.rpartition("/")[2] for curve in run.curves}
    if store.uri.startswith("sqlite"):  # a server follows the links of its own store
        assert names == {"epoch_loss"}
    assert not sprung.exists()


def test_the_bounds(monkeypatch, store, new_run):
    """What is beyond them is left out and told."""
    run_id = new_run({}, KERAS)
    monkeypatch.setattr(event_artifacts, "MOST_FILES", 1)
    reader = open_source(store.uri)
    run = with_event_files(reader.read(run_id), reader, store.uri)
    assert len(run.curves) == 1
    assert "artifacts that are too large, too many or not to be had were left out" in run.notes


@pytest.mark.parametrize(
    ("path", "parent", "inside"),
    [
        ("logs/a.tfevents", "logs", True),
        ("a.tfevents", None, True),
        ("logs/../../a.tfevents", "logs", False),
        ("/etc/a.tfevents", None, False),
        ("other/a.tfevents", "logs", False),
        ("..\\a.tfevents", None, False),
        ("C:/a.tfevents", None, False),
        ("", None, False),
    ],
)
def test_names_of_artifacts_stay_in_their_folder(path, parent, inside):
    """Whatever a server says that it has there."""
    assert event_artifacts._is_inside(path, parent) is inside  # noqa: SLF001 - no server of ours would lie


class _Trap:
    """What runs when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)
