"""The rule `converged`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from curve_analyzers.analyzer import Analyzer, Need, threshold
from curve_analyzers.examples import Example, decay, flat, line, run, valley
from curve_analyzers.findings import Finding, Severity, Span
from curve_analyzers.model import RunCurves
from curve_analyzers.progress import Progress, measure, measure_all
from curve_analyzers.saying import say, say_many
from curve_analyzers.wording import percent


@dataclass(frozen=True, kw_only=True)
class Converged(Analyzer):
    """The loss settled, the gap is small, and the other metrics agree.

    ## Why it matters
    All three together say that the run is finished: more steps of the same kind would change little. None of them
    alone does.

    ## What to try
    Nothing for this run. To get further, change something: the data, the features, the model; then compare the runs.

    ## When it is wrong
    When a lower learning rate would let the loss fall once more. A settled loss says nothing about how good the model
    is: compare it with other runs and with a simple baseline.

    ## Source
    The user's guide: convergence is loss, gap and other metrics together.
    """

    needs = (Need.PAIR,)

    settled: float = threshold(0.02, "change over the last fifth, as a share of the fall, that counts as settled", ge=0)
    gap: float = threshold(0.15, "distance of held-out from training at the end, as a share of the fall", ge=0)
    learned: float = threshold(0.02, "share of the way to the best value that counts as having learned", ge=0)

    fires = (
        Example("an ordinary good run", run(train_loss=decay(), val_loss=decay(floor=0.25))),
        Example("only scores", run(train_accuracy=decay(0.1, 0.97), val_accuracy=decay(0.1, 0.95))),
        Example("the score agrees", run(train_loss=decay(), val_loss=decay(floor=0.25), val_accuracy=decay(0.1, 0.9))),
    )
    quiet = (
        Example("still falling", run(train_loss=line(2.3, 0.5), val_loss=line(2.3, 0.6))),
        Example("a wide gap", run(train_loss=decay(), val_loss=decay(floor=1.2))),
        Example("overfitting", run(train_loss=decay(), val_loss=valley())),
        Example("nothing was learned", run(train_loss=flat(2.3), val_loss=flat(2.3))),
        Example(
            "the score fell meanwhile",
            run(train_loss=decay(), val_loss=decay(floor=0.25), val_accuracy=valley(0.1, 0.9, end=0.6)),
        ),
    )

    def check(self, run: RunCurves) -> Iterator[Finding]:
        """All pairs must have settled close together, and no held-out score may have turned."""
        pairs = [(measure(run, train), measure(run, val)) for train, val in run.pairs()]
        scores = measure_all(run, run.held_out_scores(), self.least)
        turned = any(score.rose and score.rise > self.settled * score.fall for score in scores)
        if all(self._settled(train, val) for train, val in pairs) and not turned:
            yield self._finding(*pairs[0], agreeing=len(scores))

    def _settled(self, train: Progress, val: Progress) -> bool:
        if not (train.fell and val.fell) or train.share < self.learned:
            return False
        gap = val.end - train.end
        return (
            train.settled(self.settled)
            and val.settled(self.settled)
            and train.error <= self.settled * train.fall  # a level that swings has not settled
            and (gap <= self.gap * train.fall or not val.beyond_noise(gap))
            and not (val.rose and val.rise > self.settled * val.fall)
        )

    def _finding(self, train: Progress, val: Progress, *, agreeing: int) -> Finding:
        end, val_end = train.shown(train.end), val.shown(val.end)
        gap = (val.end - train.end) / train.fall
        others = (
            say_many(", and {number} held-out score agrees", ", and {number} held-out scores agree", number=agreeing)
            if agreeing
            else ""
        )
        return self.finding(
            Severity.INFO,
            0.9 if agreeing else 0.8,
            Span((train.name, val.name), int(train.steps[round(0.8 * (len(train.steps) - 1))]), train.last_step),
            say("settled at {val_end:.3g}", val_end=val_end),
            say(
                "{train} settled at {end:.4g} and {val} at {val_end:.4g}, {gap} of the fall apart{others}.",
                train=train.name,
                end=end,
                val=val.name,
                val_end=val_end,
                gap=percent(abs(gap)),
                others=others,
            ),
            {"end": end, "held_out_end": val_end, "gap_share_of_fall": gap, "agreeing_scores": agreeing},
            (say("Nothing for this run. To get further, change data, features or model, and compare the runs."),),
        )
