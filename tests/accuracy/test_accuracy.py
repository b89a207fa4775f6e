"""How right the rules are on runs whose fault is known and that were not looked at when the rules were tuned."""

from __future__ import annotations

from pathlib import Path

import pytest

from accuracy.changed import noisier, thinned
from accuracy.labelled import load
from accuracy.page import section
from accuracy.scores import judge
from curve_analyzers.engine import diagnose
from curve_analyzers.settle import prepare

README = Path(__file__).parents[2] / "analyzers" / "README.md"
SURE = 0.9  # confidence of a verdict that a tenth of the points, or twice the noise, may not change
LONG = 100  # points of the longest curve, from which a tenth is still a curve


@pytest.fixture(scope="module")
def scores():
    """All rules on the part that no threshold was decided on."""
    return judge(load("held_out"))


def test_faults_are_found(scores):
    """No change may lose accuracy: the goal is a macro-F1 of 0.95, and this is where the rules stand."""
    assert scores.macro_f1() >= 0.945


def test_healthy_runs_are_left_alone(scores):
    """The goal is one healthy run in a hundred that is called unhealthy."""
    assert len(scores.false_alarms()) <= 0.015 * len(scores.healthy())


def test_the_planted_fault_is_the_verdict(scores):
    """The goal is nine of ten runs that show a fault whose root cause is named."""
    assert scores.verdict_share() >= 0.925


def test_those_who_are_sure_are_right(scores):
    """Of the findings with a confidence of 95 % and more, that many are right."""
    surest = scores.calibration()[-1]
    assert surest.low == 0.95
    assert surest.right >= 0.95


def test_the_page_is_current(scores):
    """`PYTHONPATH=tests python -m accuracy --write` brings the tables of analyzers/README.md up to date."""
    assert section(scores) in README.read_text("utf-8")


@pytest.mark.parametrize(
    ("change", "share"),
    [(lambda run: thinned(run, 10), 0.8), (noisier, 0.88)],
    ids=["a tenth of the points", "twice the noise"],
)
def test_a_sure_verdict_stays(scores, change, share):
    """A verdict that was right and sure survives twice the noise; of a tenth of the points many faults are gone."""
    kept = [
        diagnose(prepare(change(each.labelled.run))).verdict == each.report.verdict
        for each in scores.judged
        if each.report.main
        and each.report.main.confidence >= SURE
        and each.right(each.report.main)
        and max(len(curve.values) for curve in each.labelled.run.curves) >= LONG
    ]
    assert len(kept) > 50
    assert sum(kept) >= share * len(kept)
