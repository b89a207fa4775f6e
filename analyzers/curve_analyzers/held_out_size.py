"""How many examples the held-out data has, as far as a run's params or its scores tell."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from curve_analyzers.hyperparameters import validation_size
from curve_analyzers.model import Curve, RunCurves

__all__ = ["COUNTED", "FULL", "counted_examples", "held_out_examples"]

COUNTED = ("accuracy", "error_rate")  # scores that are a number of examples over all of them
FULL = 1.5  # a share does not exceed 1; what exceeds this is a percentage
ROUNDING = 0.02  # of one example's share, by which a logged score may miss a whole number of them
DIGITS = 1e-4  # to which scores are often rounded
MULTIPLES = 4  # the smallest difference seen may be that of so many examples
MOST = 400  # examples up to which single ones show in a score of four digits
FEW = 25  # the same where a score has but two values, which are seldom whole shares of so few by chance
LEAST = 1 / (2 * MOST)  # distance of two scores, below which they are one


@lru_cache(maxsize=16)  # several rules ask, one after the other
def held_out_examples(run: RunCurves) -> int | None:
    """The number of held-out examples: as logged, else from the steps in which a score moves; None where unknown.

    A share of n examples is a whole number of n-ths. Where few numbers n make all values of a score whole, the least
    such n is told; larger sets than `MOST` are not.
    """
    if (logged := validation_size(run)) is not None:
        return logged
    scores = [role for role in run.held_out_scores() if role.quantity in COUNTED and not role.part]
    return next(filter(None, (counted_examples(run[role]) for role in scores if len(run[role]))), None)


def counted_examples(score: Curve) -> int | None:
    """The least number of examples, up to `MOST`, of which each value of a score is a whole number; None where unknown.

    Args:
        score: (n,) finite, shares or percentages.
    """
    shares = np.unique(score.values) / (100.0 if np.abs(score.values).max() > FULL else 1.0)
    apart = np.diff(shares)
    # What is closer than one example of `MOST` and no rounding is a finer score, as a mean over batches is.
    if bool(((apart > 2 * DIGITS) & (apart <= LEAST)).any()):
        return None
    apart = apart[apart > LEAST]
    if not len(apart):
        return None
    most, rounding = (MOST, ROUNDING) if len(apart) > 1 else (FEW, FEW * DIGITS)
    for multiple in range(1, MULTIPLES + 1):
        about = multiple / float(apart.min())
        # Rounding of the logged values moves the smallest difference, and the number it stands for the more of them.
        off = round(about * about * DIGITS) + 1
        tried = np.arange(max(2, round(about) - off), min(round(about) + off, most) + 1)
        counts = tried[:, None] * shares
        whole = tried[(np.abs(counts - np.round(counts)) <= rounding).all(axis=1)]
        if len(whole):
            return int(min(whole, key=lambda examples: abs(examples - about)))
    return None
