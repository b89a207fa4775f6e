"""The rule `loss_spikes`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from curve_analyzers.analyzer import Analyzer, Need, threshold
from curve_analyzers.epoch_length import epoch_lengths
from curve_analyzers.examples import Example, decay, flat, run, sawtooth, step
from curve_analyzers.findings import Finding, Severity, Span
from curve_analyzers.model import Curve, Floats, Ints, Role, RunCurves
from curve_analyzers.progress import Progress, measure
from curve_analyzers.remedies import lower_rate
from curve_analyzers.saying import say
from curve_analyzers.signal import certainty, quantiles, running_median, spread
from curve_analyzers.wording import count

TOGETHER = 0.95  # length of the mean direction of spikes within the epoch, 1 where all are at one place
BY_CHANCE = 0.01
USUAL_LENGTH = 200  # points for which the thresholds hold as they are; more points reach further out


@dataclass(frozen=True, kw_only=True)
class LossSpikes(Analyzer):
    """Isolated jumps of the loss that recover.

    ## Why it matters
    Each jump is a step that threw the model off, and the steps after it went into coming back. Spikes are often the
    first sign of a run that will diverge.

    ## What to try
    Clip the gradient norm, lower the learning rate a little, warm it up for longer. Where spikes come back at an even
    distance, look at the batch they fall on: one bad part of the data is read once an epoch.

    ## When it is wrong
    When single hard batches are expected (very long sequences, rare classes) and the loss is logged for each of them.

    ## Source
    Chowdhery et al., "PaLM" (2022), section 5.1: spikes in spite of clipping, and skipping the batches around them.
    """

    needs = (Need.LEARNING,)
    explains = ("not_converged", "plateau")
    least = 12

    height: float = threshold(14.0, "height over the curve's own noise, in standard deviations", gt=0)
    even: float = threshold(2.4, "height over the depth that one point in twenty falls below, as a factor", gt=1)
    one_sided: float = threshold(
        2.0, "height over the deepest drop, as a factor, where the best value is unknown", gt=1
    )
    share: float = threshold(0.05, "height as a share of the fall of the curve", gt=0)
    level: float = threshold(0.25, "height as a share of the loss around it", gt=0)
    longest: float = threshold(0.05, "share of the run within which a jump must have recovered", gt=0, lt=1)
    several: float = threshold(2, "spikes from which it is a warning; fewer are told as information", ge=1)
    large: float = threshold(0.5, "height of a single one, as a share of the fall, from which it is a warning", gt=0)
    lasting: float = threshold(0.01, "share of the run that a single one took, from which it is a warning", ge=0)

    fires = (
        Example("3 spikes in 60 epochs", run(train_loss=decay().bumped({0.3: 1.5, 0.5: 2.0, 0.8: 1.2}))),
        Example(
            "per step, noisy",
            run(2000, train_loss=decay(noise=0.05).bumped({0.3: 3.0, 0.55: 4.0, 0.7: 3.0, 0.9: 3.5}, width=0.002)),
        ),
        Example("once an epoch", run(400, train_loss=decay().bumped({k / 8: 1.5 for k in range(1, 8)}, width=0.003))),
        Example(
            "in some epochs, at the same place",
            run(400, train_loss=decay().bumped({k / 8: 1.5 for k in (1, 2, 4, 5, 7)}, 0.003), params={"epochs": 8}),
        ),
    )
    quiet = (
        Example("heavy but even noise", run(600, train_loss=decay(noise=0.15).noisy(0.15, heavy=True))),
        Example("a constant curve with a bump of 1e-6", run(train_loss=flat(1.0, 0.0).bumped({0.5: 1e-6}))),
        Example("a smooth run", run(train_loss=decay())),
        Example("a jump that stays", run(train_loss=step(0.5, 3.0, 0.6))),
        Example("a saw-tooth: oscillation", run(train_loss=sawtooth(decay(), 0.3))),
    )

    def check(self, run: RunCurves) -> Iterator[Finding]:
        """Judge the first of the curves the run is judged on."""
        role = run.learning[0]
        progress, curve = measure(run, role), run.cost(role)
        width = min(2 * max(2, round(self.longest * len(curve))) + 1, 101)
        usual = running_median(curve.values, width)
        # At the start the median runs ahead of the first fall.
        values, usual = curve.values[width // 2 :], usual[width // 2 :]
        over = self._excess(values, usual, progress)
        over = np.minimum(over, (values - usual) / (self.share * progress.fall or np.finfo(np.float64).tiny))
        peaks, ends = _peaks(over, longest=width // 2)
        if len(peaks):
            yield self._finding(run, role, peaks + width // 2, ends + width // 2, over[peaks])

    def _excess(self, values: Floats, usual: Floats, progress: Progress) -> Floats:
        """(n,) how far each point stands out of noise, its tails and its level, as a factor of what is just enough.

        The noise of a loss grows with the loss and has its long tail above: it is even in the logarithm of what is
        missing to the best value. Where that is unknown the curve is judged as it is, and noise goes both ways.
        """
        lowest = progress.perfect
        if np.isfinite(lowest) and values.min() > lowest and usual.min() > lowest:
            over = np.log((values - lowest) / (usual - lowest))
            limit = np.maximum(self._tails(over), np.log1p(self.level))
        else:
            over = values - usual
            limit = np.maximum(max(self._tails(over), self.one_sided * float(-over.min())), self.level * np.abs(usual))
        return np.asarray(over / np.maximum(limit, np.finfo(np.float64).tiny), np.float64)

    def _tails(self, over: Floats) -> float:
        """What noise may reach: by its spread, and by how far it goes down, where no spike is.

        The highest of n points of noise grows with the square root of ln n (Fisher and Tippett, 1928).
        """
        more = math.sqrt(max(math.log(len(over)) / math.log(USUAL_LENGTH), 1.0))
        return more * max(self.height * spread(over), self.even * quantiles(-over, 0.95)[0])

    def _finding(self, run: RunCurves, role: Role, peaks: Ints, ends: Ints, excess: Floats) -> Finding:
        curve = run.cost(role)
        steps, took = curve.steps[peaks], curve.steps[ends] - curve.steps[peaks]
        period, told = _period(run, curve, steps)
        progress = measure(run, role)
        large = float(curve.values[peaks].max()) - progress.at(int(steps[0])) >= self.large * progress.fall > 0
        large = large and float((ends - peaks).max()) >= self.lasting * len(curve)
        highest = role.measures.shown(float(curve.values[peaks].max()))
        where = ", ".join(map(str, steps[:5])) + (", ..." if len(peaks) > 5 else "")  # noqa: PLR2004 - five fit a line
        spikes, again = (
            count(len(peaks), "spike"),
            say(", one every {period:g} steps{told}", period=period, told=told) if period else "",
        )
        return self.finding(
            Severity.WARNING if len(peaks) >= self.several or large else Severity.INFO,
            max(certainty(float(each), 1.0) for each in excess),
            Span((curve.name,), int(steps[0]), int(steps[-1])),
            say("{spikes}, first at step {first}", spikes=spikes, first=steps[0]),
            say(
                "{curve} shows {spikes} that recovered (step {where}), the largest to "
                "{highest:.4g}{again}. The way back took {usual} as a rule, {most} at most.",
                curve=curve.name,
                spikes=spikes,
                where=where,
                highest=highest,
                again=again,
                usual=count(int(np.median(took)), "step"),
                most=took.max(),
            ),
            {
                "count": len(peaks),
                "steps": where,
                "highest": highest,
                "period": period,
                "share_of_points": len(peaks) / len(curve),
                "usual_recovery_steps": float(np.median(took)),
                "longest_recovery_steps": int(took.max()),
            },
            (
                say("Clip the gradient norm (1.0 is a usual start)."),
                lower_rate(run),
                say(
                    "Look at the batches at these steps: they come back every {period:g} steps, as one part "
                    "of the data does once an epoch.",
                    period=period,
                )
                if period
                else say("Look at the batches at these steps."),
            ),
        )


def _peaks(over: Floats, longest: int) -> tuple[Ints, Ints]:
    """The highest point of each jump that begins and ends within `longest` points, and the first point after it."""
    high = np.zeros(len(over) + 2, np.bool_)
    high[1:-1] = over > 1
    edges = np.flatnonzero(high[1:] != high[:-1])
    starts, ends = edges[::2], edges[1::2]
    recovered = (ends - starts <= longest) & (ends < len(over))
    starts, ends = starts[recovered], ends[recovered]
    peaks = [start + int(over[start:end].argmax()) for start, end in zip(starts, ends, strict=True)]
    return np.asarray(peaks, np.int64), ends


def _period(run: RunCurves, curve: Curve, steps: Ints) -> tuple[float | None, str]:
    """The distance at which spikes come back, and what it is where the run tells.

    Either all stand equally far apart, or all in the same part of an epoch, though not every epoch has one: Rayleigh's
    test of directions (Mardia and Jupp, "Directional Statistics", 2000).
    """
    for length, _ in epoch_lengths(run, curve):
        towards = abs(np.exp(2j * np.pi * (steps % length) / length).mean()) if length > 0 else 0.0
        if towards >= TOGETHER and np.exp(-len(steps) * towards**2) <= BY_CHANCE:
            return length, say(", an epoch")
    even = _even_distance(steps)
    return (float(even), "") if even else (None, "")


def _even_distance(steps: Ints) -> int | None:
    """The distance of the spikes where it is the same for all, at least three of them."""
    apart = np.diff(steps)
    if len(apart) < 2 or np.ptp(apart) > 0.1 * apart.mean():  # noqa: PLR2004 - two distances, three spikes
        return None
    return int(np.median(apart))
