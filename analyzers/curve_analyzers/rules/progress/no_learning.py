"""The rule `no_learning`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from curve_analyzers.analyzer import Analyzer, Need, threshold
from curve_analyzers.examples import Example, decay, flat, line, run, valley
from curve_analyzers.findings import Finding, Severity, Span
from curve_analyzers.hyperparameters import class_count, learning_rate
from curve_analyzers.model import Role, RunCurves, Split
from curve_analyzers.progress import Progress, measure, measure_all
from curve_analyzers.quantities import Kind
from curve_analyzers.remedies import FAR_TOO_LOW, raise_rate
from curve_analyzers.saying import say
from curve_analyzers.wording import fall_or_rise, percent


@dataclass(frozen=True, kw_only=True)
class NoLearning(Analyzer):
    """Nothing was learned, from the first point to the last.

    ## Why it matters
    The run cost its time and left the model where it began. Something is broken or set far off, and no patience will
    mend it.

    ## What to try
    The learning rate first: a flat loss is most often a rate that is zero, or thousands of times too small, or so
    large that the model was thrown off at once. Then see whether the model can learn one batch by heart: if not, look
    at the labels, the loss, the frozen layers and dead units.

    ## When it is wrong
    When the model was good before the run began (fine-tuning) and no score was logged to show it, or when all of the
    learning came before the first point that was logged.

    ## Source
    Karpathy, "A Recipe for Training Neural Networks" (2019): overfit one batch, verify the loss at the start.
    """

    needs = (Need.LEARNING,)
    explains = (
        "fit",
        "slow_learning",
        "not_converged",
        "wasted_compute",
        "plateau",
        "loss_metric_disagreement",
    )

    least_share: float = threshold(0.02, "share of the way to the best value that counts as having learned", ge=0)
    steady: float = threshold(
        0.3, "noise, as a share of the way to the best value, above which a fall cannot be seen", gt=0
    )
    unlearned: float = threshold(
        0.15, "share of the way a loss may fall to where guessing is, beside an accuracy that stays there", ge=0
    )
    ended: float = threshold(0.1, "gain of the last fifth, as a share of the fall, below which it has ended", ge=0)
    guessed: float = threshold(0.12, "accuracy above 1/C, as a share of the way to 1, that is still guessing", ge=0)
    times: float = threshold(1.5, "the same as a multiple of 1/C, which counts where there are many classes", gt=1)
    chance: float = threshold(0.06, "gain of the accuracy in training, as a share of the way, that is none", gt=0)
    good: float = threshold(0.2, "what may be missing to a perfect score for the model to have been good already", ge=0)

    fires = (
        Example("a learning rate of 1e-6", run(train_loss=line(2.303, 2.301, 0.002), params={"lr": 1e-6})),
        Example(
            "the loss sits at ln 10", run(train_loss=flat(2.3026), val_loss=flat(2.31), params={"num_classes": 10})
        ),
        Example("shuffled labels, noisy steps", run(1000, train_loss=flat(0.693, 0.05))),
        Example("an accuracy that stays at chance", run(train_accuracy=flat(0.1, 0.005), val_accuracy=flat(0.1, 0.01))),
        Example("12 epochs", run(12, train_loss=flat(1.0), val_loss=flat(1.1))),
        Example(
            "shuffled labels, and a few held-out examples fall well",
            run(
                train_loss=decay(1.14, 1.096, 12, 0.0003),
                val_loss=decay(1.12, 1.094, 12, 0.0003),
                train_accuracy=decay(0.335, 0.35, 12, 0.003),
                val_accuracy=decay(0.33, 0.47, 12, 0.004),
            ),
        ),
        Example(
            "from above down to chance, and no further",
            run(
                train_loss=decay(1.75, 1.6, 15, 0.003),
                val_loss=decay(1.75, 1.63, 15, 0.003),
                val_accuracy=flat(0.2, 0.004),
                params={"num_classes": 5},
            ),
        ),
    )
    quiet = (
        Example("slow but real progress", run(train_loss=line(2.3, 2.1))),
        Example("an ordinary run", run(train_loss=decay(), val_loss=decay(floor=0.3))),
        Example("it rose: divergence", run(train_loss=valley())),
        Example("too jagged to tell: oscillation", run(train_loss=flat(2.0, 0.3))),
        Example("it learned in the first epoch", run(train_loss=decay(rate=80))),
        Example(
            "fine-tuning that starts good",
            run(train_loss=flat(0.1, 0.005), val_loss=flat(0.12, 0.005), val_accuracy=flat(0.97, 0.002)),
        ),
        Example(
            "the loss is flat, the accuracy grows",
            run(train_loss=flat(1.0), train_accuracy=decay(0.1, 0.9, noise=0.005)),
        ),
    )

    def check(self, run: RunCurves) -> Iterator[Finding]:
        """Judge the curves the run is judged on; all of them must have stayed where they began."""
        curves = measure_all(run, run.learning, self.least)
        moved = any(self._moved(progress) or self._hidden(progress) for progress in curves)
        if (moved or self._score_learned(run)) and not (self._guesses(run, curves) or self._rote(run, curves)):
            return
        yield self._finding(run, curves[0])

    def _moved(self, progress: Progress) -> bool:
        if progress.rose and progress.rise > self.least_share * abs(progress.best):
            return True
        if progress.start - progress.end >= self.steady * max(progress.start - progress.perfect, progress.noise):
            return True  # whatever threw it about, it came far; an unknown best value (NaN) compares as false
        return progress.fell and progress.worth >= self.least_share

    def _hidden(self, progress: Progress) -> bool:
        """Whether the curve is so jagged that a fall would not show: that is `oscillation`."""
        room = progress.start - progress.perfect
        return progress.noise > self.steady * (room if room > 0 else abs(progress.start))

    def _score_learned(self, run: RunCurves) -> bool:
        """Whether a score improved, or was good from the start."""
        roles = run.held_out_scores() or run.scores(Split.TRAIN)
        scores = measure_all(run, roles, self.least)
        return any((score.fell and score.share >= self.least_share) or score.left <= self.good for score in scores)

    def _guesses(self, run: RunCurves, curves: list[Progress]) -> bool:
        """Whether the loss settled after a small fall, with the held-out accuracy where guessing among C classes is.

        What such a loss gained is that the model unlearned the bias it was initialised with.
        """
        classes, held_out, trained = class_count(run), self._accuracy(run, Split.VAL), self._accuracy(run, Split.TRAIN)
        if not classes or not held_out or not self._stayed(curves):
            return False
        guessing = held_out.above_chance(classes) <= self.guessed and 1 - held_out.left <= self.times / classes
        return guessing and not (trained and trained.share >= self.guessed)

    def _rote(self, run: RunCurves, curves: list[Progress]) -> bool:
        """Whether a small fall of the loss left the accuracy in training where it was.

        A held-out accuracy may lie above it all the same: where a model falls that only guesses is luck.
        """
        trained = self._accuracy(run, Split.TRAIN)
        if not trained or not self._stayed(curves):
            return False
        return trained.left > self.good and trained.end <= trained.start and not trained.share >= self.chance

    def _accuracy(self, run: RunCurves, split: Split) -> Progress | None:
        role = Role(split, "accuracy")
        return measure(run, role) if role in run and len(run[role]) >= self.least else None

    def _stayed(self, curves: list[Progress]) -> bool:
        """Whether the training fell next to nothing, and has ended to."""
        return all(progress.share < self.unlearned and progress.settled(self.ended) for progress in curves)

    def _finding(self, run: RunCurves, progress: Progress) -> Finding:
        name = progress.name
        start, end = progress.shown(progress.start), progress.shown(progress.end)
        classes = class_count(run)
        chance = math.log(classes) if classes and progress.quantity.kind is Kind.LOSS else None
        at_chance = (
            say(
                " Guessing among {classes} classes scores ln {classes} = {chance:.3g}: that is where it sits.",
                classes=classes,
                chance=chance,
            )
            if chance and abs(end - chance) <= self.least_share * chance
            else ""
        )
        rate = learning_rate(run)
        moves = (
            say(" The learning rate was never above {rate:g}, which moves next to nothing.", rate=rate)
            if rate is not None and rate <= FAR_TOO_LOW
            else ""
        )
        fall = (
            say("all it fell is {share} of it", share=percent(progress.fall / abs(start)))
            if start and progress.fell
            else say("it never left its own noise")
        )
        sure = 1 - 0.5 * progress.share / self.least_share if progress.fell and math.isfinite(progress.share) else 0.95
        sure = max(sure, 0.8)  # a fall that is no less was told by an accuracy that stays at chance
        return self.finding(
            Severity.CRITICAL,
            sure,
            Span((name,), int(progress.curve.steps[0]), progress.last_step),
            say("{change} over the whole run", change=fall_or_rise(start, end)),
            say(
                "{name} began at {start:.4g} and ended at {end:.4g}: {fall}.{at_chance}{moves}",
                name=name,
                start=start,
                end=end,
                fall=fall,
                at_chance=at_chance,
                moves=moves,
            ),
            {
                "start": start,
                "end": end,
                "fall": progress.fall,
                "noise": progress.start_error,
                "chance_loss": chance,
                "learning_rate": rate,
            },
            (
                raise_rate(run),
                say(
                    "If the rate is already high, lower it a hundredfold: too high a rate can throw a model "
                    "off at once."
                ),
                say(
                    "Train on one batch until it is learned by heart. If that fails, look at labels, loss, "
                    "frozen layers."
                ),
                say("Scale the inputs to zero mean and unit variance."),
            ),
        )
