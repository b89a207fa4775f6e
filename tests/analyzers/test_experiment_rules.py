"""Every rule over many runs keeps every promise, on the generated sets of runs that it carries."""

from __future__ import annotations

from pathlib import Path

import pytest

from curve_analyzers.experiment.registry import all_experiment_rules
from curve_analyzers.experiment.testing import EXPERIMENT_PROMISES
from curve_analyzers.registry import all_rules, rule_named

ROOT = Path(__file__).parents[2]
NAMES = {
    *("learning_rate_decides", "capacity_without_gain", "regularization_effect", "data_saturation"),
    *("metric_rank_disagreement", "within_noise", "outlier_run", "best_run"),
}


@pytest.mark.parametrize("promise", EXPERIMENT_PROMISES, ids=lambda promise: promise.__name__)
@pytest.mark.parametrize("rule", all_experiment_rules(), ids=lambda rule: rule.name)
def test_promise(rule, promise):
    """The suite a third party runs on its own rules."""
    promise(rule)


def test_every_file_is_a_rule():
    """A file under experiment/rules is all there is to adding one, and the names are those that were promised."""
    folder = ROOT / "analyzers" / "curve_analyzers" / "experiment" / "rules"
    assert {path.stem for path in folder.glob("*.py") if path.stem != "__init__"} == NAMES
    assert {rule.name for rule in all_experiment_rules()} == NAMES


def test_names_are_unlike_those_of_rules_of_one_run():
    """A tag, an id and `explain NAME` mean one rule."""
    assert NAMES.isdisjoint(rule.name for rule in all_rules())
    assert rule_named("outlier run").name == "outlier_run"


def test_a_threshold_out_of_range_is_refused():
    """A config file cannot make a rule senseless."""
    with pytest.raises(ValueError, match=r"learning_rate_decides\.share is 2; it must be less than 1"):
        type(rule_named("learning_rate_decides"))(share=2)
