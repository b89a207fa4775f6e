"""The metric files of an MLflow file store: lines of time, value and step, many thousands of them at once."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from curve_analyzers.model import Floats, Ints
from curve_analyzers.saying import say, say_many, series

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Points", "parse"]

# From so many bytes on pyarrow, ten times as fast as Python, makes up for the tenth of a second that its import takes;
# and once it is imported, for what it takes to begin.
WORTH_IMPORT, WORTH_PYARROW = 1 << 21, 1 << 14

# A line is `<time> <value>`, `<time> <value> <step>`, or that and the name and the digest of a data set; a name with
# blanks makes more of them.
WITHOUT_STEP, WITH_STEP, WITH_DATASET = 2, 3, 5
COLUMNS = ("time", "value", "step", "dataset", "digest")
INT64 = range(-(1 << 63), 1 << 63)


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """The points of one metric, in the order they were written.

    Attributes:
        steps: (n,) int64.
        values: (n,) float64.
        wall_times: (n,) float64, seconds since 1970.
        trouble: What could not be read, in a few words; empty where everything could.
    """

    steps: Ints
    values: Floats
    wall_times: Floats
    trouble: str = ""


def parse(contents: Sequence[bytes]) -> list[Points]:
    """The points of each metric file, from its bytes; a line that is none costs only itself and is told."""
    lines, cuts = zip(*map(_whole_lines, contents), strict=True) if contents else ((), ())
    parsed: list[Points | None] = [None] * len(lines)
    if sum(map(len, lines)) >= (WORTH_PYARROW if "pyarrow.csv" in sys.modules else WORTH_IMPORT):
        widths = [_width(each) for each in lines]
        for width in (WITHOUT_STEP, WITH_STEP, WITH_DATASET):
            alike = [index for index, found in enumerate(widths) if found == width]
            for index, points in zip(alike, _at_once([lines[index] for index in alike], width), strict=True):
                parsed[index] = points
    return [_also(cut, points or _line_by_line(each)) for each, cut, points in zip(lines, cuts, parsed, strict=True)]


def _also(trouble: str, points: Points) -> Points:
    return replace(points, trouble=series([told for told in (points.trouble, trouble) if told])) if trouble else points


def _whole_lines(content: bytes) -> tuple[bytes, str]:
    """The content without a last line that was cut off, and what is to be told of that.

    A line is known as cut by having fewer fields than the one before it: an editor may have lost the last line's end.
    """
    if not content:
        return content, say("the file is empty")
    if content.endswith(b"\n"):
        return content, ""
    before, newline, last = content.rpartition(b"\n")
    if newline and len(last.split()) < len(before.rpartition(b"\n")[2].split()):
        return before + newline, say("the last line is cut off")
    return content + b"\n", ""


def _width(lines: bytes) -> int:
    """How many fields the first line has."""
    return len(lines[: lines.find(b"\n")].split())


def _at_once(contents: Sequence[bytes], width: int) -> Iterator[Points | None]:
    """The points of files whose first lines have `width` fields; None for a file with any line that is not alike."""
    if not contents:
        return
    counts = [content.count(b"\n") for content in contents]
    try:
        steps, values, wall_times = _columns(b"".join(contents), width, sum(counts))
    except ValueError:
        # One odd line in one of the files: the others still go at once, each by itself.
        for content in contents:
            yield from _at_once([content], width) if len(contents) > 1 else (None,)
        return
    ends = np.cumsum(counts)
    for start, end in zip(ends - counts, ends, strict=True):
        yield Points(steps[start:end], values[start:end], wall_times[start:end])


def _columns(lines: bytes, width: int, count: int) -> tuple[Ints, Floats, Floats]:
    """The steps, values and wall times of `count` lines of `width` fields each.

    Raises:
        ValueError: A line is different.
    """
    # A tenth of a second to import, and small stores do without.
    import pyarrow as pa  # noqa: PLC0415 - see above
    from pyarrow import csv  # noqa: PLC0415 - see above

    types = {"time": pa.int64(), "value": pa.float64(), "step": pa.int64()}
    table = csv.read_csv(
        pa.py_buffer(lines),
        read_options=csv.ReadOptions(column_names=COLUMNS[:width]),
        parse_options=csv.ParseOptions(delimiter=" ", quote_char=False, ignore_empty_lines=False),
        convert_options=csv.ConvertOptions(
            include_columns=COLUMNS[: min(width, WITH_STEP)], column_types=types, null_values=[]
        ),
    )
    if len(table) != count:
        raise ValueError("a line ends in an unusual way")
    # Not by to_numpy: that imports pandas, which takes longer than all the rest.
    columns: dict[str, Any] = {name: np.from_dlpack(table[name].combine_chunks()) for name in table.column_names}
    steps = columns["step"] if "step" in columns else np.zeros(count, np.int64)
    return steps, columns["value"], columns["time"].astype(np.float64) / 1000


def _line_by_line(lines: bytes) -> Points:
    steps: list[int] = []
    values: list[float] = []
    times: list[float] = []
    malformed: list[int] = []
    for number, line in enumerate(lines.splitlines(), 1):
        try:
            time, value, step = _fields(line)
        except (ValueError, OverflowError):
            malformed.append(number)
        else:
            steps.append(step)
            values.append(value)
            times.append(time)
    trouble = ""
    if malformed:
        trouble = say_many(
            "{number} malformed line left out, line {first}",
            "{number} malformed lines left out, the first of them line {first}",
            len(malformed),
            first=malformed[0],
        )
    return Points(np.array(steps, np.int64), np.array(values, np.float64), np.array(times, np.float64) / 1000, trouble)


def _fields(line: bytes) -> tuple[float, float, int]:
    """The time in milliseconds, the value and the step of a line.

    Raises:
        ValueError: It is no line of a metric.
        OverflowError: Its time is beyond all numbers.
    """
    fields = line.strip().split(b" ")
    if len(fields) not in {WITHOUT_STEP, WITH_STEP} and len(fields) < WITH_DATASET:
        raise ValueError("the number of fields is none that MLflow writes")
    step = int(fields[2]) if len(fields) >= WITH_STEP else 0
    if step not in INT64:
        raise ValueError("the step is beyond 64 bits")
    return float(int(fields[0])), float(fields[1]), step
