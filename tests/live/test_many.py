"""Many runs in one call: an experiment from every kind of store, over one process and over several."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric, Param

from mlflow_diagnose.cli import main
from mlflow_diagnose.readers import open_source
from mlflow_diagnose.readers.tracking.quiet import quiet
from mlflow_diagnose.selection import select_runs
from mlflow_server import fresh_store

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("mlflow")]

EPOCHS = np.arange(40)
FALLING = 0.3 + 2 * np.exp(-EPOCHS / 8)
TURNING = 0.6 + 1.5 * np.exp(-EPOCHS / 4) + 0.02 * np.clip(EPOCHS - 15, 0, None)
COMMAND = "import sys; from mlflow_diagnose.cli import main; main(sys.argv[1:])"


def log_runs(uri, experiment, count, **tags):
    """The ids of new runs in an experiment, every third of them overfitting, the newest first."""
    with quiet():
        client = MlflowClient(uri)
        known = client.get_experiment_by_name(experiment)
        folder = known.experiment_id if known else client.create_experiment(experiment)
        found = []
        for number in range(count):
            run_id = client.create_run(folder, 1000 * (number + 1), tags, f"run {number}").info.run_id
            curves = {"train_loss": FALLING - 0.3, "val_loss": FALLING + 0.05 if number % 3 else TURNING}
            points = [
                Metric(name, float(value), 1_700_000_000_000 + 1000 * epoch, epoch)
                for name, values in curves.items()
                for epoch, value in enumerate(values)
            ]
            client.log_batch(run_id, points, [Param("lr", str(10.0**-number))])
            client.set_terminated(run_id)
            found.append(run_id)
    return found[::-1]


def called(capsys, *args):
    """Status, stdout and stderr of a call in this process."""
    with pytest.raises(SystemExit) as ended:
        main([str(arg) for arg in args])
    out, err = capsys.readouterr()
    return ended.value.code, out, err


def tags_in(store):
    """The tags of each run's own diagnosis: what its rank among others is belongs to the comparison."""
    found = {}
    for run_id, key, text in store.rows("SELECT run_uuid, key, value FROM tags WHERE key LIKE 'diagnose.%'"):
        if key not in {"diagnose.rank", "diagnose.outlier"}:
            found.setdefault(run_id, {})[key] = text
    # A run of ours holds the page of its experiment, and is none of them.
    return {run_id: tags for run_id, tags in found.items() if "diagnose.page" not in tags}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The URI of a file store."""
    before = os.environ.get("MLFLOW_ALLOW_FILE_STORE")
    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
    yield (tmp_path_factory.mktemp("files") / "mlruns").as_uri()
    if before is None:
        del os.environ["MLFLOW_ALLOW_FILE_STORE"]


@pytest.fixture(params=["sqlite", "server", "files", "postgresql"])
def uri(request):
    """The tracking URI of each kind of store."""
    found = request.getfixturevalue(request.param)
    return getattr(found, "uri", found)


class TestSelecting:
    """Which runs an experiment's name and a filter mean."""

    def test_the_runs_of_an_experiment(self, uri):
        """By its name or its id, the newest first, without the deleted ones and those of others."""
        runs, _ = log_runs(uri, "mine", 3), log_runs(uri, "others", 1)
        with quiet():
            client = MlflowClient(uri)
            client.delete_run(runs[1])
            number = client.get_experiment_by_name("mine").experiment_id
        for name in ("mine", number):
            assert select_runs(open_source(uri), uri, name) == [runs[0], runs[2]]

    @pytest.mark.parametrize(
        ("search", "kept"),
        [
            ("params.lr = '0.1'", [1]),
            ("metrics.val_loss > 0.7", [3, 0]),
            ("tags.`diagnose.verdict` = 'overfitting'", []),
            ("attributes.run_name = 'run 2'", [2]),
        ],
    )
    def test_a_filter_is_mlflows_search(self, uri, search, kept):
        """The same runs that MLflow's own client finds."""
        runs = log_runs(uri, f"search {search[:9]}", 4)[::-1]
        assert select_runs(open_source(uri), uri, f"search {search[:9]}", search) == [runs[place] for place in kept]

    def test_what_is_no_experiment_and_no_filter(self, capsys, uri):
        """One line for each, and status 2."""
        log_runs(uri, "there", 1)
        capsys.readouterr()  # MLflow says where the runs are
        status, out, err = called(capsys, "--experiment", "nope", "--tracking-uri", uri, "--no-write")
        assert (status, out) == (2, "")
        assert "has no experiment 'nope'" in err
        status, out, err = called(
            capsys, "--experiment", "there", "--filter", "metrics.x >", "--tracking-uri", uri, "--no-write"
        )
        assert (status, out, len(err.splitlines())) == (2, "", 1)
        assert "--filter 'metrics.x >': " in err

    def test_a_search_leaves_a_file_store_as_it_is(self, files, tmp_path):
        """MLflow's own client would add a folder to it."""
        runs = log_runs(files, "untouched", 2)
        trash = open_source(files).folder / ".trash"
        trash.rmdir()
        assert select_runs(open_source(files), files, "untouched", "params.lr = '0.1'") == [runs[0]]
        assert not trash.exists()


