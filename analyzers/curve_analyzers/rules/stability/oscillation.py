"""The rule `oscillation`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from curve_analyzers.analyzer import Analyzer, Need, threshold
from curve_analyzers.epoch_length import once_an_epoch, part_of_an_epoch
from curve_analyzers.examples import Example, Shape, decay, flat, line, run, sawtooth, valley
from curve_analyzers.findings import Finding, Severity, Span
from curve_analyzers.model import Curve, Floats, RunCurves
from curve_analyzers.progress import measure
from curve_analyzers.remedies import lower_rate
from curve_analyzers.signal import certainty, periodicity, running_median
from curve_analyzers.wording import percent


@dataclass(frozen=True, kw_only=True)
class Oscillation(Analyzer):
    """The loss swings up and down around a level, far more than the data explains.

    ## Why it matters
    The steps are so long that the model jumps over the minimum and back. It cannot settle below the height of the
    swings, and which checkpoint is good is chance.

    ## What to try
    Lower the learning rate, to a third, then to a tenth, or let it decay. A larger batch makes the steps steadier.

    ## When it is wrong
    When the curve is the loss of single mini-batches, which are noisy by nature: there only swings with a period or
    swings that grow are told. Cyclical learning rates swing on purpose.

    ## Source
    Goodfellow, Bengio and Courville, "Deep Learning" (2016), chapter 11.4.1; Fisher's g test for the period (1929).
    """

    needs = (Need.LEARNING,)
    least = 10
    explains = ("underfitting", "not_converged", "loss_spikes")

    swing: float = threshold(
        0.11,
        "from trough to peak in the second half, as a share of the fall, or of the level where it did not fall",
        gt=0,
    )
    visible: float = threshold(0.05, "the same as a share of the start, however small the fall", ge=0)
    chance: float = threshold(1e-4, "most that even noise may be likely to show the period", gt=0, le=1)
    averaged: float = threshold(
        300, "points up to which a curve is taken for one value an epoch, averaged over batches", ge=0
    )
    growing: float = threshold(2.0, "growth of the swings over the run that even noise does not show", gt=1)
    both_ways: float = threshold(
        0.2, "share of a swing that goes below the level; jumps up alone are spikes", gt=0, lt=0.5
    )
    dying: float = threshold(0.3, "swings at the end over those before, below which they have ended", ge=0)

    fires = (
        Example("a saw-tooth around a floor", run(train_loss=sawtooth(decay(floor=0.6), 0.3), params={"lr": 0.9})),
        Example("up and down each epoch", run(train_loss=sawtooth(decay(floor=0.6), 0.3, period=2 / 60))),
        Example("growing swings", run(train_loss=sawtooth(decay(floor=1.0), 0.15, growing=4))),
        Example("a jagged loss once an epoch", run(train_loss=decay(floor=0.6, noise=0.3))),
        Example("jagged, and never better than at first", run(train_loss=flat(2.0, 0.3))),
        Example("per step, with a period", run(2000, train_loss=sawtooth(decay(floor=0.6, noise=0.05), 0.3))),
    )
    quiet = (
        Example("rewards of single episodes", run(200, reward=decay(0.0, 200.0, noise=30.0))),
        Example(
            "a short loss of each step",
            run(200, train_loss=decay(noise=0.3), val_loss=decay(), sparse={"val_loss": 10}),
        ),
        Example(
            "it ended as the rate fell",
            run(train_loss=decay(floor=0.6).plus(Shape(lambda t: 0.4 * (t < 0.6) * np.sin(80 * t)))),  # noqa: PLR2004
        ),
        Example("mini-batch noise of a per-step loss", run(2000, train_loss=decay(noise=0.3))),
        Example(
            "a small validation set: validation_noise",
            run(train_loss=decay(), val_loss=decay(floor=0.4, noise=0.25)),
        ),
        Example("small noise on a small fall: slow_learning", run(train_loss=line(2.3, 2.1, 0.02))),
        Example("a smooth run", run(train_loss=decay())),
        Example("flat", run(train_loss=flat(1.0, 0.0))),
        Example("a single turn", run(train_loss=valley())),
        Example("three spikes", run(train_loss=decay().bumped({0.3: 1.5, 0.5: 2.0, 0.8: 1.2}))),
    )

    def check(self, run: RunCurves) -> Iterator[Finding]:
        """Judge the first training curve; a held-out curve swings for reasons of its own."""
        role = run.learning[0]
        progress = measure(run, role)
        swings = _swings(progress.curve.values)
        half = swings[len(swings) // 2 :]
        low, middle, high = (float(each) for each in np.quantile(half, (0.1, 0.5, 0.9)))
        of, scale = ("of the fall", progress.fall) if progress.fell else ("of its level", abs(progress.end))
        size, grown = high - low, _growth(swings)
        if not (scale > 0 and size >= self.swing * scale and size >= self.visible * abs(progress.start)):
            return
        if middle - low < self.both_ways * size or grown < self.dying:
            return
        likely, period = periodicity(half)
        if part_of_an_epoch(run, progress.curve, period * _apart(progress.curve)):
            likely = 1.0  # the order of the data, not the length of the steps: `unshuffled_data`
        # The mean over the batches of an epoch: noise explains no swing. The episodes of a reward are few and differ.
        averaged = role in run.training and role.quantity != "reward" and len(swings) <= self.averaged
        if (averaged and once_an_epoch(run, progress.curve)) or likely < self.chance or grown > self.growing:
            share = size / scale
            yield self._finding(run, progress.curve, share, of, period if likely < self.chance else None, grown)

    def _finding(
        self, run: RunCurves, curve: Curve, share: float, of: str, period: float | None, grown: float
    ) -> Finding:
        since = int(curve.steps[len(curve) // 2])
        apart = _apart(curve)
        every = f", with a period of about {period * apart:.3g} steps" if period else ""
        growing = f", and the swings grow ({percent(grown - 1)} over the run)" if grown > self.growing else ""
        return self.finding(
            Severity.WARNING,
            min(certainty(share, self.swing), 0.95),
            Span((curve.name,), since, int(curve.steps[-1])),
            f"swings of {percent(share)} {of}",
            f"{curve.name} swings up and down by {percent(share)} {of}{every}{growing}.",
            {"swing_share": share, "period_steps": period * apart if period else None, "growth": grown},
            (
                lower_rate(run),
                "Let the rate decay over the run (cosine, or a step down when the loss stalls).",
                "Use a larger batch, or average the weights of the last steps.",
            ),
        )


def _apart(curve: Curve) -> float:
    """The mean distance of the points, in steps."""
    return (float(curve.steps[-1]) - float(curve.steps[0])) / max(len(curve) - 1, 1)


def _swings(values: Floats) -> Floats:
    """(n,) what is left of a curve without its level: the moves up and down."""
    width = max(2 * (len(values) // 8) + 1, 5)
    return values - running_median(values, width)


def _growth(swings: Floats) -> float:
    """How many times larger the swings of the last quarter are than those of the second."""
    quarter = len(swings) // 4
    early, late = np.abs(swings[quarter : 2 * quarter]), np.abs(swings[-quarter:])
    before = float(np.quantile(early, 0.8))
    return float(np.quantile(late, 0.8)) / before if before > 0 else 1.0
