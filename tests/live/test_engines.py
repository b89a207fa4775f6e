"""Many runs on engines that are there already: real clusters of separate processes, of which one is killed half-way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from live.test_many import log_runs, tags_in
from mlflow_server import free_port, fresh_store

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("engines"), pytest.mark.timeout(900)]

COMMAND = "import sys; from mlflow_diagnose.cli import main; main(sys.argv[1:])"
RUNS = 12
START_UP = 300.0  # seconds; Ray brings a dozen processes


def ended(*args):
    """Status, stdout and stderr of the command as a process."""
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, *map(str, args)], capture_output=True, text=True, check=False, timeout=400
    )
    return done.returncode, done.stdout, done.stderr


@contextmanager
def started(*commands):
    """Processes, each of a group of its own that ends with the block."""
    with open(os.devnull, "wb") as nothing:  # noqa: PTH123 - no file
        running = [
            subprocess.Popen([sys.executable, *command], stdout=nothing, stderr=nothing, start_new_session=True)
            for command in commands
        ]
    try:
        yield running
    finally:
        # Ray gives its processes groups of their own.
        for pid in [pid for process in running for pid in descendants(process.pid, b"")]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for process in running:
            process.wait()


def wait_for(what):
    """The first thing that is true."""
    deadline = time.monotonic() + START_UP
    while time.monotonic() < deadline:
        with suppress(OSError):
            if found := what():
                return found
        time.sleep(0.1)
    raise TimeoutError


@contextmanager
def dask_cluster():
    """A scheduler and two workers of one thread each; the engine's name, and a worker of a call."""
    distributed = pytest.importorskip("distributed")
    address = f"tcp://127.0.0.1:{free_port()}"
    scheduler = ["-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", address.rpartition(":")[2]]
    worker = ["-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    with started([*scheduler, "--no-dashboard"], worker, worker) as (_, *workers):

        def ready():
            with distributed.Client(address, timeout=5) as client:
                return len(client.scheduler_info()["workers"]) == 2

        wait_for(ready)
        yield f"dask:{address}", lambda _: workers[0].pid


@contextmanager
def ray_cluster():
    """A node of two processors; the engine's name, and a worker of a call."""
    pytest.importorskip("ray")
    port = free_port()
    node = ["-m", "ray.scripts.scripts", "start", "--head", "--block", "--num-cpus=2", "--include-dashboard=false"]
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    with started([*node, f"--port={port}", "--node-ip-address=127.0.0.1", "--disable-usage-stats"]) as (head,):
        wait_for(lambda: descendants(head.pid, b"raylet"))
        yield f"ray:127.0.0.1:{port}", lambda _: wait_for(lambda: descendants(head.pid, b"ray::Pool"))[0]


def descendants(parent, name):
    """The processes below one whose command line holds a name."""
    found = []
    waiting = [parent]
    while waiting:
        pid = waiting.pop()
        try:
            process = Path(f"/proc/{pid}")
            # A child is that of the thread which started it.
            children = [int(each) for path in process.glob("task/*/children") for each in path.read_text().split()]
            if name in (process / "cmdline").read_bytes():
                found.append(pid)
        except OSError:
            continue
        waiting += children
    return found


@pytest.mark.parametrize("cluster", [dask_cluster, ray_cluster], ids=["dask", "ray"])
def test_a_cluster_says_what_this_process_says(tmp_path, cluster):
    """To the byte, also where one of two workers is killed half-way; and every run is written."""
    assert told_half_way(tmp_path, cluster) == ""


def told_half_way(tmp_path, cluster):
    """What stands on stderr of a call that loses a worker, and still says and writes what this process does."""
    here, there = fresh_store(tmp_path / "here"), fresh_store(tmp_path / "there")
    runs = log_runs(here.uri, "Default", RUNS)
    there.database.write_bytes(here.database.read_bytes())
    there.rows("UPDATE runs SET artifact_uri = replace(artifact_uri, ?, ?)", "/here/", "/there/")
    args = ("--experiment", "Default", "--format", "json")
    local = ended(*args, "--tracking-uri", here.uri, "--jobs", "1")
    assert local[0] == 0, local
    with cluster() as (engine, victim):
        options = ["--tracking-uri", there.uri, "--engine", engine, "--jobs", "2"]
        done = "SELECT count(*) FROM tags WHERE key = 'diagnose.fingerprint'"
        with subprocess.Popen(
            [sys.executable, "-c", COMMAND, *args, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            wait_for(lambda: process.poll() is not None or there.rows(done)[0][0] >= 2)
            os.kill(victim(process.pid), signal.SIGKILL)
            out, err = process.communicate(timeout=400)
        assert there.rows(done)[0][0] == RUNS, err
    assert process.returncode == 0, err
    assert out == local[1]
    assert [run["run_id"] for run in json.loads(out)["runs"]] == runs
    assert tags_in(there) == tags_in(here)
    assert all((there.artifact_folder(run) / "diagnosis" / "report.html").is_file() for run in runs)
    return err


@pytest.mark.parametrize(
    ("engine", "words"),
    [
        ("nosuch", "there is no engine 'nosuch': it is one of local, dask, ray, spark"),
        ("dask:tcp://127.0.0.1:1", "the engine dask at tcp://127.0.0.1:1 cannot be used"),
    ],
)
def test_an_engine_that_is_not_there(tmp_path, engine, words):
    """One line and status 2; nothing is written."""
    if engine.startswith("dask"):
        pytest.importorskip("distributed")
    store = fresh_store(tmp_path)
    log_runs(store.uri, "Default", 1)
    os.environ["DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT"] = "2s"
    try:
        status, out, err = ended(
            "--experiment", "Default", "--tracking-uri", store.uri, "--engine", engine, "--jobs", 2
        )
    finally:
        del os.environ["DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT"]
    assert (status, out) == (2, "")
    assert words in err
    assert len(err.splitlines()) == 1
    assert tags_in(store) == {}
