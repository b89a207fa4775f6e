"""Everything that can go wrong around a call, made to go wrong for real; FAULTS.md is the table of what happened."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass

import numpy as np
import psycopg
import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

import eventlogs
from faults import TABLE, Fault, proxied, table, told
from mlflow_diagnose import patience
from mlflow_diagnose.cli import main
from mlflow_diagnose.readers.tracking.quiet import quiet
from mlflow_diagnose.work import Worker
from mlflow_server import fresh_store, mlflow_server_that_restarts

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("mlflow")]

RUNS = 4
EPOCHS = np.arange(40)
CURVES = {
    "train_loss": 2 * np.exp(-EPOCHS / 8),
    "val_loss": 0.6 + 1.5 * np.exp(-EPOCHS / 4) + 0.02 * np.clip(EPOCHS - 15, 0, None),
}
COMMAND = "import sys; from mlflow_diagnose.cli import main; main(sys.argv[1:])"
ROWS = {}


def log_runs(uri, experiment, count=RUNS):
    """The ids of new overfitting runs in an experiment, the newest first, each diagnosed once as something else."""
    with quiet():
        client = MlflowClient(uri)
        number = client.create_experiment(experiment)
        found = []
        for place in range(count):
            run_id = client.create_run(number, 1000 * (place + 1), {"team": "vision"}, f"run {place}").info.run_id
            points = [
                Metric(name, float(value), 1_700_000_000_000 + 1000 * epoch, epoch)
                for name, values in CURVES.items()
                for epoch, value in enumerate(values)
            ]
            old = [RunTag("diagnose.verdict", "divergence"), RunTag("diagnose.divergence", "critical: to infinity")]
            client.log_batch(run_id, points, [Param("lr", "0.1")], old)
            client.set_terminated(run_id)
            found.append(run_id)
    return found[::-1]


@dataclass
class Call:
    """What a call came to."""

    status: int
    out: str
    err: str

    @property
    def printed(self):
        """How many runs were diagnosed."""
        return len(json.loads(self.out)["runs"]) if self.out else 0


@pytest.fixture
def call(capsys, monkeypatch):
    """Calls the command line in this process, a patient server's minutes made seconds."""
    monkeypatch.setattr(patience, "PAUSES", (0.1, 0.2, 0.4, 0.8))
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    capsys.readouterr()

    def called(*args):
        with pytest.raises(SystemExit) as ended:
            main([*map(str, args), "--format", "json"])
        out, err = capsys.readouterr()
        return Call(ended.value.code, out, err)

    return called


@pytest.fixture
def row(request):
    """Keeps a row of the table, or checks that it is there."""

    def kept(where, fault, done, found, replaced=()):
        text = f"| {where} | {fault} | {done} | {found.status} | {told(found.err, replaced)} |"
        if request.config.getoption("--faults"):
            ROWS[text] = None
        else:
            assert text in TABLE.read_text("utf-8").splitlines()

    return kept


@pytest.fixture(scope="module", autouse=True)
def _table(request):
    yield
    if request.config.getoption("--faults"):
        TABLE.write_text(table(list(ROWS)), "utf-8")


def users(store):
    """All that is the user's in a store."""
    return [
        store.rows("SELECT * FROM metrics ORDER BY run_uuid, key, step, timestamp, value"),
        store.rows("SELECT * FROM params ORDER BY run_uuid, key"),
        store.rows("SELECT * FROM tags WHERE key NOT LIKE 'diagnose.%' ORDER BY run_uuid, key"),
        store.rows("SELECT run_uuid, name, status, end_time, lifecycle_stage FROM runs ORDER BY run_uuid"),
    ]


def verdicts(store, runs):
    """The verdict that each run's tags tell, checked to be whole: all of a new diagnosis, or the old one."""
    found = []
    for run in runs:
        ours = store.rows("SELECT key, value FROM tags WHERE run_uuid = ? AND key LIKE 'diagnose.%'", run)
        tags = {key: text for key, text in ours if key != "diagnose.rank"}
        whole = tags.get("diagnose.verdict") == "overfitting"
        old = {"diagnose.verdict": "divergence", "diagnose.divergence": "critical: to infinity"}
        assert tags == old or (whole and tags["diagnose.overfitting"].startswith("warning: ")), tags
        assert not whole or tags.get("diagnose.divergence", "no longer found") == "no longer found"
        found.append(tags.get("diagnose.verdict"))
    return found


