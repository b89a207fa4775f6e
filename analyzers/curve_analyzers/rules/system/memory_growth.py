"""The rule `memory_growth`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from curve_analyzers.analyzer import Analyzer, Need, threshold
from curve_analyzers.examples import Example, Shape, decay, flat, line, run, sawtooth, step
from curve_analyzers.findings import Finding, Severity, Span
from curve_analyzers.model import Curve, RunCurves
from curve_analyzers.progress import BEYOND_NOISE, BINS
from curve_analyzers.saying import say
from curve_analyzers.signal import bins, certainty, noise
from curve_analyzers.wording import percent

QUANTITIES = ("memory", "gpu_memory")


def _steps() -> Shape:
    """As much more in each of twenty epochs."""
    return Shape(lambda t: 4000 + 200 * np.floor(20 * t), 20.0)


@dataclass(frozen=True, slots=True)
class Growth:
    """How the memory grew over a run, as a straight line.

    Attributes:
        curve: What was measured.
        start: The line at the end of the warm-up.
        end: The line at the end of the run.
        late: The growth of the second half over that of the first; 1 for a straight line.
        rising: Share of the pairs of stretches whose later one is the higher, less that of the others (Kendall's tau).
        noise: The growth that noise alone may show.
    """

    curve: Curve
    start: float
    end: float
    late: float
    rising: float
    noise: float

    @property
    def share(self) -> float:
        """The growth as a share of where it began."""
        return (self.end - self.start) / self.start


@dataclass(frozen=True, kw_only=True)
class MemoryGrowth(Analyzer):
    """Memory grows steadily to the end of the run.

    ## Why it matters
    A leak ends a run that is long enough, most often at night, and swapping slows it down long before. What a short run
    survives, the long one that follows does not.

    ## What to try
    Look for what is kept: losses collected without `.item()` or `.detach()`, predictions and metrics in lists, figures
    that are not closed, data-loading workers that copy a growing list, callbacks that hold each batch.

    ## When it is wrong
    When it fills up on purpose: a replay buffer, a cache of the data set, sequences that get longer. Memory of the
    whole machine grows with its other jobs too. A warm-up that levels off is not told.

    ## Source
    Sen, "Estimates of the regression coefficient based on Kendall's tau" (1968): slope and monotony without a model.
    """

    needs = (
        Need(say("no memory was logged"), lambda run: [run[role] for role in run.roles if role.quantity in QUANTITIES]),
    )
    least = 10
    vouches = False
    explains = ("throughput_drop",)

    grown: float = threshold(0.1, "growth over the run, as a share of where it began", gt=0)
    steady: float = threshold(0.5, "growth of the second half over that of the first; a warm-up levels off", gt=0)
    sudden: float = threshold(3.0, "the same, from which it is a jump and no steady growth", gt=1)
    monotone: float = threshold(0.7, "Kendall's tau of the levels with time, from which it grows steadily", gt=0, le=1)
    warm_up: float = threshold(0.1, "share of the run at its start that does not count", ge=0, lt=1)

    fires = (
        Example("a leak", run(train_loss=decay(), memory=line(4000, 9000, 50))),
        Example("on the GPU", run(train_loss=decay(), gpu_memory=line(10e9, 14e9, 1e8))),
        Example(
            "a leak under a saw-tooth",
            run(500, train_loss=decay(), memory=sawtooth(line(4000, 8000, 50), 400, period=0.03)),
        ),
        Example("12 points", run(12, train_loss=decay(), memory=line(30, 60, 0.5))),
        Example("in steps, once an epoch", run(200, train_loss=decay(), memory=_steps())),
    )
    quiet = (
        Example("even", run(train_loss=decay(), memory=flat(4000, 50))),
        Example("a warm-up that levels off", run(train_loss=decay(), memory=decay(1000, 8000, 8, 30))),
        Example("a jump at the first evaluation", run(train_loss=decay(), memory=step(4000, 7000, 0.5, 20))),
        Example("noise", run(train_loss=decay(), memory=flat(4000, 1500))),
        Example("a creep that ends nowhere", run(train_loss=decay(), memory=line(4000, 4100, 10))),
        Example("it shrinks", run(train_loss=decay(), memory=line(8000, 4000, 50))),
    )

    def check(self, run: RunCurves) -> Iterator[Finding]:
        """Judge each memory that was logged; the one that grew most speaks for its kind."""
        for quantity in QUANTITIES:
            curves = [run[role] for role in run.roles if role.quantity == quantity and len(run[role]) >= self.least]
            growing = [growth for growth in map(self._growth, curves) if self._leaks(growth)]
            if growing:
                yield self._finding(max(growing, key=lambda growth: growth.share))

    def _growth(self, curve: Curve) -> Growth:
        """Measure by the slopes between all pairs of stretches, by their median (Theil and Sen)."""
        medians, _ = bins(curve.values[int(self.warm_up * len(curve)) :], BINS)
        count, middle = len(medians), len(medians) // 2
        first, second = np.triu_indices(count, 1)
        slopes = (medians[second] - medians[first]) / (second - first)
        slope = float(np.median(slopes))
        centre = float(np.median(medians - slope * np.arange(count)))
        halves = [float(np.median(slopes[part])) for part in (second < middle, first >= middle)]
        # A line's ends are known within the noise of a few points.
        error = BEYOND_NOISE * noise(medians) / max(count / 4, 1.0) ** 0.5
        late = halves[1] / halves[0] if halves[0] > 0 else np.inf if halves[1] > 0 else 0.0
        return Growth(curve, centre, centre + slope * (count - 1), float(late), float(np.sign(slopes).mean()), error)

    def _leaks(self, growth: Growth) -> bool:
        return (
            growth.start > 0
            and growth.share >= self.grown
            and growth.end - growth.start > growth.noise
            and growth.rising >= self.monotone
            and self.steady <= growth.late <= self.sudden
        )

    def _finding(self, growth: Growth) -> Finding:
        curve = growth.curve
        first, last = int(curve.steps[int(self.warm_up * len(curve))]), int(curve.steps[-1])
        again = round(growth.start / (growth.end - growth.start) * (last - first))
        return self.finding(
            Severity.WARNING,
            min(certainty(growth.share, self.grown), certainty(growth.end - growth.start, growth.noise), 0.95),
            Span((curve.name,), first, last),
            say("+{share}, still growing", share=percent(growth.share)),
            say(
                "{curve} grew steadily from {start:.4g} to {end:.4g} (+{share}) and was still growing at "
                "the end; at this pace it takes as much again as at first every {again:,} steps.",
                curve=curve.name,
                start=growth.start,
                end=growth.end,
                share=percent(growth.share),
                again=again,
            ),
            {"start": growth.start, "end": growth.end, "growth": growth.share, "kendall_tau": growth.rising},
            (
                say("Look for what is kept from step to step: losses without `.item()`, lists of predictions."),
                say("Close figures, and empty what callbacks and loggers collect, after each evaluation."),
                say(
                    "With data-loading workers: keep file names in one array and not in a list, or restart the workers."
                ),
                say("Until it is found, write checkpoints and restart the process now and then."),
            ),
        )
