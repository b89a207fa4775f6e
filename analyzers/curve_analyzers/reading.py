"""What the value of a loss means in a run; said in the report, never held against the run."""

from __future__ import annotations

import math

from curve_analyzers.hyperparameters import class_count
from curve_analyzers.model import Curve, Role, RunCurves, Split
from curve_analyzers.saying import say

__all__ = ["read_value"]

# Words of a loss's name or of a `loss` param, and what they say the loss is.
KINDS = {
    "cross-entropy": ("cross_entropy", "crossentropy", "logloss", "log_loss", "nll", "xent", "softmax"),
    "mean squared error": ("mse", "mean_squared", "l2", "squared_error", "rmse"),
    "mean absolute error": ("mae", "l1", "mean_absolute", "absolute_error"),
}
LOSS_PARAMS = ("loss", "loss_function", "loss_fn", "criterion", "objective")


def read_value(run: RunCurves) -> tuple[str, ...]:
    """Sentences on what the loss of a run is worth, from what is known of the loss and of the classes."""
    role = next(
        (role for role in (*run.held_out, *run.training) if role.measures.kind.value in {"loss", "error"}), None
    )
    if role is None or not len(run[role]):
        return ()
    curve, kind = run[role], _kind(run, role)
    last = float(curve.values[-1])
    sentences = [
        (
            say(
                "{curve} ended at {last:.4g}. A loss has no value that is good or bad in itself: its "
                "fall, the held-out curve beside it and other runs on the same data say what it is worth.",
                curve=curve.name,
                last=last,
            )
        )
    ]
    if kind == "mean squared error":
        sentences.append(
            say(
                "For a squared error the yardstick is the variance of the target: below it the model "
                "beats the mean. The square root, {root:.4g}, is in the unit of the target.",
                root=math.sqrt(max(last, 0.0)),
            )
            if role.quantity != "rmse"
            else say(
                "A root mean squared error is in the unit of the target: {last:.4g} of them. Its "
                "yardstick is the target's standard deviation.",
                last=last,
            )
        )
    elif kind == "mean absolute error":
        sentences.append(
            say("A mean absolute error is in the unit of the target: off by {last:.4g} of them on average.", last=last)
        )
    elif kind == "cross-entropy" or class_count(run) or _classifies(run):
        sentences.append(_cross_entropy(run, curve, last))
    return tuple(sentences)


def _cross_entropy(run: RunCurves, curve: Curve, last: float) -> str:
    classes = class_count(run)
    if classes is None:
        return say(
            "If it is a cross-entropy, guessing among C even classes scores ln C: 0.69 for two, 2.3 "
            "for ten, 6.9 for a thousand. So 1.3 is a fine value on the way with ten classes and "
            "worse than guessing with two."
        )
    chance = math.log(classes)
    beside = say("below") if last < chance else say("not below")
    return say(
        "If it is a cross-entropy, guessing among {classes} even classes scores ln {classes} = "
        "{chance:.3g}; {last:.4g} is {beside} that. It gives the right class a probability of "
        "about {right:.0%}, where guessing gives it {guessed:.0%}. {curve} began at "
        "{first:.4g}.",
        classes=classes,
        chance=chance,
        last=last,
        beside=beside,
        right=math.exp(-max(last, 0.0)),
        guessed=1 / classes,
        curve=curve.name,
        first=curve.values[0],
    )


def _kind(run: RunCurves, role: Role) -> str | None:
    by_quantity = {
        "mse": "mean squared error",
        "rmse": "mean squared error",
        "mae": "mean absolute error",
    }
    if role.quantity in by_quantity:
        return by_quantity[role.quantity]
    told = [run.roles[role], *(text for key, text in run.params.items() if key.lower() in LOSS_PARAMS)]
    text = " ".join(told).lower().replace("-", "_").replace(" ", "_")
    return next((kind for kind, words in KINDS.items() if any(word in text for word in words)), None)


def _classifies(run: RunCurves) -> bool:
    return any(Role(split, "accuracy") in run for split in Split)
