"""MLflow's own basic-auth app: who may only read gets the diagnosis printed, and nobody's password is shown."""

from __future__ import annotations

import base64
import json
import urllib.request

import pytest

from live.test_many import called, log_runs, tags_in
from mlflow_server import mlflow_server_with_users

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("mlflow")]

ADMIN, READER = ("admin", "a-long-admin-password"), ("reader", "s3cret-of-the-reader")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A server with an admin's runs, and a user who may read them."""
    pytest.importorskip("flask_wtf")
    with mlflow_server_with_users(tmp_path_factory.mktemp("guarded"), ADMIN) as store:
        body = json.dumps(dict(zip(("username", "password"), READER, strict=True))).encode()
        known = base64.b64encode(":".join(ADMIN).encode()).decode()
        request = urllib.request.Request(  # noqa: S310 - our own server
            f"{store.uri}/api/2.0/mlflow/users/create",
            body,
            {"Authorization": f"Basic {known}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30):  # noqa: S310 - the same
            pass
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MLFLOW_TRACKING_USERNAME", ADMIN[0])
            patch.setenv("MLFLOW_TRACKING_PASSWORD", ADMIN[1])
            runs = log_runs(store.uri, "guarded", 3)
        yield store, runs


@pytest.fixture
def as_user(monkeypatch):
    """Calls are made by a user."""

    def become(user):
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", user[0])
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", user[1])

    return become


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("options", [(), ("--tags-only",)], ids=["all", "tags"])
def test_a_user_who_may_only_read(guarded, as_user, capsys, options, jobs):
    """Every run is printed; one line says that nothing was written; nothing is."""
    store, runs = guarded
    as_user(READER)
    capsys.readouterr()
    args = ("--experiment", "guarded", "--tracking-uri", store.uri, "--format", "json", "--jobs", jobs)
    status, out, err = called(capsys, *args, *options)
    assert status == 3
    assert [run["run_id"] for run in json.loads(out)["runs"]] == runs
    words = "this user may not write there: the diagnosis is printed only, as with --no-write"
    assert err == f"mlflow-diagnose: MLflow at {store.uri}: {words}\n"
    assert tags_in(store) == {}
    assert READER[1] not in out + err


def test_nobody_and_a_wrong_password(guarded, as_user, capsys, monkeypatch):
    """Status 3, and what to set; neither the user nor the password is shown."""
    store, _ = guarded
    as_user((READER[0], "wr0ng-password"))
    capsys.readouterr()
    for uri in (store.uri, store.uri.replace("//", "//somebody:wr0ng-password@")):
        status, out, err = called(capsys, "--experiment", "guarded", "--tracking-uri", uri)
        assert (status, out) == (3, "")
        assert "MLFLOW_TRACKING_USERNAME" in err
        assert "wr0ng" not in err
        assert "somebody" not in err
        monkeypatch.delenv("MLFLOW_TRACKING_USERNAME", raising=False)
        monkeypatch.delenv("MLFLOW_TRACKING_PASSWORD", raising=False)


def test_a_user_who_may_write(guarded, as_user, capsys):
    """The admin's diagnosis is written."""
    store, runs = guarded
    as_user(ADMIN)
    capsys.readouterr()
    status, _, err = called(capsys, "--experiment", "guarded", "--tracking-uri", store.uri, "--tags-only")
    assert (status, err) == (0, "")
    assert set(tags_in(store)) == set(runs)
    assert ADMIN[1] not in str(tags_in(store))
