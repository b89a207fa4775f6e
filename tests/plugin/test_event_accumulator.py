"""The same points as TensorBoard's own Python readers, to the bit, wherever those can read; and where they differ.

`EventAccumulator` differs from this reader by design, each time with its test here or beside:

- A tensor of a type it cannot turn into an array (bfloat16, and uint32 and uint64 in a list) is a number for us
  (`test_tensorboard.py`).
- A restart voids simple values for it, and no tensors. For us it voids both, as for the accumulator that TensorBoard's
  own pages are served from.
- After a damaged record it reads nothing more of the file. For us a damaged record costs itself alone.
- In a file without a version, or of version 1, it drops the points of a tag that a later, lower step voids. We read
  what was written, and where the run is settled the same points are dropped.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator as ServerAccumulator
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.util.tensor_util import make_ndarray

from curve_analyzers.settle import prepare
from eventlogs import START, curve, flipped, record, restart, tensor, version, write_bytes
from mlflow_diagnose.readers.tensorboard import TensorBoardReader
from randomlogs import NUMBERS, consistent_logs

FRAMEWORKS = Path(__file__).parents[2] / "fixtures" / "frameworks"
FOLDERS = sorted({path.parent for path in FRAMEWORKS.rglob("*tfevents*")})
TEXT, UNTYPED = 7, 0


def theirs(folder):
    """The points of each tag as `EventAccumulator` reads a directory, nothing sampled: simple values, else tensors."""
    read = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0}).Reload()
    tags = read.Tags()
    points = {tag: [(each.step, each.value, each.wall_time) for each in read.Scalars(tag)] for tag in tags["scalars"]}
    for tag in tags["tensors"]:
        metadata = read.summary_metadata.get(tag)
        if metadata is None or metadata.plugin_data.plugin_name in {"", "scalars"}:
            points[tag] = [
                (each.step, number_in(each.tensor_proto), each.wall_time)
                for each in read.Tensors(tag)
                if is_number(each.tensor_proto)
            ]
    return {tag: as_bits(*zip(*written, strict=True)) for tag, written in points.items() if written}


def ours(folder, **options):
    """The same as this reader gives them."""
    reader = TensorBoardReader(folder, **options)
    (run_id,) = reader.run_ids()
    return {each.name: as_bits(each.steps, each.values, each.wall_times) for each in reader.read(run_id).curves}


def as_bits(steps, values, wall_times):
    """Points to the bit."""
    return np.array(steps, "i8").tobytes(), np.array(values, "f8").tobytes(), np.array(wall_times, "f8").tobytes()


def is_number(proto: TensorProto) -> bool:
    """Whether a tensor is of rank 0 and no text."""
    return not proto.tensor_shape.dim and proto.dtype not in {UNTYPED, TEXT}


def number_in(proto: TensorProto) -> float:
    """The number in a tensor; halves in a list without TensorBoard's help, which numpy 2.5 warns of."""
    if proto.half_val:
        return float(np.array(proto.half_val, np.uint16).view(np.float16)[0])
    return float(make_ndarray(proto))


def lay_down(folder, files):
    """Write the files of a run, each begun a second after the other, by one process."""
    for number, events in enumerate(files):
        name = f"events.out.tfevents.{int(START) + number}.host.1.0"
        write_bytes(folder, [version(), *map(record, events)], name)


def has_restarts(files):
    """Whether any file says that training ran again."""
    return any(event.HasField("session_log") for events in files for event in events)


def holds_tensors(files):
    """Whether any value is a tensor."""
    return any(value.HasField("tensor") for events in files for event in events for value in event.summary.value)


@given(consistent_logs())
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
def test_random_logs(tmp_path_factory, files):
    """200 runs of one to three files: simple values and tensors of every type, restarts, pictures, other plugins."""
    if holds_tensors(files):
        files = [[event for event in events if not event.HasField("session_log")] for events in files]
    folder = tmp_path_factory.mktemp("log")
    lay_down(folder, files)
    assert ours(folder) == theirs(folder)
    assert ours(folder, verify=True) == ours(folder)


