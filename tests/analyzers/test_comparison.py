"""What the rules over many runs stand on: which runs are compared, what was varied, what an effect is."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.stats import studentized_range

from curve_analyzers.engine import diagnose
from curve_analyzers.examples import decay, flat, run
from curve_analyzers.experiment.analyzer import CannotTell, ExperimentAnalyzer
from curve_analyzers.experiment.comparison import Experiment
from curve_analyzers.experiment.engine import compare
from curve_analyzers.experiment.examples import outcome, sweep
from curve_analyzers.experiment.factors import read_params
from curve_analyzers.experiment.findings import ExperimentFinding
from curve_analyzers.experiment.power_law import fit_power_law
from curve_analyzers.experiment.registry import all_experiment_rules
from curve_analyzers.experiment.statistics import ALPHA, SHARES, effects, widest_by_chance
from curve_analyzers.experiment.summary import PARENT, RunSummary, summarize
from curve_analyzers.findings import Severity, Status
from curve_analyzers.hyperparameters import Meaning

RATES = sweep(lambda p: outcome(val_loss=0.2 + abs(np.log10(p["lr"]) + 2)), lr=(1e-4, 1e-3, 1e-2, 1e-1), seeds=3)


@dataclass(frozen=True, kw_only=True)
class Crashes(ExperimentAnalyzer):
    """A rule with a bug."""

    def check(self, experiment: Experiment) -> Iterator[ExperimentFinding]:
        raise ZeroDivisionError(experiment.judged)


@dataclass(frozen=True, kw_only=True)
class SaysAndDoubts(ExperimentAnalyzer):
    """A rule that finds one thing and cannot tell another."""

    def check(self, experiment: Experiment) -> Iterator[ExperimentFinding]:
        yield self.finding(Severity.INFO, 0.5, ["run-000"], [], "brief", "Message.", {}, ("Try.",))
        raise CannotTell("the rest is open")


def factors_of(*params: dict[str, str], meanings: dict[str, Meaning] | None = None):
    """What was varied between runs of some params."""
    runs = [RunSummary(f"{place}", "", "healthy", "healthy", params=each) for place, each in enumerate(params)]
    return read_params(runs, meanings or {})


def test_a_summary_holds_what_comparing_needs():
    """Levels, noise, gap, rate and duration of one run, without its curves, and it goes to another process."""
    logged = run(
        train_loss=decay(), val_loss=decay(floor=0.4), learning_rate=flat(0.01, 0), params={"depth": 3}
    ).build()
    logged = replace(logged, tags={PARENT: "sweep"}, status="FINISHED")
    summary = summarize(diagnose(logged))
    assert (summary.judged, summary.training, summary.parent, summary.state) == (
        *("val_loss", "train_loss", "sweep", "FINISHED"),
    )
    assert summary.params == {"depth": "3", "learning_rate": "0.01"}
    assert summary.scores["val_loss"].best == pytest.approx(0.4, abs=0.02)
    assert 0 < summary.scores["val_loss"].error < 0.02
    assert summary.gap == pytest.approx(0.2, abs=0.03)
    assert (summary.points, summary.seconds) == (60, pytest.approx(600))
    assert summary.scores["learning_rate"].best == pytest.approx(0.01)
    assert pickle.loads(pickle.dumps(summary)) == summary  # noqa: S301 - our own bytes
    assert len(pickle.dumps(summary)) < 2000


def test_a_parent_is_no_run_of_its_own():
    """Its children have its params where they logged none, and it is not ranked."""
    parent = RunSummary("sweep", "sweep", "healthy", "healthy", params={"lr": "9", "width": "64"})
    children = [replace(each, parent="sweep") for each in RATES.build()]
    experiment = Experiment([parent, *children])
    assert len(experiment) == len(children)
    assert {each.params["width"] for each in experiment.runs} == {"64"}
    assert {each.params["lr"] for each in experiment.runs} == {"0.0001", "0.001", "0.01", "0.1"}
    assert experiment.notes == ("1 run with child runs: their children are compared",)


def test_runs_that_cannot_be_compared_are_left_out_and_told():
    """Those still going on, those judged on something else, those with nothing."""
    runs = RATES.build()
    others = sweep(lambda _: outcome(val_accuracy=0.9), lr=(1, 2), seeds=1).build()
    runs += [replace(each, run_id=f"other-{each.run_id}") for each in others]
    runs += [replace(runs[0], run_id="running", state="RUNNING"), replace(runs[0], run_id="empty", scores={})]
    report = compare(runs)
    assert (report.of, report.judged) == (12, "val_loss")
    assert report.notes == (
        "1 run that did not end yet",
        "1 run without a loss or a score",
        "2 runs judged on something else than val_loss",
    )


def test_runs_that_nobody_ever_ended_are_compared():
    """Where all say RUNNING, as when a script never ends its runs, they count."""
    assert compare([replace(each, state="RUNNING") for each in RATES.build()]).of == 12


def test_what_was_varied():
    """Numbers by their value whatever their text, lists as depth and width, seeds apart, names of runs not at all."""
    varied = factors_of(
        {"lr": "1e-3", "hidden_sizes": "[64, 64]", "seed": "1", "output_dir": "/a", "opt": "sgd", "same": "1"},
        {"lr": "0.001", "hidden_sizes": "[32]", "seed": "2", "output_dir": "/b", "opt": "adam", "same": "1"},
        {"lr": "0,01", "hidden_sizes": "(8, 8, 8)", "seed": "3", "output_dir": "/c", "opt": "adam", "same": "1"},
        {"lr": "None", "hidden_sizes": "128", "seed": "4", "output_dir": "/d", "opt": "adam", "same": "1"},
    )
    found = {factor.name: (factor.meaning, factor.levels, factor.codes.tolist()) for factor in varied.factors}
    assert found == {
        "lr": (Meaning.LEARNING_RATE, ("0.001", "0.01"), [0, 0, 1, -1]),
        "hidden_sizes (layers)": (Meaning.DEPTH, ("1", "2", "3"), [1, 0, 2, 0]),
        "hidden_sizes (width)": (Meaning.WIDTH, ("8", "32", "64", "128"), [2, 1, 0, 3]),
        "opt": (None, ("adam", "sgd"), [1, 0, 0, 0]),
    }
    assert varied.seeds == ("seed",)


def test_the_user_says_what_a_param_means():
    """A meaning over a name's own, and none at all."""
    params = [
        {"tempo": "1", "lr": "5"},
        {"tempo": "2", "lr": "6"},
        {"tempo": "2", "lr": "5"},
        {"tempo": "1", "lr": "6"},
    ]
    said = factors_of(*params, meanings={"tempo": Meaning.LEARNING_RATE, "lr": Meaning.NONE})
    assert [(factor.name, factor.meaning) for factor in said.factors] == [("tempo", Meaning.LEARNING_RATE)]


