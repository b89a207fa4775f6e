"""The page of many runs: framed, sorted, filtered."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

import reports
from curve_analyzers.findings import Severity
from mlflow_diagnose.report.experiment import experiment_page
from mlflow_diagnose.report.rows import row_of

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("demo")]


@dataclass(frozen=True)
class Shared:
    """A finding over many runs."""

    runs: tuple[str, ...]
    rule: str = "learning_rate_decides"
    severity: Severity = Severity.WARNING
    confidence: float = 0.9
    message: str = f"Most of the difference goes with `lr` {reports.SCRIPT} {reports.IMAGE}."
    remedies: tuple[str, ...] = ("Keep it between 0.001 and 0.01.", reports.IMAGE)


@pytest.fixture(scope="module")
def html():
    """The samples twice, under ids of their own, with what they show together."""
    rows = [row_of(make()) for make in reports.SAMPLES.values()] * 2
    rows = [replace(row, run_id=f"{place:032x}", url=f"http://localhost/{place}") for place, row in enumerate(rows)]
    return experiment_page(rows, [Shared(tuple(row.run_id for row in rows))], reports.SCRIPT)


def names(page):
    """The runs that are shown, in order."""
    return page.locator("tbody tr:visible th").evaluate_all("all => all.map(one => one.firstChild.textContent)")


def test_a_sandboxed_frame_shows_all_of_it(html, view, watched, framed):
    """No dialog, no request beyond the file, no complaint, no sideways scrolling, and the script is at work."""
    events = watched(view)
    view.goto(framed(html))
    shown = view.frames[1]
    assert shown.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    shown.locator("#text").fill("baseline")
    assert shown.locator("tbody tr:visible").count() == 2
    assert shown.locator("#shown").inner_text() == "2 of 10 runs are shown"
    assert sorted(events) == ["request frame.html", "request shown.html"]


def test_it_is_accessible(html, view, violations):
    """axe-core finds nothing against it."""
    view.set_content(html)
    assert violations(view) == []


def test_it_sorts_by_keyboard(html, page):
    """A heading is a button; what was sorted by is told, and a run without a value is last either way."""
    page.set_content(html)
    heading = page.get_by_role("columnheader", name="Best step")
    assert heading.get_attribute("aria-sort") == "none"
    ascending = ["24", "24", "29", "29", "39", "39"]
    for way, expected in (("ascending", ascending), ("descending", ascending[::-1])):
        heading.get_by_role("button").focus()
        page.keyboard.press("Enter")
        assert heading.get_attribute("aria-sort") == way
        steps = page.locator("td.step").all_inner_texts()
        assert steps[:6] == expected
        assert set(steps[6:]) == {""}
    assert page.locator("[aria-sort]:not([aria-sort=none])").count() == 1


def test_it_begins_with_the_worst(html, page):
    """Critical, then warnings, then what could not be judged, then the healthy."""
    page.set_content(html)
    status = page.locator("tbody tr").evaluate_all("all => all.map(one => one.dataset.s)")
    assert status == ["critical"] * 4 + ["warning"] * 2 + ["insufficient_data"] * 2 + ["healthy"] * 2


def test_it_filters(html, page):
    """By status, by what was found, by text, and by all of them together."""
    page.set_content(html)
    page.locator("#status").select_option("critical")
    assert set(names(page)) == {"mobilenet-finetune", "transformer-big"}
    page.locator("#rule").select_option(label="non finite (2)")
    assert set(names(page)) == {"transformer-big"}
    page.locator("#text").fill("BIG divergence")
    assert len(names(page)) == 2
    page.locator("#text").fill("nothing of the kind")
    assert names(page) == []
    assert page.get_by_text("No run fits.").is_visible()


def test_what_is_not_ours_cannot_run(html, page, watched):
    """Even if a name were put in unescaped: only our own script is allowed, by its hash."""
    events = watched(page)
    page.set_content(html.replace("<h1>", "<h1><script>alert(1)</script><img src=x onerror=alert(2)>", 1))
    page.wait_for_timeout(200)
    assert not [event for event in events if event.startswith(("dialog", "request"))]
    assert page.locator("#shown").inner_text() == "10 of 10 runs are shown"


def test_what_is_not_accessible_is_found(page, violations):
    """What the tests of accessibility count on: axe-core is at work in a page that lets nothing else run."""
    policy = "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    page.set_content(f"<html><head>{policy}</head><body><p style='color:#ccc;background:#ddd'>pale</p></body></html>")
    assert {"color-contrast", "html-has-lang", "document-title"} <= {each[0] for each in violations(page)}
