"""Logdirs behind a URL, on fsspec's own file system in memory."""

from __future__ import annotations

import sys
from pathlib import Path

import fsspec
import pytest

import eventlogs
from mlflow_diagnose.errors import BadInputError, ReadError
from mlflow_diagnose.readers import open_source


@pytest.fixture
def memory():
    """An empty file system."""
    files = fsspec.filesystem("memory")
    yield files
    files.rm("/", recursive=True)


def upload(files, folder: Path, to: str):
    """Copy a local folder there."""
    for path in folder.rglob("*"):
        if path.is_file():
            files.pipe(f"{to}/{path.relative_to(folder).as_posix()}", path.read_bytes())


def test_a_remote_logdir_is_read_as_a_local_one(memory, tmp_path):
    """The same runs, curves and points; halves in sub-directories join."""
    for half, shift in (("train", 0.0), ("validation", 0.5)):
        eventlogs.write(tmp_path / "runs" / "a" / half, eventlogs.curve("loss", [3.0 + shift, 2.0, 1.0]))
    eventlogs.write(tmp_path / "runs" / "b", eventlogs.curve("loss", [1.0, 0.5]))
    upload(memory, tmp_path / "runs", "/bucket/runs")
    memory.pipe("/bucket/runs/a/checkpoint.pt", b"not ours to copy")
    local, remote = open_source(logdir=tmp_path / "runs"), open_source(logdir="memory://bucket/runs")
    assert list(remote.run_ids()) == list(local.run_ids()) == ["a", "b"]
    for run_id in ("a", "b"):
        one, other = remote.read(run_id), local.read(run_id)
        assert one.name == other.name
        points = [(curve.name, curve.steps.tolist(), curve.values.tolist()) for curve in one.curves]
        assert points == [(curve.name, curve.steps.tolist(), curve.values.tolist()) for curve in other.curves]


def test_nothing_there_is_told(memory):
    """With the URL, and not with a folder of this machine."""
    memory.pipe("/bucket/notes.txt", b"x")
    with pytest.raises(BadInputError, match=r"^memory://bucket holds no TensorBoard event file$"):
        open_source(logdir="memory://bucket").run_ids()


@pytest.mark.parametrize(
    ("url", "told"), [("nosuch://x/y", "Protocol not known"), ("s3://x/y", r"mlflow-diagnose\[s3\]")]
)
def test_an_unknown_file_system_is_told(url, told, monkeypatch):
    """A scheme nobody knows, and one whose driver is an extra."""
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(BadInputError, match=told):
        open_source(logdir=url).run_ids()


def test_a_store_that_fails_is_told_without_its_password(monkeypatch):
    """One line, of the class that exits with 3."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("denied for https://me:secret@host/x\nstack of layers")

    monkeypatch.setattr(fsspec.filesystem("memory"), "find", refuse)
    with pytest.raises(ReadError, match=r"^memory://bucket could not be read: denied for https://host/x$"):
        open_source(logdir="memory://bucket").run_ids()
