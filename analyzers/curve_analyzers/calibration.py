"""From how sure a rule is to how often it is right, as the labelled runs showed.

`python -m accuracy.calibrate --write` in tests/ makes the figures below; nobody sets them by hand.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

__all__ = ["calibrated"]

EDGE = 1e-3  # confidences nearer than this to 0 or 1 are not told from it

SLOPE = 0.50
# The offset of each rule in the logarithm of the odds; of one that no labelled run was blamed by, the mean of all.
USUAL = 1.34
OFFSETS: Mapping[str, float] = {
    "class_imbalance": 0.53,
    "clipping_saturated": 1.60,
    "divergence": 1.15,
    "exploding_gradients": 1.32,
    "generalization_gap": 0.58,
    "gpu_underused": 1.59,
    "impossible_values": 1.53,
    "leakage_suspected": 1.79,
    "learning_rate_exhausted": 1.50,
    "learning_rate_jump": 1.47,
    "loss_metric_disagreement": 1.37,
    "loss_spikes": 0.50,
    "memory_growth": 1.48,
    "no_learning": 1.49,
    "non_finite": 1.87,
    "not_converged": 1.31,
    "oscillation": 0.55,
    "over_regularized": 1.97,
    "overfitting": 0.16,
    "plateau": 1.23,
    "poor_initial_loss": 1.22,
    "precision_recall_imbalance": 1.51,
    "restart_jump": 1.59,
    "slow_learning": 1.43,
    "sparse_curve": 1.48,
    "stalled_training": 1.66,
    "throughput_drop": 1.57,
    "underfitting": 1.18,
    "unshuffled_data": 1.49,
    "untrusted_steps": 1.48,
    "validation_noise": 1.44,
    "vanishing_gradients": 1.53,
    "wasted_compute": 1.68,
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
