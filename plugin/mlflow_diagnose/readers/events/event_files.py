"""Event files: from the bytes TensorBoard's writers left behind to the points of each tag."""

from __future__ import annotations

import mmap
import os
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from mlflow_diagnose.readers.events.blocks import Content, read_records
from mlflow_diagnose.readers.events.buffers import Buffer
from mlflow_diagnose.readers.events.records import find_records

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from mlflow_diagnose.readers.events.points import Points

__all__ = ["EventFile", "read_events", "read_next"]

LFS_POINTER = b"version https://git-lfs"

SMALL_BYTES = 1 << 20  # up to here a file is read with others into one buffer, above it is mapped
SHARED_BYTES = 2 << 20  # of files in one buffer
MOST_TOLD = 5  # gaps in a file
PADDING = bytes(16)  # so that a number can be read at every offset of a file


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
        end: The offset after the last whole record: a file that grows is read on from there.
    """

    points: Mapping[str, Points] = field(default_factory=dict)
    started: float = 0.0
    restart: int | None = None
    hparams: Sequence[bytes] = ()
    trouble: str = ""
    end: int = 0


def read_events(path: Path, *, start: int = 0, verify: bool = False) -> EventFile:
    """Read an event file; whatever is wrong with it costs only what is damaged and is told in `trouble`.

    Args:
        path: The file.
        start: Where to begin: 0, or the `end` of an earlier reading, for what was written since. Tensors whose plugin
            was named before it count as scalars.
        verify: Whether to check each record against its checksum, not only its length against the length's. Records
            above 4 KiB are never checked: nearly all are pictures, which nobody reads.
    """
    return read_next([path], start=start, verify=verify)[path]


def read_next(paths: Iterable[Path], *, start: int = 0, verify: bool = False) -> dict[Path, EventFile]:
    """Read the first of some event files, and those after it that are small enough to be read in one go.

    Args:
        paths: The files.
        start: As for `read_events`.
        verify: As for `read_events`.
    """
    found: dict[Path, EventFile] = {}
    small: dict[Path, bytes] = {}
    size = 0
    for path in paths:
        try:
            with path.open("rb", buffering=0) as file:
                length = os.fstat(file.fileno()).st_size
                if length > SMALL_BYTES:
                    if not found and not small:
                        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                        found[path] = _read(Buffer(data), [0, len(data)], start, verify=verify)[0]
                    break
                small[path] = file.read(length)
        except OSError as error:
            found[path] = EventFile(trouble=f"could not be read: {error.strerror}")
            continue
        size += length
        if size > SHARED_BYTES:
            break
    if not small:
        return found
    bounds = np.cumsum([0, *map(len, small.values())]).tolist()
    read = _read(Buffer(b"".join([*small.values(), PADDING])), bounds, start, verify=verify)
    return found | dict(zip(small, read, strict=True))


def _read(buffer: Buffer, bounds: Sequence[int], start: int, *, verify: bool) -> list[EventFile]:
    """What each file in the buffer holds, one from each of `bounds` to the next."""
    frames = [find_records(buffer, begin, stop, start) for begin, stop in pairwise(bounds)]
    contents = read_records(buffer, frames, verify=verify)
    return [
        _described(buffer, begin, stop, start, gaps=frame.gaps, end=frame.end, content=content)
        for (begin, stop), frame, content in zip(pairwise(bounds), frames, contents, strict=True)
    ]


def _described(
    buffer: Buffer, begin: int, stop: int, start: int, *, gaps: Sequence[str], end: int, content: Content
) -> EventFile:
    if begin == stop:
        return EventFile(trouble="the file is empty")
    if start > stop - begin:
        return EventFile(trouble="the file has become shorter")
    if buffer.data[begin : begin + len(LFS_POINTER)] == LFS_POINTER:
        return EventFile(trouble="a Git LFS pointer; its content was never fetched")
    troubles = list(gaps)
    if len(gaps) > MOST_TOLD:
        troubles[MOST_TOLD - 2 : -1] = [f"{len(gaps) - MOST_TOLD + 1} more such places"]
    if content.damaged:
        troubles.insert(0, f"{content.damaged} damaged {'record' if content.damaged == 1 else 'records'} left out")
    if not troubles and not start and not content.holds_data:
        troubles.append("holds nothing but its version")
    restart = min((step for _, step in content.restarts), default=None)
    return EventFile(content.points, content.started, restart, content.hparams, "; ".join(troubles), end)
