"""From how sure a rule is to how often it is right, as the labelled runs showed.

`python -m accuracy.calibrate --write` in tests/ makes the figures below; nobody sets them by hand.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

__all__ = ["calibrated"]

EDGE = 1e-3  # confidences nearer than this to 0 or 1 are not told from it

SLOPE = 0.42
# The offset of each rule in the logarithm of the odds; of one that no labelled run was blamed by, the mean of all.
USUAL = 1.94
OFFSETS: Mapping[str, float] = {
    "class_imbalance": 1.43,
    "clipping_saturated": 2.21,
    "divergence": 1.52,
    "exploding_gradients": 1.95,
    "generalization_gap": 1.54,
    "gpu_underused": 2.20,
    "impossible_values": 2.12,
    "leakage_suspected": 2.42,
    "learning_rate_exhausted": 2.09,
    "learning_rate_jump": 2.08,
    "loss_metric_disagreement": 2.29,
    "loss_spikes": 1.42,
    "memory_growth": 2.09,
    "no_learning": 1.60,
    "non_finite": 2.51,
    "not_converged": 1.53,
    "oscillation": 0.93,
    "over_regularized": 2.56,
    "overfitting": 0.48,
    "plateau": 2.16,
    "poor_initial_loss": 1.84,
    "precision_recall_imbalance": 2.11,
    "restart_jump": 2.23,
    "slow_learning": 1.74,
    "sparse_curve": 1.76,
    "stalled_training": 2.30,
    "throughput_drop": 2.20,
    "underfitting": 2.27,
    "unshuffled_data": 2.08,
    "untrusted_steps": 2.09,
    "validation_noise": 2.07,
    "vanishing_gradients": 2.12,
    "wasted_compute": 2.04,
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
