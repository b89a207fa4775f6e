"""MLflow runs, read and written back, in a real sqlite store and through a real `mlflow server`."""

from __future__ import annotations

import http.server
import logging
import os
import socket
import sqlite3
import threading
import time
import warnings
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

from curve_analyzers import __version__
from curve_analyzers.findings import Finding, Report, Severity, Span
from curve_analyzers.model import RawCurve, RawRun
from curve_analyzers.settle import prepare
from mlflow_diagnose.errors import BadInputError, DiagnoseError, ReadError, RunNotFoundError, WriteError
from mlflow_diagnose.readers import open_source
from mlflow_diagnose.readers.mlflow import MlflowReader
from mlflow_diagnose.writers.mlflow_artifacts import FILES, MlflowArtifacts
from mlflow_diagnose.writers.mlflow_tags import MlflowTags, note_of, tags_of, with_note
from mlflow_server import EXPERIMENT, free_port, fresh_store

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("mlflow")]

NOTE = "mlflow.note.content"
PAGES = {"report.html": b"<p>one</p>", "curves.png": b"\x89PNG\r\n\x1a\n\x00", "findings.json": b"{}"}


def client_of(store):
    """MLflow's own client, whose first use warns of MLflow's own making."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return MlflowClient(store.uri)


def new_run(store, **tags):
    """The id of a new run in the default experiment."""
    return client_of(store).create_run(EXPERIMENT, tags=tags, run_name="a run").info.run_id


def tags_in(store, run_id):
    """The tags of a run as the database has them."""
    return dict(store.rows("SELECT key, value FROM tags WHERE run_uuid = ?", run_id))


def files_below(folder):
    """What is in every file of a folder, by its relative path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def finding(rule="overfitting", severity=Severity.WARNING, brief="+34 % since step 12", cause=None, **evidence):
    """A finding on a validation loss."""
    span = Span(("val_loss",), 12, 60)
    return Finding(rule, severity, 0.9, span, brief, f"It shows {rule}.", evidence, ("Stop early.",), cause)


def report(run_id="r", *findings, fingerprint="f1", val_loss=(3.0, 1.0, 2.0), steps=(10, 20, 30)):
    """The report of a run with one held-out curve."""
    curves = [RawCurve("val_loss", np.array(steps), np.array(val_loss))] if val_loss else []
    run = prepare(RawRun("mlflow", run_id, "a run", curves))
    verdict, status = (findings[0].rule, findings[0].severity.word) if findings else ("healthy", "healthy")
    return Report(run, verdict, status, findings, (), {}, (), fingerprint)


