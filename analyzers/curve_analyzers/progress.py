"""How one curve went: the one measurement that the rules of fit and progress judge."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from curve_analyzers.alignment import same_moment
from curve_analyzers.model import Curve, Floats, Ints, Role, RunCurves
from curve_analyzers.quantities import Direction, Kind, Quantity
from curve_analyzers.signal import bins, certainty, noise

__all__ = ["Progress", "measure", "measure_all"]

BINS = 50  # 2 % of a run is as fine as any rule looks
BEYOND_WANDERING = 1.5  # times the largest way back up: a running mean wanders smoothly, and hides its noise
WIDTH = 0.1  # of the run, the stretch whose median is a level
EXACT = 4 * BINS  # points up to which each is an evaluation of its own, and the lowest the one to keep
LEAST_BINS = 6  # from which noise can be told
BEYOND_NOISE = 4.5  # standard errors; the extreme of 50 even bins stays below it


@dataclass(frozen=True, slots=True, eq=False)
class Progress:
    """A curve as levels: medians over a tenth of the run, and how far they can be trusted.

    Everything is a cost, lower is better, in the unit of the curve.

    Attributes:
        curve: What was measured, as a cost.
        quantity: What it measures.
        levels: (m,) running medians over a tenth of the run.
        steps: (m,) the step in the middle of each.
        width: How many bins a level is the median of: m + width - 1 bins make the run.
        start: The level of the first 2 % of the run (its first point, in a short one).
        error: Standard error of a level.
        start_error: Standard error of `start`.
        perfect: The best value there can be; NaN where it is unknown.
        best_step: The step to keep: of the lowest point within the lowest level, in a long curve of its lowest median.
        best_value: The value there.
    """

    curve: Curve
    quantity: Quantity
    levels: Floats
    steps: Ints
    width: int
    start: float
    error: float
    start_error: float
    perfect: float
    best_step: int
    best_value: float

    @property
    def name(self) -> str:
        """The curve's name."""
        return self.curve.name

    def shown(self, cost: float) -> float:
        """A cost as the user logged it: an accuracy of 0.9 for -0.9."""
        return self.quantity.shown(cost)

    @property
    def best(self) -> float:
        """The lowest level."""
        return float(self.levels.min())

    @property
    def last_step(self) -> int:
        """The last step of the curve."""
        return int(self.curve.steps[-1])

    @property
    def end(self) -> float:
        """The last level."""
        return float(self.levels[-1])

    @property
    def fall(self) -> float:
        """From the start down to the lowest level; 0.0 where it never went below."""
        return max(self.start - self.best, 0.0)

    @property
    def rise(self) -> float:
        """From the lowest level up to the last."""
        return self.end - self.best

    @property
    def share(self) -> float:
        """The fall as a share of the way to the best value there can be; NaN where that is unknown."""
        room = self.start - self.perfect
        return self.fall / room if room > 0 else float("nan")

    @property
    def worth(self) -> float:
        """`share`, or where the best value is unknown the fall as a share of the start."""
        return self.share if np.isfinite(self.share) else self.fall / abs(self.start or 1.0)

    @property
    def left(self) -> float:
        """What is missing at the end to a perfect score, as a share of it; NaN for what is no bounded score."""
        return (self.end - self.perfect) / self.whole if self.whole else float("nan")

    @property
    def whole(self) -> float:
        """What a bounded score is a share of, 1 or 100 %; 0.0 for what is no bounded score."""
        return -self.perfect if self.perfect < 0 else 0.0

    def missing(self, cost: float) -> float:
        """How far a cost is from the best value there can be; where that is unknown, from nothing."""
        return cost - self.perfect if math.isfinite(self.perfect) else abs(cost)

    def above_chance(self, classes: int) -> float:
        """How far an accuracy ended from what guessing among so many classes reaches, as a share of the way to 1."""
        return 1 - self.left * classes / (classes - 1)

    def noise_beside(self, other: Progress) -> float:
        """The distance of its levels from those of another curve that noise alone may show."""
        return BEYOND_NOISE * math.hypot(self.error, other.error)

    @property
    def noise(self) -> float:
        """The fall that noise alone may show."""
        return BEYOND_NOISE * self.start_error

    @property
    def fell(self) -> bool:
        """Whether the fall is beyond noise, and beyond what the curve wandered back on its way down."""
        down = self.levels[: int(self.levels.argmin()) + 1]
        wandered = float((down - np.minimum.accumulate(down)).max())
        return self.fall > max(self.noise, BEYOND_WANDERING * wandered)

    @property
    def rose(self) -> bool:
        """Whether the rise after the lowest level is beyond noise."""
        return self.rise > BEYOND_NOISE * self.error

    @property
    def ended_worse(self) -> bool:
        """Whether it never fell, and ended above where it began, beyond noise."""
        return not self.fell and self.end - self.start > self.noise

    def at(self, step: float) -> float:
        """The level at a step, between the levels around it."""
        return float(np.interp(step, self.steps, self.levels))

    def gain(self, last: float) -> float:
        """How much the level fell over the last share `last` of the run; negative where it rose.

        Over that share of the run's points: the levels of a short run begin after its first and end before its last.
        """
        count = len(self.levels)
        first = max(count - 1 - last * (count - 1 + self.width - 1), 0.0)
        return float(np.interp(first, np.arange(count), self.levels) - self.levels[-1])

    def gained_since_best_of(self, other: Progress) -> float:
        """How much the level fell from the moment at which another curve of the run was best to the end."""
        return self.at(same_moment(other.curve, other.best_step, self.curve)) - self.end

    def beyond_noise(self, difference: float) -> bool:
        """Whether a difference of two levels is more than noise."""
        return difference > BEYOND_NOISE * self.error

    def certainty(self, difference: float) -> float:
        """How sure it is, 0..1, that a difference of two levels is more than noise."""
        return certainty(difference, BEYOND_NOISE * self.error)

    def settled(self, share: float, last: float = 0.2) -> bool:
        """Whether the last stretch brought no more than `share` of the fall, or nothing beyond noise."""
        gain = self.gain(last)
        return abs(gain) <= share * self.fall or abs(gain) <= BEYOND_NOISE * self.error


