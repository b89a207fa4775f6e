"""Logdirs of the sizes that hurt, laid down in a second: what TensorBoard's writers write, without their price."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary

import eventlogs
from mlflow_diagnose.readers.events.buffers import Buffer
from mlflow_diagnose.readers.events.checksums import masked_crc32c, masked_crc32c_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from tensorboard.compat.proto.tensor_pb2 import TensorProto

__all__ = ["DATA_SETS", "DataSet"]

SMALL_BYTES = 4096  # payloads up to here get their checksums in one go
NAME = "events.out.tfevents.1700000000.host.1.0"
TAGS = [f"{split}/{name}" for split in ("train", "val") for name in ("loss", "accuracy", "f1", "lr", "grad_norm")]


@dataclass(frozen=True)
class DataSet:
    """A logdir to read.

    Attributes:
        name: What it is called.
        lay_down: Writes it, a share of its full size, into a folder; gives the number of scalar points.
        tensors: Whether its scalars are TF 2's.
    """

    name: str
    lay_down: Callable[[Path, float], int]
    tensors: bool = False


def framed(payloads: Iterable[bytes]) -> bytes:
    """The payloads as records, all checksums made in one go."""
    payloads = list(payloads)
    sizes = np.array([len(each) for each in payloads])
    lengths = sizes.astype("<u8").tobytes()
    heads = _sums(lengths, np.full(len(sizes), 8))
    small = np.flatnonzero(sizes <= SMALL_BYTES)
    sums = np.zeros(len(sizes), "<u4")
    sums[small] = _sums(b"".join(payloads[row] for row in small), sizes[small])
    for row in np.flatnonzero(sizes > SMALL_BYTES):
        sums[row] = _sum(payloads[row])
    pieces = []
    for row, payload in enumerate(payloads):
        pieces += [lengths[8 * row : 8 * row + 8], heads[row].tobytes(), payload, sums[row].tobytes()]
    return b"".join(pieces)


def _sums(data: bytes, sizes: np.ndarray) -> np.ndarray:
    return masked_crc32c_of(Buffer(data + bytes(8)), np.cumsum(sizes) - sizes, sizes).astype("<u4")


@cache
def _sum(payload: bytes) -> int:
    return masked_crc32c(payload)


def scalars(steps: int, tags: list[str], seed: int = 0) -> Iterable[bytes]:
    """The records of a run that writes each of its tags at each step, as torch does."""
    values = np.random.default_rng(seed).random((steps, len(tags)), np.float32).tolist()
    for step, row in enumerate(values):
        for tag, value in zip(tags, row, strict=True):
            yield eventlogs.scalar(tag, value, step).SerializeToString()


def tensors(steps: int, tags: list[str]) -> Iterable[bytes]:
    """The same as TensorFlow 2 does it."""
    template: dict[str, TensorProto] = {tag: eventlogs.tensor(tag, np.float32(1), 0) for tag in tags}
    values = np.random.default_rng(0).random((steps, len(tags)), np.float32)
    for step in range(steps):
        for tag, value in zip(tags, values[step], strict=True):
            event = template[tag]
            event.step, event.wall_time = step, eventlogs.START + step
            event.summary.value[0].tensor.ClearField("float_val")
            event.summary.value[0].tensor.tensor_content = value.tobytes()
            yield event.SerializeToString()


def _one_file(folder: Path, share: float) -> int:
    steps = int(100_000 * share)
    _write(folder / "run", scalars(steps, TAGS))
    return steps * len(TAGS)


def _tensors(folder: Path, share: float) -> int:
    steps = int(100_000 * share)
    _write(folder / "run", tensors(steps, TAGS))
    return steps * len(TAGS)


def _many_runs(folder: Path, share: float) -> int:
    runs, steps = int(200 * share), 500
    tags = [f"{tag}_{part}" for tag in TAGS for part in ("a", "b")]
    for run in range(runs):
        _write(folder / f"run{run:03}", scalars(steps, tags, run))
    return runs * steps * len(tags)


def _images(folder: Path, share: float) -> int:
    """500 MB, nine tenths of them pictures of all sizes, between the steps of 100,000 scalars."""
    steps, total = int(10_000 * share), int(450e6 * share)
    noise = np.random.default_rng(0)
    pictures = []
    for size in noise.integers(20_000, 400_000, 32).tolist():  # few, as Python's checksums take their time
        image = Summary.Image(height=1, width=1, colorspace=3, encoded_image_string=noise.bytes(size))
        event = Event(wall_time=eventlogs.START, summary=Summary(value=[Summary.Value(tag="input/image", image=image)]))
        pictures.append(event.SerializeToString())

    def records() -> Iterable[bytes]:
        written, points = 0, iter(scalars(steps, TAGS))
        for step in range(steps):
            yield from islice(points, len(TAGS))
            while written < total * (step + 1) / steps:
                picture = pictures[noise.integers(len(pictures))]
                yield picture
                written += len(picture)

    _write(folder / "run", records())
    return steps * len(TAGS)


def _small_runs(folder: Path, share: float) -> int:
    runs, steps, tags = int(5_000 * share), 20, TAGS[:5]
    for run in range(runs):
        _write(folder / f"group{run % 50:02}" / f"run{run:04}", scalars(steps, tags, run))
    return runs * steps * len(tags)


def _write(folder: Path, payloads: Iterable[bytes]) -> None:
    folder.mkdir(parents=True)
    version = Event(wall_time=eventlogs.START, file_version="brain.Event:2").SerializeToString()
    (folder / NAME).write_bytes(framed([version, *payloads]))


DATA_SETS = [
    DataSet("1 M scalars, one file", _one_file),
    DataSet("1 M TF 2 tensors, one file", _tensors, tensors=True),
    DataSet("200 runs x 20 tags x 500", _many_runs),
    DataSet("500 MB, 90 % images", _images),
    DataSet("5,000 small runs", _small_runs),
]
