"""The rule `plateau`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from curve_analyzers.alignment import same_moment
from curve_analyzers.analyzer import Analyzer, Need, threshold
from curve_analyzers.examples import Example, Shape, decay, flat, line, run, sawtooth, step, valley
from curve_analyzers.findings import Finding, Severity, Span
from curve_analyzers.model import Floats, Role, RunCurves
from curve_analyzers.progress import BEYOND_NOISE, Progress, measure_all
from curve_analyzers.remedies import lower_rate
from curve_analyzers.saying import say
from curve_analyzers.signal import certainty
from curve_analyzers.wording import percent


def _stairs(
    start: float = 2.3,
    level: float = 1.2,
    end: float = 0.5,
    stall: float = 0.7,
    fast: float = 20.0,
    noise: float = 0.01,
) -> Shape:
    """A fall to `level`, flat up to progress `stall`, then a fall to `end`; `fast` is how fast it falls each time."""

    def of(t: Floats) -> Floats:
        first = level + (start - level) * np.exp(-fast * t)
        return first + np.where(t < stall, 0.0, (end - level) * -np.expm1(-fast * np.maximum(t - stall, 0.0)))

    return Shape(of, noise)


@dataclass(frozen=True, slots=True)
class Standstill:
    """The longest stretch in which a curve stood still before it fell once more.

    Attributes:
        progress: The curve.
        first: Where it began to stand still, an index of its levels.
        last: Where it still stood.
        length: Its share of the run.
        gained: The fall after it, as a share of the whole fall.
    """

    progress: Progress
    first: int
    last: int
    length: float
    gained: float

    @property
    def first_step(self) -> int:
        """The step at which it began."""
        return int(self.progress.steps[self.first])

    @property
    def last_step(self) -> int:
        """The step at which it ended."""
        return int(self.progress.steps[self.last])


@dataclass(frozen=True, kw_only=True)
class Plateau(Analyzer):
    """Progress stood still for a long stretch while the learning rate was high, and there was more to have.

    ## Why it matters
    The steps of the flat stretch were paid for and brought nothing. What came after it shows that the model was not at
    its best yet: the steps were too long to get any lower.

    ## What to try
    Lower the learning rate sooner: by a schedule (cosine, linear) or whenever the held-out loss stalls
    (ReduceLROnPlateau). The same budget then ends lower.

    ## When it is wrong
    When something else was changed at the end of the flat stretch: the data, the loss, unfrozen layers. A run that is
    flat at its end shows nothing of this kind: it may be as good as it gets, and only a sibling run can tell.

    ## Source
    He et al., "Deep Residual Learning" (2016), section 3.4: the rate is divided by 10 when the error plateaus.
    """

    needs = (Need.LEARNING,)
    least = 12
    explains = ("wasted_compute", "not_converged")

    long: float = threshold(0.38, "share of the run for which it stood still", gt=0, lt=1)
    still: float = threshold(0.02, "gain over such a stretch, as a share of the whole fall, that is none", ge=0)
    more: float = threshold(0.12, "fall after the stretch, as a share of the whole fall, that it held back", gt=0)
    clear: float = threshold(1.25, "the same as a multiple of what counts as none within the stretch", ge=1)
    before: float = threshold(
        0.2, "fall before the stretch, as a share of the whole fall: what comes first is a start", ge=0
    )
    high: float = threshold(0.5, "learning rate in the stretch, as a share of its peak, that is still high", gt=0, le=1)
    lowered: float = threshold(
        0.5, "learning rate after the stretch, as a share of that in it, that was lowered", gt=0, lt=1
    )

    fires = (
        Example(
            "a drop of the rate after a flat half", run(train_loss=_stairs(), learning_rate=step(0.1, 0.01, 0.7, 0.0))
        ),
        Example("by itself, no rate logged", run(train_loss=_stairs())),
        Example(
            "held out as well", run(train_loss=_stairs(), val_loss=_stairs(), learning_rate=step(0.1, 0.001, 0.7, 0.0))
        ),
        Example("only scores", run(val_accuracy=_stairs(0.1, 0.6, 0.9, noise=0.004))),
        Example("per step, noisy", run(2000, train_loss=_stairs(noise=0.1), learning_rate=step(0.1, 0.01, 0.7, 0.0))),
        Example("20 epochs", run(20, train_loss=_stairs())),
    )
    quiet = (
        Example(
            "converged at the end of its schedule", run(train_loss=decay(rate=12), learning_rate=line(0.1, 0.0, 0.0))
        ),
        Example(
            "flat to the end at a constant rate: no evidence",
            run(train_loss=decay(rate=15), learning_rate=flat(0.1, 0.0)),
        ),
        Example(
            "a step of the rate in time",
            run(train_loss=_stairs(stall=0.3, fast=12), learning_rate=step(0.1, 0.01, 0.3, 0.0)),
        ),
        Example("a slow start", run(train_loss=step(2.3, 0.5, 0.5))),
        Example("the rate was low all the while", run(train_loss=_stairs(), learning_rate=decay(1.0, 0.001, 40, 0.0))),
        Example("swings", run(train_loss=sawtooth(decay(floor=0.6), 0.3, period=0.3))),
        Example("it turned", run(train_loss=valley())),
        Example("nothing was learned", run(train_loss=flat(2.3))),
    )

    def check(self, run: RunCurves) -> Iterator[Finding]:
        """Judge the held-out curve and the training curve; the longer standstill speaks for the run."""
        found = [
            stood
            for progress in measure_all(run, (*run.held_out[:1], *run.training[:1]), self.least)
            if progress.fell and (stood := self._standstill(progress)) and stood.length >= self.long
        ]
        for stood in sorted(found, key=lambda stood: -stood.length)[:1]:
            rates = _rates(run, stood)
            if rates is None or rates[0] >= self.high * rates[2]:
                yield self._finding(run, stood, rates)

    def _standstill(self, progress: Progress) -> Standstill | None:
        """The longest stretch without a gain, after a first fall and before a last one."""
        levels, fall = progress.levels, progress.fall
        lowest = np.minimum.accumulate(levels)
        noise = BEYOND_NOISE * progress.error
        flat = max(self.still * fall, noise)
        # From where on it was as low as at each point; levels never rise in `lowest`, so that it is sorted.
        first = np.searchsorted(-lowest, -(lowest + flat))
        more = lowest - lowest[-1] >= max(self.more * fall, self.clear * flat)
        before = progress.start - levels[first] >= self.before * fall
        steps = progress.steps.astype(np.float64)
        length = np.where(more & before, steps - steps[first], 0.0) / max(steps[-1] - steps[0], 1.0)
        last = int(length.argmax())
        if not length[last] > 0:
            return None
        gained = float((lowest[last] - lowest[-1]) / fall)
        return Standstill(progress, int(first[last]), last, float(length[last]), gained)

    def _finding(self, run: RunCurves, stood: Standstill, rates: tuple[float, float, float] | None) -> Finding:
        progress = stood.progress
        level, end = progress.shown(float(progress.levels[stood.last])), progress.shown(progress.best)
        lowered = rates is not None and rates[1] <= self.lowered * rates[0]
        how = say("by itself")
        if rates and lowered:
            how = say("once the learning rate went from {high:.3g} to {low:.3g}", high=rates[0], low=rates[1])
        at = say(" at a learning rate of {rate:.3g}", rate=rates[0]) if rates else ""
        return self.finding(
            Severity.WARNING,
            min(certainty(stood.length, self.long), certainty(stood.gained, self.more), 0.95 if lowered else 0.8),
            Span((progress.name,), stood.first_step, stood.last_step),
            say("flat for {length} of the run", length=percent(stood.length)),
            say(
                "{progress} stood at {level:.4g} from step {first_step} to step {last_step}{at}, then "
                "came to {end:.4g} {how}: {gained} of all it gained lay behind the plateau.",
                progress=progress.name,
                level=level,
                first_step=stood.first_step,
                last_step=stood.last_step,
                at=at,
                end=end,
                how=how,
                gained=percent(stood.gained),
            ),
            {
                "since_step": stood.first_step,
                "until_step": stood.last_step,
                "share_of_run": stood.length,
                "gained_after": stood.gained,
                "rate_then": rates[0] if rates else None,
                "rate_after": rates[1] if rates else None,
            },
            (
                say("Lower the learning rate sooner, at step {first_step} or before.", first_step=stood.first_step),
                say("Let a schedule do it: cosine or linear, or ReduceLROnPlateau on the held-out loss."),
                lower_rate(run),
            ),
        )


def _rates(run: RunCurves, stood: Standstill) -> tuple[float, float, float] | None:
    """The learning rate in the stretch, the lowest after it and its peak; None where it was not logged."""
    if Role.LEARNING_RATE not in run or not len(rate := run[Role.LEARNING_RATE]):
        return None
    curve = stood.progress.curve
    first, last = (same_moment(curve, at, rate) for at in (stood.first_step, stood.last_step))
    inside = rate.values[(rate.steps >= first) & (rate.steps <= last)]
    after = rate.values[rate.steps >= last]
    peak = float(rate.values.max())
    return float(np.median(inside)) if len(inside) else peak, float(after.min()) if len(after) else peak, peak
