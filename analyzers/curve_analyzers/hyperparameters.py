"""What a run logged about how it was trained, under the many names people give it."""

from __future__ import annotations

import math
import re

from curve_analyzers.model import Role, RunCurves

__all__ = ["class_count", "dropout", "learning_rate", "weight_decay"]

LEARNING_RATE = ("learning_rate", "lr", "learning_rate_init", "base_lr", "init_lr", "initial_lr", "lr0", "eta", "eta0")
DROPOUT = ("dropout", "dropout_rate", "drop_rate", "p_dropout", "hidden_dropout_prob")
WEIGHT_DECAY = ("weight_decay", "wd", "l2", "alpha", "reg_lambda", "lambda_l2")
CLASSES = ("num_classes", "n_classes", "classes", "num_labels", "num_class", "nb_classes")


def learning_rate(run: RunCurves) -> float | None:
    """The highest learning rate of the run: from its curve, else from its params; None where none was logged."""
    if Role.LEARNING_RATE in run and len(curve := run[Role.LEARNING_RATE]):
        return float(curve.values.max())
    return _number(run, LEARNING_RATE)


def dropout(run: RunCurves) -> float | None:
    """The share of units dropped, where it was logged."""
    return _number(run, DROPOUT)


def weight_decay(run: RunCurves) -> float | None:
    """The weight decay, or the L2 penalty, where it was logged."""
    return _number(run, WEIGHT_DECAY)


def class_count(run: RunCurves) -> int | None:
    """The number of classes, where it was logged."""
    count = _number(run, CLASSES)
    return int(count) if count is not None and count >= 2 and count == int(count) else None  # noqa: PLR2004 - two classes


def _number(run: RunCurves, names: tuple[str, ...]) -> float | None:
    """The first param of one of the names, by its last part (`optimizer.lr`), that holds a finite number."""
    by_name = {re.split(r"[./]", key.lower())[-1].replace("-", "_"): text for key, text in sorted(run.params.items())}
    for name in names:
        try:
            value = float(by_name[name])
        except (KeyError, ValueError):
            continue
        if math.isfinite(value):
            return value
    return None
