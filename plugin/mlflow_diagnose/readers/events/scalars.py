"""The scalars of thousands of records at once, wherever these are laid out as writers commonly do.

An event is a protobuf message. What TensorFlow, torch and their kin write differs in numbers and texts, hardly ever in
which fields stand where:

    09 <wall time> [10 <step>] 2a <length> 0a <length> 0a <length> <tag> 15 <float32>
    09 <wall time> [10 <step>] 2a <length> 0a <length> 0a <length> <tag> 42 <length> <tensor> [4a <length> <metadata>]

Here a cursor moves through every record at the same time, field by field, and records where it does not meet what it
expects drop out: they are odd, for protobuf to parse one by one. A record that stays to the end is fully accounted
for, as every length in it must end where the record does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mlflow_diagnose.readers.events.buffers import Buffer, varints

if TYPE_CHECKING:
    from curve_analyzers.model import Floats, Ints
    from mlflow_diagnose.readers.events.names import Names

__all__ = ["NUMERIC", "OTHER", "SCALAR_PLUGINS", "SIMPLE", "TENSOR", "Values", "Walk", "walk"]

Mask = npt.NDArray[np.bool_]

# What a value is: a number of its own, a tensor that is one if its plugin says so, or neither.
SIMPLE, TENSOR, OTHER = range(3)

SCALAR_PLUGINS = ("", "scalars")  # of tensors that are points where their rank is 0

# The first byte of a field: its number and how it is stored.
WALL_TIME, STEP, FILE_VERSION, GRAPH, SUMMARY, META_GRAPH = 0x09, 0x10, 0x1A, 0x22, 0x2A, 0x4A
VALUE, TAG, SIMPLE_VALUE, VALUE_TENSOR, METADATA = 0x0A, 0x0A, 0x15, 0x42, 0x4A
PICTURES = np.array([0x1A, 0x22, 0x2A, 0x32], np.uint8)  # old histograms, images, histograms, audio
TYPE, SHAPE, DIMENSION, CONTENT = 0x08, 0x12, 0x12, 0x22
FLOATS, ONE_FLOAT, DOUBLES, ONE_DOUBLE = 0x2A, 0x2D, 0x32, 0x31

TIME_BYTES = 9  # of the wall time with its field
LONGEST_NAME = 1024  # bytes, of a tag or of metadata

# The types of tensors that hold numbers, as numpy knows them; bfloat16, the upper half of a float32, it does not.
FLOAT, DOUBLE, BFLOAT16 = 1, 2, 14
NUMERIC = {
    FLOAT: "<f4", DOUBLE: "<f8", 3: "<i4", 4: "u1", 5: "<i2", 6: "i1", 9: "<i8", 10: "?", BFLOAT16: "<u2",
    17: "<u2", 19: "<f2", 22: "<u4", 23: "<u8",
}  # fmt: skip
IS_NUMERIC = np.isin(np.arange(256), list(NUMERIC))


@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """Values of summaries, in the order they were written.

    Attributes:
        records: (n,) int64, the record of each.
        kinds: (n,) `SIMPLE`, `TENSOR` or `OTHER`.
        tags: (n,) int64, its tag's number.
        plugins: (n,) int64, the number of the metadata that names its plugin; 0 where it has none.
        steps: (n,) int64.
        numbers: (n,) float64; meaningless where the kind is `OTHER`.
    """

    records: Ints
    kinds: npt.NDArray[np.uint8]
    tags: Ints
    plugins: Ints
    steps: Ints
    numbers: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Walk:
    """What a walk over n records found.

    Attributes:
        values: The points, and whatever else names a plugin.
        times: (n,) float64, the wall time of each record; meaningless where it is odd.
        odd: (n,) bool, whether protobuf has to parse it.
        versions: (n,) bool, whether it only names the file's version.
    """

    values: Values
    times: Floats
    odd: Mask
    versions: Mask


def walk(buffer: Buffer, starts: Ints, ends: Ints, records: Ints, tags: Names, plugins: Names) -> Walk:
    """Walk over records, the payload of each from `starts` to `ends`; what is new goes into the names.

    Args:
        buffer: Holds the records.
        starts: (n,) int64.
        ends: (n,) int64.
        records: (n,) int64, what `Values.records` is to call them.
        tags: Of the values.
        plugins: By the metadata that names them.
    """
    timed = (ends - starts >= TIME_BYTES) & (buffer.octets_at(starts) == WALL_TIME)
    times = buffer.doubles_at(starts + 1)
    at = starts + TIME_BYTES
    has_step = buffer.octets_at(at) == STEP
    steps, after = varints(buffer, at + 1)
    timed &= ~has_step | (steps >= 0)
    steps, at = np.where(has_step, steps, 0), np.where(has_step, after, at)
    field = buffer.octets_at(at)
    at, stops = _delimited(buffer, at)
    timed &= stops == ends

    versions = timed & (field == FILE_VERSION)
    for record in np.flatnonzero(versions):
        versions[record] = _is_text(buffer.data[at[record] : ends[record]])
    graphs = timed & ((field == GRAPH) | (field == META_GRAPH))
    rows = np.flatnonzero(timed & (field == SUMMARY))
    kinds, tag_ids, plugin_ids, numbers, odd = _values(buffer, at[rows], ends[rows], tags, plugins)

    is_odd = ~(versions | graphs)
    is_odd[rows] = odd
    kept = np.flatnonzero(~odd & ((kinds != OTHER) | (plugin_ids > 0)))
    rows = rows[kept]
    values = Values(records[rows], kinds[kept], tag_ids[kept], plugin_ids[kept], steps[rows], numbers[kept])
    return Walk(values, times, is_odd, versions)


def _delimited(buffer: Buffer, at: Ints) -> tuple[Ints, Ints]:
    """From where to where the text or message reaches whose field begins at each offset; -1 where that is nonsense."""
    lengths, inner = varints(buffer, at + 1, longest=5)
    return inner, np.where(lengths >= 0, inner + lengths, -1)


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _values(
    buffer: Buffer, at: Ints, ends: Ints, tags: Names, plugins: Names
) -> tuple[npt.NDArray[np.uint8], Ints, Ints, Floats, Mask]:
    """Of summaries that hold one value each: its kind, tag, metadata and number, and whether it is odd."""
    sound = buffer.octets_at(at) == VALUE
    at, stops = _delimited(buffer, at)
    sound &= (stops == ends) & (buffer.octets_at(at) == TAG)
    tag_starts, at = _delimited(buffer, at)
    sound &= (at > 0) & (at < ends) & (at - tag_starts <= LONGEST_NAME)

    what = buffer.octets_at(at)
    kinds = np.where(what == SIMPLE_VALUE, SIMPLE, np.where(what == VALUE_TENSOR, TENSOR, OTHER)).astype(np.uint8)
    inner, after = at + 1, at + 5
    if len(longer := np.flatnonzero(kinds != SIMPLE)):
        inner[longer], after[longer] = _delimited(buffer, at[longer])
        sound[longer] &= (kinds[longer] == TENSOR) | np.isin(what[longer], PICTURES)
    sound &= (after > 0) & (after <= ends)

    plugin_ids = np.zeros(len(at), np.int64)
    if len(named := np.flatnonzero(sound & (after < ends))):
        name_starts, name_stops = _delimited(buffer, after[named])
        sound[named] &= (buffer.octets_at(after[named]) == METADATA) & (name_stops == ends[named])
        sound[named] &= name_stops - name_starts <= LONGEST_NAME
        has_name = sound[named]
        named = named[has_name]
        plugin_ids[named] = plugins.of(buffer, name_starts[has_name], (name_stops - name_starts)[has_name])
    tag_ids = np.full(len(at), -1)
    rows = np.flatnonzero(sound)
    tag_ids[rows] = tags.of(buffer, tag_starts[rows], (at - tag_starts)[rows])
    sound &= (tag_ids >= 0) & (plugin_ids >= 0)

    numbers = np.zeros(len(at))
    rows = np.flatnonzero(sound & (kinds == SIMPLE))
    numbers[rows] = buffer.floats_at(inner[rows])
    if len(rows := np.flatnonzero(sound & (kinds == TENSOR))):
        numbers[rows], kinds[rows], odd = _tensors(buffer, inner[rows], after[rows])
        sound[rows] = ~odd
    return kinds, tag_ids, plugin_ids, numbers, ~sound


def _tensors(buffer: Buffer, at: Ints, ends: Ints) -> tuple[Floats, npt.NDArray[np.uint8], Mask]:
    """The number in each tensor of rank 0, whether it is one, and whether the tensor is odd."""
    types = buffer.octets_at(at + 1)
    sound = (ends - at >= 4) & (buffer.octets_at(at) == TYPE) & (types < 0x80)  # noqa: PLR2004 - a varint of one byte
    at = at + 2
    shaped = buffer.octets_at(at) == SHAPE
    sizes = np.where(shaped, buffer.octets_at(at + 1), 0)
    ranked = (sizes > 0) & (sizes < 0x80) & (buffer.octets_at(at + 2) == DIMENSION)  # noqa: PLR2004 - the same
    sound &= (sizes == 0) | (ranked & (at + 2 + sizes <= ends))
    scalar = sound & ~ranked & IS_NUMERIC[types]

    at = np.where(shaped, at + 2, at)
    field, left = buffer.octets_at(at), ends - at
    # A content and a list of one number both say their length in a byte; a number of its own says none.
    alone = (field == ONE_FLOAT) | (field == ONE_DOUBLE)
    lengths = np.where(alone, left - 1, buffer.octets_at(at + 1))
    at = np.where(alone, at + 1, at + 2)
    filled = (field == CONTENT) | ((types == FLOAT) & ((field == FLOATS) | (field == ONE_FLOAT)))
    filled |= (types == DOUBLE) & ((field == DOUBLES) | (field == ONE_DOUBLE))
    filled &= scalar & (at + lengths == ends)

    numbers, decoded = np.zeros(len(at)), np.zeros(len(at), np.bool_)
    words = buffer.words_at(at)
    for kind in np.unique(types[filled]).tolist():
        dtype = np.dtype(NUMERIC[kind])
        rows = np.flatnonzero(filled & (types == kind) & (lengths == dtype.itemsize))
        found = words[rows].view(dtype)[:: 8 // dtype.itemsize]  # the low bytes come first
        if kind == BFLOAT16:
            found = (found.astype(np.uint32) << 16).view(np.float32)
        numbers[rows] = found
        decoded[rows] = True
    kinds = np.where(scalar, TENSOR, OTHER).astype(np.uint8)
    return numbers, kinds, ~sound | (scalar & ~decoded)
