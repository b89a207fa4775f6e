"""What it takes to draw a report and a page of many runs, beside what drawing anything takes.

    python -m pytest -n0 tests/benchmarks/test_page_speed.py --benchmark-only

The report is of three panels, in both widths; the bare chart is matplotlib's own drawing of as many, without a word.
One report is measured in time of the processor, the pages of many on the clock.
"""

from __future__ import annotations

import io
import shutil
import time
from dataclasses import replace

import pytest
from matplotlib.figure import Figure
from playwright.sync_api import sync_playwright

import reports
from curve_analyzers.engine import diagnose
from curve_analyzers.registry import all_rules
from mlflow_diagnose.report.chart import chart_png
from mlflow_diagnose.report.experiment import experiment_page
from mlflow_diagnose.report.page import page
from mlflow_diagnose.report.rows import row_of

RUNS = 300


def bare(report):
    """The same curves by matplotlib's own axes, in both widths."""
    for width in (6.4, 4.2):
        figure = Figure((width, 6))
        for place, axes in enumerate(figure.subplots(3, 1)):
            for curve in list(report.run.curves.values())[2 * place : 2 * place + 2]:
                axes.plot(curve.steps, curve.values)
        figure.savefig(io.StringIO(), format="svg")


@pytest.fixture(scope="module")
def rows():
    """Rows of the examples of all rules."""
    examples = [
        each for rule in all_rules() for each in (*rule.fires[:2], *rule.quiet[:2]) if hasattr(each.run, "build")
    ]
    made = [row_of(diagnose(example.run.build())) for example in examples[:60]]
    return [replace(made[place % len(made)], run_id=f"{place:032x}") for place in range(RUNS)]


@pytest.mark.benchmark(group="one report", timer=time.process_time)  # no time that others took
@pytest.mark.parametrize("draw", [page, chart_png, bare], ids=["page", "picture", "bare chart"])
def test_one_report(benchmark, draw):
    """A report as a page, and as a picture."""
    report = reports.overfitting()
    draw(report)  # what is imported and cached once, is
    benchmark.pedantic(draw, (report,), rounds=10)


@pytest.mark.benchmark(group="many runs")
def test_a_page_of_many(benchmark, rows):
    """The page of 300 runs, made."""
    benchmark.pedantic(experiment_page, (rows,), rounds=5, warmup_rounds=1)


@pytest.mark.benchmark(group="many runs")
def test_a_page_of_many_opens(benchmark, rows, tmp_path):
    """The page of 300 runs, loaded and laid out in a headless Chromium."""
    chromium = shutil.which("chromium") or pytest.skip("Chromium is not installed")
    file = tmp_path / "experiment.html"
    file.write_text(experiment_page(rows), encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        view = browser.new_page()

        def opened():
            view.goto(file.as_uri())
            view.evaluate("document.body.offsetHeight")

        benchmark.pedantic(opened, rounds=5, warmup_rounds=1)
        assert view.locator("tbody tr").count() == RUNS
        browser.close()
