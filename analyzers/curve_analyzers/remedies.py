"""What to try, in words that use what the run logged. Cheap and likely first: rate, regularization, data."""

from __future__ import annotations

from curve_analyzers.hyperparameters import dropout, learning_rate, weight_decay
from curve_analyzers.model import RunCurves

FAR_TOO_LOW = 1e-6  # no optimizer in use learns from scratch at such a rate

__all__ = ["FAR_TOO_LOW", "less_regularization", "lower_rate", "more_regularization", "raise_rate"]


def lower_rate(run: RunCurves) -> str:
    """Lower the learning rate, with the values to try where the rate was logged."""
    rate = learning_rate(run)
    if not rate:
        return "Lower the learning rate to a third, then to a tenth."
    return f"Lower the learning rate: {rate:g} was logged; try {rate / 3:.2g}, then {rate / 10:.2g}."


def raise_rate(run: RunCurves) -> str:
    """Raise the learning rate, with the values to try where the rate was logged."""
    rate = learning_rate(run)
    if rate is None:
        return "Raise the learning rate tenfold, and again while the loss stays steady."
    if rate < FAR_TOO_LOW:
        return f"Set the learning rate: {rate:g} was logged, which moves nothing. Try 0.001 with Adam, 0.01 with SGD."
    return f"Raise the learning rate: {rate:g} was logged; try {rate * 10:.2g}, and on while the loss stays steady."


def more_regularization(run: RunCurves) -> str:
    """Add dropout or weight decay, over what was logged."""
    dropped, decay = dropout(run), weight_decay(run)
    if dropped is None and decay is None:
        return "Regularize more: weight decay (1e-4 to 1e-2), dropout (0.1 to 0.5), or stronger augmentation."
    logged = [f"dropout {dropped:g}"] if dropped is not None else []
    logged += [f"weight decay {decay:g}"] if decay is not None else []
    return f"Regularize more: {' and '.join(logged)} was logged; raise it step by step, or add augmentation."


def less_regularization(run: RunCurves) -> str:
    """Take away dropout or weight decay, from what was logged."""
    dropped, decay = dropout(run), weight_decay(run)
    logged = [f"dropout {dropped:g}"] if dropped else []
    logged += [f"weight decay {decay:g}"] if decay else []
    if not logged:
        return "Regularize less: take dropout, weight decay and augmentation away, one at a time."
    return f"Regularize less: {' and '.join(logged)} was logged; halve it, then go without."
