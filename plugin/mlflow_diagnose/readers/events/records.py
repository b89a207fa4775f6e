"""The frames of an event file: where each record is, told by the chain of their lengths."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from curve_analyzers.saying import say
from mlflow_diagnose.readers.events.checksums import masked_crc32c, masked_crc32c_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from curve_analyzers.model import Ints
    from mlflow_diagnose.readers.events.buffers import Buffer

__all__ = ["HEADER_BYTES", "Records", "find_records", "record_size"]

# A record: uint64 length, uint32 checksum of the length, payload, uint32 checksum of the payload.
HEADER = struct.Struct("<QI")
LENGTH_BYTES = 8
HEADER_BYTES = HEADER.size
FRAME_BYTES = HEADER_BYTES + 4

# Headers followed one by one before their lengths are searched for a pattern.
FEWEST_STEPS, MOST_STEPS = 256, 4096
MOST_PREDICTED = 1 << 16  # records that are predicted at once

FIRST_SEARCHED, MOST_SEARCHED = 256, 1 << 20  # bytes that are searched for the next record at once
MOST_GAPS = 1000  # of a file; whoever damages more of it made it for us


@dataclass(frozen=True, slots=True, eq=False)
class Records:
    """The whole records of a file.

    Attributes:
        headers: (n,) int64, where each begins in the buffer.
        end: Where a file that grows is read on, counted from its first byte: after the last whole record, or where the
            record begins that is cut off.
        gaps: What before that is no record, in a few words each.
        rest: What stands after it, in a few words: not a record, or not yet; empty where nothing does.
    """

    headers: Ints
    end: int
    gaps: Sequence[str]
    rest: str


def find_records(buffer: Buffer, begin: int, stop: int, offset: int = 0) -> Records:
    """The records of a file, of which the buffer holds from `begin` to `stop` what begins at its byte `offset`.

    Every length is checked against its checksum. Where one fails, the next place where one does not is where the file
    goes on.
    """
    pieces: list[Ints] = []
    gaps: list[str] = []
    rest = ""
    at = end = begin
    steps = FEWEST_STEPS
    while at < stop:
        walked, at = _follow(buffer, at, stop, steps)
        pieces.append(np.array(walked, np.int64))
        end = at if walked else end
        if len(walked) < steps:
            if at == stop:
                break
            if stop - at >= HEADER_BYTES and record_size(buffer.data[at : at + HEADER_BYTES]):
                rest = say("the last record is cut off")
                break
            if len(gaps) == MOST_GAPS:
                rest = say("what follows byte {at} was left out", at=at - begin + offset)
                break
            following = _next_record(buffer, at + 1, stop)
            if following == stop:
                rest = _describe_rest(buffer, at, stop, at - begin + offset)
                break
            gaps.append(_describe_gap(at - begin + offset, following - at))
            at = end = following
            continue
        predicted, at = _predict(buffer, [*walked, at], stop)
        pieces.append(predicted)
        end = at
        if len(predicted) < steps:
            steps = min(2 * steps, MOST_STEPS)
    return Records(np.concatenate([np.zeros(0, np.int64), *pieces]), end - begin + offset, gaps, rest)


@lru_cache(maxsize=1 << 16)
def record_size(header: bytes) -> int:
    """The size of the record that begins with these bytes; 0 where none does."""
    if len(header) < HEADER_BYTES:
        return 0
    length, checksum = HEADER.unpack(header)
    return length + FRAME_BYTES if masked_crc32c(header[:LENGTH_BYTES]) == checksum else 0


def _follow(buffer: Buffer, at: int, stop: int, most: int) -> tuple[list[int], int]:
    """The next records, header by header, at most `most` of them, and the offset after the last."""
    data = buffer.data
    found: list[int] = []
    while len(found) < most and at + FRAME_BYTES <= stop:
        size = record_size(data[at : at + HEADER_BYTES])
        if not size or at + size > stop:
            break
        found.append(at)
        at += size
    return found, at


def _predict(buffer: Buffer, walked: Sequence[int], stop: int) -> tuple[Ints, int]:
    """The records that follow in the pattern of those just walked, and the offset after the last.

    The tags of a run are written in turn, so the lengths of their records repeat. Only what bears the predicted
    length and its checksum is taken: the records are those that following the chain would have found.

    Args:
        buffer: The file.
        walked: The offsets of records in a row, and the offset after the last.
        stop: Where the file ends.
    """
    at = walked[-1]
    sizes = np.array(walked[1:], np.int64) - np.array(walked[:-1], np.int64)
    period = _period(sizes)
    heads = np.array(walked[-1 - period : -1], np.int64)
    lengths, checksums = buffer.words_at(heads), buffer.checksums_at(heads + LENGTH_BYTES)
    turn = int(sizes[-period:].sum())
    found = [np.zeros(0, np.int64)]
    reach = len(sizes)
    while turns := min(-(-reach // period), (stop - at) // turn) if period else 0:
        guessed = (heads - heads[0]) + at + turn * np.arange(turns)[:, np.newaxis]
        right = (buffer.words_at(guessed) == lengths) & (buffer.checksums_at(guessed + LENGTH_BYTES) == checksums)
        count = right.size if right.all() else int(right.argmin())
        found.append(guessed.ravel()[:count])
        if count < right.size:
            at = int(guessed.flat[count])
            break
        at += turns * turn
        reach = min(4 * reach, MOST_PREDICTED)
    return np.concatenate(found), at


def _period(sizes: Ints) -> int:
    """After how many records the sizes repeat, seen over half of them; 0 where they do not."""
    half = len(sizes) // 2
    text = sizes.tobytes()
    found = text.rfind(text[half * sizes.itemsize :], 0, len(text) - sizes.itemsize)
    return half - found // sizes.itemsize if found >= 0 and found % sizes.itemsize == 0 else 0


def _next_record(buffer: Buffer, at: int, stop: int) -> int:
    """Where the next record begins at or after `at`; `stop` where there is none."""
    searched = FIRST_SEARCHED
    while at + HEADER_BYTES <= stop:
        places = np.arange(at, min(at + searched, stop - HEADER_BYTES + 1))
        words = buffer.words_at(places)
        # The length of a record is no zero, and below 4 GiB.
        places = places[(words > 0) & (words <= np.iinfo(np.uint32).max)]
        sums = masked_crc32c_of(buffer, places, np.full(len(places), LENGTH_BYTES))
        if len(found := places[sums == buffer.checksums_at(places + LENGTH_BYTES)]):
            return int(found[0])
        at += searched
        searched = min(2 * searched, MOST_SEARCHED)
    return stop


def _describe_gap(offset: int, length: int) -> str:
    return say("{length} bytes from byte {offset} on are not a record and were left out", length=length, offset=offset)


def _describe_rest(buffer: Buffer, start: int, stop: int, offset: int) -> str:
    """What stands from `start` to `stop` in the buffer, at the end of a file of which it is the byte `offset`."""
    if not offset:
        return say("not an event file")
    if not buffer.octets[start:stop].any():
        return say("{zeros} zero bytes at the end", zeros=stop - start)
    if stop - start < HEADER_BYTES:
        return say("the last record is cut off")
    return _describe_gap(offset, stop - start)
