"""From many runs and the rules to a report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from curve_analyzers.experiment.analyzer import CannotTell, ExperimentAnalyzer
from curve_analyzers.experiment.comparison import Experiment
from curve_analyzers.experiment.findings import ExperimentFinding, ExperimentReport, Standing
from curve_analyzers.experiment.registry import all_experiment_rules
from curve_analyzers.experiment.summary import RunSummary
from curve_analyzers.findings import Outcome, Status
from curve_analyzers.hyperparameters import Meaning

__all__ = ["compare"]

OUTLIER = "outlier_run"


def compare(
    summaries: Iterable[RunSummary],
    rules: Sequence[ExperimentAnalyzer] | None = None,
    *,
    kpi: str | None = None,
    params: Mapping[str, Meaning] | None = None,
) -> ExperimentReport:
    """Judge many runs by all rules; a rule that raises is reported as crashed and costs the others nothing.

    The order of the runs and the unit of what they are judged by change nothing.

    Args:
        summaries: The runs of an experiment or a logdir, of each what `summarize` made of its report.
        rules: The rules to judge by; all, with their default thresholds, where None.
        kpi: The user's own metric: a curve's name or a role's, with `:lower` or `:higher` behind it where it needs
            saying which way is better.
        params: What a param means, by its name, over what the name says itself.
    """
    rules = all_experiment_rules() if rules is None else rules
    experiment = Experiment(summaries, params, kpi)
    found: list[ExperimentFinding] = []
    outcomes: list[Outcome] = []
    with np.errstate(all="ignore"):  # a run may have ended at 1e308; ranks compare that well
        for rule in rules:
            outcome, findings = _apply(rule, experiment)
            outcomes.append(outcome)
            found += findings
        found.sort(key=lambda finding: (-finding.severity, -finding.confidence))
        standings = _standings(experiment, found)
    return ExperimentReport(
        tuple(found), tuple(outcomes), standings, experiment.judged, len(experiment), experiment.notes
    )


def _apply(rule: ExperimentAnalyzer, experiment: Experiment) -> tuple[Outcome, list[ExperimentFinding]]:
    findings: list[ExperimentFinding] = []
    try:
        if reason := rule.skip_reason(experiment):
            return Outcome(rule.name, Status.SKIPPED, reason), []
        findings.extend(rule.check(experiment))
    except CannotTell as unknown:  # of this much; what was found before stands
        return Outcome(rule.name, Status.FOUND if findings else Status.SKIPPED, unknown.why), findings
    except Exception as error:  # noqa: BLE001 - one rule's bug is not the experiment's
        return Outcome(rule.name, Status.CRASHED, f"{type(error).__name__}: {error}"), []
    return Outcome(rule.name, Status.FOUND if findings else Status.CLEAR), findings


def _standings(experiment: Experiment, found: Sequence[ExperimentFinding]) -> tuple[Standing, ...]:
    if not len(experiment):
        return ()
    outliers = {finding.runs[0]: finding.brief for finding in found if finding.rule == OUTLIER and finding.runs}
    cost, order = experiment.cost, experiment.order
    first = np.searchsorted(np.sort(cost), cost, side="left") + 1
    kpis = experiment.kpi_cost if experiment.kpi else np.full(len(experiment), np.nan)
    sign = -1.0 if experiment.kpi and experiment.kpi_is_higher else 1.0
    return tuple(
        Standing(
            run_id := experiment.runs[place].run_id,
            int(first[place]),
            experiment.shown(float(cost[place])) if np.isfinite(cost[place]) else float("nan"),
            None if np.isnan(kpis[place]) else sign * float(kpis[place]),
            outliers.get(run_id, ""),
        )
        for place in order
    )
