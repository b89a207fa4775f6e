"""The rule `throughput_drop`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from curve_analyzers.analyzer import Analyzer, Need, threshold
from curve_analyzers.clock import Clock, clock
from curve_analyzers.examples import Example, decay, flat, line, run, step, ticking
from curve_analyzers.findings import Finding, Severity, Span
from curve_analyzers.model import Curve, Floats, Ints, Role, RunCurves
from curve_analyzers.progress import BEYOND_NOISE, BINS
from curve_analyzers.saying import say
from curve_analyzers.signal import bins, certainty, noise, running_median, spread
from curve_analyzers.wording import duration

MEDIAN_ERROR = 1.25  # standard error of a median over that of a mean
LONE = 5  # stretches whose running median leaves a single stall or pause out
EDGE = 0.1  # of the run that each side of the change must last


def _slow_for_a_while(t: Floats) -> Floats:
    """A clock that is three times slower for a tenth of the run."""
    return np.asarray(1000 * t + 2000 * np.clip(t - 0.4, 0.0, 0.1), np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Pace:
    """What a step took over a run, in stretches.

    Attributes:
        name: The curve it was taken from.
        cost: (m,) time for a step in each stretch, in any unit.
        steps: (m,) the first step of each.
        rate: Whether the curve logged the inverse, steps for a time.
        seconds: The time of the whole run; None where only the logged quantity tells.
    """

    name: str
    cost: Floats
    steps: Ints
    rate: bool
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Slowdown:
    """The single change that splits a run best into a faster and a slower part."""

    pace: Pace
    since: int
    before: float
    after: float
    share: float
    limit: float

    @property
    def ratio(self) -> float:
        """How many times as long a step took after it."""
        return self.after / self.before


@dataclass(frozen=True, kw_only=True)
class ThroughputDrop(Analyzer):
    """From some step on, the same steps took much longer.

    ## Why it matters
    The rest of the run costs a multiple of what it should. A pace that drops and stays down has a cause: another job on
    the machine, a GPU that throttles, a cache that is full, data that come from slower storage, lists that grow.

    ## What to try
    Compare the machine before and after: GPU clock and temperature, other processes, memory that swaps, the disk. In
    the code, look for what grows: losses kept with their graph, metrics kept in lists.

    ## When it is wrong
    When each step was given more to do on purpose: longer sequences, larger images, unfrozen layers, a larger batch.

    ## Source
    Hinkley, "Inference about the change-point from cumulative sum tests" (1971), on medians of the logarithm.
    """

    needs = (
        Need(
            say("no throughput, step time or wall times were logged"),
            lambda run: [*map(run.__getitem__, _logged(run)), *_clocked(run)],
        ),
    )
    least = 12
    vouches = False
    explains = ("gpu_underused",)

    ratio: float = threshold(2.0, "how many times as long a step takes after the drop", gt=1)
    lost: float = threshold(60.0, "least seconds that it must have cost, where the clock tells", ge=0)

    fires = (
        Example("three times slower from half on", run(train_loss=decay(), clock=ticking(600, slower=(0.5, 3.0)))),
        Example("a logged throughput", run(train_loss=decay(), throughput=step(1000, 300, 0.6, 30))),
        Example("a logged step time", run(train_loss=decay(), step_time=step(0.2, 0.9, 0.4, 0.02))),
        Example("13 epochs", run(13, val_loss=decay(), clock=ticking(900, slower=(0.5, 5.0)))),
        Example(
            "per step, with a pause for each evaluation",
            run(2000, train_loss=decay(noise=0.1), clock=ticking(2000, pauses=(20, 60), slower=(0.7, 4.0))),
        ),
        Example("slower and slower", run(train_loss=decay(), clock=lambda t: 600 * (t + 2 * t**2))),
    )
    quiet = (
        Example("an even pace", run(train_loss=decay())),
        Example("evaluation pauses", run(500, train_loss=decay(), clock=ticking(500, pauses=(10, 120)))),
        Example("one stall: stalled_training", run(train_loss=decay(), clock=ticking(600, stalls={0.5: 3600}))),
        Example("faster after a warm-up", run(train_loss=decay(), clock=lambda t: 600 * t + 300 * np.minimum(t, 0.1))),
        Example("slow for a while", run(100, train_loss=decay(), clock=_slow_for_a_while)),
        Example("an uneven throughput", run(train_loss=decay(), throughput=flat(1000, 250))),
        Example("a little slower", run(train_loss=decay(), throughput=line(1000, 800, 20))),
        Example("all at one moment: an imported log", run(train_loss=decay(), clock=np.zeros_like)),
        Example("a log written in seconds", run(train_loss=decay(), clock=ticking(5, slower=(0.5, 3.0)))),
    )

    def check(self, run: RunCurves) -> Iterator[Finding]:
        """Judge what was logged of the pace, and the clock; the clearest speaks for the run."""
        paces = [*(_paced(run, role) for role in _logged(run)), *([_timed(told)] if (told := clock(run)) else [])]
        found = [
            drop
            for pace in paces
            if len(pace.cost) >= self.least - 1 and (drop := _slowdown(pace)) and self._matters(drop)
        ]
        if found:
            yield self._finding(max(found, key=lambda drop: drop.ratio))

    def _matters(self, drop: Slowdown) -> bool:
        if drop.ratio < self.ratio or np.log(drop.ratio) < drop.limit:
            return False
        seconds = drop.pace.seconds
        return seconds is None or seconds * drop.share * (1 - 1 / drop.ratio) >= self.lost

    def _finding(self, drop: Slowdown) -> Finding:
        pace, last = drop.pace, int(drop.pace.steps[-1])
        before, after = (
            f"{1 / cost:.3g}" if pace.rate else duration(cost) if pace.seconds is not None else f"{cost:.3g}"
            for cost in (drop.before, drop.after)
        )
        what = say("{pace} went", pace=pace.name) if pace.seconds is None else say("A step went")
        return self.finding(
            Severity.WARNING,
            min(certainty(float(np.log(drop.ratio)), max(drop.limit, float(np.log(self.ratio)))), 0.95),
            Span((pace.name,), drop.since, last),
            say("{ratio:.2g} times slower since step {since}", ratio=drop.ratio, since=drop.since),
            say(
                "{what} from {before} to {after} at step {since} and stayed there: {ratio:.2g} times slower.",
                what=what,
                before=before,
                after=after,
                since=drop.since,
                ratio=drop.ratio,
            ),
            {"since_step": drop.since, "ratio": drop.ratio, "before": before, "after": after},
            (
                say(
                    "Compare the machine before and after step {since}: GPU clock and temperature, other jobs, swap.",
                    since=drop.since,
                ),
                say(
                    "Look for what grows with the steps: losses kept with their graph, lists of metrics, logs, caches."
                ),
                say("See whether the data come from slower storage once a cache is full; load with more workers."),
            ),
        )


def _slowdown(pace: Pace) -> Slowdown | None:
    """Split a run where a faster and a slower part differ most, and see that it stays slow to the end."""
    size, count = np.log(pace.cost), len(pace.cost)
    edge = max(2, round(EDGE * count))
    steady = running_median(size, LONE)
    sums, lengths = np.cumsum(steady), np.arange(1, count + 1)
    apart = (sums[-1] * lengths / count - sums) / np.sqrt(np.maximum(lengths * (count - lengths), 1))
    split = edge + int(apart[edge - 1 : count - edge].argmax())
    before, after = float(np.median(size[:split])), float(np.median(size[split:]))
    if not after > before or not np.median(size[-edge:]) > (before + after) / 2:
        return None
    # Uneven by itself: from stretch to stretch, or more slowly than that.
    uneven = max(noise(size), spread(np.r_[size[:split] - before, size[split:] - after]))
    limit = BEYOND_NOISE * MEDIAN_ERROR * uneven * float(np.sqrt(1 / split + 1 / (count - split)))
    share = float(pace.cost[split:].sum() / pace.cost.sum())
    return Slowdown(pace, int(pace.steps[split]), float(np.exp(before)), float(np.exp(after)), share, limit)


def _logged(run: RunCurves) -> list[Role]:
    """The roles of a throughput or a step time, of any device."""
    return [role for role in run.roles if role.quantity in {"throughput", "step_time"}]


def _paced(run: RunCurves, role: Role) -> Pace:
    """The pace that was logged as such; what stands at 0 was no step."""
    curve = run[role]
    curve = curve.where(curve.values > 0)
    medians, edges = bins(curve.values, BINS)
    rate = role.quantity == "throughput"
    return Pace(curve.name, 1 / medians if rate else medians, curve.steps[edges[:-1]], rate=rate, seconds=None)


def _clocked(run: RunCurves) -> list[Curve]:
    """The curve that tells the time, if there is one."""
    return [told.curve] if (told := clock(run)) else []


def _timed(told: Clock) -> Pace:
    """The pace by the clock: from point to point, or in a long curve over stretches of 2 % of its points."""
    curve, seconds = told.curve, told.seconds
    edges = np.linspace(0, len(curve) - 1, min(len(curve) - 1, BINS) + 1).round().astype(np.int64)
    passed, steps = np.diff(seconds[edges]), np.diff(curve.steps[edges].astype(np.float64))
    went = passed > 0
    return Pace(
        curve.name, (passed / steps)[went], curve.steps[edges[:-1]][went], rate=False, seconds=float(seconds[-1])
    )