class TestDoing:
    """What is printed and written of many runs."""

    def test_an_experiment_is_diagnosed_and_then_left_alone(self, capsys, store):
        """Every run gets its tags; the second call changes nothing in the store."""
        experiment = f"whole {store.uri[:5]}"
        runs = log_runs(store.uri, experiment, 3)
        capsys.readouterr()
        args = ("--experiment", experiment, "--tracking-uri", store.uri, "--format", "json")
        status, out, err = called(capsys, *args)
        assert (status, err) == (0, "")
        document = json.loads(out)
        assert [run["run_id"] for run in document["runs"]] == runs
        verdicts = [run["verdict"] for run in document["runs"]]
        assert verdicts == ["healthy", "healthy", "overfitting"]
        written = tags_in(store)
        assert [written[run]["diagnose.verdict"] for run in runs] == verdicts
        changes = store.rows("SELECT key, value, run_uuid FROM tags ORDER BY run_uuid, key")
        assert called(capsys, *args) == (0, out, "")
        assert store.rows("SELECT key, value, run_uuid FROM tags ORDER BY run_uuid, key") == changes

    def test_tags_alone(self, capsys, tmp_path):
        """`--tags-only` draws nothing; a later call without it does."""
        store = fresh_store(tmp_path)
        runs = log_runs(store.uri, "Default", 2)
        args = ("--experiment", "Default", "--tracking-uri", store.uri)
        assert called(capsys, *args, "--tags-only")[0] == 0
        assert not any(store.artifact_folder(run).exists() for run in runs)
        assert {tags["diagnose.fingerprint"][-10:] for tags in tags_in(store).values()} == {" tags only"}
        assert called(capsys, *args)[0] == 0
        assert all((store.artifact_folder(run) / "diagnosis" / "report.html").is_file() for run in runs)
        whole = tags_in(store)
        assert called(capsys, *args, "--tags-only")[0] == 0
        assert tags_in(store) == whole

    def test_two_processes_say_what_one_says(self, capsys, tmp_path):
        """To the byte, in JSON and as text, and they write the same tags."""
        one, two = fresh_store(tmp_path / "one"), fresh_store(tmp_path / "two")
        log_runs(one.uri, "Default", 6)
        two.database.write_bytes(one.database.read_bytes())
        for form in ("json", "text"):
            outs = [
                called(
                    capsys,
                    *("--experiment", "Default", "--tracking-uri", store.uri, "--format", form),
                    *("--tags-only", "--jobs", jobs),
                )
                for store, jobs in ((one, 1), (two, 2))
            ]
            assert outs[0] == outs[1]
            assert outs[0][0] == 0
        assert tags_in(one) == tags_in(two)

    def test_a_run_that_fails_costs_the_others_nothing(self, capsys, tmp_path):
        """It is told in one line, in its place among the others, by whichever process met it."""
        store = fresh_store(tmp_path)
        runs = log_runs(store.uri, "Default", 4)
        store.rows("UPDATE metrics SET value = 'x' WHERE run_uuid = ? AND step = 3", runs[1])
        for jobs in (1, 2):
            status, out, err = called(
                capsys,
                *("--experiment", "Default", "--tracking-uri", store.uri, "--format", "json", "--tags-only"),
                *("--jobs", jobs),
            )
            document = json.loads(out)
            assert status == 3
            assert [run["run_id"] for run in document["runs"]] == [runs[0], *runs[2:]]
            assert [error["run"] for error in document["errors"]] == [runs[1]]
            assert err == f"mlflow-diagnose: {document['errors'][0]['message']}\n"

    def test_many_runs_are_a_table_and_totals(self, capsys, tmp_path):
        """Nobody reads sixty reports one after the other."""
        store = fresh_store(tmp_path)
        runs = log_runs(store.uri, "Default", 1)
        columns = [row[1] for row in store.rows("PRAGMA table_info(runs)")]
        copied = ", ".join("? || value" if name == "run_uuid" else name for name in columns)
        store.rows(
            f"INSERT INTO runs SELECT {copied} FROM runs, (WITH RECURSIVE number(value) AS "  # noqa: S608 - its own columns
            "(SELECT 1 UNION ALL SELECT value + 1 FROM number WHERE value < 60) SELECT value FROM number) "
            "WHERE run_uuid = ?",
            "copy",
            runs[0],
        )
        status, out, _ = called(
            capsys, "--experiment", "Default", "--tracking-uri", store.uri, "--tags-only", "--jobs", 1
        )
        assert status == 0
        assert "what to try first" not in out
        assert out.splitlines()[62:65] == [
            "",
            "61 runs judged: 60 insufficient data, 1 warning",
            "61 written, 0 left as they were, 0 with an error",
        ]


