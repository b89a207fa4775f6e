"""The runs of an experiment or a logdir beside each other, from the command line and from Python."""

from __future__ import annotations

import json

import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric, Param

import eventlogs
import sweeps
from mlflow_diagnose import diagnose_experiment
from mlflow_diagnose.cli import main
from mlflow_diagnose.readers.tracking.quiet import quiet
from mlflow_server import fresh_store

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("mlflow")]

# As other people would have called it.
RENAMED = {"lr": "tempo"}


def called(capsys, *args):
    """Status, stdout and stderr of a call in this process."""
    with pytest.raises(SystemExit) as ended:
        main([str(arg) for arg in args])
    out, err = capsys.readouterr()
    return ended.value.code, out, err


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store with two sweeps as experiments: rates, as children of a parent run, and weights against a KPI."""
    store = fresh_store(tmp_path_factory.mktemp("comparing"))
    with quiet():
        client = MlflowClient(store.uri)
        for name in ("rate_adam", "kpi"):
            experiment = client.create_experiment(name)
            parent = client.create_run(experiment, run_name="sweep").info.run_id
            for raw in sweeps.raw_runs(name):
                tags = {"mlflow.parentRunId": parent} if name == "rate_adam" else {}
                run_id = client.create_run(experiment, tags=tags, run_name=raw.name).info.run_id
                points = [
                    Metric(curve.name, float(value), int(1000 * time), int(step))
                    for curve in raw.curves
                    for value, time, step in zip(curve.values, curve.wall_times, curve.steps, strict=True)
                ]
                client.log_batch(run_id, points, [Param(RENAMED.get(k, k), text) for k, text in raw.params.items()])
                client.set_terminated(run_id)
    return store


def document(capsys, *args):
    """The JSON of a call that ends well, and what it printed to stderr."""
    status, out, err = called(capsys, *args, "--format", "json")
    assert (status, err) == (0, "")
    return json.loads(out)


def test_an_experiment_is_compared_and_written_back(capsys, store):
    """Findings in JSON, as tags of the experiment and ranks of the runs; again: nothing changes; then out again."""
    args = ("--experiment", "rate_adam", "--tracking-uri", store.uri, "--param", "tempo=lr", "--tags-only")
    shown = document(capsys, *args)["experiment"]
    (rate,) = (each for each in shown["findings"] if each["rule"] == "learning_rate_decides")
    assert (rate["params"], rate["severity"]) == (["tempo"], "warning")
    assert (shown["compared"], len(shown["ranking"])) == (18, 18)
    assert "1 run with child runs: their children are compared" in shown["notes"]
    tags = dict(store.rows("SELECT key, value FROM experiment_tags WHERE key LIKE 'diagnose.%'"))
    assert tags["diagnose.learning_rate_decides"].startswith("warning: ")
    ranked = dict(store.rows("SELECT run_uuid, value FROM tags WHERE key = 'diagnose.rank'"))
    assert ranked == {each["run_id"]: f"{each['rank']} of 18" for each in shown["ranking"]}
    everything = "SELECT * FROM tags ORDER BY run_uuid, key"
    before = store.rows(everything)
    assert document(capsys, *args)["experiment"] == shown
    assert store.rows(everything) == before

    status, out, err = called(capsys, "clean", "--experiment", "rate_adam", "--tracking-uri", store.uri)
    assert (status, err) == (0, "")
    assert out.startswith("experiment rate_adam: findings taken out of diagnose.")
    assert store.rows("SELECT * FROM tags WHERE key LIKE 'diagnose.%'") == []
    assert store.rows("SELECT * FROM experiment_tags WHERE key LIKE 'diagnose.%'") == []


def test_a_param_that_nobody_understands_has_no_effect_by_name(capsys, store):
    """Without `--param` the tempo is a param like others; nothing is written with `--no-write`."""
    shown = document(capsys, "--experiment", "rate_adam", "--tracking-uri", store.uri, "--no-write")["experiment"]
    assert {"rule": "learning_rate_decides", "reason": "no learning rate was varied"} in shown["not_checked"]
    assert store.rows("SELECT * FROM tags WHERE key LIKE 'diagnose.%'") == []
    assert store.rows("SELECT * FROM experiment_tags WHERE key LIKE 'diagnose.%'") == []


def test_the_kpi_in_words(capsys, store):
    """In the terminal's text, after the runs; several processes say the same."""
    args = ("--experiment", "kpi", "--tracking-uri", store.uri, "--no-write", "--kpi", "val_recall")
    status, out, err = called(capsys, *args)
    assert (status, err) == (0, "")
    together = out[out.index("15 runs compared, by val_loss") :]
    assert "metric rank disagreement (warning, 95 % confidence)" in together
    assert "pos_weight moves the two apart." in together
    assert "Choose runs and checkpoints by val_recall" in together
    assert called(capsys, *args, "--jobs", 2) == (0, out, "")


def test_findings_over_many_runs_count_for_fail_on(capsys, store):
    """A KPI that parts from the loss fails the call that asks for warnings."""
    args = ("--experiment", "kpi", "--tracking-uri", store.uri, "--no-write", "--select", "metric_rank_disagreement")
    assert called(capsys, *args, "--ignore", "fit", "--kpi", "val_recall", "--fail-on", "warning")[0] == 1


def test_from_python(store):
    """The report over all runs stands beside the diagnoses."""
    found = diagnose_experiment("kpi", tracking_uri=store.uri, kpi="val_recall")
    assert found.compared.of == 15
    assert "metric_rank_disagreement" in {finding.rule for finding in found.compared.findings}


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--param", "tempo"], "not of the form NAME=MEANING"),
        (["--param", "tempo=speed"], "'speed' is nothing a param can mean; it can be learning_rate, depth"),
    ],
)
def test_what_is_wrong_is_told(capsys, store, args, words):
    """A slip in `--param` is answered in a line, with status 2."""
    status, _, err = called(capsys, "--experiment", "kpi", "--tracking-uri", store.uri, *args)
    assert status == 2
    assert words in err


def test_single_runs_are_not_compared(capsys, store):
    """`--kpi` with runs by their ids: which runs are meant to be compared is not said."""
    status, _, err = called(capsys, "some-run", "--tracking-uri", store.uri, "--kpi", "val_recall")
    assert status == 2
    assert "--kpi and --param compare the runs of an --experiment or a --logdir: name one" in err


def test_clean_takes_runs_or_an_experiment(capsys):
    """Neither, or both, is answered in a line."""
    for args in (["clean"], ["clean", "run", "--experiment", "kpi"]):
        status, _, err = called(capsys, *args)
        assert status == 2
        assert "name runs (RUN_ID...), or an experiment with --experiment, and not both" in err


def test_a_logdir_is_compared_by_its_hparams(capsys, tmp_path):
    """The runs of a TensorBoard logdir, the hyper-parameters from its own records."""
    for raw in sweeps.raw_runs("rate_adam"):
        events = [eventlogs.hparams({"optimizer.lr": float(raw.params["lr"]), "seed": int(raw.params["seed"])})]
        for curve in raw.curves:
            events += eventlogs.curve(curve.name, curve.values)
        eventlogs.write(tmp_path / raw.name, events)
    shown = document(capsys, "--logdir", tmp_path)["experiment"]
    (rate,) = (each for each in shown["findings"] if each["rule"] == "learning_rate_decides")
    assert rate["params"] == ["optimizer.lr"]
    assert shown["compared"] == 18
