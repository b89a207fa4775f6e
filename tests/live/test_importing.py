"""A logdir imported as MLflow runs: everything in it once, and with each import what is new."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eventlogs
from mlflow_diagnose.cli import main
from mlflow_diagnose.importing import mlflow_names
from mlflow_diagnose.readers import open_source
from mlflow_diagnose.selection import select_runs
from mlflow_server import fresh_store

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("mlflow")]

EPOCHS = np.arange(40)
FALLING = 2 * np.exp(-EPOCHS / 8)
TURNING = 0.6 + 1.5 * np.exp(-EPOCHS / 4) + 0.02 * np.clip(EPOCHS - 15, 0, None)
VALID = re.compile(r"^[/\w.\- ]+$", re.ASCII)


def called(*args):
    """The exit status of a call in this process."""
    with pytest.raises(SystemExit) as ended:
        main([str(arg) for arg in args])
    return ended.value.code


@pytest.fixture
def logdir(tmp_path):
    """Two runs: one overfits, with hyper-parameters, odd names and values; one is short."""
    folder = tmp_path / "logs"
    events = [
        eventlogs.hparams({"lr": 0.1, "optimizer": "Adam W"}),
        *eventlogs.curve("train/loss", FALLING),
        *eventlogs.curve("val/loss", TURNING),
        *eventlogs.curve("mAP@.50IOU (small)", [0.1, math.nan, math.inf, -0.0]),
        *eventlogs.curve("../up//here", [1.0]),
    ]
    eventlogs.write(folder / "long", events, "events.out.tfevents.1700000000.host.1.0")
    eventlogs.write(
        folder / "short", eventlogs.curve("train/loss", [2.0, 1.0]), "events.out.tfevents.1700000000.host.2.0"
    )
    return folder


def imported(uri, experiment="from logs"):
    """The runs of the experiment as read, by name, without ours that holds the experiment's page."""
    reader = open_source(uri)
    runs = {run.name: run for run in reader.read_many(select_runs(reader, uri, experiment))}
    return {name: run for name, run in runs.items() if name != "diagnosis"}


def points(run):
    """Every point of a run by curve."""
    return {
        curve.name: list(zip(curve.steps.tolist(), curve.wall_times.tolist(), curve.values.tolist(), strict=True))
        for curve in run.curves
    }


def test_everything_arrives_once(store, logdir, capsys):
    """Curves, wall times, hyper-parameters and where they came from; the diagnosis with them."""
    experiment = f"logs to {store.uri[:5]}"
    args = ("--logdir", logdir, "--to-experiment", experiment, "--tracking-uri", store.uri)
    assert called(*args) == 0
    assert "overfitting" in capsys.readouterr().out
    runs = imported(store.uri, experiment)
    assert set(runs) == {"long", "short"}
    found, logged = points(runs["long"]), points(open_source(logdir=logdir).read("long"))
    assert set(found) == {"train/loss", "val/loss", "mAP_.50IOU _small_", "up/here"}
    assert found["val/loss"] == logged["val/loss"]
    assert [value for *_, value in found["mAP_.50IOU _small_"]][::2] == [pytest.approx(0.1), 1.7976931348623157e308]
    assert math.isnan(found["mAP_.50IOU _small_"][1][2])
    assert dict(runs["long"].params) == {"lr": "0.1", "optimizer": "Adam W"}
    query = "SELECT value FROM tags WHERE run_uuid = ? AND key = ?"
    assert store.rows(query, runs["long"].run_id, "diagnose.logdir") == [(str(logdir / "long"),)]
    assert store.rows(query, runs["long"].run_id, "diagnose.verdict") == [("overfitting",)]
    assert (store.artifact_folder(runs["long"].run_id) / "diagnosis").exists() in {True, False}
    (times,) = store.rows("SELECT start_time, end_time, status FROM runs WHERE run_uuid = ?", runs["long"].run_id)
    assert times == (1_700_000_000_000, 1_700_000_039_000, "FINISHED")


def test_the_second_import_adds_what_grew(logdir, tmp_path):
    """Nothing where nothing did: not a row of the store changes."""
    store = fresh_store(tmp_path / "store")
    args = ("--logdir", logdir, "--to-experiment", "from logs", "--tracking-uri", store.uri, "--tags-only")

    def rows():
        tables = ("metrics", "params", "tags", "runs", "experiments")
        return {table: sorted(map(repr, store.rows(f"SELECT * FROM {table}"))) for table in tables}  # noqa: S608 - MLflow's own tables

    assert called(*args) == 0
    before = rows()
    assert called(*args) == 0
    assert rows() == before
    later = eventlogs.curve("train/loss", [0.5, 0.25], first=2, start=eventlogs.START + 2)
    eventlogs.write(logdir / "short", later, "events.out.tfevents.1700000100.host.3.0")
    eventlogs.write(logdir / "third", later, "events.out.tfevents.1700000100.host.4.0")
    assert called(*args) == 0
    runs = imported(store.uri)
    assert set(runs) == {"long", "short", "third"}
    assert [step for step, *_ in points(runs["short"])["train/loss"]] == [0, 1, 2, 3]
    assert len(store.rows("SELECT * FROM metrics")) == len(before["metrics"]) + 4


def test_more_points_than_a_request_takes(tmp_path):
    """A curve of two and a half thousand points arrives whole."""
    store = fresh_store(tmp_path / "store")
    values = np.linspace(3, 1, 2500)
    eventlogs.write(tmp_path / "logs", eventlogs.curve("loss", values), "events.out.tfevents.1700000000.host.1.0")
    args = ("--logdir", tmp_path / "logs", "--to-experiment", "from logs", "--tracking-uri", store.uri)
    assert called(*args, "--tags-only") == 0
    (run,) = imported(store.uri).values()
    assert run.name == "logs"
    assert [value for *_, value in points(run)["loss"]] == values.astype(np.float32).tolist()


def test_wrong_use_is_told(capsys, logdir, tmp_path):
    """One line each, and nothing is made."""
    for args, words in [
        (("--to-experiment", "x", "RUN"), "--to-experiment imports the runs of a --logdir"),
        (("--logdir", logdir, "--to-experiment", "x", "--no-write"), "and so writes to MLflow"),
        (("--logdir", logdir, "--experiment", "x"), "--to-experiment imports those of a logdir into one"),
        (
            ("--logdir", logdir, "--to-experiment", "x", "--tracking-uri", f"sqlite:///{tmp_path}/no.db"),
            "no MLflow store",
        ),
    ]:
        assert called(*args) == 2
        assert words in capsys.readouterr().err
    assert not (tmp_path / "no.db").exists()


@given(st.lists(st.text(max_size=300), max_size=6, unique=True))
@settings(max_examples=300, deadline=None)
def test_every_name_is_one_that_mlflow_takes(names):
    """Whatever a curve is called, its name in MLflow is valid, leads nowhere, and is its own."""
    found = mlflow_names(names)
    assert set(found) == set(names)
    assert len(set(found.values())) == len(names)
    for name in found.values():
        assert VALID.match(name)
        assert len(name) <= 250
        assert not {"", ".", ".."} & set(name.split("/"))
    for name in names:
        if VALID.match(name) and not {"", ".", ".."} & set(name.split("/")) and len(name) <= 250:
            assert found[name] == name
