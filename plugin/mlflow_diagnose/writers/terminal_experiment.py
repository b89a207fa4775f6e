"""What many runs show together, in the terminal; as plain lines where the output is piped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from curve_analyzers.findings import Outcome, Severity, Status
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
    by = f", by {words.plain(report.judged)}" if report.judged else ""
    page.line((f"{words.count(report.of, 'run')} compared{by}", "bold"))
    for note in report.notes:
        page.line((f"left out: {words.plain(note)}", "dim"), indent=2)
    for finding in report.findings:
        _print_finding(page, finding)
    if report.not_checked:
        page.line()
        by_reason: dict[str, list[str]] = {}
        for outcome in report.not_checked:
            by_reason.setdefault(_reason(outcome), []).append(words.title(outcome.rule))
        for reason, rules in by_reason.items():
            page.line((f"{', '.join(rules)}: {reason}", "dim"), indent=2)
    page.line()


def _print_finding(page: Page, finding: ExperimentFinding) -> None:
    page.line()
    sure = min(round(100 * finding.confidence), 99)
    kind = (f" ({finding.severity.word}, {sure} % confidence)", "dim")
    page.line((words.title(finding.rule), f"bold {COLOURS[finding.severity.word]}"), kind, indent=2)
    page.line((words.plain(finding.message), ""), indent=4)
    named = ", ".join(words.plain(run, 40) for run in finding.runs[:MOST_RUNS])
    more = f" and {len(finding.runs) - MOST_RUNS} more" if len(finding.runs) > MOST_RUNS else ""
    page.line((f"runs: {named}{more}", "dim"), indent=4)
    if finding.remedies:
        page.line(("what to try" if finding.severity is Severity.INFO else "what to try first", "dim"), indent=4)
    for place, remedy in enumerate(finding.remedies, 1):
        page.line((words.plain(remedy), ""), indent=6, lead=((f"{place}. ", ""),))


def _reason(outcome: Outcome) -> str:
    reason = words.plain(outcome.reason) or "no reason given"
    return f"the rule itself failed: {reason}" if outcome.status is Status.CRASHED else reason
