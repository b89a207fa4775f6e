"""The points of each tag of each file, from the values of all of them in the order they were written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mlflow_diagnose.readers.events.scalars import OTHER, SCALAR_PLUGINS, TENSOR, Values

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

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

    @classmethod
    def joined(cls, written: Sequence[Points]) -> Points:
        """Points one after the other."""
        return cls(
            np.concatenate([points.steps for points in written]),
            np.concatenate([points.values for points in written]),
            np.concatenate([points.wall_times for points in written]),
        )


def split(
    values: Values,
    times: Floats,
    tags: Sequence[str],
    firsts: Ints,
    restarts: Mapping[int, Sequence[tuple[int, int]]],
    others: Sequence[AbstractSet[str]],
) -> tuple[list[dict[str, Points]], list[AbstractSet[str]]]:
    """The points of each file by tag, less those that a restart in the file voids, and `others` for what follows.

    Args:
        values: What was read.
        times: The wall time of each record.
        tags: The tags by their numbers.
        firsts: (files + 1,) int64, the first record of each file, and the number of records.
        restarts: By file the records that say that training ran again, and from which step.
        others: The tags of each file whose tensors are another plugin's, as it stood before.
    """
    sizes = np.diff(np.searchsorted(values.records, firsts))
    keys = np.repeat(len(tags) * np.arange(len(sizes)), sizes) + values.tags
    are_points, others = _points(values, keys, tags, others)
    kept = are_points & ~_voided(values, firsts, restarts)
    points: list[dict[str, Points]] = [{} for _ in firsts[1:]]
    if not kept.any():
        return points, others
    # Sorting small numbers takes numpy the least time.
    small = keys.astype(np.min_scalar_type(int(keys.max())))
    if kept.all():
        order = np.argsort(small, kind="stable")
    else:
        rows = np.flatnonzero(kept)
        order = rows[np.argsort(small[rows], kind="stable")]
    steps, numbers, walls = values.steps[order], values.numbers[order], times[values.records[order]]
    grouped = small[order]
    bounds = [0, *(np.flatnonzero(grouped[1:] != grouped[:-1]) + 1).tolist(), len(order)]
    # Tags stand in the order in which each was first written.
    for group in np.argsort(order[bounds[:-1]], kind="stable").tolist():
        of_tag = slice(bounds[group], bounds[group + 1])
        file, tag = divmod(int(grouped[bounds[group]]), len(tags))
        points[file][tags[tag]] = Points(steps[of_tag], numbers[of_tag], walls[of_tag])
    return points, others


def _points(
    values: Values, keys: Ints, tags: Sequence[str], others: Sequence[AbstractSet[str]]
) -> tuple[Mask, list[AbstractSet[str]]]:
    """Which values are points, and `others` afterwards; a tag's first record alone may name its plugin."""
    are_points: Mask = values.kinds != OTHER
    if not len(keys) or (values.plugins.max() < len(SCALAR_PLUGINS) and not any(others)):
        return are_points, list(others)
    order = np.argsort(keys, kind="stable")
    places = np.arange(len(order))
    is_first = np.diff(keys[order], prepend=-1) != 0
    named = np.maximum.accumulate(np.where(is_first | (values.plugins[order] > 0), places, 0))
    is_other = values.plugins[order][named] >= len(SCALAR_PLUGINS)
    known = [
        file * len(tags) + tag
        for file, each in enumerate(others)
        if each
        for tag, name in enumerate(tags)
        if name in each
    ]
    is_other |= (values.plugins[order][named] == 0) & np.isin(keys[order], known)
    are_points[order] &= (values.kinds[order] != TENSOR) | ~is_other
    after = [set(each) for each in others]
    is_last = np.append(is_first[1:], True)
    for key, other in zip(keys[order][is_last].tolist(), is_other[is_last].tolist(), strict=True):
        file, tag = divmod(key, len(tags))
        (after[file].add if other else after[file].discard)(tags[tag])
    return are_points, list(after)


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
