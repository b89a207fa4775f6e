"""The clock of a run: how long its steps took, as far as the wall times of its curves can be trusted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from curve_analyzers.model import Curve, Floats, RunCurves
from curve_analyzers.quantities import Kind

__all__ = ["Clock", "clock", "hours_between", "moments", "seconds_of"]

HOUR = 3600.0
BACK = 0.01  # of the run's time that a clock may go back: several processes log side by side


@dataclass(frozen=True, slots=True, eq=False)
class Clock:
    """The curve that tells the time best.

    Attributes:
        curve: The one with the most points of those with wall times to trust.
        seconds: (n,) since its first point, never falling.
    """

    curve: Curve
    seconds: Floats


@lru_cache(maxsize=4)  # every rule of the clock asks for the same run
def clock(run: RunCurves) -> Clock | None:
    """The clock of a run; None where no curve has wall times to trust.

    What the machine logged by itself (memory, utilization) goes on while the training stands still, and tells nothing.
    """
    for curve in sorted(_trained(run), key=len, reverse=True):
        if (seconds := seconds_of(curve)) is not None:
            return Clock(curve, seconds)
    return None


def seconds_of(curve: Curve) -> Floats | None:
    """The seconds since the first point of a curve, shape (n,), never falling; None where they cannot be trusted.

    They cannot where there are none, where all are the same (an imported log), or where they go back (a run that was
    resumed over its own steps, or one put together from several).
    """
    if curve.wall_times is None or not len(curve) or not np.isfinite(curve.wall_times).all():
        return None
    seconds = curve.wall_times - curve.wall_times[0]
    rising = np.maximum.accumulate(seconds)
    return rising if rising[-1] > 0 and (rising - seconds).max() <= BACK * rising[-1] else None


def hours_between(curve: Curve, first: int, last: int) -> float | None:
    """The hours between two steps of a curve; None without wall times to trust."""
    seconds = seconds_of(curve)
    if seconds is None:
        return None
    begin, end = np.interp([first, last], curve.steps.astype(np.float64), seconds)
    return float(end - begin) / HOUR


def moments(run: RunCurves) -> Floats:
    """Every wall time at which the training logged anything at all, sorted."""
    times = [curve.wall_times for curve in _trained(run) if curve.wall_times is not None]
    return np.sort(np.concatenate(times)) if times else np.empty(0)


def _trained(run: RunCurves) -> Iterator[Curve]:
    """Every curve that plays a role in the training."""
    return (run.curves[name] for role, name in run.roles.items() if role.measures.kind is not Kind.SYSTEM)
