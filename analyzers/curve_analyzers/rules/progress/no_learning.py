"""The rule `no_learning`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from curve_analyzers.analyzer import Analyzer, Need, threshold
from curve_analyzers.examples import Example, decay, flat, line, run, valley
from curve_analyzers.findings import Finding, Severity, Span
from curve_analyzers.hyperparameters import class_count, learning_rate
from curve_analyzers.model import RunCurves, Split
from curve_analyzers.progress import Progress, measure_all
from curve_analyzers.quantities import Kind
from curve_analyzers.remedies import FAR_TOO_LOW, raise_rate
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
        "oscillation",
        "loss_spikes",
    )

    least_share: float = threshold(0.02, "share of the way to the best value that counts as having learned", ge=0)
    steady: float = threshold(
        0.3, "noise, as a share of the way to the best value, above which a fall cannot be seen", gt=0
    )
    good: float = threshold(0.2, "what may be missing to a perfect score for the model to have been good already", ge=0)

    fires = (
        Example("a learning rate of 1e-6", run(train_loss=line(2.303, 2.301, 0.002), params={"lr": 1e-6})),
        Example(
            "the loss sits at ln 10", run(train_loss=flat(2.3026), val_loss=flat(2.31), params={"num_classes": 10})
        ),
        Example("shuffled labels, noisy steps", run(1000, train_loss=flat(0.693, 0.05))),
        Example("an accuracy that stays at chance", run(train_accuracy=flat(0.1, 0.005), val_accuracy=flat(0.1, 0.01))),
        Example("12 epochs", run(12, train_loss=flat(1.0), val_loss=flat(1.1))),
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
        if moved or self._score_learned(run):
            return
        yield self._finding(run, curves[0])

    def _moved(self, progress: Progress) -> bool:
        if progress.rose and progress.rise > self.least_share * abs(progress.best):
            return True
        return progress.fell and progress.worth >= self.least_share

    def _hidden(self, progress: Progress) -> bool:
        """Whether the curve is so jagged that a fall would not show: that is `oscillation`."""
        room = progress.start - progress.perfect
        return progress.noise > self.steady * (room if room > 0 else abs(progress.start))

    def _score_learned(self, run: RunCurves) -> bool:
        """Whether a score improved, or was good from the start."""
        roles = [role for split in Split for role in run.scores(split)]
        scores = measure_all(run, roles, self.least)
        return any((score.fell and score.share >= self.least_share) or score.left <= self.good for score in scores)

    def _finding(self, run: RunCurves, progress: Progress) -> Finding:
        name = progress.name
        start, end = progress.shown(progress.start), progress.shown(progress.end)
        classes = class_count(run)
        chance = math.log(classes) if classes and progress.quantity.kind is Kind.LOSS else None
        at_chance = (
            f" Guessing among {classes} classes scores ln {classes} = {chance:.3g}: that is where it sits."
            if chance and abs(end - chance) <= self.least_share * chance
            else ""
        )
        rate = learning_rate(run)
        moves = (
            f" The learning rate was never above {rate:g}, which moves next to nothing."
            if rate is not None and rate <= FAR_TOO_LOW
            else ""
        )
        fall = (
            f"all it fell is {percent(progress.fall / abs(start))} of it"
            if start and progress.fell
            else "it never left its own noise"
        )
        sure = 1 - 0.5 * progress.share / self.least_share if progress.fell and math.isfinite(progress.share) else 0.95
        return self.finding(
            Severity.CRITICAL,
            sure,
            Span((name,), int(progress.curve.steps[0]), progress.last_step),
            f"{fall_or_rise(start, end)} over the whole run",
            f"{name} began at {start:.4g} and ended at {end:.4g}: {fall}.{at_chance}{moves}",
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
                "If the rate is already high, lower it a hundredfold: too high a rate can throw a model off at once.",
                "Train on one batch until it is learned by heart. If that fails, look at labels, loss, frozen layers.",
                "Scale the inputs to zero mean and unit variance.",
            ),
        )
