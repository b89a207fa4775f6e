"""The rule `missing_validation`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from curve_analyzers.analyzer import Analyzer, Need
from curve_analyzers.examples import Example, decay, run
from curve_analyzers.findings import Finding, Severity, Span
from curve_analyzers.model import RunCurves
from curve_analyzers.roles import single_values
from curve_analyzers.saying import say


@dataclass(frozen=True, kw_only=True)
class MissingValidation(Analyzer):
    """No curve was measured on held-out data.

    ## Why it matters
    The training loss falls for a model that learns and for one that memorises. Only data it was not trained on tells
    them apart, so overfitting, and whether the result is worth anything, could not be judged.

    ## What to try
    Hold 10 to 20 % of the data out, measure loss and score on it once an epoch, and log them beside the training's.

    ## When it is wrong
    When the held-out curve is there under a name that was not understood: `--map TAG=val_loss` tells. Runs over data
    that is never seen twice, and reinforcement learning, can do without.

    ## Source
    Hastie, Tibshirani and Friedman, "The Elements of Statistical Learning" (2009), chapter 7.2.
    """

    needs = (Need.TRAINING,)
    least = 2
    vouches = False

    fires = (Example("a training loss alone", run(train_loss=decay())),)
    quiet = (
        Example("with validation", run(train_loss=decay(), val_loss=decay(floor=0.3))),
        Example("with a test set", run(train_loss=decay(), test_accuracy=decay(0.1, 0.9))),
        Example(
            "with a single evaluation: sparse_curve",
            run(train_loss=decay(), val_loss=decay(), sparse={"val_loss": 1}),
        ),
        Example("reinforcement learning", run(reward=decay(0.0, 200.0))),
    )

    def check(self, run: RunCurves) -> Iterator[Finding]:
        """Look for any held-out curve, were it of one point; a reward is earned on fresh episodes and needs none."""
        role = run.training[0]
        if run.held_out or role.quantity == "reward" or single_values(run):
            return
        curve = run[role]
        yield self.finding(
            Severity.INFO,
            0.95,
            Span((curve.name,), int(curve.steps[0]), int(curve.steps[-1])),
            say("no held-out curve"),
            say("No curve on held-out data was found, so overfitting could not be judged."),
            {"curves": len(run.curves)},
            (
                say("Hold 10 to 20 % of the data out, and log loss and score on it once an epoch."),
                say("If it is there under another name, say so with `--map TAG=val_loss`."),
            ),
        )
