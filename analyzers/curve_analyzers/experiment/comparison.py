"""Many runs side by side: which can be compared, by what, what was varied, and how far apart mere repeats lie."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from curve_analyzers.experiment.factors import Factor, Params, read_params
from curve_analyzers.experiment.selection import comparable, kpi_of
from curve_analyzers.experiment.statistics import Effect, effects, ranks
from curve_analyzers.experiment.summary import RunSummary
from curve_analyzers.hyperparameters import Meaning
from curve_analyzers.model import Floats, Ints

__all__ = ["FAILED", "STUCK", "UNSTABLE", "Experiment", "SeedNoise"]

FAILED = frozenset({"divergence", "non_finite", "no_learning"})  # verdicts of runs that did not train
UNSTABLE = frozenset({"divergence", "non_finite", "oscillation", "loss_spikes", "learning_rate_jump"})
STUCK = frozenset({"no_learning", "slow_learning"})
WAYS = (":lower", ":higher")  # said behind a KPI's name
LEAST_REPEATS = 3  # degrees of freedom from which the spread of repeats is known


@dataclass(frozen=True, slots=True)
class SeedNoise:
    """How far apart runs lie that differ in nothing but their seed.

    Attributes:
        sd: Standard deviation, pooled over configurations.
        freedom: Its degrees of freedom.
        measured: Whether it comes from repeats; else from the curves' own noise, and is the least it can be.
    """

    sd: float
    freedom: float
    measured: bool


class Experiment:
    """Runs that can be compared. Arrays have one entry for each run, in the order of their ids; costs: lower is better.

    Args:
        runs: All summaries of an experiment or a logdir.
        meanings: What a param means, by its name, over what the name says itself.
        kpi: The user's own metric: a curve's name or a role's, `:lower` or `:higher` behind it where it needs saying.

    Attributes:
        runs: Those that can be compared.
        judged: The role that they are compared by; a curve's name where it has none.
        notes: A sentence for each group of runs left out.
        kpi: The user's own metric, None where none was named.
    """

    def __init__(
        self, runs: Iterable[RunSummary], meanings: Mapping[str, Meaning] | None = None, kpi: str | None = None
    ) -> None:
        self.runs, self.judged, self.notes = comparable(runs)
        self.meanings = dict(meanings or {})
        named, _, self._better = (kpi or "").rpartition(":") if (kpi or "").endswith(WAYS) else (kpi, "", "")
        self.kpi = named or None
        self._effects: dict[str, list[Effect]] = {}

    def __len__(self) -> int:
        return len(self.runs)

    @cached_property
    def cost(self) -> Floats:
        """The best level of the judged quantity; infinite where the run has no finite one, or was ruined in the end."""
        scores = [None if run.ruined else run.score for run in self.runs]
        return np.array([score.cost if score else np.inf for score in scores], np.float64)

    @cached_property
    def training(self) -> Floats:
        """The best level of the same quantity in training; NaN where it was not logged."""
        scores = [run.scores.get(run.training) for run in self.runs]
        return np.array([score.cost if score else np.nan for score in scores], np.float64)

    @cached_property
    def gap(self) -> Floats:
        """How much worse the held-out level ended than the training's; NaN where that is unknown."""
        return np.array([run.gap for run in self.runs], np.float64)

    @cached_property
    def error(self) -> Floats:
        """Standard error of the judged level, from each run's own curve."""
        return np.array([score.error if (score := run.score) else np.nan for run in self.runs], np.float64)

    @cached_property
    def kpi_cost(self) -> Floats:
        """The user's own metric as a cost; NaN where a run did not log it."""
        scores = [kpi_of(run, self.kpi or "") for run in self.runs]
        higher = self.kpi_is_higher
        costs = [np.nan if score is None else (-score.best if higher else score.best) for score in scores]
        return np.array(costs, np.float64)

    @cached_property
    def kpi_is_higher(self) -> bool:
        """Whether a higher KPI is better: as the user says, else as its name says, else yes."""
        if self._better:
            return self._better == "higher"
        known = [
            score.higher for run in self.runs if (score := kpi_of(run, self.kpi or "")) and score.higher is not None
        ]
        return known[0] if known else True

    @cached_property
    def higher(self) -> bool:
        """Whether a higher value of the judged quantity is better."""
        return any(score.higher for run in self.runs if (score := run.score))

    @cached_property
    def params(self) -> Params:
        """What was varied."""
        return read_params(self.runs, self.meanings)

    @property
    def factors(self) -> tuple[Factor, ...]:
        """What was varied and may have an effect."""
        return self.params.factors

    @cached_property
    def order(self) -> Ints:
        """The runs from the best to the worst, by id where they are level."""
        return np.argsort(ranks(self.cost), kind="stable")

    @cached_property
    def groups(self) -> list[Ints]:
        """The runs of each configuration that was run more than once."""
        by_code: dict[int, list[int]] = {}
        for place, code in enumerate(self.params.configuration.tolist()):
            by_code.setdefault(code, []).append(place)
        return [np.array(places, np.int64) for places in by_code.values() if len(places) > 1]

    @cached_property
    def failed(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Which runs did not train."""
        return np.array([bool(FAILED & {run.verdict, *run.shows}) for run in self.runs], np.bool_)

    def shown(self, cost: float) -> float:
        """A cost as it was logged."""
        return -cost if self.higher else cost

    def ids(self, places: Iterable[int]) -> tuple[str, ...]:
        """The ids of runs."""
        return tuple(self.runs[place].run_id for place in places)

    def factor(self, meanings: Iterable[Meaning]) -> Factor | None:
        """The factor of the first of some meanings that was varied."""
        wanted = tuple(meanings)
        for meaning in wanted:
            for factor in self.factors:
                if seen := factor.seen_as([meaning]):
                    return seen
        return None

    def effects(self, question: str) -> list[Effect]:
        """What the quantity of a question (`SHARES`: level, training, gap, kpi) goes with, the strongest first."""
        if question not in self._effects:
            values = {"level": self.cost, "training": self.training, "gap": self.gap, "kpi": self.kpi_cost}[question]
            keep = np.flatnonzero(~np.isnan(values))
            factors = [factor.of(keep) for factor in self.factors]
            self._effects[question] = effects(values[keep], factors, question) if len(keep) else []
        return self._effects[question]

    def effect(self, question: str, meanings: Iterable[Meaning]) -> Effect | None:
        """The effect of a factor of some meanings, its factor seen as such; None where none was found."""
        for effect in self.effects(question):
            if seen := effect.factor.seen_as(meanings):
                return replace(effect, factor=seen, tangled=tuple(dict.fromkeys((*seen.others, *effect.tangled))))
        return None

    def seed_noise(self, costs: Floats, among: Sequence[Ints] | None = None) -> SeedNoise:
        """How far apart repeats lie in a quantity: measured where there are enough, else the curves' own noise.

        Args:
            costs: (n,) the quantity.
            among: The runs of each configuration to look at; all that were run more than once, where None.
        """
        within, freedom = 0.0, 0
        usable = np.isfinite(costs) & ~self.failed
        for group in self.groups if among is None else among:
            there = costs[group][usable[group]]
            if len(there) > 1:
                within += float(((there - there.mean()) ** 2).sum())
                freedom += len(there) - 1
        if freedom >= LEAST_REPEATS:
            return SeedNoise(float(np.sqrt(within / freedom)), freedom, measured=True)
        errors = self.error[np.isfinite(self.error)]
        return SeedNoise(float(np.median(errors)) if len(errors) else 0.0, float("inf"), measured=False)
