"""TensorBoard logdirs as they are met: written by the real writers, broken byte by byte."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.util.tensor_util import make_ndarray, make_tensor_proto

import eventlogs
from eventlogs import curve, flipped, hparams, record, restart, scalar, tensor, version, write, write_bytes
from mlflow_diagnose.errors import BadInputError, RunNotFoundError
from mlflow_diagnose.readers.tensorboard import TensorBoardReader

if TYPE_CHECKING:
    from pathlib import Path

    from curve_analyzers.model import RawCurve, RawRun

FALLING = [1.0, 0.5, 0.25, 0.125]


def read(logdir: Path, run_id: str = ".") -> RawRun:
    """One run of a logdir, every record checked."""
    return TensorBoardReader(logdir, verify=True).read(run_id)


def by_name(run: RawRun) -> dict[str, RawCurve]:
    """The curves of a run by their names."""
    return {each.name: each for each in run.curves}


def values(run: RawRun) -> dict[str, list[float]]:
    """The values of each curve of a run."""
    return {each.name: each.values.tolist() for each in run.curves}


def logged_at(time: int, host: str = "host", pid: int = 1, number: int = 0) -> str:
    """The name a writer gives a file, `time` seconds after the start."""
    return f"events.out.tfevents.{int(eventlogs.START) + time}.{host}.{pid}.{number}"


def accumulated(folder: Path) -> EventAccumulator:
    """A directory as TensorBoard itself reads it, nothing sampled."""
    return EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0}).Reload()


# --- points


def test_scalars_are_what_tensorboard_reads(tmp_path):
    """Steps, values and wall times are to the bit what TensorBoard's own reader gives, NaN and infinity included."""
    special = [0.1, float("nan"), float("inf"), -float("inf"), 1e-45, 3e38]
    losses = [scalar("loss", value, 7 * step - 3, 1.7e9 + step / 3) for step, value in enumerate([*special, *FALLING])]
    write(tmp_path, [*losses, *curve("val/acc (%)", [1, 2, 3])])
    run = read(tmp_path)
    reference = accumulated(tmp_path)
    assert [each.name for each in run.curves] == reference.Tags()["scalars"] == ["loss", "val/acc (%)"]
    for each in run.curves:
        points = reference.Scalars(each.name)
        np.testing.assert_array_equal(each.steps, [point.step for point in points])
        np.testing.assert_array_equal(each.values, [point.value for point in points])
        np.testing.assert_array_equal(each.wall_times, [point.wall_time for point in points])
        dtypes = [array.dtype.name for array in (each.steps, each.values, each.wall_times) if array is not None]
        assert dtypes == ["int64", "float64", "float64"]
    assert (run.source, run.run_id, run.name, list(run.notes)) == ("tensorboard", ".", tmp_path.name, [])


NUMPY_TYPES = ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "?"]


@pytest.mark.parametrize("kind", NUMPY_TYPES)
@pytest.mark.parametrize("packed", [False, True], ids=["val", "content"])
@pytest.mark.filterwarnings("ignore:Setting the dtype:DeprecationWarning")  # TensorBoard's own, under numpy 2.5
def test_tensor_scalars_of_every_type(tmp_path, kind, packed):
    """A TF 2 scalar is a tensor of rank 0, of any numeric type, its number in either field."""

    def proto(number: float) -> TensorProto:
        array = np.array(number, kind)
        made = make_tensor_proto(array)
        return TensorProto(dtype=made.dtype, tensor_content=array.tobytes()) if packed else listed(made, array)

    numbers = [1, 0, 1]
    write(tmp_path, [tensor("epoch_loss", proto(number), step) for step, number in enumerate(numbers)])
    points = accumulated(tmp_path).Tensors("epoch_loss")
    assert [make_ndarray(point.tensor_proto).item() for point in points] == numbers
    found = by_name(read(tmp_path))["epoch_loss"]
    assert found.values.tolist() == numbers
    assert found.steps.tolist() == [point.step for point in points]
    np.testing.assert_array_equal(found.wall_times, [point.wall_time for point in points])


def listed(made: TensorProto, array: np.ndarray) -> TensorProto:
    """The tensor with its number in the list field of its type."""
    proto = TensorProto(dtype=made.dtype)
    if array.dtype.kind == "b":
        proto.bool_val.append(array.item())
    elif array.dtype == np.float16:
        proto.half_val.append(array.view(np.uint16).item())
    else:
        fields = {"f4": proto.float_val, "f8": proto.double_val, "i8": proto.int64_val}
        fields.get(array.dtype.str[1:], proto.int_val).append(array.item())
    return proto


