"""The rule `over_regularized`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from curve_analyzers.analyzer import Analyzer, Need, threshold
from curve_analyzers.examples import Example, Shape, decay, flat, line, run, valley
from curve_analyzers.findings import Finding, Severity, Span
from curve_analyzers.handicap import Handicap, handicap
from curve_analyzers.hyperparameters import dropout, learning_rate, optimizer, weight_decay
from curve_analyzers.model import RunCurves, Split
from curve_analyzers.progress import Progress, measure, measure_all
from curve_analyzers.quantities import Kind
from curve_analyzers.remedies import less_regularization
from curve_analyzers.saying import listed, say
from curve_analyzers.signal import certainty
from curve_analyzers.too_sure import TRADED
from curve_analyzers.wording import percent

# Optimizers whose weight decay is no part of the gradient: Loshchilov and Hutter (2019).
DECOUPLED = {"adamw", "lion", "lamb", "sgdw", "nadamw", "adamw_torch", "adamw_hf", "adamw_torch_fused"}


def _pulled_back(best: float, rest: float) -> Shape:
    """A fall to about `best`, from which the loss rises gradually and comes to rest at `rest`."""
    return Shape(
        lambda t: rest + (2.3 - rest) * np.exp(-40 * t) - (rest - best) * 2 * np.exp(-5 * t) * (1 - np.exp(-40 * t)),
        0.01,
    )


@dataclass(frozen=True, kw_only=True)
class OverRegularized(Analyzer):
    """Training is held back so much that it stays worse than validation, and both could be better.

    ## Why it matters
    Dropout, weight decay and augmentation make training harder on purpose. Where they take more than they give, the
    model cannot learn what it could, and the held-out curve, measured without them, shows it by being the better one.

    ## What to try
    Halve the dropout or the weight decay, then go without, and watch the held-out curve: regularization belongs in a
    run that overfits. Soften the augmentation next. A larger model comes last.

    ## When it is wrong
    When training is made hard on purpose and pays (mixup, strong augmentation), or when the held-out data are easier
    than the training data. A little dropout, and the half epoch by which a mean over an epoch lags behind, also leave
    training above validation; the rule allows for both.

    ## Source
    Srivastava et al., "Dropout" (2014), section 7.3: too high a rate of dropping leaves too few units, and underfits.
    """

    needs = (Need.PAIR,)
    explains = (
        "underfitting",
        "wasted_compute",
        "plateau",
        "overfitting",
        "loss_metric_disagreement",
        "leakage_suspected",
        "slow_learning",
    )

    worse: float = threshold(0.06, "how much worse training stays, as a share of the way to the best value", gt=0)
    alone: float = threshold(0.35, "the same where neither a score nor what was logged confirms it", gt=0)
    worse_score: float = threshold(0.2, "the same of a score between 0 and 1, where both logged one", gt=0)
    clear: float = threshold(0.35, "distance of such a score beside which any distance of the loss will do", gt=0)
    explained: float = threshold(
        0.5, "share of that which is enough where strong regularization was logged", gt=0, le=1
    )
    together: float = threshold(
        0.25, "how far apart two curves may end that are both poor, as a share of what is missing in training", ge=0
    )
    persistent: float = threshold(0.9, "share of the last half of the run in which training is the worse", gt=0, le=1)
    unfinished: float = threshold(
        0.2, "what must be missing to the best value in training, as a share of the way", ge=0
    )
    good: float = threshold(0.05, "what may be missing to a perfect held-out score for it to be good enough", ge=0)
    back: float = threshold(0.1, "gradual rise of both curves after their best, as a share of their falls", gt=0)
    strong_dropout: float = threshold(0.6, "logged dropout that is strong", gt=0, le=1)
    strong_decay: float = threshold(0.05, "logged weight decay that is strong, where it is an L2 penalty", gt=0)
    strong_pull: float = threshold(
        2e-3,
        "decay times rate, what a decoupled decay (AdamW) takes of the weights in a step, that is strong",
        gt=0,
    )

    fires = (
        Example(
            "dropout 0.8",
            run(train_loss=decay(floor=1.3), val_loss=decay(floor=0.7), params={"dropout": 0.8}),
        ),
        Example(
            "weight decay 0.2: both stay poor",
            run(train_loss=decay(floor=1.7, rate=15), val_loss=decay(floor=1.7, rate=15), params={"weight_decay": 0.2}),
        ),
        Example("nothing logged", run(train_loss=decay(floor=1.6), val_loss=decay(floor=0.6))),
        Example("only scores", run(train_accuracy=decay(0.1, 0.45), val_accuracy=decay(0.1, 0.75))),
        Example(
            "pulled back after a good start", run(train_loss=_pulled_back(0.5, 1.2), val_loss=_pulled_back(0.6, 1.3))
        ),
        Example("12 epochs", run(12, train_loss=decay(floor=1.6), val_loss=decay(floor=0.6))),
        Example(
            "per step, noisy",
            run(2000, train_loss=decay(floor=1.6, noise=0.1), val_loss=decay(floor=0.6), sparse={"val_loss": 40}),
        ),
    )
    quiet = (
        Example(
            "a little dropout", run(train_loss=decay(floor=0.3), val_loss=decay(floor=0.2), params={"dropout": 0.2})
        ),
        Example(
            "held back, and good",
            run(train_loss=decay(floor=0.9), val_loss=decay(floor=0.4), val_accuracy=decay(0.1, 0.96)),
        ),
        Example("the half epoch of lag", run(train_loss=decay(2.3, 0.3, 5), val_loss=decay(2.1, 0.3, 5))),
        Example("an agent that explores", run(reward=decay(0.0, 200.0), val_reward=decay(0.0, 400.0))),
        Example(
            "augmentation: the loss is worse, the accuracy is not",
            run(
                train_loss=decay(floor=1.0),
                val_loss=decay(floor=0.6),
                train_accuracy=decay(0.1, 0.84),
                val_accuracy=decay(0.1, 0.85),
            ),
        ),
        Example(
            "a language model's decoupled decay",
            run(
                train_loss=decay(10.8, 3.2, 9),
                val_loss=decay(10.8, 3.3, 9),
                params={"optimizer": "AdamW", "weight_decay": 0.1, "lr": 3e-4},
            ),
        ),
        Example("within noise", run(30, train_loss=decay(floor=0.8, noise=0.4), val_loss=decay(floor=0.6, noise=0.4))),
        Example(
            "poor with ordinary decay",
            run(train_loss=decay(2.3, 1.8, 20), val_loss=decay(2.3, 1.8, 20), params={"weight_decay": 1e-4}),
        ),
        Example("overfitting", run(train_loss=decay(), val_loss=valley())),
        Example("still falling side by side", run(train_loss=line(2.3, 1.4), val_loss=line(2.3, 1.4))),
        Example("nothing was learned", run(train_loss=flat(2.3), val_loss=flat(2.2))),
    )

    def check(self, run: RunCurves) -> Iterator[Finding]:
        """Judge each pair of a training and a held-out curve; the clearest speaks for the run."""
        pairs = [
            handicap(measure(run, train), measure(run, val))
            for train, val in run.pairs()
            if train.measures.kind is not Kind.REWARD  # an agent explores while it trains
        ]
        strong = self._strong(run)
        if not strong and self._scores_well(run):
            return
        score = max((handicap(*scored).share for scored in self._scored(run)), default=None)
        limit = self._limit(score, strong=bool(strong))
        worse = [pair for pair in pairs if pair.share >= limit and self._held_back(pair)]
        if worse:
            yield self._finding(run, max(worse, key=lambda pair: pair.share), strong)
        elif strong and (poor := [pair for pair in pairs if self._both_poor(pair)]):
            yield self._both(run, poor[0], strong)
        elif pulled := [pair for pair in pairs if pair.pulled_back >= self.back]:
            yield self._pulled(run, pulled[0])

    def _limit(self, score: float | None, *, strong: bool) -> float:
        """From which distance on a loss tells, given the largest distance of a score; infinite where that denies it.

        A loss alone may be the worse because the held-out data are the easier ones.
        """
        if score is None:
            return self.worse if strong else self.alone
        if score < self.worse_score * (self.explained if strong else 1.0):
            return float("inf")
        return self.worse if score < self.clear else 0.0

    def _held_back(self, pair: Handicap) -> bool:
        train = pair.train
        return (
            train.fell
            and pair.size > pair.noise
            and pair.held >= self.persistent
            and train.share <= 1 - self.unfinished  # an unknown share (NaN) compares as false
        )

    def _both_poor(self, pair: Handicap) -> bool:
        train, val = pair.train, pair.val
        return (
            train.fell
            and train.share <= 1 - self.unfinished
            and val.end - train.end <= max(pair.noise, self.together * (train.end - train.perfect))
        )

    def _scores_well(self, run: RunCurves) -> bool:
        scores = measure_all(run, run.held_out_scores(), self.least)
        return bool(scores) and all(score.left <= self.good for score in scores)

    def _strong(self, run: RunCurves) -> str:
        """The logged regularization that is strong, in words."""
        dropped, decay = dropout(run), weight_decay(run)
        told = []
        if dropped is not None and dropped >= self.strong_dropout:
            told.append(say("dropout {dropped:g}", dropped=dropped))
        if decay is not None and self._pulls(run, decay):
            told.append(say("weight decay {decay:g}", decay=decay))
        return listed(told)

    def _pulls(self, run: RunCurves, decay: float) -> bool:
        """Whether a weight decay is strong: as an L2 penalty by itself, decoupled by what it takes in each step."""
        if (optimizer(run) or "").lower() in DECOUPLED:
            rate = learning_rate(run)
            return decay >= 1 if rate is None else decay * rate >= self.strong_pull
        return decay >= self.strong_decay

    def _scored(self, run: RunCurves) -> list[tuple[Progress, Progress]]:
        """The scores of classes that were logged both in training and on validation data; an R2 is the loss again."""
        pairs = [(role, replace(role, split=Split.VAL)) for role in run.scores(Split.TRAIN) if role.measures.bounded]
        return [
            (measure(run, train), measure(run, val))
            for train, val in pairs
            if val in run
            and train.quantity not in {*TRADED, "r2"}
            and min(len(run[train]), len(run[val])) >= self.least
        ]

    def _finding(self, run: RunCurves, pair: Handicap, strong: str) -> Finding:
        train, val = pair.train, pair.val
        why = say(" Logged: {strong}.", strong=strong) if strong else ""
        return self.finding(
            Severity.WARNING,
            min(certainty(pair.share, self.worse), certainty(pair.size, pair.noise), 0.95 if strong else 0.85),
            Span((train.name, val.name), int(train.steps[len(train.steps) // 2]), train.last_step),
            say("training worse by {share} of the way", share=percent(pair.share)),
            say(
                "{train} ended at {end:.4g}, {val} at {val_end:.4g}: training stayed the worse, by {share} "
                "of the way to the best value, and neither came far.{why}",
                train=train.name,
                end=train.shown(train.end),
                val=val.name,
                val_end=val.shown(val.end),
                share=percent(pair.share),
                why=why,
            ),
            self._evidence(run, pair),
            self._remedies(run),
        )

    def _both(self, run: RunCurves, pair: Handicap, strong: str) -> Finding:
        train, val = pair.train, pair.val
        return self.finding(
            Severity.WARNING,
            min(certainty(1 - self.unfinished, train.share), 0.8),
            Span((train.name, val.name), int(train.curve.steps[0]), train.last_step),
            say("strong regularization, both poor"),
            say(
                "{train} came {share} of the way, to {end:.4g}, {val} ended at {val_end:.4g}, with "
                "{strong} logged: the model may not learn what it could.",
                train=train.name,
                share=percent(train.share),
                end=train.shown(train.end),
                val=val.name,
                val_end=val.shown(val.end),
                strong=strong,
            ),
            self._evidence(run, pair),
            self._remedies(run),
        )

    def _pulled(self, run: RunCurves, pair: Handicap) -> Finding:
        train, val = pair.train, pair.val
        since = int(train.steps[int(train.levels.argmin())])
        return self.finding(
            Severity.WARNING,
            min(certainty(pair.pulled_back, self.back), 0.8),
            Span((train.name, val.name), since, train.last_step),
            say("both pulled back since step {since}", since=since),
            say(
                "{train} and {val} were best about step {since}, then rose together by {share} of their falls and came "
                "to rest: something pulls the weights back, as strong weight decay does.",
                train=train.name,
                val=val.name,
                since=since,
                share=percent(pair.pulled_back),
            ),
            self._evidence(run, pair),
            self._remedies(run),
        )

    @staticmethod
    def _evidence(run: RunCurves, pair: Handicap) -> dict[str, float | None]:
        return {
            "end": pair.train.shown(pair.train.end),
            "held_out_end": pair.val.shown(pair.val.end),
            "worse_share_of_way": pair.share,
            "dropout": dropout(run),
            "weight_decay": weight_decay(run),
        }

    @staticmethod
    def _remedies(run: RunCurves) -> tuple[str, ...]:
        return (
            less_regularization(run),
            say("Soften the augmentation, label smoothing or noise, if there is any."),
            say("Only then a larger model."),
        )
