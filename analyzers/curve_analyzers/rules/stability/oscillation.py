"""The rule `oscillation`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from curve_analyzers.analyzer import Analyzer, Need, threshold
from curve_analyzers.epoch_length import once_an_epoch, part_of_an_epoch
from curve_analyzers.examples import Example, Shape, decay, flat, line, run, sawtooth, valley
from curve_analyzers.findings import Finding, Severity, Span
from curve_analyzers.held_out_size import held_out_examples
from curve_analyzers.model import Role, RunCurves
from curve_analyzers.progress import Progress, measure
from curve_analyzers.remedies import lower_rate
from curve_analyzers.saying import say
from curve_analyzers.signal import certainty, periodicity
from curve_analyzers.swings import Swings, moves_of, swings_in
from curve_analyzers.wording import percent

GROWTH_ERRORS = 2.5  # standard errors by which swings must grow
OFTEN = (0.5, 2.0)  # points of a held-out curve over those of training, to be compared with it


@dataclass(frozen=True, kw_only=True)
class Oscillation(Analyzer):
    """The loss swings up and down around a level, far more than the data explains.

    ## Why it matters
    The steps are so long that the model jumps over the minimum and back. It cannot settle below the height of the
    swings, and which checkpoint is good is chance.

    ## What to try
    Lower the learning rate, to a third, then to a tenth, or let it decay. A larger batch makes the steps steadier.

    ## When it is wrong
    When the curve is the loss of single mini-batches, which are noisy by nature: there only swings with a period or
    swings that grow are told. Cyclical learning rates swing on purpose. A mean over an epoch hides the swings within
    it; then the held-out curve, measured at one moment, shows them, unless it is over few examples.

    ## Source
    Goodfellow, Bengio and Courville, "Deep Learning" (2016), chapter 11.4.1; Fisher's g test for the period (1929).
    """

    needs = (Need.LEARNING,)
    least = 10
    explains = ("underfitting", "not_converged", "no_learning", "loss_spikes")

    swing: float = threshold(
        0.11,
        "from trough to peak in the second half, as a share of the fall, or of the level where it did not fall",
        gt=0,
    )
    visible: float = threshold(0.05, "the same as a share of the start, however small the fall", ge=0)
    chance: float = threshold(1e-4, "most that even noise may be likely to show the period", gt=0, le=1)
    averaged: float = threshold(
        300, "points up to which a curve is taken for one value an epoch, averaged over batches", ge=0
    )
    growing: float = threshold(2.0, "growth of the swings over the run that even noise does not show", gt=1)
    both_ways: float = threshold(
        0.2, "share of a swing that goes below the level; jumps up alone are spikes", gt=0, lt=0.5
    )
    dying: float = threshold(0.3, "swings at the end over those before, below which they have ended", ge=0)
    large: float = threshold(0.5, "swings from which those that ended in the first half are a warning", gt=0)
    often: float = threshold(0.3, "crossings of the level a point, below which such swings are jumps", ge=0, lt=1)
    huge: float = threshold(2.0, "swings from which those are a warning all the same", gt=0)
    shared: float = threshold(
        0.5, "swings of the held-out loss over those of training, each of its level: the weights swing both", ge=0
    )
    both: float = threshold(0.08, "geometric mean of the swings of training and held-out curve, each of its fall", gt=0)
    learned: float = threshold(0.3, "share of its way a curve must have come where the swings are small", ge=0, lt=1)
    examples: float = threshold(100, "held-out examples below which its swings are `validation_noise`", ge=0)

    fires = (
        Example("a saw-tooth around a floor", run(train_loss=sawtooth(decay(floor=0.6), 0.3), params={"lr": 0.9})),
        Example("up and down each epoch", run(train_loss=sawtooth(decay(floor=0.6), 0.3, period=2 / 60))),
        Example("growing swings", run(train_loss=sawtooth(decay(floor=1.0), 0.15, growing=4))),
        Example("a jagged loss once an epoch", run(train_loss=decay(floor=0.6, noise=0.3))),
        Example("jagged, and never better than at first", run(train_loss=flat(2.0, 0.3))),
        Example(
            "most of it in the held-out curve",
            run(train_loss=sawtooth(decay(floor=0.6), 0.07), val_loss=sawtooth(decay(floor=0.7), 0.35)),
        ),
        Example("at first, then it settled", run(train_loss=sawtooth(decay(floor=0.6), 0.9, growing=0.003))),
        Example("per step, with a period", run(2000, train_loss=sawtooth(decay(floor=0.6, noise=0.05), 0.3))),
    )
    quiet = (
        Example("rewards of single episodes", run(200, reward=decay(0.0, 200.0, noise=30.0))),
        Example(
            "the held-out loss is calm: few batches an epoch, or dropout",
            run(train_loss=decay(floor=0.6, noise=0.3), val_loss=decay(floor=0.6, noise=0.02)),
        ),
        Example(
            "a loss of each step whose noise grows as it falls",
            run(600, train_loss=line(2.3, 0.5).noisy(0.05).plus(Shape(lambda t: np.sin(900 * t**2) * 0.6 * t))),
        ),
        Example(
            "a short loss of each step",
            run(200, train_loss=decay(noise=0.3), val_loss=decay(), sparse={"val_loss": 10}),
        ),
        Example("mini-batch noise of a per-step loss", run(2000, train_loss=decay(noise=0.3))),
        Example(
            "a small validation set: validation_noise",
            run(train_loss=decay(), val_loss=decay(floor=0.4, noise=0.25)),
        ),
        Example("small noise on a small fall: slow_learning", run(train_loss=line(2.3, 2.1, 0.02))),
        Example("a smooth run", run(train_loss=decay())),
        Example("flat", run(train_loss=flat(1.0, 0.0))),
        Example("a single turn", run(train_loss=valley())),
        Example("three spikes", run(train_loss=decay().bumped({0.3: 1.5, 0.5: 2.0, 0.8: 1.2}))),
    )

    def check(self, run: RunCurves) -> Iterator[Finding]:
        """Judge the first training curve beside the held-out one: what the weights do shows in both."""
        role = run.learning[0]
        progress = measure(run, role)
        moves = moves_of(progress)
        late = swings_in(progress, moves, 0.5, 1.0)
        # The mean over the batches of an epoch: noise explains no swing. The episodes of a reward are few and differ.
        averaged = role in run.training and role.quantity != "reward" and len(moves) <= self.averaged
        averaged = averaged and once_an_epoch(run, progress.curve)
        held_out = self._beside(run, role, progress) if averaged else None
        beside = swings_in(held_out, moves_of(held_out), 0.5, 1.0) if held_out else None
        if self._swings(late, self.swing) and not self._shared(late, beside):
            return
        if self._swings(late, self.swing) and late.grown >= self.dying:
            period = self._period(run, late)
            if averaged or period or self._grow(late):
                yield self._finding(run, late, late.share, self.swing, period)
        elif beside and self._shared(late, beside) and self._both_swing(late, beside):
            clearer = max(late, beside, key=lambda swings: swings.share)
            yield self._finding(run, clearer, math.sqrt(late.share * beside.share), self.both, None)
        elif averaged and self._swings(early := swings_in(progress, moves, 0.125, 0.5), self.swing):
            yield from self._ended(run, early, held_out)

    def _shared(self, training: Swings, held_out: Swings | None) -> bool:
        """Whether a held-out curve of the same quantity, where there is one, swings as well: the weights swing both."""
        if held_out is None or held_out.progress.quantity is not training.progress.quantity:
            return True
        return held_out.over(training) >= self.shared

    def _period(self, run: RunCurves, swings: Swings) -> float | None:
        """The period of the swings in steps, where noise hardly has one and the order of the data is not its cause."""
        likely, points = periodicity(swings.moves)
        curve = swings.progress.curve
        period = points * (float(curve.steps[-1]) - float(curve.steps[0])) / max(len(curve) - 1, 1)
        return None if likely >= self.chance or part_of_an_epoch(run, curve, period) else period

    def _swings(self, swings: Swings, limit: float) -> bool:
        visible = swings.size >= self.visible * abs(swings.progress.start)
        return swings.share >= limit and visible and swings.below >= self.both_ways

    def _grow(self, swings: Swings) -> bool:
        """Whether they grow while the level stands; the noise of a loss that falls, or of a reward, may grow as well.

        The growth of noise is found with a standard error of about 1.2/sqrt(n) in its logarithm from n points each.
        """
        progress, points = swings.progress, len(swings.progress.curve) // 4
        grown = swings.grown > self.growing * math.exp(GROWTH_ERRORS * 1.2 / math.sqrt(points))
        return grown and progress.quantity.name != "reward" and abs(progress.gain(0.5)) < swings.size / 2

    def _beside(self, run: RunCurves, training: Role, progress: Progress) -> Progress | None:
        """The first held-out curve logged as often, unless it is over few examples."""
        roles = [role for role in run.held_out if role != training and len(run[role]) >= self.least]
        roles = [role for role in roles if OFTEN[0] <= len(run[role]) / len(progress.curve) <= OFTEN[1]]
        examples = held_out_examples(run) if roles else None
        if not roles or (examples is not None and examples < self.examples):
            return None
        return measure(run, roles[0])

    def _both_swing(self, training: Swings, held_out: Swings) -> bool:
        """Whether small swings of a curve that learned are those of the weights, as the held-out curve tells."""
        return (
            training.share * held_out.share >= self.both**2
            and training.progress.fell
            and training.progress.worth >= self.learned
            and training.below >= self.both_ways
            and training.grown * held_out.grown >= self.dying**2
        )

    def _finding(self, run: RunCurves, swings: Swings, size: float, limit: float, period: float | None) -> Finding:
        curve, share, grown = swings.progress.curve, swings.share, swings.grown
        every = say(", with a period of about {period:.3g} steps", period=period) if period else ""
        growing = (
            say(", and the swings grow ({growth} over the run)", growth=percent(grown - 1))
            if grown > self.growing
            else ""
        )
        return self.finding(
            Severity.WARNING,
            min(certainty(size, limit), 0.95),
            Span((curve.name,), int(curve.steps[len(curve) // 2]), int(curve.steps[-1])),
            say("swings of {share} {of}", share=percent(share), of=swings.of),
            say(
                "{curve} swings up and down by {share} {of}{every}{growing}.",
                curve=curve.name,
                share=percent(share),
                of=swings.of,
                every=every,
                growing=growing,
            ),
            {"swing_share": share, "period_steps": period, "growth": grown, "ended": False},
            self._remedies(run),
        )

    def _ended(self, run: RunCurves, swings: Swings, held_out: Progress | None) -> Iterator[Finding]:
        """Tell swings of the first half, if the held-out curve had them too."""
        if not self._shared(swings, swings_in(held_out, moves_of(held_out), 0.125, 0.5) if held_out else None):
            return
        curve, share = swings.progress.curve, swings.share
        first, last = int(curve.steps[len(curve) // 8]), int(curve.steps[len(curve) // 2])
        large = self.large if swings.crossings >= self.often else self.huge
        yield self.finding(
            Severity.WARNING if share >= large else Severity.INFO,
            min(certainty(share, self.swing), 0.9),
            Span((curve.name,), first, last),
            say("swings of {share} at first", share=percent(share)),
            say(
                "{curve} swung up and down by {share} {of} in the first half of the run, then settled: "
                "the rate was too high for that stretch.",
                curve=curve.name,
                share=percent(share),
                of=swings.of,
            ),
            {"swing_share": share, "period_steps": None, "growth": swings.grown, "ended": True},
            (say("Warm the rate up for longer."), *self._remedies(run)),
        )

    @staticmethod
    def _remedies(run: RunCurves) -> tuple[str, ...]:
        return (
            lower_rate(run),
            say("Let the rate decay over the run (cosine, or a step down when the loss stalls)."),
            say("Use a larger batch, or average the weights of the last steps."),
        )
