"""How much worse training stands than held-out data, and whether something pulls both back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from curve_analyzers.alignment import same_unit
from curve_analyzers.progress import Progress

__all__ = ["Handicap", "handicap"]

GRADUAL = 0.35  # of a rise, the most that one of its levels may bring
AT_REST = 0.25  # of a rise, the most that the last fifth of the run may bring


@dataclass(frozen=True, slots=True)
class Handicap:
    """How much worse training stood than held-out data.

    Attributes:
        train: The curve on training data.
        val: The same quantity held out.
        size: Median distance over the last half of the run, the half-epoch lag taken off.
        share: The same as a share of the way to the best value there can be.
        held: Share of the last half in which training was the worse.
    """

    train: Progress
    val: Progress
    size: float
    share: float
    held: float

    @property
    def noise(self) -> float:
        """The size that noise alone may show."""
        return self.train.noise_beside(self.val)

    @property
    def pulled_back(self) -> float:
        """How far both rose together after their best and stayed, gradually, as a share of their falls; else 0.

        A rate that is too high throws a model off at once, or ever further; what pulls at the weights comes to rest
        where it balances the gradient.
        """
        return min(_pulled_back(self.train), _pulled_back(self.val))


def _pulled_back(curve: Progress) -> float:
    """The gradual rise of a curve that came to rest, as a share of its fall; 0 where there is none."""
    rises = np.diff(curve.levels[int(curve.levels.argmin()) :])
    if not (curve.fell and len(rises) and curve.beyond_noise(curve.rise)):
        return 0.0
    at_once, last = float(rises.max()), -curve.gain(0.2)
    gradual = at_once <= GRADUAL * curve.rise and abs(last) <= AT_REST * curve.rise
    return curve.rise / curve.fall if gradual else 0.0


def handicap(train: Progress, val: Progress) -> Handicap:
    """Measure a pair over the last half, training half an evaluation later: a mean over an epoch lags by as much."""
    if same_unit([train.curve, val.curve]):
        steps = val.steps[len(val.steps) // 2 :].astype(float)
        lag = float(np.median(np.diff(val.curve.steps))) / 2 if len(val.curve) > 1 else 0.0
        behind = np.interp(steps + lag, train.steps, train.levels) - val.levels[len(val.steps) // 2 :]
    else:
        behind = np.array([train.end - val.end])
    size = float(np.median(behind))
    way = train.start - train.perfect
    scale = way if np.isfinite(way) and way > 0 else train.fall
    return Handicap(train, val, size, size / scale if scale > 0 else 0.0, float((behind > 0).mean()))
