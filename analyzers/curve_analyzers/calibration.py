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
USUAL = 2.30
OFFSETS: Mapping[str, float] = {
    "class_imbalance": 1.56,
    "clipping_saturated": 2.69,
    "divergence": 1.93,
    "exploding_gradients": 2.20,
    "generalization_gap": 2.32,
    "gpu_underused": 2.70,
    "impossible_values": 2.61,
    "leakage_suspected": 2.71,
    "learning_rate_exhausted": 2.57,
    "learning_rate_jump": 2.57,
    "loss_metric_disagreement": 1.66,
    "loss_spikes": 0.44,
    "memory_growth": 2.57,
    "no_learning": 2.01,
    "non_finite": 3.09,
    "not_converged": 1.23,
    "oscillation": 2.00,
    "over_regularized": 3.13,
    "overfitting": 1.25,
    "plateau": 2.62,
    "poor_initial_loss": 2.04,
    "precision_recall_imbalance": 2.26,
    "restart_jump": 2.76,
    "slow_learning": 2.17,
    "sparse_curve": 2.63,
    "stalled_training": 2.84,
    "throughput_drop": 2.68,
    "underfitting": 2.52,
    "unshuffled_data": 2.55,
    "untrusted_steps": 2.57,
    "validation_noise": 2.53,
    "vanishing_gradients": 2.59,
    "wasted_compute": 1.94,
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
