"""Curves of one run whose steps count different things: epochs beside iterations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from curve_analyzers.model import Curve

__all__ = ["same_moment", "same_unit"]

OTHER_UNIT = 2.5  # times as long: two curves of one run that differ by more count different things
TELLING = 3  # points from which a curve tells its unit


def same_unit(curves: Sequence[Curve]) -> bool:
    """Whether the steps of curves of one run count the same thing.

    They do where all span about as many steps. Where one spans far fewer, the clock decides, if every curve has one:
    over as short a time it ended early, over the same time it counts something else.
    """
    long = [curve for curve in curves if len(curve) >= TELLING]
    lengths = [float(curve.steps[-1]) - float(curve.steps[0]) for curve in long]
    if not lengths or max(lengths) <= OTHER_UNIT * min(lengths):
        return True
    times = [float(np.ptp(curve.wall_times)) for curve in long if curve.wall_times is not None]
    return len(times) == len(long) and max(times) > OTHER_UNIT * min(times)


def same_moment(curve: Curve, step: int, other: Curve) -> float:
    """The step of `other` at the moment at which `curve` was at `step`.

    The same step where both count the same thing; else by the clock where both have one, else by the share of the run.
    """
    if same_unit([curve, other]) or len(other) < TELLING:
        return float(step)
    if curve.wall_times is not None and other.wall_times is not None and np.ptp(other.wall_times) > 0:
        moment = float(np.interp(step, curve.steps, curve.wall_times))
        return float(np.interp(moment, other.wall_times, other.steps))
    position = float(np.interp(step, curve.steps, np.linspace(0.0, 1.0, len(curve))))
    return float(np.interp(position, np.linspace(0.0, 1.0, len(other)), other.steps))
