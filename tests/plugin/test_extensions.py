"""Readers and writers of another package: one that is really built, installed and called by the command."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "tables"
version = "1.0"

[project.entry-points."mlflow_diagnose.readers"]
tables = "tables:Tables"
broken = "tables:nowhere"
empty = "tables:Empty"

[project.entry-points."mlflow_diagnose.writers"]
lines = "tables:Lines"
empty = "tables:Empty"
"""
PACKAGE = """
from pathlib import Path

import numpy as np

from curve_analyzers.model import RawCurve, RawRun


class Tables:
    def __init__(self, url):
        self.folder = Path(url.partition("://")[2])

    def run_ids(self):
        return sorted(path.stem for path in self.folder.glob("*.csv"))

    def read(self, run_id):
        table = np.genfromtxt(self.folder / f"{run_id}.csv", delimiter=",", names=True)
        steps = table["step"].astype(np.int64)
        curves = [RawCurve(name, steps, table[name]) for name in table.dtype.names if name != "step"]
        return RawRun("tables", run_id, run_id, curves)


class Lines:
    def __init__(self, path):
        self.path = path

    def write(self, report):
        with open(self.path, "a") as file:
            print(report.run.run_id, report.verdict, file=file)


class Empty:
    def __init__(self, argument):
        pass
"""
COMMAND = "import sys; from mlflow_diagnose.cli import main; main(sys.argv[1:])"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder into which the package is installed from its wheel."""
    source, site = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site")
    (source / "pyproject.toml").write_text(PROJECT)
    (source / "tables.py").write_text(PACKAGE)
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet"]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, "--target", site, source], check=True)
    return site


@pytest.fixture
def call(site, monkeypatch):
    """The command as a process that finds the package: its status, stdout and stderr."""
    monkeypatch.setenv("PYTHONPATH", ":".join([str(site), *sys.path]))

    def called(*args):
        words = [sys.executable, "-c", COMMAND, *map(str, args)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    return called


@pytest.fixture
def folder(tmp_path):
    """Runs in tables, one of which overfits and one of which is no table."""
    rows = [f"{epoch},{2 * 0.9**epoch:.4f},{2 * 0.8**epoch + 0.02 * epoch:.4f}" for epoch in range(60)]
    (tmp_path / "run-1.csv").write_text("\n".join(["step,train_loss,val_loss", *rows]))
    (tmp_path / "run-2.csv").write_text("1\n2,3\n")
    return tmp_path


def test_a_reader_and_a_writer(call, folder):
    """Its runs are judged as others are, and each report is handed over; a bug of its costs one run, by name."""
    lines = folder / "lines.txt"
    args = ("--logdir", f"tables://{folder}", "--send-to", f"lines:{lines}", "--format", "json", "--no-write")
    status, out, err = call(*args)
    document = json.loads(out)
    assert status == 3
    assert [(run["source"], run["run_id"], run["verdict"]) for run in document["runs"]] == [
        ("tables", "run-1", "overfitting")
    ]
    assert err.startswith(f"mlflow-diagnose: reader 'tables' at tables://{folder}: run run-2 could not be read: ")
    assert len(err.splitlines()) == 1
    assert lines.read_text() == "run-1 overfitting\n"


def test_a_writer_that_fails(call, folder):
    """The run is told, and the other ones are written."""
    (folder / "run-2.csv").unlink()
    status, out, err = call("--logdir", f"tables://{folder}", "--send-to", f"lines:{folder / 'no' / 'where'}")
    assert status == 3
    assert "overfitting" in out
    assert err.startswith("mlflow-diagnose: writer 'lines': run run-1 could not be written: FileNotFoundError: ")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--logdir", "broken://x"), "mlflow_diagnose.readers 'broken' (tables:nowhere) could not be loaded: "),
        (("--logdir", "empty://x"), "it made a Empty, which has no run_ids()"),
        (("r", "--send-to", "nosuch"), "there is no writer 'nosuch': those installed are empty, lines"),
        (("r", "--send-to", "empty"), "it made a Empty, which has no write()"),
    ],
)
def test_what_cannot_be_loaded(call, args, words):
    """One line that names it, status 2, and nothing done."""
    status, out, err = call(*args, "--no-write")
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    assert words in err
