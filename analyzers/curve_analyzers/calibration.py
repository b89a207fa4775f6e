"""From how sure a rule is to how often it is right, as the labelled runs showed.

`python -m accuracy.calibrate --write` in tests/ makes the figures below; nobody sets them by hand.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

__all__ = ["calibrated"]

EDGE = 1e-3  # confidences nearer than this to 0 or 1 are not told from it

SLOPE = 0.36
# The offset of each rule in the logarithm of the odds; of one that no labelled run was blamed by, the mean of all.
USUAL = 2.22
OFFSETS: Mapping[str, float] = {
    "class_imbalance": 1.40,
    "clipping_saturated": 2.63,
    "divergence": 1.84,
    "exploding_gradients": 2.15,
    "generalization_gap": 2.25,
    "gpu_underused": 2.64,
    "impossible_values": 2.54,
    "leakage_suspected": 2.64,
    "learning_rate_exhausted": 2.50,
    "learning_rate_jump": 2.50,
    "loss_metric_disagreement": 1.59,
    "loss_spikes": 0.23,
    "memory_growth": 2.50,
    "no_learning": 1.95,
    "non_finite": 3.01,
    "not_converged": 1.11,
    "oscillation": 1.95,
    "over_regularized": 3.08,
    "overfitting": 1.16,
    "plateau": 2.57,
    "poor_initial_loss": 1.98,
    "precision_recall_imbalance": 2.20,
    "restart_jump": 2.68,
    "slow_learning": 2.10,
    "sparse_curve": 2.55,
    "stalled_training": 2.76,
    "throughput_drop": 2.61,
    "underfitting": 2.46,
    "unshuffled_data": 2.48,
    "untrusted_steps": 2.50,
    "validation_noise": 2.46,
    "vanishing_gradients": 2.52,
    "wasted_compute": 1.88,
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
