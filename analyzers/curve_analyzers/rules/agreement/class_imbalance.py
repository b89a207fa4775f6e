"""The rule `class_imbalance`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from curve_analyzers.alignment import same_moment
from curve_analyzers.analyzer import Analyzer, Need, threshold
from curve_analyzers.examples import Example, decay, flat, line, run, step
from curve_analyzers.findings import Finding, Severity, Span
from curve_analyzers.model import Curve, Role, RunCurves, Split
from curve_analyzers.progress import Progress, measure_all
from curve_analyzers.saying import say
from curve_analyzers.signal import certainty
from curve_analyzers.wording import percent

# Scores a model that always names the commonest class gets nothing for, and what it gets instead.
FAIR = {"f1": 0.0, "recall": 0.0, "balanced_accuracy": 0.5, "auc": 0.5, "mcc": 0.0, "kappa": 0.0}

LEAST_PERCENTAGE = 2.0  # between 1 and this a score is neither a share nor a percentage
WHOLE = (1.0, 100.0)
SEVERAL = 3  # evaluations from which an accuracy stood
POINT = 0.004  # move of an accuracy that a model which always names one class does not show


@dataclass(frozen=True, kw_only=True)
class ClassImbalance(Analyzer):
    """Accuracy looks good because one class is everywhere.

    ## Why it matters
    Where 95 % of the examples are of one class, a model that always names it has an accuracy of 95 % and is of no use.
    The rare class is nearly always the one that counts.

    ## What to try
    Judge by F1, recall of the rare class, balanced accuracy or the area under the precision-recall curve. Then weigh
    the classes in the loss or sample them evenly, and move the decision threshold.

    ## When it is wrong
    When the task is so easy that the accuracy is high from the first evaluation for good reasons: then a good F1 or
    recall beside it clears the run.

    ## Source
    He and Garcia, "Learning from Imbalanced Data" (2009), section 4: why accuracy misleads.
    """

    needs = (Need.ACCURACY,)
    least = 3
    explains = ("loss_metric_disagreement", "fit", "no_learning", "not_converged", "wasted_compute", "plateau")

    good: float = threshold(0.6, "accuracy from which it looks good", gt=0, lt=1)
    poor: float = threshold(
        0.4, "a fair score's distance above guessing, as a share of the accuracy's, that is poor", gt=0
    )
    useless: float = threshold(0.15, "the same, from which the model is of no use", ge=0)
    precise: float = threshold(0.5, "precision from which the model finds few, and gets those right", gt=0, lt=1)
    together: float = threshold(
        0.1, "share of the run for which training and held-out accuracy both stood at one value from the start", gt=0
    )
    at_once: float = threshold(
        0.95, "accuracy of the better of the first two evaluations, as a share of that value", gt=0, le=1
    )
    wobble: float = threshold(0.05, "move of an accuracy that stood, as a share of what is missing to 1", ge=0)
    better: float = threshold(0.1, "gain over that, as a share of what is missing to 1, that is none", ge=0)
    moved: float = threshold(0.02, "fall of the loss since then, as a share of the whole, for it to have moved", ge=0)
    frozen: float = threshold(0.9, "share of the evaluations at one and the same accuracy", gt=0, le=1)

    fires = (
        Example(
            "frozen accuracy, F1 of 0",
            run(20, train_loss=decay(0.6, 0.2), val_accuracy=flat(0.95, 0.0), val_f1=flat(0.0, 0.0)),
        ),
        Example(
            "AUC of a coin", run(30, val_loss=decay(0.6, 0.3), val_accuracy=flat(0.9, 0.001), val_auc=flat(0.5, 0.01))
        ),
        Example("recall stays low", run(30, val_accuracy=line(0.9, 0.93, 0.002), val_recall=line(0.0, 0.08, 0.005))),
        Example(
            "the accuracy freezes after the first epoch, in training too",
            run(
                25,
                train_loss=decay(0.3, 0.1),
                train_accuracy=step(0.94, 0.976, 0.03, 0.0),
                val_accuracy=step(0.95, 0.98, 0.03, 0.0),
            ),
        ),
        Example("nothing but a frozen accuracy", run(30, train_loss=decay(0.6, 0.2), val_accuracy=flat(0.95, 0.0))),
    )
    quiet = (
        Example("a good accuracy with a good F1", run(30, val_accuracy=decay(0.6, 0.95), val_f1=decay(0.3, 0.93))),
        Example("an accuracy that grows", run(30, train_loss=decay(), val_accuracy=decay(0.5, 0.95))),
        Example(
            "too strict: precision_recall_imbalance",
            run(30, val_accuracy=flat(0.85, 0.001), val_precision=flat(0.97, 0.005), val_recall=flat(0.2, 0.005)),
        ),
        Example("a poor accuracy", run(30, val_accuracy=flat(0.2), val_f1=flat(0.05, 0.005))),
        Example(
            "nothing moves any more, as the learning rate is gone",
            run(20, train_loss=decay(rate=60, noise=0.0), val_accuracy=decay(0.2, 0.7, 60, 0.0).rounded(0.01)),
        ),
        Example("perfect from the start", run(30, train_loss=decay(0.1, 0.001), val_accuracy=flat(1.0, 0.0))),
    )

    def check(self, run: RunCurves) -> Iterator[Finding]:
        """Judge the accuracy, held out if there is one, beside the fair scores on the same data."""
        split = next(split for split in (Split.VAL, Split.TEST, Split.TRAIN) if Role(split, "accuracy") in run)
        accuracy = run[Role(split, "accuracy")]
        if not self._end(accuracy) >= self.good:
            return
        ends = {role: self._end(run[role]) for role in run.scores(split) if role.quantity in FAIR and len(run[role])}
        fair = {role: end for role, end in ends.items() if end <= 1}
        if fair:
            yield from self._beside(run, accuracy, fair)
        elif self._never_moved(run, accuracy):
            yield self._alone(accuracy)

    @staticmethod
    def _end(curve: Curve) -> float:
        """The last level, as a share; NaN for what is neither a share nor a percentage: `impossible_values`."""
        last = float(np.median(curve.values[-max(1, len(curve) // 10) :]))
        highest = float(curve.values.max())
        if 1 < highest <= LEAST_PERCENTAGE:
            return float("nan")
        return last / 100 if highest > 1 else last

    def _beside(self, run: RunCurves, accuracy: Curve, fair: dict[Role, float]) -> Iterator[Finding]:
        """The fair score that is furthest below what the accuracy promises, if it is poor."""
        above = {role: (end - FAIR[role.quantity]) / (1 - FAIR[role.quantity]) for role, end in fair.items()}
        role = min(above, key=lambda role: above[role])
        promised, share = self._end(accuracy), above[role] / self._end(accuracy)
        if share > self.poor:
            return
        if role.quantity in {"recall", "f1"} and self._precise(run, role):
            return
        name, worst = run.roles[role], fair[role]
        yield self.finding(
            Severity.CRITICAL if share <= self.useless else Severity.WARNING,
            certainty(self.poor, share),
            Span((accuracy.name, name), int(accuracy.steps[0]), int(accuracy.steps[-1])),
            say(
                "accuracy {promised:.2g}, {quantity} {worst:.2g}",
                promised=promised,
                quantity=role.quantity,
                worst=worst,
            ),
            say(
                "{accuracy} is {promised}, but {name} is {worst:.3g}: the model names the commonest "
                "class and hardly ever finds the others.",
                accuracy=accuracy.name,
                promised=percent(promised),
                name=name,
                worst=worst,
            ),
            {"accuracy": promised, role.quantity: worst},
            self._remedies(),
        )

    def _never_moved(self, run: RunCurves, accuracy: Curve) -> bool:
        """Whether the accuracy stood at one value from the first evaluation on, though the loss was learning."""
        losses = measure_all(run, [role for role in run.learning if role.quantity == "loss"], self.least)
        if not any(loss.fell and self._went_on(loss, accuracy) for loss in losses):
            return False
        if accuracy.values[:2].max() < self.at_once * accuracy.values[_begun(accuracy)]:
            return False
        train = Role(Split.TRAIN, "accuracy")
        if train not in run or len(run[train]) < self.least or run[train].name == accuracy.name:
            return self._stood(accuracy) >= self.frozen
        # Later on a model may learn the rare examples by heart; on others it gets no better than it began.
        both = min(self._stood(each, self.wobble) for each in (accuracy, run[train]))
        highest = float(accuracy.values.max())
        stood = float(np.median(accuracy.values[: max(2, len(accuracy) // 5)]))
        return both >= self.together and highest - stood <= self.better * (1 - self._end(accuracy))

    def _went_on(self, loss: Progress, accuracy: Curve) -> bool:
        """Whether the loss fell on once the accuracy stood; where nothing moved any more, nothing can be told."""
        since = same_moment(accuracy, int(accuracy.steps[_begun(accuracy)]), loss.curve)
        return loss.at(since) - loss.best >= self.moved * loss.fall

    @staticmethod
    def _stood(accuracy: Curve, wobble: float = 0.0) -> float:
        """For how large a share of the run an accuracy below 1 stood at one value, from the first evaluations on."""
        values = accuracy.values / (WHOLE[1] if accuracy.values.max() > 1 else WHOLE[0])
        begun = values[_begun(accuracy)]
        same = np.isclose(values, begun, rtol=1e-9, atol=min(wobble * (1 - begun), POINT))
        first = int(same.argmax())
        left = np.flatnonzero(~same[first:])
        length = int(left[0]) if len(left) else len(same) - first
        return length / len(values) if begun < 1 and length >= SEVERAL else 0.0

    def _precise(self, run: RunCurves, role: Role) -> bool:
        """Whether what the model names it gets right, and only names too little: `precision_recall_imbalance`."""
        precision = replace(role, quantity="precision")
        return precision in run and len(run[precision]) > 0 and self._end(run[precision]) >= self.precise

    def _alone(self, accuracy: Curve) -> Finding:
        value = self._end(accuracy)
        return self.finding(
            Severity.WARNING,
            0.7,
            Span((accuracy.name,), int(accuracy.steps[0]), int(accuracy.steps[-1])),
            say("accuracy stays at {value:.3g}", value=value),
            say(
                "{accuracy} stood at {value:.4g} from the first evaluation on while the loss fell: that "
                "is what a model reaches that always names one class, where that class is so common.",
                accuracy=accuracy.name,
                value=value,
            ),
            {"accuracy": value},
            (say("Log F1, recall and a confusion matrix: they tell at once."), *self._remedies()),
        )

    @staticmethod
    def _remedies() -> tuple[str, ...]:
        return (
            say("Judge by F1, recall of the rare class or balanced accuracy, not by accuracy."),
            say("Weigh the classes in the loss, or sample them evenly."),
            say("Move the decision threshold: 0.5 is seldom right with unbalanced classes."),
            say("Collect more examples of the rare class."),
        )


def _begun(accuracy: Curve) -> int:
    """The index of an evaluation among the first that is no longer the very first."""
    return min(len(accuracy) // 10 + 1, len(accuracy) - 1)
