"""Event files: from the bytes TensorBoard's writers left behind to the points of each tag."""

from __future__ import annotations

import mmap
import os
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from curve_analyzers.saying import say, say_many, series
from mlflow_diagnose.readers.events.blocks import read_records
from mlflow_diagnose.readers.events.buffers import Buffer
from mlflow_diagnose.readers.events.points import Points
from mlflow_diagnose.readers.events.records import find_records

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from pathlib import PurePath

    from mlflow_diagnose.readers.events.blocks import Content
    from mlflow_diagnose.readers.events.records import Records

__all__ = [
    "NOTHING",
    "PADDING",
    "EventFile",
    "Stretch",
    "joined",
    "read_events",
    "read_next",
    "read_stretches",
    "unread",
]

LFS_POINTER = b"version https://git-lfs"

SMALL_BYTES = 1 << 20  # up to here a file is read with others into one buffer, above it is mapped
SHARED_BYTES = 2 << 20  # of files in one buffer
HEAD_BYTES = 64  # with the wall time of the first record, which no two writers share
MOST_TOLD = 5  # gaps in a file
PADDING = bytes(16)  # so that a number can be read at every offset of a file


@dataclass(frozen=True, slots=True, eq=False)
class EventFile:
    """What an event file holds, or held when it was read: a file that grows is read on from `end`.

    Attributes:
        points: The points of each tag.
        started: Wall time of the first record, seconds since 1970; 0 where there is none.
        restart: The earliest step from which a `SessionLog.START` in the file says that training ran again: what
            earlier files hold from there on is void. None where there is none.
        hparams: The records of hyper-parameters, for `read_hparams`.
        others: The tags whose tensors are another plugin's, and no points.
        damaged: How many records were left out as damaged.
        gaps: What is no record and was left out, in a few words each.
        rest: What is wrong with the end of the file, or with all of it; empty where nothing is.
        holds_data: Whether there is a record besides the file's version.
        end: Where it is read on: after the last whole record, or where the one begins that is cut off.
        head: The first bytes up to there, by which a file is known.
    """

    points: Mapping[str, Points] = field(default_factory=dict)
    started: float = 0.0
    restart: int | None = None
    hparams: Sequence[bytes] = ()
    others: AbstractSet[str] = frozenset()
    damaged: int = 0
    gaps: Sequence[str] = ()
    rest: str = ""
    holds_data: bool = False
    end: int = 0
    head: bytes = b""

    @property
    def trouble(self) -> str:
        """What could not be read, in a few words; empty where everything could."""
        told = [*self.gaps, self.rest] if self.rest else [*self.gaps]
        if len(told) > MOST_TOLD:
            told[MOST_TOLD - 2 : -1] = [say("{number} more such places", number=len(told) - MOST_TOLD + 1)]
        if self.damaged:
            told.insert(
                0, say_many("{number} damaged record left out", "{number} damaged records left out", self.damaged)
            )
        return series(told) or ("" if self.holds_data else say("holds nothing but its version"))

    def continued(self, later: EventFile) -> EventFile:
        """This with what was read after its end."""
        return EventFile(
            joined([self, later]),
            self.started or later.started,
            min((step for step in (self.restart, later.restart) if step is not None), default=None),
            [*self.hparams, *later.hparams],
            later.others,
            self.damaged + later.damaged,
            [*self.gaps, *later.gaps],
            later.rest,
            holds_data=self.holds_data or later.holds_data,
            end=later.end,
            head=self.head if len(self.head) == HEAD_BYTES else (self.head + later.head)[:HEAD_BYTES],
        )


