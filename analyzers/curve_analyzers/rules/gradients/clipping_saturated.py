"""The rule `clipping_saturated`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from curve_analyzers.analyzer import Analyzer, Need, threshold
from curve_analyzers.examples import Example, Shape, decay, flat, run
from curve_analyzers.findings import Finding, Severity, Span
from curve_analyzers.gradient_norms import gradient_norms
from curve_analyzers.hyperparameters import clip_norm
from curve_analyzers.model import Curve, RunCurves
from curve_analyzers.progress import measure_all
from curve_analyzers.saying import say
from curve_analyzers.signal import certainty
from curve_analyzers.wording import percent


def _clipped(shape: Shape, most: float) -> Shape:
    """The shape with `most` in place of what exceeds it."""
    return Shape(lambda t: np.minimum(shape.of(t), most))


@dataclass(frozen=True, kw_only=True)
class ClippingSaturated(Analyzer):
    """Nearly every gradient is clipped: the clip norm sets the length of the steps.

    ## Why it matters
    Clipping is meant for the rare gradient that is far too long. Where it cuts all of them, the size of the gradient no
    longer counts, the learning rate means something else than it says, and progress is slower than it could be.

    ## What to try
    Raise the clip norm to about the usual norm before clipping, or a little above it. If training then turns unstable,
    a lower learning rate or a longer warm-up is the cure that clipping hid.

    ## When it is wrong
    When steps of one length are wanted, as in some recipes for large language models, and the learning rate was chosen
    with them.

    ## Source
    Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks" (2013), section 3.2: a clip
    norm of half to ten times the average norm.
    """

    needs = (Need.GRADIENT_NORM,)
    vouches = False
    explains = ("no_learning", "slow_learning", "not_converged", "underfitting", "plateau", "loss_metric_disagreement")

    stands: float = threshold(0.9, "share of the norms after clipping that stand at one value", gt=0, le=1)
    equal: float = threshold(0.002, "distance from it within which they do, as a share of it", gt=0, lt=1)
    above: float = threshold(0.95, "share of the norms before clipping that exceed the clip norm", gt=0, le=1)
    ratio: float = threshold(10.0, "usual norm over the clip norm from which it is far too low", gt=1)
    slow: float = threshold(0.5, "share of the way to the best value below which learning suffers", gt=0, le=1)

    fires = (
        Example("after clipping, all at one value", run(train_loss=decay(), gradient_norm=flat(1.0, 0.0))),
        Example("told by its name", run(train_loss=decay(), clipped_gradient_norm=_clipped(decay(9.0, 1.2), 1.0))),
        Example(
            "far above the clip norm", run(train_loss=decay(), gradient_norm=decay(90, 30), scaled={"clip_norm": 1.0})
        ),
        Example(
            "above it, and learning is slow",
            run(train_loss=decay(2.3, 1.6, 1), gradient_norm=flat(3.0, 0.3), scaled={"max_grad_norm": 0.5}),
        ),
        Example(
            "per step, noisy",
            run(2000, train_loss=decay(noise=0.1), gradient_norm=flat(50.0, 8.0), scaled={"max_grad_norm": 1.0}),
        ),
        Example("12 points", run(12, train_loss=decay(), gradient_norm=flat(50.0, 8.0), scaled={"max_grad_norm": 1.0})),
    )
    quiet = (
        Example("now and then", run(train_loss=decay(), gradient_norm=decay(9, 0.4), scaled={"clip_norm": 1.0})),
        Example(
            "after clipping, at first only",
            run(train_loss=decay(), clipped_gradient_norm=_clipped(decay(9.0, 0.2), 1.0)),
        ),
        Example(
            "a little above, and the model learns",
            run(train_loss=decay(), gradient_norm=flat(2.0, 0.3), scaled={"clip_norm": 1.0}),
        ),
        Example("no clipping", run(train_loss=decay(), gradient_norm=flat(50.0, 8.0))),
        Example("nothing flows: vanishing_gradients", run(train_loss=flat(2.3), gradient_norm=flat(0.0, 0.0))),
    )

    def check(self, run: RunCurves) -> Iterator[Finding]:
        """Judge the norm after clipping if there is one, and the norm before it beside the logged clip norm."""
        norms, clip = gradient_norms(run), clip_norm(run)
        for curve in filter(None, (norms.clipped, norms.whole)):
            if len(curve) < self.least:
                continue
            top = float(curve.values.max())
            standing = float(np.mean(curve.values >= (1 - self.equal) * top))
            if (
                top > 0
                and standing >= self.stands
                and (curve is norms.clipped or clip is None or top <= clip * (1 + self.equal))
            ):
                usual = float(np.median(norms.whole.values)) if norms.whole and norms.whole is not curve else None
                yield self._finding(curve, standing, top, usual)
                return
            if curve is norms.whole and clip and (found := self._before(run, curve, clip)):
                yield found
                return

    def _before(self, run: RunCurves, curve: Curve, clip: float) -> Finding | None:
        exceeding, usual = float(np.mean(curve.values > clip)), float(np.median(curve.values))
        losses = measure_all(run, run.learning, self.least)
        slow = bool(losses) and all(not loss.fell or loss.worth < self.slow for loss in losses)
        if exceeding < self.above or not (usual >= self.ratio * clip or slow):
            return None
        return self._finding(curve, exceeding, clip, usual)

    def _finding(self, curve: Curve, share: float, clip: float, usual: float | None) -> Finding:
        before = say(", where it is usually {usual:.3g} before", usual=usual) if usual else ""
        raised = (
            say("to about {usual:.2g}, the usual norm before clipping", usual=usual)
            if usual
            else say("tenfold, and log the norm before clipping")
        )
        sure = certainty(usual / clip, self.ratio) if usual else 0.8
        return self.finding(
            Severity.WARNING,
            min(max(sure, 0.6), 0.9),
            Span((curve.name,), int(curve.steps[0]), int(curve.steps[-1])),
            say("{share} clipped to {clip:.3g}", share=percent(share), clip=clip),
            say(
                "{share} of the gradients in {curve} are clipped to {clip:.3g}{before}.",
                share=percent(share),
                curve=curve.name,
                clip=clip,
                before=before,
            ),
            {"clipped_share": share, "clip_norm": clip, "usual_norm": usual},
            (
                say("Raise the clip norm {raised}.", raised=raised),
                say("If training then turns unstable, lower the learning rate or warm it up for longer."),
            ),
        )
