"""Why larger models bring nothing: optimisation, then too much regularization, then too little data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from curve_analyzers.experiment.comparison import Experiment
from curve_analyzers.experiment.factors import CAPACITY, REGULARIZATION, Factor
from curve_analyzers.experiment.statistics import ANY_SHARE, Effect, median_by_level, ranks
from curve_analyzers.hyperparameters import Meaning, meaning_of, number
from curve_analyzers.model import Floats, Ints
from curve_analyzers.saying import say

__all__ = ["CAUSES", "Case", "Cause", "case_of", "sizes_of"]

FEW = 8  # sizes up to which each is looked at by itself
CLEAR = 0.4  # rank correlation that counts as an order


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """What the rule looks at: the runs, how large their models are, and the smallest and the largest of them."""

    experiment: Experiment
    factor: Factor
    small: Ints
    large: Ints

    def by_level(self, values: Floats) -> Floats:
        """(k,) the median at each size."""
        return median_by_level(values, self.factor.codes, len(self.factor.levels))

    def medians(self, values: Floats) -> tuple[float, float]:
        """The median of the smallest and of the largest models."""
        return float(np.nanmedian(values[self.small])), float(np.nanmedian(values[self.large]))

    def effect(self, question: str) -> Effect | None:
        """The effect of size on the quantity of a question, None where none was found."""
        return self.experiment.effect(question, [self.factor.meaning] if self.factor.meaning else [])


@dataclass(frozen=True, slots=True)
class Cause:
    """Why more capacity brought nothing, what shows it, the runs and params it shows in, and how sure that is."""

    name: str
    because: str
    runs: tuple[int, ...]
    params: tuple[str, ...]
    confidence: float


def optimisation(case: Case) -> Cause | None:
    """The larger models fit even their training data worse, and no regularization accounts for it."""
    experiment, effect = case.experiment, case.effect("training")
    rate = experiment.effect("training", [Meaning.LEARNING_RATE]) or experiment.effect("level", [Meaning.LEARNING_RATE])
    params = rate.factor.params if rate else ()
    if effect is None or not effect.worse:
        return _at_the_best_rate(case, rate) if rate else None
    if _held_down(case):
        return None
    small, large = (experiment.shown(cost) for cost in case.medians(experiment.training))
    failed = int(experiment.failed[case.large].sum())
    told = (
        say(
            ", and {failed} of the {largest} largest did not train at all",
            failed=failed,
            largest=len(case.large),
        )
        if failed
        else ""
    )
    with_rate = say(" {factor} decides as well: each size needs its own.", factor=rate.factor.name) if rate else ""
    return Cause(
        say("optimisation"),
        say(
            "They fit their own training data worse ({small:.4g} and {large:.4g}){told}: that is a "
            "matter of optimisation, not of overfitting.{with_rate}",
            small=small,
            large=large,
            told=told,
            with_rate=with_rate,
        ),
        tuple(case.small.tolist()),
        params,
        min(effect.sure_sign, 0.95),
    )


def _at_the_best_rate(case: Case, rate: Effect) -> Cause | None:
    """The sizes differ in which rate they stand: at the best one, larger is better, at another, worse."""
    experiment, codes = case.experiment, rate.factor.codes
    costs = ranks(experiment.cost)
    slopes = []
    for level in range(len(rate.factor.levels)):
        runs = np.flatnonzero(codes == level)
        if len(np.unique(case.factor.codes[runs])) > 2:  # noqa: PLR2004 - an order takes three sizes
            slopes.append((float(np.median(costs[runs])), level, _correlation(case.factor.values[runs], costs[runs])))
    if len(slopes) < 2:  # noqa: PLR2004 - two rates to compare
        return None
    (_, best, at_best), (_, worst, at_worst) = min(slopes), max(slopes, key=lambda each: each[2])
    if not (at_best < -CLEAR and at_worst > CLEAR):
        return None
    runs = np.flatnonzero((codes == best) | (codes == worst))
    return Cause(
        say("optimisation"),
        say(
            "At {best} the larger models are the better ones, at {worst} the worse ones: the rate "
            "keeps them from using their size.",
            best=rate.factor.at(best),
            worst=rate.factor.at(worst),
        ),
        tuple(runs.tolist()),
        rate.factor.params,
        min(rate.sure_of_share(ANY_SHARE), 0.8),
    )


def regularization(case: Case) -> Cause | None:
    """More regularization makes training and held-out data worse, or training ends worse than held out under it."""
    experiment = case.experiment
    for meaning in REGULARIZATION:
        level, training = (experiment.effect(question, [meaning]) for question in ("level", "training"))
        if level and training and level.worse and training.worse and _suffers_more(case, level.factor):
            factor = level.factor
            return Cause(
                say("regularization"),
                say(
                    "{factor} holds them down, the larger the more: from {least} to {most} it makes "
                    "training and held-out data worse.",
                    factor=factor.name,
                    least=factor.levels[0],
                    most=factor.levels[-1],
                ),
                tuple(np.flatnonzero(factor.codes == len(factor.levels) - 1).tolist()),
                factor.params,
                min(level.sure_sign, training.sure_sign, 0.95),
            )
    if (effect := case.effect("training")) and effect.worse and (held := _held_down(case)):
        _, gap = case.medians(experiment.gap)
        return Cause(
            say("regularization"),
            say(
                "The largest end worse in training than on held-out data (by {gap:.3g}) under {held}: "
                "they are held down more the larger they are.",
                gap=-gap,
                held=held[1],
            ),
            tuple(case.small.tolist()),
            (held[0],),
            min(effect.sure_sign, 0.9),
        )
    return None


def _suffers_more(case: Case, regularization: Factor) -> bool:
    """Whether size does worse under the most regularization than under the least."""
    costs, values = ranks(case.experiment.cost), regularization.values
    edges = np.nanquantile(values, [1 / 3, 2 / 3])
    low, high = values <= edges[0], values >= edges[1]
    at_low, at_high = (_correlation(case.factor.values[runs], costs[runs]) for runs in (low, high))
    return at_high - at_low > CLEAR


def data(case: Case) -> Cause | None:
    """The larger models fit their training data as well or better, and only the gap grows."""
    experiment, gap = case.experiment, case.effect("gap")
    train_small, train_large = case.medians(experiment.training)
    if gap is None or not gap.worse or not train_large <= train_small:
        return None
    more = experiment.effect("level", [Meaning.DATA_SIZE])
    helped = say(" And more {factor} did help.", factor=more.factor.name) if more and more.better else ""
    small, large = case.medians(experiment.gap)
    return Cause(
        say("data"),
        say(
            "They fit their training data as well or better ({train_small:.4g} and "
            "{train_large:.4g}), and only the gap to held-out data grows ({small:.3g} and "
            "{large:.3g}): there is too little data for their size.{helped}",
            train_small=experiment.shown(train_small),
            train_large=experiment.shown(train_large),
            small=small,
            large=large,
            helped=helped,
        ),
        tuple(case.small.tolist()),
        more.factor.params if more and more.better else (),
        min(gap.sure_sign, 0.95),
    )


def sizes_of(experiment: Experiment) -> list[Factor]:
    """How large the models are, each measure of it that was varied."""
    found = [factor for meaning in CAPACITY if (factor := experiment.factor([meaning]))]
    return [factor for factor in found if factor.numbers is not None]


def case_of(experiment: Experiment, factor: Factor) -> Case:
    """The smallest and the largest models: of the first and last sizes, a third of the runs where sizes are many."""
    there = np.flatnonzero(factor.codes >= 0)
    edges = np.quantile(factor.codes[there], [1 / 3, 2 / 3], method="inverted_cdf")
    few = len(factor.levels) <= FEW
    small = there[factor.codes[there] <= (0 if few else edges[0])]
    large = there[factor.codes[there] >= (len(factor.levels) - 1 if few else edges[1])]
    return Case(experiment, factor, small, large)


def _held_down(case: Case) -> tuple[str, str] | None:
    """The param and, in words, the regularization under which the largest end worse in training than held out."""
    experiment = case.experiment
    _, gap = case.medians(experiment.gap)
    if not gap < -experiment.seed_noise(experiment.gap).sd:
        return None
    for meaning in REGULARIZATION:
        for name, text in sorted(experiment.runs[int(case.large[0])].params.items()):
            means = experiment.meanings.get(name) or meaning_of(name)
            if means is meaning and (value := number(text)):
                return name, f"{name} {value:g}"
    return None


def _correlation(values: Floats, costs: Floats) -> float:
    there = np.isfinite(values)
    if there.sum() < 3 or np.ptp(values[there]) == 0 or np.ptp(costs[there]) == 0:  # noqa: PLR2004 - an order
        return 0.0
    return float(np.corrcoef(ranks(values[there]), ranks(costs[there]))[0, 1])


# In this order: what is cheapest to mend first.
CAUSES: tuple[Callable[[Case], Cause | None], ...] = (optimisation, regularization, data)