GET, BULK, BATCH, DELETE = "GET .*runs/get", "GET .*get-history", "POST .*log-batch", "POST .*delete-tag"
PASSES = [
    ("429 Too Many Requests, twice, asking for a run", Fault(GET, times=2, status=429)),
    ("429 with Retry-After", Fault(GET, status=429, headers=(("Retry-After", "1"),))),
    ("500, twice, asking for a run", Fault(GET, times=2, status=500)),
    ("502 from a gateway, reading histories", Fault(BULK, times=2, status=502)),
    ("503, three times, reading histories", Fault(BULK, times=3)),
    ("504 after a time, reading histories", Fault(BULK, status=504, skip=1)),
    ("connection reset, reading histories", Fault(BULK, "reset")),
    ("connection reset, asking for a run", Fault(GET, "reset", times=2)),
    ("no answer, reading histories", Fault(BULK, "hang")),
    ("answer cut off, reading histories", Fault(BULK, "cut")),
    ("answer cut off, asking for a run", Fault(GET, "cut")),
    ("503, listing the runs", Fault("POST .*runs/search", times=2)),
    ("429, twice, writing tags", Fault(BATCH, times=2, status=429)),
    ("500, writing tags", Fault(BATCH, status=500)),
    ("503, three times, writing tags", Fault(BATCH, times=3, skip=1)),
    ("connection reset, writing tags", Fault(BATCH, "reset", skip=1)),
    ("no answer, writing tags", Fault(BATCH, "hang")),
    ("tags written, answer lost", Fault(BATCH, "lost", times=2)),
    ("tags written, answer cut off", Fault(BATCH, "lost cut")),
    ("stale tag deleted, answer lost", Fault(DELETE, "lost", times=2)),
    ("503, deleting a stale tag", Fault(DELETE, times=2)),
]


@pytest.mark.parametrize(("name", "fault"), PASSES, ids=[name for name, _ in PASSES])
def test_a_server_whose_trouble_passes(server, call, row, name, fault):
    """It is waited for, and everything is done."""
    runs = log_runs(server.uri, name)
    before = users(server)
    with proxied(server.uri) as proxy:
        proxy.faults.append(fault)
        found = call("--experiment", name, "--tracking-uri", proxy.uri, "--tags-only")
        assert proxy.met == {0: fault.times}
    assert (found.status, found.err, found.printed) == (0, "", RUNS)
    assert verdicts(server, runs) == ["overfitting"] * RUNS
    assert users(server) == before
    assert server.rows("SELECT * FROM tags WHERE value = 'no longer found'") == []
    row("server", name, f"{RUNS} of {RUNS}", found)


STAYS = [
    ("500 for one run, always", Fault("runs/get.*{run}", times=99, status=500), 3, True),
    ("a page that is not MLflow's, once", Fault("runs/get.*{run}", "garbage"), 3, True),
    ("503 for everything, from the first run on", Fault("runs/get|get-history", times=999), 3, False),
    ("no connection any more, from the first run on", Fault("runs/get|get-history", "reset", times=999), 3, False),
    ("503 whenever tags are written", Fault(BATCH, times=99), 3, False),
    ("403 whenever something is written", Fault("POST .*(log-batch|delete-tag)", times=99, status=403), 3, False),
    ("401 for everything", Fault(".", times=99, status=401), 3, False),
]


@pytest.mark.parametrize(("name", "fault", "status", "others"), STAYS, ids=[name for name, *_ in STAYS])
def test_a_server_whose_trouble_stays(server, call, row, name, fault, status, others):
    """It is given up in bounded time, in clear lines; whoever can be is done, and the next call does the rest."""
    runs = log_runs(server.uri, name)
    before = users(server)
    with proxied(server.uri) as proxy:
        proxy.faults.append(Fault(**{**fault.__dict__, "on": fault.on.replace("{run}", runs[1])}))
        found = call("--experiment", name, "--tracking-uri", proxy.uri, "--tags-only")
    assert found.status == status
    assert 1 <= len(found.err.splitlines()) <= RUNS
    expected = ["overfitting" if others and place != 1 else "divergence" for place in range(RUNS)]
    assert verdicts(server, runs) == expected
    assert users(server) == before
    row("server", name, f"{found.printed} of {RUNS}", found)
    assert call("--experiment", name, "--tracking-uri", server.uri, "--tags-only").status == 0
    assert verdicts(server, runs) == ["overfitting"] * RUNS


