"""The rule `underfitting`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from curve_analyzers.analyzer import Analyzer, Need, threshold
from curve_analyzers.examples import Example, decay, flat, line, run, valley
from curve_analyzers.findings import Finding, Severity, Span
from curve_analyzers.hyperparameters import class_count, small_model
from curve_analyzers.model import RunCurves, Split
from curve_analyzers.progress import Progress, measure, measure_all
from curve_analyzers.remedies import less_regularization, raise_rate
from curve_analyzers.saying import say
from curve_analyzers.signal import certainty
from curve_analyzers.wording import percent


@dataclass(frozen=True, kw_only=True)
class Underfitting(Analyzer):
    """Training and validation both stay poor, with little between them.

    ## Why it matters
    The model does not even fit the data it is trained on, so nothing that helps it generalize can help. The loss
    moved, and stopped where most of what there was to learn was still ahead.

    ## What to try
    The learning rate first, then less regularization, then better features or a model that suits the data. More
    layers come last: a deeper model that does not learn is no better than a small one.

    ## When it is wrong
    When the target is mostly noise (clicks, prices): there a small fall is all there is to learn, and a score beside
    the loss or a simple baseline tells. A loss that can go below zero has no known best value; then only a score
    between 0 and 1 can tell, and without one the rule stays silent.

    ## Source
    Goodfellow, Bengio and Courville, "Deep Learning" (2016), chapter 5.2: training error that is not small.
    """

    needs = (Need.PAIR,)
    explains = ("wasted_compute",)

    poor: float = threshold(0.1, "share of the way to the best value below which a fall is poor by itself", gt=0, le=1)
    confirmed: float = threshold(0.4, "the same where a held-out accuracy or F1 is poor as well", gt=0, le=1)
    small: float = threshold(0.65, "the same where the logged model is small: stumps, or a few units in a layer", gt=0)
    poor_score: float = threshold(0.5, "the same for a score between 0 and 1", gt=0, le=1)
    fair_score: float = threshold(0.4, "share of the way from which a score clears a poor loss", gt=0, le=1)
    near: float = threshold(0.3, "what may be missing to a perfect score for it to be good wherever it began", ge=0)
    nearer: float = threshold(0.2, "the same where the logged model is small", ge=0)
    moved: float = threshold(0.02, "share of the way below which nothing was learned at all", ge=0)
    settled: float = threshold(0.05, "gain of the last fifth, as a share of the fall, below which it has ended", ge=0)
    creep: float = threshold(0.01, "the same as a share of what is missing to the best value", ge=0)
    gap: float = threshold(0.25, "distance of the two curves at the end, as a share of the way that is left", ge=0)

    fires = (
        Example(
            "stuck after a first gain", run(train_loss=decay(2.3, 2.1, 20), val_loss=decay(2.3, 2.12, 20), points=40)
        ),
        Example(
            "a poor accuracy in both",
            run(
                train_loss=decay(2.3, 1.6, 15),
                val_loss=decay(2.3, 1.62, 15),
                train_accuracy=decay(0.1, 0.4, 15),
                val_accuracy=decay(0.1, 0.39, 15),
            ),
        ),
        Example("only scores", run(train_accuracy=decay(0.1, 0.35, 15), val_accuracy=decay(0.1, 0.34, 15))),
        Example(
            "stumps",
            run(train_rmse=decay(0.9, 0.48, 12, 0.001), val_rmse=decay(0.9, 0.5, 12, 0.001), params={"num_leaves": 2}),
        ),
        Example(
            "per step, noisy",
            run(2000, train_loss=decay(2.3, 2.08, 30, 0.08), val_loss=decay(2.3, 2.1, 30), sparse={"val_loss": 40}),
        ),
    )
    quiet = (
        Example("still falling", run(train_loss=line(2.3, 1.7), val_loss=line(2.3, 1.72))),
        Example("never moved", run(train_loss=flat(2.3), val_loss=flat(2.3))),
        Example("a noisy target", run(train_loss=decay(2.2, 1.4, 12), val_loss=decay(2.2, 1.45, 12))),
        Example("a good level", run(train_loss=decay(), val_loss=decay(floor=0.25))),
        Example(
            "a small fall with a good accuracy",
            run(
                train_loss=decay(0.69, 0.45, 15, 0.003),
                val_loss=decay(0.69, 0.46, 15, 0.003),
                val_accuracy=decay(0.5, 0.9, 15, 0.003),
            ),
        ),
        Example("overfitting", run(train_loss=decay(), val_loss=valley(floor=1.6, end=2.0))),
    )

    def check(self, run: RunCurves) -> Iterator[Finding]:
        """Judge each pair of a training and a held-out curve."""
        for train, val in ((measure(run, train), measure(run, val)) for train, val in run.pairs()):
            limit = self.poor_score if train.quantity.bounded else self._limit(run)
            moved = 0.0 if small_model(run) else self.moved
            if not (train.fell and moved <= train.share < limit):  # an unknown share (NaN) compares as false
                continue
            ended = self._ended(train) and self._ended(val)
            apart = abs(val.end - train.end)
            together = apart <= self.gap * (train.end - train.perfect) or not train.beyond_noise(apart)
            if ended and together and not self._scores_well(run):
                yield self._finding(run, train, val, limit)

    def _ended(self, progress: Progress) -> bool:
        """Whether the last fifth brought nothing, beside all that it gained or beside what is still missing."""
        missing = self.creep * (progress.end - progress.perfect)
        return progress.settled(self.settled) or abs(progress.gain(0.2)) <= missing

    def _limit(self, run: RunCurves) -> float:
        """Up to which share of the way a loss is poor: it depends on what else says so.

        A target that is mostly noise leaves a low R2 as well, so that only the scores of classes confirm.
        """
        confirmed = any(role.measures.bounded and role.quantity != "r2" for role in run.held_out_scores())
        return max(self.small if small_model(run) else 0.0, self.confirmed if confirmed else self.poor)

    def _scores_well(self, run: RunCurves) -> bool:
        """Whether a score between 0 and 1 came most of the way, whatever the loss says."""
        roles = [role for role in run.held_out_scores() or run.scores(Split.TRAIN) if role.measures.bounded]
        scores = measure_all(run, roles, self.least)
        fair = self.poor_score if small_model(run) else self.fair_score
        if small_model(run):
            return any(score.share >= fair or score.left <= self.nearer for score in scores)
        classes = class_count(run)
        return any(
            score.share >= fair
            or score.left <= self.near
            or (classes and score.quantity.name == "accuracy" and score.above_chance(classes) >= fair)
            for score in scores
        )

    def _finding(self, run: RunCurves, train: Progress, val: Progress, limit: float) -> Finding:
        start, end, val_end = (train.shown(cost) for cost in (train.start, train.end, val.end))
        small = small_model(run)
        capacity = say(" With {small} logged, the model may be too small.", small=small) if small else ""
        return self.finding(
            Severity.WARNING,
            min(certainty(limit, train.share), 0.9),
            Span((train.name, val.name), int(train.curve.steps[0]), train.last_step),
            say("only {share} of the way", share=percent(train.share)),
            say(
                "{train} went from {start:.4g} to {end:.4g} and stopped there, {share} of the way to the "
                "best value there can be; {val} is as poor ({val_end:.4g}).{capacity}",
                train=train.name,
                start=start,
                end=end,
                share=percent(train.share),
                val=val.name,
                val_end=val_end,
                capacity=capacity,
            ),
            {"start": start, "end": end, "held_out_end": val_end, "share_of_way": train.share},
            (
                say("{remedy} If the curve is jagged, lower it instead.", remedy=raise_rate(run)),
                less_regularization(run),
                say(
                    "Look at the data: are inputs scaled, labels right, and can a person tell the answer "
                    "from the inputs?"
                ),
                say("Only then a larger model, and one that suits the data before one with more layers."),
            ),
        )
