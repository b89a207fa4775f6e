"""The pages in Japanese, in a real browser: nothing breaks, nothing is left in English, and a screen reader knows."""

from __future__ import annotations

import re

import pytest

from collisions import COLLISIONS
from curve_analyzers.engine import diagnose
from curve_analyzers.experiment.engine import compare
from curve_analyzers.experiment.registry import all_experiment_rules
from curve_analyzers.registry import rule_named
from mlflow_diagnose.catalogue import messages
from mlflow_diagnose.language import speaking
from mlflow_diagnose.report.experiment import experiment_page
from mlflow_diagnose.report.notebook import notebook_html
from mlflow_diagnose.report.page import page as html_of
from mlflow_diagnose.report.rows import row_of

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("demo")]
RULES = ["overfitting", "non_finite", "wasted_compute", "throughput_drop", "sparse_curve"]
WORDS = 3  # in a row, from which on a text of ours is no name
FIELD = re.compile(r"\{[^}]*\}")
SEEN = """() => {
  for (const each of document.querySelectorAll('details')) each.open = true;
  for (const each of document.querySelectorAll('code, pre')) each.remove();
  const labels = [...document.querySelectorAll('[aria-label]')].map(each => each.ariaLabel);
  return [document.title, document.body.innerText, ...labels].join('\\n');
}"""


@pytest.fixture(scope="module")
def english():
    """A pattern for each English message of some words, whatever stands in its fields."""
    texts = {text for message in messages() for text in (message.text, message.plural) if text}
    long = [text for text in texts if len(FIELD.sub("", text).split()) >= WORDS]
    return [re.compile(".{1,80}?".join(map(re.escape, FIELD.split(text)))) for text in long]


@pytest.fixture(scope="module", params=[*RULES, "experiment", "notebook"])
def shown(request):
    """A page in Japanese, of what the rules say of their own examples."""
    with speaking("ja"):
        if request.param == "experiment":
            rows = [row_of(diagnose(rule_named(name).fires[0].run.build())) for name in RULES]
            found = [
                finding
                for rule in all_experiment_rules()
                for example in rule.fires[:1]
                for finding in compare(example.sweep.build(), [rule], kpi=example.kpi).findings
            ]
            return experiment_page(rows, found, "CIFAR-10")
        if request.param == "notebook":
            shown = notebook_html(diagnose(rule_named("overfitting").fires[0].run.build()))
            return f'<!doctype html><html lang="ja"><title>-</title><main><h1>-</h1>{shown}</main></html>'
        return html_of(diagnose(rule_named(request.param).fires[0].run.build()))


def test_it_is_japanese(shown, page, watched, english):
    """The page says so, and none of our English messages is in it, folded or in the script's own words."""
    events = watched(page)
    page.set_content(shown)
    assert page.evaluate("document.documentElement.lang") == "ja"
    seen = page.evaluate(SEEN)
    assert re.search("[ぁ-ヿ]", seen)
    assert [found[0] for pattern in english if (found := pattern.search(seen))] == []
    assert events == []


def test_it_is_accessible_and_fits(shown, view, violations):
    """axe-core finds nothing against it, and nothing has to be scrolled sideways at any width."""
    view.set_content(shown)
    view.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert violations(view) == []
    assert view.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0


@pytest.mark.parametrize("name", RULES)
def test_nothing_is_drawn_over_something_else(name, view):
    """In a chart, no Japanese label covers another, and none leaves the picture."""
    with speaking("ja"):
        view.set_content(html_of(diagnose(rule_named(name).fires[0].run.build())))
    assert view.evaluate(COLLISIONS) == []
