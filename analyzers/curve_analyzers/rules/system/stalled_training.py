"""The rule `stalled_training`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from curve_analyzers.analyzer import Analyzer, Need, threshold
from curve_analyzers.clock import Clock, clock, moments
from curve_analyzers.examples import Example, decay, run, ticking
from curve_analyzers.findings import Finding, Severity, Span
from curve_analyzers.model import Curve, Floats, Ints, RunCurves
from curve_analyzers.progress import BINS
from curve_analyzers.saying import say
from curve_analyzers.signal import certainty
from curve_analyzers.wording import count, duration, percent

MOST = 0.5  # of a wait, in which no curve at all got a point


@dataclass(frozen=True, slots=True, eq=False)
class Waits:
    """The waits between the points of a curve, for as many steps as they stand for.

    Attributes:
        curve: The curve.
        seconds: (n - 1,) from each point to the next.
        usual: What each would usually have taken.
        long: Which of them are far longer than that and no pause that comes back at even distances.
    """

    curve: Curve
    seconds: Floats
    usual: Floats
    long: Ints

    @property
    def lost(self) -> float:
        """The seconds that the long ones took beyond what is usual."""
        return float((self.seconds - self.usual)[self.long].sum())

    @property
    def share(self) -> float:
        """The same as a share of the run's time."""
        return self.lost / float(self.seconds.sum())


@dataclass(frozen=True, kw_only=True)
class StalledTraining(Analyzer):
    """The training stood still for a time that its own pace does not explain.

    ## Why it matters
    Nothing was logged while the machine, and perhaps a rented GPU, was held. A stall that happened once may happen
    each night: a hanging data loader, a full disk, a lost network share, a worker that waits for another.

    ## What to try
    Look at what the machine did at that moment: the system metrics, the logs of the scheduler, the storage. Then guard
    the run: time limits on data loading, checkpoints to go on from.

    ## When it is wrong
    When the run was paused or resumed on purpose, or the laptop slept. Pauses that come back at even distances, as
    evaluations and checkpoints do, are not told.

    ## Source
    Tukey, "Exploratory Data Analysis" (1977): what is far out of a batch, by its own median.
    """

    needs = (
        Need(
            say("no curve has wall times that can be trusted"),
            lambda run: [told.curve] if (told := clock(run)) else [],
        ),
    )
    least = 6
    vouches = False

    times: float = threshold(20.0, "wait, as a multiple of what as many steps usually take, that is far longer", gt=1)
    share: float = threshold(0.05, "share of the run's time that the stalls took", gt=0, lt=1)
    seconds: float = threshold(60.0, "least seconds that a stall must take to matter to anyone", ge=0)
    even: float = threshold(0.2, "deviation of the distances between pauses, as a share of them, that is even", ge=0)
    repeats: float = threshold(3, "pauses from which their distances tell whether they are even", ge=2)

    fires = (
        Example("an hour among steps of ten seconds", run(train_loss=decay(), clock=ticking(600, stalls={0.5: 3600}))),
        Example("two stalls", run(200, train_loss=decay(), clock=ticking(2000, stalls={0.3: 900, 0.8: 4000}))),
        Example("12 epochs", run(12, val_loss=decay(), clock=ticking(720, stalls={0.6: 9000}))),
        Example(
            "per step, among evaluation pauses",
            run(2000, train_loss=decay(noise=0.1), clock=ticking(2000, pauses=(20, 30), stalls={0.7: 20_000})),
        ),
    )
    quiet = (
        Example("an even pace", run(train_loss=decay())),
        Example("evaluation pauses", run(500, train_loss=decay(), clock=ticking(500, pauses=(10, 120)))),
        Example("slower from half on: throughput_drop", run(train_loss=decay(), clock=ticking(600, slower=(0.5, 6.0)))),
        Example(
            "steps logged rarely in the end",
            run(train_loss=decay(), steps=lambda steps: steps**2, clock=lambda t: 600 * t**2),
        ),
        Example("all at one moment: an imported log", run(train_loss=decay(), clock=np.zeros_like)),
        Example("a short wait in a short run", run(train_loss=decay(), clock=ticking(1, stalls={0.5: 2}))),
    )

    def check(self, run: RunCurves) -> Iterator[Finding]:
        """Judge the curve with the most points; what the others logged meanwhile shows that training went on."""
        told = clock(run)
        if told and len((waits := self._waits(run, told)).long) and waits.share >= self.share:
            yield self._finding(waits)

    def _waits(self, run: RunCurves, told: Clock) -> Waits:
        curve, seconds = told.curve, told.seconds
        passed, steps = np.diff(seconds), np.diff(curve.steps.astype(np.float64))
        # Over stretches: a clock of whole seconds, or points written in batches, tell no pace from one to the next.
        edges = np.linspace(0, len(passed), min(len(passed), BINS) + 1).round().astype(np.int64)
        usual = float(np.median(np.diff(seconds[edges]) / np.diff(curve.steps[edges].astype(np.float64)))) * steps
        far = np.flatnonzero((usual > 0) & (passed >= np.maximum(self.times * usual, self.seconds + usual)))
        # What the other curves got meanwhile shows that training went on.
        logged = moments(run) - np.asarray(curve.wall_times)[0] if len(far) else seconds
        silent = [_silence(logged, seconds[index], seconds[index + 1]) >= MOST * passed[index] for index in far]
        return Waits(curve, passed, usual, self._uneven(far[np.array(silent, np.bool_)], passed))

    def _uneven(self, far: Ints, passed: Floats) -> Ints:
        """Those of the long waits that are not pauses at even distances, or are far longer than such pauses."""
        apart = np.diff(far)
        if len(far) < self.repeats or np.median(np.abs(apart - np.median(apart))) > self.even * np.median(apart):
            return far
        return far[passed[far] >= self.times * np.median(passed[far])]

    def _finding(self, waits: Waits) -> Finding:
        curve, longest = waits.curve, int(waits.long[waits.seconds[waits.long].argmax()])
        took = float(waits.seconds[longest])
        at, usual = int(curve.steps[longest]), float(waits.usual[longest])
        more = (
            say(", one of {stalls} that took {lost}", stalls=count(len(waits.long), "stall"), lost=duration(waits.lost))
            if len(waits.long) > 1
            else ""
        )
        return self.finding(
            Severity.WARNING,
            min(certainty(took / max(usual, 1e-9), self.times), certainty(waits.share, self.share), 0.95),
            Span((curve.name,), int(curve.steps[waits.long[0]]), int(curve.steps[waits.long[-1] + 1])),
            say("{took} after step {at}", took=duration(took), at=at),
            say(
                "Nothing was logged for {took} after step {at}, where as many steps usually take "
                "{usual}{more}: {share} of the run's time.",
                took=duration(took),
                at=at,
                usual=duration(usual),
                more=more,
                share=percent(waits.share),
            ),
            {
                "longest_seconds": took,
                "usual_seconds": usual,
                "after_step": at,
                "stalls": len(waits.long),
                "lost_hours": waits.lost / 3600,
                "share_of_time": waits.share,
            },
            (
                say(
                    "Look at what the machine did after step {at}: system metrics, scheduler, storage, network.", at=at
                ),
                say("Set time limits on data loading and on workers that wait for each other, so that a hang fails."),
                say("Write checkpoints often enough that a stalled run can be stopped and taken up again."),
            ),
        )


def _silence(logged: Floats, first: float, last: float) -> float:
    """The longest wait between two moments in which nothing was logged."""
    within = logged[np.searchsorted(logged, first, "right") : np.searchsorted(logged, last, "left")]
    return float(np.diff(np.r_[first, within, last]).max())
