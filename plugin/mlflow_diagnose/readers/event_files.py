"""Event files: from the bytes TensorBoard's writers left behind to the points of each tag."""

from __future__ import annotations

import mmap
import os
import re
import struct
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from warnings import catch_warnings, simplefilter

import numpy as np
from google.protobuf.message import DecodeError
from tensorboard.compat.proto import types_pb2 as types
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c
from tensorboard.summary.writer.record_writer import RecordWriter
from tensorboard.util.tensor_util import make_ndarray

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tensorboard.compat.proto.tensor_pb2 import TensorProto

    from curve_analyzers.model import Floats, Ints

__all__ = ["EventFile", "Points", "read_events", "read_hparams"]

LENGTH = struct.Struct("<Q")
CHECKSUM = struct.Struct("<I")
HEADER = LENGTH.size + CHECKSUM.size

# Where a header may stand: the length of a record is no zero and, below 4 GiB, ends in four of them.
HEADER_LIKE = re.compile(rb"(?=(?!\0{4}).{4}\0{4})", re.DOTALL)

# Payloads up to this many bytes are checked; scalars are far smaller, and TensorBoard checks none.
CHECKED_BYTES = 4096

LFS_POINTER = b"version https://git-lfs"
SESSION_START = "_hparams_/session_start_info"

NUMERIC = frozenset(
    {types.DT_HALF, types.DT_BFLOAT16, types.DT_FLOAT, types.DT_DOUBLE, types.DT_BOOL}
    | {types.DT_INT8, types.DT_INT16, types.DT_INT32, types.DT_INT64}
    | {types.DT_UINT8, types.DT_UINT16, types.DT_UINT32, types.DT_UINT64}
)


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """The points of one tag, in the order they were written.

    Attributes:
        steps: (n,) int64.
        values: (n,) float64.
        wall_times: (n,) float64, seconds since 1970.
    """

    steps: Ints
    values: Floats
    wall_times: Floats

    def __len__(self) -> int:
        return len(self.steps)

    def before(self, step: int) -> Points:
        """The points at steps under `step`."""
        keep = self.steps < step
        return Points(self.steps[keep], self.values[keep], self.wall_times[keep])


@dataclass(frozen=True, slots=True, eq=False)
class EventFile:
    """What an event file holds.

    Attributes:
        points: The points of each tag.
        started: Wall time of the first record, seconds since 1970; 0 where there is none.
        restart: The earliest step from which a `SessionLog.START` in the file says that training ran again: what
            earlier files hold from there on is void. None where there is none.
        hparams: The records of hyper-parameters, for `read_hparams`.
        trouble: What could not be read, in a few words; empty where everything could.
    """

    points: Mapping[str, Points] = field(default_factory=dict)
    started: float = 0.0
    restart: int | None = None
    hparams: Sequence[bytes] = ()
    trouble: str = ""


def read_events(path: Path) -> EventFile:
    """Read an event file; whatever is wrong with it costs only what is damaged and is told in `trouble`."""
    try:
        with path.open("rb") as file:
            if not os.fstat(file.fileno()).st_size:
                return EventFile(trouble="the file is empty")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _parse(data)
    except OSError as error:
        return EventFile(trouble=f"could not be read: {error.strerror}")


def read_hparams(record: bytes) -> dict[str, str]:
    """The hyper-parameters of a record in `EventFile.hparams`, numbers without a trailing `.0`.

    Raises:
        ValueError: The record does not hold what its name promises.
    """
    # Slow to import, and few files hold any.
    from tbparse import SummaryReader  # noqa: PLC0415 - see above

    # The record goes alone: given the whole file, tbparse reads every point of it and stops where it is damaged.
    with TemporaryDirectory() as folder, catch_warnings():
        simplefilter("ignore", DeprecationWarning)  # tbparse sorts in a way that pandas 3 wants changed
        path = Path(folder, "tfevents")
        with path.open("wb") as file:
            RecordWriter(file).write(record)
        try:
            table = SummaryReader(str(path), event_types={"hparams"}).hparams
        except (AssertionError, DecodeError) as error:
            raise ValueError("hyper-parameters are malformed") from error
    if table.empty:
        return {}
    # The plugin keeps every number as a float.
    return {
        str(name): str(value).removesuffix(".0") if isinstance(value, float) else str(value)
        for name, value in zip(table["tag"], table["value"], strict=True)
    }


def _parse(data: mmap.mmap) -> EventFile:
    if data[: len(LFS_POINTER)] == LFS_POINTER:
        return EventFile(trouble="a Git LFS pointer; its content was never fetched")
    found = _Collector()
    gaps: list[str] = []
    for payload, checksum in _records(data, gaps):
        found.add(payload, checksum)
    if found.damaged:
        gaps.insert(0, f"{found.damaged} damaged {'record' if found.damaged == 1 else 'records'} left out")
    if not found.holds_data and not gaps:
        gaps.append("holds nothing but its version")
    return found.result("; ".join(gaps))


