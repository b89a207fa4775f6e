"""The rule `slow_learning`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from curve_analyzers.analyzer import Analyzer, Need, threshold
from curve_analyzers.examples import Example, decay, flat, line, run, valley
from curve_analyzers.findings import Finding, Severity, Span
from curve_analyzers.hyperparameters import boosted, learning_rate
from curve_analyzers.model import RunCurves
from curve_analyzers.progress import Progress, measure, measure_all
from curve_analyzers.remedies import raise_rate
from curve_analyzers.saying import say
from curve_analyzers.signal import certainty
from curve_analyzers.wording import percent


@dataclass(frozen=True, kw_only=True)
class SlowLearning(Analyzer):
    """Steady progress, at a rate that would need many times the run's length.

    ## Why it matters
    A loss that falls along a straight shallow line has not begun to meet any difficulty: each step is simply too
    small. The same hours would have brought the model several times as far.

    ## What to try
    Raise the learning rate, threefold to tenfold, until the loss turns jagged, and go back one step. A warm-up lets
    the higher rate start safely.

    ## When it is wrong
    When the run was cut short on purpose, or is the long straight tail of a model that was trained before. A loss that
    can go below zero has no known best value, and the rule stays silent on it. So it does where a held-out curve has
    turned, and on boosted trees at a usual rate, which need more rounds.

    ## Source
    Smith, "Cyclical Learning Rates for Training Neural Networks" (2017): the range test reads the same line.
    """

    needs = (Need.LEARNING,)
    explains = ("not_converged", "underfitting")

    least_share: float = threshold(0.02, "share of the way to the best value below which nothing was learned", ge=0)
    most_share: float = threshold(0.4, "share of the way above which the pace was fair", gt=0, le=1)
    straight: float = threshold(
        0.6, "fall of the second half over that of the first, from which the way is straight", gt=0
    )
    going: float = threshold(0.5, "pace of the last fifth, as a share of the mean, at which it still goes on", ge=0)
    sudden: float = threshold(2.0, "the same above which the way was no straight line but fell at its end", gt=1)
    turned: float = threshold(0.05, "climb of a held-out curve, as a share of its fall: the model learned enough", gt=0)
    usual_rate: float = threshold(
        0.03, "learning rate of boosted trees at which they need rounds, no higher rate", gt=0
    )

    fires = (
        Example("a straight shallow descent", run(train_loss=line(2.3, 2.0), params={"learning_rate": 1e-5})),
        Example("per step, noisy", run(2000, train_loss=line(2.3, 2.0, 0.08))),
        Example("12 epochs", run(12, train_loss=line(1.0, 0.85, 0.003))),
    )
    quiet = (
        Example("the tail of a converged run", run(train_loss=decay())),
        Example("a straight way that arrives", run(train_loss=line(2.3, 0.3))),
        Example("nothing was learned", run(train_loss=flat(2.3))),
        Example("stuck after a first gain", run(train_loss=decay(2.3, 1.9, 20))),
        Example("held-out data have turned", run(train_loss=line(2.3, 1.9), val_loss=valley())),
        Example(
            "boosted trees at a usual rate, cut short",
            run(14, train_loss=line(0.66, 0.46, 0.001), params={"n_estimators": 14, "learning_rate": 0.1}),
        ),
    )

    def check(self, run: RunCurves) -> Iterator[Finding]:
        """Judge the first of the curves the run is judged on."""
        progress = measure(run, run.learning[0])
        few = progress.fell and self.least_share <= progress.share < self.most_share
        if not few or self._needs_rounds(run) or self._turned(run):
            return
        second = progress.gain(0.5)
        first = float(progress.levels[0]) - progress.end - second
        pace = progress.gain(0.2) / (0.2 * (first + second)) if first + second > 0 else 0.0
        even = self.going <= pace <= self.sudden and second >= self.straight * first
        if even and progress.beyond_noise(second):
            yield self._finding(run, progress, second)

    def _needs_rounds(self, run: RunCurves) -> bool:
        """Whether these are boosted trees at a usual rate."""
        return boosted(run) and (learning_rate(run) or 0.0) >= self.usual_rate

    def _turned(self, run: RunCurves) -> bool:
        """Whether a held-out curve got worse: what is slow has not begun to meet that."""
        held_out = measure_all(run, run.held_out, self.least)
        return any(val.rose and val.rise >= self.turned * val.fall for val in held_out)

    def _finding(self, run: RunCurves, progress: Progress, second: float) -> Finding:
        name = progress.name
        start, end = progress.shown(progress.start), progress.shown(progress.end)
        lengths = (progress.end - progress.perfect) / (2 * second)
        return self.finding(
            Severity.WARNING,
            min(certainty(self.most_share, progress.share), progress.certainty(second)),
            Span((name,), int(progress.curve.steps[0]), progress.last_step),
            say("only {share} of the way", share=percent(progress.share)),
            say(
                "{name} moved along a straight line from {start:.4g} to {end:.4g}, {share} of the way to "
                "the best value there can be. At this pace the rest takes about {lengths:.0f} more runs "
                "as long as this one.",
                name=name,
                start=start,
                end=end,
                share=percent(progress.share),
                lengths=lengths,
            ),
            {"start": start, "end": end, "share_of_way": progress.share, "more_runs_needed": lengths},
            (
                raise_rate(run),
                say(
                    "Let the rate warm up over the first 1 to 5 % of the steps, so that the higher rate starts safely."
                ),
                say("Scale the inputs; try an adaptive optimizer such as Adam."),
                say("Only then train longer."),
            ),
        )
