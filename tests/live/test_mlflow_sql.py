"""MLflow stores read straight from their databases: the same runs as through MLflow, and nothing of theirs changed."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import adbc_driver_sqlite
import mlflow
import numpy as np
import pytest
import sqlalchemy
from alembic import command
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.store.db.utils import _get_alembic_config
from mlflow.store.tracking.dbmodels.initial_models import Base

from mlflow_diagnose.errors import BadInputError, DiagnoseError, ReadError, RunNotFoundError
from mlflow_diagnose.readers import open_source
from mlflow_diagnose.readers.mlflow import MlflowReader
from mlflow_diagnose.readers.mlflow_sql import MANY, SqlReader
from mlflow_diagnose.readers.tracking.database_servers import Server
from mlflow_diagnose.readers.tracking.databases import SqliteFile
from mlflow_diagnose.readers.tracking.quiet import quiet
from mlflow_diagnose.readers.tracking.uri import default_tracking_uri
from mlflow_server import EXPERIMENT, free_port, fresh_store

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("mlflow")]

START = 1_700_000_000_000
LOGGED = {
    "loss": [(START + 1500 * index, index, 2.0 / (index + 1)) for index in range(300)],
    "blows up": [(START, 5, 1.0), (START + 1, 6, float("inf")), (START + 2, 7, float("-inf"))],
    "one moment": [(START, step, value) for step in (3, 1, 2) for value in (0.5, float("nan"), -0.5)],
    "resumed": [(START + at, step, 0.1 * at) for at, step in enumerate([0, 10, 20, 10, 20, 30])],
    "größe/日本 x": [(START, -(2**60) - 1, 0.1 + 0.2)],
    "a :run_id - b.c/d": [(START, 2**62 + 1, 5e-324), (START - 5, 1, -0.0)],
}


OURS = ["sqlite", "postgresql", "postgresql+psycopg"]  # which we connect to ourselves; to the others as MLflow does


@pytest.fixture(params=[*OURS, "mysql"])
def uri(request):
    """The tracking URI of each kind of store: each way to ask a database."""
    kind, _, driver = request.param.partition("+")
    if kind == "sqlite":
        return request.getfixturevalue("sqlite").uri
    if kind == "mysql":
        return request.getfixturevalue("mysql")
    if driver:
        pytest.importorskip(driver)
    return request.getfixturevalue("postgresql").replace(kind, request.param, 1)


def new_run(uri, logged=LOGGED, name="a run"):
    """The id of a new run with these points, logged through MLflow in an order of their own."""
    with quiet():
        client = MlflowClient(uri)
        run_id = client.create_run(EXPERIMENT, run_name=name, tags={"team": "vision"}).info.run_id
        points = [Metric(key, value, at, step) for key, points in logged.items() for at, step, value in points]
        np.random.default_rng(0).shuffle(points)
        client.log_batch(run_id, points, [Param("lr", "0.1"), Param("a b", "é")], [RunTag("diagnose.verdict", "x")])
        client.set_terminated(run_id)
    return run_id


def bits(run):
    """Everything in a run, arrays as their bytes."""
    curves = [
        (curve.name, *((array.dtype, array.tobytes()) for array in (curve.steps, curve.values, curve.wall_times)))
        for curve in run.curves
    ]
    return replace(run, curves=curves, params=dict(run.params), tags=dict(run.tags), notes=list(run.notes))


def parts(run):
    """The same, to be compared."""
    whole = bits(run)
    return {name: getattr(whole, name) for name in whole.__slots__}


class TestSameAsMlflow:
    """What MLflow's own client gives, to the bit."""

    def test_a_run(self, uri):
        """Order, ties, NaN, infinities, large steps, odd names, params and tags."""
        run_id = new_run(uri)
        assert parts(open_source(uri).read(run_id)) == parts(MlflowReader(uri).read(run_id))

    def test_names_that_mlflow_would_not_take(self, uri):
        """Other programs may have: they are values to a query, and never a part of it."""
        run_id, name = new_run(uri, {"loss": LOGGED["loss"]}), 'it\'s "%(run_id)s" :run_id \\ {key} $1'
        engine = sqlalchemy.create_engine(uri)
        key = engine.dialect.identifier_preparer.quote_identifier("key")
        with engine.begin() as connection:
            for table in ("metrics", "latest_metrics"):
                change = f"UPDATE {table} SET {key} = :name WHERE run_uuid = :run_id"  # noqa: S608 - our own tables
                connection.execute(sqlalchemy.text(change), {"name": name, "run_id": run_id})
        engine.dispose()
        run = open_source(uri).read(run_id)
        assert [curve.name for curve in run.curves] == [name]
        assert parts(run) == parts(MlflowReader(uri).read(run_id))

    def test_a_run_without_anything(self, uri):
        """There is no curve, and no error."""
        run_id = new_run(uri, {})
        run = open_source(uri).read(run_id)
        assert list(run.curves) == []
        assert parts(run) == parts(MlflowReader(uri).read(run_id))

    def test_a_deleted_run(self, uri):
        """It is read with the same note."""
        run_id = new_run(uri)
        with quiet():
            MlflowClient(uri).delete_run(run_id)
        run = open_source(uri).read(run_id)
        assert len(run.notes) == 1
        assert parts(run) == parts(MlflowReader(uri).read(run_id))

    def test_which_runs_there_are(self, uri):
        """The newest first; no deleted one, and none of a deleted experiment."""
        run_ids = [new_run(uri, {}) for _ in range(3)]
        with quiet():
            client = MlflowClient(uri)
            gone = client.create_experiment(f"gone {run_ids[0]}")
            lost = client.create_run(gone).info.run_id
            client.delete_experiment(gone)
            client.delete_run(run_ids[1])
        found = open_source(uri).run_ids()
        assert found == MlflowReader(uri).run_ids()
        assert set(found) & {*run_ids, lost} == {run_ids[0], run_ids[2]}

    def test_some_tags_of_an_experiment(self, uri):
        """Of each run that is not deleted, also of one that has none of them."""
        run_ids = [new_run(uri) for _ in range(3)]
        with quiet():
            client = MlflowClient(uri)
            client.set_tag(run_ids[0], "odd key", "1 of 3")
            client.delete_run(run_ids[2])
            found = client.search_runs([EXPERIMENT], max_results=1000)
        names = ("odd key", "team")
        wanted = {
            run.info.run_id: {name: text for name, text in run.data.tags.items() if name in names} for run in found
        }
        assert SqlReader(uri).tags(EXPERIMENT, names) == wanted
        assert wanted[run_ids[0]] == {"odd key": "1 of 3", "team": "vision"}

    def test_many_runs(self, uri):
        """They are the same read together; what fails stands in its place and costs the others nothing."""
        run_ids = [new_run(uri, {"loss": LOGGED["loss"], f"only in {index}": LOGGED["one moment"]}) for index in (1, 2)]
        reader = open_source(uri)
        asked = [*run_ids * (MANY // 2), "nosuchrun", run_ids[0]]
        runs = list(reader.read_many(asked))
        assert [type(run) for run in runs].count(RunNotFoundError) == 1
        assert isinstance(runs[-2], RunNotFoundError)
        alone = {run_id: parts(reader.read(run_id)) for run_id in run_ids}
        assert [parts(run) for run in runs if not isinstance(run, DiagnoseError)] == [
            alone[run_id] for run_id in asked if run_id in alone
        ]

    def test_the_way_for_any_other_database(self, uri):
        """Through SQLAlchemy alone, which knows them all."""
        run_id = new_run(uri)
        reader, other = SqlReader(uri), SqlReader(uri)
        with closing(Server(sqlalchemy.create_engine(uri))) as server:
            other._database = server  # noqa: SLF001 - a database that no test can start stands behind it
            assert other.run_ids() == reader.run_ids()
            assert parts(other.read(run_id)) == parts(reader.read(run_id))
            assert server.columns("nosuchtable") == frozenset()

    def test_the_way_for_many_runs_in_sqlite(self, sqlite, monkeypatch):
        """ADBC gives the same points; where it is not installed, or a thread may write, Python's own module does."""
        run_ids = [new_run(sqlite.uri), new_run(sqlite.uri, {}), new_run(sqlite.uri, {})]
        with quiet():  # ADBC takes a column's type from its first thousand values
            client, nan = MlflowClient(sqlite.uri), float("nan")
            for first in (0, 1000):
                client.log_batch(run_ids[-1], [Metric("AP", nan, START + at, at) for at in range(first, first + 1000)])
            client.log_metric(run_ids[-1], "loss", 0.5)
        reader, asked = SqlReader(sqlite.uri), []
        plain = {run_id: parts(reader.read(run_id)) for run_id in run_ids}
        monkeypatch.setattr(SqliteFile, "points", lambda *_: asked.append("plain"))
        monkeypatch.setattr("threading.active_count", lambda: 1)
        runs = list(reader.read_many(run_ids * MANY))
        assert [parts(run) for run in runs] == [plain[run_id] for run_id in run_ids] * MANY
        assert asked == []

        monkeypatch.undo()
        for lacking in ("adbc", "alone"):
            with monkeypatch.context() as patch:
                patch.setattr(adbc_driver_sqlite, "dbapi", None) if lacking == "adbc" else None
                patch.setitem(sys.modules, "adbc_driver_sqlite", None if lacking == "adbc" else adbc_driver_sqlite)
                patch.setattr("threading.active_count", lambda lacking=lacking: 1 if lacking == "adbc" else 2)
                assert [parts(run) for run in reader.read_many(run_ids * MANY)] == [parts(run) for run in runs]


class TestOldStores:
    """Schemas of earlier MLflows, made by MLflow's own migrations up to a revision."""

    @pytest.mark.parametrize(
        "revision",
        ["none", "451aebb31d03", "181f10493468", "89d4b8295536", "c48cb773bb87", "0c779009ac13", "acf3f17fdcc7"],
        ids=["0.9", "1.0", "1.1", "1.3", "1.24", "1.28", "2.4"],
    )
    def test_a_store_is_read_as_it_is(self, tmp_path, revision):
        """Its points are there, and its file is the same to the byte; MLflow itself would migrate it or refuse."""
        uri = f"sqlite:///{tmp_path / 'old.db'}"
        engine = sqlalchemy.create_engine(uri)
        Base.metadata.create_all(engine)
        if revision != "none":
            with engine.begin() as connection, quiet():
                config = _get_alembic_config(uri)
                config.attributes["connection"] = connection
                command.upgrade(config, revision)
        engine.dispose()
        nan = revision not in {"none", "451aebb31d03"}
        step = revision != "none"
        with closing(sqlite3.connect(tmp_path / "old.db")) as store, store:
            store.execute("INSERT INTO experiments (experiment_id, name, lifecycle_stage) VALUES (0, 'e', 'active')")
            store.execute(
                "INSERT INTO runs (run_uuid, experiment_id, name, status, lifecycle_stage, source_type, start_time) "
                "VALUES ('r', 0, '', 'FINISHED', 'active', 'LOCAL', 5)"
            )
            store.execute("INSERT INTO tags (run_uuid, key, value) VALUES ('r', 'mlflow.runName', 'old')")
            for at in range(4):
                store.execute(
                    "INSERT INTO metrics (run_uuid, key, value, timestamp) VALUES ('r', 'loss', ?, ?)", (at / 8, 9 - at)
                )
                if step:
                    store.execute("UPDATE metrics SET step = ? WHERE timestamp = ?", (at * 7, 9 - at))
            if nan:
                store.execute("UPDATE metrics SET is_nan = 1, value = 0 WHERE timestamp = 9")
        before = (tmp_path / "old.db").read_bytes()

        reader = open_source(uri)
        run = reader.read("r")
        (curve,) = run.curves

        assert reader.run_ids() == ["r"]
        assert (run.name, run.status) == ("old", "FINISHED")
        np.testing.assert_array_equal(curve.values, [0.375, 0.25, 0.125, np.nan if nan else 0.0])
        assert curve.steps.tolist() == ([21, 14, 7, 0] if step else [0, 0, 0, 0])
        assert curve.wall_times.tolist() == [0.006, 0.007, 0.008, 0.009]
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"old.db": before}


KILLED = """
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("PRAGMA cache_size = 2")  # what does not fit goes to the file before it is committed
connection.execute("BEGIN")
add = "INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan) VALUES ('loss', 1, ?, ?, 0, 0)"
connection.executemany(add, [(at, sys.argv[2]) for at in range(5000)])
os.kill(os.getpid(), signal.SIGKILL)
"""


def killed_while_writing(store, run_id):
    """Leave points in a file that nobody committed."""
    ended = subprocess.run([sys.executable, "-c", KILLED, str(store.database), run_id], check=False)
    assert ended.returncode == -signal.SIGKILL


class TestWithoutHarm:
    """Nothing is written, nobody is kept from writing, and MLflow is not needed."""

    def test_a_connection_cannot_write(self, uri):
        """Also if we wanted to."""
        reader = SqlReader(uri)
        database = reader._database  # noqa: SLF001 - the reader itself never tries
        with pytest.raises(Exception, match=r"(?i)read[- ]?only"):
            database.rows("DELETE FROM metrics WHERE run_uuid = 'r' RETURNING 1")

    def test_the_store_can_be_written_meanwhile(self, uri):
        """Between two runs, whatever way they are read, and what is logged is in the next one."""
        run_ids = [new_run(uri) for _ in range(2)]
        runs = open_source(uri).read_many([run_ids[0]] * MANY + [run_ids[1]])
        next(runs)
        with quiet():
            MlflowClient(uri).log_metric(run_ids[1], "late", 1.0)
        *_, last = runs
        assert "late" in {curve.name for curve in last.curves}

    @pytest.mark.parametrize("runs", [1, MANY])
    def test_half_of_what_a_killed_process_wrote(self, tmp_path, runs):
        """It is undone before anything is read, as SQLite wants it, by each way to read."""
        store = fresh_store(tmp_path)
        run_id = new_run(store.uri)
        whole = parts(SqlReader(store.uri).read(run_id))
        reading = SqlReader(store.uri).read_many([run_id] * runs)
        if runs > 1:
            assert parts(next(reading)) == whole
        killed_while_writing(store, run_id)
        assert Path(f"{store.database}-journal").stat().st_size > 0
        assert parts(next(reading)) == whole
        assert all(parts(run) == whole for run in reading)
        assert SqlReader(store.uri).run_ids() == [run_id]

    @pytest.mark.parametrize("uri", OURS, indirect=True)
    def test_no_mlflow_is_imported(self, uri):
        """Neither for reading nor for finding the store."""
        run_id = new_run(uri)
        look = (
            "import sys; from mlflow_diagnose.readers import open_source; r = open_source(); r.read(sys.argv[1]); "
            "r.run_ids(); print(sorted({'mlflow', 'pandas', 'alembic', 'scipy', 'pyarrow'} & set(sys.modules)))"
        )
        env = {**os.environ, "MLFLOW_TRACKING_URI": uri}
        done = subprocess.run(
            [sys.executable, "-c", look, run_id], env=env, capture_output=True, text=True, check=False
        )
        assert (done.stdout, done.stderr) == ("[]\n", "")

    def test_the_command_loads_no_mlflow(self, sqlite):
        """With `--no-write`, from the question to the verdict."""
        run_id = new_run(sqlite.uri)
        look = (
            "import sys; from mlflow_diagnose.cli import main\n"
            "try: main(sys.argv[1:])\n"
            "finally: print('mlflow' in sys.modules, 'sqlalchemy' in sys.modules)"
        )
        words = [run_id, "--no-write", "--tracking-uri", sqlite.uri]
        done = subprocess.run([sys.executable, "-c", look, *words], capture_output=True, text=True, check=True)
        assert run_id in done.stdout
        assert done.stdout.endswith("False False\n")


class TestDefaultUri:
    """The place MLflow itself would use."""

    @pytest.mark.parametrize(
        "lay", ["nothing", "experiments", "empty mlruns", "no experiment", "setting", "no setting"]
    )
    def test_it_is_what_mlflow_says(self, tmp_path, monkeypatch, lay):
        """By its setting, by what is in the working directory; also in a folder with a blank in its name."""
        folder = tmp_path / "my work"
        folder.mkdir()
        monkeypatch.chdir(folder)
        monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
        if lay == "experiments":
            Path("mlruns/0").mkdir(parents=True)
            Path("mlruns/0/meta.yaml").touch()
        elif lay == "empty mlruns":
            Path("mlruns/0").mkdir(parents=True)
        elif lay == "no experiment":
            Path("mlruns/models").mkdir(parents=True)
            Path("mlruns/models/meta.yaml").touch()
        elif lay.endswith("setting"):
            monkeypatch.setenv("MLFLOW_TRACKING_URI", "" if lay == "no setting" else "http://localhost:5000")
        wanted = mlflow.get_tracking_uri()
        monkeypatch.setitem(sys.modules, "mlflow", None)
        assert default_tracking_uri() == wanted

    def test_what_a_program_set_counts(self, tmp_path):
        """A notebook that told MLflow where its store is need not tell us."""
        before = mlflow.get_tracking_uri()
        try:
            mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mine.db")
            os.environ.pop("MLFLOW_TRACKING_URI", None)
            assert default_tracking_uri() == f"sqlite:///{tmp_path}/mine.db"
        finally:
            mlflow.set_tracking_uri(None)
        assert mlflow.get_tracking_uri() == before

    def test_a_folder_with_a_blank(self, tmp_path, monkeypatch):
        """MLflow quotes the path and cannot open it itself; we can."""
        folder = tmp_path / "my work"
        fresh_store(folder)
        monkeypatch.chdir(folder)
        monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
        assert open_source().run_ids() == []


class TestFailing:
    """One line for everything that can be wrong, without a secret in it."""

    @pytest.mark.parametrize("run_id", ["nosuchrun", "../x", "a' OR '1'='1", "ü"])
    def test_unknown_run(self, uri, run_id):
        """The line names the run and the store asked."""
        with pytest.raises(RunNotFoundError) as caught:
            open_source(uri).read(run_id)
        shown = uri if "@" not in uri else f"{uri.partition('://')[0]}://{uri.rpartition('@')[2]}"
        assert str(caught.value) == f"MLflow at {shown} has no run {run_id!r}"

    @pytest.mark.parametrize(
        ("spoil", "words"),
        [
            ("UPDATE metrics SET value = 'high' WHERE step = 100", "a text stands in place of a number"),
            ("UPDATE metrics SET timestamp = 'noon' WHERE step = 100", "a text stands in place of a number"),
            ("UPDATE metrics SET value = x'ff00' WHERE step = 100", "could not convert"),
        ],
    )
    def test_rows_that_mlflow_never_wrote(self, tmp_path, spoil, words):
        """They cost their run, by either way, and are not read as numbers."""
        store = fresh_store(tmp_path)
        run_id, other = new_run(store.uri), new_run(store.uri, {"loss": LOGGED["blows up"]})
        store.rows(spoil)
        reader = open_source(store.uri)
        with pytest.raises(ReadError, match=rf"^MLflow at {store.uri}: run {run_id} could not be read: {words}"):
            reader.read(run_id)
        runs = list(reader.read_many([run_id, other] * MANY))
        assert {type(run) for run in runs[::2]} == {ReadError}
        assert [parts(run) for run in runs[1::2]] == [parts(reader.read(other))] * MANY

    @pytest.mark.parametrize("table", ["params", "metrics", "sqlite_master"])
    def test_a_damaged_page(self, tmp_path, table):
        """One line, and no crash."""
        store = fresh_store(tmp_path)
        run_id = new_run(store.uri)
        ((size,),) = store.rows("PRAGMA page_size")
        ((page,),) = store.rows("SELECT max(rootpage) FROM sqlite_master WHERE name = ?", table)
        content = bytearray(store.database.read_bytes())
        start = size * ((page or 1) - 1) + (100 if table == "sqlite_master" else 0)  # after the file's own header
        content[start : start + 200] = b"\xff" * 200
        store.database.write_bytes(content)
        with pytest.raises(ReadError, match="malformed"):
            open_source(store.uri).read(run_id)

    def test_names_that_are_no_text(self, tmp_path):
        """Bytes that are no UTF-8 are replaced, in names and in values."""
        store = fresh_store(tmp_path)
        run_id = new_run(store.uri, {"loss": LOGGED["loss"]})
        store.rows("UPDATE metrics SET key = cast(x'61ff' AS TEXT)")
        store.rows("UPDATE params SET value = cast(x'62ff' AS TEXT)")
        reader = open_source(store.uri)
        for run in (reader.read(run_id), *reader.read_many([run_id] * MANY)):
            assert [curve.name for curve in run.curves] == ["a\ufffd"]
            assert set(run.params.values()) == {"b\ufffd"}

    def test_a_name_that_is_a_blob(self, tmp_path):
        """No crash: an error, or a name."""
        store = fresh_store(tmp_path)
        run_id = new_run(store.uri, {"loss": LOGGED["loss"]})
        store.rows("UPDATE metrics SET key = x'ff00' WHERE step > 100")
        reader = open_source(store.uri)
        with pytest.raises(ReadError, match="invalid literal for int"):
            reader.read(run_id)
        for run in reader.read_many([run_id] * MANY):
            assert isinstance(run, ReadError) or {type(curve.name) for curve in run.curves} == {str}

    @pytest.mark.parametrize("driver", ["", "+psycopg2", "+psycopg"])
    def test_an_unreachable_server(self, driver):
        """A line at once, without the password."""
        start = time.monotonic()
        with pytest.raises(ReadError, match="refused") as caught:
            open_source(f"postgresql{driver}://me:s/cr:et@127.0.0.1:{free_port()}/runs?sslmode=disable").read("r")
        assert not [word for word in ("me:", "s/cr", "et@", "sslmode") if word in str(caught.value)]
        assert time.monotonic() - start < 20

    @pytest.mark.parametrize(
        "uri", ["postgresql://me:horse@battery@127.0.0.1/runs", "postgresql://me:secret@127.0.0.1:port/runs"]
    )
    def test_a_malformed_uri(self, uri):
        """It is told without the part that it took for something else."""
        with pytest.raises(BadInputError) as caught:
            open_source(uri).read("r")
        assert not [word for word in ("horse", "battery", "secret") if word in str(caught.value)]

    def test_a_wrong_password(self, postgresql):
        """The server's word for it, and not the password."""
        with pytest.raises(ReadError, match="authentication failed") as caught:
            open_source(postgresql.replace("s3cr", "guess")).read("r")
        assert "guess" not in str(caught.value)

    def test_a_database_of_something_else(self, postgresql):
        """It is no store, whatever else is in it."""
        with pytest.raises(BadInputError, match="not one of MLflow's"):
            open_source(postgresql.rpartition("/")[0] + "/template1").read("r")