def test_params_that_move_together_are_one():
    """A batch size that was changed with each rate cannot be told from it, and the finding says so."""
    runs = [replace(each, params={**each.params, "batch_size": f"{len(each.params['lr'])}"}) for each in RATES.build()]
    (told,) = (each for each in compare(runs).findings if each.rule == "learning_rate_decides")
    assert "batch_size moved with it: these runs cannot tell which of them it was." in told.message
    assert told.confidence <= 0.5
    assert told.params == ("lr", "batch_size")


def test_a_param_is_judged_beside_the_others():
    """Larger models were run at lower rates: what the rate does is not put down to their size."""
    random = np.random.default_rng(0)
    runs = []
    for place in range(40):
        lr = 10 ** random.uniform(-4, -1)
        size = 2 ** round(-np.log10(lr) * 2 + random.normal())
        (one,) = sweep(lambda _, lr=lr: outcome(val_loss=1 - np.log10(lr)), lr=(lr,), seeds=1, noise=0.02).build()
        runs.append(replace(one, run_id=f"{place:02}", params={"lr": f"{lr:.3g}", "width": f"{size}"}))
    found = Experiment(runs).effects("level")
    assert [effect.factor.name for effect in found] == ["lr"]
    assert found[0].better
    assert found[0].low <= found[0].share <= found[0].high
    assert found[0].p <= ALPHA * SHARES["level"]


def test_categories_have_effects_too():
    """An optimizer that is better than the others, beside a rate that does nothing."""
    runs = sweep(
        lambda p: outcome(val_loss=0.3 if p["optimizer"] == "adam" else 0.5),
        optimizer=("adam", "sgd", "lion"),
        lr=(0.1, 0.2, 0.3),
    ).build()
    assert [effect.factor.name for effect in Experiment(runs).effects("level")] == ["optimizer"]


