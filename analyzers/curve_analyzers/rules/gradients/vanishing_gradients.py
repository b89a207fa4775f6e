"""The rule `vanishing_gradients`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from curve_analyzers.analyzer import Analyzer, Need, threshold
from curve_analyzers.examples import Example, decay, flat, growth, run
from curve_analyzers.findings import Finding, Severity, Span
from curve_analyzers.gradient_norms import GradientNorms, decades, gradient_norms
from curve_analyzers.model import Curve, RunCurves
from curve_analyzers.progress import Progress, measure_all
from curve_analyzers.saying import say
from curve_analyzers.signal import bins, certainty

BINS = 50
THIRD = 3
LEAST_LAYERS = 3


@dataclass(frozen=True, kw_only=True)
class VanishingGradients(Analyzer):
    """The gradients are too small to train with, in the first layers or everywhere.

    ## Why it matters
    A layer whose gradient is a millionth of the others' stays as it was initialized: the model is only as deep as the
    layers that learn. Where the whole gradient is gone while the loss is high, training has stopped.

    ## What to try
    Activations that do not saturate (ReLU or GELU for sigmoid and tanh), normalization, residual connections and an
    initialization that fits the activation. Look for dead units, detached tensors and layers frozen by mistake. More
    layers make it worse.

    ## When it is wrong
    When layers are frozen on purpose, or when the optimizer scales each parameter's step by its own gradients, as Adam
    does: then small gradients do learn, and the rule stays silent where the loss shows it.

    ## Source
    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks" (2010).
    """

    needs = (Need.GRADIENT_NORM, Need.LEARNING)
    vouches = False
    explains = ("no_learning", "slow_learning", "underfitting", "not_converged", "plateau")

    apart: float = threshold(3.0, "norm of the last third of the layers over that of the first, in powers of ten", gt=0)
    collapse: float = threshold(3.0, "fall of the whole norm from its early level, in powers of ten", gt=0)
    tiny: float = threshold(4.0, "the loss over the whole norm throughout the run, in powers of ten", gt=0)
    done: float = threshold(
        0.5, "share of the way to the best value from which the loss learned all the same", gt=0, le=1
    )

    fires = (
        Example(
            "the first layers get nothing",
            run(
                train_loss=decay(2.3, 2.0),
                layer1_gradient_norm=flat(1e-6, 1e-7),
                layer2_gradient_norm=flat(1e-4, 1e-5),
                layer3_gradient_norm=flat(1e-2, 1e-3),
                layer4_gradient_norm=flat(0.3, 0.03),
            ),
        ),
        Example("all of it is gone early", run(train_loss=decay(2.3, 2.2, 20), gradient_norm=growth(1.0, 1e-6))),
        Example("tiny from the start", run(train_loss=flat(2.3), gradient_norm=flat(1e-6, 1e-7))),
        Example("per step, noisy", run(2000, train_loss=flat(2.3, 0.1), gradient_norm=flat(1e-6, 3e-7))),
        Example("12 points", run(12, train_loss=flat(2.3), gradient_norm=flat(1e-6, 1e-7))),
    )
    quiet = (
        Example("ordinary decay", run(train_loss=decay(), gradient_norm=decay(5.0, 0.05))),
        Example(
            "a loss that is learned by heart",
            run(train_loss=decay(2.3, 0.0001, 12, 0.0), gradient_norm=growth(1.0, 1e-4)),
        ),
        Example("warm-up: large at first", run(train_loss=decay(), gradient_norm=decay(300.0, 1.0, 30))),
        Example(
            "layers of about one size",
            run(
                train_loss=decay(2.3, 2.0),
                layer1_gradient_norm=flat(0.05, 0.005),
                layer2_gradient_norm=flat(0.1, 0.01),
                layer3_gradient_norm=flat(0.8, 0.05),
            ),
        ),
        Example(
            "the last layers get less",
            run(
                train_loss=decay(2.3, 2.0),
                layer1_gradient_norm=flat(1.0, 0.1),
                layer2_gradient_norm=flat(1e-2, 1e-3),
                layer3_gradient_norm=flat(1e-5, 1e-6),
            ),
        ),
        Example(
            "the model learned all the same",
            run(
                train_loss=decay(),
                layer1_gradient_norm=flat(1e-6, 1e-7),
                layer2_gradient_norm=flat(1e-2, 1e-3),
                layer3_gradient_norm=flat(0.3, 0.03),
            ),
        ),
        Example("no learning for other reasons", run(train_loss=flat(2.3), gradient_norm=flat(0.5, 0.05))),
    )

    def check(self, run: RunCurves) -> Iterator[Finding]:
        """Judge the layers against each other, then the whole norm against its start and the loss."""
        losses = measure_all(run, run.learning, self.least)
        if not losses or any(loss.fell and loss.worth >= self.done for loss in losses):
            return
        norms = gradient_norms(run)
        found = self._layers(norms)
        if found is None and (whole := norms.whole or norms.clipped) is not None and len(whole) >= self.least:
            found = self._whole(whole, losses[0])
        if found:
            yield found

    def _layers(self, norms: GradientNorms) -> Finding | None:
        layers = [layer for layer in norms.layers if len(layer) >= self.least]
        if len(layers) < LEAST_LAYERS or not norms.ordered:
            return None
        sizes = np.array([float(np.median(bins(decades(layer.values), BINS)[0])) for layer in layers])
        third = -(-len(layers) // THIRD)
        first, last = float(np.median(sizes[:third])), float(np.median(sizes[-third:]))
        if last - first < self.apart:
            return None
        name, other = layers[0].name, layers[-1].name
        return self.finding(
            Severity.WARNING,
            min(certainty(last - first, self.apart), 0.95),
            Span((name, other), int(layers[0].steps[0]), int(layers[0].steps[-1])),
            say("first layers at {first:.1g}, last at {last:.1g}", first=10**first, last=10**last),
            say(
                "The gradient norm is about {first:.2g} in the first layers ({name}) and {last:.2g} in "
                "the last ({other}): the first layers hardly move.",
                first=10**first,
                name=name,
                last=10**last,
                other=other,
            ),
            {"first_layers": 10**first, "last_layers": 10**last, "powers_of_ten": last - first, "layers": len(layers)},
            self._remedies(),
        )

    def _whole(self, norm: Curve, loss: Progress) -> Finding | None:
        medians, edges = bins(decades(norm.values), BINS)
        early, low = (
            float(medians[: max(1, len(medians) // 5)].max()),
            float(np.median(medians[-max(1, len(medians) // 5) :])),
        )
        scale = float(decades(np.array([loss.end]))[0])
        fallen, below = early - low, scale - float(medians.max())
        if fallen < self.collapse and below < self.tiny:
            return None
        gone = fallen >= self.collapse
        since = (
            int(norm.steps[edges[np.flatnonzero(medians <= early - self.collapse)[0]]]) if gone else int(norm.steps[0])
        )
        told = (
            say("fell from {early:.2g} to {low:.2g}", early=10**early, low=10**low)
            if gone
            else say("is {low:.2g} throughout", low=10**low)
        )
        return self.finding(
            Severity.WARNING,
            min(certainty(fallen, self.collapse) if gone else certainty(below, self.tiny), 0.9),
            Span((norm.name,), since, int(norm.steps[-1])),
            say("down to {low:.1g} since step {since}", low=10**low, since=since)
            if gone
            else say("{low:.1g} throughout", low=10**low),
            say(
                "{norm} {told} while {loss} stayed at {end:.4g}: nothing is left to learn by.",
                norm=norm.name,
                told=told,
                loss=loss.name,
                end=loss.shown(loss.end),
            ),
            {"early": 10**early, "late": 10**low, "powers_of_ten": max(fallen, below), "layers": 0},
            self._remedies(),
        )

    @staticmethod
    def _remedies() -> tuple[str, ...]:
        return (
            say("Take activations that do not saturate (ReLU, GELU) and the initialization that fits them (He)."),
            say("Add normalization (batch or layer norm) and residual connections."),
            say("Look for layers frozen or detached by mistake, and for dead units (a lower rate, leaky ReLU)."),
            say("Use fewer layers until these learn; more make it worse."),
        )
