"""The page of a report: one HTML file that needs no network, no script and no other file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import curve_analyzers
from mlflow_diagnose.report import texts, words
from mlflow_diagnose.report.caption import caption
from mlflow_diagnose.report.chart import NARROW, chart_svg
from mlflow_diagnose.report.dispute import dispute
from mlflow_diagnose.report.templates import COLOURS, template, themed

if TYPE_CHECKING:
    from curve_analyzers.findings import Report

__all__ = ["page"]

MOST_LISTED = 200  # params, and curves without a role, before the rest is only counted


def page(report: Report) -> str:
    """Show a report as a self-contained HTML page, fit for a sandboxed frame.

    Every text of the run is escaped and freed of control characters, and long ones are cut.
    """
    run = report.run
    others = sorted(set(run.curves) - set(run.roles.values()))
    params = sorted(run.params.items())
    html = template("page.html").render(
        report=report,
        run=run,
        words=words,
        t=texts,
        caption=caption(report),
        dispute=dispute(report),
        causes=words.causes(report),
        not_checked=words.not_checked(report),
        charts=[("wide", themed(chart_svg(report))), ("narrow", themed(chart_svg(report, NARROW)))],
        alt=words.chart_in_words(report),
        others=others[:MOST_LISTED],
        others_left=max(len(others) - MOST_LISTED, 0),
        params=params[:MOST_LISTED],
        params_left=max(len(params) - MOST_LISTED, 0),
        colours=COLOURS,
        version=curve_analyzers.__version__,
    )
    return html.strip() + "\n"