def test_a_server_that_restarts(tmp_path, call, row, monkeypatch):
    """It is killed while runs are written, and comes back on its port: nothing is lost."""
    monkeypatch.setattr(patience, "PAUSES", (0.5, 1, 2, 4, 8, 16, 16))
    with mlflow_server_that_restarts(tmp_path) as (store, restart):
        runs = log_runs(store.uri, "restarted")
        restarted = threading.Event()
        restarting = threading.Thread(target=restart)
        write = Worker._written  # noqa: SLF001 - the moment between two runs

        def written(self, report):
            if not restarted.is_set():
                restarted.set()
                restarting.start()
                time.sleep(1)
            return write(self, report)

        monkeypatch.setattr(Worker, "_written", written)
        found = call("--experiment", "restarted", "--tracking-uri", store.uri, "--tags-only")
        restarting.join()
        assert (found.status, found.err, found.printed) == (0, "", RUNS)
        assert verdicts(store, runs) == ["overfitting"] * RUNS
        row("server", "killed and started again while runs are written", f"{RUNS} of {RUNS}", found)


@pytest.fixture
def database(tmp_path):
    """A store of its own with runs, and what is the user's in it."""
    store = fresh_store(tmp_path / "store")
    runs = log_runs(store.uri, "mine")
    return store, runs, ("--experiment", "mine", "--tracking-uri", store.uri, "--tags-only")


def finish(call, store, runs, args):
    """A call without the fault does what was left."""
    assert call(*args).status == 0
    assert verdicts(store, runs) == ["overfitting"] * len(runs)


@contextmanager
def locked(store, seconds):
    """Another process that writes and holds the database, for so long or until the block ends."""
    connection = sqlite3.connect(store.database, isolation_level=None, check_same_thread=False)
    connection.execute("BEGIN EXCLUSIVE")
    timer = threading.Timer(seconds, connection.rollback)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        if connection.in_transaction:
            connection.rollback()
        connection.close()


def test_a_database_that_is_locked_for_a_while(database, call, row):
    """It is waited for."""
    store, runs, args = database
    before = users(store)
    with locked(store, 7):
        found = call(*args)
    assert (found.status, found.err, found.printed) == (0, "", RUNS)
    assert verdicts(store, runs) == ["overfitting"] * RUNS
    assert users(store) == before
    row("sqlite", "locked by another process for seven seconds", f"{RUNS} of {RUNS}", found)


def test_a_database_that_stays_locked(database, call, row, monkeypatch):
    """It is given up, in one line."""
    monkeypatch.setattr("mlflow_diagnose.readers.tracking.databases.LOCKED", 0.2)
    store, runs, args = database
    with locked(store, 300):
        found = call(*args)
    assert found.status == 3
    assert len(found.err.splitlines()) == 1
    row("sqlite", "locked by another process for good", f"{found.printed} of {RUNS}", found, [(store.uri, "STORE")])
    finish(call, store, runs, args)


def test_another_process_writes_the_same_tags(database, call, row, monkeypatch):
    """Whoever comes second finds rows there that were not when it looked, and looks again."""
    monkeypatch.setattr(patience, "PAUSES", (0.5, 1, 2, 4, 8))
    store, runs, args = database
    before = users(store)
    store.rows(
        "CREATE TRIGGER quicker BEFORE INSERT ON experiment_tags BEGIN "
        "INSERT INTO experiment_tags (key, value, experiment_id) VALUES (NEW.key, 'theirs', NEW.experiment_id); END"
    )
    timer = threading.Timer(8, store.rows, ["DROP TRIGGER quicker"])
    timer.start()
    found = call(*args)
    timer.join()
    assert (found.status, found.err, found.printed) == (0, "", RUNS)
    assert verdicts(store, runs) == ["overfitting"] * RUNS
    assert users(store) == before
    row("sqlite", "another process is quicker to write the experiment's tags", f"{RUNS} of {RUNS}", found)


