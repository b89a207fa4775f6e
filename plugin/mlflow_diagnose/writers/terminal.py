"""Reports in the terminal; as plain lines where the output is piped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from curve_analyzers.findings import Finding, Report, Severity, VitalSign
from mlflow_diagnose.report import words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

__all__ = ["print_report", "print_summary"]

COLOURS = {"critical": "red", "warning": "yellow", "info": "blue", "healthy": "green", "insufficient_data": "dim"}
MARKS = {"critical": "✗", "warning": "!", "healthy": "✓", "insufficient_data": "?"}
SIGNS = {True: ("✓", "green", "yes"), False: ("✗", "red", "no"), None: ("?", "dim", "unknown")}
# For outputs that are not UTF-8: our marks, and what messages are likely to hold.
ASCII = {"✓": "+", "✗": "x", "…": "...", "\u2013": "-", "≈": "~", "→": "->", "\u00d7": "x", "·": "-"}
NOTES = 10  # of a run, as many as anyone reads
NARROWEST = 20  # columns of text beside its lead
Part = tuple[str, str]  # a text and its style


def print_report(report: Report, console: Console) -> None:
    """Print the diagnosis of a run: the verdict, the vital signs, what was found and what to try; then a blank line.

    On a terminal, lines wrap at its width; elsewhere each sentence stays on its line, so that it can be searched.
    """
    page = _Page(console)
    style = COLOURS.get(report.status, "")
    name = words.plain(report.run.name or report.run.run_id, 120)
    page.line((f"{MARKS.get(report.status, '?')} {name}: ", f"bold {style}"), (words.verdict(report), "bold"))
    page.line((words.plain(f"{report.status.replace('_', ' ')}, run {report.run.run_id}"), "dim"), indent=2)
    if report.status == "insufficient_data":
        page.line((f"what to try first: {words.LOG_MORE}", ""), indent=2)
    page.line()
    for sign_name, sign in report.vital_signs.items():
        _print_sign(page, sign_name, sign)
    for cause in words.causes(report):
        _print_finding(page, cause.finding)
        for consequence in cause.consequences:
            follows = (f"and so {words.title(consequence.rule)}: ", COLOURS[consequence.severity.word])
            page.line(follows, (words.plain(consequence.brief), ""), indent=4)
    if left := words.not_checked(report):
        why = "; ".join(f"{reason}: {words.names(outcomes)}" for reason, outcomes in left)
        page.line()
        page.line((f"not checked: {words.count(len(report.not_checked), 'rule')} ({why})", "dim"), indent=2)
    for note in report.run.notes[:NOTES]:
        page.line((f"note: {words.plain(note)}", "dim"), indent=2)
    if len(report.run.notes) > NOTES:
        page.line((f"and {words.count(len(report.run.notes) - NOTES, 'other note')}", "dim"), indent=2)
    page.line()


def print_summary(reports: Sequence[Report], console: Console) -> None:
    """Print a line for each run: its name, status, verdict, and what it rests on; the worst first."""
    ranked = sorted(reports, key=lambda report: words.rank(report.status))
    page = _Page(console)
    rows = [("run", "status", "verdict", "what")]
    for report in ranked:
        verdict = "" if report.verdict == report.status else words.title(report.verdict)
        name = words.plain(report.run.name or report.run.run_id, 40)
        rows.append((name, words.title(report.status), verdict, words.plain(words.brief(report), 200)))
    widths = [max(cell_len(page.fit(row[column])) + 2 for row in rows) for column in range(3)]
    styles = ["bold", *(COLOURS.get(report.status, "") for report in ranked)]
    for (*cells, what), style in zip(rows, styles, strict=True):
        name, status, verdict = (
            set_cell_size(page.fit(cell), width) for cell, width in zip(cells, widths, strict=True)
        )
        page.line((what, ""), lead=((name, ""), (status, style), (verdict, "")))


class _Page:
    """A console that takes text as text, and no character it cannot print."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def line(self, *parts: Part, indent: int = 0, lead: Sequence[Part] = ()) -> None:
        """Print styled parts as one paragraph beside its `lead`; markup in them is not read."""
        head, text = Text(" " * indent).append_text(self._text(lead)), self._text(parts)
        width = max(self.console.width - head.cell_len, NARROWEST)
        for place, row in enumerate(text.wrap(self.console, width) if self.console.is_terminal else [text]):
            line = (head if place == 0 else Text(" " * head.cell_len)) + row
            line.rstrip()
            self.console.print(line, soft_wrap=True)

    def _text(self, parts: Sequence[Part]) -> Text:
        return Text.assemble(*((self.fit(part), style) for part, style in parts))

    def fit(self, text: str) -> str:
        """The text in the characters of the output's encoding."""
        encoding = self.console.encoding
        for char, plain in ASCII.items():
            if char in text and char.encode(encoding, "ignore") == b"":
                text = text.replace(char, plain)
        return text.encode(encoding, "replace").decode(encoding)


def _print_sign(page: _Page, name: str, sign: VitalSign) -> None:
    mark, style, answer = SIGNS[sign.value]
    label = words.SIGNS[name][1] if name in words.SIGNS else words.title(name)
    page.line(
        (f"{label}: {answer}", style), (f", {words.plain(sign.because)}", ""), indent=2, lead=((f"{mark} ", style),)
    )


def _print_finding(page: _Page, finding: Finding) -> None:
    page.line()
    style = COLOURS[finding.severity.word]
    where = f", {words.steps(finding.span)}, {words.confidence(finding)}"
    page.line((words.title(finding.rule), f"bold {style}"), (f" ({finding.severity.word}{where})", "dim"), indent=2)
    page.line((words.plain(finding.message), ""), indent=4)
    if finding.remedies:
        page.line(("what to try" if finding.severity is Severity.INFO else "what to try first", "dim"), indent=4)
    for place, remedy in enumerate(finding.remedies, 1):
        page.line((words.plain(remedy), ""), indent=6, lead=((f"{place}. ", ""),))

