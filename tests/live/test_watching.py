"""`--watch`: runs that still train, followed in a process of its own, and ended as services are ended."""

from __future__ import annotations

import gc
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from queue import Empty, Queue

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric

import eventlogs
from mlflow_diagnose.failures import Failures
from mlflow_diagnose.readers import open_source
from mlflow_diagnose.readers.states import states
from mlflow_diagnose.readers.tracking.quiet import quiet
from mlflow_diagnose.watching import TrackingChanges, Watch
from mlflow_diagnose.work import Job, Worker
from mlflow_server import EXPERIMENT, fresh_store

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("mlflow")]

COMMAND = "import sys; from mlflow_diagnose.cli import main; main(sys.argv[1:])"
EPOCHS = np.arange(60)
FALLING = 2 * np.exp(-EPOCHS / 8)
TURNING = 0.6 + 1.5 * np.exp(-EPOCHS / 4) + 0.02 * np.clip(EPOCHS - 15, 0, None)


class Watching:
    """The command as a process, its lines as they come."""

    def __init__(self, *args):
        env = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
        self.process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, *map(str, args), "--watch", "0.3", "--format", "json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**env, "MLFLOW_DISABLE_TELEMETRY": "true"},
            text=True,
        )
        self.lines = Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(json.loads(line))

    def next(self):
        """The next run whose verdict changed: its name and the verdict."""
        run = self.lines.get(timeout=120)
        return run["name"], run["verdict"]

    def until(self, name, verdict):
        """Wait until this is told: a look in between saw the run before all of its points were there."""
        while (told := self.next()) != (name, verdict):
            assert told[0] == name

    def nothing(self, seconds):
        """Whether nothing is told for so long."""
        try:
            return self.lines.get(timeout=seconds) is None
        except Empty:
            return True

    def end(self, how=signal.SIGTERM):
        """The exit status and what stood on stderr."""
        self.process.send_signal(how)
        _, err = self.process.communicate(timeout=120)
        return self.process.returncode, err

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


class Training:
    """A run that logs."""

    def __init__(self, store, name="training"):
        with quiet():
            self.client = MlflowClient(store.uri)
        self.run_id = self.client.create_run(EXPERIMENT, run_name=name).info.run_id
        self.store = store

    def log(self, first, last):
        """Log some epochs."""
        self.client.log_batch(
            self.run_id,
            [
                Metric(name, float(values[epoch]), 1_700_000_000_000 + 1000 * epoch, epoch)
                for epoch in range(first, last)
                for name, values in (("train_loss", FALLING), ("val_loss", TURNING))
            ],
        )

    def tags(self):
        """Our tags."""
        return dict(
            self.store.rows("SELECT key, value FROM tags WHERE run_uuid = ? AND key LIKE 'diagnose.%'", self.run_id)
        )

    def wait_for(self, key, pattern):
        """Until a tag says something."""
        deadline = time.monotonic() + 120
        while not re.search(pattern, self.tags().get(key, "")):
            assert time.monotonic() < deadline, self.tags()
            time.sleep(0.1)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_running_run_is_followed(tmp_path, how):
    """Tags change when the verdict does and not with each point; the last verdict is written at the end."""
    store = fresh_store(tmp_path)
    run = Training(store)
    run.log(0, 3)
    with Watching("--experiment", "Default", "--tracking-uri", store.uri, "--tags-only") as watching:
        assert watching.next() == ("training", "insufficient_data")
        run.wait_for("diagnose.verdict", "insufficient_data")
        run.log(3, 40)
        assert watching.next() == ("training", "overfitting")
        run.wait_for("diagnose.verdict", "overfitting")
        tags = run.tags()
        run.log(40, 42)
        assert watching.nothing(2)
        assert run.tags() == tags
        assert watching.end(how) == (0, "")
    assert run.tags()["diagnose.verdict"] == "overfitting"
    assert run.tags() != tags
    with Watching("--experiment", "Default", "--tracking-uri", store.uri, "--tags-only") as watching:
        assert watching.next() == ("training", "overfitting")
        written = run.tags()
        assert watching.end() == (0, "")
    assert run.tags() == written


def test_runs_that_begin_and_end(store):
    """A new run is found; a run that is killed gets its last verdict at once, while others go on."""
    client = MlflowClient(store.uri)
    with quiet():
        experiment = client.create_experiment(f"watched {store.uri[:5]}")
    with Watching("--experiment", f"watched {store.uri[:5]}", "--tracking-uri", store.uri, "--tags-only") as watching:
        assert watching.nothing(1)
        run = Training(store)
        run.run_id = client.create_run(experiment, run_name="late").info.run_id
        run.log(0, 40)
        watching.until("late", "overfitting")
        run.wait_for("diagnose.verdict", "overfitting")
        before = run.tags()["diagnose.fingerprint"]
        run.log(40, 42)
        assert watching.nothing(1)
        client.set_terminated(run.run_id, "KILLED")
        run.wait_for("diagnose.fingerprint", f"^(?!{before}$).")
        assert watching.end() == (0, "")


