"""MLflow servers over plain HTTP: what MLflow's client gives, faster; and what a server may do instead of answering."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from mlflow_diagnose.errors import BadInputError, ReadError, RunNotFoundError
from mlflow_diagnose.readers import mlflow_rest, open_source
from mlflow_diagnose.readers.mlflow import MlflowReader
from mlflow_diagnose.readers.mlflow_rest import MlflowRestReader
from mlflow_diagnose.readers.tracking.server import is_plain_server
from mlflow_server import free_port
from rawruns import LOGGED, assert_same, client_at, lay_down

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("mlflow")]

BULK = "/ajax-api/2.0/mlflow/metrics/get-history-bulk"
HISTORY = "/api/2.0/mlflow/metrics/get-history"
RUN = "/api/2.0/mlflow/runs/get"
POINT = {"key": "loss", "value": 0.5, "timestamp": 1500, "step": 7, "run_id": "r"}
ANSWERS = {
    RUN: {"run": {"info": {"run_id": "r", "status": "FINISHED"}, "data": {"metrics": [POINT]}}},
    BULK: {"metrics": [POINT]},
    HISTORY: {"metrics": [{**POINT, "value": "NaN"}]},
}


class Told:
    """What a server of ours does, and what it was asked.

    Attributes:
        answers: The answer for a path: JSON, bytes, a status, or what takes the handler and answers by itself.
        asked: Each request: its path, its query and its headers.
    """

    def __init__(self, answers):
        self.answers = {**ANSWERS, **answers}
        self.asked = []

    def paths(self):
        """The path of each request."""
        return [path for path, _, _ in self.asked]


@contextmanager
def server_with(**answers):
    """A server of ours, by the names of the paths above, that answers as told."""
    told = Told({{"run": RUN, "bulk": BULK, "history": HISTORY}[name]: answer for name, answer in answers.items()})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            parts = urlsplit(self.path)
            told.asked.append((parts.path, parse_qs(parts.query), dict(self.headers)))
            answer = told.answers.get(parts.path, 404)
            if callable(answer):
                answer = answer(self)
            if answer is None:
                return
            body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(answer if isinstance(answer, int) else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - the library's name

        def log_message(self, *_):
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_):
            pass  # who asked has gone

    with Server(("127.0.0.1", 0), Handler) as server:
        server.told = told
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", told
        finally:
            server.shutdown()
            thread.join()


def failure(uri):
    """What a reader says of run `r`, less the words that are always there."""
    with pytest.raises(ReadError) as caught:
        open_source(uri).read("r")
    text = str(caught.value)
    assert text.startswith(f"MLflow at {uri}: ")
    assert len(text.splitlines()) == 1
    return text.removeprefix(f"MLflow at {uri}: ")


class TestARealServer:
    """What `mlflow server` answers."""

    def test_a_run_as_mlflow_gives_it(self, server):
        """To the bit."""
        run_id = lay_down(server.uri)
        reader = open_source(server.uri)
        assert isinstance(reader, MlflowRestReader)
        ours = reader.read(run_id)
        assert_same(ours, MlflowReader(server.uri).read(run_id))
        assert [curve.name for curve in ours.curves] == sorted(LOGGED)

    def test_many_runs(self, server):
        """In the order asked for, each as alone; one that is not there costs the others nothing."""
        other = {"one": ([1.0, 2.0], [1, 2]), "only here": ([3.0], [1])}
        run_ids = [lay_down(server.uri, LOGGED if index % 2 else other) for index in range(12)]
        client_at(server.uri).delete_run(run_ids[3])
        asked = [*run_ids[::-1], "nosuchrun", "../x", run_ids[0]]
        reader, theirs = open_source(server.uri), MlflowReader(server.uri)
        for run_id, run in zip(asked, reader.read_many(asked), strict=True):
            if run_id in run_ids:
                assert run.run_id == run_id
                assert_same(run, theirs.read(run_id))
            else:
                assert isinstance(run, RunNotFoundError)

    def test_the_silent_cut_is_repaired(self, server, monkeypatch):
        """The server leaves out what is beyond 25,000 rows: in the third run of 9,000, and in one of 26,000."""
        monkeypatch.setattr(mlflow_rest, "FIRST_RUNS", 4)
        logged = {"loss": ([index / 7 for index in range(9_000)], range(9_000))}
        longer = {"loss": ([index / 7 for index in range(26_000)], range(26_000))}
        run_ids = [*(lay_down(server.uri, logged) for _ in range(3)), lay_down(server.uri, longer)]
        for run, (values, steps) in zip(
            open_source(server.uri).read_many(run_ids), [*[logged["loss"]] * 3, longer["loss"]], strict=True
        ):
            (curve,) = run.curves
            np.testing.assert_array_equal(curve.values, values)
            np.testing.assert_array_equal(curve.steps, steps)

    def test_runs_are_listed_as_mlflow_lists_them(self, server):
        """The newest first, deleted ones left out."""
        run_id = lay_down(server.uri, {})
        client_at(server.uri).delete_run(run_id)
        listed = open_source(server.uri).run_ids()
        assert listed == MlflowReader(server.uri).run_ids()
        assert run_id not in listed

    def test_no_mlflow_is_loaded(self, server):
        """That alone would take seconds."""
        run_id = lay_down(server.uri)
        program = (
            "import sys; from mlflow_diagnose.readers import open_source; "
            f"print(len(open_source({server.uri!r}).read({run_id!r}).curves)); print(*sys.modules)"
        )
        count, modules = subprocess.run(
            [sys.executable, "-c", program], check=True, capture_output=True, text=True
        ).stdout.splitlines()
        assert int(count) == len(LOGGED)
        assert not {"mlflow", "pandas", "sqlalchemy", "scipy"} & set(modules.split())


class TestOlderServers:
    """Not every server has the same end points."""

    @pytest.mark.parametrize("answer", [404, 403, 500, b"<html>", {"metrics": "none"}, {"metrics": [{"key": "loss"}]}])
    def test_without_bulk_histories(self, monkeypatch, answer):
        """The documented end point is asked, in which NaN is text."""
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        with server_with(bulk=answer) as (uri, told):
            (curve,) = open_source(uri).read("r").curves
            assert np.isnan(curve.values).all()
            assert curve.steps.tolist() == [7]
            assert told.asked[-1][1] == {"run_id": ["r"], "run_uuid": ["r"], "metric_key": ["loss"]}

    def test_a_bare_nan(self):
        """As Flask writes it."""
        with server_with(bulk=json.dumps({"metrics": [{**POINT, "value": float("nan")}]}).encode()) as (uri, told):
            (curve,) = open_source(uri).read("r").curves
            assert np.isnan(curve.values).all()
            assert HISTORY not in told.paths()

    def test_pages(self):
        """A server may give a history in several."""

        def page(handler):
            token = parse_qs(urlsplit(handler.path).query).get("page_token")
            return {"metrics": [POINT]} if token else {"metrics": [POINT], "next_page_token": "two"}

        with server_with(bulk=404, history=page) as (uri, _):
            (curve,) = open_source(uri).read("r").curves
            assert len(curve.values) == 2

    def test_pages_without_end(self):
        """The same again and again is an error."""
        with server_with(bulk=404, history={"metrics": [POINT], "next_page_token": "again"}) as (uri, _):
            assert "the same page again and again" in failure(uri)

    @pytest.mark.parametrize(
        "rows",
        [[{**POINT, "value": "many"}], [{**POINT, "step": 2**70}], [{**POINT, "timestamp": []}], [[]], [None], "rows"],
    )
    def test_histories_that_are_none(self, rows):
        """One line, no traceback."""
        with server_with(bulk=404, history={"metrics": rows}) as (uri, _):
            assert failure(uri) == "the metrics of run r could not be read: the answer is not what MLflow answers"

    def test_a_cut_answer_about_other_runs(self):
        """It is no reason to ask for ever."""
        rows = [{**POINT, "run_id": "other"}] * 25_000
        with server_with(bulk={"metrics": rows}) as (uri, told):
            assert len(open_source(uri).read("r").curves) == 1
            assert len(told.asked) == 3


class TestWhoAsks:
    """MLflow's own settings are obeyed."""

    @pytest.mark.parametrize(
        ("settings", "sent"),
        [
            ({"USERNAME": "me", "PASSWORD": "pä:ss"}, "Basic bWU6cMOkOnNz"),
            ({"TOKEN": "abc"}, "Bearer abc"),
            ({"USERNAME": "me", "PASSWORD": "x", "TOKEN": "abc"}, "Basic bWU6eA=="),
            ({"USERNAME": "me"}, None),
            ({}, None),
        ],
    )
    def test_credentials(self, monkeypatch, tmp_path, settings, sent):
        """Those of the environment, as MLflow sends them."""
        monkeypatch.setenv("HOME", str(tmp_path))
        for name, value in settings.items():
            monkeypatch.setenv(f"MLFLOW_TRACKING_{name}", value)
        with server_with() as (uri, told):
            open_source(uri).read("r")
            MlflowReader(uri).read("r")
        assert {headers.get("Authorization") for _, _, headers in told.asked} == {sent}

    def test_credentials_in_a_file_and_in_the_uri(self, monkeypatch, tmp_path):
        """`mlflow` keeps them in the home directory; those of the URI come first."""
        monkeypatch.setenv("HOME", str(tmp_path))
        (tmp_path / ".mlflow").mkdir()
        (tmp_path / ".mlflow" / "credentials").write_text(
            "[mlflow]\nmlflow_tracking_username = me\nmlflow_tracking_password = x\n"
        )
        with server_with() as (uri, told):
            open_source(uri).read("r")
            open_source(uri.replace("//", "//you:y@")).read("r")
        sent = [headers.get("Authorization") for path, _, headers in told.asked if path == RUN]
        assert sent == ["Basic bWU6eA==", "Basic eW91Onk="]

    def test_a_password_is_never_shown(self):
        """Neither where the run is missing nor where the server is."""
        missing = b'{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no"}'
        with server_with(run=missing_answer(missing)) as (uri, _), pytest.raises(RunNotFoundError) as caught:
            open_source(uri.replace("//", "//me:secret@")).read("r")
        assert str(caught.value) == f"MLflow at {uri} has no run 'r'"
        with pytest.raises(ReadError) as caught:
            open_source(f"http://me:secret@127.0.0.1:{free_port()}?token=secret").read("r")
        assert "secret" not in str(caught.value)

    def test_what_only_mlflow_can_sign(self, monkeypatch):
        """It is left to MLflow."""
        assert is_plain_server("https://host")
        for name in ("MLFLOW_TRACKING_AWS_SIGV4", "MLFLOW_TRACKING_AUTH"):
            with monkeypatch.context() as patch:
                patch.setenv(name, "x")
                assert not is_plain_server("https://host")
        assert not is_plain_server("databricks")

    @pytest.mark.parametrize(
        ("settings", "words"),
        [
            ({"MLFLOW_HTTP_REQUEST_TIMEOUT": "soon"}, "MLFLOW_HTTP_REQUEST_TIMEOUT is 'soon', and no whole number"),
            ({"MLFLOW_TRACKING_INSECURE_TLS": "true", "MLFLOW_TRACKING_SERVER_CERT_PATH": "x"}, "exclude each other"),
        ],
    )
    def test_settings_that_make_no_sense(self, monkeypatch, settings, words):
        """One line names them."""
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(BadInputError, match=words):
            open_source("http://127.0.0.1:1").read("r")