@pytest.mark.parametrize(
    ("proto", "number"),
    [
        (TensorProto(dtype="DT_BFLOAT16", half_val=[0x3FC0]), 1.5),
        (TensorProto(dtype="DT_BFLOAT16", tensor_content=b"\xc0\xbf"), -1.5),
        (TensorProto(dtype="DT_UINT32", uint32_val=[2**32 - 1]), 2**32 - 1),
        (TensorProto(dtype="DT_UINT64", uint64_val=[7]), 7),
        (TensorProto(dtype="DT_UINT64", tensor_content=b"\7" + 7 * b"\0"), 7),
    ],
)
def test_types_that_tensorboard_cannot_turn_into_arrays(tmp_path, proto, number):
    """TensorBoard's own conversion raises on most of these; they are numbers all the same."""
    write(tmp_path, [tensor("loss", proto, 0)])
    assert values(read(tmp_path)) == {"loss": [number]}


def test_the_plugin_is_named_on_the_first_record_only(tmp_path):
    """TensorFlow writes a tag's metadata once: what follows belongs to that plugin, and without one rank 0 tells."""
    events = [
        tensor("loss", np.float32(2), 0),
        tensor("loss", np.float32(1), 1, plugin=""),
        tensor("bare", np.float32(3), 0, plugin=""),
        tensor("other", np.float32(4), 0, plugin="my_plugin"),
        tensor("other", np.float32(5), 1, plugin=""),
    ]
    write(tmp_path, events)
    assert values(read(tmp_path)) == {"loss": [2, 1], "bare": [3]}


def test_what_is_no_scalar_is_skipped(tmp_path):
    """Histograms, images, text and tensors of other shapes are neither curves nor damage."""
    unknown = TensorProto(dtype="DT_FLOAT", float_val=[1], tensor_shape=TensorShapeProto(unknown_rank=True))
    image = Summary.Image(height=1, width=1, encoded_image_string=bytes(10_000))
    extra = Summary(
        value=[
            Summary.Value(tag="weights", histo=HistogramProto(num=1)),
            Summary.Value(tag="picture", image=image),
            Summary.Value(tag="beside", simple_value=7),
        ]
    )
    events = [
        Event(step=0, summary=extra),
        Event(step=0, graph_def=b"graph"),
        tensor("histogram", np.zeros((4, 3)), 0, plugin="histograms"),
        tensor("vector", np.zeros(1, np.float32), 0, plugin=""),
        tensor("text", TensorProto(dtype="DT_STRING", string_val=[b"1.5"]), 0, plugin="text"),
        tensor("words", TensorProto(dtype="DT_STRING", string_val=[b"1.5"]), 0, plugin=""),
        tensor("complex", TensorProto(dtype="DT_COMPLEX64", scomplex_val=[1, 0]), 0, plugin=""),
        tensor("unknown", unknown, 0, plugin=""),
        *curve("loss", FALLING),
    ]
    write(tmp_path, events)
    run = read(tmp_path)
    assert values(run) == {"beside": [7], "loss": FALLING}
    assert list(run.notes) == []


def test_points_keep_the_order_they_were_written_in(tmp_path):
    """Rewinds and duplicates are the core's to settle, so they arrive as they are."""
    steps = [0, 1, 2, 1, 2, 2, 0]
    write(tmp_path, [scalar("loss", value, step) for value, step in enumerate(steps)])
    found = by_name(read(tmp_path))["loss"]
    assert found.steps.tolist() == steps
    assert found.values.tolist() == list(range(len(steps)))


def test_a_restart_voids_what_was_at_or_after_its_step(tmp_path):
    """`SessionLog.START` purges earlier points of every tag, in its own file as TensorBoard does it."""
    events = [*curve("loss", [9, 8, 7, 6]), *curve("acc", [1, 2, 3, 4]), *curve("late", [1], first=3), restart(2)]
    write(tmp_path, [*events, *curve("loss", [5, 4], first=2)])
    reference = accumulated(tmp_path)
    found = by_name(read(tmp_path))
    assert {name: each.values.tolist() for name, each in found.items()} == {"loss": [9, 8, 5, 4], "acc": [1, 2]}
    assert {name: each.steps.tolist() for name, each in found.items()} == {
        name: [point.step for point in reference.Scalars(name)] for name in ("loss", "acc")
    }


