"""The rule `impossible_values`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from curve_analyzers.analyzer import Analyzer, Need, threshold
from curve_analyzers.examples import Example, decay, flat, line, run
from curve_analyzers.findings import Finding, Severity, Span
from curve_analyzers.hyperparameters import class_count
from curve_analyzers.model import Curve, Floats, Role, RunCurves
from curve_analyzers.progress import measure_all
from curve_analyzers.quantities import Direction, Kind
from curve_analyzers.roles import parse
from curve_analyzers.saying import say, titled
from curve_analyzers.wording import count

# Scores that reach below 0: how far down they go. Among the errors only the log of one does.
LOWEST = {"mcc": -1.0, "kappa": -1.0, "r2": -np.inf}
# Scores that are small for long where the task is hard, in per cent too.
TINY = {"map", "average_precision", "iou", "bleu", "rouge", "wer"}
HALF = 0.5
LEAST = 2  # points of a curve
SHARE, PERCENTAGE = 1.0, 100.0


ANY_CURVE = Need(say("no curve was logged"), lambda run: [curve.finite() for curve in run.curves.values()])


@dataclass(frozen=True, kw_only=True)
class ImpossibleValues(Analyzer):
    """A curve has values that what it measures cannot have.

    ## Why it matters
    An accuracy of 1.7 or a negative error is no matter of training: the number itself is computed wrongly, and
    whatever is decided by it, the best checkpoint above all, is decided by a bug.

    ## What to try
    Look at how the number is made: a sum where a mean was meant, a division by the wrong count (the batch's size
    instead of the last batch's), accumulators that are not reset between epochs, or a curve under the wrong name.

    ## When it is wrong
    When the name is used for something else: then `--map TAG=none`, or the right role, tells. An accuracy in per cent
    that never passes 3 is taken for a share that went wrong.

    ## Source
    The definitions: shares lie in 0..1 (or 0..100), distances and norms are not negative.
    """

    needs = (ANY_CURVE,)
    least = 1
    vouches = False
    explains = ("agreement", "data")

    slack: float = threshold(
        0.005, "how far beyond its limit a value may be by rounding, as a share of the limit", ge=0
    )
    highest: float = threshold(3.0, "value that a score in per cent passes at least once", gt=1)
    beside: float = threshold(
        10.0, "the same where the loss came half its way, so that a score must have come far", gt=1
    )
    classes: float = threshold(33, "classes from which an accuracy in per cent may stay below that", ge=2)

    fires = (
        Example("an accuracy of 1.7", run(train_loss=decay(), val_accuracy=decay(0.1, 1.7))),
        Example("one of 3.5 beside a loss that is learned", run(train_loss=decay(), train_accuracy=decay(0.4, 3.5))),
        Example("a single value", run(val_f1=decay(0.1, 0.8).bumped({0.5: 0.9}))),
        Example("a percentage of 107", run(val_accuracy=decay(10, 107, noise=0.3))),
        Example("a count of hits", run(train_loss=decay(), val_accuracy=decay(80, 940, noise=2.0))),
        Example("a negative error", run(val_rmse=line(2.0, -0.5))),
        Example("a negative share", run(val_recall=decay(-0.3, 0.8))),
        Example("a negative learning rate", run(train_loss=decay(), learning_rate=line(0.1, -0.02, 0.0))),
    )
    quiet = (
        Example("percentages", run(train_loss=decay(), val_accuracy=decay(10, 97, noise=0.3))),
        Example("shares", run(train_loss=decay(), val_accuracy=decay(0.1, 0.97))),
        Example("a perfect score, rounded up", run(val_accuracy=flat(1.0000001, 0.0))),
        Example("a percentage near zero", run(val_map=decay(0.1, 14.0, noise=0.02))),
        Example("a hard task in per cent", run(train_loss=decay(6.9, 5.0), val_map=decay(0.1, 4.0, noise=0.02))),
        Example("a negative loss, as a likelihood has", run(train_loss=line(1.0, -3.0))),
        Example("a negative R2: worse than the mean", run(val_r2=decay(-2.0, 0.9))),
    )

    def check(self, run: RunCurves) -> Iterator[Finding]:
        """Judge every curve with a role; the one that is furthest out of its range speaks for the run."""
        highest, shares = self.highest, not self._percentages(run, self.highest)
        if _learned(run) and not self._percentages(run, self.beside):
            highest, shares = self.beside, True
        ranges = {role: self._range(role, run[role].values, highest, shares) for role in run.roles if len(run[role])}
        told = [finding for role, limits in ranges.items() if (finding := self._judge(run[role], *limits))]
        # A score that is mostly above 100 was given no role for it.
        told += [
            finding for curve in _unplayed(run) if (finding := self._judge(curve, 0.0, PERCENTAGE, say("percentage")))
        ]
        if told:
            yield max(told, key=lambda finding: (finding.confidence, finding.evidence["points"]))

    def _percentages(self, run: RunCurves, highest: float) -> bool:
        """Whether the run has scores in per cent, or so many classes that such a score can stay tiny."""
        scores = [run[role].values for role in run.roles if role.measures.bounded and len(run[role])]
        return (class_count(run) or 0) >= self.classes or any(values.max() > highest for values in scores)

    def _judge(self, curve: Curve, low: float, high: float, what: str) -> Finding | None:
        slack = self.slack * (high if np.isfinite(high) else 1.0)
        over = (curve.values > high + slack) | (curve.values < low - (slack if low else 0.0))
        if not over.any():
            return None
        first, values = int(np.argmax(over)), curve.values[over]
        worst = float(values[np.abs(values - np.clip(values, low, high)).argmax()])
        points = int(over.sum())
        return self.finding(
            Severity.WARNING,
            0.98 if low > worst or high == PERCENTAGE else 0.9,
            Span((curve.name,), int(curve.steps[first]), int(curve.steps[np.flatnonzero(over)[-1]])),
            say("{worst:.4g} is no {what}", worst=worst, what=what),
            say(
                "{curve} is {worst:.4g}, which is no {what}; {points} of {all_points}, the first at "
                "step {first}, cannot be right.",
                curve=curve.name,
                worst=worst,
                what=what,
                points=count(points, "point"),
                all_points=len(curve),
                first=curve.steps[first],
            ),
            {"worst": worst, "points": points, "first_step": int(curve.steps[first])},
            (
                say("Look at how the number is made: a sum instead of a mean, or a division by the wrong count."),
                say("Reset the accumulators of the metric at the start of each epoch and each evaluation."),
                say("If the curve measures something else, say so with `--map TAG=none` or with its right role."),
            ),
        )

    @staticmethod
    def _range(role: Role, values: Floats, highest: float, shares: bool) -> tuple[float, float, str]:  # noqa: FBT001
        """The lowest and the highest possible value of a quantity, and what it is called."""
        quantity = role.measures
        if quantity.bounded and quantity.direction is Direction.HIGHER:
            small = np.median(values) <= SHARE or (quantity.name not in TINY and shares)
            is_share = values.max() <= highest and small
            low = LOWEST.get(quantity.name, 0.0)
            return (low, SHARE, say("share of 1")) if is_share else (100 * low, PERCENTAGE, say("percentage"))
        sizes = quantity.kind in {Kind.NORM, Kind.ERROR} and not role.part
        if sizes or quantity.name == "learning_rate":
            return 0.0, float("inf"), titled(quantity.name)
        return -float("inf"), float("inf"), titled(quantity.name)


def _learned(run: RunCurves) -> bool:
    """Whether a loss fell half its way at least."""
    losses = measure_all(run, [role for role in run.learning if role.measures.kind is Kind.LOSS], least=6)
    return any(loss.fell and loss.worth >= HALF for loss in losses)


def _unplayed(run: RunCurves) -> Iterator[Curve]:
    """The curves under a bounded score's name that play no role, as their values are none a score can have."""
    played = set(run.roles.values())
    for name, curve in run.curves.items():
        if name not in played and len(curve.finite()) >= LEAST and (parsed := parse(name)):
            quantity = parsed.role.measures
            if quantity.bounded and quantity.kind is Kind.SCORE and parsed.role not in run.roles:
                yield curve.finite()
