"""The rule `poor_initial_loss`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from curve_analyzers.alignment import same_unit
from curve_analyzers.analyzer import Analyzer, Need, threshold
from curve_analyzers.examples import Example, Shape, decay, flat, line, run
from curve_analyzers.findings import Finding, Severity, Span
from curve_analyzers.hyperparameters import class_count
from curve_analyzers.model import Curve, Floats, Ints, Role, RunCurves, Split
from curve_analyzers.saying import say
from curve_analyzers.signal import bins, certainty, noise

BINS = 50  # the lowest of many noisy points is chance
LEAST_SCORES = 4
OFTEN = 2.0  # times as many points as the score has: a loss of each step beside a score of each epoch
COUNTED = 0.03  # share of mistakes below which their number is chance
BETTER = 2.0  # times the least squared error that the first must be
FULL = 1.5  # a share does not exceed 1; what exceeds this is a percentage


def thrown_off(guessing: float, times: float, rate: float = 80.0) -> Shape:
    """A loss that begins `times` as high as guessing, comes down to it at once, and is learned from there."""
    return Shape(lambda t: guessing * (times - 1) * np.exp(-rate * t) + decay(guessing, 0.2, 4).of(t), 0.01)


def pairs(run: RunCurves) -> list[tuple[Role, Role]]:
    """A loss, and beside it a score that tells what guessing is worth: on the same data, else on held-out data."""
    found = []
    for loss in (Role(split, name) for split in (Split.TRAIN, Split.VAL) for name in ("loss", "mse")):
        splits = (loss.split, Split.VAL, Split.TEST)
        scores = [Role(split, name) for name in ("accuracy", "r2", "f1") for split in splits]
        beside = next((score for score in scores if score in run), None)
        if beside and loss in run and same_unit([run[loss], run[beside]]):
            found.append((loss, beside))
    return found


LOSS_AND_YARDSTICK = Need(
    say("no loss was logged beside an accuracy, an F1 or an R2 on the same data"),
    lambda run: [min(run[loss], run[score], key=len) for loss, score in pairs(run)],
)


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """How a run began.

    Attributes:
        loss: The loss.
        score: The score beside it.
        first: The first loss.
        guessing: What a model costs that makes mistakes as often and is not sure of them, as the run shows later.
        since: The step at which it showed.
        error: The noise of that loss.
    """

    loss: Curve
    score: Curve
    first: float
    guessing: float
    since: int
    error: float = 0.0

    @property
    def times(self) -> float:
        """The first loss over that of guessing."""
        return self.first / self.guessing if self.guessing > 0 else 0.0

    @property
    def least_times(self) -> float:
        """The same, each as near to the other as noise may have it."""
        return (self.first - self.error) / (self.guessing + self.error) if self.guessing > 0 else 0.0


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
    # What counts by the fall counts by where it began.
    explains = ("gradients", "progress", "loss_metric_disagreement", "loss_spikes")

    times: float = threshold(3.2, "fall of the loss over the fall of mistakes in that time, as a factor", gt=1)
    early: float = threshold(0.7, "share of the run within which that is looked for", gt=0, le=1)
    early_apart: float = threshold(
        0.3, "the same where the mistakes were counted on other data than the loss", gt=0, le=1
    )
    few: float = threshold(0.1, "share of mistakes at first below which the model is no beginner", ge=0, lt=1)
    learned: float = threshold(
        0.7, "least share of mistakes over that at first, above which the score tells nothing", gt=0
    )
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
        """Judge the first loss that has a yardstick: the training's, as a held-out one begins an epoch later."""
        for loss, score in pairs(run):
            if len(run[loss]) < self.least or len(run[score]) < LEAST_SCORES:
                continue
            variance = score.quantity == "r2"
            start = _by_variance(run[loss], run[score]) if variance else self._by_mistakes(run, loss, score)
            if start and start.least_times >= (self.worse if variance else self.times):
                yield self._finding(start, variance=variance)
            if start:
                return

    def _by_mistakes(self, run: RunCurves, loss: Role, score: Role) -> Start | None:
        """The first loss beside those of the first evaluations, each scaled to mistakes as frequent as at first.

        A loss falls about as far as the mistakes do, as long as the model is no surer of them than it should be.
        """
        curve = run[loss]
        accuracy = run[score].where(run[score].steps <= curve.steps[-1])  # what came after the loss was lost is no pair
        if len(accuracy) < LEAST_SCORES:
            return None
        wrong = 1 - accuracy.values / (100.0 if accuracy.values.max() > FULL else 1.0)
        steps = len(curve) > OFTEN * len(accuracy)
        # Before the first evaluation of a loss of each step nobody counted the mistakes: those of guessing.
        classes = class_count(run) or 2
        first = max(float(wrong[0]), 1 - 1 / classes) if steps or score.split is not loss.split else float(wrong[0])
        if first < self.few:
            return None
        # A score that never learns is no yardstick, but up to the first evaluation no score needs to have learned.
        followed = wrong.min() <= self.learned * first
        # Later on a training loss falls below what held-out mistakes cost, as any fitted model's does.
        share = self.early if score.split is loss.split else self.early_apart
        early = max(LEAST_SCORES, round(share * len(accuracy))) if followed else 1
        cost = self._counted_with(run, loss, score)
        smooth = len(cost) > OFTEN * len(accuracy)
        levels, edges = bins(_levels(cost, accuracy.steps[:early], smooth=smooth), BINS)
        counted, _ = bins(wrong[:early], BINS)
        even = np.where(counted > COUNTED, levels * first / np.maximum(counted, COUNTED), np.inf)
        least = int(even.argmin())
        since = int(accuracy.steps[edges[least + 1] - 1])
        # Where only the steps up to the first evaluation tell, the first ones may have thrown the model off further.
        began = float(curve.values[0] if followed else curve.values[curve.steps <= accuracy.steps[0]].max(initial=0.0))
        return Start(curve, accuracy, began, float(even[least]), since, noise(levels))

    @staticmethod
    def _counted_with(run: RunCurves, loss: Role, score: Role) -> Curve:
        """The loss on the data on which the mistakes were counted, else as it is: what a model fitted costs it less."""
        other = Role(score.split, loss.quantity)
        judged = other in run and len(run[other]) >= LEAST_SCORES and same_unit([run[other], run[score]])
        return run[other] if judged else run[loss]

    def _finding(self, start: Start, *, variance: bool) -> Finding:
        what = (
            say("the variance of the target")
            if variance
            else say("what as many mistakes are worth by step {since}", since=start.since)
        )
        return self.finding(
            Severity.WARNING,
            min(certainty(np.log(start.least_times), np.log(self.worse if variance else self.times)), 0.95),
            Span(
                (start.loss.name, start.score.name),
                int(start.loss.steps[0]),
                max(start.since, int(start.loss.steps[0])),
            ),
            say("{times:.3g} times what guessing costs", times=start.times),
            say(
                "{loss} began at {first:.4g}, {times:.3g} times {what} ({guessing:.4g}): the model "
                "starts sure of nonsense.",
                loss=start.loss.name,
                first=start.first,
                times=start.times,
                what=what,
                guessing=start.guessing,
            ),
            {"first": start.first, "guessing": start.guessing, "times": start.times, "score": start.score.name},
            (
                say("Scale inputs and targets to zero mean and unit variance."),
                say(
                    "Begin with a small output layer, its bias at the mean of the targets or the log of the "
                    "class shares."
                ),
                say(
                    "Check that the loss takes what the model gives: logits or probabilities, and the reduction meant."
                ),
                say("Warm the learning rate up, so that the first steps cannot throw the model off."),
            ),
        )


def _levels(loss: Curve, steps: Ints, *, smooth: bool) -> Floats:
    """(n,) the loss at each step, of the second half of the way there from the one before where it is to be smooth."""
    if not smooth:
        return np.interp(steps, loss.steps, loss.values)
    ends = np.maximum(np.searchsorted(loss.steps, steps, side="right"), 1)
    starts = np.minimum((np.r_[0, ends[:-1]] + ends) // 2, ends - 1)
    return np.array([np.median(loss.values[start:end]) for start, end in zip(starts, ends, strict=True)])


def _by_variance(loss: Curve, r2: Curve) -> Start | None:
    """The first squared error beside the target's variance, which is where R2 is zero."""
    error, first = 1 - r2.values, float(loss.values[0])
    least = int(error.argmin())
    # A score that stays as poor is no yardstick but a fault of its own.
    shown = error[least] > 0 and error[0] > BETTER * error[least]
    return Start(loss, r2, first, first / float(error[0]), int(r2.steps[least])) if shown else None