def missing_answer(body, status=404):
    """What answers with a status and a body."""

    def answer(handler):
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


class TestNoAnswer:
    """One clear line, in bounded time."""

    @pytest.mark.parametrize(
        ("answer", "words"),
        [
            (401, "run r could not be read: the server wants to know who asks (HTTP status 401): set MLFLOW_TRACKING_"),
            (403, "run r could not be read: the server does not allow it (HTTP status 403)"),
            (404, "run r could not be read: the server refuses (HTTP status 404)"),
            (429, "run r could not be read: the server answers with HTTP status 429; its log says why"),
            (500, "run r could not be read: the server answers with HTTP status 500; its log says why"),
            (b"<html>log in</html>", "run r could not be read: the answer is not MLflow's: is this the address of"),
            (b"", "run r could not be read: the answer is not MLflow's: is this the address of"),
            (b"[" * 100_000, "run r could not be read: the answer is not MLflow's"),
            (b"\xff\xfe", "run r could not be read: the answer is not MLflow's"),
            ({}, "run r could not be read: the answer is not what MLflow answers"),
            ({"run": {"info": {"run_name": 7}}}, "run r could not be read: the answer is not what MLflow answers"),
            (
                {"run": {"info": {}, "data": {"metrics": [{}]}}},
                "run r could not be read: the answer is not what MLflow",
            ),
        ],
    )
    def test_other_answers(self, answer, words, capfd):
        """From a server that refuses, fails, or is none of MLflow's."""
        with server_with(run=answer) as (uri, _):
            assert failure(uri).startswith(words)
        assert capfd.readouterr() == ("", "")

    def test_the_servers_own_words_on_one_line(self):
        """Without what a terminal might obey."""
        body = json.dumps({"error_code": "PERMISSION_DENIED", "message": "not for \x1b[31myou\nat all"}).encode()
        with server_with(run=missing_answer(body, 403)) as (uri, _):
            assert failure(uri).endswith("the server does not allow it (HTTP status 403): not for [31myou")

    def test_an_answer_that_is_cut_off(self):
        """The connection ends before it does."""

        def cut(handler):
            handler.send_response(200)
            handler.send_header("Content-Length", "1000")
            handler.end_headers()
            handler.wfile.write(b'{"run":')

        with server_with(run=cut) as (uri, _):
            assert failure(uri) == "run r could not be read: the answer was cut off"

    @pytest.mark.parametrize("begun", [False, True])
    def test_an_answer_that_never_ends(self, monkeypatch, begun):
        """The user's own patience counts, and what is set for MLflow is unset again."""
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
        over = threading.Event()

        def hang(handler):
            if begun:
                handler.send_response(200)
                handler.send_header("Content-Length", "1000")
                handler.end_headers()
                handler.wfile.write(b'{"run":')
            over.wait(20)

        environment, level = dict(os.environ), logging.getLogger("urllib3").level
        with server_with(run=hang) as (uri, _):
            start = time.monotonic()
            assert failure(uri) == "run r could not be read: no answer in time"
            assert time.monotonic() - start < 15
            over.set()
        assert dict(os.environ) == environment
        assert logging.getLogger("urllib3").level == level

    def test_a_server_that_is_busy_for_a_moment(self):
        """It is asked once more, and a wait of an hour is not waited for."""
        answers = [429, ANSWERS[RUN]]

        def busy(handler):
            answer = answers.pop(0)
            if answer == 429:
                handler.send_response(429)
                handler.send_header("Retry-After", "0")
                handler.send_header("Content-Length", "0")
                handler.end_headers()
                return None
            return answer

        with server_with(run=busy) as (uri, _):
            assert len(open_source(uri).read("r").curves) == 1

    def test_a_wait_longer_than_anyone_waits(self, monkeypatch):
        """It is cut to the patience for an answer."""
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")

        def later(handler):
            handler.send_response(503)
            handler.send_header("Retry-After", "3600")
            handler.send_header("Content-Length", "0")
            handler.end_headers()

        with server_with(run=later) as (uri, _):
            start = time.monotonic()
            assert "HTTP status 503" in failure(uri)
            assert time.monotonic() - start < 15

    def test_a_history_that_fails_costs_its_run_alone(self):
        """The others are read."""

        def run(handler):
            (run_id,) = parse_qs(urlsplit(handler.path).query)["run_id"]
            return {"run": {"info": {"run_id": run_id}, "data": {"metrics": [POINT]}}}

        def history(handler):
            (run_id,) = parse_qs(urlsplit(handler.path).query)["run_id"]
            return ANSWERS[HISTORY] if run_id == "good" else b"<html>"

        with server_with(run=run, bulk=404, history=history) as (uri, _):
            good, bad = open_source(uri).read_many(["good", "bad"])
            assert len(good.curves) == 1
            assert isinstance(bad, ReadError)

    @pytest.mark.parametrize("uri", ["http://", "http://[", "https://a b"])
    def test_no_address(self, uri):
        """One line."""
        with pytest.raises((BadInputError, ReadError)) as caught:
            open_source(uri).read("r")
        assert len(str(caught.value).splitlines()) == 1