@pytest.mark.parametrize("runs", [20, 400], ids=["permutations", "normal theory"])
def test_the_family_wise_rate_is_kept(runs):
    """Ten params that do nothing, 200 times: hardly ever is any of them found."""
    random = np.random.default_rng(1)
    found = 0
    for _ in range(200 if runs < 100 else 60):
        params = [{f"p{k}": f"{random.integers(0, 4)}" for k in range(10)} for _ in range(runs)]
        found += bool(effects(random.standard_t(2, runs), list(factors_of(*params).factors), "level"))
    assert found <= 3  # 0.8 expected of 200, and 3 or fewer in 99 of 100 such tests


def test_a_crash_costs_the_others_nothing():
    """The rule is reported with its reason, the others speak."""
    report = compare(RATES.build(), [Crashes(), *all_experiment_rules()])
    assert report.outcomes[0].status is Status.CRASHED
    assert report.outcomes[0].reason == "ZeroDivisionError: val_loss"
    assert "learning_rate_decides" in {finding.rule for finding in report.findings}


def test_what_was_found_stands_where_the_rest_is_open():
    """A rule that cannot tell everything still tells what it found."""
    report = compare(RATES.build(), [SaysAndDoubts()])
    assert [finding.message for finding in report.findings] == ["Message."]
    assert (report.outcomes[0].status, report.outcomes[0].reason) == (Status.FOUND, "the rest is open")


def test_every_run_has_its_standing():
    """The best first, level ones share a rank, one without a value comes last, the KPI as it was logged."""
    runs = sweep(
        lambda p: outcome(val_loss=round(p["lr"]), val_recall=0.9 - p["lr"] / 10), lr=(2, 1, 1.2, 3), seeds=1, noise=0
    ).build()
    runs[3] = replace(runs[3], scores={**runs[3].scores, "val_loss": replace(runs[3].scores["val_loss"], best=np.nan)})
    standings = compare(runs, kpi="recall").standings
    assert [(each.run_id, each.rank) for each in standings] == [
        *(("run-001", 1), ("run-002", 1), ("run-000", 3), ("run-003", 4)),
    ]
    assert [each.value for each in standings][:3] == [1.0, 1.0, 2.0]
    assert np.isnan(standings[3].value)
    assert [each.kpi for each in standings] == pytest.approx([0.8, 0.78, 0.7, 0.6])


def test_an_outlier_is_told_where_it_stands():
    """The run that ended unlike its siblings has it beside its rank, in a few words; the others have nothing."""
    runs = sweep(lambda p: outcome(val_loss=0.3 if p["seed"] != 6 else 0.9), lr=(0.1,), seeds=10).build()
    told = {each.run_id: each.outlier for each in compare(runs).standings if each.outlier}
    assert told == {"run-006": "worse than its siblings"}


def test_a_run_that_was_ruined_is_not_the_best():
    """However low it came before it diverged."""
    runs = RATES.build()
    best = compare(runs).standings[0].run_id
    ruined = [replace(run, status="critical", verdict="divergence") if run.run_id == best else run for run in runs]
    assert [each.rank for each in compare(ruined).standings if each.run_id == best] == [len(runs)]


def test_a_power_law_is_found_with_its_interval():
    """Floor, exponent and the next doubling of a known law, the truth within the interval; none where nothing falls."""
    sizes = np.repeat([100.0, 200, 400, 800, 1600, 3200], 3)
    costs = 0.2 + 30 * sizes**-0.9 + 0.002 * np.random.default_rng(0).standard_normal(18)
    law = fit_power_law(sizes, costs)
    assert law is not None
    assert (law.floor, law.exponent) == (pytest.approx(0.2, abs=0.01), pytest.approx(0.9, abs=0.1))
    assert law.gain_low <= 30 * (3200**-0.9 - 6400**-0.9) <= law.gain_high
    assert fit_power_law(sizes, np.full(18, 0.3)) is None


def test_the_widest_difference_by_chance():
    """As wide as the studentized range says, or a little wider; wider for more runs and fewer repeats."""
    for count, freedom in ((5, 20), (20, 60)):
        exact = studentized_range.isf(0.01, count, freedom)
        assert exact <= widest_by_chance(count, freedom, 0.01) <= 1.1 * exact
    assert widest_by_chance(10, 3, 0.01) > widest_by_chance(10, 100, 0.01)
