"""A diagnosis in a notebook that a real kernel has run, and Markdown as a page shows it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from markdown_it import MarkdownIt

import reports
from mlflow_diagnose.diagnosis import Diagnosis
from mlflow_diagnose.writers.markdown import document, entry_of

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("demo")]

RUN = """
import sys, nbformat, nbclient
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in sys.argv[1:]])
nbclient.NotebookClient(notebook, timeout=240, kernel_name="python3").execute()
print(nbformat.writes(notebook))
"""


@pytest.fixture(scope="module")
def outputs(demo, tmp_path_factory):
    """What the cells of a notebook gave, each as its data by type."""
    uri, planted = demo
    run_id = planted["overfitting"].run.run_id
    cells = [
        "from mlflow_diagnose import diagnose",
        f"diagnosis = diagnose({run_id!r}, tracking_uri={uri!r})\ndiagnosis",
        "diagnosis.to_frame()",
        "diagnosis.verdict",
    ]
    folder = tmp_path_factory.mktemp("notebook")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "IPYTHONDIR": str(folder)}
    environment |= {"JUPYTER_PLATFORM_DIRS": "1", "JUPYTER_CONFIG_DIR": str(folder), "JUPYTER_RUNTIME_DIR": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", RUN, *cells], capture_output=True, text=True, check=False, env=environment, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    return [cell["outputs"][0]["data"] for cell in json.loads(done.stdout)["cells"][1:]]


def test_a_cell_shows_the_diagnosis(outputs, page, watched, violations):
    """The verdict, the chart and what to try, from the output of a kernel; text for where HTML is not shown."""
    html = "".join(outputs[0]["text/html"])
    events = watched(page)
    page.set_content(f"<!doctype html><html lang=en><title>a notebook</title><main><h1>One</h1>{html}</main>")
    shown = page.locator(".mlflow-diagnose")
    assert "Overfitting" in shown.inner_text()
    assert "Keep the model of step" in shown.inner_text()
    assert shown.locator("svg").bounding_box()["height"] > 200
    assert "<Diagnosis of 'digits" in "".join(outputs[0]["text/plain"])
    assert violations(page) == []
    assert events == []


def test_the_other_views(outputs):
    """A frame is a table of pandas, a verdict a word."""
    assert "val_loss was best at step" in "".join(outputs[1]["text/html"])
    assert "".join(outputs[2]["text/plain"]) == "'overfitting'"


def test_its_styles_stay_inside(page):
    """What stands beside a diagnosis in a notebook looks as it did."""
    beside = "<p class='title critical'>beside</p><ul class=signs><li>item</li></ul><svg><text>text</text></svg>"
    look = "() => [...document.querySelectorAll('#beside *')].map(one => JSON.stringify({...getComputedStyle(one)}))"
    page.set_content(f"<div id=beside>{beside}</div>")
    before = page.evaluate(look)
    page.set_content(f"<div id=beside>{beside}</div>{Diagnosis(reports.overfitting())._repr_html_()}")
    assert page.evaluate(look) == before


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_hostile_names_are_text_in_a_notebook(scheme, browser, watched):
    """A notebook trusts what its kernel gives it: nothing of a log runs or loads."""
    context = browser.new_context(color_scheme=scheme)
    page = context.new_page()
    events = watched(page)
    page.set_content(Diagnosis(reports.hostile())._repr_html_())
    assert reports.SCRIPT in page.locator("body").inner_text()
    assert page.locator("script, img, a").count() == 0
    page.wait_for_timeout(200)
    assert events == []
    context.close()


@pytest.mark.parametrize("count", [1, 3])
def test_hostile_names_are_text_in_markdown(count, page, watched):
    """As a page that lets HTML through would show it: no element but those of ours."""
    entries = [entry_of(reports.hostile()), *(entry_of(reports.overfitting()) for _ in range(count - 1))]
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(document(entries))
    events = watched(page)
    page.set_content(html)
    page.wait_for_timeout(200)
    assert reports.SCRIPT in page.locator("body").inner_text()
    assert reports.IMAGE in page.locator("body").inner_text()
    assert page.locator("script, img, a, body [onerror]").count() == 0
    assert events == []
    ours = {
        "H3",
        "P",
        "CODE",
        "UL",
        "OL",
        "LI",
        "STRONG",
        "TABLE",
        "THEAD",
        "TBODY",
        "TR",
        "TH",
        "TD",
        "DETAILS",
        "SUMMARY",
    }
    assert set(page.locator("body *").evaluate_all("all => all.map(one => one.tagName)")) <= ours
