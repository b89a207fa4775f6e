"""The rule `sources_disagree`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from curve_analyzers.analyzer import Analyzer, Need, threshold
from curve_analyzers.examples import Example, decay, flat, run
from curve_analyzers.findings import Finding, Severity, Span
from curve_analyzers.model import Curve, Floats, Ints, Role, RunCurves
from curve_analyzers.saying import say

BOTH = Need(
    say("no curve was found both in MLflow and in the run's own event files"),
    lambda run: [min(run[role], run.others[role].finite(), key=len) for role in run.others if role in run],
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A metric in MLflow and in the event files, at the steps that both have.

    Attributes:
        role: What it is.
        curve: As MLflow has it.
        other: As the event files have it.
        steps: (n,) the shared steps.
        apart: (n,) how far apart the values are there, as a share of the curve's range.
    """

    role: Role
    curve: Curve
    other: Curve
    steps: Ints
    apart: Floats


@dataclass(frozen=True, kw_only=True)
class SourcesDisagree(Analyzer):
    """MLflow and the run's own event files hold different values of the same metric.

    ## Why it matters
    One of the two is not what was trained: a value averaged over another window or another process, a metric logged
    before a reset, files of an earlier run. Whoever compares runs by the wrong one compares nothing.

    ## What to try
    Log each metric in one place and send it to both. Average over the same window, on the same process (rank 0), and at
    the same moment of the step. Give every run a log directory of its own.

    ## When it is wrong
    When the two are meant to differ: a loss smoothed for one of them, or a metric that only shares its name.

    ## Source
    Logs in the wild: autologging and a TensorBoard callback beside it log the same training twice.
    """

    needs = (BOTH,)
    vouches = False

    apart: float = threshold(0.02, "distance of two values, as a share of the curve's range, that is no rounding", gt=0)
    often: float = threshold(0.1, "share of the shared steps at which the values must be apart", gt=0, le=1)
    shared: float = threshold(0.5, "share of the shorter curve's steps that both must have", gt=0, le=1)

    fires = (
        Example("event files of another run", run(train_loss=decay(), others={"train_loss": decay(3.1, 0.9, 3)})),
        Example(
            "one of two metrics",
            run(
                train_loss=decay(),
                val_accuracy=decay(0.1, 0.9),
                others={"train_loss": decay(), "val_accuracy": decay(0.1, 0.7)},
            ),
        ),
    )
    quiet = (
        Example("the same curve twice", run(train_loss=decay(), others={"train_loss": decay()})),
        Example(
            "the same curve on other steps",
            run(train_loss=decay(), others={"train_loss": decay()}, other_steps=lambda steps: 100 * steps),
        ),
        Example(
            "the same curve, counted from another start",
            run(train_loss=decay(), others={"train_loss": decay()}, other_steps=lambda steps: steps + 1),
        ),
        Example("in MLflow alone", run(train_loss=decay(), others={"val_loss": decay()})),
        Example("the same constant", run(train_loss=flat(0.7, 0.0), others={"train_loss": flat(0.7, 0.0)})),
    )

    def check(self, run: RunCurves) -> Iterator[Finding]:
        """Compare every metric that both have, and tell the one that is apart most often."""
        compared = [found for role in run.others if role in run and (found := self._compare(run, role))]
        differing = [each for each in compared if self._often_apart(each)]
        if differing:
            worst = max(differing, key=lambda each: (self._share(each), float(each.apart.max())))
            yield self._finding(worst, [each.curve.name for each in differing])

    def _compare(self, run: RunCurves, role: Role) -> Comparison | None:
        """The two at their shared steps; None where their steps do not count the same."""
        curve, other = run[role], run.others[role].finite()
        if not len(curve) or not len(other) or _same_by_rank(curve, other):
            return None
        steps, here, there = np.intersect1d(curve.steps, other.steps, assume_unique=True, return_indices=True)
        if len(steps) < max(self.least, self.shared * min(len(curve), len(other))):
            return None
        values, others = curve.values[here], other.values[there]
        scale = _range(curve.values) or float(np.abs(curve.values).max()) or float(np.abs(other.values).max())
        return Comparison(role, curve, other, steps, np.abs(values - others) / scale if scale else np.zeros(len(steps)))

    def _share(self, compared: Comparison) -> float:
        return float(np.mean(compared.apart > self.apart))

    def _often_apart(self, compared: Comparison) -> bool:
        return self._share(compared) >= self.often

    def _finding(self, worst: Comparison, names: Sequence[str]) -> Finding:
        differ = worst.apart > self.apart
        first = int(worst.steps[differ][0])
        more = say(" and {others} more", others=len(names) - 1) if len(names) > 1 else ""
        largest = int(worst.steps[worst.apart.argmax()])
        mine, theirs = (
            float(curve.values[np.searchsorted(curve.steps, largest)]) for curve in (worst.curve, worst.other)
        )
        return self.finding(
            Severity.WARNING,
            0.6 + 0.35 * self._share(worst),
            Span(tuple(names), first, int(worst.steps[differ][-1])),
            say("apart since step {first}", first=first),
            say(
                "{curve}{more} and its copy in the run's event files ({other}) differ at {apart} of "
                "{shared} steps that both have; at step {largest} MLflow has {mine:.4g} and the "
                "event files {theirs:.4g}.",
                curve=worst.curve.name,
                more=more,
                other=worst.other.name,
                apart=int(differ.sum()),
                shared=len(differ),
                largest=largest,
                mine=mine,
                theirs=theirs,
            ),
            {"steps_compared": len(differ), "steps_apart": int(differ.sum()), "mlflow": mine, "event_files": theirs},
            (
                say("Log each metric in one place and send it to both, averaged over the same window."),
                say("See whether the event files are of an earlier run: give every run a log directory of its own."),
            ),
        )


def _range(values: Floats) -> float:
    return float(values.max() - values.min())


def _same_by_rank(curve: Curve, other: Curve) -> bool:
    """Whether two curves are one on different steps: point by point the same, but for the rounding of stores."""
    if len(curve) != len(other):
        return False
    rounding = np.finfo(np.float32).eps * 4
    return bool(np.allclose(curve.values, other.values, rtol=rounding, atol=rounding * _range(curve.values)))