def test_a_restart_in_a_later_file_voids_points_of_the_earlier(tmp_path):
    """A resume with torch's `purge_step` begins a new file with the mark."""
    write(tmp_path, [*curve("loss", [9, 8, 7, 6]), *curve("gone", [1], first=2)], logged_at(0, pid=1))
    write(tmp_path, [restart(2), *curve("loss", [5, 4], first=2, start=eventlogs.START + 60)], logged_at(60, pid=2))
    assert (
        values(read(tmp_path))
        == {"loss": [9, 8, 5, 4]}
        == {"loss": [point.value for point in accumulated(tmp_path).Scalars("loss")]}
    )


# --- damage


GOOD = [record(event) for event in curve("loss", FALLING, first=1)]  # of one length
HEADER = 12


@pytest.mark.parametrize(
    ("pieces", "kept", "note"),
    [
        ([*GOOD[:3], GOOD[3][:-9]], FALLING[:3], "the last record is cut off"),
        ([*GOOD[:3], GOOD[3][:5]], FALLING[:3], "the last record is cut off"),
        ([*GOOD[:3], bytes(4096)], FALLING[:3], "4096 zero bytes at the end"),
        ([GOOD[0], flipped(GOOD[1], HEADER + 12), *GOOD[2:]], [1, 0.25, 0.125], "1 damaged record left out"),
        ([flipped(GOOD[0], -1), flipped(GOOD[1], -1), *GOOD[2:]], [0.25, 0.125], "2 damaged records left out"),
        (
            [GOOD[0], flipped(GOOD[1], 8), *GOOD[2:]],
            [1, 0.25, 0.125],
            f"{len(GOOD[1])} bytes from byte {40 + len(GOOD[0])} on are not a record and were left out",
        ),
        (
            [GOOD[0], flipped(GOOD[1], 0), *GOOD[2:]],
            [1, 0.25, 0.125],
            f"{len(GOOD[1])} bytes from byte {40 + len(GOOD[0])} on are not a record and were left out",
        ),
        (
            [GOOD[0], bytes(4096), *GOOD[1:]],
            FALLING,
            f"4096 bytes from byte {40 + len(GOOD[0])} on are not a record and were left out",
        ),
        ([*GOOD, b"appended by mistake"], FALLING, "19 bytes from byte"),
    ],
    ids=[
        "cut payload",
        "cut header",
        "zero tail",
        "bit flip",
        "two bad checksums",
        "bad checksum of a length",
        "bad length",
        "zeros in the middle",
        "garbage at the end",
    ],
)
def test_damage_costs_only_itself(tmp_path, pieces, kept, note):
    """What was lost is left out, all else is kept, and one note names the file and the loss."""
    assert len(version()) == 40
    path = write_bytes(tmp_path / "log", [version(), *pieces])
    run = read(tmp_path, "log")
    assert values(run) == {"loss": kept}
    assert len(run.notes) == 1
    assert run.notes[0].startswith(f"log/{path.name}: {note}")


def test_no_single_bit_and_no_cut_costs_more_than_one_record(tmp_path):
    """Wherever one bit turns, one record is lost; wherever a file ends, the records before the end are kept."""
    data = b"".join([version(), *GOOD])
    for at in range(len(data)):
        path = write_bytes(tmp_path, [flipped(data, at)])
        run = read(tmp_path)
        lost = (at - len(version())) // len(GOOD[0]) if at >= len(version()) else None
        assert values(run) == {"loss": [value for index, value in enumerate(FALLING) if index != lost]}, at
        assert [line.partition(":")[0] for line in run.notes] == [path.name], at
    for end in range(len(version()), len(data)):
        write_bytes(tmp_path, [data[:end]])
        whole = (end - len(version())) // len(GOOD[0])
        assert values(read(tmp_path)).get("loss", []) == FALLING[:whole], end


