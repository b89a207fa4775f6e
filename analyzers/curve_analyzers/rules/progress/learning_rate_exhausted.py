"""The rule `learning_rate_exhausted`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from curve_analyzers.alignment import same_moment
from curve_analyzers.analyzer import Analyzer, Need, threshold
from curve_analyzers.examples import Example, Shape, decay, flat, line, run
from curve_analyzers.findings import Finding, Severity, Span
from curve_analyzers.model import Curve, Role, RunCurves
from curve_analyzers.progress import Progress, measure, measure_all
from curve_analyzers.saying import say
from curve_analyzers.signal import certainty
from curve_analyzers.wording import percent

ROUNDING = 0.999  # two steps down to a tenth each are a hundredth, give or take a rounding


def _rate(run: RunCurves) -> list[Curve]:
    return [run[Role.LEARNING_RATE]] if Role.LEARNING_RATE in run else []


def _cut(at: float, noise: float = 0.01, start: float = 2.3, end: float = 0.2) -> Shape:
    """A straight fall towards `end` that stands still from progress `at` on."""
    return Shape(lambda t: start + (end - start) * np.minimum(t, at), noise)


def _schedule(at: float) -> Shape:
    """A cosine from 0.1 down to nothing at progress `at`."""
    return Shape(lambda t: 0.05 * (1 + np.cos(np.pi * np.minimum(t / at, 1.0))))


@dataclass(frozen=True, slots=True)
class Tail:
    """The last stretch of a run, in which the learning rate was next to nothing.

    Attributes:
        since: The step of the judged curve at which it began.
        share: Its share of the run.
        pace_before: Fall in as long a stretch before it, as a share of the whole fall, while the rate was still there.
        gain: Fall within it, as a share of the whole fall.
        peak: The highest learning rate.
        end: The last.
    """

    since: float
    share: float
    pace_before: float
    gain: float
    peak: float
    end: float


@dataclass(frozen=True, kw_only=True)
class LearningRateExhausted(Analyzer):
    """The schedule took the learning rate away before the learning was done.

    ## Why it matters
    From there on the steps change nothing: the curve looks settled, and it is only frozen. The budget of the tail is
    lost, and the run says nothing about what the model can reach.

    ## What to try
    Stretch the schedule over all the steps of the run: a scheduler that is stepped per batch but counts epochs ends too
    soon. Or decay more gently, to a tenth or a hundredth of the peak at the very end.

    ## When it is wrong
    When the curve was as low as it gets by the time the rate was gone. The rule asks for a curve that was still
    falling, or is far from its best value, and stays silent on the short end of a cosine.

    ## Source
    Li et al., "Budgeted Training" (2020): a schedule belongs to its budget, decaying to nothing only at its end.
    """

    needs = (Need.LEARNING, Need(say("no learning rate was logged"), _rate))
    explains = (
        "underfitting",
        "no_learning",
        "slow_learning",
        "wasted_compute",
        "plateau",
        "loss_metric_disagreement",
    )

    gone: float = threshold(0.01, "learning rate as a share of its peak, below which it moves nothing", gt=0, lt=1)
    long: float = threshold(0.2, "share of the run for which it was gone; a cosine spends 6 % there", gt=0, lt=1)
    still: float = threshold(0.05, "gain in the tail, as a share of the whole fall, that is none", ge=0)
    falling: float = threshold(
        0.1, "gain in as long a stretch before, as a share of the fall: it was still falling", gt=0
    )
    done: float = threshold(0.25, "share of the way to the best value below which it was far from done", gt=0, le=1)
    fair_score: float = threshold(0.4, "share of the way from which a held-out score says that it was not", gt=0, le=1)

    fires = (
        Example(
            "the schedule ended at 40 %",
            run(train_loss=_cut(0.4), learning_rate=_schedule(0.4)),
        ),
        Example("held out as well", run(train_loss=_cut(0.4), val_loss=_cut(0.4), learning_rate=_schedule(0.4))),
        Example(
            "an exponential decay far too fast",
            run(train_loss=decay(2.3, 1.6, 25), learning_rate=decay(0.1, 0.0, 25, 0.0)),
        ),
        Example("per step, noisy", run(2000, train_loss=_cut(0.4, 0.1), learning_rate=_schedule(0.4))),
        Example("12 epochs", run(12, train_loss=_cut(0.4), learning_rate=_schedule(0.4))),
        Example("only scores", run(val_accuracy=_cut(0.4, 0.005, 0.1, 0.9), learning_rate=_schedule(0.4))),
    )
    quiet = (
        Example("an ordinary cosine end", run(train_loss=decay(), learning_rate=_schedule(1.0))),
        Example("it was done by then", run(train_loss=decay(rate=25), learning_rate=_schedule(0.7))),
        Example("a constant rate", run(train_loss=_cut(0.4), learning_rate=flat(0.1, 0.0))),
        Example("down to a tenth", run(train_loss=_cut(0.4), learning_rate=line(0.1, 0.01, 0.0))),
        Example(
            "still falling with a small rate", run(train_loss=line(2.3, 1.0), learning_rate=decay(1.0, 0.001, 20, 0.0))
        ),
    )

    def check(self, run: RunCurves) -> Iterator[Finding]:
        """Judge the training curve, which the rate moves; else the held-out one."""
        progress = measure(run, run.learning[0])
        tail = self._tail(run, progress)
        if tail is None or tail.share < self.long or tail.gain > self.still:
            return
        falling = tail.pace_before >= self.falling
        far = progress.share < self.done and not self._scores_well(run)
        if progress.fell and (falling or far):
            yield self._finding(progress, tail, falling=falling)

    def _scores_well(self, run: RunCurves) -> bool:
        """Whether a score between 0 and 1 came most of the way, whatever the loss says."""
        return any(score.share >= self.fair_score for score in measure_all(run, run.held_out_scores(), self.least))

    def _tail(self, run: RunCurves, progress: Progress) -> Tail | None:
        """Measure the stretch after the last step at which there was a rate; None where it never went."""
        rate = run[Role.LEARNING_RATE]
        peak = float(rate.values.max())
        there = np.flatnonzero(rate.values >= ROUNDING * self.gone * peak)
        if not peak > 0 or there[-1] + 1 >= len(rate):
            return None
        since = same_moment(rate, int(rate.steps[there[-1] + 1]), progress.curve)
        first, last = float(progress.curve.steps[0]), float(progress.last_step)
        length = last - since
        if not (last > first and length > 0 and progress.fall > 0):
            return None
        # A curve's levels lag by half their width; the tail is judged from where they are all inside it.
        level = progress.at(since)
        before = (progress.at(max(since - length, first)) - level) / progress.fall
        gain = (progress.at(since + 0.3 * length) - progress.end) / progress.fall
        return Tail(since, length / (last - first), before, gain, peak, float(rate.values[-1]))

    def _finding(self, progress: Progress, tail: Tail, *, falling: bool) -> Finding:
        since, level = round(tail.since), progress.shown(progress.end)
        why = (
            say(
                "it had been falling until then ({pace_before} of all it gained in as long a stretch before)",
                pace_before=percent(tail.pace_before),
            )
            if falling
            else say("it had come {share} of the way to the best value there can be", share=percent(progress.share))
        )
        # A low level alone may be all that there is to learn.
        sure = certainty(tail.pace_before, self.falling) if falling else min(certainty(self.done, progress.share), 0.7)
        return self.finding(
            Severity.WARNING,
            min(sure, certainty(tail.share, self.long), 0.95),
            Span((progress.name,), since, progress.last_step),
            say("gone for the last {share}", share=percent(tail.share)),
            say(
                "The learning rate was under {gone} of its peak ({peak:.3g}) from step {since} on, for "
                "{share} of the run, and {progress} stood at {level:.4g} since; {why}.",
                gone=percent(self.gone),
                peak=tail.peak,
                since=since,
                share=percent(tail.share),
                progress=progress.name,
                level=level,
                why=why,
            ),
            {
                "since_step": since,
                "share_of_run": tail.share,
                "peak": tail.peak,
                "end_rate": tail.end,
                "gain_before": tail.pace_before,
                "gain_in_tail": tail.gain,
            },
            (
                say(
                    "Stretch the schedule over the whole run: it ended at step {since} of {last_step}.",
                    since=since,
                    last_step=progress.last_step,
                ),
                say("See whether it is stepped for each batch and was planned in epochs."),
                say(
                    "Decay more gently: end at {tenth:.2g} to {hundredth:.2g}.",
                    tenth=tail.peak / 10,
                    hundredth=tail.peak / 100,
                ),
                say("Or keep the schedule and stop with it: the steps after it were for nothing."),
            ),
        )
