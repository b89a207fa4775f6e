"""The rule `unshuffled_data`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from curve_analyzers.analyzer import Analyzer, Need, threshold
from curve_analyzers.epoch_length import Repetition, epoch_lengths, fold, part_of_an_epoch
from curve_analyzers.examples import Example, Shape, decay, flat, run, sawtooth
from curve_analyzers.findings import Finding, Severity, Span
from curve_analyzers.model import Curve, RunCurves
from curve_analyzers.saying import say
from curve_analyzers.signal import certainty, periodicity, running_median
from curve_analyzers.wording import percent

WITHIN = say("the loss itself, and a whole part of an epoch")
FEW = 6.0  # epochs; with so few, twice the variance is asked for, as one wave may fit them all


def blocks(height: float, epochs: int, classes: int = 4) -> Shape:
    """For `plus`: data sorted by class, each class harder than the one before it."""
    return Shape(lambda t: height * (np.floor(classes * ((epochs * t) % 1.0)) / (classes - 1) - 0.5))


def restarts(epochs: int) -> Shape:
    """A rate that falls within each epoch."""
    return Shape(lambda t: 0.1 * (1.05 - (epochs * t) % 1.0))


@dataclass(frozen=True, kw_only=True)
class UnshuffledData(Analyzer):
    """The loss of each step repeats with the epoch: the data comes in the same order each time.

    ## Why it matters
    Sorted data teaches the model one thing after the other: it leans towards what it saw last and forgets the rest, and
    each epoch begins by unlearning the end of the one before. The gradient of a step no longer stands for the data.

    ## What to try
    Shuffle before each epoch: `DataLoader(shuffle=True)`, `dataset.shuffle(buffer_size=len(data))`. A buffer that is
    smaller than a class's stretch shuffles nothing. Streams are shuffled when they are written.

    ## When it is wrong
    When something else has the epoch's period: a learning rate that restarts each epoch (silent where it is logged), or
    a curve that is a running mean since the epoch's start.

    ## Source
    Bengio, "Practical Recommendations for Gradient-Based Training of Deep Architectures" (2012), on the order of the
    examples; the test is a two-way analysis of variance of epochs and parts of them.
    """

    needs = (Need.TRAINING,)
    least = 40
    vouches = False
    explains = (
        "oscillation",
        "loss_spikes",
        "not_converged",
        "slow_learning",
        "plateau",
        "underfitting",
        "loss_metric_disagreement",
    )

    epochs: float = threshold(3, "epochs that must be seen to tell a repetition", ge=2)
    points: float = threshold(4, "points an epoch, or its repeating part, must have", ge=2)
    explained: float = threshold(0.2, "share of the scatter that the part of the epoch explains", gt=0, lt=1)
    beyond: float = threshold(3.5, "variance between the parts of an epoch over what even noise shows", gt=1)
    alike: float = threshold(2.2, "the same where neighbouring steps are alike, as in sorted data", gt=1)
    smooth: float = threshold(0.3, "correlation of neighbouring steps' means from which they are alike", gt=0, lt=1)
    hurts: float = threshold(
        0.24, "swing over the loss from which it is a warning; a mere order is told as information", gt=0
    )
    chance: float = threshold(1e-9, "most that noise may be likely to show a period nothing was logged of", gt=0, le=1)
    chance_within: float = threshold(1e-5, "the same for a period that is a whole part of an epoch", gt=0, le=1)

    fires = (
        Example("sorted by class", run(800, train_loss=decay(noise=0.05).plus(blocks(0.5, 10)), params={"epochs": 10})),
        Example(
            "the epoch is told by the validation",
            run(800, train_loss=decay(noise=0.05).plus(blocks(0.5, 20)), val_loss=decay(), sparse={"val_loss": 20}),
        ),
        Example("nothing tells the epoch", run(2000, train_loss=decay(noise=0.1).plus(blocks(0.5, 25)))),
        Example(
            "from easy to hard and back",
            run(1000, train_loss=sawtooth(decay(noise=0.1), 0.3, 0.1), params={"num_epochs": 10}),
        ),
        Example(
            "an accuracy",
            run(1000, train_accuracy=decay(0.1, 0.8, noise=0.05).plus(blocks(0.2, 10)), params={"max_epochs": 10}),
        ),
    )
    quiet = (
        Example("shuffled", run(800, train_loss=decay(noise=0.2), params={"epochs": 10})),
        Example(
            "shuffled, the epoch told by the validation",
            run(800, train_loss=decay(noise=0.2), val_loss=decay(), sparse={"val_loss": 20}),
        ),
        Example(
            "a drop at the start of each epoch: learned by heart",
            run(1000, train_loss=Shape(lambda t: 2.0 * 0.6 ** np.floor(10 * t), 0.02), params={"epochs": 10}),
        ),
        Example(
            "a rate that restarts each epoch",
            run(1000, train_loss=sawtooth(decay(), 0.3, 0.1), learning_rate=restarts(10), params={"epochs": 10}),
        ),
        Example(
            "one point an epoch that swings: oscillation",
            run(60, train_loss=sawtooth(decay(floor=0.6), 0.3), params={"epochs": 60}),
        ),
        Example("mini-batch noise", run(2000, train_loss=decay(noise=0.3))),
        Example("flat", run(800, train_loss=flat(1.0, 0.0), params={"epochs": 10})),
    )

    def check(self, run: RunCurves) -> Iterator[Finding]:
        """Fold the first training curve by each length an epoch may have; what repeats most clearly is told."""
        role = run.training[0]
        curve = run.cost(role)
        lengths = list(epoch_lengths(run, curve))
        lengths += self._own_period(run, curve, known=bool(lengths))
        folded = [fold(curve, steps, source, least=round(self.points)) for steps, source in lengths]
        found = [each for each in folded if each and self._repeats(each)]
        if found:
            clearest = max(found, key=lambda each: each.explained)
            if not _scheduled(run, clearest):
                yield self._finding(curve, clearest)

    def _own_period(self, run: RunCurves, curve: Curve, *, known: bool) -> list[tuple[float, str]]:
        """The period of the curve itself that noise hardly has: a part of an epoch, or any where none is known."""
        half = curve.values[len(curve) // 4 :]
        rest = half - running_median(half, max(2 * (len(half) // 8) + 1, 5))
        likely, points = periodicity(rest)
        period = points * (float(curve.steps[-1]) - float(curve.steps[0])) / (len(curve) - 1)
        if not known:
            return [(period, say("the loss itself"))] if likely < self.chance else []
        within = likely < self.chance_within and part_of_an_epoch(run, curve, period, least=2)
        return [(period, WITHIN)] if within else []

    def _repeats(self, folded: Repetition) -> bool:
        over = folded.variance_ratio / (1 + FEW / folded.epochs)
        # Sorted data makes neighbours alike; that is evidence of its own.
        sure = over >= self.beyond or (over >= self.alike and folded.smoothness >= self.smooth)
        return folded.epochs >= self.epochs and folded.explained >= self.explained and sure

    def _finding(self, curve: Curve, found: Repetition) -> Finding:
        since, last = int(curve.steps[0]), int(curve.steps[-1])
        level = abs(float(np.median(curve.values)))
        hurts = found.swing >= self.hurts * level or found.source == WITHIN
        return self.finding(
            Severity.WARNING if hurts else Severity.INFO,
            min(certainty(found.explained, self.explained), 0.95),
            Span((curve.name,), since, last),
            say("repeats every {steps:.4g} steps", steps=found.steps),
            say(
                "{curve} repeats itself every {steps:.4g} steps ({source}): where in the epoch a step is "
                "explains {explained} of the scatter, {swing:.3g} from the easiest to the hardest.",
                curve=curve.name,
                steps=found.steps,
                source=found.source,
                explained=percent(found.explained),
                swing=found.swing,
            ),
            {
                "epoch_steps": found.steps,
                "epoch_told_by": found.source,
                "explained_share": found.explained,
                "swing": found.swing,
                "swing_share_of_level": found.swing / level if level else None,
                "epochs": found.epochs,
            },
            (
                say("Shuffle the data before each epoch (`shuffle=True`; a shuffle buffer as large as the data)."),
                say("Where the data is a stream, shuffle it when it is written, or read from many parts at once."),
                say("Look at the labels of a few batches in a row: sorted data shows at once."),
            ),
        )


def _scheduled(run: RunCurves, found: Repetition) -> bool:
    """Whether a learning rate rises about once for each repetition."""
    for role in run.roles:
        if role.quantity == "learning_rate" and len(run[role]):
            rising = np.diff(run[role].values) > 0
            if 2 * int((rising & ~np.r_[False, rising[:-1]]).sum()) >= found.epochs:
                return True
    return False
