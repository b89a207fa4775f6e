"""The rule `leakage_suspected`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from curve_analyzers.analyzer import Analyzer, Need, threshold
from curve_analyzers.examples import Example, decay, flat, run
from curve_analyzers.findings import Finding, Severity, Span
from curve_analyzers.held_out_size import COUNTED, FULL, held_out_examples
from curve_analyzers.hyperparameters import dropout
from curve_analyzers.model import Curve, Role, RunCurves, Split
from curve_analyzers.progress import Progress, measure
from curve_analyzers.quantities import Kind
from curve_analyzers.roles import parse
from curve_analyzers.saying import say
from curve_analyzers.signal import certainty
from curve_analyzers.wording import percent

RULE_OF_THREE = 3.0
MOST_DROPOUT = 0.99

VALIDATION = Need(
    say("no validation curve was logged"),
    lambda run: [run[role] for role in run.roles if role.split is Split.VAL and role.measures.judged],
)


@dataclass(frozen=True, kw_only=True)
class LeakageSuspected(Analyzer):
    """The validation is too good to be true.

    ## Why it matters
    Examples that are in training and in validation, copies, neighbours of a series, patients with several images, or a
    feature that gives the answer away, make the validation measure memory. What it promises will not hold on new data.

    ## What to try
    Look for the same example, person, document or day on both sides of the split, and split by groups or by time. Fit
    scalers, encoders and feature selection on the training part alone. Look which feature decides nearly alone.

    ## When it is wrong
    When the validation is easier for good reasons: dropout, augmentation or label smoothing in training only, a cleaner
    or easier held-out set, or a test set from another source.

    ## Source
    Kapoor and Narayanan, "Leakage and the Reproducibility Crisis in Machine-Learning-Based Science" (2023).
    """

    needs = (VALIDATION,)
    least = 3
    vouches = False
    explains = ("generalization_gap", "over_regularized", "overfitting", "not_converged", "wasted_compute")

    below: float = threshold(
        0.25, "how far the test is below the validation, as a share of the validation's gain", gt=0
    )
    better: float = threshold(5.0, "what training misses at the end over what validation misses, as a factor", gt=1)
    apart: float = threshold(0.1, "least distance of the two as shares, which few held-out examples may explain", ge=0)
    learned: float = threshold(
        0.5, "share of its way below which training is held back, and validation the better for that", ge=0, le=1
    )
    layers: float = threshold(
        2.0, "layers of dropout that training may go through: each leaves as much of it as it keeps", ge=0
    )

    fires = (
        Example(
            "the test is far below",
            run(train_accuracy=decay(0.1, 0.97), val_accuracy=decay(0.1, 0.96), test_accuracy=decay(0.1, 0.6)),
        ),
        Example(
            "its loss is",
            run(train_loss=decay(), val_loss=decay(floor=0.22), test_loss=flat(1.6, 0.05), sparse={"test_loss": 2}),
        ),
        Example(
            "perfect from the first epoch, and training is not",
            run(train_loss=decay(floor=0.8), train_accuracy=decay(0.1, 0.7), val_accuracy=flat(0.995, 0.001)),
        ),
        Example("validation far better than training", run(train_loss=decay(floor=0.6), val_loss=decay(2.3, 0.05, 12))),
        Example("12 epochs", run(12, train_loss=decay(floor=0.6), val_loss=decay(2.3, 0.05, 12))),
    )
    quiet = (
        Example(
            "ordinary dropout", run(train_loss=decay(floor=0.5), val_loss=decay(floor=0.3), params={"dropout": 0.5})
        ),
        Example(
            "strong dropout",
            run(train_accuracy=decay(0.2, 0.68), val_accuracy=decay(0.3, 0.99), params={"dropout": 0.85}),
        ),
        Example(
            "eight examples without a mistake",
            run(train_accuracy=decay(0.2, 0.8), val_accuracy=decay(0.2, 1.0, 12).rounded(0.125)),
        ),
        Example(
            "the lag of a mean over the epoch", run(train_loss=decay(2.3, 0.05, 3), val_loss=decay(2.2, 0.05, 3.3))
        ),
        Example(
            "an easy task",
            run(train_loss=decay(0.5, 0.01, 20), train_accuracy=decay(0.9, 0.999, 20), val_accuracy=flat(0.995, 0.001)),
        ),
        Example(
            "a test as good as the validation",
            run(train_loss=decay(), val_loss=decay(floor=0.3), test_loss=decay(floor=0.33)),
        ),
        Example("overfitting", run(train_loss=decay(), val_loss=decay(floor=1.0), test_loss=decay(floor=1.05))),
        Example("nothing was learned", run(train_loss=flat(2.3), val_loss=flat(2.3))),
        Example(
            "training is held back: over_regularized",
            run(train_accuracy=decay(0.2, 0.4), val_accuracy=decay(0.3, 0.97, 12)),
        ),
    )

    def check(self, run: RunCurves) -> Iterator[Finding]:
        """Judge the test beside the validation, then the validation beside the training."""
        validated = [role for role in run.roles if role.split is Split.VAL and role.measures.judged and not role.part]
        told = [finding for role in validated for finding in (self._test(run, role), self._train(run, role)) if finding]
        if told:
            yield max(told, key=lambda finding: finding.confidence)

    def _test(self, run: RunCurves, role: Role) -> Finding | None:
        test = _test_curve(run, role)
        if test is None or len(run[role]) < self.least:
            return None
        val = measure(run, role)
        level = float(np.median(test.as_cost(role.measures).values[-max(1, len(test) // 10) :]))
        gap = level - max(val.end, val.best_value)
        # The standard error of a share of n examples is 0.5/sqrt(n) at most.
        examples = held_out_examples(run) if role.quantity in COUNTED else None
        chance = _full(val.curve) / math.sqrt(examples) if examples else 0.0
        if not (val.fell and gap >= max(self.below * val.fall, chance) and val.beyond_noise(gap)):
            return None
        shown, end = role.measures.shown(level), role.measures.shown(val.end)
        return self.finding(
            Severity.WARNING,
            min(certainty(gap, self.below * val.fall), 0.9),
            Span((val.name, test.name), int(val.curve.steps[0]), val.last_step),
            say("validation {end:.3g}, test {shown:.3g}", end=end, shown=shown),
            say(
                "{val} ends at {end:.4g} and {test} at {shown:.4g}: {lost} of what the validation gained "
                "does not hold on the test data.",
                val=val.name,
                end=end,
                test=test.name,
                shown=shown,
                lost=percent(gap / val.fall),
            ),
            {"validation": end, "test": shown, "share_of_gain": gap / val.fall},
            self._remedies(),
        )

    def _train(self, run: RunCurves, role: Role) -> Finding | None:
        other = replace(role, split=Split.TRAIN)
        told = role.measures.kind in {Kind.LOSS, Kind.ERROR} or role.quantity == "accuracy"
        if not told or other not in run or min(len(run[role]), len(run[other])) < self.least:
            return None
        train, val = measure(run, other), measure(run, role)
        misses, left = train.end - _lag(train, len(val.curve)) - train.perfect, val.end - val.perfect
        if role.quantity in COUNTED and (examples := held_out_examples(run)):
            # Of n examples without a mistake up to 3/n of all may be mistaken, the rule of three.
            left = max(left, RULE_OF_THREE / examples * _full(val.curve))
        factor = self.better / (1 - min(dropout(run) or 0.0, MOST_DROPOUT)) ** self.layers
        apart = self.apart if train.quantity.bounded else 0.0
        learned = train.fell and not train.share < self.learned  # an unknown share (NaN) compares as false
        if not (learned and misses - left > apart and misses >= factor * left and train.beyond_noise(misses - left)):
            return None
        times = misses / left if left > 0 else float("inf")
        end, val_end = train.shown(train.end), val.shown(val.end)
        return self.finding(
            Severity.WARNING,
            min(certainty(min(times, 1e6), factor), 0.8),
            Span((train.name, val.name), int(val.curve.steps[0]), val.last_step),
            say("validation {val_end:.3g}, training {end:.3g}", val_end=val_end, end=end),
            say(
                "{val} ends at {val_end:.4g} where {train}, on data the model has seen, ends at {end:.4g}.",
                val=val.name,
                val_end=val_end,
                train=train.name,
                end=end,
            ),
            {"validation": val_end, "training": end, "times": min(times, 1e6)},
            self._remedies(),
        )

    @staticmethod
    def _remedies() -> tuple[str, ...]:
        return (
            say("Look for the same examples, or the same person, document or day, on both sides of the split."),
            say("Split by groups or by time; fit scalers, encoders and feature selection on the training part alone."),
            say(
                "Measure the training data in evaluation mode too: if it is as good, dropout or "
                "augmentation explains it."
            ),
            say("Look at the importance of features: one that decides nearly alone may give the answer away."),
        )


def _test_curve(run: RunCurves, role: Role) -> Curve | None:
    """The test curve of a validation role's quantity; a single value, which plays no role, will do."""
    wanted = replace(role, split=Split.TEST)
    if wanted in run:
        return run[wanted] if len(run[wanted]) else None
    single = [curve.finite() for name, curve in run.curves.items() if len(curve) == 1 and _is(name, wanted)]
    return next((curve for curve in single if len(curve)), None)


def _is(name: str, role: Role) -> bool:
    parsed = parse(name)
    return parsed is not None and parsed.role == role


def _full(score: Curve) -> float:
    """What all examples are in the unit of a share of them."""
    return 100.0 if np.abs(score.values).max() > FULL else 1.0


def _lag(train: Progress, evaluations: int) -> float:
    """What the training gained in half an epoch: the mean over an epoch lags so much behind its end."""
    return max(train.gain(0.2), 0.0) / 0.2 * 0.5 / max(evaluations, 1)
