"""The rule `sparse_curve`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from curve_analyzers.analyzer import Analyzer, Need, threshold
from curve_analyzers.examples import Example, decay, flat, run
from curve_analyzers.findings import Finding, Severity, Span
from curve_analyzers.model import Curve, RunCurves
from curve_analyzers.roles import single_values
from curve_analyzers.saying import say
from curve_analyzers.wording import count


@dataclass(frozen=True, kw_only=True)
class SparseCurve(Analyzer):
    """A curve has too few points to show a shape.

    ## Why it matters
    Two points are a difference, not a curve: they show neither noise, nor a turn, nor a plateau. What was not judged
    for that reason is not healthy.

    ## What to try
    Log the training loss every few steps and the held-out metrics several times over the run, at least a dozen times
    each. The trainer's option is called `logging_steps`, `log_every_n_steps`, `eval_steps` or `val_check_interval`.

    ## When it is wrong
    When a run is meant to be this short, or is still young.

    ## Source
    The rules themselves: most need six points, those that look for single jumps twelve.
    """

    needs = (Need.LEARNING,)
    least = 1
    vouches = False

    points: float = threshold(6, "usable points from which a curve shows a shape", ge=2)
    few: float = threshold(3, "held-out points up to which it is a warning, where training has a shape", ge=0)

    fires = (
        Example("two points", run(2, train_loss=decay(), val_loss=decay())),
        Example(
            "a validation in the middle and at the end",
            run(1000, train_loss=decay(noise=0.1), val_loss=decay(floor=0.3), sparse={"val_loss": 2}),
        ),
        Example("a single validation", run(60, train_loss=decay(), val_loss=decay(), sparse={"val_loss": 1})),
    )
    quiet = (
        Example("12 points", run(12, train_loss=decay(), val_loss=decay(floor=0.3))),
        Example(
            "a validation for every fiftieth step",
            run(1000, train_loss=decay(), val_loss=decay(), sparse={"val_loss": 20}),
        ),
        Example("no validation: missing_validation", run(train_loss=decay())),
        Example(
            "a test at the end, beside a validation",
            run(60, train_loss=decay(), val_loss=decay(), test_accuracy=flat(0.9), sparse={"test_accuracy": 1}),
        ),
    )

    def check(self, run: RunCurves) -> Iterator[Finding]:
        """Judge the curves the run is judged on, in training and held out."""
        training = {curve.name: curve for role in run.training if len(curve := run[role])}
        held_out = {curve.name: curve for role in run.held_out if len(curve := run[role])}
        held_out = held_out or {curve.name: curve for curve in single_values(run)}
        judged = {**training, **held_out}
        sparse = [curve for curve in judged.values() if len(curve) < self.points]
        if sparse:
            shaped = any(len(curve) >= self.points for curve in training.values())
            unjudged = shaped and bool(held_out) and max(map(len, held_out.values())) <= self.few
            yield self._finding(min(sparse, key=len), len(sparse), len(judged), unjudged=unjudged)

    def _finding(self, curve: Curve, sparse: int, judged: int, *, unjudged: bool) -> Finding:
        points = count(len(curve), "usable point")
        more = (
            say(", and {other_curves} hardly more", other_curves=count(sparse - 1, "other curve")) if sparse > 1 else ""
        )
        return self.finding(
            Severity.WARNING if unjudged else Severity.INFO,
            0.95,
            Span((curve.name,), int(curve.steps[0]), int(curve.steps[-1])),
            points,
            say(
                "{curve} has {points}{more}: too few to judge a shape by; most rules need {least:g}.",
                curve=curve.name,
                points=points,
                more=more,
                least=self.points,
            ),
            {"points": len(curve), "sparse_curves": sparse, "judged_curves": judged},
            (
                say("Log the training loss every few steps (`logging_steps`, `log_every_n_steps`)."),
                say("Evaluate at least a dozen times over the run (`eval_steps`, `val_check_interval`)."),
            ),
        )
