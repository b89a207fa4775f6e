"""The rule `data_saturation`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from curve_analyzers.experiment.analyzer import CannotTell, ExperimentAnalyzer, threshold
from curve_analyzers.experiment.comparison import Experiment
from curve_analyzers.experiment.examples import SweepExample, outcome, sweep
from curve_analyzers.experiment.factors import MISSING, Factor
from curve_analyzers.experiment.findings import ExperimentFinding, moved_with
from curve_analyzers.experiment.power_law import PowerLaw, fit_power_law
from curve_analyzers.experiment.statistics import enough
from curve_analyzers.findings import Severity
from curve_analyzers.hyperparameters import Meaning
from curve_analyzers.model import Floats
from curve_analyzers.saying import say
from curve_analyzers.wording import count, percent

SIZE = (Meaning.DATA_SIZE,)
LEAST_TOLD = 0.01  # more time than this is told


@dataclass(frozen=True, kw_only=True)
class DataSaturation(ExperimentAnalyzer):
    """More data of the same kind no longer pays.

    ## Why it matters
    Error falls with the amount of data along a power law towards a floor that more of the same does not lower. Near
    the floor, data cost labels and hours and bring nothing that shows.

    ## What to try
    Stop collecting more of the same. A larger or better suited model, cleaner labels, or data of a kind the model gets
    wrong lower the floor; more of what is there does not.

    ## When it is wrong
    When the larger runs were not trained for as many passes, or at a rate that suits the small ones: then it is they
    that stop the fall. When the held-out set is so small that gains do not show on it.

    ## Source
    Hestness et al., "Deep Learning Scaling is Predictable, Empirically" (2017); Viering and Loog, "The Shape of
    Learning Curves" (2022).
    """

    worth: float = threshold(
        0.05, "gain of the next doubling, as a share of all that data brought, that pays", gt=0, lt=1
    )
    sizes: float = threshold(4, "different sizes from which a power law can be told from a line", ge=4)

    fires = (
        SweepExample(
            "flat from 4,000 on",
            sweep(
                lambda p: outcome(val_loss=0.3 + 200 * p["n_train"] ** -1.2, seconds=p["n_train"] / 100),
                n_train=(125, 250, 500, 1000, 2000, 4000, 8000, 16000),
                seeds=2,
            ),
        ),
        SweepExample(
            "an accuracy at its ceiling",
            sweep(
                lambda p: outcome(val_accuracy=0.9 - 30 * p["train_samples"] ** -1.0),
                train_samples=(100, 400, 1600, 6400, 25600),
                noise=0.004,
            ),
        ),
    )
    quiet = (
        SweepExample(
            "each doubling still pays",
            sweep(lambda p: outcome(val_loss=3 * p["n_train"] ** -0.3), n_train=(125, 250, 500, 1000, 2000, 4000)),
        ),
        SweepExample(
            "the size does nothing that shows", sweep(lambda _: outcome(val_loss=0.3), n_train=(500, 1000, 2000, 4000))
        ),
        SweepExample("2 sizes", sweep(lambda p: outcome(val_loss=1 / p["n_train"]), n_train=(10, 20), seeds=8)),
    )

    def missing(self, experiment: Experiment) -> str | None:
        """The size of the training set, varied over enough sizes and runs."""
        factor = experiment.factor(SIZE)
        if factor is None or factor.numbers is None:
            return say("the size of the training set was not varied")
        if len(factor.levels) < self.sizes:
            return say(
                "cannot tell with {sizes} of the training set; {least:g} are needed",
                sizes=count(len(factor.levels), "size"),
                least=self.sizes,
            )
        return enough(factor, "level")

    def check(self, experiment: Experiment) -> Iterator[ExperimentFinding]:
        """Fit the fall over the sizes, and ask what the next doubling would bring."""
        effect = experiment.effect("level", SIZE)
        if effect is None or not effect.better:
            raise CannotTell(say("that more data ever helped does not show in these runs"))
        factor = effect.factor
        alone = len(experiment.effects("level")) == 1
        sizes, costs, places = _points(experiment, factor, alone=alone)
        law = fit_power_law(sizes, costs)
        if law is None:
            raise CannotTell(say("the levels do not follow a power law over the sizes of the training set"))
        noise = experiment.seed_noise(experiment.cost)
        limit = max(self.worth * law.fall, noise.sd if noise.measured else 0.0)
        if law.gain_high <= limit:
            yield self._finding(experiment, factor, law, limit, places)

    def _finding(
        self, experiment: Experiment, factor: Factor, law: PowerLaw, limit: float, places: list[int]
    ) -> ExperimentFinding:
        largest, now = law.largest, experiment.shown(law.at(law.largest))
        gain = say(
            "{gain:.2g} ({gain_low:.2g} to {gain_high:.2g})",
            gain=law.gain,
            gain_low=max(law.gain_low, 0.0),
            gain_high=law.gain_high,
        )
        time, told_time = _time_of_doubling(experiment, factor), ""
        if time is not None:
            more = say(" Twice the data took {time} more time.", time=percent(time))
            told_time = more if time >= LEAST_TOLD else say(" Twice the data took no more time.")
        sure = float(np.clip(1.0 - 0.5 * law.gain_high / limit, 0.5, 0.97)) if limit > 0 else 0.5
        others = moved_with(factor.others)
        way, end = (say("rose"), say("ceiling")) if experiment.higher else (say("fell"), say("floor"))
        return self.finding(
            Severity.WARNING,
            min(sure, 0.5) if others else sure,
            experiment.ids(places),
            factor.params,
            say("next doubling: {gain} of the gain", gain=percent(law.gain / law.fall) if law.fall else "0 %"),
            say(
                "{judged} {way} along a power law over {sizes} of {factor} and is near its {end}: from "
                "{largest:g} to {doubled:g} it would gain {gain}, from {now:.4g}.{told_time}{others}",
                judged=experiment.judged,
                way=way,
                sizes=count(len(factor.levels), "size"),
                factor=factor.name,
                end=end,
                largest=largest,
                doubled=2 * largest,
                gain=gain,
                now=now,
                told_time=told_time,
                others=others,
            ),
            {
                "next_gain": law.gain,
                "next_gain_low": law.gain_low,
                "next_gain_high": law.gain_high,
                "worth_from": limit,
                "floor": experiment.shown(law.floor),
                "exponent": law.exponent,
                "largest": largest,
                "fall": law.fall,
                "time_of_doubling": time,
                "runs": len(experiment),
            },
            (
                say(
                    "Stop collecting more of the same data; look at what the model still gets wrong, and at its labels."
                ),
                say("A model that suits the data better, or regularization tuned again at this size, comes next."),
                say(
                    "{floor:.3g} is where this model ends: compare it with what a person reaches.",
                    floor=experiment.shown(law.floor),
                ),
            ),
        )


def _points(experiment: Experiment, factor: Factor, *, alone: bool) -> tuple[Floats, Floats, list[int]]:
    """Sizes, costs and the runs they are of: all, or where something else decides too, the best of each size."""
    usable = np.flatnonzero((factor.codes != MISSING) & np.isfinite(experiment.cost) & (factor.values > 0))
    if not alone:
        best = [usable[factor.codes[usable] == level] for level in range(len(factor.levels))]
        usable = np.array([runs[experiment.cost[runs].argmin()] for runs in best if len(runs)], np.int64)
    return factor.values[usable], experiment.cost[usable], usable.tolist()


def _time_of_doubling(experiment: Experiment, factor: Factor) -> float | None:
    """How much more time twice the data took, as a share, over the largest sizes; None where no time was logged."""
    seconds = np.array([run.seconds for run in experiment.runs], np.float64)
    medians = [
        (float(size), float(np.median(took)))
        for level, size in enumerate(factor.numbers if factor.numbers is not None else ())
        if len(took := seconds[(factor.codes == level) & (seconds > 0)])
    ]
    if len(medians) < 2:  # noqa: PLR2004 - two sizes
        return None
    (small, short), (large, long) = medians[max(len(medians) - 3, 0)], medians[-1]
    doublings = float(np.log2(large / small)) if small > 0 else 0.0
    return (long / short) ** (1 / doublings) - 1 if doublings > 0 else None
