"""How many steps an epoch takes, and what of a curve repeats with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from curve_analyzers import hyperparameters
from curve_analyzers.alignment import same_unit
from curve_analyzers.model import Curve, Floats, Ints, Role, RunCurves, Split
from curve_analyzers.saying import say

__all__ = ["Repetition", "epoch_lengths", "fold", "once_an_epoch", "part_of_an_epoch"]

PARTS = 16  # of an epoch, at most
NEAR = 0.02  # of a whole number
OFTEN = 2.0  # times as many points as epochs: a curve of several points an epoch
FINEST = 64  # the same for neighbours to be compared
NUDGE = 1e-6  # of a part: a place that rounding put just before its beginning
LEFT_OUT = 0.25  # of the run at its start, through which the loss falls whatever the order of the data
WHOLE = 0.9  # of the usual points of an epoch that one must have to count
ROUNDING = 1e-12  # of a value; what scatters less stands still
LEARNED = 2.0  # times its fall from epoch to epoch that a loss may fall within one by learning
EPOCH = Role(Split.NONE, "epoch")


def epoch_lengths(run: RunCurves, curve: Curve) -> Iterator[tuple[float, str]]:
    """The lengths of an epoch in steps of a curve that a run's logs suggest, each with what suggests it.

    The surest come first: the logged epoch, the size of the data over the batch's, the number of epochs. How often
    the held-out data was looked at comes last; that may be every so many steps as well.
    """
    if EPOCH in run and len(epoch := run[EPOCH]) > 1 and same_unit([epoch, curve]):
        passed = float(np.ptp(epoch.values))
        if passed > 0:
            span = float(epoch.steps[-1]) - float(epoch.steps[0])
            # A whole epoch counts up only at its end: the number of them passed is known to one.
            whole = bool((epoch.values == np.round(epoch.values)).all())
            firsts = epoch.steps[np.r_[True, np.diff(epoch.values) > 0]].astype(np.float64)
            yield (
                (float(np.median(np.diff(firsts))) if whole and len(firsts) > 1 else span / passed),
                say("the logged epoch"),
            )
    if steps := hyperparameters.steps_per_epoch(run):
        yield steps, say("the logged size of data and batch")
    if epochs := hyperparameters.epochs(run):
        spacing = float(np.median(np.diff(curve.steps))) if len(curve) > 1 else 0.0
        yield (float(curve.steps[-1]) - float(curve.steps[0]) + spacing) / epochs, say("the logged number of epochs")
    for role in run.held_out:
        held_out = run[role]
        if len(held_out) > 1 and same_unit([held_out, curve]):
            apart = np.diff(held_out.steps).astype(np.float64)
            if np.ptp(apart) <= 1:
                yield float(apart.mean()), say("the distance of the points of {held_out}", held_out=held_out.name)


def part_of_an_epoch(run: RunCurves, curve: Curve, period: float, least: int = 1) -> bool:
    """Whether a period in steps goes into an epoch a whole number of times, `least` times at least."""
    parts = [steps / period for steps, _ in epoch_lengths(run, curve)] if period > 0 else []
    return any(round(part) >= least and abs(part - round(part)) <= NEAR * part for part in parts)


def once_an_epoch(run: RunCurves, curve: Curve) -> bool:
    """Whether a curve has about one point an epoch, as far as the number of epochs and the held-out curves tell."""
    evaluated = max((len(run[role]) for role in run.held_out), default=0)
    epochs = hyperparameters.epochs(run) or 0
    return all(len(curve) <= OFTEN * points for points in (evaluated, epochs) if points)


@dataclass(frozen=True, slots=True, eq=False)
class Repetition:
    """What of a curve repeats each epoch, after its first quarter.

    Attributes:
        steps: The length of the epoch.
        source: What told it.
        epochs: How many whole ones were compared.
        explained: The share of the scatter around the epochs' means that the part of the epoch explains, 0..1.
        variance_ratio: The variance between the parts over that of the same part in different epochs; 1 for noise.
        swing: From the lowest to the highest part, in the unit of the curve.
        smoothness: The correlation of each step's mean over the epochs with that of the next, -1..1; about 0 where
            only the order is the same each time, near 1 where neighbours are alike.
    """

    steps: float
    source: str
    epochs: int
    explained: float
    variance_ratio: float
    swing: float
    smoothness: float


def fold(cost: Curve, steps: float, source: str, least: int) -> Repetition | None:
    """Compare the parts of an epoch with each other: a two-way analysis of variance of epochs and parts.

    What a loss that is being learned falls within an epoch is no repetition and is taken out.

    Args:
        cost: (n,) finite, lower is better.
        steps: The length of an epoch.
        source: What told it.
        least: Points an epoch must have.

    Returns:
        None where the curve has too few points an epoch, or fewer than two whole epochs.
    """
    span = float(cost.steps[-1]) - float(cost.steps[0])
    points = (len(cost) - 1) * steps / span if span > 0 and steps > 0 else 0.0
    if not least <= points <= len(cost):
        return None
    passed = (cost.steps - cost.steps[0]) / steps
    keep = passed >= np.ceil(LEFT_OUT * passed[-1])
    epoch, values = np.floor(passed[keep]).astype(np.int64), cost.values[keep]
    if len(values) < 2 * least:
        return None
    epoch -= epoch[0]
    sizes = np.bincount(epoch)
    even = abs(points - round(points)) * len(sizes) < 1  # each part then has its point in every epoch
    parts = int(min(PARTS, round(points) if even else points // 2))
    whole = sizes >= WHOLE * np.median(sizes)
    if whole.sum() < 2 or parts < 2:  # noqa: PLR2004 - one epoch repeats nothing
        return None
    place = passed[keep] % 1.0
    levels = np.bincount(epoch, values) / np.maximum(sizes, 1)
    rest = values - levels[epoch]
    means = _cells(epoch, place, rest, (len(sizes), parts))[whole]
    middle = (np.arange(parts) + 0.5) / parts - 0.5
    slope = float(means.mean(axis=0) @ middle / (middle @ middle))
    fall = -float(np.median(np.diff(levels[whole])))
    slope = slope if -LEARNED * fall <= slope < 0 else 0.0
    means, rest = means - slope * middle, rest - slope * (place - 0.5)
    scatter = float((rest**2).mean())
    if not scatter > (ROUNDING * float(np.abs(values).max())) ** 2:
        return None
    profile = means.mean(axis=0)
    noise, between = float(((means - profile) ** 2).sum()) / (len(means) - 1), float((profile**2).sum())
    fine = _cells(epoch, place, rest, (len(sizes), int(min(FINEST, round(points)))))[whole].mean(axis=0)
    return Repetition(
        steps=steps,
        source=source,
        epochs=len(means),
        explained=between / parts / scatter,
        variance_ratio=len(means) * between / noise if noise > 0 else float("inf"),
        swing=float(np.ptp(profile)),
        smoothness=float(fine @ np.roll(fine, 1) / (fine @ fine)) if fine.any() else 0.0,
    )


def _cells(epoch: Ints, place: Floats, values: Floats, shape: tuple[int, int]) -> Floats:
    """The mean of each part of each epoch, from the place of each point in its epoch, 0..1; 0 where it has no point."""
    cell = epoch * shape[1] + np.minimum((place * shape[1] + NUDGE).astype(np.int64), shape[1] - 1)
    counts = np.bincount(cell, minlength=shape[0] * shape[1])
    return (np.bincount(cell, values, minlength=len(counts)) / np.maximum(counts, 1)).reshape(shape)