@contextmanager
def answering(status, body=b"<html>no</html>"):
    """A web server that gives every request one answer."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - the library's name

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@contextmanager
def refusing(store, run_id):
    """A store in which the tags of one run cannot be deleted."""
    store.rows(
        f"CREATE TRIGGER refuse BEFORE DELETE ON tags WHEN OLD.run_uuid = '{run_id}' "
        "BEGIN SELECT RAISE(ABORT, 'this run is frozen'); END"
    )
    try:
        yield
    finally:
        store.rows("DROP TRIGGER refuse")


class TestReading:
    """What a run that can be read looks like."""

    def test_both_stores_give_what_was_logged(self, store):
        """Values, steps, times, odd names, params and tags are the same from sqlite and over HTTP."""
        client, run_id = client_of(store), new_run(store, team="vision", **{"diagnose.verdict": "healthy"})
        logged = {
            "blows up": ([1.0, float("inf"), float("-inf")], [5, 6, 7]),
            "train/loss": ([2.0, 1.0, 0.5], [0, 20, 10]),
            "val loss": ([float("nan"), 1.5], [10, 20]),
            "größe/日本 x": ([0.25], [-3]),
        }
        points = [
            Metric(name, value, 1_700_000_000_000 + 1500 * index, step)
            for name, (values, steps) in logged.items()
            for index, (value, step) in enumerate(zip(values, steps, strict=True))
        ]
        client.log_batch(run_id, points, [Param("lr", "0.1"), Param("optimizer/name", "Adam W")], [RunTag("a b", "é")])
        client.set_terminated(run_id)

        run = open_source(store.uri).read(run_id)

        assert (run.source, run.run_id, run.name, run.status) == ("mlflow", run_id, "a run", "FINISHED")
        assert dict(run.params) == {"lr": "0.1", "optimizer/name": "Adam W"}
        assert dict(run.tags) == {"team": "vision", "a b": "é"}
        assert list(run.notes) == []
        assert [curve.name for curve in run.curves] == sorted(logged)
        for curve in run.curves:
            values, steps = logged[curve.name]
            assert curve.steps.dtype == np.int64
            assert curve.steps.tolist() == steps
            np.testing.assert_array_equal(prepare(run).curves[curve.name].values, np.array(values)[np.argsort(steps)])
            assert curve.wall_times.tolist() == [1_700_000_000 + 1.5 * index for index in range(len(values))]

    def test_a_run_without_a_metric_has_no_curve(self, store):
        """It is read, and left to the engine to call insufficient."""
        assert list(open_source(store.uri).read(new_run(store)).curves) == []

    def test_a_deleted_run_is_read_with_a_note(self, store):
        """MLflow keeps it; who asks for it by its id may see it."""
        run_id = new_run(store)
        client_of(store).delete_run(run_id)
        assert [note for note in open_source(store.uri).read(run_id).notes if "deleted" in note]

    def test_every_run_is_listed_but_the_deleted(self, tmp_path):
        """Also beyond the thousand that MLflow lists at a time."""
        store = fresh_store(tmp_path)
        kept, deleted = new_run(store), new_run(store)
        columns = [row[1] for row in store.rows("PRAGMA table_info(runs)")]
        copied = ", ".join("? || value" if name == "run_uuid" else name for name in columns)
        store.rows(
            f"INSERT INTO runs SELECT {copied} FROM runs, (WITH RECURSIVE number(value) AS "  # noqa: S608 - its own columns
            "(SELECT 1 UNION ALL SELECT value + 1 FROM number WHERE value < 1100) SELECT value FROM number) "
            "WHERE run_uuid = ?",
            "copy",
            kept,
        )
        client_of(store).delete_run(deleted)
        assert set(open_source(store.uri).run_ids()) == {kept, *(f"copy{number}" for number in range(1, 1101))}

    def test_none_is_the_uri_mlflow_would_use(self, store, monkeypatch):
        """As every other MLflow tool does."""
        run_id = new_run(store)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", store.uri)
        assert open_source().read(run_id).run_id == run_id


class TestReadingFails:
    """One line for everything that can be wrong with a place or a run."""

    @pytest.mark.parametrize("run_id", ["nosuchrun", "../x", "a b"])
    def test_unknown_run(self, store, run_id):
        """The line names the run and the store asked."""
        with pytest.raises(RunNotFoundError) as caught:
            open_source(store.uri).read(run_id)
        assert str(caught.value) == f"MLflow at {store.uri} has no run {run_id!r}"

    @pytest.mark.parametrize(
        ("uri", "words"),
        [
            ("sqlite:///typo/mlflow.db", "there is no MLflow store at"),
            ("typo/mlruns", "there is no MLflow store at"),
            ("sqlite://", "names no file"),
            ("sqlite:///:memory:", "names no file"),
            ("sqlite:///text.db", "is no SQLite database"),
            ("sqlite:///other.db", "not one of MLflow's"),
            ("nosuch://me:secret@host", "'nosuch://host' is no tracking URI"),
        ],
    )
    def test_a_place_that_is_no_store(self, tmp_path, monkeypatch, uri, words):
        """One line says why, and nothing is created or filled, as MLflow alone would do."""
        monkeypatch.chdir(tmp_path)
        (tmp_path / "text.db").write_text("a file, and no database: " * 50)
        with closing(sqlite3.connect("other.db")) as other, other:
            other.execute("CREATE TABLE songs (title)")
        before = files_below(tmp_path)

        with pytest.raises(BadInputError, match=words):
            open_source(uri).read("r")
        assert before == files_below(tmp_path)
        assert {path.name for path in tmp_path.iterdir()} == {"other.db", "text.db"}

    def test_a_store_of_another_mlflow_is_not_migrated(self, tmp_path):
        """MLflow would migrate it in place where a table is missing, and its own server could no longer open it."""
        store = fresh_store(tmp_path)
        store.rows("UPDATE alembic_version SET version_num = 'c48cb773bb87'")
        store.rows("DROP TABLE inputs")
        before = store.database.read_bytes()
        with pytest.raises(ReadError, match=r"schema c48cb773bb87.*mlflow db upgrade"):
            MlflowReader(store.uri).read("r")
        assert store.database.read_bytes() == before

    def test_an_unreachable_server(self, capfd):
        """Seconds, one line without the password, and no word from MLflow itself."""
        start = time.monotonic()
        port = free_port()
        with pytest.raises(ReadError) as caught:
            open_source(f"http://me:secret@127.0.0.1:{port}").read("r")
        assert str(caught.value) == f"MLflow at http://127.0.0.1:{port}: run r could not be read: Connection refused"
        assert time.monotonic() - start < 20
        assert capfd.readouterr() == ("", "")

    def test_the_password_of_a_database_is_not_shown(self):
        """Whatever fails, its driver or its host, and whatever the password is made of."""
        with pytest.raises(ReadError) as caught:
            open_source(f"postgresql://me:s/cr:et@127.0.0.1:{free_port()}/runs?sslpassword=hidden").read("r")
        assert not [word for word in ("me:", "s/cr", "et@", "hidden") if word in str(caught.value)]

    def test_a_server_that_never_answers(self, monkeypatch):
        """The user's own patience counts, and what is set for MLflow is unset again."""
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
        environment, level = dict(os.environ), logging.getLogger("mlflow").level
        with socket.create_server(("127.0.0.1", 0)) as silent:
            uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
            with pytest.raises(ReadError, match=f"MLflow at {uri}: run r could not be read: no answer in time"):
                open_source(uri).read("r")
        assert dict(os.environ) == environment
        assert logging.getLogger("mlflow").level == level

    @pytest.mark.parametrize("status", [200, 401, 403, 404, 500])
    def test_a_server_that_is_not_mlflow_or_refuses(self, status):
        """That is no unknown run."""
        with answering(status) as uri, pytest.raises(ReadError) as caught:
            open_source(uri).read("r")
        assert str(caught.value).startswith(f"MLflow at {uri}: run r could not be read: ")
        assert len(str(caught.value).splitlines()) == 1


