"""The rule `non_finite`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from curve_analyzers.analyzer import Analyzer, Need, threshold
from curve_analyzers.examples import Example, decay, flat, growth, line, run, step
from curve_analyzers.findings import Finding, Severity, Span
from curve_analyzers.model import Curve, Role, RunCurves, Split
from curve_analyzers.quantities import Kind
from curve_analyzers.remedies import lower_rate
from curve_analyzers.saying import say
from curve_analyzers.signal import spread


@dataclass(frozen=True, kw_only=True)
class NonFinite(Analyzer):
    """The loss became NaN or infinite.

    ## Why it matters
    From the first NaN on, every weight it reached is NaN, and the run computes nothing. A loss that recovers lost at
    least those steps.

    ## What to try
    Lower the learning rate and clip the gradient norm. Look for a division by zero, a logarithm of zero or a square
    root at zero in the loss, and for NaN in the inputs. In half precision, scale the loss or use bfloat16.

    ## When it is wrong
    When the metric is undefined by nature for some evaluations, such as the precision of a class that does not occur.
    Only losses, gradient norms, and errors where no loss was logged, are looked at for that reason.

    ## Source
    Micikevicius et al., "Mixed Precision Training" (2018), on overflow; IEEE 754 on what follows from one NaN.
    """

    needs = (Need.LOGGED_LOSS,)
    least = 1
    vouches = False
    explains = ("fit", "progress", "stability", "loss_metric_disagreement", "class_imbalance")

    before: float = threshold(
        0.1, "share of the run before the first NaN that is searched for what led to it", gt=0, le=1
    )
    jump: float = threshold(3.0, "growth within that stretch that counts as having led to it, as a factor", gt=1)

    fires = (
        Example("NaN from 60 % on", run(train_loss=decay().lost(0.6))),
        Example("NaN from the start", run(train_loss=flat(1.0).lost(0.0), val_accuracy=flat(0.1))),
        Example(
            "infinity as a SQL store writes it", run(train_loss=growth(1, 1e9).lost(0.8, 1.0, 1.7976931348623157e308))
        ),
        Example("it recovered", run(train_loss=decay().lost(0.5, 0.55))),
        Example(
            "the rate was raised before", run(train_loss=decay().lost(0.6), learning_rate=step(0.01, 1.0, 0.57, 0.0))
        ),
        Example("an error where no loss was logged", run(train_rmse=decay().lost(0.6))),
        Example("the held-out loss alone", run(train_loss=decay(), val_loss=decay(floor=0.3).lost(0.0))),
    )
    quiet = (
        Example("a finite run", run(train_loss=decay(), val_loss=decay(floor=0.3))),
        Example(
            "a percentage of targets that can be zero",
            run(train_loss=decay(), val_loss=decay(floor=0.3), val_mape=decay().lost(0.0)),
        ),
        Example(
            "a precision that is undefined at first",
            run(train_loss=decay(), val_precision=line(0.1, 0.8).lost(0.0, 0.3)),
        ),
    )

    def check(self, run: RunCurves) -> Iterator[Finding]:
        """Judge what was logged, NaN and all, of every loss; the one that broke first speaks for the run."""
        broken = [
            (role, int(np.argmin(np.isfinite(run.raw(role).values)))) for role in run.roles if self._lost(run, role)
        ]
        if broken:
            yield self._finding(run, *min(broken, key=lambda each: (each[0].split is not Split.TRAIN, each[1])))

    @staticmethod
    def _lost(run: RunCurves, role: Role) -> bool:
        # Beside a loss on the same data an error may be undefined by nature: a share of a target that is zero.
        error = role.measures.kind is Kind.ERROR and Role(role.split, "loss") not in run
        looked_at = role.measures.kind is Kind.LOSS or error or role.quantity == "gradient_norm"
        return looked_at and not np.isfinite(run.raw(role).values).all()

    def _finding(self, run: RunCurves, role: Role, first: int) -> Finding:
        curve = run.raw(role)
        lost = ~np.isfinite(curve.values)
        recovered = not lost[-1]
        since, kind = int(curve.steps[first]), "NaN" if np.isnan(curve.values[first]) else say("infinite")
        cause = self._cause(run, curve, first)
        if recovered:
            where = say(
                "was {kind} at {lost} of {points} points, the first at step {since}, and recovered",
                kind=kind,
                lost=lost.sum(),
                points=len(curve),
                since=since,
            )
        else:
            where = say(
                "is {kind} {since}",
                kind=kind,
                since=say("at every point") if lost.all() else say("from step {since} on", since=since),
            )
        return self.finding(
            Severity.WARNING if recovered or role.split is not Split.TRAIN else Severity.CRITICAL,
            0.8 if recovered else 0.99,
            Span((curve.name,), since, int(curve.steps[np.flatnonzero(lost)[-1]])),
            say("{kind} since step {since}", kind=kind, since=since)
            if not recovered
            else say("{kind} at step {since}, recovered", kind=kind, since=since),
            say(
                "{curve} {where}.{before}",
                curve=curve.name,
                where=where,
                before=say(" Before that, {cause}.", cause=cause) if cause else "",
            ),
            {
                "first_step": since,
                "lost_points": int(lost.sum()),
                "points": len(curve),
                "recovered": recovered,
                "after": cause,
            },
            (
                lower_rate(run),
                say("Clip the gradient norm (1.0 is a usual start)."),
                say(
                    "Look for a division by zero, log(0) or sqrt(0) in the loss, and for NaN in the inputs "
                    "of that step."
                ),
                say("In half precision, scale the loss or use bfloat16."),
            ),
        )

    def _cause(self, run: RunCurves, curve: Curve, first: int) -> str | None:
        """What grew just before: the learning rate, the gradient norm, or the loss itself."""
        end = int(curve.steps[first])
        start = end - self.before * (int(curve.steps[-1]) - int(curve.steps[0]))
        for role, words in (
            (Role.LEARNING_RATE, say("the learning rate went")),
            (Role(Split.NONE, "gradient_norm"), say("the gradient norm went")),
        ):
            if role in run and (grown := self._growth(run[role], start, end)):
                return say("{words} from {before:.3g} to {after:.3g}", words=words, before=grown[0], after=grown[1])
        if grown := self._growth(curve.finite(), start, end):
            return say("the loss itself jumped from {before:.3g} to {after:.3g}", before=grown[0], after=grown[1])
        return None

    def _growth(self, curve: Curve, start: float, end: int) -> tuple[float, float] | None:
        """The usual size before and the size right before `end`, where it had grown by the factor `jump`."""
        before, near = curve.values[curve.steps < start], curve.values[(curve.steps >= start) & (curve.steps <= end)]
        if not (len(before) and len(near)):
            return None
        usual, peak = float(np.median(before[-len(near) * 3 :])), float(near.max())
        grown = peak > self.jump * abs(usual) and peak > usual + self.jump * spread(before)
        return (usual, peak) if grown else None
