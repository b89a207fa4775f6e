"""What many runs show together, in the terminal; as plain lines where the output is piped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from curve_analyzers.findings import Severity
from curve_analyzers.saying import say
from mlflow_diagnose.report import words
from mlflow_diagnose.writers.terminal import COLOURS, Page

if TYPE_CHECKING:
    from rich.console import Console

    from curve_analyzers.experiment.findings import ExperimentFinding, ExperimentReport

__all__ = ["print_experiment"]

MOST_RUNS = 5  # that a finding names


def print_experiment(report: ExperimentReport, console: Console) -> None:
    """Print what was found over many runs, what could not be told and why; then a blank line."""
    page = Page(console)
    page.line()
    runs = words.count(report.of, "run")
    head = say("{runs} compared, by {judged}", runs=runs, judged=words.plain(report.judged))
    page.line((words.plain(head if report.judged else say("{runs} compared", runs=runs)), "bold"))
    for note in report.notes:
        page.line((words.plain(say("left out: {note}", note=note)), "dim"), indent=2)
    for finding in report.findings:
        _print_finding(page, finding)
    if report.not_checked:
        page.line()
        by_reason: dict[str, list[str]] = {}
        for outcome in report.not_checked:
            by_reason.setdefault(words.why_not(outcome), []).append(words.title(outcome.rule))
        for reason, rules in by_reason.items():
            page.line((f"{words.listing(rules)}: {reason}", "dim"), indent=2)
    page.line()


def _print_finding(page: Page, finding: ExperimentFinding) -> None:
    page.line()
    sure = min(round(100 * finding.confidence), 99)
    kind = (f" ({words.listing((words.title(finding.severity.word), words.sureness(sure)))})", "dim")
    page.line((words.title(finding.rule), f"bold {COLOURS[finding.severity.word]}"), kind, indent=2)
    page.line((words.plain(finding.message), ""), indent=4)
    named = words.listing([words.plain(run, 40) for run in finding.runs[:MOST_RUNS]])
    left = len(finding.runs) - MOST_RUNS
    runs = (
        say("runs: {named} and {left} more", named=named, left=left) if left > 0 else say("runs: {named}", named=named)
    )
    page.line((words.plain(runs), "dim"), indent=4)
    if finding.remedies:
        head = say("what to try") if finding.severity is Severity.INFO else say("what to try first")
        page.line((words.plain(head), "dim"), indent=4)
    for place, remedy in enumerate(finding.remedies, 1):
        page.line((words.plain(remedy), ""), indent=6, lead=((f"{place}. ", ""),))