@given(consistent_logs().filter(has_restarts))
@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
def test_random_logs_with_restarts_as_tensorboard_serves_them(tmp_path_factory, files):
    """What the accumulator behind TensorBoard's pages has of the tags of the scalars plugin.

    It takes the first mark of a run for its beginning, so there is one more here, which voids nothing.
    """
    folder = tmp_path_factory.mktemp("log")
    lay_down(folder, [[restart(0), *files[0]], *files[1:]])
    served = ServerAccumulator(str(folder), tensor_size_guidance={"scalars": 0}).Reload()
    tags = served.PluginTagToContent("scalars") if "scalars" in served.ActivePlugins() else {}
    found = ours(folder)
    for tag in tags.keys() & served.Tags()["tensors"]:
        points = [
            (each.step, number_in(each.tensor_proto), each.wall_time)
            for each in served.Tensors(tag)
            if is_number(each.tensor_proto)
        ]
        assert found.get(tag) == (as_bits(*zip(*points, strict=True)) if points else None)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: "-".join(folder.relative_to(FRAMEWORKS).parts))
def test_real_logs(tmp_path, folder):
    """Every directory that a real framework wrote; a copy, as TensorBoard's reader may not be trusted with it."""
    for path in folder.glob("*tfevents*"):
        shutil.copy(path, tmp_path)
    found = ours(tmp_path)
    assert found
    assert found == theirs(tmp_path)


@pytest.mark.parametrize("kind", NUMBERS)
@pytest.mark.parametrize("packed", [False, True], ids=["listed", "packed"])
def test_tensors_of_every_type(tmp_path, kind, packed):
    """The extremes of each type, in either field of a tensor."""
    dtype = np.dtype(kind)
    if dtype.kind == "f":
        limits = np.finfo(dtype)
        numbers = [limits.max, limits.min, limits.smallest_subnormal, -0.0, np.nan, np.inf, -np.inf, 1 / 3]
    else:
        numbers = [True, False] if kind == "?" else [np.iinfo(dtype).max, np.iinfo(dtype).min, 0, 1]
    events = []
    for step, number in enumerate(np.array(numbers, dtype)):
        event = tensor("loss", number, step)
        if packed:
            made = event.summary.value[0].tensor
            made.CopyFrom(TensorProto(dtype=made.dtype, tensor_content=number.tobytes()))
        events.append(event)
    lay_down(tmp_path, [events])
    found = ours(tmp_path)
    assert found == theirs(tmp_path)
    assert len(found["loss"][0]) == 8 * len(numbers)


@given(consistent_logs().filter(any), st.integers(0, 10_000), st.integers(0, 7))
@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_tensorboard_reads_before_damage_is_read(tmp_path_factory, files, at, bit):
    """It stops there and we go on: all its points are ours, unless a restart that it never came to voids them."""
    folder = tmp_path_factory.mktemp("log")
    events = [event for event in files[0] if not event.HasField("session_log")]
    data = bytearray(b"".join([version(), *map(record, events)]))
    at = len(version()) + at % max(1, len(data) - len(version()))
    if at < len(data):
        data[at] ^= 1 << bit
    write_bytes(folder, [bytes(data)])
    found = ours(folder, verify=True)
    for tag, points in theirs(folder).items():
        for mine, other in zip(found[tag], points, strict=True):
            assert mine.startswith(other)


def test_damage_costs_us_one_record(tmp_path):
    """And TensorBoard's reader all that follow."""
    frames = list(map(record, curve("loss", [4, 3, 2, 1])))
    write_bytes(tmp_path, [version(), frames[0], flipped(frames[1], 20), *frames[2:]])
    assert theirs(tmp_path) == {"loss": as_bits([0], [4], [START])}
    assert ours(tmp_path, verify=True) == {"loss": as_bits([0, 2, 3], [4, 2, 1], [START, START + 2, START + 3])}


def test_steps_that_go_back_in_a_file_without_version(tmp_path):
    """What TensorBoard's reader drops is told by ours, and dropped where the run is settled."""
    write_bytes(tmp_path, [*map(record, curve("loss", range(5))), *map(record, curve("loss", [9, 8, 7, 6], first=2))])
    (raw,) = TensorBoardReader(tmp_path).read_many(["."])
    assert len(raw.curves[0].values) == 9
    settled = prepare(raw).curves["loss"]
    assert settled.rewound == 3
    assert theirs(tmp_path) == {"loss": as_bits(settled.steps, settled.values, settled.wall_times)}