NOTHING = EventFile()


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a buffer that holds an event file from some byte of it on.

    Attributes:
        begin: Where it begins in the buffer.
        stop: Where it ends.
        before: What the file held before the stretch, which begins at its `end`.
    """

    begin: int
    stop: int
    before: EventFile = NOTHING


def joined(files: Sequence[EventFile]) -> Mapping[str, Points]:
    """The points of each tag: those of one file after the other, less those that a restart voids."""
    if len(files) == 1:
        return files[0].points
    pieces: defaultdict[str, list[Points]] = defaultdict(list)
    for events in files:
        if events.restart is not None:
            for written in pieces.values():
                written[:] = [points.before(events.restart) for points in written]
        for tag, points in events.points.items():
            pieces[tag].append(points)
    whole = {tag: written[0] if len(written) == 1 else Points.joined(written) for tag, written in pieces.items()}
    return {tag: points for tag, points in whole.items() if len(points)}


def read_events(path: PurePath, *, before: EventFile = NOTHING, verify: bool = False) -> EventFile:
    """Read an event file; whatever is wrong with it costs only what is damaged and is told in `trouble`.

    Args:
        path: The file.
        before: What an earlier reading gave: the file is read on from there, and both are given as one, unless it was
            written anew meanwhile.
        verify: Whether to check each record against its checksum, not only its length against the length's. Records
            above 4 KiB are never checked: nearly all are pictures, which nobody reads.
    """
    return read_next([path], before={path: before}, verify=verify)[path]


def read_next(
    paths: Iterable[PurePath], *, before: Mapping[PurePath, EventFile] | None = None, verify: bool = False
) -> dict[PurePath, EventFile]:
    """Read the first of some event files, and those after it that are small enough to be read in one go.

    Args:
        paths: The files.
        before: What earlier readings gave, as for `read_events`.
        verify: As for `read_events`.
    """
    found: dict[PurePath, EventFile] = {}
    small: dict[PurePath, tuple[bytes, EventFile]] = {}
    size = 0
    for path in paths:
        try:
            with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - any kind of path can be opened
                length = os.fstat(file.fileno()).st_size
                known = before.get(path, NOTHING) if before else NOTHING
                if known.end:
                    if known.end > length or file.read(len(known.head)) != known.head:
                        known = NOTHING  # written anew
                    file.seek(known.end)
                if length - known.end > SMALL_BYTES:
                    if not found and not small:
                        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                        (found[path],) = read_stretches(
                            Buffer(data), [Stretch(known.end, len(data), known)], verify=verify
                        )
                    break
                small[path] = file.read(length - known.end), known
        except (OSError, ValueError) as error:  # the second where a file shrinks as it is mapped
            known = before.get(path, NOTHING) if before else NOTHING
            found[path] = replace(known, rest=unread(getattr(error, "strerror", None) or str(error)))
            continue
        size += length - known.end
        if size > SHARED_BYTES:
            break
    if not small:
        return found
    bounds = np.cumsum([0, *(len(data) for data, _ in small.values())]).tolist()
    buffer = Buffer(b"".join([*(data for data, _ in small.values()), PADDING]))
    stretches = [
        Stretch(begin, stop, known) for begin, stop, (_, known) in zip(bounds, bounds[1:], small.values(), strict=False)
    ]
    return found | dict(zip(small, read_stretches(buffer, stretches, verify=verify), strict=True))


def read_stretches(buffer: Buffer, stretches: Sequence[Stretch], *, verify: bool) -> list[EventFile]:
    """What each file in a buffer holds, with what it held before."""
    frames = [find_records(buffer, each.begin, each.stop, each.before.end) for each in stretches]
    contents = read_records(buffer, frames, verify=verify, others=[each.before.others for each in stretches])
    return [
        each.before.continued(part) if each.before.end else part
        for each, frame, content in zip(stretches, frames, contents, strict=True)
        for part in [_part(buffer, each, frame, content)]
    ]


def _part(buffer: Buffer, stretch: Stretch, frame: Records, content: Content) -> EventFile:
    """What a stretch by itself holds."""
    part = EventFile(
        content.points,
        content.started,
        min((step for _, step in content.restarts), default=None),
        content.hparams,
        content.others,
        content.damaged,
        frame.gaps,
        frame.rest,
        content.holds_data,
        frame.end,
        buffer.data[stretch.begin : stretch.begin + min(HEAD_BYTES, frame.end - stretch.before.end)],
    )
    if not stretch.before.end and not frame.end:
        if stretch.begin == stretch.stop:
            return replace(part, rest="the file is empty")
        if buffer.data[stretch.begin : stretch.begin + len(LFS_POINTER)] == LFS_POINTER:
            return replace(part, rest="a Git LFS pointer; its content was never fetched")
    return part


def unread(why: str) -> str:
    """What is told of a file that could not be read."""
    return say("could not be read: {why}", why=why)