def test_a_database_that_is_read_only(database, call, row, monkeypatch):
    """What was found is printed; that it was not written is told."""
    store, runs, args = database
    monkeypatch.chdir(store.database.parent)  # MLflow makes a folder `file:` where such a URI is written to
    uri = f"sqlite:///file:{store.database}?mode=ro&uri=true"
    found = call(*args[:2], "--tracking-uri", uri, "--tags-only")
    assert (found.status, found.printed) == (3, RUNS)
    assert verdicts(store, runs) == ["divergence"] * RUNS
    row("sqlite", "read-only", f"{found.printed} of {RUNS}", found, [(str(store.database), "STORE")])
    finish(call, store, runs, args)


def limited(args, size):
    """The call as a process that can write no file beyond so many bytes: as on a full disk."""
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, *map(str, args), "--format", "json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
    )
    return Call(done.returncode, done.stdout, done.stderr)


def test_a_full_disk_under_the_database(database, call, row):
    """Nothing is half written."""
    store, runs, args = database
    before = users(store)
    found = limited(args, 4096)
    assert (found.status, found.printed) == (3, RUNS)
    assert verdicts(store, runs) == ["divergence"] * RUNS
    assert users(store) == before
    row("sqlite", "disk full", f"{found.printed} of {RUNS}", found, [(store.uri, "STORE")])
    finish(call, store, runs, args)


def test_a_full_disk_under_the_artifacts(tmp_path, call, row):
    """The tags say what was found; the run counts as unfinished."""
    store = fresh_store(tmp_path / "store")
    runs = log_runs(store.uri, "mine", 1)
    with closing(sqlite3.connect(store.database)) as connection:
        connection.execute("PRAGMA journal_mode = MEMORY")
    args = ("--experiment", "mine", "--tracking-uri", store.uri)
    size = store.database.stat().st_size + (1 << 16)
    for path in (store.database,):
        assert path.stat().st_size < size
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", folder], check=False, capture_output=True)
    if shutil.disk_usage(folder).total > 1 << 20:
        pytest.skip("no small disk can be mounted here")
    try:
        store.rows("UPDATE runs SET artifact_uri = ?", f"{folder.as_uri()}/artifacts")
        found = call(*args)
        assert (found.status, found.printed) == (3, 1)
        tags = dict(store.rows("SELECT key, value FROM tags WHERE run_uuid = ?", runs[0]))
        assert tags["diagnose.verdict"] == "overfitting"
        assert "diagnose.fingerprint" not in tags
        row("artifacts", "disk full", "1 of 1", found, [(store.uri, "STORE"), (str(folder), "FOLDER")])
    finally:
        subprocess.run(["umount", folder], check=True)
    assert call(*args).status == 0
    assert (folder / "artifacts" / "diagnosis" / "report.html").is_file()


def test_a_store_of_another_mlflow(database, call, row):
    """It is read as it is, never migrated, and written only by the MLflow that made it."""
    store, runs, args = database
    (head,) = store.rows("SELECT version_num FROM alembic_version")
    store.rows("UPDATE alembic_version SET version_num = '0a8213491aaa'")
    found = call(*args)
    assert (found.status, found.printed) == (3, RUNS)
    assert store.rows("SELECT version_num FROM alembic_version") == [("0a8213491aaa",)]
    replaced = [(str(store.database), "STORE"), (head[0], "HEAD")]
    row("sqlite", "schema of another MLflow", f"{found.printed} of {RUNS}", found, replaced)
    found = call(*args, "--filter", "metrics.val_loss > 0")
    assert (found.status, found.printed) == (3, 0)
    assert store.rows("SELECT version_num FROM alembic_version") == [("0a8213491aaa",)]
    row("sqlite", "schema of another MLflow, with --filter", f"0 of {RUNS}", found, replaced)
    store.rows("UPDATE alembic_version SET version_num = ?", head[0])
    finish(call, store, runs, args)


def test_a_database_that_is_damaged(database, call, row):
    """Whatever can be read is."""
    store, runs, args = database
    store.rows("UPDATE metrics SET value = 'text' WHERE run_uuid = ? AND step = 7", runs[2])
    found = call(*args)
    assert (found.status, found.printed) == (3, RUNS - 1)
    row("sqlite", "text in place of a number", f"{RUNS - 1} of {RUNS}", found, [(store.uri, "STORE")])
    store.rows("UPDATE metrics SET value = 1 WHERE value = 'text'")
    assert call(*args).status == 0


