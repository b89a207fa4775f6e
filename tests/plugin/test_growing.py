"""Logdirs that are still written to: what is read piece by piece is what is read at once, and nothing is read twice."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import eventlogs
from eventlogs import curve, flipped, hparams, record, restart, scalar, tensor, version, write_bytes
from mlflow_diagnose.errors import BadInputError, RunNotFoundError
from mlflow_diagnose.readers.events import event_cache, event_files
from mlflow_diagnose.readers.events.buffers import Buffer
from mlflow_diagnose.readers.events.event_files import read_events
from mlflow_diagnose.readers.tensorboard import TensorBoardReader
from randomlogs import events

NAME = "events.out.tfevents.1700000000.host.1.0"


def as_read(run):
    """A run as it can be compared, the arrays to the bit."""
    curves = {
        each.name: (each.steps.tobytes(), each.values.tobytes(), each.wall_times.tobytes()) for each in run.curves
    }
    return run.run_id, run.name, curves, dict(run.params), list(run.notes)


def assert_as_fresh(reader: TensorBoardReader) -> list[str]:
    """What the reader gives after it looked again is what a new one gives; the runs in which anything is new."""
    grown = reader.grown()
    fresh = TensorBoardReader(reader.logdir)
    assert reader.run_ids() == fresh.run_ids()
    for run_id in fresh.run_ids():
        assert as_read(reader.read(run_id)) == as_read(fresh.read(run_id))
    return grown


@pytest.fixture
def read_bytes(monkeypatch):
    """The sizes of all that was read, but for what a buffer is padded with."""
    sizes = []

    class Noted(Buffer):
        def __init__(self, data):
            super().__init__(data)
            sizes.append(len(data) - len(event_files.PADDING))

    monkeypatch.setattr(event_files, "Buffer", Noted)
    return sizes


EVERYTHING = [
    version(),
    record(tensor("loss", np.float32(4), 0)),
    record(tensor("other", np.float32(1), 0, plugin="mine")),
    *(record(each) for step in (1, 2) for each in [tensor("loss", np.float32(step), step, plugin="")]),
    record(tensor("other", np.float32(2), 1, plugin="")),
    record(hparams({"lr": 0.1})),
    *map(record, curve("acc", [0.1, 0.2, 0.3])),
    flipped(record(scalar("acc", 9, 9)), 12),  # no event any more
    bytes(30),
    record(restart(2)),
    *map(record, curve("acc", [0.5, 0.6], first=2)),
    record(tensor("loss", np.float32(7), 3, plugin="")),
    record(tensor("other", np.float32(3), 2, plugin="scalars")),
    record(tensor("other", np.float32(4), 3, plugin="")),
]


@pytest.mark.parametrize("mapped", [False, True])
def test_a_file_that_grows_record_by_record(tmp_path, monkeypatch, mapped):
    """Metadata that only the first record has, a restart, damage, hyper-parameters: all as if read at once."""
    monkeypatch.setattr(event_files, "SMALL_BYTES", 0 if mapped else 1 << 20)
    reader = TensorBoardReader(tmp_path)
    for count in range(1, len(EVERYTHING) + 1):
        write_bytes(tmp_path, EVERYTHING[:count])
        assert assert_as_fresh(reader) == ["."]
        assert reader.grown() == []
    run = reader.read(".")
    assert {each.name: each.values.tolist() for each in run.curves} == {
        "loss": [4, 1, 7],
        "acc": pytest.approx([0.1, 0.2, 0.5, 0.6]),
        "other": [3, 4],
    }
    assert run.params == {"lr": "0.1"}


def test_a_file_cut_at_any_byte(tmp_path):
    """The part before and the part after the cut give every point once, and in the end there is no trouble."""
    data = b"".join([version(), *map(record, curve("loss", [4, 3, 2, 1]))])
    for cut in range(1, len(data)):
        early = read_events(write_bytes(tmp_path, [data[:cut]]))
        whole = read_events(write_bytes(tmp_path, [data]), before=early)
        assert whole.points["loss"].values.tolist() == [4, 3, 2, 1]
        assert (whole.trouble, whole.end) == ("", len(data))


@given(st.lists(events(), max_size=30), st.lists(st.integers(1, 900), min_size=1, max_size=12), st.integers(0, 5000))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_random_logs_that_grow_by_random_bytes(tmp_path_factory, logged, sizes, damage):
    """Wherever a log was cut while it was written, going on from there gives what reading it at once does."""
    folder = tmp_path_factory.mktemp("log")
    data = b"".join([version(), *map(record, logged)])
    if damage < len(data):
        data = flipped(data, damage)
    reader, at = TensorBoardReader(folder), 0
    for size in [*sizes, len(data)]:
        at += size
        write_bytes(folder, [data[:at]])
        assert_as_fresh(reader)


def test_a_record_cut_off_after_damage(tmp_path):
    """The damage is told once, however often the record after it was looked for."""
    frames = [version(), *map(record, curve("loss", [4, 3, 2]))]
    data = b"".join([*frames[:2], flipped(frames[2], 2), frames[3]])
    reader = TensorBoardReader(tmp_path)
    for end in (len(data) - 5, len(data) - 4, len(data)):
        write_bytes(tmp_path, [data[:end]])
        assert_as_fresh(reader)
    assert len(reader.read(".").notes) == 1


def test_only_what_is_new_is_read(tmp_path, read_bytes):
    """Of each file what came after its last whole record; of a file that did not grow, nothing."""
    frames = [version(), *map(record, curve("loss", range(50)))]
    write_bytes(tmp_path / "a", frames)
    write_bytes(tmp_path / "b", frames[:-1])
    write_bytes(tmp_path / "b", frames, name=f"{NAME}.second")
    reader = TensorBoardReader(tmp_path)
    assert [len(run.curves) for run in reader.read_many(reader.grown())] == [1, 1]
    del read_bytes[:]
    write_bytes(tmp_path / "b", [*frames, frames[-1][:20]])
    assert reader.grown() == ["b"]
    assert len(reader.read("b").curves[0].values) == 100
    assert len(reader.read("a").curves[0].values) == 50
    assert read_bytes == [len(frames[-1]) + 20]


@pytest.mark.parametrize("kept", [0, 1, 3])
def test_a_file_that_is_rewritten_shorter(tmp_path, kept):
    """It is read anew: what it held before is gone, be it by the same program or another."""
    write_bytes(tmp_path, [version(), *map(record, curve("loss", [4, 3, 2, 1]))])
    reader = TensorBoardReader(tmp_path)
    assert_as_fresh(reader)
    write_bytes(tmp_path, [version(), *map(record, curve("loss", [9, 8, 7][:kept]))])
    assert assert_as_fresh(reader) == ["."]


def test_a_file_that_is_rewritten_longer(tmp_path):
    """The time in its first record is another: it is not the file that was read."""
    write_bytes(tmp_path, map(record, curve("loss", [4, 3])))
    reader = TensorBoardReader(tmp_path)
    assert_as_fresh(reader)
    write_bytes(tmp_path, map(record, curve("loss", [9, 8, 7, 6], start=eventlogs.START + 60)))
    assert assert_as_fresh(reader) == ["."]
    assert reader.read(".").curves[0].values.tolist() == [9, 8, 7, 6]


def test_runs_and_files_that_come_and_go(tmp_path):
    """A new run, a new file of a run, a half that makes its parent a run of two, a run that was removed."""
    losses = [record(each) for each in curve("loss", [4, 3, 2, 1])]
    write_bytes(tmp_path / "a", losses)
    reader = TensorBoardReader(tmp_path)
    assert assert_as_fresh(reader) == ["a"]
    write_bytes(tmp_path / "b" / "train", losses)
    assert assert_as_fresh(reader) == ["b/train"]
    write_bytes(tmp_path / "b" / "validation", losses)
    assert assert_as_fresh(reader) == ["b"]
    resumed = [record(restart(2)), *map(record, curve("loss", [7, 6], first=2, start=eventlogs.START + 60))]
    write_bytes(tmp_path / "a", resumed, name="events.out.tfevents.1700000060.host.2.0")
    assert assert_as_fresh(reader) == ["a"]
    assert reader.read("a").curves[0].values.tolist() == [4, 3, 7, 6]
    shutil.rmtree(tmp_path / "b")
    assert assert_as_fresh(reader) == []
    with pytest.raises(RunNotFoundError):
        reader.read("b")
    shutil.rmtree(tmp_path / "a")
    with pytest.raises(BadInputError, match="holds no TensorBoard event file"):
        reader.grown()


def test_a_git_lfs_pointer_that_was_fetched(tmp_path):
    """What was no event file has become one."""
    write_bytes(tmp_path, [b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"])
    reader = TensorBoardReader(tmp_path)
    assert_as_fresh(reader)
    assert list(reader.read(".").notes) == [f"{NAME}: a Git LFS pointer; its content was never fetched"]
    write_bytes(tmp_path, EVERYTHING)
    assert assert_as_fresh(reader) == ["."]


def test_what_is_kept_is_bounded(tmp_path, monkeypatch):
    """Beyond that the files that were used longest ago are forgotten, and read from their beginning where they grow."""
    room = 2 * (event_cache.FILE + event_cache.TAG + 5)  # of two files of a tag and five points
    monkeypatch.setattr(event_cache, "MOST_POINTS", room)
    for name in "abcd":
        write_bytes(tmp_path / name, map(record, curve("loss", [4, 3, 2, 1])))
    reader = TensorBoardReader(tmp_path)
    assert assert_as_fresh(reader) == ["a", "b", "c", "d"]
    for name in "ad":
        write_bytes(tmp_path / name, map(record, curve("loss", [4, 3, 2, 1, 0])))
    assert assert_as_fresh(reader) == ["a", "d"]
    held = reader._cache._held.values()  # noqa: SLF001 - nowhere else does it show
    assert len(held) == 2


def test_a_file_that_cannot_be_read_for_a_while(tmp_path, monkeypatch):
    """As on a network file system: its points stay, one note tells, and later it is read on."""
    path = write_bytes(tmp_path, map(record, curve("loss", [4, 3])))
    reader = TensorBoardReader(tmp_path)
    assert_as_fresh(reader)
    write_bytes(tmp_path, map(record, curve("loss", [4, 3, 2])))

    def refuse(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(event_files, "open", refuse, raising=False)
        assert reader.grown() == ["."]
        run = reader.read(".")
    assert run.curves[0].values.tolist() == [4, 3]
    assert list(run.notes) == [f"{path.name}: could not be read: Input/output error"]
    write_bytes(tmp_path, map(record, curve("loss", [4, 3, 2, 1])))
    assert assert_as_fresh(reader) == ["."]
