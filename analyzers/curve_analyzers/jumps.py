"""Whether a curve jumped at a known moment, such as a resume or a rise of the learning rate, and came back."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from curve_analyzers.model import Curve, Floats
from curve_analyzers.signal import NORMAL_MAD, noise, quantiles, running_median

__all__ = ["Jump", "jump_at"]

BEYOND_NOISE = 4.5  # standard errors of the difference of two levels
BEYOND_USUAL = 1.5  # times what nineteen in twenty moves of the same curve stay below
RARE = 1e-3  # of the moments of a run, the share that may show a jump as high by chance
WIDEST = 0.1  # of the run, the longest stretch whose mean is a level before or after


@dataclass(frozen=True, slots=True, eq=False)
class Jump:
    """The move of a curve from just before a moment to just after it, in costs.

    Attributes:
        step: The first step after the moment.
        before: The level before.
        after: The level after.
        limit: The height that noise and the curve's other moves explain.
        lowest: The lowest level after the moment.
        recovered: The step at which the level was back at `before`; None where it never was.
        lost: The share of the run's points from the moment to there, or to the end.
    """

    step: int
    before: float
    after: float
    limit: float
    lowest: float
    recovered: int | None
    lost: float

    @property
    def height(self) -> float:
        """How far it jumped; negative where it fell."""
        return self.after - self.before

    @property
    def regained(self) -> float:
        """The share of the height that was won back."""
        return (self.after - self.lowest) / self.height if self.height > 0 else 1.0


def jump_at(cost: Curve, index: int) -> Jump:
    """Measure the move at `index`, the first point after a moment, over the width that shows it best.

    The levels are means over the same number of points on both sides, from 1 to a tenth of the run: a noisy loss of
    each step needs many, a jump that decays at once shows only in few.

    Args:
        cost: (n,) finite, lower is better.
        index: 0 < index < n.
    """
    values = cost.values
    sums, error = np.r_[0.0, np.cumsum(values - values[0])], _noise_around(values, index)
    widest = max(1, min(round(WIDEST * len(values)), index, len(values) - index))
    widths = [2**power for power in range(widest.bit_length()) if 2**power <= widest]
    limits = [_limit(sums, index, width, error) for width in widths]
    heights = [_moves(sums, width)[index - width] for width in widths]
    best = max(range(len(widths)), key=lambda each: heights[each] / limits[each] if limits[each] > 0 else heights[each])
    width = widths[best]
    before = float(values[index - width : index].mean())
    levels = running_median(values[index:], min(2 * (width // 2) + 1, 2 * ((len(values) - index) // 2) + 1))
    back = np.flatnonzero(levels <= before + error / np.sqrt(width))
    return Jump(
        step=int(cost.steps[index]),
        before=before,
        after=before + float(heights[best]),
        limit=limits[best],
        lowest=float(levels.min()),
        recovered=int(cost.steps[index + back[0]]) if len(back) else None,
        lost=float(back[0] if len(back) else len(levels)) / len(values),
    )


def _noise_around(values: Floats, index: int) -> float:
    """`signal.noise` without the second differences that reach over the moment, which few points would feel."""
    with np.errstate(over="ignore", invalid="ignore"):
        second = np.abs(values[:-2] - 2 * values[1:-1] + values[2:])
    rest = np.r_[second[: max(index - 2, 0)], second[index + 1 :]]
    return float(NORMAL_MAD * np.median(rest) / np.sqrt(6.0)) if len(rest) else noise(values)


def _moves(sums: Floats, width: int) -> Floats:
    """(n - 2 width + 1,) the mean of the `width` points from each on less that of those before it, from their sums."""
    means = (sums[width:] - sums[:-width]) / width
    return np.asarray(means[width:] - means[:-width], np.float64)


def _limit(sums: Floats, index: int, width: int, error: float) -> float:
    """What a move over this width must exceed: noise, and the rises of the curve elsewhere."""
    moves = _moves(sums, width)
    elsewhere = np.abs(np.arange(len(moves)) + width - index) >= width
    rises = np.maximum(moves[elsewhere], 0.0)
    usual, rare = quantiles(rises, 0.95, 1 - RARE) if len(rises) else (0.0, 0.0)
    # In a long curve, jumps as high as any moment may show are no sign of what happened at this one.
    return max(
        BEYOND_NOISE * error * math.sqrt(2.0 / width), BEYOND_USUAL * usual, rare if len(rises) > 1 / RARE else 0
    )
