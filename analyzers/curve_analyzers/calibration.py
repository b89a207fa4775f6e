"""From how sure a rule is to how often it is right, as the labelled runs showed.

`python -m accuracy.calibrate --write` in tests/ makes the figures below; nobody sets them by hand.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

__all__ = ["calibrated"]

EDGE = 1e-3  # confidences nearer than this to 0 or 1 are not told from it

SLOPE = 0.33
# The offset of each rule in the logarithm of the odds; of one that no labelled run was blamed by, the mean of all.
USUAL = 2.46
OFFSETS: Mapping[str, float] = {
    "class_imbalance": 1.54,
    "clipping_saturated": 2.88,
    "divergence": 1.82,
    "exploding_gradients": 2.37,
    "generalization_gap": 2.56,
    "gpu_underused": 2.89,
    "impossible_values": 2.80,
    "leakage_suspected": 3.14,
    "learning_rate_exhausted": 2.77,
    "learning_rate_jump": 2.75,
    "loss_metric_disagreement": 1.14,
    "loss_spikes": 0.37,
    "memory_growth": 2.76,
    "no_learning": 2.09,
    "non_finite": 3.29,
    "not_converged": 1.54,
    "oscillation": 2.25,
    "over_regularized": 3.11,
    "overfitting": 2.18,
    "plateau": 2.81,
    "poor_initial_loss": 2.38,
    "precision_recall_imbalance": 2.47,
    "restart_jump": 2.96,
    "slow_learning": 2.37,
    "sparse_curve": 2.82,
    "stalled_training": 3.03,
    "throughput_drop": 2.86,
    "underfitting": 2.50,
    "unshuffled_data": 2.74,
    "untrusted_steps": 2.76,
    "validation_noise": 2.74,
    "vanishing_gradients": 2.78,
    "wasted_compute": 1.84,
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
