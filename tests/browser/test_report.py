"""The report by itself, framed as MLflow's artifact viewer frames it."""

from __future__ import annotations

import pytest

import reports
from collisions import COLLISIONS
from mlflow_diagnose.report.page import page as html_of

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("demo")]
samples = pytest.mark.parametrize("name", reports.SAMPLES)


@samples
def test_a_sandboxed_frame_shows_all_of_it(name, view, watched, framed):
    """One chart, no dialog, no request beyond the file, no complaint, no sideways scrolling."""
    events = watched(view)
    view.goto(framed(html_of(reports.SAMPLES[name]())))
    shown = view.frames[1]
    assert shown.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    charts = shown.locator("svg").evaluate_all("all => all.filter(one => one.checkVisibility()).length")
    assert charts == (0 if name == "insufficient" else 1)
    assert sorted(events) == ["request frame.html", "request shown.html"]


@samples
def test_it_is_accessible(name, view, violations):
    """axe-core finds nothing against it, folded or not."""
    view.set_content(html_of(reports.SAMPLES[name]()))
    assert violations(view) == []
    view.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert violations(view) == []


@samples
def test_nothing_is_drawn_over_something_else(name, view):
    """In a chart, no text covers another, and none leaves the picture."""
    view.set_content(html_of(reports.SAMPLES[name]()))
    assert view.evaluate(COLLISIONS) == []


def test_by_keyboard(page):
    """Tab goes from one part that folds to the next, Enter opens it."""
    page.set_content(html_of(reports.overfitting()))
    for place in range(4):
        page.keyboard.press("Tab")
        focused = page.evaluate("[...document.querySelectorAll('summary')].indexOf(document.activeElement)")
        assert focused == place
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.parentElement.open")


def test_printed(page):
    """On paper, what is folded on the screen is there, in ink on white, whatever the reader's screen."""
    page.emulate_media(media="print", color_scheme="dark")
    page.set_content(html_of(reports.overfitting()))
    assert page.get_by_text("no gradient norm was logged").bounding_box()["height"] > 0
    assert page.get_by_text("weight_decay").last.bounding_box()["height"] > 0
    colours = page.evaluate("[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]")
    assert colours == ["rgb(255, 255, 255)", "rgb(31, 42, 55)"]
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_a_name_of_another_script_is_itself(page):
    """Where the page has a font for it, a chart shows any name, also one that matplotlib could not draw."""
    page.set_content(html_of(reports.hostile()))
    texts = page.locator("svg:visible text").all_text_contents()
    assert any(reports.JAPANESE in text for text in texts)
