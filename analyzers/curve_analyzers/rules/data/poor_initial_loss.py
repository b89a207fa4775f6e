"""The rule `poor_initial_loss`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from curve_analyzers.alignment import same_unit
from curve_analyzers.analyzer import Analyzer, Need, threshold
from curve_analyzers.examples import Example, Shape, decay, flat, line, run
from curve_analyzers.findings import Finding, Severity, Span
from curve_analyzers.model import Curve, Role, RunCurves, Split
from curve_analyzers.signal import certainty

FULL = 1.5  # a share does not exceed 1; what exceeds this is a percentage


def thrown_off(guessing: float, times: float, rate: float = 80.0) -> Shape:
    """A loss that begins `times` as high as guessing, comes down to it at once, and is learned from there."""
    return Shape(lambda t: guessing * (times - 1) * np.exp(-rate * t) + decay(guessing, 0.2, 4).of(t), 0.01)


def pairs(run: RunCurves) -> list[tuple[Role, Role]]:
    """A loss, and a score on the same data that tells what guessing is worth; training first."""
    found = []
    for split in (Split.TRAIN, Split.VAL, Split.TEST):
        losses = [role for role in (Role(split, "loss"), Role(split, "mse")) if role in run]
        scores = [role for role in (Role(split, "accuracy"), Role(split, "r2")) if role in run]
        found += [(losses[0], score) for score in scores if losses and same_unit([run[losses[0]], run[score]])]
    return found


LOSS_AND_YARDSTICK = Need(
    "no loss was logged beside an accuracy or an R2 on the same data",
    lambda run: [min(run[loss], run[score], key=len) for loss, score in pairs(run)],
)


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """How a run began.

    Attributes:
        loss: The loss.
        score: The score beside it.
        first: The first loss.
        guessing: The lowest loss that came with mistakes about as frequent, early on.
        since: The step at which it had come down there.
        times: The first over that.
    """

    loss: Curve
    score: Curve
    first: float
    guessing: float
    since: int
    times: float


@dataclass(frozen=True, kw_only=True)
class PoorInitialLoss(Analyzer):
    """The first loss is far worse than guessing.

    ## Why it matters
    A model that knows nothing should say so: even odds for every class, the mean of the targets. One that begins far
    above is sure of nonsense, because inputs or targets are not scaled or the output layer does not fit. The first
    steps, the largest the run will take, only repair that, and may leave units dead.

    ## What to try
    Scale inputs and targets to zero mean and unit variance. Initialize the output layer with small weights and its
    bias at the mean of the targets or the logarithm of the class shares. Check that the loss takes what the model
    gives (logits or probabilities).

    ## When it is wrong
    When a model that was trained elsewhere begins on other data, or the first steps themselves blew up. What guessing
    is worth is taken from the run: the loss that mistakes about as frequent came with later. Without a score beside
    the loss that is not known, and the rule is skipped.

    ## Source
    Karpathy, "A Recipe for Training Neural Networks" (2019): verify the loss at the start, initialize well.
    """

    needs = (LOSS_AND_YARDSTICK,)
    vouches = False

    times: float = threshold(5.0, "first loss over the lowest that came with mistakes as frequent, as a factor", gt=1)
    early: float = threshold(0.3, "share of the run within which that is looked for", gt=0, le=1)
    mistakes: float = threshold(0.5, "mistakes over those at first down to which they are as frequent", gt=0, le=1)
    few: float = threshold(0.05, "share of mistakes at first below which the model is no beginner", ge=0, lt=1)
    worse: float = threshold(5.0, "first squared error over the target's variance, as R2 tells it", gt=1)

    fires = (
        Example("50 times ln 10", run(200, train_loss=thrown_off(2.3, 50), train_accuracy=decay(0.1, 0.95, 4))),
        Example(
            "per step, noisy",
            run(2000, train_loss=thrown_off(2.3, 30).noisy(0.2), train_accuracy=decay(0.1, 0.9, 4, 0.05)),
        ),
        Example("12 epochs", run(12, train_loss=thrown_off(2.3, 20, 20), train_accuracy=decay(0.1, 0.9, 3))),
        Example(
            "regression, as R2 tells",
            run(val_loss=decay(40.0, 0.1, 30), val_r2=Shape(lambda t: 0.9 - 40 * np.exp(-30 * t))),
        ),
    )
    quiet = (
        Example("the first loss is about chance", run(200, train_loss=decay(), train_accuracy=decay(0.1, 0.95))),
        Example(
            "learned in the first epoch", run(train_loss=decay(2.3, 0.05, 60), train_accuracy=decay(0.1, 0.99, 60))
        ),
        Example("an accuracy that lags a little", run(train_loss=decay(rate=8), train_accuracy=decay(0.1, 0.95, 4))),
        Example("one class is everywhere", run(train_loss=decay(0.69, 0.05, 20), train_accuracy=flat(0.98, 0.002))),
        Example("fine-tuning", run(train_loss=decay(0.3, 0.02, 4), train_accuracy=decay(0.9, 0.99, 4))),
        Example("regression that begins at the mean", run(train_loss=decay(1.0, 0.01), train_r2=decay(0.0, 0.99))),
        Example("nothing beside the loss", run(train_loss=decay(100.0, 0.5, 30))),
        Example("the loss rises", run(train_loss=line(2.3, 9.0), train_accuracy=flat(0.1))),
    )

    def check(self, run: RunCurves) -> Iterator[Finding]:
        """Judge the start of each loss that has a yardstick; the first that began far above it speaks."""
        for loss, score in pairs(run):
            if min(len(run[loss]), len(run[score])) < self.least:
                continue
            start = (
                self._by_variance(run[loss], run[score])
                if score.quantity == "r2"
                else self._start(run[loss], run[score])
            )
            if start and start.times >= (self.worse if score.quantity == "r2" else self.times):
                yield self._finding(start, variance=score.quantity == "r2")
                return

    def _start(self, loss: Curve, accuracy: Curve) -> Start | None:
        """The first loss beside the lowest early one that came with mistakes as frequent."""
        full = 100.0 if accuracy.values.max() > FULL else 1.0
        wrong = 1 - np.interp(loss.steps, accuracy.steps, accuracy.values) / full
        first, early = float(loss.values[0]), max(3, round(self.early * len(loss)))
        alike = np.flatnonzero(wrong[:early] >= self.mistakes * wrong[0])
        if wrong[0] < self.few or not len(alike):
            return None
        least = int(alike[loss.values[alike].argmin()])
        guessing = float(loss.values[least])
        return (
            Start(loss, accuracy, first, guessing, int(loss.steps[least]), first / guessing) if guessing > 0 else None
        )

    def _by_variance(self, loss: Curve, r2: Curve) -> Start | None:
        """The first squared error beside the target's variance, which is where R2 is zero."""
        error, first = 1 - r2.values, float(loss.values[0])
        least = int(error.argmin())
        if error[0] <= 0:
            return None
        return (
            Start(loss, r2, first, first / float(error[0]), int(r2.steps[least]), float(error[0]))
            if error[least] < 1
            else None
        )

    def _finding(self, start: Start, *, variance: bool) -> Finding:
        what = "the variance of the target" if variance else f"what as many mistakes cost at step {start.since}"
        return self.finding(
            Severity.WARNING,
            min(certainty(np.log(start.times), np.log(self.worse if variance else self.times)), 0.95),
            Span(
                (start.loss.name, start.score.name),
                int(start.loss.steps[0]),
                max(start.since, int(start.loss.steps[0])),
            ),
            f"{start.times:.3g} times what guessing costs",
            f"{start.loss.name} began at {start.first:.4g}, {start.times:.3g} times {what} ({start.guessing:.4g}): the "
            "model starts sure of nonsense.",
            {"first": start.first, "guessing": start.guessing, "times": start.times, "score": start.score.name},
            (
                "Scale inputs and targets to zero mean and unit variance.",
                "Begin with a small output layer, its bias at the mean of the targets or the log of the class shares.",
                "Check that the loss takes what the model gives: logits or probabilities, and the reduction meant.",
                "Warm the learning rate up, so that the first steps cannot throw the model off.",
            ),
        )
