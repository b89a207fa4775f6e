"""The rule `capacity_without_gain`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from curve_analyzers.experiment.analyzer import CannotTell, ExperimentAnalyzer, threshold
from curve_analyzers.experiment.capacity import CAUSES, Case, Cause, case_of, sizes_of
from curve_analyzers.experiment.comparison import Experiment
from curve_analyzers.experiment.examples import SweepExample, outcome, sweep
from curve_analyzers.experiment.findings import ExperimentFinding, moved_with
from curve_analyzers.experiment.statistics import enough, ranks
from curve_analyzers.findings import Severity
from curve_analyzers.saying import say, series, within
from curve_analyzers.wording import count

REMEDIES = {
    "optimisation": (
        say("Find the larger model its own learning rate, lower first, with warm-up; compare each size at its best."),
        say("Make depth trainable: residual connections, normalisation, an initialisation that suits the activation."),
        say("Only when the larger model fits its training data better is its held-out level worth a look."),
    ),
    "regularization": (
        say(
            "Turn dropout and weight decay down together with the growth of the model, to nothing "
            "once, and compare again."
        ),
        say("Then raise them again in small steps while held-out data gain."),
    ),
    "data": (
        say("Get more data, or more varied data by augmentation: the larger model learns what it has by heart."),
        say("Until then keep the smaller model, or regularize the larger one and stop it early."),
    ),
}


@dataclass(frozen=True, kw_only=True)
class CapacityWithoutGain(ExperimentAnalyzer):
    """More layers or width did not help, and the curves support one of three causes.

    The causes are checked in the order of what is cheap to mend: the larger models were not trained well
    (optimisation), they were held down (too much regularization), they had nothing to learn from (too little data).

    ## Why it matters
    A larger model can always be set to what the smaller one computes. When it is no better, size was not what was
    missing, and still more of it will not help.

    ## What to try
    What the cause says, in its order: a learning rate for the larger model, less regularization, more data. Only a
    model that fits its training data better than the smaller one has a use for its size.

    ## When it is wrong
    When the smaller model already does all that can be done: then none of the causes shows, and the rule says that it
    cannot tell. When all sizes ran for the same few epochs, the larger may only have needed more.

    ## Source
    He et al., "Deep Residual Learning" (2015): deeper models with a higher training error are a matter of
    optimisation, not of overfitting.
    """

    lead: float = threshold(0.0, "how much better the larger must rank than the best of the smaller to be a gain", ge=0)
    tangled: float = threshold(0.5, "most confidence where another param moved with the size", ge=0, le=1)

    fires = (
        SweepExample(
            "deep models that do not train",
            sweep(
                lambda p: outcome(
                    "no_learning" if p["num_layers"] > 12 else "healthy",  # noqa: PLR2004
                    train_loss=0.1 * p["num_layers"],
                    val_loss=0.2 + 0.1 * p["num_layers"],
                ),
                num_layers=(2, 4, 8, 16),
                seeds=4,
            ),
        ),
        SweepExample(
            "dropout on every layer",
            sweep(
                lambda p: outcome(train_loss=0.3 + 0.1 * p["n_layers"], val_loss=0.2 + 0.08 * p["n_layers"]),
                n_layers=(1, 2, 3, 4),
                dropout=(0.6,),
                seeds=4,
            ),
        ),
        SweepExample(
            "learned by heart, and the gap widens",
            sweep(
                lambda p: outcome(
                    "overfitting", train_loss=1 / p["hidden_size"], val_loss=0.5 + p["hidden_size"] / 5000
                ),
                hidden_size=(16, 64, 256, 1024),
                seeds=4,
            ),
        ),
    )
    quiet = (
        SweepExample(
            "more layers help",
            sweep(
                lambda p: outcome(train_loss=1 / p["num_layers"], val_loss=0.1 + 1 / p["num_layers"]),
                num_layers=(1, 2, 4, 8),
                seeds=4,
            ),
        ),
        SweepExample(
            "size does nothing at all",
            sweep(lambda _: outcome(train_loss=0.2, val_loss=0.3), num_layers=(1, 2, 4, 8), seeds=4),
        ),
        SweepExample("the size was not varied", sweep(lambda p: outcome(val_loss=p["lr"]), lr=(1, 2, 3, 4))),
    )

    def missing(self, experiment: Experiment) -> str | None:
        """A model's size that was varied, in enough runs."""
        factors = sizes_of(experiment)
        if not factors:
            return say("neither layers nor width were varied")
        reasons = [enough(factor, "training") for factor in factors]
        return reasons[0] if all(reasons) else None

    def check(self, experiment: Experiment) -> Iterator[ExperimentFinding]:
        """Judge depth, width and number of weights each by itself."""
        open_ends = []
        for factor in sizes_of(experiment):
            case = case_of(experiment, factor)
            if self._gains(case):
                continue
            cause = next((found for ask in CAUSES if (found := ask(case))), None)
            if cause:
                yield self._finding(case, cause)
            else:
                open_ends.append(
                    say("more {factor} was no better, and nothing in these runs says why", factor=factor.name)
                )
        if open_ends:
            raise CannotTell(series(open_ends))

    def _gains(self, case: Case) -> bool:
        """Whether the largest models rank better, for sure, than the best of the smaller ones."""
        effect = case.effect("level")
        levels = case.by_level(ranks(case.experiment.cost))
        return effect is not None and not effect.worse and bool(levels[-1] < np.nanmin(levels[:-1]) - self.lead)

    def _finding(self, case: Case, cause: Cause) -> ExperimentFinding:
        experiment, factor = case.experiment, case.factor
        small, large = (experiment.shown(cost) for cost in case.medians(experiment.cost))
        train_small, train_large = (experiment.shown(cost) for cost in case.medians(experiment.training))
        gap_small, gap_large = case.medians(experiment.gap)
        others = moved_with(factor.others)
        return self.finding(
            Severity.WARNING,
            min(cause.confidence, self.tangled) if factor.others else cause.confidence,
            experiment.ids([*case.large.tolist(), *cause.runs]),
            (*factor.params, *cause.params),
            within(say("{factor}: {cause}", factor=factor.name, cause=cause.name), 40),
            say(
                "More {factor} did not help: {judged} is {small:.4g} at {least} and {large:.4g} at "
                "{most} (medians of {small_runs} and {runs}). {because}{others}",
                factor=factor.name,
                judged=experiment.judged,
                small=small,
                least=factor.levels[0],
                large=large,
                most=factor.levels[-1],
                small_runs=len(case.small),
                runs=count(len(case.large), "run"),
                because=cause.because,
                others=others,
            ),
            {
                "cause": cause.name,
                "smallest": factor.levels[0],
                "largest": factor.levels[-1],
                "level_smallest": small,
                "level_largest": large,
                "training_smallest": train_small,
                "training_largest": train_large,
                "gap_smallest": gap_small,
                "gap_largest": gap_large,
                "runs": len(experiment),
            },
            REMEDIES[cause.name],
        )
