"""A report as a notebook shows it: a piece of HTML with styles of its own, beside whatever else is in the notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlflow_diagnose.report import texts, words
from mlflow_diagnose.report.chart import chart_svg
from mlflow_diagnose.report.templates import COLOURS, template, themed

if TYPE_CHECKING:
    from curve_analyzers.findings import Report

__all__ = ["notebook_html"]


def notebook_html(report: Report) -> str:
    """The verdict, the vital signs, the curves and what to try, as an element that needs nothing but itself.

    It holds no script, and its styles reach nothing outside it.
    """
    html = template("notebook.html").render(
        report=report,
        words=words,
        t=texts,
        causes=words.causes(report),
        chart=themed(chart_svg(report)) if report.run.roles else "",
        colours=COLOURS,
    )
    return html.strip() + "\n"