class TestInterrupted:
    """A call that is ended half-way leaves whole diagnoses, and the next one goes on."""

    @pytest.mark.parametrize(
        ("how", "jobs"), [(signal.SIGINT, 1), (signal.SIGINT, 2), (signal.SIGKILL, 1), (signal.SIGKILL, 2)]
    )
    def test_a_killed_call(self, capsys, tmp_path, how, jobs):
        """Every run has all of its new tags or all of its old ones."""
        store = fresh_store(tmp_path)
        runs = log_runs(store.uri, "Default", 24)
        # Half of them were diagnosed before, when they showed something else.
        old = {
            "diagnose.verdict": "divergence",
            "diagnose.divergence": "critical: to infinity",
            "diagnose.version": "0",
        }
        for run in runs[::2]:
            for key, text in old.items():
                store.rows("INSERT INTO tags (run_uuid, key, value) VALUES (?, ?, ?)", run, key, text)
        args = ["--experiment", "Default", "--tracking-uri", store.uri, "--jobs", str(jobs), "--format", "json"]
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, *args],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        deadline = time.monotonic() + 200
        done = "SELECT count(*) FROM tags WHERE key = 'diagnose.fingerprint'"
        while store.rows(done)[0][0] < 3 and time.monotonic() < deadline:
            time.sleep(0.02)
        # Ctrl-C reaches every process of the terminal.
        (os.killpg if how == signal.SIGINT else os.kill)(process.pid, how)
        _, err = process.communicate(timeout=60)
        assert process.returncode == (130 if how == signal.SIGINT else -signal.SIGKILL)
        if how == signal.SIGINT:
            assert err == "mlflow-diagnose: interrupted; what was written stays\n"
        time.sleep(1)  # the workers of a killed call end by themselves
        half = tags_in(store)
        assert called(capsys, *args)[0] == 0
        whole = tags_in(store)
        assert set(whole) == set(runs)
        finished = [run for run in runs if half.get(run, {}).get("diagnose.fingerprint")]
        assert 3 <= len(finished) < len(runs)
        for place, run in enumerate(runs):
            leftover = {key: text for key, text in half.get(run, {}).items() if text != "no longer found"}
            assert leftover in (whole[run], {} if place % 2 else old), run
        assert not any("diagnose.divergence" in tags for tags in whole.values())


def test_the_python_interface(tmp_path):
    """An experiment as a mapping of diagnoses, and what failed beside it."""
    from mlflow_diagnose import diagnose_experiment  # noqa: PLC0415 - as users do

    store = fresh_store(tmp_path)
    runs = log_runs(store.uri, "Default", 3)
    store.rows("UPDATE metrics SET value = 'x' WHERE run_uuid = ? AND step = 3", runs[1])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = diagnose_experiment("Default", tracking_uri=store.uri)
    assert {run: diagnosis.verdict for run, diagnosis in found.items()} == {runs[0]: "healthy", runs[2]: "overfitting"}
    assert list(found.failures) == [runs[1]]
    frame = found.to_frame()
    assert frame["run_id"].tolist() == [runs[0], runs[2]]
    assert frame["verdict"].tolist() == ["healthy", "overfitting"]
    assert tags_in(store) == {}
