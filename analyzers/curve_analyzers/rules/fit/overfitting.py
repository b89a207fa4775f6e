"""The rule `overfitting`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from curve_analyzers.analyzer import Analyzer, Need, threshold
from curve_analyzers.examples import Example, decay, flat, line, run, valley
from curve_analyzers.findings import Finding, Severity, Span
from curve_analyzers.model import RunCurves
from curve_analyzers.progress import Progress, measure_all
from curve_analyzers.remedies import more_regularization
from curve_analyzers.saying import say
from curve_analyzers.signal import certainty
from curve_analyzers.too_sure import too_sure
from curve_analyzers.wording import fall_or_rise


@dataclass(frozen=True, slots=True)
class Turn:
    """Where a held-out curve turned for the worse.

    Attributes:
        since: The step at which it was best.
        best: The level there.
        rise: How much worse it ended.
        share: The same as a share of what was learned.
    """

    since: int
    best: float
    rise: float
    share: float


@dataclass(frozen=True, kw_only=True)
class Overfitting(Analyzer):
    """Validation turned for the worse while training kept improving.

    ## Why it matters
    From the turn on, the model learns its training data by heart. What it gains there it loses on data it has not
    seen, and the last checkpoint is worse than one the run already had.

    ## What to try
    Keep the checkpoint of the best step (early stopping). Then regularize, then get more or more varied data. A
    smaller model comes after these, and more layers make it worse.

    ## When it is wrong
    When the held-out set is so small that its curve wanders, when it comes from other data than the one that counts,
    or when the loss rises only because the model grows sure of itself while its score still improves: that is
    `loss_metric_disagreement`. A small climb of the loss beside a good held-out score costs little: it is told as
    `info`.

    ## Source
    Prechelt, "Early Stopping - But When?" (1998): the generalization loss, here beside the curve's own noise.
    """

    needs = (Need.HELD_OUT,)
    explains = ("not_converged", "generalization_gap", "wasted_compute", "plateau")

    rise: float = threshold(
        0.03,
        "climb above the held-out minimum, as a share of the larger fall, the training's or its own",
        ge=0,
    )
    undone: float = threshold(
        0.6,
        "climb, as a share of the held-out curve's own fall, that counts even where that fall was next to none",
        gt=0,
    )
    learned: float = threshold(0.02, "share of the way to the best value that training must have come", ge=0)
    alone: float = threshold(0.7, "most confidence without a training curve beside the held-out one", ge=0, le=1)
    severe: float = threshold(0.3, "climb from which it is critical, as a share of the fall", gt=0)
    good: float = threshold(
        0.18, "what may be missing to a perfect held-out score for a smaller climb to cost little", ge=0
    )
    small: float = threshold(0.25, "such a climb, as a share of what was missing to the best value", gt=0)
    perfect: float = threshold(
        0.03, "what may be missing to a perfect held-out score for any climb to cost little", ge=0
    )
    by_heart: float = threshold(
        0.9, "share of the way from which training that held-out data never followed was learned by heart", gt=0, le=1
    )

    fires = (
        Example("validation turns at 40 %", run(train_loss=decay(), val_loss=valley())),
        Example("a mild turn", run(train_loss=decay(), val_loss=valley(end=0.7))),
        Example("only the last 10 %", run(100, train_loss=decay(), val_loss=valley(turn=0.9, end=1.2))),
        Example("from the first epoch", run(train_loss=decay(), val_loss=line(2.3, 4.0))),
        Example("held-out data never followed", run(train_loss=decay(floor=0.05), val_loss=line(2.3, 2.33, 0.001))),
        Example("12 epochs", run(12, train_loss=decay(), val_loss=valley())),
        Example(
            "per-step training, a validation every 50 steps",
            run(2000, train_loss=decay(noise=0.15), val_loss=valley(), sparse={"val_loss": 40}),
        ),
        Example(
            "a score that peaks, then falls",
            run(train_accuracy=decay(0.1, 0.99), val_accuracy=valley(0.1, 0.8, end=0.6)),
        ),
        Example("a held-out score beside a training loss", run(train_loss=decay(), val_map=valley(0.1, 0.8, end=0.5))),
        Example("a held-out curve alone, as boosted trees log it", run(val_loss=valley())),
    )
    quiet = (
        Example("both rise: divergence", run(train_loss=valley(), val_loss=valley())),
        Example("both rise, told by two quantities", run(train_loss=valley(), val_accuracy=valley(0.1, 0.9, end=0.3))),
        Example("validation is flat", run(train_loss=decay(), val_loss=decay(floor=0.5))),
        Example("noise", run(train_loss=decay(noise=0.1), val_loss=decay(floor=0.4, noise=0.15))),
        Example(
            "the score still improves: loss_metric_disagreement",
            run(train_loss=decay(), val_loss=valley(), val_accuracy=decay(0.1, 0.95, rate=3)),
        ),
        Example("nothing was learned", run(train_loss=flat(2.3), val_loss=flat(2.3))),
    )

    def check(self, run: RunCurves) -> Iterator[Finding]:
        """Judge each held-out curve beside the training curve of its quantity, else of the run."""
        for train_role, val_role in run.beside():
            train = next(iter(measure_all(run, [train_role] if train_role else [], self.least)), None)
            for val in measure_all(run, [val_role], self.least):
                turn = self._turn(train, val)
                if not turn:
                    continue
                trained_worse = train is not None and train.beyond_noise(-train.gained_since_best_of(val))
                scores = measure_all(run, run.held_out_scores(), self.least)
                if not trained_worse and not too_sure(val, scores):
                    good = self.good if self._small(turn, val) else self.perfect
                    mild = any(score.left <= good for score in scores)
                    yield self._finding(run, train, val, turn, costly=not mild)

    def _turn(self, train: Progress | None, val: Progress) -> Turn | None:
        """Where the held-out curve turned, and how far it climbed since; None where it did not, by enough to tell."""
        fall = self._fall(train, val)
        undone = val.fell and val.rise >= self.undone * val.fall
        if fall > 0 and val.rose and (val.rise >= self.rise * fall or undone):
            return Turn(val.best_step, val.best_value, val.rise, val.rise / fall)
        if train is not None and train.share >= self.by_heart and train.quantity == val.quantity and val.ended_worse:
            # It was never better than before training began: all that was learned was learned by heart.
            rise = val.end - val.start
            return Turn(int(val.curve.steps[0]), val.start, rise, rise / fall)
        return None

    def _small(self, turn: Turn, val: Progress) -> bool:
        """Whether a climb is small beside what was learned, and beside what was missing where the curve was best."""
        return turn.share < self.severe and turn.rise <= self.small * val.missing(turn.best)

    def _fall(self, train: Progress | None, val: Progress) -> float:
        """What a climb is measured by; 0 where the model did not learn, so that it can overfit nothing."""
        if train is not None and not (train.fell and train.worth >= self.learned):
            return 0.0
        if train is not None and train.quantity == val.quantity:
            return max(train.fall, val.fall)
        return val.fall if val.fell else 0.0

    def _finding(self, run: RunCurves, train: Progress | None, val: Progress, turn: Turn, *, costly: bool) -> Finding:
        name, since, share = val.name, turn.since, turn.share
        best, end = val.shown(turn.best), val.shown(val.end)
        change = fall_or_rise(best, end)
        meanwhile = (
            say(", while {train} kept improving.", train=train.name)
            if train
            else say("; no training curve is there to show whether training kept improving.")
        )
        cost = "" if costly else say(" The held-out score is good all the same.")
        sure = min(max(certainty(share, self.rise), 0.5), val.certainty(turn.rise))
        severity = Severity.CRITICAL if share >= self.severe and train else Severity.WARNING
        return self.finding(
            severity if costly else Severity.INFO,
            sure if train else min(sure, self.alone),
            Span((train.name, name) if train else (name,), since, val.last_step),
            say("{change} since step {since}", change=change, since=since),
            say(
                "{name} was best at step {since} ({best:.4g}) and has gone to {end:.4g} since "
                "({change}){meanwhile}{cost}",
                name=name,
                since=since,
                best=best,
                end=end,
                change=change,
                meanwhile=meanwhile,
                cost=cost,
            ),
            {
                "best_step": since,
                "best": best,
                "end": end,
                "rise": abs(end - best) / abs(best) if best else None,
                "share_of_fall": share,
            },
            (
                say(
                    "Keep the model of step {since}, and stop early: a patience of a few evaluations on {name}.",
                    since=since,
                    name=name,
                ),
                more_regularization(run),
                say("Get more data, or more varied data by augmentation."),
                say("A smaller model is the last thing to try; more layers make it worse."),
            ),
        )
