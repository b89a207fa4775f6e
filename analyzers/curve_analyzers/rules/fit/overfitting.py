"""The rule `overfitting`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from curve_analyzers.analyzer import Analyzer, Need, threshold
from curve_analyzers.examples import Example, decay, flat, line, run, valley
from curve_analyzers.model import Finding, Pair, RunCurves, Severity, Span
from curve_analyzers.progress import Progress, measure
from curve_analyzers.remedies import fall_or_rise, more_regularization
from curve_analyzers.signal import certainty


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
    `loss_metric_disagreement`.

    ## Source
    Prechelt, "Early Stopping - But When?" (1998): the generalization loss, here beside the curve's own noise.
    """

    needs = (Need.PAIR,)
    explains = ("not_converged",)

    rise: float = threshold(0.05, "climb above the held-out minimum, as a share of the fall to it", ge=0)
    own_fall: float = threshold(
        0.1, "least held-out fall, as a share of the training's, that the climb is measured by", ge=0
    )
    severe: float = threshold(0.5, "climb from which it is critical, as a share of the fall", gt=0)

    fires = (
        Example("validation turns at 40 %", run(train_loss=decay(), val_loss=valley())),
        Example("a mild turn", run(train_loss=decay(), val_loss=valley(end=0.7))),
        Example("only the last 10 %", run(100, train_loss=decay(), val_loss=valley(turn=0.9, end=1.2))),
        Example("from the first epoch", run(train_loss=decay(), val_loss=line(2.3, 4.0))),
        Example("12 epochs", run(12, train_loss=decay(), val_loss=valley())),
        Example(
            "per-step training, a validation every 50 steps",
            run(2000, train_loss=decay(noise=0.15), val_loss=valley(), sparse={"val_loss": 40}),
        ),
        Example(
            "a score that peaks, then falls",
            run(train_accuracy=decay(0.1, 0.99), val_accuracy=valley(0.1, 0.8, end=0.6)),
        ),
    )
    quiet = (
        Example("both rise: divergence", run(train_loss=valley(), val_loss=valley())),
        Example("validation is flat", run(train_loss=decay(), val_loss=decay(floor=0.5))),
        Example("noise", run(train_loss=decay(noise=0.1), val_loss=decay(floor=0.4, noise=0.15))),
        Example(
            "the score still improves: loss_metric_disagreement",
            run(train_loss=decay(), val_loss=valley(), val_accuracy=decay(0.1, 0.95, rate=3)),
        ),
        Example("nothing was learned", run(train_loss=flat(2.3), val_loss=flat(2.3))),
    )

    def check(self, run: RunCurves) -> Iterator[Finding]:
        """Judge each pair of a training and a held-out curve."""
        for pair in run.pairs():
            train, val = measure(pair.train, pair.quantity), measure(pair.val, pair.quantity)
            fall = val.fall if val.fall >= self.own_fall * train.fall else train.fall
            if not (train.fell and val.rose and val.rise >= self.rise * fall):
                continue
            trained_worse = train.beyond_noise(-train.gained_since(val.best_step))
            if not trained_worse and not self._score_improves(run, val):
                yield self._finding(run, pair, val, val.rise / fall)

    @staticmethod
    def _score_improves(run: RunCurves, val: Progress) -> bool:
        """Whether a held-out score got better all the while the held-out loss got worse."""
        scores = [measure(run.cost(role), role.measures) for role in run.held_out_scores() if len(run[role])]
        others = [score for score in scores if score.curve.name != val.curve.name]
        return any(score.beyond_noise(score.gained_since(val.best_step)) for score in others)

    def _finding(self, run: RunCurves, pair: Pair, val: Progress, share: float) -> Finding:
        best, end, since = pair.quantity.shown(val.best_value), pair.quantity.shown(val.end), val.best_step
        change = fall_or_rise(best, end)
        return self.finding(
            Severity.CRITICAL if share >= self.severe else Severity.WARNING,
            min(certainty(share, self.rise), val.certainty(val.rise)),
            Span((pair.train.name, pair.val.name), since, val.last_step),
            f"{change} since step {since}",
            f"{pair.val.name} was best at step {since} ({best:.4g}) and has gone to {end:.4g} since ({change}), while "
            f"{pair.train.name} kept improving.",
            {
                "best_step": since,
                "best": best,
                "end": end,
                "rise": abs(end - best) / abs(best) if best else None,
                "share_of_fall": share,
            },
            (
                f"Keep the model of step {since}, and stop early: a patience of a few evaluations on {pair.val.name}.",
                more_regularization(run),
                "Get more data, or more varied data by augmentation.",
                "A smaller model is the last thing to try; more layers make it worse.",
            ),
        )