class TestTags:
    """What is tagged, and that nothing else is."""

    def test_the_tags_of_a_report(self):
        """One for each rule with its strongest finding, and the fixed ones."""
        found = report(
            "r",
            finding(best_step=12),
            finding("loss_spikes", Severity.INFO, "1 spike", cause="overfitting"),
            finding("loss_spikes", Severity.CRITICAL, "9 spikes", best_step=99),
            finding("loss_spikes", Severity.CRITICAL, "8 spikes"),
        )
        assert tags_of(found) == {
            "diagnose.overfitting": "warning: +34 % since step 12",
            "diagnose.loss_spikes": "critical: 9 spikes",
            "diagnose.verdict": "overfitting",
            "diagnose.status": "warning",
            "diagnose.best_step": "12",
            "diagnose.version": __version__,
            "diagnose.fingerprint": "f1",
        }

    @pytest.mark.parametrize(
        ("found", "step"),
        [
            (report("r", finding(), finding("loss_spikes", best_step=40.0)), "40"),
            (report("r", finding(best_step=None)), "20"),
            (report("r"), "20"),
            (report("r", val_loss=()), None),
            (report("r", steps=(0, 0, 0)), None),
        ],
        ids=["another finding", "held-out curve", "healthy", "no held-out curve", "no steps"],
    )
    def test_the_best_step(self, found, step):
        """From a finding, else where the held-out curve is best, else not at all."""
        assert tags_of(found).get("diagnose.best_step") == step

    def test_what_comes_from_a_log_cannot_harm(self):
        """Neither by control characters nor by length."""
        brief = "\x1b[31mred\u202e\nend " + "x" * 9000
        value = tags_of(report("r", finding(brief=brief)))["diagnose.overfitting"]
        assert value.startswith("warning: [31mred end xxx")
        assert len(value) < 5000

    def test_a_second_diagnosis_replaces_the_first(self, store):
        """Tags of rules that no longer fire go; the user's tags, description and artifacts stay to the byte."""
        own = {"diagnose.mine": "keep", "diagnosed": "by me", NOTE: " My *run*\n"}
        run_id = new_run(store, **own)
        kept = tags_in(store, run_id)
        tags = MlflowTags(store.uri)
        tags.write(report(run_id, finding("third_party_rule"), finding("divergence", Severity.CRITICAL)))
        assert tags_in(store, run_id)["diagnose.third_party_rule"] == "warning: +34 % since step 12"

        second = report(run_id, finding(), fingerprint="f2")
        tags.write(second)
        assert tags_in(store, run_id) == {**kept, **tags_of(second)}

    def test_writing_twice_writes_once(self, store):
        """What already stands there is not sent again: the database does not change."""
        run_id = new_run(store)
        tags, found = MlflowTags(store.uri, note=True), report(run_id, finding())
        tags.write(found)
        first = tags_in(store, run_id)
        with closing(sqlite3.connect(store.database)) as watcher:
            version = watcher.execute("PRAGMA data_version").fetchone()
            tags.write(found)
            assert watcher.execute("PRAGMA data_version").fetchone() == version
        assert tags_in(store, run_id) == first

    def test_the_fingerprint_tells_what_is_current(self, store):
        """A run is current with the diagnosis it carries, and with no other."""
        run_id = new_run(store)
        tags = MlflowTags(store.uri)
        run = lambda: tags.store.writable_run(run_id)  # noqa: E731 - as it is by now
        assert not tags.is_current(report(run_id), run())
        tags.write(report(run_id))
        assert tags.is_current(report(run_id), run())
        assert not tags.is_current(report(run_id, fingerprint="f2"), run())
        tags.write(report(run_id), whole=False)
        assert tags.is_current(report(run_id), run(), whole=False)
        assert not tags.is_current(report(run_id), run())

    def test_clear_takes_away_what_was_written(self, store):
        """And only that; a second time there is nothing to take."""
        run_id = new_run(store, **{"diagnose.mine": "keep", NOTE: "Mine.\n\n"})
        before = tags_in(store, run_id)
        tags, found = MlflowTags(store.uri, note=True), report(run_id, finding())
        tags.write(found)
        assert tags.clear(run_id) == sorted({*tags_of(found), NOTE})
        assert tags_in(store, run_id) == before
        assert tags.clear(run_id) == []


