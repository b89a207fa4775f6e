"""The rule `learning_rate_decides`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from curve_analyzers.experiment.analyzer import CannotTell, ExperimentAnalyzer, threshold
from curve_analyzers.experiment.comparison import STUCK, UNSTABLE, Experiment
from curve_analyzers.experiment.examples import SweepExample, outcome, sweep
from curve_analyzers.experiment.factors import Factor
from curve_analyzers.experiment.findings import ExperimentFinding, moved_with
from curve_analyzers.experiment.statistics import Effect, enough, median_by_level, ranks
from curve_analyzers.findings import Severity
from curve_analyzers.hyperparameters import Meaning
from curve_analyzers.model import Floats
from curve_analyzers.saying import enumerated, say
from curve_analyzers.wording import count, percent

RATE = (Meaning.LEARNING_RATE,)
MOST_STRETCHES = 8


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """Neighbouring learning rates and the runs that used them."""

    low: float
    high: float
    runs: tuple[int, ...]
    rank: float

    def share(self, experiment: Experiment, verdicts: frozenset[str]) -> float:
        """Of its runs, those that show any of some verdicts."""
        return float(np.mean([not verdicts.isdisjoint(_shows(experiment, place)) for place in self.runs]))


@dataclass(frozen=True, kw_only=True)
class LearningRateDecides(ExperimentAnalyzer):
    """Most of the difference between the runs goes with the learning rate.

    ## Why it matters
    As long as the rate decides, every other comparison is one of runs that were trained well with runs that were not.
    What looks like a better size, optimizer or data set may be the one whose rate happened to fit.

    ## What to try
    Fix the rate first, within the range that worked, and compare everything else there; each model size at its own
    best rate. Where the best rate is the highest or the lowest that was tried, go on in that direction.

    ## When it is wrong
    When another param was changed together with the rate: the finding then says so, and these runs cannot tell which
    of the two it was. When all rates but one were absurd, it is true and of no use.

    ## Source
    Smith, "A disciplined approach to neural network hyper-parameters" (2018); the test is in `statistics.py`.
    """

    share: float = threshold(0.5, "share of the differences between runs from which the rate decides", gt=0, lt=1)
    tangled: float = threshold(0.5, "most confidence where another param moved with the rate", ge=0, le=1)
    near: float = threshold(
        0.25, "a range works whose runs rank, on average, in this best share or near it", gt=0, lt=1
    )

    fires = (
        SweepExample(
            "too low stays high, too high diverges",
            sweep(
                lambda p: outcome(
                    "divergence" if p["lr"] > 0.5 else "slow_learning" if p["lr"] < 1e-4 else "healthy",  # noqa: PLR2004
                    val_loss=0.2 + abs(np.log10(p["lr"]) + 2) ** 2,
                ),
                lr=(1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0),
            ),
        ),
        SweepExample(
            "beside a width that matters little",
            sweep(
                lambda p: outcome(val_loss=0.2 + abs(np.log10(p["lr"]) + 2) + 1 / p["hidden_size"]),
                lr=(1e-4, 1e-3, 1e-2, 1e-1),
                hidden_size=(16, 64, 256),
                seeds=1,
            ),
        ),
        SweepExample(
            "an accuracy, over 16 rates",
            sweep(
                lambda p: outcome(val_accuracy=0.9 - 0.1 * abs(np.log10(p["lr"]) + 3)),
                lr=tuple(10 ** -(k / 3) for k in range(16)),
                seeds=1,
            ),
        ),
    )
    quiet = (
        SweepExample("the rate does nothing", sweep(lambda _: outcome(val_loss=0.3), lr=(1e-3, 1e-2, 1e-1), seeds=5)),
        SweepExample(
            "the width decides",
            sweep(
                lambda p: outcome(val_loss=0.2 + 4 / p["hidden_size"] + 0.01 * p["lr"]),
                lr=(1e-3, 1e-2, 1e-1),
                hidden_size=(8, 32, 128, 512),
            ),
        ),
        SweepExample("4 runs cannot tell", sweep(lambda p: outcome(val_loss=p["lr"]), lr=(1, 2, 3, 4), seeds=1)),
    )

    def missing(self, experiment: Experiment) -> str | None:
        """A learning rate that was varied, in enough runs."""
        rate = experiment.factor(RATE)
        return enough(rate, "level") if rate else say("no learning rate was varied")

    def check(self, experiment: Experiment) -> Iterator[ExperimentFinding]:
        """Judge the rate's effect beside all that was varied."""
        effect = experiment.effect("level", RATE)
        if effect is None or effect.factor.numbers is None or effect.share < self.share:
            return
        stretches = _stretches(effect.factor, experiment)
        if not stretches:
            raise CannotTell(say("the learning rates are no numbers"))
        yield self._finding(experiment, effect, stretches)

    def _finding(self, experiment: Experiment, effect: Effect, stretches: list[Stretch]) -> ExperimentFinding:
        best = min(stretches, key=lambda stretch: stretch.rank)
        worst = max(stretch.rank for stretch in stretches)
        limit = best.rank + self.near * (worst - best.rank)
        worked = [stretch for stretch in stretches if stretch.rank <= limit]
        low, high = min(stretch.low for stretch in worked), max(stretch.high for stretch in worked)
        too_high = [s.low for s in stretches if s.low > high and s.share(experiment, UNSTABLE) > 1 / 2]
        too_low = [s.high for s in stretches if s.high < low and s.share(experiment, STUCK) > 1 / 2]
        sure = effect.sure_of_share(self.share)
        told = [say("best {range}", range=_range(low, high))]
        told += [say("unstable from {too_high:g} on", too_high=min(too_high))] if too_high else []
        told += [say("hardly moving up to {too_low:g}", too_low=max(too_low))] if too_low else []
        others, caution = effect.tangled, moved_with(effect.tangled)
        rates = effect.factor.numbers if effect.factor.numbers is not None else np.zeros(0)
        edge = say(" It is the highest that was tried: go on upwards.") if high >= rates.max() else ""
        edge = say(" It is the lowest that was tried: go on downwards.") if low <= rates.min() and not edge else edge
        return self.finding(
            Severity.WARNING,
            min(sure, self.tangled) if others else sure,
            experiment.ids(place for stretch in worked for place in stretch.runs),
            effect.factor.params,
            say("{share} of the differences", share=percent(effect.share)),
            say(
                "{share} ({low} to {high}) of the differences in {judged} between {runs} go with "
                "{factor}: {told}.{caution}",
                share=percent(effect.share),
                low=percent(effect.low),
                high=percent(effect.high),
                judged=experiment.judged,
                runs=count(len(experiment), "run"),
                factor=effect.factor.name,
                told=enumerated(told),
                caution=caution,
            ),
            {
                "share": effect.share,
                "share_low": effect.low,
                "share_high": effect.high,
                "p": effect.p,
                "best_low": low,
                "best_high": high,
                "unstable_from": min(too_high) if too_high else None,
                "stuck_up_to": max(too_low) if too_low else None,
                "runs": len(experiment),
            },
            (
                say(
                    "Keep {factor} {range} and compare everything else there.{edge}",
                    factor=effect.factor.name,
                    range=_range(low, high),
                    edge=edge,
                ),
                say("Find the best rate of each model size before the sizes are compared."),
            ),
        )


def _stretches(rate: Factor, experiment: Experiment) -> list[Stretch]:
    """The rates that were tried, from low to high: each by itself where they are few, else in stretches of as many."""
    if rate.numbers is None:
        return []
    standing: Floats = ranks(experiment.cost) / max(len(experiment) - 1, 1)
    groups = np.array_split(np.arange(len(rate.numbers)), min(len(rate.numbers), MOST_STRETCHES))
    stretches = []
    for group in groups:
        runs = tuple(np.flatnonzero(np.isin(rate.codes, group)).tolist())
        level = float(median_by_level(standing, np.isin(rate.codes, group).astype(np.int64), 2)[1])
        stretches.append(Stretch(float(rate.numbers[group[0]]), float(rate.numbers[group[-1]]), runs, level))
    return stretches


def _range(low: float, high: float) -> str:
    return say("at {low:g}", low=low) if low == high else say("from {low:g} to {high:g}", low=low, high=high)


def _shows(experiment: Experiment, place: int) -> set[str]:
    run = experiment.runs[place]
    return {run.verdict, *run.shows}
