"""The clock of a run: how long its steps took, as far as the wall times of its curves can be trusted."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from curve_analyzers.model import Curve, Floats, RunCurves
from curve_analyzers.quantities import Kind

__all__ = ["clocked", "hours_at", "others_within", "times_of"]

HOUR = 3600.0
BACK = 0.01  # of the run's time that the clock may go back: several processes log side by side


def times_of(curve: Curve) -> Floats | None:
    """The seconds since the first point of a curve, shape (n,), never falling.

    None where there is no clock to trust: no wall times, all of them the same (an imported log), or times that go back
    (a run that was resumed over its own steps, or one put together from several).
    """
    if curve.wall_times is None or len(curve) < 2 or not np.isfinite(curve.wall_times).all():  # noqa: PLR2004
        return None
    seconds = np.asarray(curve.wall_times - curve.wall_times[0], np.float64)
    rising = np.maximum.accumulate(seconds)
    if not rising[-1] > 0 or float((rising - seconds).max()) > BACK * rising[-1]:
        return None
    return rising


def clocked(run: RunCurves) -> list[Curve]:
    """The curves of the training whose clock can be trusted, the one with the most points first.

    What the machine logged by itself (memory, utilization) goes on while the training stands still, and is left out.
    """
    found = [curve for curve in _trained(run) if times_of(curve) is not None]
    return sorted(found, key=lambda curve: -len(curve))


def others_within(run: RunCurves, first: float, last: float) -> Floats:
    """The wall times between two moments, sorted, at which the training logged anything at all."""
    times = [curve.wall_times[np.isfinite(curve.wall_times)] for curve in _trained(run) if curve.wall_times is not None]
    every = np.concatenate([each[(each > first) & (each < last)] for each in times] or [np.empty(0)])
    return np.sort(every)


def hours_at(curve: Curve, first: int, last: int) -> float | None:
    """The hours between two steps of a curve; None without a clock to trust."""
    seconds = times_of(curve)
    if seconds is None:
        return None
    begin, end = np.interp([first, last], curve.steps.astype(np.float64), seconds)
    return float(end - begin) / HOUR


def _trained(run: RunCurves) -> Iterator[Curve]:
    """Every curve that plays a role in the training."""
    return (run.curves[name] for role, name in run.roles.items() if role.measures.kind is not Kind.SYSTEM)
