"""The rule `untrusted_steps`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from curve_analyzers.analyzer import Analyzer, Need, threshold
from curve_analyzers.examples import Example, decay, run
from curve_analyzers.findings import Finding, Severity, Span
from curve_analyzers.model import RunCurves, StepUnit
from curve_analyzers.saying import listed, say
from curve_analyzers.wording import count


@dataclass(frozen=True, kw_only=True)
class UntrustedSteps(Analyzer):
    """The logged steps do not tell the order of the points.

    ## Why it matters
    Every finding says since which step. Where all points share a step, or the step goes back, the curve was put in
    order by other means, and steps in this report are not the training's.

    ## What to try
    Pass the step when logging (`mlflow.log_metric(name, value, step=step)`), the same count for every curve. Give each
    cross-validation fold and each restart a run of its own.

    ## When it is wrong
    When a resumed run wrote over its own steps on purpose: then what was kept is what is right.

    ## Source
    Logs in the wild: MLflow keeps step 0 where none is given; TensorBoard drops what a restart wrote over.
    """

    needs = (Need.ANY,)
    least = 2
    vouches = False

    share: float = threshold(0.02, "share of a curve's points that were dropped or merged, from which it is told", ge=0)

    fires = (
        Example("every point at step 0", run(train_loss=decay(), steps=np.zeros_like)),
        Example(
            "a resumed run",
            run(
                train_loss=decay(),
                steps=lambda steps: np.where(2 * steps < steps.max(), steps, steps - steps.max() // 4),
            ),
        ),
        Example("a point for each batch, the epoch as step", run(train_loss=decay(), steps=lambda steps: steps // 5)),
    )
    quiet = (
        Example("steps that count up", run(train_loss=decay())),
        Example("every tenth step", run(train_loss=decay(), steps=lambda steps: 10 * steps)),
    )

    def check(self, run: RunCurves) -> Iterator[Finding]:
        """Judge what settling the curves with a role took; the curve that took most speaks for the run."""
        judged = {curve.name: curve for curve in Need.ANY.curves(run)}
        lost = [curve for curve in judged.values() if curve.step_unit is StepUnit.RANK]
        if lost:
            yield self._one_step([curve.name for curve in lost], max(map(len, lost)))
            return
        changed = {
            name: (curve.rewound + curve.duplicates) / (len(curve) + curve.rewound + curve.duplicates)
            for name, curve in judged.items()
        }
        worst = max(changed, key=lambda name: changed[name])
        if changed[worst] >= self.share:
            yield self._mended(run, worst)

    def _one_step(self, names: list[str], points: int) -> Finding:
        more = say(" and {other_curves}", other_curves=count(len(names) - 1, "other curve")) if len(names) > 1 else ""
        return self.finding(
            Severity.WARNING,
            0.95,
            Span(tuple(names), 0, points - 1),
            say("all points at one step"),
            say(
                "All points of {name}{more} were logged at one step; they were put in the order of "
                "time, and the steps in this report count the points.",
                name=names[0],
                more=more,
            ),
            {"curves": len(names), "points": points},
            (say("Pass the step when logging, `mlflow.log_metric(name, value, step=step)`."),),
        )

    def _mended(self, run: RunCurves, name: str) -> Finding:
        curve = run.curves[name]
        told = (
            [say("the step went back and {rewound} points were written over", rewound=curve.rewound)]
            if curve.rewound
            else []
        )
        told += (
            [say("{duplicates} points shared their step with another", duplicates=curve.duplicates)]
            if curve.duplicates
            else []
        )
        return self.finding(
            Severity.INFO,
            0.9,
            Span((name,), int(curve.steps[0]), int(curve.steps[-1])),
            say("steps go back or repeat"),
            say(
                "{name}: {told}; {points} points were judged.",
                name=name,
                told=listed(told),
                points=len(curve),
            ),
            {"rewound": curve.rewound, "duplicates": curve.duplicates, "points": len(curve)},
            (say("Log one point a step; give each restart or cross-validation fold a run of its own."),),
        )
