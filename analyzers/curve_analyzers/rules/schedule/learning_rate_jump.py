"""The rule `learning_rate_jump`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from curve_analyzers.analyzer import Analyzer, Need, threshold
from curve_analyzers.examples import Example, Shape, decay, kick, line, run, step
from curve_analyzers.findings import Finding, Severity, Span
from curve_analyzers.jumps import Jump
from curve_analyzers.model import Curve, Floats, RunCurves
from curve_analyzers.rate_rises import Rise, effects, quick_rises
from curve_analyzers.saying import say
from curve_analyzers.signal import certainty
from curve_analyzers.wording import fall_or_rise


def _restarting(cycles: int) -> Shape:
    """A cosine that starts anew `cycles` times."""
    return Shape(lambda t: 0.05 * (1 + np.cos(np.pi * ((cycles * t) % 1.0))))


def _waves(cycles: int) -> Shape:
    """What such a rate adds to a loss: a jump at each restart that is gone at its end."""

    def of(t: Floats) -> Floats:
        at = (cycles * t) % 1.0
        return np.asarray(np.where(cycles * t < 1, 0.0, 0.3 * np.exp(-6 * at)), np.float64)

    return Shape(of)


@dataclass(frozen=True, kw_only=True)
class LearningRateJump(Analyzer):
    """The learning rate rose at once, and the loss went up with it and stayed.

    ## Why it matters
    The model was learning at the rate it had. The higher one threw it out of where it was, and what it had learned
    since is gone until it is learned again.

    ## What to try
    Take the rise out of the schedule, or make it smaller and spread it over a few hundred steps. Where the rate rose at
    a resume, load the state of the schedule with the checkpoint.

    ## When it is wrong
    When the rise was the price of something better later: warm restarts that recover within their cycle are not told.

    ## Source
    Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts" (2017): rises that pay.
    """

    needs = (Need.LEARNING_RATE, Need.LEARNING)
    vouches = False
    explains = ("fit", "progress", "stability", "gradients", "loss_metric_disagreement")

    factor: float = threshold(2.0, "the rate after the rise over the rate before", gt=1)
    share: float = threshold(0.1, "the rise as a share of the highest rate", gt=0, lt=1)
    quick: float = threshold(0.03, "share of the run within which the rate rises for it to be a jump", gt=0, lt=1)
    warm_up: float = threshold(0.05, "share of the run at its start whose rises are warm-up", ge=0, lt=1)
    height: float = threshold(0.1, "height of the loss's jump as a share of the fall up to there", gt=0)
    long: float = threshold(0.1, "share of the run the loss must stay above where the rate stays up", gt=0, lt=1)

    fires = (
        Example(
            "the rate goes up tenfold",
            run(train_loss=decay().plus(step(0.0, 1.5, 0.6)), learning_rate=step(0.01, 0.1, 0.6, 0.0)),
        ),
        Example(
            "per step, noisy",
            run(2000, train_loss=decay(noise=0.1).plus(step(0.0, 0.6, 0.5)), learning_rate=step(0.001, 0.01, 0.5, 0.0)),
        ),
        Example(
            "it comes back late",
            run(train_loss=decay().plus(kick(1.5, 0.4, 4)), learning_rate=step(0.01, 0.1, 0.4, 0.0)),
        ),
        Example("the loss is lost", run(train_loss=decay().lost(0.62), learning_rate=step(0.01, 1.0, 0.6, 0.0))),
        Example(
            "12 epochs",
            run(12, train_loss=decay(rate=4).plus(step(0.0, 1.5, 0.5)), learning_rate=step(0.01, 0.1, 0.5, 0.0)),
        ),
    )
    quiet = (
        Example(
            "warm restarts that recover", run(200, train_loss=decay().plus(_waves(4)), learning_rate=_restarting(4))
        ),
        Example("warm-up", run(200, train_loss=decay(), learning_rate=Shape(lambda t: 0.1 * np.minimum(t / 0.1, 1.0)))),
        Example("a rise that does no harm", run(train_loss=decay(), learning_rate=step(0.01, 0.05, 0.5, 0.0))),
        Example(
            "the loss jumps elsewhere",
            run(train_loss=decay().plus(step(0.0, 1.5, 0.8)), learning_rate=step(0.01, 0.1, 0.4, 0.0)),
        ),
        Example(
            "a ramp throughout: divergence",
            run(train_loss=decay().plus(step(0.0, 2.5, 0.7)), learning_rate=line(0.0, 1.0, 0.0)),
        ),
        Example("a rate that falls", run(train_loss=decay(), learning_rate=step(0.1, 0.01, 0.5, 0.0))),
    )

    def check(self, run: RunCurves) -> Iterator[Finding]:
        """Judge the loss at each jump of each rate; the one that hurt most speaks for the run."""
        rates = [role for role in run.roles if role.quantity == "learning_rate" and len(run[role]) >= self.least]
        for rate in (run[role] for role in rates):
            width = max(1, round(self.quick * len(rate)))
            jumps = quick_rises(rate.values, width, self.factor, self.share)
            rises = list(effects(run, rate, jumps[jumps > self.warm_up * len(rate)]))
            restarts = len(rises) > 1 and any(rise.recovered and rise.falls_again for rise in rises)
            hurt = [rise for rise in rises if self._hurts(rise)]
            if hurt and not restarts:
                yield self._finding(run, rate, max(hurt, key=lambda rise: (rise.jump is None, rise.lost)))
                return

    def _hurts(self, rise: Rise) -> bool:
        if rise.jump is None:
            return True
        jumped = rise.jump.height > self._limit(rise, rise.jump)
        return jumped and (not rise.recovered or (not rise.falls_again and rise.lost >= self.long))

    def _limit(self, rise: Rise, jump: Jump) -> float:
        return max(jump.limit, self.height * (rise.start - jump.before))

    def _finding(self, run: RunCurves, rate: Curve, rise: Rise) -> Finding:
        role, jump, name = run.learning[0], rise.jump, run.roles[run.learning[0]]
        last = max(rise.step, int(run.raw(role).steps[-1]))
        evidence: dict[str, float | int | None] = {
            "step": rise.step,
            "rate_before": rise.low,
            "rate_after": rise.high,
            "lost_share_of_run": rise.lost,
        }
        if jump is None:
            brief, told, sure = say("lost"), say("was lost right after it"), 0.95
        else:
            before, after = role.measures.shown(jump.before), role.measures.shown(jump.after)
            back = (
                say("only back at step {recovered}", recovered=jump.recovered)
                if rise.recovered
                else say("not back by the end")
            )
            brief, told = (
                fall_or_rise(before, after),
                say("went from {before:.4g} to {after:.4g} and was {back}", before=before, after=after, back=back),
            )
            sure = certainty(jump.height, self._limit(rise, jump))
            evidence |= {"before": before, "after": after, "recovered_step": jump.recovered}
        return self.finding(
            Severity.WARNING if rise.recovered else Severity.CRITICAL,
            min(sure, 0.95),
            Span((rate.name, name), rise.step, last),
            say("{brief} at step {step}", brief=brief, step=rise.step),
            say(
                "The learning rate rose from {low:.3g} to {high:.3g} at step {step}; {name} {told}.",
                low=rise.low,
                high=rise.high,
                step=rise.step,
                name=name,
                told=told,
            ),
            evidence,
            (
                say("Take the rise out of the schedule: at {low:.3g} the loss was falling.", low=rise.low),
                say(
                    "If a higher rate is wanted, go to {rate:.2g} at most, over some hundred steps.",
                    rate=rise.low * self.factor,
                ),
                say("Where the rate rose at a resume, load the schedule's state with the checkpoint."),
                say("Go back to the checkpoint before the rise."),
            ),
        )