def measure_all(run: RunCurves, roles: Iterable[Role], least: int) -> list[Progress]:
    """The curves of roles that have at least so many usable points, measured."""
    return [measure(run, role) for role in roles if len(run[role]) >= least]


@lru_cache(maxsize=16)  # the rules ask for the same few curves of one run after the other
def measure(run: RunCurves, role: Role) -> Progress:
    """Measure the curve of a role; it must have a usable point."""
    curve, quantity = run.cost(role), role.measures
    medians, edges = bins(curve.values, BINS)
    width = max(3, round(WIDTH * len(medians)) // 2 * 2 + 1) if len(medians) >= LEAST_BINS else 1
    windows = np.lib.stride_tricks.sliding_window_view(medians, width)
    levels = np.median(windows, axis=1)
    lowest = int(levels.argmin())
    # The fall is judged by the noise on the way down: what came after the best, a blow-up perhaps, is no part of it.
    falling = lowest + width if lowest + width >= LEAST_BINS else len(medians)
    rounding = np.finfo(np.float64).eps * float(np.median(np.abs(medians)))
    start_error = max(_bin_noise(curve.values[: edges[falling]], medians[:falling]), rounding)
    error = max(1.25 * _bin_noise(curve.values, medians) / np.sqrt(width), rounding)
    middle = (edges[:-1] + edges[1:] - 1) // 2
    steps = curve.steps[middle[width // 2 : len(middle) - width // 2]]
    if len(curve) <= EXACT:
        first, end = edges[lowest], edges[lowest + width]
        best = first + int(curve.values[first:end].argmin())
        best_value = float(curve.values[best])
    else:  # the lowest of many noisy points is chance
        best_bin = lowest + int(medians[lowest : lowest + width].argmin())
        best, best_value = middle[best_bin], float(medians[best_bin])
    return Progress(
        curve=curve,
        quantity=quantity,
        levels=levels,
        steps=steps,
        width=width,
        start=float(medians[0]),
        error=error,
        start_error=start_error,
        perfect=_perfect(curve, quantity),
        best_step=int(curve.steps[best]),
        best_value=best_value,
    )


def _bin_noise(values: Floats, medians: Floats) -> float:
    """Standard error of a bin's median: from the points in it, and never less than the bins show (correlated noise)."""
    per_bin = len(values) / len(medians)
    inside = noise(values) / per_bin**0.5 * (1.25 if per_bin > 1 else 1.0)
    return float(max(inside, noise(medians)))


def _perfect(curve: Curve, quantity: Quantity) -> float:
    """The lowest cost a quantity can have."""
    lowest, highest = float(curve.values.min()), float(curve.values.max())
    if quantity.bounded and quantity.direction is Direction.HIGHER:
        return -100.0 if lowest < -1.5 else -1.0  # noqa: PLR2004 - a share does not exceed 1, a percentage does
    if quantity.kind in {Kind.LOSS, Kind.ERROR} and lowest >= 0 and highest > 0:
        return 0.0
    return float("nan")
