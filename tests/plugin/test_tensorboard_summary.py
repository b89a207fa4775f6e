"""`--summary`: the diagnosis beside the logs, in an event file of its own."""

from __future__ import annotations

import resource
import struct

import numpy as np
import pytest
from tensorboard import plugin_util
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator

import eventlogs
import reports
from mlflow_diagnose import diagnose_logdir
from mlflow_diagnose.cli import main
from mlflow_diagnose.errors import WriteError
from mlflow_diagnose.readers.tensorboard import TensorBoardReader
from mlflow_diagnose.writers.tensorboard_summary import TensorBoardSummary, markdown_of

T = np.linspace(0, 1, 50)


def falling(*, process="host.1", points=50, name="loss"):
    """An event file's name and content: two losses that fall."""
    events = [
        *eventlogs.curve(name, 0.1 + np.exp(-6 * T[:points])),
        *eventlogs.curve(f"val_{name}", 0.2 + np.exp(-6 * T[:points])),
    ]
    return [eventlogs.version(), *map(eventlogs.record, events)], f"events.out.tfevents.1700000000.{process}.0"


def run(*words):
    """The exit status of the command line."""
    with pytest.raises(SystemExit) as ended:
        main(list(map(str, words)))
    return ended.value.code


def state(folder):
    """Every file with all by which a change would show."""
    return {
        path: (s.st_ino, s.st_mtime_ns, s.st_size)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and (s := path.stat())
    }


def test_tensorboard_reads_a_text_and_a_picture(tmp_path):
    """In a directory of its own below the run's, at the run's last step."""
    eventlogs.write_bytes(tmp_path / "a", *falling())
    assert run("--logdir", tmp_path, "--summary") == 0
    events = EventAccumulator(str(tmp_path / "a" / "diagnosis")).Reload()
    (text,) = events.Tensors("diagnosis")
    assert text.step == 49
    assert b"Nothing wrong found" in text.tensor_proto.string_val[0]
    width, height, png = events.Tensors("diagnosis/curves")[0].tensor_proto.string_val
    assert png.startswith(b"\x89PNG")
    assert struct.unpack(">II", png[16:24]) == (int(width), int(height))


def test_what_is_unchanged_is_left_alone_and_what_changed_replaced(tmp_path):
    """No file is touched by a second call; by one after new points only ours, of the run that grew."""
    eventlogs.write_bytes(tmp_path / "a", *falling())
    eventlogs.write_bytes(tmp_path / "b", *falling(points=30))
    logs = state(tmp_path)
    assert run("--logdir", tmp_path, "--summary") == 0
    first = state(tmp_path)
    assert {path: first[path] for path in logs} == logs
    assert run("--logdir", tmp_path, "--summary") == 0
    assert state(tmp_path) == first
    eventlogs.write_bytes(tmp_path / "b", *falling())
    grown = state(tmp_path)
    assert run("--logdir", tmp_path, "--summary") == 0
    after = state(tmp_path)
    assert len(after) == len(first)
    changed = {path for path in {*grown, *after} if grown.get(path) != after.get(path)}
    assert {path.parent for path in changed} == {tmp_path / "b" / "diagnosis"}
    assert sorted(path.name for path in changed) == sorted(
        path.name for path in changed if path.name.endswith(".mlflow-diagnose")
    )
    old, new = sorted(path.name for path in changed)
    assert old in {path.name for path in grown}
    assert new in {path.name for path in after}
    assert run("--logdir", tmp_path, "--summary", "--force") == 0
    assert state(tmp_path) != after


def test_our_reader_takes_it_for_no_run(tmp_path):
    """The same runs, verdicts and fingerprints as before."""
    eventlogs.write_bytes(tmp_path, *falling())
    eventlogs.write_bytes(tmp_path / "a", *falling())
    before = {name: found.report.fingerprint for name, found in diagnose_logdir(tmp_path).items()}
    assert run("--logdir", tmp_path, "--summary") == 0
    assert (tmp_path / "diagnosis").is_dir()
    assert (
        {name: found.report.fingerprint for name, found in diagnose_logdir(tmp_path).items()} == before == dict(before)
    )
    assert list(before) == [".", "a"]


def test_runs_that_share_a_directory_have_a_summary_each(tmp_path):
    """Two processes that wrote over the same steps at the same time."""
    for process in ("host.1", "host.2"):
        eventlogs.write_bytes(tmp_path / "a", *falling(process=process))
    assert TensorBoardReader(tmp_path).run_ids() == ["a#host.1", "a#host.2"]
    assert run("--logdir", tmp_path, "--summary") == 0
    assert {path.name for path in (tmp_path / "a" / "diagnosis").iterdir()} == {"host.1", "host.2"}
    assert TensorBoardReader(tmp_path).run_ids() == ["a#host.1", "a#host.2"]


def test_a_directory_of_the_users_is_left_alone(tmp_path, capsys):
    """A run that somebody called `diagnosis`, and a file of that name: one line each, and the others are done."""
    eventlogs.write_bytes(tmp_path / "a", *falling())
    eventlogs.write_bytes(tmp_path / "a" / "diagnosis", *falling())
    eventlogs.write_bytes(tmp_path / "b", *falling())
    (tmp_path / "b" / "diagnosis").write_text("mine")
    eventlogs.write_bytes(tmp_path / "c", *falling())
    before = state(tmp_path)
    assert run("--logdir", tmp_path, "--summary") == 3
    after = state(tmp_path)
    assert {path: after[path] for path in before} == before
    told = capsys.readouterr().err.splitlines()
    assert [line for line in told if "is not ours, it holds events.out.tfevents" in line]
    assert [line for line in told if "the summary of 'b' could not be written" in line]
    assert len(told) == 2
    assert (tmp_path / "c" / "diagnosis").is_dir()


def test_a_failed_write_leaves_no_half_a_file(tmp_path):
    """What TensorBoard would read appears whole: here the system refuses the rest of a file."""
    eventlogs.write_bytes(tmp_path / "a", *falling())
    (diagnosis,) = diagnose_logdir(tmp_path).values()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, limits[1]))
    try:
        with pytest.raises(WriteError, match="File too large"):
            TensorBoardSummary(tmp_path).write(diagnosis.report)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list((tmp_path / "a" / "diagnosis").iterdir()) == []
    TensorBoardSummary(tmp_path).write(diagnosis.report)
    assert len(list((tmp_path / "a" / "diagnosis").iterdir())) == 1


@pytest.mark.parametrize("name", reports.SAMPLES)
def test_nothing_from_a_log_is_markdown(name):
    """TensorBoard's own renderer makes no link, picture or code of it, and shows names as they were logged."""
    html = plugin_util.markdowns_to_safe_html([markdown_of(reports.SAMPLES[name]())], str)
    assert "<h2>" in html
    assert not any(f"<{tag}" in html for tag in ("script", "img", "a ", "code", "pre", "em"))
    if name == "hostile":
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


@pytest.mark.parametrize(
    "words",
    [("--summary", "some-run"), ("--logdir", "s3://b/runs", "--summary"), ("--logdir", "x", "--summary", "--no-write")],
)
def test_where_nothing_can_be_written_beside_the_logs(words, capsys):
    """One clear line."""
    assert run(*words) == 2
    assert "--summary writes beside the logs of a --logdir of this machine" in capsys.readouterr().err
