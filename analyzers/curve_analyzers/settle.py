"""From the points of a store, in whatever order and on whatever steps, to curves a rule can trust."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from curve_analyzers.model import Curve, Floats, Ints, RawCurve, RawRun, RunCurves, StepUnit
from curve_analyzers.roles import assign

__all__ = ["prepare", "settle"]

# SQL stores have no infinity: MLflow writes the largest float64 in its place.
SQL_INFINITY = 1.7976931348623157e308


def prepare(raw: RawRun, role_map: Mapping[str, str] | None = None) -> RunCurves:
    """Settle every curve of a run and find the role of each.

    Args:
        raw: The run as its reader found it.
        role_map: Role names by curve name, over the parser's own reading; `none` for no role.

    Raises:
        ValueError: `role_map` names a role that does not exist, a curve that the run does not have, or one role twice.
    """
    curves = {curve.name: settle(curve) for curve in raw.curves if len(curve.values)}
    others = {curve.name: settle(curve) for curve in raw.others if len(curve.values)}
    role_map = role_map or {}
    roles = assign(curves, {name: role for name, role in role_map.items() if name in curves or name not in others})
    known = {name: role for name, role in role_map.items() if name in others}
    return RunCurves(
        raw.source,
        raw.run_id,
        raw.name,
        curves,
        roles,
        dict(raw.params),
        dict(raw.tags),
        raw.status,
        tuple(raw.notes),
        raw.experiment_id,
        {role: others[name] for role, name in assign(others, known).items()},
    )


def settle(raw: RawCurve) -> Curve:
    """Put the points of a curve on strictly increasing steps and record what that took.

    Three things go wrong in real logs, and each is told apart by whether steps repeat:

    - Points out of order on distinct steps are sorted.
    - A pass that goes back and writes steps again (a resumed run, the next fold of a cross-validation) replaces
      what it wrote over, as TensorBoard shows it: earlier points at or after its first step are dropped. A single
      step that goes back is no pass (Keras logs one epoch once more at step 0): it replaces nothing and is dropped.
    - Several points on one step are one point, their mean, where that is the habit of the curve (a point for each
      batch, the epoch as step), and the last of them where it is an exception (an evaluation logged twice).

    Where all points share one step the step says nothing: the order of time, then of the file, takes its place.
    """
    steps = np.asarray(raw.steps, np.int64)
    values = np.asarray(raw.values, np.float64)
    values = np.where(np.abs(values) >= SQL_INFINITY, np.copysign(np.inf, values), values)
    times = None if raw.wall_times is None else np.asarray(raw.wall_times, np.float64)
    if len(steps) > 1 and steps.min() == steps.max():
        order = np.arange(len(steps)) if times is None else np.argsort(times, kind="stable")
        ranks = np.arange(len(steps), dtype=np.int64)
        return Curve(raw.name, ranks, values[order], None if times is None else times[order], StepUnit.RANK)
    keep, restarts = _last_pass(steps)
    rewound = int(len(steps) - keep.sum())
    steps, values, times = steps[keep], values[keep], None if times is None else times[keep]
    order = np.argsort(steps, kind="stable")
    steps, values, times = steps[order], values[order], None if times is None else times[order]
    merged = _one_per_step(steps, values, times)
    return Curve(raw.name, *merged, StepUnit.STEP, rewound, len(steps) - len(merged[0]), restarts)


def _last_pass(steps: Ints) -> tuple[np.ndarray[tuple[int], np.dtype[np.bool_]], tuple[int, ...]]:
    """Which points no later pass wrote over, and at which of their steps a later pass took over, ascending."""
    keep = np.ones(len(steps), np.bool_)
    if (steps[1:] > steps[:-1]).all() or len(np.unique(steps)) == len(steps):
        return keep, ()
    restarts: list[int] = []
    starts = [0, *(np.flatnonzero(steps[1:] < steps[:-1]) + 1), len(steps)]
    # From the last pass to the first: a point falls to the earliest step that any later pass began with.
    frontier = int(steps.max()) + 1
    for first, end in zip(starts[-2::-1], starts[:0:-1], strict=True):
        if first and steps[end - 1] == steps[first] and steps[first] in steps[:first]:
            keep[first:end] = False
            continue
        keep[first:end] = steps[first:end] < frontier
        if steps[end - 1] > steps[first]:
            if first and steps[first] < frontier:
                restarts.append(int(steps[first]))
            frontier = min(frontier, int(steps[first]))
    return keep, tuple(reversed(restarts))


def _one_per_step(steps: Ints, values: Floats, times: Floats | None) -> tuple[Ints, Floats, Floats | None]:
    """One point a step, from points sorted by step."""
    first = np.flatnonzero(np.r_[True, steps[1:] > steps[:-1]][: len(steps)])
    last = np.r_[first[1:], len(steps)] - 1
    if len(first) == len(steps):
        return steps, values, times
    habit = 2 * len(first) <= len(steps)
    if habit:
        with np.errstate(invalid="ignore", over="ignore"):
            values = np.add.reduceat(values, first) / (last - first + 1)
    else:
        values = values[last]
    return steps[first], values, None if times is None else times[last]