def test_a_table_that_is_gone(database, call, row):
    """A database that lost a table is none of MLflow's."""
    store, _, args = database
    store.rows("ALTER TABLE metrics RENAME TO lost")
    found = call(*args)
    assert (found.status, found.out) == (2, "")
    row("sqlite", "a table is gone", f"0 of {RUNS}", found, [(store.uri, "STORE")])


def test_a_run_that_is_deleted_meanwhile(database, call, row, monkeypatch):
    """It is told; the others are done."""
    store, runs, args = database
    judged = Worker._written  # noqa: SLF001 - the moment between reading and writing
    deleted = []

    def written(self, report):
        if report.run.run_id == runs[1] and not deleted:
            deleted.append(runs[1])
            store.rows("UPDATE runs SET lifecycle_stage = 'deleted' WHERE run_uuid = ?", runs[1])
        return judged(self, report)

    monkeypatch.setattr(Worker, "_written", written)
    found = call(*args)
    assert (found.status, found.printed) == (3, RUNS)
    assert verdicts(store, runs) == ["overfitting", "divergence", "overfitting", "overfitting"]
    row("sqlite", "a run is deleted between reading and writing", f"{RUNS - 1} of {RUNS}", found)
    store.rows("UPDATE runs SET lifecycle_stage = 'active'")
    finish(call, store, runs, args)


PLACES = [
    ("on a Windows machine", "file:///C:/Users/me/mlruns/0/{run}/artifacts"),
    ("in a folder that is not there", "file:///nowhere/at/all/in/this/place/{run}/artifacts"),
    ("behind a server that is not asked", "mlflow-artifacts:/0/{run}/artifacts"),
    ("in a store without its driver", "nosuch://bucket/{run}/artifacts"),
]


@pytest.mark.parametrize(("name", "place"), PLACES, ids=[name for name, _ in PLACES])
def test_artifacts_that_cannot_be_written(tmp_path, call, row, name, place):
    """The tags are written; the line says where the artifacts would belong."""
    store = fresh_store(tmp_path / "store")
    (run,) = log_runs(store.uri, "mine", 1)
    store.rows("UPDATE runs SET artifact_uri = ?", place.format(run=run))
    args = ("--experiment", "mine", "--tracking-uri", store.uri)
    found = call(*args)
    assert (found.status, found.printed) == (3, 1)
    assert verdicts(store, [run]) == ["overfitting"]
    row("artifacts", name, "1 of 1", found, [(store.uri, "STORE")])
    assert call(*args, "--artifact-dir", tmp_path / "here").status == (3 if "driver" in name else 0)


def test_a_postgresql_whose_connections_end(postgresql, call, row, monkeypatch):
    """As when it is restarted: a new connection goes on."""
    runs = log_runs(postgresql, "ended")
    judged = Worker._written  # noqa: SLF001 - the moment between two runs
    ended = []

    def written(self, report):
        if not ended:
            with psycopg.connect(postgresql, autocommit=True) as connection:
                query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                ended.extend(connection.execute(query).fetchall())
        return judged(self, report)

    monkeypatch.setattr(Worker, "_written", written)
    found = call("--experiment", "ended", "--tracking-uri", postgresql, "--tags-only")
    assert ended
    assert (found.status, found.err, found.printed) == (0, "", RUNS)
    with quiet():
        client = MlflowClient(postgresql)
        assert {client.get_run(run).data.tags["diagnose.verdict"] for run in runs} == {"overfitting"}
    row("PostgreSQL", "every connection is ended half-way", f"{RUNS} of {RUNS}", found)


LOGS = [
    ("an empty file", lambda path: path.write_bytes(b""), 1),
    ("a Git LFS pointer", lambda path: path.write_bytes(b"version https://git-lfs.github.com/spec/v1\n"), 1),
    ("no event file by its content", lambda path: path.write_bytes(b"\x00\xff" * 500), 1),
    ("the last record is cut off", lambda path: path.write_bytes(path.read_bytes()[:-5]), 0),
    ("a bit is turned in a length", lambda path: path.write_bytes(eventlogs.flipped(path.read_bytes(), 400)), 0),
    ("zeros at the end", lambda path: path.write_bytes(path.read_bytes() + bytes(4096)), 0),
    ("the run is gone after it was listed", lambda path: shutil.rmtree(path.parent), 0),
]