class TestNote:
    """The section in the description, between the lines of its owner."""

    @pytest.mark.parametrize("text", ["", "Mine.", "Mine.\n\n", "\n\n", "a <!-- comment --> b", "\r\nMine.\r\n"])
    def test_a_note_comes_and_goes(self, text):
        """The user's text is what it was."""
        noted = with_note(text, "overfitting")
        assert noted.startswith(text)
        assert "overfitting" in noted
        assert with_note(noted, "") == text

    def test_a_note_is_replaced_where_it_stands(self):
        """Also when the user went on writing around it, copied it, or broke a marker."""
        noted = "Above." + with_note("", "one") + "\nBelow."
        assert with_note(noted, "two") == "Above." + with_note("", "two") + "\nBelow."
        assert with_note(noted + with_note("", "one"), "two") == with_note(noted, "two")
        broken = noted.replace("end -->", "end")
        assert with_note(with_note(broken, "two"), "") == broken

    def test_a_note_cannot_end_itself(self):
        """A curve may have our marker as its name."""
        assert with_note(with_note("Mine.", with_note("", "one")), "") == "Mine."

    def test_the_note_names_causes_as_plain_text(self):
        """With what to try first; names from a log make no element and no link."""
        found = report("r", finding("a_rule"), finding("other", cause="a_rule"))
        assert note_of(found) == "**Diagnosis: a rule**\n\n- warning: It shows a\\_rule. Try first: Stop early."
        assert r"It shows \[x\](u)&lt;b&gt;." in note_of(report("r", finding("[x](u)<b>")))

    def test_a_note_is_kept_current_in_the_description(self, store):
        """Once there, it follows the diagnosis, asked for or not."""
        run_id = new_run(store, **{NOTE: "Mine."})
        MlflowTags(store.uri, note=True).write(report(run_id, finding()))
        second = report(run_id, finding("divergence"))
        MlflowTags(store.uri).write(second)
        assert tags_in(store, run_id)[NOTE] == with_note("Mine.", note_of(second))

    def test_a_long_description_is_not_cut(self, store):
        """MLflow cuts what is too long: then the tags are written and the description is left alone."""
        run_id = new_run(store, **{NOTE: "x" * 4950})
        with pytest.raises(WriteError, match="too long"):
            MlflowTags(store.uri, note=True).write(report(run_id))
        assert tags_in(store, run_id)[NOTE] == "x" * 4950
        assert tags_in(store, run_id)["diagnose.verdict"] == "healthy"


