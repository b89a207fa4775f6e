"""What to try, in words that use what the run logged. Cheap and likely first: rate, regularization, data."""

from __future__ import annotations

from curve_analyzers.hyperparameters import dropout, learning_rate, weight_decay
from curve_analyzers.model import RunCurves
from curve_analyzers.saying import listed, say

FAR_TOO_LOW = 1e-6  # no optimizer in use learns from scratch at such a rate

__all__ = ["FAR_TOO_LOW", "less_regularization", "lower_rate", "more_regularization", "raise_rate"]


def lower_rate(run: RunCurves) -> str:
    """Lower the learning rate, with the values to try where the rate was logged."""
    rate = learning_rate(run)
    if not rate:
        return say("Lower the learning rate to a third, then to a tenth.")
    return say(
        "Lower the learning rate: {rate:g} was logged; try {third:.2g}, then {tenth:.2g}.",
        rate=rate,
        third=rate / 3,
        tenth=rate / 10,
    )


def raise_rate(run: RunCurves) -> str:
    """Raise the learning rate, with the values to try where the rate was logged."""
    rate = learning_rate(run)
    if rate is None:
        return say("Raise the learning rate tenfold, and again while the loss stays steady.")
    if rate < FAR_TOO_LOW:
        return say(
            "Set the learning rate: {rate:g} was logged, which moves nothing. Try 0.001 with Adam, 0.01 with SGD.",
            rate=rate,
        )
    return say(
        "Raise the learning rate: {rate:g} was logged; try {higher:.2g}, and on while the loss stays steady.",
        rate=rate,
        higher=rate * 10,
    )


def more_regularization(run: RunCurves) -> str:
    """Add dropout or weight decay, over what was logged."""
    dropped, decay = dropout(run), weight_decay(run)
    if dropped is None and decay is None:
        return say("Regularize more: weight decay (1e-4 to 1e-2), dropout (0.1 to 0.5), or stronger augmentation.")
    logged = [say("dropout {dropped:g}", dropped=dropped)] if dropped is not None else []
    logged += [say("weight decay {decay:g}", decay=decay)] if decay is not None else []
    return say(
        "Regularize more: {logged} was logged; raise it step by step, or add augmentation.", logged=listed(logged)
    )


def less_regularization(run: RunCurves) -> str:
    """Take away dropout or weight decay, from what was logged."""
    dropped, decay = dropout(run), weight_decay(run)
    logged = [say("dropout {dropped:g}", dropped=dropped)] if dropped else []
    logged += [say("weight decay {decay:g}", decay=decay)] if decay else []
    if not logged:
        return say("Regularize less: take dropout, weight decay and augmentation away, one at a time.")
    return say("Regularize less: {logged} was logged; halve it, then go without.", logged=listed(logged))