@pytest.mark.parametrize(("name", "damage", "lost"), LOGS, ids=[name for name, *_ in LOGS])
def test_damaged_logs(tmp_path, call, row, name, damage, lost):
    """The others are judged, and the damage is one line; the logs stay as they are."""
    for number in range(3):
        points = [event for tag, values in CURVES.items() for event in eventlogs.curve(tag, values)]
        eventlogs.write(tmp_path / f"run {number}", points, "events.out.tfevents.1700000000.host.1.0")
    if "gone" in name:
        found = _gone_after_listing(call, tmp_path, damage)
    else:
        damage(tmp_path / "run 1" / "events.out.tfevents.1700000000.host.1.0")
        before = {path: path.read_bytes() for path in tmp_path.rglob("*tfevents*")}
        found = call("--logdir", tmp_path)
        assert {path: path.read_bytes() for path in tmp_path.rglob("*tfevents*")} == before
    runs = {run["run_id"]: run for run in json.loads(found.out)["runs"]}
    assert runs["run 0"]["verdict"] == runs["run 2"]["verdict"] == "overfitting"
    notes = runs["run 1"]["notes"] if "run 1" in runs else [found.err]
    assert len(notes) == 1
    if lost:
        assert runs["run 1"]["verdict"] == "insufficient_data"
    told_where = Call(found.status, found.out, notes[0])
    row("logdir", name, f"{sum(run['verdict'] == 'overfitting' for run in runs.values())} of 3", told_where)


def _gone_after_listing(call, folder, damage):
    from mlflow_diagnose.many import Runs  # noqa: PLC0415 - for this fault alone

    chosen = Runs.chosen

    def listed(self, *args):
        found = chosen(self, *args)
        damage(folder / "run 1" / "events.out.tfevents.1700000000.host.1.0")
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Runs, "chosen", listed)
        return call("--logdir", folder)


def test_a_worker_that_is_killed(tmp_path, row):
    """What it had is given to another, and the document is the one that nobody's death made."""
    store = fresh_store(tmp_path / "store")
    runs = log_runs(store.uri, "mine", 12)
    args = ["--experiment", "mine", "--tracking-uri", store.uri, "--jobs", "2", "--format", "json"]
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    done = "SELECT count(*) FROM tags WHERE key = 'diagnose.fingerprint'"
    deadline = time.monotonic() + 120
    while store.rows(done)[0][0] < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(_workers(process.pid)[0], signal.SIGKILL)
    out, err = process.communicate(timeout=150)
    assert (process.returncode, err) == (0, "")
    assert [run["run_id"] for run in json.loads(out)["runs"]] == runs
    assert verdicts(store, runs) == ["overfitting"] * 12
    row("engine", "a worker process is killed half-way", "12 of 12", Call(0, out, err))


def _workers(parent):
    """The worker processes of a process."""
    with open(f"/proc/{parent}/task/{parent}/children") as file:  # noqa: PTH123 - a file of the kernel's
        children = [int(pid) for pid in file.read().split()]
    found = []
    for pid in children:
        with open(f"/proc/{pid}/cmdline", "rb") as file:  # noqa: PTH123 - the same
            if b"popen_loky" in file.read():
                found.append(pid)
    return found


def test_two_diagnoses_at_the_same_time(tmp_path, row):
    """Both print the same, and the tags are those of either."""
    store = fresh_store(tmp_path / "store")
    runs = log_runs(store.uri, "mine", 8)
    args = ["--experiment", "mine", "--tracking-uri", store.uri, "--tags-only", "--format", "json"]
    both = [
        subprocess.Popen(
            [sys.executable, "-c", COMMAND, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    (one, first), (two, second) = (process.communicate(timeout=150) for process in both)
    assert [process.returncode for process in both] == [0, 0]
    assert (one, first) == (two, second)
    assert first == ""
    assert verdicts(store, runs) == ["overfitting"] * 8
    assert store.rows("SELECT * FROM tags WHERE value = 'no longer found'") == []
    row("sqlite", "two diagnoses of the same runs at the same time", "8 of 8", Call(0, one, ""))


def test_the_table_is_long_enough(request):
    """At least thirty faults were tried."""
    if not request.config.getoption("--faults"):
        rows = [line for line in TABLE.read_text("utf-8").splitlines() if line.startswith("| ")]
        assert len(rows) - 2 >= 30