def test_records_that_are_no_event_or_hold_no_number_are_damage(tmp_path):
    """A right checksum is no promise: what it guards may still be nonsense."""
    nonsense = Event(wall_time=1, file_version="x" * 20)
    bad = record(nonsense)
    payload = b"\xff" * (len(bad) - 16)
    spoilt = bad[:HEADER] + payload + eventlogs.checksum(payload)
    protos = [
        TensorProto(dtype="DT_FLOAT"),
        TensorProto(dtype="DT_FLOAT", tensor_content=b"abc"),
        TensorProto(dtype="DT_BFLOAT16"),
        TensorProto(dtype="DT_BFLOAT16", half_val=[1, 2]),
        TensorProto(dtype="DT_UINT32", uint32_val=[1, 2]),
        TensorProto(dtype="DT_HALF", half_val=[2**20]),
    ]
    empty = [record(tensor("loss", proto, 9)) for proto in protos]
    write_bytes(tmp_path, [version(), GOOD[0], spoilt, *empty, *GOOD[1:]])
    run = read(tmp_path)
    assert values(run) == {"loss": FALLING}
    assert list(run.notes) == ["events.out.tfevents.1700000000.host.1.0: 7 damaged records left out"]


def test_large_records_are_taken_without_their_checksum(tmp_path):
    """Checking image bytes would cost more than all else; their scalars are still read."""
    image = Summary.Image(encoded_image_string=bytes(10_000))
    pair = Summary(value=[Summary.Value(tag="picture", image=image), Summary.Value(tag="loss", simple_value=4)])
    write_bytes(tmp_path, [version(), flipped(record(Event(summary=pair)), -1)])
    assert values(read(tmp_path)) == {"loss": [4]}


@pytest.mark.parametrize(
    ("content", "note"),
    [
        (b"", "the file is empty"),
        (version(), "holds nothing but its version"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "a Git LFS pointer"),
        (b"this is a text about tfevents and nothing else\n", "not an event file"),
        (bytes(100), "not an event file"),
    ],
)
def test_files_without_a_point(tmp_path, content, note):
    """A file that holds nothing costs only itself: its neighbour is read."""
    write_bytes(tmp_path / "log", [content], logged_at(0))
    write_bytes(tmp_path / "log", [version(), *GOOD], logged_at(1))
    run = read(tmp_path, "log")
    assert values(run) == {"loss": FALLING}
    assert [line.startswith(f"log/{logged_at(0)}: {note}") for line in run.notes] == [True]


def test_a_file_without_a_version_record_is_read(tmp_path):
    """Some writers leave it out."""
    write_bytes(tmp_path, GOOD)
    run = read(tmp_path)
    assert values(run) == {"loss": FALLING}
    assert list(run.notes) == []


def test_a_file_that_cannot_be_read_is_noted(tmp_path):
    """A file that went away between listing and reading costs itself alone."""
    write(tmp_path, curve("loss", FALLING))
    gone = write(tmp_path, curve("loss", FALLING, first=4))
    reader = TensorBoardReader(tmp_path)
    assert reader.run_ids() == ["."]
    gone.unlink()
    run = reader.read(".")
    assert values(run) == {"loss": FALLING}
    assert list(run.notes) == [f"{gone.name}: could not be read: No such file or directory"]


# --- where there is nothing to read


def test_bad_places_are_told_in_one_line(tmp_path):
    """A missing logdir, a file, and a logdir with no event file each say what they are."""
    file = write(tmp_path / "log", curve("loss", FALLING))
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "events.out.tfevents.1.host.profile-empty").write_bytes(version())
    for place, message in (
        (tmp_path / "nowhere", "does not exist"),
        (file, "is a file; name the directory"),
        (tmp_path / "empty", "holds no TensorBoard event file"),
    ):
        with pytest.raises(BadInputError, match=message) as caught:
            TensorBoardReader(place).run_ids()
        assert str(place) in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("run_id", ["nope", "", "..", "log#host.1", "#"])
def test_an_unknown_run_is_named(tmp_path, run_id):
    """A run that is not there is the user's error, not the store's."""
    write(tmp_path / "log", curve("loss", FALLING))
    with pytest.raises(RunNotFoundError, match=f"no run '{run_id}' under .*'log'"):
        read(tmp_path, run_id)


# --- runs


