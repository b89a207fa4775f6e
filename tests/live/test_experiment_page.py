"""The page of an experiment, as an artifact of a run of ours that is none of the experiment's."""

from __future__ import annotations

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric

from mlflow_diagnose.cli import main
from mlflow_diagnose.readers.tracking.quiet import quiet
from mlflow_diagnose.writers.mlflow_page import MlflowExperimentPage
from mlflow_server import fresh_store

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("mlflow")]

EPOCHS = np.arange(60)
FALLING = 2 * np.exp(-EPOCHS / 8)
TURNING = 0.6 + 1.5 * np.exp(-EPOCHS / 4) + 0.02 * np.clip(EPOCHS - 15, 0, None)


@pytest.fixture
def store(tmp_path):
    """A store with an experiment of three runs."""
    store = fresh_store(tmp_path / "store")
    with quiet():
        client = MlflowClient(store.uri)
        experiment = client.create_experiment("sweep", (tmp_path / "artifacts").as_uri())
        for name, curve in {"good": FALLING + 0.05, "long": TURNING, "again": TURNING}.items():
            run_id = client.create_run(experiment, run_name=name).info.run_id
            curves = {"train_loss": FALLING, "val_loss": curve}
            points = [Metric(key, float(y), 1000 * x, x) for key, ys in curves.items() for x, y in enumerate(ys)]
            client.log_batch(run_id, points)
            client.set_terminated(run_id)
    return store


def called(capsys, store, *args):
    """Status and stdout of a call on the experiment."""
    with pytest.raises(SystemExit) as ended:
        main([*args, "--experiment", "sweep", "--tracking-uri", store.uri])
    out, err = capsys.readouterr()
    assert err == ""
    return ended.value.code, out


def pages(store):
    """The runs that hold a page, each with when its artifact was written."""
    runs = store.rows(
        "SELECT r.run_uuid, r.name, r.artifact_uri FROM runs r JOIN tags t ON t.run_uuid = r.run_uuid "
        "WHERE t.key = 'diagnose.page' AND r.lifecycle_stage = 'active'"
    )
    return [(run_id, name, f"{uri}/diagnosis/experiment.html".removeprefix("file://")) for run_id, name, uri in runs]


@pytest.mark.parametrize("form", ["text", "json", "html", "markdown"])
def test_the_page_is_kept_in_the_experiment(capsys, store, form):
    """One run named `diagnosis`, whatever is printed; it holds the runs, and is not judged as one of them."""
    assert called(capsys, store, "--format", form)[0] == 0
    ((run_id, name, file),) = pages(store)
    assert name == "diagnosis"
    with open(file, encoding="utf-8") as opened:  # noqa: PTH123 - an artifact's own path
        html = opened.read()
    assert html.startswith("<!doctype html>")
    assert all(f">{name}<" in html for name in ("good", "long", "again"))
    tags = dict(store.rows("SELECT key, value FROM tags WHERE run_uuid = ?", run_id))
    assert {key for key in tags if key.startswith("diagnose.")} == {"diagnose.page"}

    _, out = called(capsys, store, "--format", form)
    assert run_id not in out
    assert len(pages(store)) == 1


def test_an_unchanged_page_is_left_alone(capsys, store):
    """The second call writes nothing; a page that changed takes the place of the old one in the same run."""
    called(capsys, store)
    before, everything = pages(store), store.rows("SELECT * FROM tags ORDER BY run_uuid, key")
    called(capsys, store)
    assert pages(store) == before
    assert store.rows("SELECT * FROM tags ORDER BY run_uuid, key") == everything
    page = MlflowExperimentPage(store.uri)
    assert page.write("sweep", "<p>another</p>") is True
    assert page.write("sweep", "<p>another</p>") is False
    assert [run for run, _, _ in pages(store)] == [run for run, _, _ in before]


@pytest.mark.parametrize("option", ["--no-write", "--tags-only"])
def test_a_call_that_keeps_no_artifacts_keeps_no_page(capsys, store, option):
    """Nor a run."""
    called(capsys, store, option)
    assert pages(store) == []


def test_clean_takes_it_out(capsys, store):
    """With the tags of the experiment goes the run that holds its page; the user's runs stay."""
    called(capsys, store)
    assert called(capsys, store, "clean")[0] == 0
    assert pages(store) == []
    assert store.rows("SELECT count(*) FROM runs WHERE lifecycle_stage = 'active'") == [(3,)]
