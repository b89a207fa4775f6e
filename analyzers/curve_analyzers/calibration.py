"""From how sure a rule is to how often it is right, as the labelled runs showed.

`python -m accuracy.calibrate --write` in tests/ makes the figures below; nobody sets them by hand.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

__all__ = ["calibrated"]

EDGE = 1e-3  # confidences nearer than this to 0 or 1 are not told from it

SLOPE = 0.45
# The offset of each rule in the logarithm of the odds; of one that no labelled run was blamed by, the mean of all.
USUAL = 1.84
OFFSETS: Mapping[str, float] = {
    "class_imbalance": 1.36,
    "clipping_saturated": 2.12,
    "divergence": 1.41,
    "exploding_gradients": 1.87,
    "generalization_gap": 1.46,
    "gpu_underused": 2.11,
    "impossible_values": 2.03,
    "leakage_suspected": 2.33,
    "learning_rate_exhausted": 2.00,
    "learning_rate_jump": 1.99,
    "loss_metric_disagreement": 2.20,
    "loss_spikes": 0.69,
    "memory_growth": 2.00,
    "no_learning": 1.53,
    "non_finite": 2.42,
    "not_converged": 1.24,
    "oscillation": 1.27,
    "over_regularized": 2.48,
    "overfitting": 0.37,
    "plateau": 2.08,
    "poor_initial_loss": 1.76,
    "precision_recall_imbalance": 2.03,
    "restart_jump": 2.13,
    "slow_learning": 1.66,
    "sparse_curve": 1.67,
    "stalled_training": 2.21,
    "throughput_drop": 2.11,
    "underfitting": 2.19,
    "unshuffled_data": 1.99,
    "untrusted_steps": 2.00,
    "validation_noise": 1.98,
    "vanishing_gradients": 2.03,
    "wasted_compute": 1.97,
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
