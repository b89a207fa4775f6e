"""The points of each tag of each file, from the values of all of them in the order they were written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mlflow_diagnose.readers.events.scalars import OTHER, SCALAR_PLUGINS, TENSOR, Values

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from curve_analyzers.model import Floats, Ints

__all__ = ["Points", "split"]

Mask = npt.NDArray[np.bool_]


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


def split(
    values: Values,
    times: Floats,
    tags: Sequence[str],
    firsts: Ints,
    restarts: Mapping[int, Sequence[tuple[int, int]]],
) -> list[dict[str, Points]]:
    """The points of each file by tag, less those that a restart in the file voids.

    Args:
        values: What was read.
        times: The wall time of each record.
        tags: The tags by their numbers.
        firsts: (files + 1,) int64, the first record of each file, and the number of records.
        restarts: By file the records that say that training ran again, and from which step.
    """
    files = np.searchsorted(firsts, values.records, side="right") - 1
    keys = files * len(tags) + values.tags
    kept = _points(values, keys) & ~_voided(values, firsts, restarts)
    points: list[dict[str, Points]] = [{} for _ in firsts[1:]]
    if not kept.any():
        return points
    rows = np.flatnonzero(kept)
    # Sorting small numbers takes numpy the least time.
    order = rows[np.argsort(keys[rows].astype(np.min_scalar_type(int(keys.max()))), kind="stable")]
    steps, numbers, walls = values.steps[order], values.numbers[order], times[values.records[order]]
    starts = np.flatnonzero(np.diff(keys[order], prepend=-1))
    stops = np.append(starts[1:], len(order))
    # Tags stand in the order in which each was first written.
    for group in np.argsort(order[starts], kind="stable").tolist():
        of_tag = slice(starts[group], stops[group])
        file, tag = divmod(int(keys[order[starts[group]]]), len(tags))
        points[file][tags[tag]] = Points(steps[of_tag], numbers[of_tag], walls[of_tag])
    return points


def _points(values: Values, keys: Ints) -> Mask:
    """Which values are points: TensorFlow names the plugin of a tag on its first record only."""
    are_points: Mask = values.kinds != OTHER
    if values.plugins.max(initial=0) < len(SCALAR_PLUGINS):
        return are_points
    order = np.argsort(keys, kind="stable")
    places = np.arange(len(order))
    is_first = np.diff(keys[order], prepend=-1) != 0
    named = np.maximum.accumulate(np.where(is_first | (values.plugins[order] > 0), places, 0))
    plugins = np.empty_like(values.plugins)
    plugins[order] = values.plugins[order][named]
    are_points &= (values.kinds != TENSOR) | (plugins < len(SCALAR_PLUGINS))
    return are_points


def _voided(values: Values, firsts: Ints, restarts: Mapping[int, Sequence[tuple[int, int]]]) -> Mask:
    """Which values stand before a restart in their file, at or after its step."""
    voided = np.zeros(len(values.records), np.bool_)
    for file, marks in restarts.items():
        first, stop = np.searchsorted(values.records, firsts[file : file + 2])
        records, steps = np.array(marks, np.int64).T
        # The earliest step that any restart from here to the end of the file names.
        earliest = np.minimum.accumulate(steps[::-1])[::-1]
        following = np.searchsorted(records, values.records[first:stop])
        marked = following < len(records)
        voided[first:stop][marked] = values.steps[first:stop][marked] >= earliest[following[marked]]
    return voided
