"""The report by itself, framed as MLflow's artifact viewer frames it."""

from __future__ import annotations

import pytest

import reports
from mlflow_diagnose.report.page import page as html_of

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("demo")]


@pytest.fixture(params=[(390, "dark"), (600, "light"), (1200, "dark")], ids=lambda view: f"{view[0]}-{view[1]}")
def view(request, browser):
    """A page of a phone's, the viewer's and a desktop's width."""
    width, scheme = request.param
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("name", reports.SAMPLES)
def test_a_sandboxed_frame_shows_all_of_it(name, view, tmp_path):
    """One chart, no dialog, no request beyond the file, no complaint, no sideways scrolling."""
    events = []
    (tmp_path / f"{name}.html").write_text(html_of(reports.SAMPLES[name]()), encoding="utf-8")
    frame = f'<iframe sandbox="allow-scripts" src="{name}.html" style="border:0;width:100%;height:90vh"></iframe>'
    (tmp_path / "frame.html").write_text(f"<body style='margin:0'>{frame}</body>", encoding="utf-8")
    view.on("dialog", lambda dialog: events.append(dialog.message) or dialog.dismiss())
    view.on("console", lambda message: events.append(message.text))
    view.on("request", lambda request: events.append(request.url.rsplit("/", 1)[-1]))
    view.goto((tmp_path / "frame.html").as_uri())
    shown = view.frames[1]
    assert shown.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    charts = shown.locator("svg").evaluate_all("all => all.filter(one => one.checkVisibility()).length")
    assert charts == (0 if name == "insufficient" else 1)
    assert sorted(events) == ["frame.html", f"{name}.html"]
