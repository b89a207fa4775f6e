"""Outcomes, root causes, verdicts: what the engine makes of what the rules say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest

from curve_analyzers.analyzer import Analyzer, Need
from curve_analyzers.engine import diagnose
from curve_analyzers.examples import decay, flat, growth, line, run, step, valley
from curve_analyzers.findings import Finding, Severity, Span, Status
from curve_analyzers.model import RawCurve, RawRun, RunCurves
from curve_analyzers.registry import all_rules
from curve_analyzers.settle import prepare


@dataclass(frozen=True, kw_only=True)
class Crashes(Analyzer):
    """A rule with a bug."""

    needs = (Need.ANY,)

    def check(self, run: RunCurves) -> Iterator[Finding]:
        raise RuntimeError("no such thing")


@dataclass(frozen=True, kw_only=True)
class Says(Analyzer):
    """A rule that says one thing of every run."""

    word: str = "says"
    first_step: float = 0
    severity: float = Severity.WARNING
    effects: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Not only numbers here."""

    @property
    def name(self) -> str:
        return self.word

    @property
    def explains(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.effects

    def check(self, run: RunCurves) -> Iterator[Finding]:
        span = Span(("train_loss",), int(self.first_step), 10)
        yield self.finding(Severity(self.severity), 0.9, span, "brief", "Message.", {}, ("Try.",))


def test_a_crash_costs_the_others_nothing():
    """The crashed rule is reported with its reason, the verdict stands."""
    overfit = run(train_loss=decay(), val_loss=valley()).build()
    report = diagnose(overfit, [Crashes(), *all_rules()])
    assert report.verdict == "overfitting"
    assert report.outcomes[0].status is Status.CRASHED
    assert "no such thing" in report.outcomes[0].reason
    assert report.outcomes[0] in report.not_checked


def test_a_diverged_run_has_one_cause():
    """Divergence, and under it what follows from it."""
    run_ = run(train_loss=step(0.5, 8.0, 0.7), val_loss=step(0.6, 9.0, 0.7)).build()
    report = diagnose(run_)
    assert report.verdict == "divergence"
    serious = [finding for finding in report.findings if finding.severity > Severity.INFO]
    assert [finding.rule for finding in serious if finding.consequence_of is None] == ["divergence"]


def test_of_two_that_explain_each_other_the_first_is_the_cause():
    """Loss growth, then NaN: diverged. NaN in a calm run: not finite."""
    grown = diagnose(run(train_loss=growth(1, 1e9, since=0.3).lost(0.8)).build())
    assert grown.verdict == "divergence"
    assert [f.consequence_of for f in grown.findings if f.rule == "non_finite"] == ["divergence"]
    assert diagnose(run(train_loss=decay().lost(0.8)).build()).verdict == "non_finite"


def test_the_root_of_a_chain_is_named():
    """A explains B, B explains C: C is a consequence of A."""
    rules = [Says(word="c"), Says(word="b", effects=("c",)), Says(word="a", effects=("b",))]
    report = diagnose(run(train_loss=decay()).build(), rules)
    assert report.verdict == "a"
    assert {finding.rule: finding.consequence_of for finding in report.findings} == {"a": None, "b": "a", "c": "a"}
    assert report.findings[0].rule == "a"


def test_a_circle_has_a_beginning():
    """Rules that all explain each other still give one cause, the earliest."""
    rules = [Says(word=name, first_step=at, effects=("a", "b", "c")) for name, at in (("a", 5), ("b", 3), ("c", 4))]
    report = diagnose(run(train_loss=decay()).build(), rules)
    assert report.verdict == "b"
    assert [finding.consequence_of for finding in report.findings] == [None, "b", "b"]


def test_a_circle_of_one_way_has_a_beginning():
    """A explains B, B explains C, C explains A: none is lost, the earliest is the cause of all, D of B is too."""
    rules = [
        Says(word=name, first_step=at, effects=effects)
        for name, at, effects in (("a", 5, ("b",)), ("b", 3, ("c", "d")), ("c", 4, ("a",)), ("d", 1, ()))
    ]
    report = diagnose(run(train_loss=decay()).build(), rules)
    assert report.verdict == "b"
    assert {f.rule: f.consequence_of for f in report.findings} == {"b": None, "a": "b", "c": "b", "d": "b"}


def test_info_makes_no_run_unhealthy_and_explains_nothing():
    """Only warnings and worse are verdicts and causes."""
    rules = [Says(word="a", severity=Severity.INFO, effects=("b",)), Says(word="b")]
    report = diagnose(run(train_loss=decay()).build(), rules)
    assert report.verdict == "b"
    assert diagnose(run(train_loss=decay()).build(), rules[:1]).status == "healthy"


def test_the_worst_is_the_verdict():
    """Critical before warning."""
    rules = [Says(word="a"), Says(word="b", severity=Severity.CRITICAL)]
    report = diagnose(run(train_loss=decay()).build(), rules)
    assert (report.verdict, report.status) == ("b", "critical")
    assert report.main is report.findings[0]


@pytest.mark.parametrize(
    "curves",
    [
        (),
        (RawCurve("train_loss", np.arange(2), np.ones(2)),),
        (RawCurve("my metric", np.arange(90), np.ones(90)),),
        (RawCurve("gpu/power", np.arange(90), np.ones(90)),),
    ],
    ids=["no curve", "two points", "no role", "no loss"],
)
def test_not_checked_is_not_healthy(curves):
    """A run on which nothing could be judged is `insufficient_data`, and every rule says why."""
    report = diagnose(prepare(RawRun("mlflow", "1", "run", curves)))
    assert (report.verdict, report.status) == ("insufficient_data", "insufficient_data")
    assert all(outcome.reason for outcome in report.not_checked)


def test_vital_signs_answer_yes_no_and_unknown():
    """An overfitted run: training falls, validation does not, nothing is known of scores."""
    signs = diagnose(run(train_loss=decay(), val_loss=valley()).build()).vital_signs
    assert (signs["loss_falls"].value, signs["val_falls"].value, signs["metrics_agree"].value) == (True, False, None)
    healthy = run(train_loss=decay(), val_loss=decay(floor=0.3), val_accuracy=decay(0.1, 0.9)).build()
    signs = diagnose(healthy).vital_signs
    assert [sign.value for sign in signs.values()] == [True, True, True]
    crept = diagnose(run(train_loss=line(2.303, 2.301, 0.0)).build())
    assert crept.verdict == "no_learning"
    assert crept.vital_signs["loss_falls"].value is False
    part = run(val_loss=decay(), val_accuracy=flat(0.5, 0.005)).build()
    assert diagnose(part).vital_signs["metrics_agree"].value is False


def test_the_value_is_read_never_judged():
    """Ln C where the classes are known; the same verdict whatever the unit."""
    known = run(train_loss=decay(floor=1.3), val_loss=decay(floor=1.3), params={"num_classes": 10}).build()
    assert "ln 10 = 2.3" in " ".join(diagnose(known).reading)
    regression = run(train_loss=decay(), val_loss=decay(), params={"loss": "mae"}).build()
    assert "unit of the target" in " ".join(diagnose(regression).reading)
    small = run(train_loss=decay(), val_loss=decay(floor=0.3))
    assert diagnose(small.build(scale=1e-6)).verdict == diagnose(small.build(scale=1e6)).verdict == "healthy"


def test_the_fingerprint_changes_with_what_a_verdict_rests_on():
    """Curves, params, rules and thresholds; not the order in which a store gives them."""
    overfit = run(train_loss=decay(), val_loss=valley()).build()
    same = replace(overfit, curves=dict(reversed(list(overfit.curves.items()))))
    mark = diagnose(overfit).fingerprint
    assert diagnose(same).fingerprint == mark
    assert diagnose(run(train_loss=decay(), val_loss=valley(end=1.3)).build()).fingerprint != mark
    assert diagnose(replace(overfit, params={"lr": "1"})).fingerprint != mark
    assert diagnose(overfit, all_rules()[1:]).fingerprint != mark
    other = [replace(rule, rise=0.2) if rule.name == "overfitting" else rule for rule in all_rules()]
    assert diagnose(overfit, other).fingerprint != mark


def test_a_run_is_judged_on_any_score():
    """Only an accuracy, a mAP, a reward or a GBDT's rmse: each has its own direction."""
    for curves in (
        {"train_accuracy": decay(0.1, 0.99), "val_accuracy": valley(0.1, 0.9, end=0.6)},
        {"train_rmse": decay(), "val_rmse": valley()},
        {"train_map": decay(0.0, 0.9), "val_map": valley(0.0, 0.7, end=0.5)},
    ):
        assert diagnose(run(**curves).build()).verdict == "overfitting", curves
    assert diagnose(run(reward=valley(0.0, 200.0, end=10.0, noise=2.0)).build()).verdict == "divergence"


def test_remedies_use_what_was_logged():
    """A rate of 1e-6 is named, and what to try instead."""
    report = diagnose(run(train_loss=flat(2.3), params={"optimizer.lr": "1e-06"}).build())
    assert report.verdict == "no_learning"
    assert "1e-06 was logged; try 1e-05" in report.findings[0].remedies[0]
    far = diagnose(run(train_loss=flat(2.3), params={"lr": 1e-9}).build())
    assert "1e-09 was logged, which moves nothing" in far.findings[0].remedies[0]
