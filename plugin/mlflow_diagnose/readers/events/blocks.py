"""The records of the files in a buffer, block by block: the common ones at once, the odd ones one by one."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from mlflow_diagnose.readers.events.checksums import masked_crc32c_of
from mlflow_diagnose.readers.events.metadata import plugin_of
from mlflow_diagnose.readers.events.names import Names
from mlflow_diagnose.readers.events.points import split
from mlflow_diagnose.readers.events.records import HEADER_BYTES
from mlflow_diagnose.readers.events.scalars import SCALAR_PLUGINS, Values, walk

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from curve_analyzers.model import Ints
    from mlflow_diagnose.readers.events.buffers import Buffer
    from mlflow_diagnose.readers.events.points import Points
    from mlflow_diagnose.readers.events.records import Records

__all__ = ["Content", "read_records"]

BLOCK_RECORDS = 1 << 14  # the arrays of a walk over so many stay in the processor's cache
CHECKED_BYTES = 4096  # payloads up to here are checked; scalars are far smaller
MOST_PARSED_BYTES = 1 << 26  # of a record; parsed, it takes a multiple of that
VALUE_TYPES = (np.int64, np.uint8, np.int64, np.int64, np.int64, np.float64)  # of the arrays of `Values`


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """What the records of a file hold.

    Attributes:
        points: The points of each tag, less those that a restart in the file voids.
        started: Wall time of the first record that has one, seconds since 1970; else 0.
        restarts: The records that say that training ran again, and from which step.
        hparams: The records of hyper-parameters.
        others: The tags whose tensors are another plugin's, from here on.
        damaged: How many records were damaged.
        holds_data: Whether there is a record besides the file's version.
    """

    points: Mapping[str, Points]
    started: float
    restarts: Sequence[tuple[int, int]]
    hparams: Sequence[bytes]
    others: AbstractSet[str]
    damaged: int
    holds_data: bool


def read_records(
    buffer: Buffer, files: Sequence[Records], *, verify: bool, others: Sequence[AbstractSet[str]]
) -> list[Content]:
    """What the records of each file in a buffer hold.

    Args:
        buffer: The files.
        files: Where the records of each are.
        verify: Whether to check the payloads of small records against their checksums.
        others: The tags of each file whose tensors are known to be another plugin's.
    """
    headers = np.concatenate([file.headers for file in files])
    starts = headers + HEADER_BYTES
    ends = starts + buffer.words_at(headers).astype(np.int64)
    firsts = np.cumsum([0, *(len(file.headers) for file in files)])
    reading = _Reading(buffer, starts, ends, firsts)
    for first in range(0, len(starts), BLOCK_RECORDS):
        reading.read(np.arange(first, min(first + BLOCK_RECORDS, len(starts))), verify=verify)
    return reading.contents(others)


def _tag(text: bytes) -> str | None:
    """A tag; those of hyper-parameters, and texts that are none, are left to protobuf."""
    try:
        tag = text.decode()
    except UnicodeDecodeError:
        return None
    return None if tag.startswith("_hparams_/") else tag


class _Reading:
    """Takes the records block by block."""

    def __init__(self, buffer: Buffer, starts: Ints, ends: Ints, firsts: Ints) -> None:
        self.buffer, self.starts, self.ends, self.firsts = buffer, starts, ends, firsts
        self.tags, self.plugins = Names(_tag), Names(plugin_of, *SCALAR_PLUGINS)
        self.values: list[Values] = []
        self.times = np.zeros(len(starts))
        self.damaged, self.versions = (np.zeros(len(starts), np.bool_) for _ in range(2))
        self.restarts: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        self.hparams: defaultdict[int, list[bytes]] = defaultdict(list)

    def read(self, records: Ints, *, verify: bool) -> None:
        """Take a block of records."""
        if verify:
            records = self._undamaged(records)
        walked = walk(self.buffer, self.starts[records], self.ends[records], records, self.tags, self.plugins)
        self.times[records] = walked.times
        self.versions[records] = walked.versions
        self.values.append(walked.values)
        if len(odd := records[walked.odd]):
            self.values[-1] = _in_order(walked.values, self._parse(odd))

    def contents(self, others: Sequence[AbstractSet[str]]) -> list[Content]:
        """What each file holds, after all records were taken."""
        values = _joined(self.values)
        points, others = split(values, self.times, self.tags.known, self.firsts, self.restarts, others)
        bounds = list(zip(self.firsts.tolist(), self.firsts[1:].tolist(), strict=False))
        return [
            Content(
                points[file],
                self._started(first, stop),
                self.restarts.get(file, ()),
                self.hparams.get(file, ()),
                others[file],
                int(np.count_nonzero(self.damaged[first:stop])),
                not (self.versions[first:stop] | self.damaged[first:stop]).all(),
            )
            for file, (first, stop) in enumerate(bounds)
        ]

    def _undamaged(self, records: Ints) -> Ints:
        lengths = self.ends[records] - self.starts[records]
        checked = records[lengths <= CHECKED_BYTES]
        sums = masked_crc32c_of(self.buffer, self.starts[checked], lengths[lengths <= CHECKED_BYTES])
        self.damaged[checked[sums != self.buffer.checksums_at(self.ends[checked])]] = True
        return records[~self.damaged[records]]

    def _parse(self, odd: Ints) -> Values:
        """The values of records that only protobuf can read; notes what else they say."""
        from mlflow_diagnose.readers.events.odd_records import parse  # noqa: PLC0415 - slow to import, and few logs need it

        found: list[tuple[int, int, int, int, int, float]] = []
        files = np.searchsorted(self.firsts, odd, side="right") - 1
        for record, file in zip(odd.tolist(), files.tolist(), strict=True):
            start, end = int(self.starts[record]), int(self.ends[record])
            payload = self.buffer.data[start : min(end, start + MOST_PARSED_BYTES)]
            parsed = parse(payload) if len(payload) == end - start else None
            self.times[record] = parsed.time if parsed else 0
            self.damaged[record] = not parsed or parsed.is_damaged
            if not parsed:
                continue
            self.versions[record] = parsed.is_version
            if parsed.is_restart:
                self.restarts[file].append((record, parsed.step))
            if parsed.has_hparams:
                self.hparams[file].append(payload)
            for value in parsed.values:
                tag, plugin = self.tags.number(value.tag), self.plugins.number(value.plugin)
                if min(tag, plugin) < 0:
                    self.damaged[record] = True
                    continue
                found.append((record, value.kind, tag, plugin, parsed.step, value.number))
        columns = zip(*found, strict=True) if found else [()] * 6
        return Values(*(np.array(each, dtype) for each, dtype in zip(columns, VALUE_TYPES, strict=True)))

    def _started(self, first: int, stop: int) -> float:
        times = self.times[first:stop]
        return float(times[np.argmax(times != 0)]) if len(times) else 0.0


def _joined(parts: Sequence[Values]) -> Values:
    """The values of several blocks as one."""
    arrays = [[getattr(part, each.name) for part in parts] for each in fields(Values)]
    return Values(*(np.concatenate([np.zeros(0, kind), *of]) for kind, of in zip(VALUE_TYPES, arrays, strict=True)))


def _in_order(*parts: Values) -> Values:
    """Values in the order of their records."""
    joined = _joined(parts)
    order = np.argsort(joined.records, kind="stable")
    return Values(*(getattr(joined, each.name)[order] for each in fields(Values)))