def test_a_growing_logdir_is_followed(tmp_path):
    """Each change of a verdict is told; a new run is found."""
    logs = tmp_path / "logs"
    path = eventlogs.write_bytes(logs / "one", [eventlogs.version()])
    with Watching("--logdir", logs) as watching:
        assert watching.next() == ("one", "insufficient_data")
        with path.open("ab") as file:
            for first, last in ((0, 20), (20, 40)):
                for event in (
                    *eventlogs.curve("train_loss", FALLING[first:last], first=first, start=eventlogs.START + first),
                    *eventlogs.curve("val_loss", TURNING[first:last], first=first, start=eventlogs.START + first),
                ):
                    file.write(eventlogs.record(event))
        assert watching.next()[0] == "one"
        eventlogs.write(logs / "two", eventlogs.curve("train_loss", FALLING))
        found = [watching.next()]
        while found[-1][0] != "two":
            found.append(watching.next())
        assert watching.end() == (0, "")


def test_a_growing_logdir_is_followed_into_mlflow(tmp_path):
    """Points arrive in the MLflow run as they are logged, and its tags change with its verdict."""
    store, logs = fresh_store(tmp_path / "store"), tmp_path / "logs"
    eventlogs.write(logs / "one", eventlogs.curve("train_loss", FALLING[:3]))
    args = ("--logdir", logs, "--to-experiment", "Default", "--tracking-uri", store.uri, "--tags-only")
    with Watching(*args) as watching:
        assert watching.next() == ("one", "insufficient_data")
        later = [
            *eventlogs.curve("train_loss", FALLING[3:], first=3, start=eventlogs.START + 3),
            *eventlogs.curve("val_loss", TURNING),
        ]
        eventlogs.write(logs / "one", later)
        watching.until("one", "overfitting")
        assert watching.end() == (0, "")
    assert store.rows("SELECT count(*) FROM metrics") == [(120,)]
    query = "SELECT value FROM tags WHERE key = 'diagnose.verdict'"
    assert store.rows(query) == [("overfitting",)]


def test_a_store_that_is_away_for_a_while(tmp_path):
    """It is told once, and followed again when it is back."""
    store = fresh_store(tmp_path)
    run = Training(store)
    run.log(0, 40)
    with Watching("--experiment", "Default", "--tracking-uri", store.uri, "--tags-only") as watching:
        assert watching.next() == ("training", "overfitting")
        run.wait_for("diagnose.verdict", "overfitting")
        away = store.database.rename(tmp_path / "away.db")
        assert watching.nothing(1.5)
        away.rename(store.database)
        other = Training(store, "other")
        other.log(0, 40)
        watching.until("other", "overfitting")
        status, _ = watching.end()
        assert status in {0, 3}


def test_only_what_is_new_is_read(tmp_path):
    """From a database: the points since the latest; read on, a run is the run read whole."""
    store = fresh_store(tmp_path)
    run = Training(store)
    run.log(0, 20)
    worker = Worker(Job(tracking_uri=store.uri))
    changes = TrackingChanges(worker, lambda: [run.run_id])
    assert changes.changed() == [run.run_id]
    changes.read(run.run_id)
    assert changes.changed() == []
    # A point in the past, which no reading on would see, tells the one from the other.
    run.client.log_batch(run.run_id, [Metric("val_loss", 9.0, 1_600_000_000_000, 100)])
    run.log(20, 30)
    assert changes.changed() == [run.run_id]
    curves = {curve.name: curve for curve in changes.read(run.run_id).curves}
    assert curves["val_loss"].steps.tolist() == list(range(30))
    assert curves["val_loss"].values.tolist() == TURNING[:30].tolist()
    run.client.set_terminated(run.run_id)
    assert changes.changed() == [run.run_id]
    assert len({curve.name: curve for curve in changes.read(run.run_id).curves}["val_loss"].steps) == 31


def test_the_state_of_a_run_tells_what_changed(store):
    """The same state while nothing happens, another with each point and when the run ends."""
    run = Training(store)
    run.log(0, 2)
    reader = open_source(store.uri)
    seen = [states(reader, [run.run_id])[run.run_id] for _ in range(2)]
    assert seen[0] == seen[1]
    assert not seen[0].is_over
    run.log(2, 3)
    seen.append(states(reader, [run.run_id])[run.run_id])
    run.client.set_terminated(run.run_id)
    seen.append(states(reader, [run.run_id, "gone"])[run.run_id])
    assert len(set(seen)) == 3
    assert seen[-1].is_over


def test_what_is_kept_does_not_grow(tmp_path):
    """Hundreds of looks at a run that logs go by without a trace in memory, but for its points."""
    store = fresh_store(tmp_path)
    run = Training(store)
    run.log(0, 30)
    failures = Failures()
    worker = Worker(Job(tracking_uri=store.uri, write=True, artifacts=False))
    watch = Watch(worker, TrackingChanges(worker, lambda: [run.run_id]), failures, lambda _: None)
    insert = "INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan) VALUES (?, ?, ?, ?, ?, 0)"
    latest = "UPDATE latest_metrics SET step = ?, timestamp = ? WHERE run_uuid = ? AND key = 'val_loss'"

    def looks(count, first):
        for step in range(first, first + count):
            at = 1_700_000_000_000 + 1000 * step
            store.rows(insert, "val_loss", 0.6, at, run.run_id, step)
            store.rows(latest, step, at, run.run_id)
            watch.look()
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    looks(60, 30)
    tracemalloc.start()
    try:
        before = looks(20, 90)
        grown = looks(200, 110) - before
    finally:
        tracemalloc.stop()
    assert grown < 200_000
    assert failures.lines == []
