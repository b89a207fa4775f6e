"""The rule `metric_rank_disagreement`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from curve_analyzers.experiment.analyzer import CannotTell, ExperimentAnalyzer, threshold
from curve_analyzers.experiment.comparison import Experiment
from curve_analyzers.experiment.examples import SweepExample, outcome, sweep
from curve_analyzers.experiment.factors import Factor
from curve_analyzers.experiment.findings import ExperimentFinding
from curve_analyzers.experiment.statistics import ALPHA, SHARES, median_by_level, ranks, widest_by_chance
from curve_analyzers.findings import Severity
from curve_analyzers.model import Floats, Ints
from curve_analyzers.saying import say

RESAMPLES = 500
BRIEF = 40  # characters that the MLflow UI shows of a tag
FEW_LEVELS = 1 / 3  # of the runs, up to which as many values of a param have runs enough each
MOST_RUNS = 1000  # whose pairs are counted
INTERVAL = (2.5, 97.5)


@dataclass(frozen=True, kw_only=True)
class MetricRankDisagreement(ExperimentAnalyzer):
    """The runs rank differently by what was optimised and by the KPI.

    ## Why it matters
    Runs, checkpoints and params are chosen by the metric that is logged. Where the number that counts in the end ranks
    them otherwise, the choice is the wrong one, and every sweep makes it more so.

    ## What to try
    Choose by the KPI, measured on held-out data for every run. Then bring what is optimised nearer to it: class
    weights, the decision threshold, a loss that costs what an error costs.

    ## When it is wrong
    When the KPI was measured on so few examples that it is mostly chance: the rule asks for a difference beyond what
    equal runs differ by, but it knows chance only from the runs themselves.

    ## Source
    Kendall's rank correlation with a bootstrap interval; the largest difference of equal runs by Bonferroni's bound on
    the studentized range.
    """

    agreement: float = threshold(
        0.5, "rank correlation with the KPI, above which the two agree well enough", ge=0, lt=1
    )

    fires = (
        SweepExample(
            "what lifts the accuracy loses the rare class",
            sweep(
                lambda p: outcome(val_accuracy=0.95 - 0.01 * p["pos_weight"], val_recall=0.3 + 0.06 * p["pos_weight"]),
                pos_weight=(1, 2, 4, 8),
                noise=0.004,
            ),
            kpi="val_recall",
        ),
        SweepExample(
            "two params, each for one of them",
            sweep(
                lambda p: outcome(val_loss=0.3 + p["dropout"], val_revenue=5 + 3 * p["dropout"] + 0.2 * p["lr"]),
                dropout=(0.0, 0.2, 0.4),
                lr=(1, 2, 3),
            ),
            kpi="val_revenue",
        ),
    )
    quiet = (
        SweepExample(
            "both go together",
            sweep(
                lambda p: outcome(val_loss=1 / p["hidden_size"], val_recall=0.9 - 1 / p["hidden_size"]),
                hidden_size=(4, 8, 16, 32),
            ),
            kpi="val_recall",
        ),
        SweepExample(
            "seeds only",
            sweep(lambda _: outcome(val_loss=0.3, val_recall=0.8), lr=(0.1,), seeds=20),
            kpi="val_recall",
        ),
        SweepExample("no KPI was named", sweep(lambda p: outcome(val_loss=p["lr"]), lr=(1, 2, 3, 4))),
    )

    def missing(self, experiment: Experiment) -> str | None:
        """A KPI that enough runs logged."""
        if not experiment.kpi:
            return say("no KPI was named; --kpi METRIC names one")
        logged = int(np.isfinite(experiment.kpi_cost).sum())
        if logged < self.least:
            return say(
                "{logged} of {runs} runs logged {kpi!r}; {least} are needed",
                logged=logged,
                runs=len(experiment),
                kpi=experiment.kpi,
                least=self.least,
            )
        return None

    def check(self, experiment: Experiment) -> Iterator[ExperimentFinding]:
        """Compare the two rankings, and what the choice by the first costs in the second."""
        keep = np.flatnonzero(np.isfinite(experiment.kpi_cost) & np.isfinite(experiment.cost))
        cost, kpi = experiment.cost[keep], experiment.kpi_cost[keep]
        if len(keep) < self.least or np.ptp(cost) == 0 or np.ptp(kpi) == 0:
            raise CannotTell(say("the runs do not differ in both the judged quantity and the KPI"))
        agreement, low, high = _agreement(cost, kpi)
        if high >= self.agreement:
            return
        chosen, best = int(cost.argmin()), int(kpi.argmin())
        loss = float(kpi[chosen] - kpi[best])
        noise, freedom = _noise(experiment, kpi)
        by_chance = noise * widest_by_chance(len(keep), freedom, ALPHA * SHARES["choice"])
        parting = _parting(experiment)
        if loss > 0 and (parting or loss > by_chance > 0):
            yield self._finding(experiment, keep[[chosen, best]], (agreement, low, high), loss, by_chance, parting)

    def _finding(
        self,
        experiment: Experiment,
        places: Ints,
        agreement: tuple[float, float, float],
        loss: float,
        by_chance: float,
        parting: Factor | None,
    ) -> ExperimentFinding:
        chosen, best = (experiment.runs[place] for place in places)
        sign = -1.0 if experiment.kpi_is_higher else 1.0
        at_chosen, at_best = (sign * float(experiment.kpi_cost[place]) for place in places)
        tau, low, high = agreement
        by = say(" {parting} moves the two apart.", parting=parting.name) if parting else ""
        brief = say(
            "{kpi} {at_chosen:.3g}, not {at_best:.3g}", kpi=experiment.kpi, at_chosen=at_chosen, at_best=at_best
        )
        return self.finding(
            Severity.WARNING,
            0.95 if parting else min(0.5 + 0.5 * (1 - by_chance / loss), 0.95),
            (chosen.run_id, best.run_id),
            parting.params if parting else (),
            brief if len(brief) <= BRIEF else brief[-BRIEF:],
            say(
                "The runs rank differently by {judged} and by {kpi} (rank correlation {tau:.2f}, "
                "{low:.2f} to {high:.2f}): the best by {judged} ({chosen}) has {at_chosen:.4g}, where "
                "{best} has {at_best:.4g}.{by}",
                judged=experiment.judged,
                kpi=experiment.kpi,
                tau=tau,
                low=low,
                high=high,
                chosen=chosen.name or chosen.run_id,
                at_chosen=at_chosen,
                best=best.name or best.run_id,
                at_best=at_best,
                by=by,
            ),
            {
                "rank_correlation": tau,
                "rank_correlation_low": low,
                "rank_correlation_high": high,
                "kpi_of_chosen": at_chosen,
                "kpi_of_best": at_best,
                "by_chance": by_chance,
                "best_run_by_kpi": best.run_id,
                "runs": len(experiment),
            },
            (
                say("Choose runs and checkpoints by {kpi}, on held-out data.", kpi=experiment.kpi),
                say("Bring the objective nearer to it: class weights, the decision threshold, what an error costs."),
                say("Stop early on {kpi}, not on {judged}.", kpi=experiment.kpi, judged=experiment.judged),
            ),
        )


def _parting(experiment: Experiment) -> Factor | None:
    """A param that the KPI goes with for sure, and whose best value by the judged quantity is a poor one by the KPI."""
    level = {effect.factor.name: effect for effect in experiment.effects("level")}
    for effect in experiment.effects("kpi"):
        factor = effect.factor
        other = level.get(factor.name)
        if other and ((effect.better and other.worse) or (effect.worse and other.better)):
            return factor
        there = np.flatnonzero(~np.isnan(experiment.kpi_cost))
        if len(factor.levels) > len(there) * FEW_LEVELS:
            continue
        costs = median_by_level(ranks(experiment.cost)[there], factor.codes, len(factor.levels))
        kpis = median_by_level(ranks(experiment.kpi_cost[there]), factor.codes, len(factor.levels))
        lost = kpis[int(np.nanargmin(costs))] - np.nanmin(kpis)
        if lost > (np.nanmax(kpis) - np.nanmin(kpis)) / 2:
            return factor
    return None


def _agreement(cost: Floats, kpi: Floats) -> tuple[float, float, float]:
    """Kendall's tau-b and its 95 % interval from resampled runs; of very many runs, of some drawn evenly."""
    if len(cost) > MOST_RUNS:
        some = np.linspace(0, len(cost) - 1, MOST_RUNS).astype(np.int64)
        cost, kpi = cost[some], kpi[some]
    by_cost, by_kpi = (np.sign(each[:, None] - each[None, :]) for each in (cost, kpi))
    # How often each run is drawn: every run once first, then as in a bootstrap.
    random = np.random.default_rng(0)
    drawn = random.multinomial(len(cost), np.full(len(cost), 1 / len(cost)), RESAMPLES)
    times = np.vstack([np.ones(len(cost)), drawn])

    def over_pairs(of: Floats) -> Floats:
        return np.asarray(np.einsum("ij,ij->i", times @ of, times), np.float64)

    untied = np.sqrt(over_pairs(np.abs(by_cost)) * over_pairs(np.abs(by_kpi)))
    taus = over_pairs(by_cost * by_kpi) / np.where(untied > 0, untied, np.nan)
    low, high = (float(each) for each in np.nanpercentile(taus[1:], INTERVAL))
    return float(taus[0]), low, high


def _noise(experiment: Experiment, kpi: Floats) -> tuple[float, float]:
    """How far apart equal runs lie in the KPI, and its degrees of freedom.

    Between repeats where there are some; else what the params that the KPI goes with leave; else all of it.
    """
    repeats = experiment.seed_noise(experiment.kpi_cost)
    if repeats.measured:
        return repeats.sd, repeats.freedom
    columns = [np.ones(len(kpi))]
    for effect in experiment.effects("kpi"):
        codes = effect.factor.codes
        if len(codes) != len(kpi):
            return float(kpi.std(ddof=1)), len(kpi) - 1
        values = ranks(np.nan_to_num(effect.factor.values, nan=-1.0)) / len(kpi)
        columns += (
            [values, values**2] if effect.factor.numbers is not None else [codes == c for c in np.unique(codes)[1:]]
        )
    table = np.stack([np.asarray(column, np.float64) for column in columns], axis=1)
    fitted = table @ np.linalg.lstsq(table, kpi, rcond=None)[0]
    freedom = max(len(kpi) - np.linalg.matrix_rank(table), 1)
    return float(np.sqrt(((kpi - fitted) ** 2).sum() / freedom)), float(freedom)
