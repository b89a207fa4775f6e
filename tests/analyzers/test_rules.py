"""Every rule keeps every promise; the reference page is what the rules say today."""

from __future__ import annotations

from pathlib import Path

import pytest

from accuracy.page import HEADING
from curve_analyzers.analyzer import Analyzer
from curve_analyzers.docs import reference
from curve_analyzers.registry import all_rules, rule_named
from curve_analyzers.testing import PROMISES

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.name)
def test_promise(rule: Analyzer, promise):
    """The suite a third party runs on its own rules."""
    promise(rule)


def test_every_file_is_a_rule():
    """A rule's file under rules/ is all there is to adding it: none is left behind unregistered."""
    folder = ROOT / "analyzers" / "curve_analyzers" / "rules"
    files = {path.stem for path in folder.glob("*/*.py") if path.stem != "__init__"}
    assert files == {rule.name for rule in all_rules()}


def test_the_reference_is_current():
    """`python -m curve_analyzers.docs > analyzers/README.md` brings it up to date; the tables of accuracy follow it."""
    text = (ROOT / "analyzers" / "README.md").read_text("utf-8")
    assert text.partition(f"\n{HEADING}")[0] == reference()


def test_rules_explain_what_exists():
    """A slip in `explains` would silently give a run two root causes."""
    known = {rule.name for rule in all_rules()} | {rule.family for rule in all_rules()}
    for rule in all_rules():
        assert set(rule.explains) <= known, rule.name


def test_an_unknown_rule_names_the_nearest():
    """A typing slip is answered with the name that was meant."""
    with pytest.raises(ValueError, match="did you mean 'overfitting'"):
        rule_named("overfiting")


def test_a_threshold_out_of_range_is_refused():
    """A config file cannot make a rule senseless."""
    rule = type(rule_named("overfitting"))
    with pytest.raises(ValueError, match=r"overfitting\.rise is -1; it must be at least 0"):
        rule(rise=-1)
    with pytest.raises(ValueError, match="must be a number"):
        rule(rise=float("nan"))
