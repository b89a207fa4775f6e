"""The rule `wasted_compute`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from curve_analyzers.analyzer import Analyzer, Need, threshold
from curve_analyzers.clock import hours_between
from curve_analyzers.examples import Example, Shape, decay, flat, line, run, valley
from curve_analyzers.findings import Finding, Severity, Span
from curve_analyzers.model import Curve, Floats, Ints, RunCurves
from curve_analyzers.progress import BEYOND_NOISE, BINS, EXACT, Progress, measure, measure_all
from curve_analyzers.saying import say, series
from curve_analyzers.signal import bins, certainty
from curve_analyzers.wording import duration, percent

PATIENCES = (5, 10, 20)


def _crept() -> Shape:
    """A fast fall, then a long slow one."""
    return Shape(lambda t: 0.3 + 2.0 * np.exp(-25 * t) + 0.2 * (1 - t), 0.002)


@dataclass(frozen=True, slots=True)
class Useful:
    """The last step of a run that brought something, on one of its curves.

    Attributes:
        progress: The curve.
        step: The first step at which it was, within its noise, as good as it ever got.
        share: How much of the run had passed by then.
    """

    progress: Progress
    step: int
    share: float


@dataclass(frozen=True, slots=True, eq=False)
class Checks:
    """The values, as costs, that early stopping would have looked at, and when."""

    curve: Curve
    costs: Floats
    steps: Ints


@dataclass(frozen=True, slots=True)
class Stop:
    """Where a patience would have stopped the run; `lost` in the unit of the curve, `saved` in steps and hours."""

    step: int
    saved: int
    hours: float | None
    lost: float


@dataclass(frozen=True, kw_only=True)
class WastedCompute(Analyzer):
    """Most of the budget came after the last step that brought something.

    ## Why it matters
    The hours after the last useful step bought nothing. Over a search of a hundred runs that is most of the bill, and
    a shorter run leaves room to try what might help.

    ## What to try
    Stop early, with a patience of some evaluations: the finding says what 5, 10 and 20 would have saved and lost. Or
    plan fewer steps, and fit the schedule of the learning rate to them.

    ## When it is wrong
    When a late gain was waited for (a later drop of the rate, grokking), or when what improved was not logged. Gains
    within the noise of the curve are not seen.

    ## Source
    Prechelt, "Early Stopping - But When?" (1998): slower criteria gain little and cost much.
    """

    needs = (Need.LEARNING,)
    least = 12

    late: float = threshold(0.27, "share of the run by which all that it brought was there", gt=0, lt=1)
    points: float = threshold(50, "points logged in vain that make the waste large", ge=1)
    gain: float = threshold(0.0078, "gain, as a share of the whole fall, that is none", ge=0)
    value: float = threshold(0.05, "the same as a share of the value it ended at", ge=0)
    score: float = threshold(0.02, "the same of a score between 0 and 1, as a share of the whole", ge=0)
    point: float = threshold(0.01, "gain of such a score, as a share of the whole, that is none", ge=0)
    seen: float = threshold(0.07, "noise, as a share of the fall, above which a gain cannot be seen", gt=0)

    fires = (
        Example("best at 10 %, flat since", run(200, train_loss=decay(rate=60), val_loss=decay(floor=0.3, rate=60))),
        Example("converged at 20 %", run(100, train_loss=decay(rate=25), val_loss=decay(floor=0.3, rate=25))),
        Example("best at 10 %, worse since", run(200, train_loss=decay(), val_loss=valley(turn=0.1, end=0.9))),
        Example("only a score", run(100, val_accuracy=decay(0.1, 0.9, 40, 0.002))),
        Example("per step, noisy", run(5000, train_loss=decay(rate=60, noise=0.1))),
        Example("60 epochs", run(60, train_loss=decay(rate=80), val_loss=decay(floor=0.3, rate=80))),
    )
    quiet = (
        Example(
            "too short for the waste to be large",
            run(20, train_loss=decay(rate=40), val_loss=decay(floor=0.3, rate=40)),
        ),
        Example("best near the end", run(train_loss=decay(rate=3), val_loss=decay(floor=0.3, rate=3))),
        Example("converged at 60 %", run(train_loss=decay(rate=7), val_loss=decay(floor=0.3, rate=7))),
        Example(
            "a long cosine end that gains a little",
            run(train_loss=decay(rate=20), val_loss=_crept(), learning_rate=line(0.1, 0.0, 0.0)),
        ),
        Example(
            "the score still improves",
            run(train_loss=decay(), val_loss=valley(turn=0.1), val_accuracy=decay(0.1, 0.9, 3, 0.002)),
        ),
        Example("too noisy to see a gain", run(train_loss=decay(rate=30, noise=0.4))),
        Example("nothing was learned", run(train_loss=flat(2.3))),
    )

    def check(self, run: RunCurves) -> Iterator[Finding]:
        """Judge the held-out curves, loss and scores, by the last of them to improve; else the training curve."""
        roles = dict.fromkeys([*run.held_out, *run.held_out_scores()]) or run.training
        judged = [progress for progress in measure_all(run, roles, self.least) if progress.fell]
        if judged and all(self._sees(run, progress) for progress in judged):
            useful = max(map(self._useful, judged), key=lambda each: each.share)
            longest = max(len(run[role]) for role in (*roles, *run.training))
            if useful.share <= self.late and (1 - useful.share) * longest >= self.points:
                yield self._finding(useful, judged[0], _checks(judged[0].curve, held_out=roles is not run.training))

    def _sees(self, run: RunCurves, progress: Progress) -> bool:
        """Whether a gain worth anything would show over the noise of a curve.

        Worth is measured by the training's fall where that is larger (a first evaluation may come late), and for a
        score between 0 and 1 by the whole of it.
        """
        same = (measure(run, role) for role in run.training if role.measures == progress.quantity and len(run[role]))
        fall = max((progress.fall, *(train.fall for train in same)))
        return BEYOND_NOISE * progress.error <= max(self.seen * fall, self.score * progress.whole)

    def _useful(self, progress: Progress) -> Useful:
        """The first level that no later one beats by more than noise or a gain that is none."""
        none = min(self.gain * progress.fall, self.value * abs(progress.end))
        tolerance = max(none, self.point * progress.whole, BEYOND_NOISE * progress.error)
        first = int(np.flatnonzero(progress.levels <= progress.best + tolerance)[0])
        step, begin = int(progress.steps[first]), int(progress.curve.steps[0])
        return Useful(progress, step, (step - begin) / max(progress.last_step - begin, 1))

    def _finding(self, useful: Useful, judged: Progress, checks: Checks) -> Finding:
        progress, last = useful.progress, useful.progress.last_step
        spent = hours_between(progress.curve, useful.step, last)
        after = say(
            "{steps:,} steps{spent}",
            steps=last - useful.step,
            spent=say(" and {spent}", spent=duration(3600 * spent)) if spent else "",
        )
        stops = {patience: stop for patience in PATIENCES if (stop := _stop(checks, patience))}
        told = [
            say(
                "{patience} stops at step {step}, saves {saved:,} steps{hours} and loses {lost}",
                patience=patience,
                step=stop.step,
                saved=stop.saved,
                hours=say(" ({time})", time=duration(3600 * stop.hours)) if stop.hours else "",
                lost=f"{stop.lost:.2g}" if stop.lost > 0 else say("nothing"),
            )
            for patience, stop in stops.items()
        ]
        planned = max(2 * (useful.step - int(progress.curve.steps[0])), 1)
        best = f"{judged.shown(judged.best_value):.4g}"
        counted = (
            say(" Patience in evaluations of {judged}: {told}.", judged=judged.name, told=series(told)) if told else ""
        )
        return self.finding(
            Severity.WARNING,
            min(certainty(self.late, useful.share), 0.95),
            Span(tuple(dict.fromkeys((judged.name, progress.name))), useful.step, last),
            say("{share} of the run brought nothing", share=percent(1 - useful.share)),
            say(
                "All that {progress} gained was there by step {step} of {last} (best {best}); the "
                "{after} since brought nothing beyond noise.{counted}",
                progress=progress.name,
                step=useful.step,
                last=last,
                best=best,
                after=after,
                counted=counted,
            ),
            {
                "last_useful_step": useful.step,
                "wasted_share": 1 - useful.share,
                "wasted_hours": spent,
                **_evidence(stops),
            },
            (
                say(
                    "Stop early, with a patience of {patience} evaluations on {judged}.",
                    patience=next(iter(stops), PATIENCES[0]),
                    judged=judged.name,
                ),
                say(
                    "Or plan about {planned:,} steps, and fit the schedule of the learning rate to them.",
                    planned=planned,
                ),
                say(
                    "Put what is saved into something that changes the result: another rate, more data, other features."
                ),
            ),
        )


def _stop(checks: Checks, patience: int) -> Stop | None:
    """Where early stopping would have ended the run; None where it would not have."""
    costs = checks.costs
    before = np.r_[np.inf, np.minimum.accumulate(costs)[:-1]]
    better = np.flatnonzero(costs < before)
    waits = np.diff(np.r_[better, len(costs)])
    given_up = np.flatnonzero(waits > patience)
    if not len(given_up):
        return None
    kept = better[given_up[0]]
    step, last = int(checks.steps[kept + patience]), int(checks.curve.steps[-1])
    hours = hours_between(checks.curve, step, last)
    return Stop(step, last - step, hours, float(costs[kept] - costs.min()))


def _checks(curve: Curve, *, held_out: bool) -> Checks:
    """The points of a held-out curve; of a long training curve, whose points are noise, its medians 2 % apart."""
    if held_out or len(curve) <= EXACT:
        return Checks(curve, curve.values, curve.steps)
    medians, edges = bins(curve.values, BINS)
    return Checks(curve, medians, curve.steps[edges[1:] - 1])


def _evidence(stops: dict[int, Stop]) -> dict[str, float | int | None]:
    """What each patience would have saved and lost; None where it would not have stopped the run."""
    found: dict[str, float | int | None] = {}
    for patience in PATIENCES:
        stop = stops.get(patience)
        found |= {
            f"patience_{patience}_step": stop.step if stop else None,
            f"patience_{patience}_saved_steps": stop.saved if stop else None,
            f"patience_{patience}_saved_hours": stop.hours if stop else None,
            f"patience_{patience}_lost": stop.lost if stop else None,
        }
    return found
