"""The rule `exploding_gradients`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from curve_analyzers.alignment import same_moment
from curve_analyzers.analyzer import Analyzer, Need, threshold
from curve_analyzers.examples import Example, decay, flat, growth, line, run, step
from curve_analyzers.findings import Finding, Severity, Span
from curve_analyzers.gradient_norms import decades, gradient_norms
from curve_analyzers.hyperparameters import clip_norm
from curve_analyzers.model import Curve, Floats, RunCurves
from curve_analyzers.progress import measure_all
from curve_analyzers.quantities import Kind
from curve_analyzers.remedies import lower_rate
from curve_analyzers.saying import say
from curve_analyzers.signal import bins, certainty, noise, running_median, spread
from curve_analyzers.wording import count, percent

BINS = 50
NOISES = 6.0  # standard deviations of the loss's noise above which it jumped
LASTING = 0.1  # of the run, for whose usual norm a growth counts
RUNNING = 5  # bins before which nothing is usual yet


@dataclass(frozen=True, slots=True, eq=False)
class Explosion:
    """A norm that grew by orders of magnitude.

    Attributes:
        curve: The norm.
        first: The index of the point at which it began.
        usual: The norm up to there.
        highest: The highest norm from there on.
        grown: By how many powers of ten it grew.
        peaks: How many single points stand out; 0 where the norm stayed up.
    """

    curve: Curve
    first: int
    usual: float
    highest: float
    grown: float
    peaks: int


@dataclass(frozen=True, kw_only=True)
class ExplodingGradients(Analyzer):
    """The gradient norm is, or became, larger by orders of magnitude than what the model can follow.

    ## Why it matters
    A step as long as such a gradient throws the model far from where it was. What follows, spikes, a loss that
    diverges, NaN, begins here.

    ## What to try
    Clip the gradient norm a little above its usual size. Lower the learning rate and warm it up. In recurrent and very
    deep models look at the initialization, normalization and residual connections.

    ## When it is wrong
    When the norm grows because the loss is a sum that grew (longer sequences, a larger batch), and everything else
    keeps its pace.

    ## Source
    Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks" (2013).
    """

    needs = (Need.GRADIENT_NORM,)
    vouches = False
    explains = ("non_finite", "loss_spikes", "oscillation", "fit", "progress", "data", "loss_metric_disagreement")

    lasting: float = threshold(1.0, "growth of the norm that stays, in powers of ten", gt=0)
    peak: float = threshold(1.5, "height of single points over the usual norm, in powers of ten", gt=0)
    spreads: float = threshold(5.0, "the same in standard deviations of the norm's own scatter", gt=0)
    enormous: float = threshold(4.0, "growth from which no harm to the loss is asked for, in powers of ten", gt=0)
    high: float = threshold(0.6, "early norm over the loss where next to nothing is learned, in powers of ten", gt=0)
    learned: float = threshold(
        0.3, "share of the way to the best value from which the model follows all the same", gt=0
    )
    harm: float = threshold(0.2, "rise of the loss from there on as a share of its fall, or of its start", gt=0)

    fires = (
        Example(
            "growth with a loss that diverges", run(train_loss=step(0.5, 8.0, 0.7), gradient_norm=growth(1.0, 1e4, 0.6))
        ),
        Example("growth before NaN", run(train_loss=decay().lost(0.8), gradient_norm=growth(1.0, 1e6, 0.6).lost(0.8))),
        Example(
            "single points, each with a spike of the loss",
            run(
                200,
                train_loss=decay().bumped({0.4: 2.0, 0.7: 3.0}),
                gradient_norm=flat(1.0, 0.1).bumped({0.4: 80.0, 0.7: 300.0}),
            ),
        ),
        Example(
            "one layer",
            run(
                train_loss=step(0.5, 8.0, 0.7),
                layer1_gradient_norm=growth(1.0, 1e4, 0.6),
                layer2_gradient_norm=flat(1.0, 0.1),
            ),
        ),
        Example(
            "per step, noisy",
            run(
                2000,
                train_loss=decay(noise=0.1).plus(step(0.0, 4.0, 0.7)),
                gradient_norm=flat(1.0, 0.2).plus(step(0.0, 60.0, 0.69)),
            ),
        ),
        Example("twelve points", run(12, train_loss=step(0.5, 8.0, 0.7), gradient_norm=growth(1.0, 1e4, 0.5))),
        Example("far above the loss from the start", run(train_loss=line(1.46, 1.37), gradient_norm=decay(300, 70))),
    )
    quiet = (
        Example("large, and the model learns", run(train_loss=decay(), gradient_norm=decay(80.0, 20.0))),
        Example("ordinary decay", run(train_loss=decay(), gradient_norm=decay(5.0, 0.5))),
        Example("warm-up: high at first", run(train_loss=decay(), gradient_norm=decay(300.0, 1.0, 30))),
        Example("it grows slowly while the loss falls", run(train_loss=decay(), gradient_norm=line(0.5, 5.0))),
        Example(
            "it grows when learning begins",
            run(train_loss=step(2.3, 0.5, 0.2), gradient_norm=step(0.01, 2.0, 0.2, 0.001)),
        ),
        Example(
            "single points that do no harm",
            run(200, train_loss=decay(), gradient_norm=flat(1.0, 0.1).bumped({0.4: 60.0})),
        ),
        Example("the loss goes up on its own", run(train_loss=step(0.5, 2.0, 0.7), gradient_norm=flat(1.0, 0.1))),
    )

    def check(self, run: RunCurves) -> Iterator[Finding]:
        """Judge the norm of the whole model, or of each layer where there is none; the largest growth speaks."""
        norms = gradient_norms(run)
        curves = [norms.whole] if norms.whole else [*norms.layers, *([norms.clipped] if norms.clipped else [])]
        grown = [each for curve in curves if len(curve) >= self.least for each in self._explosions(curve)]
        harmed = [each for each in grown if each.grown >= self.enormous or self._harms(run, each)]
        if harmed:
            yield self._finding(run, max(harmed, key=lambda each: each.grown))
        elif whole := norms.whole:
            yield from self._from_the_start(run, whole)

    def _from_the_start(self, run: RunCurves, norm: Curve) -> Iterator[Finding]:
        """Whether the norm is far above the loss from the first steps on, and the model cannot follow it."""
        losses = [loss for loss in measure_all(run, run.training, self.least) if loss.quantity.kind is Kind.LOSS]
        early = float(np.median(norm.values[: max(1, len(norm) // 5)]))
        if not losses or losses[0].worth >= self.learned or losses[0].start == 0 or len(norm) < self.least:
            return
        over = float(decades(np.array([early / abs(losses[0].start)]))[0])
        if over < self.high:
            return
        first, name = int(norm.steps[0]), losses[0].name
        yield self.finding(
            Severity.WARNING,
            min(certainty(over, self.high), 0.85),
            Span((norm.name, name), first, int(norm.steps[-1])),
            say("{early:.2g} from the start", early=early),
            say(
                "{norm} is about {early:.3g} from the first steps on, {times:.2g} times the loss, and "
                "{name} came only {worth} of its way: the steps overshoot whatever they aim at.",
                norm=norm.name,
                early=early,
                times=10**over,
                name=name,
                worth=percent(losses[0].worth),
            ),
            {"early_norm": early, "over_loss": 10**over, "share_of_way": losses[0].worth},
            (
                say("Initialize with smaller weights (orthogonal ones in recurrent layers, He or Glorot elsewhere)."),
                say("Clip the gradient norm at 1, or at a tenth of its usual size: {tenth:.2g}.", tenth=early / 10),
                lower_rate(run),
                say("Use gated cells (LSTM, GRU), normalization or residual connections."),
            ),
        )

    def _explosions(self, curve: Curve) -> Iterator[Explosion]:
        sizes = decades(curve.values)
        medians, edges = bins(sizes, BINS)
        usual = np.array([np.median(medians[: max(each, 1)]) for each in range(len(medians))])
        scatter = max(spread(np.diff(medians)), noise(sizes))
        over = medians - usual
        start = min(RUNNING, len(over) // 3)
        width = max(1, round(LASTING * len(over))) // 2 * 2 + 1
        levels = running_median(over, width) if width <= len(over) else over
        stays = np.flatnonzero(levels[start:] >= max(self.lasting, self.spreads * scatter)) + start
        if len(stays):
            first = stays[0]
            before, after = 10 ** usual[first], curve.values[edges[first] :].max()
            yield Explosion(curve, int(edges[first]), float(before), float(after), float(over[first:].max()), 0)
        over = sizes - np.repeat(usual, np.diff(edges))
        over[: edges[start]] = 0.0
        peaks = np.flatnonzero(over >= max(self.peak, self.spreads * scatter))
        if len(peaks) and not len(stays):
            first = int(peaks[0])
            yield Explosion(
                curve,
                first,
                float(10 ** (sizes[first] - over[first])),
                float(curve.values[peaks].max()),
                float(over.max()),
                len(peaks),
            )

    def _harms(self, run: RunCurves, grown: Explosion) -> bool:
        """Whether the loss was lost, or rose, at the explosion or after it."""
        for role in run.learning:
            cost, raw = run.cost(role), run.raw(role)
            since = same_moment(grown.curve, int(grown.curve.steps[max(grown.first - 1, 0)]), raw)
            if not np.isfinite(raw.values[raw.steps >= since]).all():
                return True
            before, after = cost.values[cost.steps < since], cost.values[cost.steps >= since]
            if len(before) and len(after) and self._rose(before, after, noise(cost.values), float(cost.values[0])):
                return True
        return False

    def _rose(self, before: Floats, after: Floats, error: float, start: float) -> bool:
        level = float(np.median(before[-max(1, len(before) // 10) :]))
        rise = float(after.max()) - level
        return rise > max(NOISES * error, self.harm * max(start - level, 0.0), self.harm * abs(level))

    def _finding(self, run: RunCurves, grown: Explosion) -> Finding:
        since, last = int(grown.curve.steps[grown.first]), int(grown.curve.steps[-1])
        clip = clip_norm(run)
        clipped = say(" It is clipped to {clip:g} already: lower that.", clip=clip) if clip else ""
        how = say("stood out at {points}", points=count(grown.peaks, "point")) if grown.peaks else say("went")
        return self.finding(
            Severity.INFO if grown.peaks else Severity.CRITICAL,  # the spikes of the loss beside them say the same
            min(certainty(grown.grown, self.peak if grown.peaks else self.lasting), 0.95),
            Span((grown.curve.name,), since, last),
            say(
                "{usual:.2g} to {highest:.2g} from step {since}", usual=grown.usual, highest=grown.highest, since=since
            ),
            say(
                "{curve} {how} from a usual {usual:.3g} up to {highest:.3g} from step {since} on, and "
                "the loss suffered.",
                curve=grown.curve.name,
                how=how,
                usual=grown.usual,
                highest=grown.highest,
                since=since,
            ),
            {
                "since_step": since,
                "usual": grown.usual,
                "highest": grown.highest,
                "powers_of_ten": grown.grown,
                "peaks": grown.peaks,
            },
            (
                say(
                    "Clip the gradient norm at about {twice:.2g}, twice its usual size.{clipped}",
                    twice=2 * grown.usual,
                    clipped=clipped,
                ),
                lower_rate(run),
                say("Warm the rate up over the first 1 to 5 % of the steps."),
                say("In recurrent or very deep models: normalization, residual connections, a smaller initialization."),
            ),
        )
