"""Quick rises of a learning rate, and what the loss did from each to the following one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from curve_analyzers.alignment import same_moment
from curve_analyzers.jumps import Jump, jump_at
from curve_analyzers.model import Curve, Floats, Ints, RunCurves

__all__ = ["Rise", "effects", "quick_rises"]

STAYS_UP = 0.7  # usual rate after a rise over its peak, below which the rate came down again
SOON = 0.1  # share of the run after a rise within which a loss that is lost was lost by it


@dataclass(frozen=True, slots=True, eq=False)
class Rise:
    """A rise of the rate and what the loss did up to the following one.

    Attributes:
        step: The rate's step right after it.
        low: The rate right before.
        high: The rate right after.
        falls_again: Whether the rate came down again, as in a cycle.
        start: The first cost of the run.
        jump: The loss's jump; None where the loss was lost (NaN, infinity) right after.
        lost: The share of the run for which the loss stayed above, or was lost.
    """

    step: int
    low: float
    high: float
    falls_again: bool
    start: float
    jump: Jump | None
    lost: float

    @property
    def recovered(self) -> bool:
        """Whether the loss came back to where it was before the following rise, or the end."""
        return self.jump is not None and self.jump.recovered is not None


def quick_rises(rate: Floats, width: int, factor: float, share: float) -> Ints:
    """The index right after each rise by `factor` and by `share` of the highest rate within `width` points."""
    if len(rate) <= width:
        return np.empty(0, np.int64)
    rise = rate[width:] - rate[:-width]
    quick = (rise >= (factor - 1) * np.maximum(rate[:-width], 0.0)) & (rise >= share * rate.max()) & (rise > 0)
    starts = np.flatnonzero(quick & ~np.r_[False, quick[:-1]])
    return np.unique([start + 1 + int(np.diff(rate[start : start + 2 * width + 1]).argmax()) for start in starts])


def effects(run: RunCurves, rate: Curve, rises: Ints) -> Iterator[Rise]:
    """What the loss did after each of the rises around which it was logged."""
    role = run.learning[0]
    cost, raw = run.cost(role), run.raw(role)
    for index, end in pairwise([*rises.tolist(), len(rate)]):
        since = same_moment(rate, int(rate.steps[index - 1]), cost)
        until = same_moment(rate, int(rate.steps[end - 1]), cost) if end < len(rate) else np.inf
        stretch = cost.where(cost.steps <= until)
        first = int(np.searchsorted(stretch.steps, since, side="right"))
        after = raw.values[raw.steps > since]
        soon = after[: max(1, round(SOON * len(raw)))]
        if first > 1 and len(soon) and not np.isfinite(soon).all():
            jump, lost = None, len(after) / len(raw)
        elif 1 < first < len(stretch):
            jump = jump_at(stretch, first)
            lost = jump.lost * len(stretch) / len(cost)
        else:
            continue
        usual, peak = float(np.median(rate.values[index:end])), float(rate.values[index:end].max())
        yield Rise(
            step=int(rate.steps[index]),
            low=float(rate.values[index - 1]),
            high=float(rate.values[index]),
            falls_again=usual < STAYS_UP * peak,
            start=float(cost.values[0]),
            jump=jump,
            lost=lost,
        )
