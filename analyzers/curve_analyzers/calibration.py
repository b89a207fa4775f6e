"""From how sure a rule is to how often it is right, as the labelled runs showed.

`python -m accuracy.calibrate --write` in tests/ makes the figures below; nobody sets them by hand.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

__all__ = ["calibrated"]

EDGE = 1e-3  # confidences nearer than this to 0 or 1 are not told from it

SLOPE = 0.41
# The offset of each rule in the logarithm of the odds; of one that no labelled run was blamed by, the mean of all.
USUAL = 2.08
OFFSETS: Mapping[str, float] = {
    "class_imbalance": 1.70,
    "clipping_saturated": 2.41,
    "divergence": 1.72,
    "exploding_gradients": 2.17,
    "generalization_gap": 2.08,
    "gpu_underused": 2.41,
    "impossible_values": 2.32,
    "leakage_suspected": 2.64,
    "learning_rate_exhausted": 2.28,
    "learning_rate_jump": 2.28,
    "loss_metric_disagreement": 1.77,
    "loss_spikes": 0.14,
    "memory_growth": 2.29,
    "no_learning": 2.04,
    "non_finite": 2.75,
    "not_converged": 1.40,
    "oscillation": 1.65,
    "over_regularized": 2.83,
    "overfitting": 0.64,
    "plateau": 2.37,
    "poor_initial_loss": 1.89,
    "precision_recall_imbalance": 2.36,
    "restart_jump": 2.44,
    "slow_learning": 1.92,
    "sparse_curve": 1.69,
    "stalled_training": 2.52,
    "throughput_drop": 2.40,
    "underfitting": 2.49,
    "unshuffled_data": 2.27,
    "untrusted_steps": 2.29,
    "validation_noise": 2.26,
    "vanishing_gradients": 2.32,
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
