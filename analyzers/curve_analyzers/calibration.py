"""From how sure a rule is to how often it is right, as the labelled runs showed.

`python -m accuracy.calibrate --write` in tests/ makes the figures below; nobody sets them by hand.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

__all__ = ["calibrated"]

EDGE = 1e-3  # confidences nearer than this to 0 or 1 are not told from it

SLOPE = 0.34
# The offset of each rule in the logarithm of the odds; of one that no labelled run was blamed by, the mean of all.
USUAL = 2.34
OFFSETS: Mapping[str, float] = {
    "class_imbalance": 1.58,
    "clipping_saturated": 2.71,
    "divergence": 1.96,
    "exploding_gradients": 2.22,
    "generalization_gap": 2.34,
    "gpu_underused": 2.72,
    "impossible_values": 2.64,
    "leakage_suspected": 2.73,
    "learning_rate_exhausted": 2.60,
    "learning_rate_jump": 2.60,
    "loss_metric_disagreement": 1.81,
    "loss_spikes": 0.46,
    "memory_growth": 2.60,
    "no_learning": 2.02,
    "non_finite": 3.11,
    "not_converged": 1.24,
    "oscillation": 2.02,
    "over_regularized": 3.15,
    "overfitting": 1.62,
    "plateau": 2.65,
    "poor_initial_loss": 2.05,
    "precision_recall_imbalance": 2.27,
    "restart_jump": 2.79,
    "slow_learning": 2.19,
    "sparse_curve": 2.65,
    "stalled_training": 2.86,
    "throughput_drop": 2.70,
    "underfitting": 2.54,
    "unshuffled_data": 2.57,
    "untrusted_steps": 2.60,
    "validation_noise": 2.56,
    "vanishing_gradients": 2.62,
    "wasted_compute": 1.96,
}


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
