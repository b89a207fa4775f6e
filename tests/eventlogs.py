"""Writes logdirs: whole ones through TensorBoard's own writer, broken ones byte by byte."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c
from tensorboard.plugins.hparams.summary_v2 import hparams_pb
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from tensorboard.util.tensor_util import make_tensor_proto

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

START = 1_700_000_000.0


def scalar(tag: str, value: float, step: int, wall_time: float | None = None) -> Event:
    """A point as torch and TF 1 write it; its wall time is a second a step unless told."""
    return _event(Summary.Value(tag=tag, simple_value=value), step, wall_time)


def tensor(tag: str, value: object, step: int, plugin: str = "scalars", wall_time: float | None = None) -> Event:
    """A tensor as TF 2 writes it; an empty `plugin` leaves the metadata out, as after a tag's first record."""
    proto = value if isinstance(value, TensorProto) else make_tensor_proto(np.asarray(value))
    record = Summary.Value(tag=tag, tensor=proto)
    record.metadata.plugin_data.plugin_name = plugin
    return _event(record, step, wall_time)


def restart(step: int) -> Event:
    """The mark a writer leaves where training goes on from `step`."""
    return Event(wall_time=START + step, step=step, session_log=SessionLog(status=SessionLog.START))


def hparams(values: Mapping[str, object]) -> Event:
    """Hyper-parameters as the hparams plugin keeps them."""
    return Event(wall_time=START, summary=hparams_pb(dict(values)))


def curve(tag: str, values: Iterable[float], *, first: int = 0, start: float = START) -> list[Event]:
    """A point a step, a second apart, from the step `first` on."""
    return [scalar(tag, value, first + index, start + index) for index, value in enumerate(values)]


def write(folder: Path, events: Iterable[Event], name: str | None = None) -> Path:
    """Write a file into `folder` with TensorBoard's writer; `name` replaces the name the writer gave it."""
    writer = EventFileWriter(str(folder))
    before = Path(writer._file_name)  # noqa: SLF001 - the writer tells it nowhere else
    for event in events:
        writer.add_event(event)
    writer.close()
    return before.rename(folder / name) if name else before


def write_bytes(folder: Path, pieces: Sequence[bytes], name: str = "events.out.tfevents.1700000000.host.1.0") -> Path:
    """Write a file of these very bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(b"".join(pieces))
    return path


def record(event: Event) -> bytes:
    """An event as it stands in a file."""
    payload: bytes = event.SerializeToString()
    length = struct.pack("<Q", len(payload))
    return length + checksum(length) + payload + checksum(payload)


def version() -> bytes:
    """The record every writer begins a file with."""
    return record(Event(wall_time=START, file_version="brain.Event:2"))


def flipped(data: bytes, at: int) -> bytes:
    """The bytes with one bit turned at `at`."""
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :] if at >= 0 else flipped(data, len(data) + at)


def _event(value: Summary.Value, step: int, wall_time: float | None) -> Event:
    return Event(wall_time=START + step if wall_time is None else wall_time, step=step, summary=Summary(value=[value]))


def checksum(data: bytes) -> bytes:
    """The masked checksum that guards `data` in a file."""
    return struct.pack("<I", masked_crc32c(data))
