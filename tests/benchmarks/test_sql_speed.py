"""MLflow's databases, read: our reader beside MLflow's client and beside the bare queries.

    python -m pytest -n0 tests/benchmarks/test_sql_speed.py --benchmark-only [--share 0.05]

In the table of each group the figures in brackets are the ratios to the fastest. A bare query adds up every number of
the points and keeps none: `scan` takes all rows of the table as they lie, `run by run` those of each run, as we do.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy

from benchmarks.stores import METRICS, POINTS, copied_to, run_id
from benchmarks.targets import Target
from mlflow_diagnose.readers.mlflow_sql import SqlReader
from postgres import binaries, postgres

SUMS = "SELECT count(*), sum(value), total(timestamp), total(step), sum(is_nan), max(key) FROM metrics"
READ_ALL = r"""
import re, sys
from mlflow_diagnose.readers.mlflow_sql import SqlReader
reader = SqlReader(sys.argv[1])
points = sum(len(curve.values) for run in reader.read_many(reader.run_ids()) for curve in run.curves)
peak = re.search(r"VmHWM:\s*(\d+)", open("/proc/self/status").read())  # getrusage counts the parent's, too
print(points, int(peak[1]) // 1024)
"""
COMMAND = "import sys; from mlflow_diagnose.cli import main; main(sys.argv[1:])"

EVERY_RUN, ONE_RUN, PROCESS, POSTGRESQL = "sqlite, every run", "sqlite, one run", "a process", "PostgreSQL, 100 runs"
ALONE = EVERY_RUN, "test_ours_in_a_process_of_its_own"
IMPORT = PROCESS, "test_process[import mlflow]"
TARGETS = (
    Target("sqlite, 10 M points: times its scan", (EVERY_RUN, "test_ours"), (EVERY_RUN, "test_scan"), at_most=3),
    Target("sqlite, 10 M points: MB of memory", ALONE, at_most=600, of="MB"),
    Target("sqlite, one run: times the bare query", (ONE_RUN, "test_ours"), (ONE_RUN, "test_bare"), at_most=4),
    *(
        Target(
            f"PostgreSQL by {driver}: times MlflowClient",
            (POSTGRESQL, f"test_ours[{driver}]"),
            (POSTGRESQL, "test_mlflow"),
            at_least=15,
        )
        for driver in ("psycopg2", "psycopg")
    ),
    Target(
        "RUN_ID --no-write, whole process: share of `import mlflow`",
        (PROCESS, "test_process[the command]"),
        IMPORT,
        at_most=1 / 3,
    ),
    Target("--help: seconds", (PROCESS, "test_process[--help]"), at_most=0.3),
)


@pytest.fixture(scope="session")
def postgresql(store, runs):
    """The tracking URI of a store in PostgreSQL that has the first 100 runs of it."""
    if binaries() is None:
        pytest.skip("there is no PostgreSQL on this machine")
    pytest.importorskip("psycopg2")
    with postgres() as uri:
        copied_to(uri, store, min(runs, 100))
        yield uri


def everything(uri):
    """The number of points of every run, read together."""
    reader = SqlReader(uri)
    return sum(len(curve.values) for run in reader.read_many(reader.run_ids()) for curve in run.curves)


def one(uri):
    """The number of points of a run, from connecting on."""
    return sum(len(curve.values) for curve in SqlReader(uri).read(run_id(7)).curves)


def through_mlflow(uri, run_ids):
    """The same through MLflow's client, which is given the names."""
    from mlflow import MlflowClient  # noqa: PLC0415 - the others are measured in a process that has not loaded it

    from mlflow_diagnose.readers.tracking.quiet import quiet  # noqa: PLC0415 - the same

    with quiet():
        client = MlflowClient(uri)
        return sum(len(client.get_metric_history(each, name)) for each in run_ids for name in METRICS)


def bare(store, *run_ids):
    """The number of points that sqlite itself counts: of the runs, or of all as they lie."""
    with closing(sqlite3.connect(f"{store.database.as_uri()}?mode=ro", uri=True)) as connection:
        if not run_ids:
            return connection.execute(f"{SUMS} NOT INDEXED").fetchone()[0]
        return sum(connection.execute(f"{SUMS} WHERE run_uuid = ?", (each,)).fetchone()[0] for each in run_ids)


@pytest.mark.benchmark(group=EVERY_RUN)
class TestEveryRun:
    """10 M points of 2,000 runs."""

    def test_ours(self, benchmark, store, runs):
        """As arrays, run by run."""
        assert benchmark.pedantic(everything, (store.uri,), rounds=3) == runs * len(METRICS) * POINTS

    def test_scan(self, benchmark, store, runs):
        """The rows as they lie."""
        assert benchmark.pedantic(bare, (store,), rounds=3) == runs * len(METRICS) * POINTS

    def test_run_by_run(self, benchmark, store, runs):
        """The rows of each run."""
        every = [run_id(number) for number in range(runs)]
        assert benchmark.pedantic(bare, (store, *every), rounds=3) == runs * len(METRICS) * POINTS

    def test_ours_in_a_process_of_its_own(self, benchmark, store, runs):
        """From its start, in no more than 600 MB."""
        if not Path("/proc/self/status").exists():
            pytest.skip("only Linux tells the peak of a process")
        command = [sys.executable, "-c", READ_ALL, store.uri]
        done = benchmark.pedantic(subprocess.run, (command,), {"capture_output": True, "check": True}, rounds=1)
        count, megabytes = map(int, done.stdout.split())
        benchmark.extra_info["MB"] = megabytes
        assert count == runs * len(METRICS) * POINTS
        assert megabytes < 600


@pytest.mark.benchmark(group=ONE_RUN)
class TestOneRun:
    """5,000 points of the big store."""

    def test_ours(self, benchmark, store):
        """From opening the file on, with params and tags."""
        assert benchmark.pedantic(one, (store.uri,), rounds=50, warmup_rounds=5) == len(METRICS) * POINTS

    def test_bare(self, benchmark, store):
        """The same in sqlite, nothing kept."""
        assert benchmark.pedantic(bare, (store, run_id(7)), rounds=50, warmup_rounds=5) == len(METRICS) * POINTS

    def test_mlflow(self, benchmark, store):
        """A call for each metric."""
        assert benchmark.pedantic(through_mlflow, (store.uri, [run_id(7)]), rounds=1) == len(METRICS) * POINTS


@pytest.mark.benchmark(group=PROCESS)
class TestProcess:
    """A question and its answer, from the start of Python."""

    @pytest.mark.parametrize("what", ["the command", "--help", "import mlflow", "import numpy"])
    def test_process(self, benchmark, store, what):
        """The command reads a run, judges it and prints its report."""
        commands = {
            "the command": [COMMAND, run_id(7), "--no-write", "--tracking-uri", store.uri],
            "--help": [COMMAND, "--help"],
        }
        call = [sys.executable, "-c", *commands.get(what, [what])]
        benchmark.pedantic(subprocess.run, (call,), {"capture_output": True, "check": True}, rounds=7, warmup_rounds=1)


@pytest.mark.benchmark(group=POSTGRESQL)
class TestPostgresql:
    """500,000 points."""

    @pytest.mark.parametrize("driver", ["psycopg2", "psycopg"])
    def test_ours(self, benchmark, postgresql, runs, driver):
        """From connecting on."""
        pytest.importorskip(driver)
        uri = postgresql.replace("://", f"+{driver}://")
        assert benchmark.pedantic(everything, (uri,), rounds=5) == min(runs, 100) * len(METRICS) * POINTS

    def test_bare(self, benchmark, postgresql, runs):
        """The sums of each run."""
        every = [run_id(number) for number in range(min(runs, 100))]
        query = sqlalchemy.text(f"{SUMS.replace('sum(is_nan)', '0').replace('total', 'sum')} WHERE run_uuid = :id")

        def sums():
            engine = sqlalchemy.create_engine(postgresql)
            with engine.connect() as connection:
                counts = [connection.execute(query, {"id": each}).scalar_one() for each in every]
            engine.dispose()
            return sum(counts)

        assert benchmark.pedantic(sums, rounds=5) == len(every) * len(METRICS) * POINTS

    def test_mlflow(self, benchmark, postgresql, runs):
        """A call for each metric of each run."""
        every = [run_id(number) for number in range(min(runs, 100))]
        points = benchmark.pedantic(through_mlflow, (postgresql, every), rounds=1)
        assert points == len(every) * len(METRICS) * POINTS
