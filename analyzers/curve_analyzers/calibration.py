"""From how sure a rule is to how often it is right, as the labelled runs showed.

`python -m accuracy.calibrate --write` in tests/ makes the figures below; nobody sets them by hand.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

__all__ = ["calibrated"]

EDGE = 1e-3  # confidences nearer than this to 0 or 1 are not told from it

SLOPE = 1.0
# The offset of each rule in the logarithm of the odds; of one that no labelled run was blamed by, the mean of all.
USUAL = 0.0
OFFSETS: Mapping[str, float] = {}


def calibrated(rule: str, confidence: float) -> float:
    """How often a finding of a rule that is as sure as `confidence` is right, 0..1.

    Platt, "Probabilistic Outputs for Support Vector Machines" (1999): a logistic function of the log odds, one slope
    for all rules and an offset for each, drawn towards that of all where a rule has few findings.
    """
    odds = logit(confidence) * SLOPE + OFFSETS.get(rule, USUAL)
    return 1 / (1 + math.exp(-odds))


def logit(confidence: float) -> float:
    """The logarithm of the odds of a confidence in 0..1."""
    inside = min(max(confidence, EDGE), 1 - EDGE)
    return math.log(inside / (1 - inside))
