"""The rule `not_converged`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from curve_analyzers.analyzer import Analyzer, Need, threshold
from curve_analyzers.examples import Example, decay, flat, line, run, valley
from curve_analyzers.findings import Finding, Severity, Span
from curve_analyzers.hyperparameters import boosted
from curve_analyzers.model import Role, RunCurves
from curve_analyzers.progress import Progress, measure_all
from curve_analyzers.saying import say
from curve_analyzers.signal import certainty
from curve_analyzers.wording import percent

FEW = 10  # points, of which a level is the median of a third


@dataclass(frozen=True, kw_only=True)
class NotConverged(Analyzer):
    """The run stopped while it was still improving.

    ## Why it matters
    The model could have been better for nothing but more steps, and a comparison with other runs is unfair to it.

    ## What to try
    Train longer, from the last checkpoint where there is one. Where the loss falls slowly throughout, a higher learning
    rate saves the time.

    ## When it is wrong
    When the learning rate has been driven to zero by its schedule: then the schedule ended, and more steps need a new
    one. The rule stays silent where it sees such a schedule; without a logged rate it cannot.

    ## Source
    The user's guide: a run has converged when loss, gap and other metrics have all settled.
    """

    needs = (Need.LEARNING,)

    worth: float = threshold(0.04, "gain of the last fifth, as a share of the whole fall, worth going on for", ge=0)
    rounds: float = threshold(
        0.078, "the same of boosted trees, where each round gains a little less than the one before", ge=0
    )
    ahead: float = threshold(
        0.035, "what going on would bring, as a share of the whole fall, where each fifth gains as it did", ge=0
    )
    still: float = threshold(0.25, "share of that gain which the last tenth must have brought", ge=0, lt=1)
    spent: float = threshold(
        0.05, "learning rate at the end, as a share of its peak, below which the schedule ended", ge=0
    )

    high: float = threshold(0.3, "learning rate at the end, as a share of its peak, that a cut-off left", gt=0)
    seen: float = threshold(
        3.0, "standard errors of a level that a gain must exceed: it is one, not the best of many", gt=0
    )
    planned: float = threshold(0.6, "share of that which is enough where a schedule was cut off", gt=0, le=1)

    fires = (
        Example("cut off half-way", run(train_loss=decay(rate=2), val_loss=decay(floor=0.3, rate=2))),
        Example("per step, noisy", run(2000, train_loss=decay(rate=1.5, noise=0.1))),
        Example("a score still rising", run(train_accuracy=line(0.1, 0.8), val_accuracy=line(0.1, 0.7))),
        Example("12 epochs", run(12, train_loss=decay(rate=2), val_loss=decay(floor=0.3, rate=2))),
    )
    quiet = (
        Example("a plateau", run(train_loss=decay(), val_loss=decay(floor=0.3))),
        Example("creep in the last 1 %", run(train_loss=decay(rate=5, noise=0.001))),
        Example(
            "training falls, validation has settled", run(train_loss=decay(rate=2), val_loss=decay(floor=0.7, rate=9))
        ),
        Example("validation has turned", run(train_loss=decay(rate=2), val_loss=valley())),
        Example("nothing was learned", run(train_loss=flat(2.3))),
        Example(
            "the long tail of boosted trees",
            run(150, val_loss=decay(0.7, 0.4, 3, 0.0003), params={"n_estimators": 150, "num_leaves": 8}),
        ),
        Example(
            "the schedule ended",
            run(train_loss=decay(rate=2), learning_rate=line(0.1, 0.0, 0.0)),
        ),
    )

    def check(self, run: RunCurves) -> Iterator[Finding]:
        """Judge the held-out curve where there is one that can be judged, else the training curve."""
        progress = measure_all(run, (*run.held_out, *run.learning), self.least)[0]
        gain, ended = progress.gain(0.2), self._ended(run)
        # A schedule that was cut off says by itself that more was planned.
        seen = gain > (self.planned if self._cut_off(run) else 1.0) * self.seen * progress.error
        going = _lately(progress) >= self.still * gain
        worth = self.rounds if boosted(run) else self.worth
        ahead = _ahead(gain, progress.gain(0.4) - gain) >= self.ahead * progress.fall
        if progress.fell and seen and going and ahead and gain >= worth * progress.fall and not ended:
            yield self._finding(progress, gain, worth)

    def _cut_off(self, run: RunCurves) -> bool:
        """Whether the schedule was still lowering a learning rate that was high."""
        if Role.LEARNING_RATE not in run or not len(run[Role.LEARNING_RATE]):
            return False
        rate = run[Role.LEARNING_RATE].values
        last = rate[int(0.8 * len(rate)) :]
        return bool((np.diff(last) <= 0).all() and last[-1] < last[0] and last[-1] > self.high * rate.max())

    def _ended(self, run: RunCurves) -> bool:
        """Whether the schedule had driven the learning rate down by the end."""
        if Role.LEARNING_RATE not in run or not len(run[Role.LEARNING_RATE]):
            return False
        rate = run[Role.LEARNING_RATE].values
        return bool(rate[-1] < self.spent * rate.max())

    def _finding(self, progress: Progress, gain: float, worth: float) -> Finding:
        name, share, end = progress.name, gain / progress.fall, progress.shown(progress.end)
        since = int(progress.steps[round(0.8 * (len(progress.steps) - 1))])
        return self.finding(
            Severity.WARNING,
            min(certainty(share, worth), certainty(gain, self.seen * progress.error)),
            Span((name,), since, progress.last_step),
            say("{share} of the gain in the last fifth", share=percent(share)),
            say(
                "{name} was still improving when the run stopped, at {end:.4g}: the last fifth brought "
                "{share} of all it gained.",
                name=name,
                end=end,
                share=percent(share),
            ),
            {"gain_of_last_fifth": gain, "share_of_fall": share, "end": end},
            (
                say(
                    "Train longer, from the last checkpoint: half as many steps again, and look whether "
                    "{name} settles.",
                    name=name,
                ),
                say("If the whole curve is shallow, a learning rate two to three times as high saves the wait."),
            ),
        )


def _lately(progress: Progress) -> float:
    """What the last tenth of the run may have gained: of a few points the last, as levels of several lag behind."""
    values = progress.curve.values
    return float(values[-2] - values[-1]) if len(values) < FEW else progress.gain(0.1) + progress.error


def _ahead(gain: float, before: float) -> float:
    """What is still to come after a gain, and one before it over as long a stretch: the sum of a geometric series."""
    return gain * gain / (before - gain) if before > gain else float("inf")
