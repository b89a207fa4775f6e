"""On sweeps that were really trained: each planted truth is found, and a sweep with nothing in it stays silent."""

from __future__ import annotations

from dataclasses import replace

import pytest

import sweeps
from curve_analyzers.experiment.engine import compare
from curve_analyzers.findings import Severity, Status
from curve_analyzers.hyperparameters import Meaning

NOTHING = [name for name in sweeps.TRUTHS if name.startswith("nothing")]
SHUFFLES = 200
MOST_FALSE = SHUFFLES * 2 // 100
TRUE_OF_ANY = {"best_run", "within_noise"}  # they claim no effect


@pytest.mark.parametrize("name", sweeps.TRUTHS)
def test_each_truth_is_found(name):
    """The rules that must speak do, with the right cause; those that must not are silent; none crashes."""
    truth = sweeps.TRUTHS[name]
    report = compare(sweeps.summaries(name), kpi=truth.get("kpi"))
    found = {finding.rule for finding in report.findings}
    assert [outcome for outcome in report.outcomes if outcome.status is Status.CRASHED] == []
    assert set(truth["must"]) <= found
    assert set(truth["must_not"]) & found == set()
    if "cause" in truth:
        assert truth["cause"] in {finding.evidence.get("cause") for finding in report.findings}


@pytest.mark.timeout(1200)  # half a minute, but on a machine that does much else
@pytest.mark.parametrize("name", NOTHING)
def test_a_sweep_with_nothing_in_it_shuffled(name):
    """Params that do nothing, 200 times in other runs: at most 2 % of the shuffles give any false finding."""
    runs = sweeps.summaries(name)
    kpi = "val_recall" if "val_recall" in runs[0].scores else None
    false = []
    for seed in range(SHUFFLES):
        report = compare(sweeps.shuffled(runs, seed, together=seed % 2 == 0), kpi=kpi)
        wrong = [
            finding.rule
            for finding in report.findings
            if finding.severity > Severity.INFO or finding.rule not in TRUE_OF_ANY
        ]
        if wrong:
            false.append(wrong)
    assert len(false) <= MOST_FALSE, false


def test_a_sweep_with_something_in_it_shuffled():
    """The same runs that show that the rate decides show nothing under each other's params."""
    runs = sweeps.summaries("rate_search")
    reports = [compare(sweeps.shuffled(runs, seed, together=True)) for seed in range(50)]
    assert sum({finding.rule for finding in report.findings} > TRUE_OF_ANY for report in reports) <= 1


def test_with_four_runs_it_cannot_tell():
    """The clearest sweep, cut to four runs: no effect is claimed, and each rule says why."""
    report = compare(sweeps.summaries("rate_adam")[::5][:4])
    assert {finding.rule for finding in report.findings} <= TRUE_OF_ANY
    (reason,) = {out.reason for out in report.not_checked if out.rule == "learning_rate_decides"}
    assert reason == "cannot tell with 4 runs that can be compared; 5 are needed"


def test_with_five_runs_it_says_what_would_be_needed():
    """Five runs, one at each rate: even a perfect order could be chance."""
    runs = sorted(sweeps.summaries("rate_adam"), key=lambda run: (run.params["seed"], float(run.params["lr"])))[:5]
    (reason,) = {out.reason for out in compare(runs).not_checked if out.rule == "learning_rate_decides"}
    assert reason == (
        "cannot tell with 5 runs: even a perfect order of 5 values of lr comes about by chance once in 60, "
        "and one in 250 would be needed"
    )


def test_params_under_other_names_change_nothing():
    """A nested name, a decimal comma and a name that the user has to explain say the same."""
    runs = sweeps.summaries("rate_adam")
    (told,) = (f for f in compare(runs).findings if f.rule == "learning_rate_decides")
    nested = [replace(run, params={"optim/learningRate": run.params["lr"].replace(".", ",")}) for run in runs]
    own = [replace(run, params={"tempo": run.params["lr"], "draw": run.params["seed"]}) for run in runs]
    for others, meanings in ((nested, {}), (own, {"tempo": Meaning.LEARNING_RATE, "draw": Meaning.SEED})):
        (again,) = (f for f in compare(others, params=meanings).findings if f.rule == "learning_rate_decides")
        assert again.evidence == told.evidence
    assert "learning_rate_decides" not in {finding.rule for finding in compare(own).findings}
