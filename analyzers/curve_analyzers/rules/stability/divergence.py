"""The rule `divergence`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from curve_analyzers.analyzer import Analyzer, Need, threshold
from curve_analyzers.examples import Example, decay, flat, growth, kick, line, run, step, valley
from curve_analyzers.findings import Finding, Severity, Span
from curve_analyzers.model import RunCurves
from curve_analyzers.progress import Progress, measure_all
from curve_analyzers.remedies import lower_rate
from curve_analyzers.saying import say
from curve_analyzers.signal import certainty
from curve_analyzers.wording import count, fall_or_rise

SHORTEST = 2  # points that show a growth
LOGGED = Need(say("no loss or score"), lambda run: [*Need.LEARNING.curves(run), *Need.LOGGED_LOSS.curves(run)])


@dataclass(frozen=True, kw_only=True)
class Divergence(Analyzer):
    """The training loss went up and stayed up.

    ## Why it matters
    The optimisation lost what it had learned. Whatever else the curves show from there on (a gap, a jagged line, an
    accuracy at chance) follows from it.

    ## What to try
    Lower the learning rate: to a third, then to a tenth. Warm it up, clip the gradient norm, and go back to the
    checkpoint before the rise.

    ## When it is wrong
    When the objective itself changes during the run (a loss weight that is ramped up, a curriculum that gets harder),
    and where a loss need not fall, as in adversarial training.

    ## Source
    Goodfellow, Bengio and Courville, "Deep Learning" (2016), chapter 8: too large a step raises the cost.
    """

    needs = (LOGGED,)
    explains = (
        "fit",
        "progress",
        "gradients",
        "oscillation",
        "loss_spikes",
        "non_finite",
        "loss_metric_disagreement",
        "class_imbalance",
    )

    rise: float = threshold(0.5, "climb above the lowest loss, as a share of the fall to it", gt=0)
    own: float = threshold(0.2, "the same as a share of the loss at the start, where it hardly fell at all", gt=0)
    quick: float = threshold(0.1, "share of the least climb that is told, at which it began", gt=0, lt=1)

    times: float = threshold(
        3.0, "the same where little was missing to the best value, as a factor of that: a warning", gt=1
    )
    slight: float = threshold(0.1, "least climb that is told for that, as a share of the fall", gt=0)
    stays: float = threshold(0.8, "share of its highest climb at which it then still ends", gt=0, le=1)
    steep: float = threshold(1000.0, "growth within the few points before a loss is lost, as a factor", gt=1)

    fires = (
        Example("growth without bound", run(train_loss=growth(2.3, 1e30), val_loss=growth(2.4, 1e30))),
        Example("it learned, then it blew up", run(train_loss=step(0.5, 8.0, 0.7), params={"lr": 0.5})),
        Example("both curves turn", run(train_loss=valley(end=2.0), val_loss=valley(end=2.2))),
        Example(
            "a collapse after a ramped rate", run(train_loss=valley(turn=0.5, end=2.3), learning_rate=line(0, 1, 0))
        ),
        Example("a reward that is lost", run(reward=valley(10.0, 200.0, end=20.0, noise=3.0))),
        Example("per step, noisy", run(2000, train_loss=valley(end=2.0, noise=0.1))),
        Example("12 epochs", run(12, train_loss=valley(end=2.0))),
        Example(
            "what was nearly perfect is lost for good",
            run(train_loss=step(0.05, 0.4, 0.7, 0.01).plus(decay(2.0, 0.0, 40))),
        ),
        Example("three points, then nothing", run(20, train_loss=growth(1e8, 1e200, 0.0).lost(0.12))),
    )
    quiet = (
        Example("overfitting: training falls", run(train_loss=decay(), val_loss=valley())),
        Example("a spike that recovers", run(train_loss=decay().bumped({0.5: 5.0}))),
        Example("a spike at the end", run(train_loss=decay().bumped({1.0: 5.0}))),
        Example("noise", run(train_loss=decay(noise=0.2))),
        Example("a jump that is being won back", run(train_loss=decay(floor=0.05, rate=9).plus(kick(0.6, 0.8, 4)))),
        Example("lost early, while it fell", run(20, train_loss=decay().lost(0.12))),
        Example("flat", run(train_loss=flat(1.0))),
        Example("a held-out curve alone that turns: overfitting", run(val_loss=valley(end=1.8))),
        Example("a small rise at the end", run(train_loss=valley(turn=0.8, end=0.8))),
    )

    def check(self, run: RunCurves) -> Iterator[Finding]:
        """Judge every curve the run is judged on in training; the worst speaks for the run."""
        risen = list(self._risen(run))
        yield from risen or self._lost_at_once(run)

    def _risen(self, run: RunCurves) -> Iterator[Finding]:
        for progress in measure_all(run, run.learning, self.least):
            # A held-out curve alone may rise because training goes too well; one that ends above its start blew up.
            rise = self.rise if run.training else max(self.rise, 1.0)
            scale = max(rise * progress.fall, self.own * abs(progress.start))
            if progress.rose and progress.rise >= scale:
                yield self._finding(run, progress, scale, Severity.CRITICAL)
            elif run.training and self._lost_its_best(progress):
                yield self._finding(run, progress, self.slight * progress.fall, Severity.WARNING)

    def _lost_its_best(self, progress: Progress) -> bool:
        """Whether a curve that had come close to its best value is now several times as far away, and stays there."""
        missing = progress.best - progress.perfect  # NaN where the best value is unknown
        after = progress.levels[int(progress.levels.argmin()) :]
        return (
            progress.rose
            and progress.rise >= self.slight * progress.fall
            and progress.end - progress.perfect >= self.times * missing > 0
            and progress.rise >= self.stays * (float(after.max()) - progress.best)
        )

    def _lost_at_once(self, run: RunCurves) -> Iterator[Finding]:
        """Of a loss that is lost after a few points, whether these already grew beyond any bound."""
        for raw in Need.LOGGED_LOSS.curves(run):
            finite = np.isfinite(raw.values)
            points = int(finite.argmin())
            values = raw.values[:points]
            if not SHORTEST <= points < self.least or finite[points:].any() or not (values[1:] > values[:-1]).all():
                continue
            if values[-1] < self.steep * abs(values[0]):
                continue
            first, last = int(raw.steps[0]), int(raw.steps[points])
            yield self.finding(
                Severity.CRITICAL,
                0.95,
                Span((raw.name,), first, int(raw.steps[-1])),
                say("{first:.3g} to {end:.3g}, then lost", first=values[0], end=values[-1]),
                say(
                    "{name} grew from {first:.4g} to {end:.4g} within {points} and was no number from step {last} on.",
                    name=raw.name,
                    first=values[0],
                    end=values[-1],
                    points=count(points, "point"),
                    last=last,
                ),
                {"best_step": first, "best": float(values[0]), "end": float(values[-1]), "since_step": first},
                self._remedies(run),
            )
            return

    def _finding(self, run: RunCurves, progress: Progress, scale: float, severity: Severity) -> Finding:
        name, since = progress.name, self._since(progress, scale)
        best, end = progress.shown(progress.best_value), progress.shown(progress.end)
        change = fall_or_rise(best, end)
        way = say("fell") if progress.shown(1.0) < 0 else say("rose")
        return self.finding(
            severity,
            min(certainty(progress.rise, scale), progress.certainty(progress.rise)),
            Span((name,), since, progress.last_step),
            say("{change} since step {since}", change=change, since=since),
            say(
                "{name} reached {best:.4g} at step {best_step}, {way} from step {since} on and ended at {end:.4g}.",
                name=name,
                best=best,
                best_step=progress.best_step,
                way=way,
                since=since,
                end=end,
            ),
            {"best_step": progress.best_step, "best": best, "end": end, "since_step": since},
            self._remedies(run),
        )

    @staticmethod
    def _remedies(run: RunCurves) -> tuple[str, ...]:
        return (
            lower_rate(run),
            say("Warm the rate up over the first 1 to 5 % of the steps."),
            say("Clip the gradient norm (1.0 is a usual start), and go back to the checkpoint before the rise."),
            say("Look at the batch where it began: one wrong input or label can be enough."),
        )

    def _since(self, progress: Progress, scale: float) -> int:
        """The last step at which the curve had not yet climbed noticeably."""
        low = np.flatnonzero(progress.levels <= progress.best + max(self.quick * scale, progress.error))
        return int(progress.steps[low[-1]])