class TestArtifacts:
    """What lies below `diagnosis/`, and that nothing else moves."""

    def test_the_files_are_there_and_the_users_too(self, store, tmp_path):
        """A second write replaces ours; the user's artifacts stay to the byte, also those in our folder."""
        run_id = new_run(store)
        own = tmp_path / "diagnosis"
        own.mkdir()
        (own / "mine.txt").write_bytes(b"mine\r\n")
        client_of(store).log_artifacts(run_id, str(tmp_path))
        artifacts = MlflowArtifacts(store.uri)
        assert artifacts.left_behind(run_id) == []

        artifacts.write(report(run_id), PAGES)
        artifacts.write(report(run_id), {**PAGES, "report.html": b"<p>two</p>"})

        assert files_below(store.artifact_folder(run_id)) == {
            "diagnosis/mine.txt": b"mine\r\n",
            "diagnosis/report.html": b"<p>two</p>",
            "diagnosis/curves.png": PAGES["curves.png"],
            "diagnosis/findings.json": b"{}",
        }
        assert artifacts.left_behind(run_id) == [f"diagnosis/{name}" for name in FILES]

    @pytest.mark.parametrize(
        "location",
        [
            "file:///C:/Users/me/mlruns/0/r/artifacts",
            "C:\\Users\\me\\mlruns\\0\\r\\artifacts",
            "file://elsewhere/share/mlruns/0/r/artifacts",
            "file:///nosuchhome/me/mlruns/0/r/artifacts",
            "./mlruns/0/r/artifacts",
        ],
    )
    def test_artifacts_of_another_machine(self, sqlite, tmp_path, monkeypatch, location):
        """They are an error, and not a folder in the working directory or at the root."""
        monkeypatch.chdir(tmp_path)
        run_id = new_run(sqlite)
        sqlite.rows("UPDATE runs SET artifact_uri = ? WHERE run_uuid = ?", location, run_id)
        root = set(Path("/").iterdir())
        with pytest.raises(WriteError, match="not on this machine"):
            MlflowArtifacts(sqlite.uri).write(report(run_id), PAGES)
        assert list(tmp_path.iterdir()) == []
        assert set(Path("/").iterdir()) == root

    def test_artifacts_behind_a_server(self, server):
        """Whoever opens the server's database itself is told to ask the server."""
        run_id = new_run(server)
        with pytest.raises(WriteError, match="go through an MLflow server"):
            MlflowArtifacts(f"sqlite:///{server.database}").write(report(run_id), PAGES)
        assert not server.artifact_folder(run_id).exists()

    def test_an_artifact_folder_that_cannot_be_written(self, store):
        """A file stands where the folder should be."""
        run_id = new_run(store)
        folder = store.artifact_folder(run_id)
        folder.mkdir(parents=True)
        (folder / "diagnosis").write_text("in the way")
        with pytest.raises(WriteError, match=f"the artifacts of run {run_id} could not be written"):
            MlflowArtifacts(store.uri).write(report(run_id), PAGES)


