"""MLflow's basic-auth app, for real: who may read, and that nobody's password is ever shown."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from mlflow import MlflowClient

from mlflow_diagnose.errors import ReadError
from mlflow_diagnose.readers import open_source
from mlflow_diagnose.readers.tracking.quiet import quiet
from mlflow_server import EXPERIMENT, secured_server
from randomruns import Logged, as_client_says, as_read, lay_down

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("mlflow")]

ADMIN, READER, STRANGER = ("admin", "hunter2-of-admin"), ("reader", "hunter2@of:reader"), ("none", "hunter2-of-none")
SECRET = "hunter2"  # noqa: S105 - in every password, and nowhere else
CURVES = {"train_loss": [(2.0 / (step + 1), 1_700_000_000_000 + step, step) for step in range(30)]}
COMMAND = "import sys; from mlflow_diagnose.cli import main; main(sys.argv[1:])"


def signed_in(user):
    """MLflow's settings for a user."""
    return {"MLFLOW_TRACKING_USERNAME": user[0], "MLFLOW_TRACKING_PASSWORD": user[1]}


@pytest.fixture
def as_user(monkeypatch, tmp_path):
    """Signs a user in, or nobody, whatever the machine's own settings are."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_TOKEN", raising=False)

    def sign_in(user=None):
        for name, value in signed_in(user or ("", "")).items():
            monkeypatch.setenv(name, value) if user else monkeypatch.delenv(name, raising=False)

    return sign_in


@pytest.fixture(scope="module")
def secured(tmp_path_factory):
    """A server's URI, a run that `reader` may read, and one in an experiment that only `admin` may."""
    with secured_server(tmp_path_factory.mktemp("secured"), ADMIN[1]) as store, pytest.MonkeyPatch.context() as patch:
        for name, value in signed_in(ADMIN).items():
            patch.setenv(name, value)
        with quiet():
            from mlflow.server import get_app_client  # noqa: PLC0415 - it warns where it is imported

            users, client = get_app_client("basic-auth", store.uri), MlflowClient(store.uri)
            for user in (READER, STRANGER):
                users.create_user(*user)
            users.grant_user_permission(READER[0], "experiment", EXPERIMENT, "READ")
            run_id = lay_down(
                client, Logged("a run", CURVES, {"lr": "0.1"}, {"team": "vision"}, "FINISHED", deleted=False)
            )
            hidden = client.create_run(client.create_experiment("hidden")).info.run_id
            client.log_metric(hidden, "train_loss", 1.0)
        patch.undo()
        yield store.uri, run_id, hidden


def command(uri, *words, user=None, home):
    """The exit status and all output of the command."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    env = {**own, "HOME": str(home), "MLFLOW_DISABLE_TELEMETRY": "true", **(signed_in(user) if user else {})}
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, "--tracking-uri", uri, *words],
        capture_output=True,
        text=True,
        env=env,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("user", [ADMIN, READER], ids=["admin", "reader"])
def test_who_may_read_does(secured, as_user, user):
    """By MLflow's own settings, the same as MLflow's client says."""
    uri, run_id, hidden = secured
    as_user(user)
    reader = open_source(uri)
    assert as_read(reader.read(run_id)) == as_client_says(MlflowClient(uri), run_id)
    assert reader.run_ids() == [run_id] if user is READER else set(reader.run_ids()) == {run_id, hidden}


def test_credentials_in_the_uri(secured, as_user):
    """As MLflow's client takes them, here with an @ and a colon."""
    uri, run_id, _ = secured
    as_user()
    signed = uri.replace("://", "://reader:hunter2%40of%3Areader@")
    assert as_read(open_source(signed).read(run_id)) == as_client_says(MlflowClient(signed), run_id)


def test_a_run_that_is_not_for_the_user(secured, as_user):
    """It costs those beside it nothing, and one line says why."""
    uri, run_id, hidden = secured
    as_user(READER)
    first, second, third = open_source(uri).read_many([run_id, hidden, run_id])
    assert [first.run_id, third.run_id] == [run_id, run_id]
    assert isinstance(second, ReadError)
    assert str(second).startswith(f"MLflow at {uri}: run {hidden} could not be read: the server does not allow it")
    assert len(str(second).splitlines()) == 1


@pytest.mark.parametrize(
    ("user", "words"),
    [
        (STRANGER, "could not be read: the server does not allow it (HTTP status 403)"),
        (
            ("reader", "hunter2-wrong"),
            "could not be read: the server wants to know who asks (HTTP status 401): set MLFLOW_",
        ),
        (None, "could not be read: the server wants to know who asks (HTTP status 401): set MLFLOW_"),
    ],
    ids=["no permission", "wrong password", "nobody"],
)
@pytest.mark.parametrize("in_uri", [False, True], ids=["settings", "uri"])
def test_who_may_not_is_told_in_a_line(secured, tmp_path, user, words, in_uri):
    """And a password is in no output, not even in the traceback that was asked for."""
    uri, run_id, _ = secured
    shown, name = uri, user and user[0]
    if in_uri:
        uri = uri.replace("://", f"://{name}:{user[1]}@") if user else uri
        user = None
    status, out, err = command(uri, run_id, "--no-write", user=user, home=tmp_path)
    assert (status, out) == (3, "")
    assert err.startswith(f"mlflow-diagnose: MLflow at {shown}: run {run_id} {words}")
    assert len(err.splitlines()) == 1
    status, out, err = command(uri, run_id, "--no-write", "--debug", "--format", "json", user=user, home=tmp_path)
    assert (status, json.loads(out)["runs"]) == (3, [])
    assert "Traceback" in err
    assert SECRET not in out + err


def test_no_password_in_what_is_read(secured, tmp_path):
    """In no form of the report."""
    uri, run_id, _ = secured
    signed = uri.replace("://", "://reader:hunter2%40of%3Areader@")
    for form in ("text", "json", "html"):
        status, out, err = command(signed, run_id, "--no-write", "--format", form, home=tmp_path)
        assert (status, err) == (0, "")
        assert run_id in out
        assert SECRET not in out


def test_what_cannot_be_written_is_told_without_the_password(secured, tmp_path):
    """A user that may only read: through MLflow's own client, whose errors name the whole URI."""
    uri, run_id, _ = secured
    for place in (
        uri.replace("://", "://reader:hunter2%40of%3Areader@"),
        uri.replace("://", "://a:hunter2@").replace("127.0.0.1", "127.0.0.2"),
    ):
        status, out, err = command(place, run_id, "--debug", home=tmp_path)
        assert status == 3
        assert "Traceback" in err
        assert SECRET not in out + err