def test_every_directory_of_event_files_is_a_run(tmp_path):
    """Runs carry TensorBoard's names, whatever their files are called, also where the logdir is one itself."""
    names = [
        "events.out.tfevents",
        "events.out.tfevents.resnet",
        "events.out.tfevents.1700000000.node-1.cluster.example.org.41.0.v2",
        "my.tfevents.log",
    ]
    for index, name in enumerate(names):
        write(tmp_path / f"group/run{index}", curve("loss", FALLING), name)
    write(tmp_path, curve("loss", FALLING))
    (tmp_path / "profile").mkdir()
    (tmp_path / "profile" / "events.out.tfevents.1.host.profile-empty").write_bytes(version())
    reader = TensorBoardReader(str(tmp_path))
    assert reader.run_ids() == [".", "group/run0", "group/run1", "group/run2", "group/run3"]
    assert all(values(reader.read(run_id)) == {"loss": FALLING} for run_id in reader.run_ids())
    assert reader.read("group/run1").name == "group/run1"


@pytest.mark.parametrize(
    ("halves", "names"),
    [
        (["train", "validation"], ["train/loss", "validation/loss"]),
        (["training", "validation", "test"], ["test/loss", "training/loss", "validation/loss"]),
        (["train", "eval"], ["eval/loss", "train/loss"]),
        (["learn", "test"], ["learn/loss", "test/loss"]),
        (["Train", "Val"], ["Train/loss", "Val/loss"]),
        ([".", "eval"], ["loss", "eval/loss"]),
        ([".", "train", "dev"], ["loss", "dev/loss", "train/loss"]),
    ],
)
@pytest.mark.parametrize("place", [".", "log", "catboost_info", "a/b"])
def test_halves_in_sub_directories_are_one_run(tmp_path, halves, names, place):
    """A training and a held-out half, or a held-out half beside the parent's own files, join in the parent's run."""
    for half in halves:
        write(tmp_path / place / half, curve("loss", FALLING))
    reader = TensorBoardReader(tmp_path)
    assert reader.run_ids() == [place]
    assert values(reader.read(place)) == dict.fromkeys(names, FALLING)


@pytest.mark.parametrize(
    "folders",
    [
        ["train"],
        ["val"],
        ["train/exp1", "train/exp2"],
        ["detect/train", "detect/train2"],
        ["train_1", "val_1"],
        ["test", "val"],
        [".", "train"],
        ["a/train", "b/val"],
    ],
)
def test_a_directory_called_train_is_no_split(tmp_path, folders):
    """Without a counterpart the name says nothing: each is a run, its tags bare."""
    for folder in folders:
        write(tmp_path / folder, curve("loss", FALLING))
    reader = TensorBoardReader(tmp_path)
    assert reader.run_ids() == folders
    assert all(values(reader.read(run_id)) == {"loss": FALLING} for run_id in folders)


def test_add_scalars_joins_its_parent(tmp_path):
    """The directory of `add_scalars("loss", {"train": 1})` is `loss_train`; a slash in the tag is lost in its name."""
    write(tmp_path / "exp", curve("lr", [0.1, 0.1]))
    write(tmp_path / "exp/loss_train", curve("loss", FALLING))
    write(tmp_path / "exp/loss_val_2", curve("loss", FALLING[::-1]))
    write(tmp_path / "exp/acc_top5_val", curve("acc/top5", [0.5]))
    write(tmp_path / "exp/loss_two", [*curve("loss", [1]), *curve("more", [1])])
    reader = TensorBoardReader(tmp_path)
    assert reader.run_ids() == ["exp", "exp/loss_two"]
    found = values(reader.read("exp"))
    assert found.pop("lr") == pytest.approx([0.1, 0.1])
    assert found == {"acc/top5/val": [0.5], "loss/train": FALLING, "loss/val_2": FALLING[::-1]}


def test_runs_called_after_their_tag_are_runs(tmp_path):
    """`add_scalars` writes beside its parent's file: without one, `loss_adam` is a run like any other."""
    write(tmp_path / "loss_adam", curve("loss", FALLING))
    assert TensorBoardReader(tmp_path).run_ids() == ["loss_adam"]


def test_nested_parts_add_up(tmp_path):
    """`add_scalars` within one half of a run is named after both."""
    write(tmp_path / "train", curve("lr", [1]))
    write(tmp_path / "train/loss_box", curve("loss", FALLING))
    write(tmp_path / "val", curve("loss", FALLING))
    reader = TensorBoardReader(tmp_path)
    assert reader.run_ids() == ["."]
    assert values(reader.read(".")) == {"train/lr": [1], "train/loss/box": FALLING, "val/loss": FALLING}


