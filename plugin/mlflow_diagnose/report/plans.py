"""What a chart shows, as values: all of it but its strokes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from curve_analyzers.alignment import same_unit
from curve_analyzers.findings import Severity
from curve_analyzers.model import Curve, Floats, Split

__all__ = ["Axis", "Band", "Bar", "Line", "Mark", "Panel", "Plan", "Rise"]


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A curve as drawn.

    Attributes:
        label: What it is and what the user calls it.
        split: Gives the stroke, the marker, and the colour where it is alone on its split.
        series: Counts the quantities in a panel, from 0.
        x: (n,) positions, finite.
        y: (n,) values, finite.
        rough: x and y of the jagged curve behind, where `x` and `y` are its running median.
    """

    label: str
    split: Split
    series: int
    x: Floats
    y: Floats
    rough: tuple[Floats, Floats] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """How far a curve's own noise reaches: what moves within it tells nothing.

    Attributes:
        x: (n,) positions.
        low: (n,) lower edge.
        high: (n,) upper edge.
    """

    x: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True, slots=True)
class Rise:
    """The change that a finding is about: from one value to another, at a position, with its figure."""

    label: str
    at: float
    before: float
    after: float
    severity: Severity


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """Curves that share a scale of values.

    Attributes:
        title: What is measured.
        lines: The curves.
        low: Lower end of the scale.
        high: Upper end of the scale.
        log: Whether the scale is logarithmic.
        beyond: The value furthest outside the scale; None where all are inside.
        several: Whether it holds more than one quantity or part.
        shaded: Whether the verdict rests on one of the curves.
        small: Whether it needs little room: the learning rate, a norm, the machine.
        band: The noise of the curve that the verdict rests on.
        rise: The change that the verdict is about.
    """

    title: str
    lines: tuple[Line, ...]
    low: float
    high: float
    log: bool
    beyond: float | None = None
    several: bool = False
    shaded: bool = False
    small: bool = False
    band: Band | None = None
    rise: Rise | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Axis:
    """The steps of a run; where its curves count in different units, the share of each curve's own length.

    Attributes:
        label: What it counts.
        low: Where it begins.
        high: Where it ends.
        shares: Whether it is the share of each curve's own length.
        clock: The curve whose steps these are, by whose clock others find their place that count something else.
    """

    label: str
    low: float
    high: float
    shares: bool
    clock: Curve | None = None

    def of(self, curve: Curve) -> Floats:
        """(n,) positions of a curve's points."""
        return self.at(curve, curve.steps.astype(np.float64))

    def at(self, curve: Curve, steps: Floats) -> Floats:
        """(n,) positions of steps as a curve counts them, within the axis."""
        if self.shares:
            steps = self._share(curve, steps)
        elif self.clock is not None and not same_unit([self.clock, curve]):
            steps = self._moment(self.clock, curve, steps)
        return np.clip(steps, self.low, self.high)

    def _share(self, curve: Curve, steps: Floats) -> Floats:
        first, last = float(curve.steps[0]), float(curve.steps[-1])
        return self.low + (self.high - self.low) * (steps - first) / max(last - first, 1.0)

    def _moment(self, clock: Curve, curve: Curve, steps: Floats) -> Floats:
        """The step that the run was at when this curve was at `steps`, as `alignment.same_moment` tells it of one."""
        if clock.wall_times is None or curve.wall_times is None or not np.ptp(clock.wall_times) > 0:
            return self._share(curve, steps)
        moments = np.interp(steps, curve.steps, curve.wall_times)
        return np.asarray(np.interp(moments, clock.wall_times, clock.steps), np.float64)


@dataclass(frozen=True, slots=True)
class Bar:
    """The range in which a finding was seen."""

    label: str
    severity: Severity
    first: float
    last: float


@dataclass(frozen=True, slots=True)
class Mark:
    """One position worth a line: the best step, the first NaN."""

    label: str
    at: float
    good: bool


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """All of a chart but its strokes."""

    panels: tuple[Panel, ...]
    axis: Axis
    bars: tuple[Bar, ...]
    marks: tuple[Mark, ...]
    shade: Bar | None