class TestWritingFails:
    """One line for everything that can keep a diagnosis from being written."""

    @staticmethod
    def attempts(uri, run_id):
        """Each way to write."""
        tags, artifacts = MlflowTags(uri), MlflowArtifacts(uri)
        yield lambda: tags.write(report(run_id))
        yield lambda: tags.clear(run_id)
        yield lambda: artifacts.write(report(run_id), PAGES)

    def test_unknown_run(self, store):
        """It is told from a store that fails."""
        for attempt in self.attempts(store.uri, "nosuchrun"):
            with pytest.raises(RunNotFoundError, match="has no run 'nosuchrun'"):
                attempt()

    def test_deleted_run(self, store):
        """MLflow itself refuses only the tags, and would write artifacts."""
        run_id = new_run(store)
        client_of(store).delete_run(run_id)
        for attempt in self.attempts(store.uri, run_id):
            with pytest.raises(WriteError, match=f"run {run_id} is deleted.*mlflow runs restore"):
                attempt()
        assert not store.artifact_folder(run_id).exists()

    def test_unreachable_or_refusing_server(self):
        """The error is one of writing."""
        with answering(403) as refuses:
            for uri in (f"http://127.0.0.1:{free_port()}", refuses):
                for attempt in self.attempts(uri, "r"):
                    with pytest.raises(WriteError, match=f"MLflow at {uri}: "):
                        attempt()

    def test_a_store_that_refuses_the_tags(self, store, capfd):
        """One line says so, and MLflow adds none; the artifacts can be written all the same."""
        run_id = new_run(store, **{"diagnose.overfitting": "warning: +34 %"})
        before = tags_in(store, run_id)
        capfd.readouterr()
        with refusing(store, run_id):
            for change in (
                lambda: MlflowTags(store.uri).clear(run_id),
                lambda: MlflowTags(store.uri).write(report(run_id)),
            ):
                with pytest.raises(WriteError, match=f"the tags of run {run_id} could not be written: ") as caught:
                    change()
                assert len(str(caught.value).splitlines()) == 1
            MlflowArtifacts(store.uri).write(report(run_id), PAGES)
        # What is wrong no longer stands there, and the next call takes the rest away.
        assert tags_in(store, run_id) == {
            **before,
            **tags_of(report(run_id)),
            "diagnose.overfitting": "no longer found",
        }
        MlflowTags(store.uri).write(report(run_id))
        assert "diagnose.overfitting" not in tags_in(store, run_id)
        assert capfd.readouterr() == ("", "")

    def test_a_read_only_store(self, sqlite, tmp_path, monkeypatch):
        """It is read, and the tags are an error."""
        monkeypatch.chdir(tmp_path)
        run_id = new_run(sqlite)
        uri = f"sqlite:///file:{sqlite.database}?mode=ro&uri=true"
        assert open_source(uri).read(run_id).run_id == run_id
        with pytest.raises(WriteError, match="readonly database"):
            MlflowTags(uri).write(report(run_id))

    def test_every_error_has_its_exit_status(self):
        """A wrong place is the user's to mend (2); a store that fails may be another's (3)."""
        kinds: list[type[DiagnoseError]] = [BadInputError, RunNotFoundError, ReadError, WriteError]
        assert [kind.exit_status for kind in kinds] == [2, 2, 3, 3]