def _records(data: mmap.mmap, gaps: list[str]) -> Iterator[tuple[bytes, int]]:
    """The payload of each record and the checksum it should have; adds to `gaps` where there is no record."""
    at, size = 0, len(data)
    while at < size:
        header = data[at : at + HEADER]
        if len(header) < HEADER or not _is_header(header):
            following = _next_record(data, at + 1)
            gaps.append(_describe_gap(data, at, following))
            at = following
            continue
        end = at + HEADER + LENGTH.unpack_from(header)[0]
        if end + CHECKSUM.size > size:
            gaps.append("the last record is cut off")
            return
        yield data[at + HEADER : end], CHECKSUM.unpack_from(data, end)[0]
        at = end + CHECKSUM.size


def _is_header(header: bytes) -> bool:
    return _matches(header[: LENGTH.size], CHECKSUM.unpack_from(header, LENGTH.size)[0])


def _matches(data: bytes, checksum: int) -> bool:
    return bool(masked_crc32c(data) == checksum)


def _next_record(data: mmap.mmap, start: int) -> int:
    """Where the next record begins at or after `start`; the end of the data where there is none."""
    for match in HEADER_LIKE.finditer(data, start, len(data)):
        header = data[match.start() : match.start() + HEADER]
        if len(header) == HEADER and _is_header(header):
            return match.start()
    return len(data)


def _describe_gap(data: mmap.mmap, start: int, end: int) -> str:
    if end == len(data):
        if start == 0:
            return "not an event file"
        if not data[start:].strip(b"\0"):
            return f"{end - start} zero bytes at the end"
        if end - start < HEADER:
            return "the last record is cut off"
    return f"{end - start} bytes from byte {start} on are not a record and were left out"


class _Collector:
    """Takes the records of a file one by one."""

    def __init__(self) -> None:
        self.points: defaultdict[str, list[tuple[int, float, float]]] = defaultdict(list)
        self.plugins: dict[str, str] = {}
        self.hparams: list[bytes] = []
        self.started = 0.0
        self.restart: int | None = None
        self.damaged = 0
        self.holds_data = False

    def add(self, payload: bytes, checksum: int) -> None:
        """Take a record; count it as damaged where it cannot be trusted or parsed."""
        if len(payload) <= CHECKED_BYTES and not _matches(payload, checksum):
            self.damaged += 1
            return
        try:
            event = Event.FromString(payload)
            self.started = self.started or event.wall_time
            self.holds_data |= event.WhichOneof("what") != "file_version"
            if event.session_log.status == SessionLog.START:
                self._purge(event.step)
            self._summary(event, payload)
        except (DecodeError, ValueError, OverflowError):
            self.damaged += 1

    def result(self, trouble: str) -> EventFile:
        """Everything taken so far."""
        points = {}
        for tag, written in self.points.items():
            steps, values, times = zip(*written, strict=True)
            points[tag] = Points(np.array(steps, np.int64), np.array(values, np.float64), np.array(times, np.float64))
        return EventFile(points, self.started, self.restart, tuple(self.hparams), trouble)

    def _purge(self, step: int) -> None:
        self.restart = step if self.restart is None else min(self.restart, step)
        kept = {tag: [point for point in points if point[0] < step] for tag, points in self.points.items()}
        self.points = defaultdict(list, {tag: points for tag, points in kept.items() if points})

    def _summary(self, event: Event, payload: bytes) -> None:
        for value in event.summary.value:
            # TensorFlow names the plugin on the first record of a tag only.
            plugin = value.metadata.plugin_data.plugin_name or self.plugins.get(value.tag, "")
            self.plugins[value.tag] = plugin
            if plugin == "hparams" and value.tag == SESSION_START:
                self.hparams.append(payload)
            elif value.HasField("simple_value"):
                self.points[value.tag].append((event.step, value.simple_value, event.wall_time))
            elif value.HasField("tensor") and plugin in {"", "scalars"} and _is_scalar(value.tensor):
                self.points[value.tag].append((event.step, _number(value.tensor), event.wall_time))


def _is_scalar(tensor: TensorProto) -> bool:
    shape = tensor.tensor_shape
    return tensor.dtype in NUMERIC and not shape.dim and not shape.unknown_rank


def _number(tensor: TensorProto) -> float:
    """The number in a tensor of rank 0.

    Raises:
        ValueError: There is none, or there are several.
        OverflowError: It does not fit the tensor's type.
    """
    if tensor.dtype == types.DT_BFLOAT16:  # the upper half of a float32, unknown to numpy
        packed = np.frombuffer(tensor.tensor_content, "<u2") if tensor.tensor_content else np.array(tensor.half_val)
        return float((packed.astype(np.uint32) << 16).view(np.float32).reshape(()))
    if tensor.dtype in {types.DT_UINT32, types.DT_UINT64} and not tensor.tensor_content:  # unknown to make_ndarray
        return float(np.array([*tensor.uint32_val, *tensor.uint64_val], np.uint64).reshape(()))
    return float(make_ndarray(tensor))