def test_two_curves_of_one_name(tmp_path):
    """The parent's own `val/loss` stays; the half's `loss`, which would be called the same, is noted."""
    write(tmp_path, curve("val/loss", FALLING))
    write(tmp_path / "val", curve("loss", [5]))
    run = read(tmp_path)
    assert values(run) == {"val/loss": FALLING}
    assert list(run.notes) == ["two curves are called 'val/loss'; the second was left out"]


# --- several files in a directory


def test_files_join_in_order_of_their_time(tmp_path):
    """A resumed run, or one file for each evaluation: later files follow, whatever their names sort like."""
    for time, name in (
        (9, logged_at(9, host="a", pid=2)),
        (0, logged_at(0, host="z", pid=1)),
        (10, logged_at(10, host="a", pid=9)),
        (20, "events.out.tfevents"),
    ):
        start = eventlogs.START + time
        pieces = [record(Event(wall_time=start, file_version="brain.Event:2"))]
        write_bytes(tmp_path, [*pieces, *map(record, curve("loss", [-time, time], first=time, start=start))], name)
    reader = TensorBoardReader(tmp_path)
    assert reader.run_ids() == ["."]
    assert by_name(reader.read("."))["loss"].values.tolist() == [0, 0, -9, 9, -10, 10, -20, 20]


def test_files_off_the_pattern_join_by_their_first_record(tmp_path):
    """Without a time in the name the first record tells it."""
    for name, time in (("events.out.tfevents.b", 0), ("events.out.tfevents.a", 60)):
        start = eventlogs.START + time
        pieces = [record(Event(wall_time=start, file_version="brain.Event:2"))]
        write_bytes(tmp_path, [*pieces, *map(record, curve("loss", [time], first=time, start=start + 1))], name)
    assert by_name(read(tmp_path))["loss"].steps.tolist() == [0, 60]


def test_processes_that_compete_are_runs_of_their_own(tmp_path):
    """Two processes that write the same steps of a tag at the same time are two runs; their files pair by process."""
    for pid, scale in ((11, 1), (12, 2)):
        write(tmp_path / "exp", curve("loss", [scale * value for value in FALLING]), logged_at(pid, "n.x", pid))
        write(tmp_path / "exp", curve("acc", [scale]), logged_at(50, "n.x", pid, number=1))
        write(tmp_path / "exp/val", curve("loss", [scale]), logged_at(50, "n.x", pid, number=2))
    reader = TensorBoardReader(tmp_path)
    assert reader.run_ids() == ["exp#n.x.11", "exp#n.x.12"]
    assert values(reader.read("exp#n.x.11")) == {"loss": FALLING, "acc": [1], "val/loss": [1]}
    assert values(reader.read("exp#n.x.12")) == {"loss": [2 * value for value in FALLING], "acc": [2], "val/loss": [2]}
    assert values(TensorBoardReader(tmp_path).read("exp#n.x.12"))["acc"] == [2]
    with pytest.raises(RunNotFoundError):
        reader.read("exp")


@pytest.mark.parametrize(
    ("second", "pid"),
    [
        (curve("loss", FALLING, start=eventlogs.START + 60), 2),
        (curve("loss", FALLING, first=4), 2),
        (curve("val_loss", FALLING), 2),
        (curve("loss", FALLING), 1),
    ],
    ids=["one after the other", "other steps", "other tags", "one process"],
)
def test_processes_that_do_not_compete_share_a_run(tmp_path, second, pid):
    """All three must meet: other processes, the same steps of a tag, the same time."""
    write(tmp_path, curve("loss", FALLING), logged_at(0, pid=1))
    write(tmp_path, second, logged_at(60, pid=pid, number=1))
    reader = TensorBoardReader(tmp_path)
    assert reader.run_ids() == ["."]
    assert sum(len(each.values) for each in reader.read(".").curves) == 2 * len(FALLING)


# --- hyper-parameters


PARAMS = {"lr": 0.001, "layers": 3, "optimizer": "adam", "nesterov": True, "weight_decay": 1e-05, "version": "2.0"}
AS_TEXT = {
    "lr": "0.001",
    "layers": "3",
    "optimizer": "adam",
    "nesterov": "True",
    "weight_decay": "1e-05",
    "version": "2.0",
}


