"""Event files read over whole blocks: the same to the bit as record by record, whatever stands in them."""

from __future__ import annotations

import struct
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c as reference_checksum
from tensorboard.util.tensor_util import make_ndarray

import eventlogs
from eventlogs import curve, flipped, hparams, record, restart, scalar, tensor, version, write_bytes
from mlflow_diagnose.readers.events import blocks, event_files, names
from mlflow_diagnose.readers.events.buffers import Buffer
from mlflow_diagnose.readers.events.checksums import masked_crc32c, masked_crc32c_of
from mlflow_diagnose.readers.events.event_cache import EventCache
from mlflow_diagnose.readers.events.event_files import read_events, read_next
from mlflow_diagnose.readers.events.records import MOST_GAPS, find_records
from mlflow_diagnose.readers.places import LocalFolder
from randomlogs import events

if TYPE_CHECKING:
    from mlflow_diagnose.readers.events.points import Points

FRAMEWORKS = Path(__file__).parents[2] / "fixtures" / "frameworks"

Written = list[tuple[int, float, float]]


def one_by_one(path: Path) -> dict[str, Written]:
    """The points of each tag as protobuf finds them, a record at a time, in an undamaged file."""
    data, at = path.read_bytes(), 0
    points: defaultdict[str, Written] = defaultdict(list)
    plugins: dict[str, str] = {}
    while at < len(data):
        length = struct.unpack_from("<Q", data, at)[0]
        event = Event.FromString(data[at + 12 : at + 12 + length])
        at += length + 16
        if event.session_log.status:
            for tag in list(points):
                points[tag] = [point for point in points[tag] if point[0] < event.step]
        for value in event.summary.value:
            plugins[value.tag] = value.metadata.plugin_data.plugin_name or plugins.get(value.tag, "")
            if value.HasField("simple_value"):
                points[value.tag].append((event.step, value.simple_value, event.wall_time))
            elif value.HasField("tensor") and plugins[value.tag] in {"", "scalars"} and is_number(value.tensor):
                points[value.tag].append((event.step, number_in(value.tensor), event.wall_time))
    return {tag: written for tag, written in points.items() if written}


def is_number(proto: TensorProto) -> bool:
    """Whether a tensor is of rank 0 and of a type that TensorBoard itself turns into a number."""
    return not proto.tensor_shape.dim and proto.dtype not in {0, 7}


def number_in(proto: TensorProto) -> float:
    """The number in a tensor; halves in a list without TensorBoard's help, which numpy 2.5 warns of."""
    if proto.half_val:
        return float(np.array(proto.half_val, np.uint16).view(np.float16)[0])
    return float(make_ndarray(proto))


def bits(points: Points) -> tuple[bytes, bytes, bytes]:
    """The points to the bit."""
    return points.steps.tobytes(), points.values.tobytes(), points.wall_times.tobytes()


def expected_bits(written: Written) -> tuple[bytes, bytes, bytes]:
    """The same of points in a list."""
    steps, numbers, times = zip(*written, strict=True)
    return np.array(steps, "i8").tobytes(), np.array(numbers, "f8").tobytes(), np.array(times, "f8").tobytes()


def assert_same(path: Path, **options) -> None:
    """A file's points are those found one by one, to the bit."""
    found = read_events(path, **options)
    assert {tag: bits(points) for tag, points in found.points.items()} == {
        tag: expected_bits(written) for tag, written in one_by_one(path).items()
    }


# --- the same as one by one


@pytest.mark.parametrize("verify", [False, True])
def test_real_logs_are_read_to_the_bit(verify):
    """Every log that a real framework wrote."""
    paths = sorted(FRAMEWORKS.rglob("*tfevents*"))
    assert len(paths) >= 15
    for path in paths:
        assert_same(path, verify=verify)
        assert read_events(path, verify=verify).trouble == ""


