"""What a person sees of a diagnosed run in MLflow's own UI."""

from __future__ import annotations

from urllib.parse import quote

import mlflow
import pytest

from mlflow_diagnose.cli import main
from mlflow_diagnose.report.experiment import experiment_page
from mlflow_diagnose.report.rows import row_of

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("demo")]


def test_the_tags_stand_on_the_overview(ui, demo, page, picture):
    """The verdict, its measure and the best step are read without a click."""
    report = demo[1]["overfitting"]
    page.goto(f"{ui}/runs/{report.run.run_id}")
    page.get_by_text("diagnose.verdict").first.wait_for()
    text = page.locator("body").inner_text()
    assert "overfitting" in text
    assert f"warning: {report.main.brief}"[:20] in text
    assert "diagnose.best_step" in text
    _close_assistant(page)
    picture(page, "mlflow-tags.png")


def test_the_report_is_drawn_in_the_artifact_viewer(ui, demo, page, picture):
    """Inside MLflow's sandboxed frame: the verdict, the chart with its curves, what to try."""
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    report = demo[1]["overfitting"]
    page.goto(f"{ui}/runs/{report.run.run_id}/artifacts/diagnosis/report.html")
    frame = page.frame_locator("iframe")
    frame.get_by_role("heading", name="Overfitting", level=1).wait_for()
    chart = frame.locator("svg:visible").first
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    assert box["width"] > 400
    assert box["height"] > 200
    assert "val_loss" in chart.text_content()
    assert "Keep the model of step" in frame.locator("body").inner_text()
    assert errors == []
    _close_assistant(page)
    picture(page, "mlflow-report.png")


def test_a_search_by_the_verdict_finds_the_run(ui, demo, page, picture):
    """`tags.`diagnose.verdict` = 'overfitting'` leaves one run of the eight."""
    names = {planted: report.run.name for planted, report in demo[1].items()}
    search = quote("tags.`diagnose.verdict` = 'overfitting'")
    page.goto(f"{ui}/runs?searchFilter={search}")
    page.get_by_text(names.pop("overfitting")).first.wait_for()
    text = page.locator("body").inner_text()
    assert [name for name in names.values() if name in text] == []
    _close_assistant(page)
    picture(page, "mlflow-search.png")


def test_the_page_of_many_leads_to_the_runs(ui, demo, page, tmp_path, picture, watched):
    """Judged through the server, the names of the runs are links to them in its UI."""
    file = tmp_path / "experiment.html"
    server = ui.partition("/#/")[0]
    ids = [report.run.run_id for report in demo[1].values()]
    with pytest.raises(SystemExit, match="0"):
        main([*ids, "--tracking-uri", server, "--no-write", "--format", "html", "--output", str(file)])
    events = watched(page)
    page.goto(file.as_uri())
    assert events == ["request experiment.html"]
    picture(page, "experiment.png")
    report = demo[1]["overfitting"]
    with page.expect_popup() as opened:
        page.get_by_role("link", name=report.run.name).click()
    opened.value.get_by_text("diagnose.verdict").first.wait_for()
    assert report.run.run_id in opened.value.url


def test_the_page_of_many_is_drawn_in_the_artifact_viewer(ui, demo, page, tmp_path):
    """Logged as an artifact: sorted and filtered inside MLflow's sandboxed frame."""
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    file = tmp_path / "experiment.html"
    file.write_text(experiment_page([row_of(report) for report in demo[1].values()]), encoding="utf-8")
    run_id = demo[1]["overfitting"].run.run_id
    mlflow.MlflowClient(demo[0]).log_artifact(run_id, str(file), "diagnosis")
    page.goto(f"{ui}/runs/{run_id}/artifacts/diagnosis/experiment.html")
    frame = page.frame_locator("iframe")
    frame.locator("#status").select_option("warning")
    frame.get_by_text("4 of 8 runs are shown").wait_for()
    frame.get_by_role("button", name="Run", exact=False).first.click()
    assert errors == []


def test_without_the_search_all_runs_are_there(ui, demo, page):
    """What the search test counts on: the same page lists all eight."""
    page.goto(f"{ui}/runs")
    for report in demo[1].values():
        page.get_by_text(report.run.name).first.wait_for()


def test_the_demo_finds_every_planted_fault(demo):
    """Eight trained models, eight right verdicts."""
    assert {planted: report.verdict for planted, report in demo[1].items()} == {planted: planted for planted in demo[1]}


def _close_assistant(page):
    """MLflow's own assistant hides a quarter of the page."""
    button = page.get_by_role("button", name="Close")
    if button.count():
        button.first.click()
        page.wait_for_timeout(300)