def test_hparams_are_params(tmp_path):
    """The hparams plugin's values arrive as text, whole numbers without a point, from a damaged file as well."""
    tail = [*GOOD, flipped(GOOD[0], -1), record(hparams(PARAMS))]
    write_bytes(tmp_path, [version(), *tail])
    run = read(tmp_path)
    assert run.params == AS_TEXT
    assert values(run) == {"loss": FALLING}


def test_add_hparams_gives_its_params_to_its_parent(tmp_path):
    """They are written to a time-stamped sub-directory, with one value of each metric: that is no run."""
    write(tmp_path / "exp", curve("loss", FALLING))
    write(tmp_path / "exp/1700000099.1234567", [hparams(PARAMS), *curve("hparam/accuracy", [0.5])])
    write(tmp_path / "exp/1700000199.1234567", [hparams({"lr": 0.01}), *curve("hparam/accuracy", [0.5])])
    reader = TensorBoardReader(tmp_path)
    assert reader.run_ids() == ["exp"]
    assert reader.read("exp").params == AS_TEXT | {"lr": "0.01"}
    assert values(reader.read("exp")) == {"loss": FALLING}


def test_a_run_called_after_its_time_is_a_run(tmp_path):
    """A time-stamped directory with curves, or without hyper-parameters, or without a parent, is what it looks like."""
    write(tmp_path / "1700000001", curve("loss", FALLING))
    write(tmp_path / "1700000001/1700000002.5", [hparams(PARAMS), *curve("loss", FALLING)])
    write(tmp_path / "1700000001/1700000003.5", curve("loss", [1]))
    write(tmp_path / "1700000004.5", [hparams(PARAMS), *curve("loss", [1])])
    ids = TensorBoardReader(tmp_path).run_ids()
    assert ids == ["1700000001", "1700000001/1700000002.5", "1700000001/1700000003.5", "1700000004.5"]


def test_malformed_hparams_are_noted(tmp_path):
    """Hyper-parameters that are none cost themselves alone."""
    good, bad = hparams(PARAMS), hparams(PARAMS)
    for value in bad.summary.value:
        value.metadata.plugin_data.content = b"\xff\xff"
    write(tmp_path, [good, *curve("loss", FALLING)], logged_at(0))
    write(tmp_path, [bad], logged_at(1))
    run = read(tmp_path)
    assert (run.params, values(run)) == (AS_TEXT, {"loss": FALLING})
    assert list(run.notes) == [f"{logged_at(1)}: hyper-parameters are malformed"]


# --- the file system


def test_links_are_followed_and_loops_are_not(tmp_path):
    """A link into the logdir is the directory it leads to; one that leads out of it is a run, once."""
    logdir = tmp_path / "logdir"
    write(logdir / "exp1", curve("loss", FALLING))
    write(tmp_path / "elsewhere/deep", curve("loss", FALLING))
    try:
        (logdir / "again").symlink_to(logdir, target_is_directory=True)
        (logdir / "a_latest").symlink_to(logdir / "exp1", target_is_directory=True)
        (logdir / "other").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
        (tmp_path / "elsewhere/back").symlink_to(logdir, target_is_directory=True)
        (logdir / "tfevents.broken").symlink_to(tmp_path / "nowhere")
    except OSError:
        pytest.skip("no right to make links here")
    reader = TensorBoardReader(logdir)
    assert reader.run_ids() == ["exp1", "other/deep"]
    assert values(reader.read("other/deep")) == {"loss": FALLING}


def test_nothing_is_written_to_the_logdir(tmp_path):
    """Names, sizes and times of everything in it stay what they were."""
    write(tmp_path / "exp", [hparams(PARAMS), *curve("loss", FALLING)])
    write_bytes(tmp_path / "broken", [version(), GOOD[0], bytes(10)])

    def state() -> dict[Path, tuple[int, int]]:
        return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in [tmp_path, *tmp_path.rglob("*")]}

    before = state()
    reader = TensorBoardReader(tmp_path)
    assert [len(reader.read(run_id).curves) for run_id in reader.run_ids()] == [1, 1]
    assert state() == before


def test_tbparse_is_imported_only_for_hparams(tmp_path, monkeypatch):
    """The common log never pays for pandas."""
    monkeypatch.setitem(sys.modules, "tbparse", None)
    write(tmp_path / "plain", curve("loss", FALLING))
    write(tmp_path / "with", [hparams(PARAMS)])
    assert values(read(tmp_path, "plain")) == {"loss": FALLING}
    with pytest.raises(ImportError):
        read(tmp_path, "with")
