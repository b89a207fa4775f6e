"""How a curve moves up and down around its level."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from curve_analyzers.model import Floats
from curve_analyzers.progress import Progress
from curve_analyzers.saying import say
from curve_analyzers.signal import bins, quantiles, running_median

__all__ = ["Swings", "moves_of", "swings_in"]

LONG, BINS = 4000, 200  # points from which the level is taken from so many bins


@dataclass(frozen=True, slots=True, eq=False)
class Swings:
    """How a curve moves up and down around its level in a stretch of the run.

    Attributes:
        progress: The curve.
        moves: (n,) what is left of the stretch without its level.
        size: From trough to peak, in the unit of the curve; one point in five goes beyond.
        below: The share of it that lies below the level.
        scale: What it is measured by, the fall or where there is none the level.
        grown: How many times larger the swings of the run's last quarter are than those of the second.
    """

    progress: Progress
    moves: Floats
    size: float
    below: float
    scale: float
    grown: float

    @property
    def share(self) -> float:
        """The size as a share of the scale; 0 where there is none."""
        return self.size / self.scale if self.scale > 0 else 0.0

    @property
    def crossings(self) -> float:
        """How often the level is crossed, as a share of the points: what comes back from a jump does so once."""
        above = self.moves > 0
        return float((above[1:] != above[:-1]).mean()) if len(above) > 1 else 0.0

    @property
    def missing(self) -> float:
        """What was usually missing to the best value in the second half of the run; NaN where that is unknown."""
        levels = self.progress.levels[len(self.progress.levels) // 2 :]
        return float(np.median(levels)) - self.progress.perfect

    def over(self, other: Swings) -> float:
        """The size over that of other swings, each as a share of what is missing to the best value where known."""
        ratio = other.missing / self.missing if self.missing > 0 and other.missing > 0 else 1.0
        return self.size / other.size * ratio if other.size > 0 else float("inf")

    @property
    def of(self) -> str:
        """What it is a share of, in words."""
        return say("of the fall") if self.progress.fell else say("of its level")


def moves_of(progress: Progress) -> Floats:
    """(n,) what is left of a curve without its level, the running median over a quarter of the run."""
    values = progress.curve.values
    if len(values) <= LONG:
        return values - running_median(values, max(2 * (len(values) // 8) + 1, 5))
    medians, edges = bins(values, BINS)
    level = running_median(medians, 2 * (BINS // 8) + 1)
    return values - np.interp(np.arange(len(values)), (edges[:-1] + edges[1:] - 1) / 2, level)


def swings_in(progress: Progress, moves: Floats, first: float, last: float) -> Swings:
    """Measure the swings of a curve from one share of the run to another."""
    begin = round(first * len(moves))
    stretch = moves[begin : max(round(last * len(moves)), begin + 1)]
    low, middle, high = quantiles(stretch, 0.1, 0.5, 0.9)
    size, scale = high - low, progress.fall if progress.fell else abs(progress.end)
    below = (middle - low) / size if size > 0 else 0.0
    if not progress.fell:
        below = max(below, _below_as_factors(progress, stretch, begin))
    return Swings(progress, stretch, size, below, scale, _growth(moves))


def _below_as_factors(progress: Progress, moves: Floats, begin: int) -> float:
    """`Swings.below` in the logarithm of what is missing to the best value: a loss thrown about moves by factors."""
    values = progress.curve.values[begin : begin + len(moves)] - progress.perfect
    levels = values - moves
    if not (values.min() > 0 and levels.min() > 0):  # the best value may be unknown, NaN
        return 0.0
    low, middle, high = quantiles(np.log(values / levels), 0.1, 0.5, 0.9)
    return (middle - low) / (high - low) if high > low else 0.0


def _growth(moves: Floats) -> float:
    """How many times larger the moves of the last quarter are than those of the second."""
    quarter = len(moves) // 4
    early, late = np.abs(moves[quarter : 2 * quarter]), np.abs(moves[-quarter:])
    (before,), (after,) = quantiles(early, 0.8), quantiles(late, 0.8)
    return after / before if before > 0 else 1.0