@given(st.lists(events(), max_size=40), st.integers(1, 12), st.integers(1, 9), st.booleans())
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_random_layouts_are_read_to_the_bit(tmp_path_factory, logged, repeats, block, verify):
    """200 logs of random layouts, in blocks so small that each has several, mapped as well as in one buffer."""
    folder = tmp_path_factory.mktemp("log")
    path = write_bytes(folder, [version(), *map(record, logged * repeats)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK_RECORDS", block)
        assert_same(path, verify=verify)
        patch.setattr(event_files, "SMALL_BYTES", 8)
        assert_same(path, verify=verify)
    assert read_events(path, verify=verify).trouble in {"", "holds nothing but its version"}


# --- untrusted bytes


@given(st.binary(max_size=300) | st.lists(st.binary(max_size=60), max_size=8), st.booleans())
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_survived(tmp_path_factory, content, verify):
    """Bytes that are no log, and records with right checksums around bytes that are no event."""
    data = content if isinstance(content, bytes) else b"".join(map(framed, content))
    path = write_bytes(tmp_path_factory.mktemp("log"), [data])
    read = read_events(path, verify=verify)
    assert 0 <= read.end <= len(data)


def framed(payload: bytes) -> bytes:
    """Bytes as a record."""
    length = struct.pack("<Q", len(payload))
    return length + eventlogs.checksum(length) + payload + eventlogs.checksum(payload)


@given(st.integers(0, 10_000), st.integers(1, 255), st.booleans())
@settings(max_examples=200, deadline=None)
def test_any_byte_may_turn(tmp_path_factory, at, turned, verify):
    """Wherever a byte of a log of every common layout is wrong, at most its own record is lost."""
    logged = [
        *(tensor("a", np.float32(1), step) for step in range(3)),
        *curve("b", [1, 2, 3]),
        *(tensor("c", np.zeros(3), step, plugin="histograms") for step in range(3)),
        *curve("a", [4, 5], first=3),
    ]
    data = bytearray(b"".join(map(record, logged)))
    data[at % len(data)] ^= turned
    points = read_events(write_bytes(tmp_path_factory.mktemp("log"), [bytes(data)]), verify=verify).points
    assert 7 <= sum(map(len, points.values())) <= 9
    if verify:
        assert set(points) == {"a", "b"}


def test_a_length_beyond_the_end_inside_a_record_costs_the_record_alone(tmp_path):
    """Lengths inside a payload are the writer's word; none of them is followed out of its record."""
    good = [record(event) for event in curve("loss", [1, 2])]
    payload = scalar("loss", 9, 5).SerializeToString()
    for at in range(len(payload)):
        for byte in (0x00, 0x7F, 0x80, 0xFF):
            bad = framed(payload[:at] + bytes([byte]) + payload[at + 1 :])
            kept = read_events(write_bytes(tmp_path, [good[0], bad, good[1]])).points["loss"]
            assert [kept.values[0], kept.values[-1]] == [1, 2]


def test_an_empty_tensor_costs_only_itself(tmp_path):
    """The values beside it in its record are kept, with their time."""
    event = tensor("empty", TensorProto(dtype="DT_FLOAT"), 3)
    event.summary.value.add(tag="loss", simple_value=2)
    read = read_events(write_bytes(tmp_path, [record(event)]))
    assert list(read.points) == ["loss"]
    assert bits(read.points["loss"]) == expected_bits([(3, 2, eventlogs.START + 3)])
    assert read.trouble == "1 damaged record left out"


def test_a_file_damaged_all_over_is_given_up(tmp_path):
    """After a thousand gaps the rest is left out, so that nobody waits for it; one line tells of them all."""
    good = record(scalar("loss", 1, 1))
    path = write_bytes(tmp_path, [good, b"x"] * (MOST_GAPS + 10))
    read = read_events(path)
    assert len(read.points["loss"]) == MOST_GAPS + 1
    told = read.trouble.split("; ")
    assert (len(told), told[3]) == (5, f"{MOST_GAPS - 3} more such places")
    assert told[4] == f"what follows byte {(len(good) + 1) * MOST_GAPS + len(good)} was left out"


def test_more_tags_than_any_run_has_are_left_out(tmp_path, monkeypatch):
    """A tag of its own on every record would take memory without end; the tags that fit keep their points."""
    monkeypatch.setattr(names, "MOST_NAMES", 3)
    monkeypatch.setattr(blocks, "BLOCK_RECORDS", 2)
    read = read_events(write_bytes(tmp_path, [record(scalar(tag, 1, step)) for step, tag in enumerate("aabcadbef")]))
    assert {tag: points.steps.tolist() for tag, points in read.points.items()} == {
        "a": [0, 1, 4],
        "b": [2, 6],
        "c": [3],
    }
    assert read.trouble == "3 damaged records left out"


# --- frames


def test_checksums_are_tensorboards():
    """One by one or thousands at once, of any length from nothing on."""
    noise = np.random.default_rng(0)
    lengths = noise.integers(0, 300, 200)
    data = noise.bytes(int(lengths.sum()) + 8)
    starts = np.cumsum(lengths) - lengths
    texts = [data[start : start + length] for start, length in zip(starts, lengths, strict=True)]
    expected = [reference_checksum(text) for text in texts]
    assert [masked_crc32c(text) for text in texts] == expected
    assert masked_crc32c_of(Buffer(data), starts, lengths).tolist() == expected


@pytest.mark.parametrize("pattern", [[1], [1, 2], [5, 5, 9], list(range(100)), [3] * 40 + [4], [0]])
def test_records_are_found_whatever_the_pattern_of_their_lengths(pattern):
    """Predicted or followed one by one, the records are those that the lengths tell, up to the cut at the end."""
    frames = [framed(bytes(length)) for length in pattern * (3000 // len(pattern))]
    frames[2000:2000] = [framed(bytes(1000))]
    data = b"".join(frames)
    places = np.cumsum([0, *map(len, frames)])
    for cut in (0, 1, 16):
        found = find_records(Buffer(data), 0, len(data) - cut)
        kept = len(frames) - bool(cut)
        assert found.headers.tolist() == places[:kept].tolist()
        whole = cut in {0, len(frames[-1])}
        assert (found.end, found.gaps) == (places[kept], [])
        assert found.rest == ("" if whole else "the last record is cut off")


def test_damage_amid_predicted_records_is_found():
    """A length that fails its checksum in the middle of a long regular file costs that record alone."""
    frame = framed(bytes(50))
    data = frame * 1500 + flipped(frame, 9) + frame * 1500
    found = find_records(Buffer(data), 0, len(data))
    assert len(found.headers) == 3000
    assert found.gaps == [f"{len(frame)} bytes from byte {1500 * len(frame)} on are not a record and were left out"]


# --- several files


def test_small_files_are_read_together_and_stay_apart(tmp_path):
    """Each with its own tags, its own restart, its own plugin of a tag, its own damage."""
    logged = [
        [*curve("loss", [3, 2, 1]), restart(1), *curve("loss", [5], first=1)],
        [tensor("loss", np.float32(7), 0, plugin="mine"), tensor("loss", np.float32(8), 1, plugin="")],
        [tensor("loss", np.float32(9), 1, plugin=""), hparams({"lr": 1})],
        [scalar("other", 1, 1), *curve("loss", [4])],
    ]
    paths = [write_bytes(tmp_path / str(place), map(record, each)) for place, each in enumerate(logged)]
    paths[2:2] = [write_bytes(tmp_path / "empty", []), write_bytes(tmp_path / "bad", [b"nonsense" * 4])]
    paths.append(tmp_path / "gone")
    found = read_next(paths)
    assert list(found) == [*paths[-1:], *paths[:-1]]
    points = {
        path.parent.name: {tag: each.values.tolist() for tag, each in found[path].points.items()} for path in found
    }
    assert points["0"] == {"loss": [3, 5]}
    assert points["1"] == {}
    assert points["2"] == {"loss": [9]}
    assert list(points["3"].items()) == [("other", [1]), ("loss", [4])]
    assert [found[path].restart for path in paths[:2]] == [1, None]
    assert [len(found[path].hparams) for path in paths] == [0, 0, 0, 0, 1, 0, 0]
    assert [found[path].trouble for path in paths[2:4]] == ["the file is empty", "not an event file"]


def test_each_file_is_read_once(tmp_path, monkeypatch):
    """Looked at for what it is and then taken, a file is opened once; taken again, it is read anew."""
    paths = [write_bytes(tmp_path / name, map(record, curve("loss", [1, 2]))) for name in "abc"]
    opened: list[Path] = []

    def noted(path, *args, **kwargs):
        opened.append(path)
        return open(path, *args, **kwargs)  # noqa: PTH123 - what it stands in for

    monkeypatch.setattr(event_files, "open", noted, raising=False)
    cache = EventCache(LocalFolder(tmp_path), verify=False)
    cache.expect(paths)
    for path in paths:
        cache.look(path)
    assert [len(cache.take(path).points["loss"]) for path in paths] == [2, 2, 2]
    assert opened == paths
    assert len(cache.take(paths[0]).points["loss"]) == 2
    assert opened == [*paths, *paths]


# --- start-up


@pytest.mark.parametrize(
    "logged",
    [curve("loss", [1, 2]), [tensor("loss", np.float32(step), step) for step in range(3)]],
    ids=["simple values", "tensors"],
)
def test_common_logs_load_no_protobuf(tmp_path, logged):
    """TensorBoard's protobuf classes and pandas are for what is unusual."""
    image = Event(wall_time=1, summary=Summary(value=[Summary.Value(tag="i", image=Summary.Image(height=1))]))
    write_bytes(tmp_path, [version(), record(Event(wall_time=1, graph_def=b"graph")), *map(record, [image, *logged])])
    code = (
        "import sys; from mlflow_diagnose.readers.tensorboard import TensorBoardReader; "
        "run = TensorBoardReader(sys.argv[1]).read('.'); "
        "print([each.name for each in run.curves], [name for name in "
        "('tensorboard', 'google.protobuf', 'pandas', 'tbparse', 'mlflow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['loss'] []"
