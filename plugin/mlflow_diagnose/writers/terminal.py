"""Reports in the terminal; as plain lines where the output is piped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from curve_analyzers.findings import Finding, Report, Severity, VitalSign
from curve_analyzers.saying import enumerated, say, series
from mlflow_diagnose.language import translated
from mlflow_diagnose.report import texts, words
from mlflow_diagnose.report.rows import Row, row_of
from mlflow_diagnose.writers.github import defused, in_actions
from mlflow_diagnose.writers.small_curves import HELD_OUT, TRAINING, blocks, braille

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

__all__ = ["COLOURS", "Page", "print_notes", "print_report", "print_summary", "print_totals"]

COLOURS = {"critical": "red", "warning": "yellow", "info": "blue", "healthy": "green", "insufficient_data": "dim"}
MARKS = {"critical": "✗", "warning": "!", "healthy": "✓", "insufficient_data": "?"}
SIGNS = {True: ("✓", "green", say("yes")), False: ("✗", "red", say("no")), None: ("?", "dim", say("unknown"))}
# For outputs that are not UTF-8: our marks, and what messages are likely to hold.
ASCII = {"✓": "+", "✗": "x", "…": "...", "\u2013": "-", "≈": "~", "→": "->", "\u00d7": "x", "·": "-"}
NOTES = 10  # of a run, as many as anyone reads
CURVE = 12  # letters of a small curve in the table
NARROWEST = 20  # columns of text beside its lead
INDENT = 2
LONGEST = 20_000  # letters of all that was not checked, and why
Part = tuple[str, str]  # a text and its style


def print_report(report: Report, console: Console) -> None:
    """Print the diagnosis of a run: the verdict, the vital signs, what was found and what to try; then a blank line.

    On a terminal, lines wrap at its width; elsewhere each sentence stays on its line, so that it can be searched.
    """
    page = Page(console)
    style = COLOURS.get(report.status, "")
    name = words.plain(report.run.name or report.run.run_id, 120)
    page.line((f"{MARKS.get(report.status, '?')} {name}: ", f"bold {style}"), (words.verdict(report), "bold"))
    where = say("{status}, run {run}", status=words.title(report.status), run=report.run.run_id)
    page.line((words.plain(where), "dim"), indent=2)
    if report.status == "insufficient_data":
        page.line((words.plain(say("what to try first: {remedy}", remedy=words.LOG_MORE)), ""), indent=2)
    page.line()
    if page.draws:
        _print_curves(page, row_of(report))
    for sign_name, sign in report.vital_signs.items():
        _print_sign(page, sign_name, sign)
    for cause in words.causes(report):
        _print_finding(page, cause.finding)
        for consequence in cause.consequences:
            follows = words.plain(say("and so {rule}:", rule=words.title(consequence.rule)))
            colour = COLOURS[consequence.severity.word]
            page.line((f"{follows} ", colour), (words.plain(consequence.brief), ""), indent=4)
    if left := words.not_checked(report):
        why = series([f"{reason}: {words.names(outcomes)}" for reason, outcomes in left])
        page.line()
        rules = words.count(len(report.not_checked), "rule")
        page.line((words.plain(say("not checked: {rules} ({why})", rules=rules, why=why), LONGEST), "dim"), indent=2)
    for note in report.run.notes[:NOTES]:
        page.line((_noted(note), "dim"), indent=2)
    if len(report.run.notes) > NOTES:
        rest = say("and {count}", count=words.count(len(report.run.notes) - NOTES, "other note"))
        page.line((words.plain(rest), "dim"), indent=2)
    page.line()


def print_summary(rows: Sequence[Row], console: Console) -> None:
    """Print a line for each run: its name, status, verdict, and what it rests on; the worst first.

    On a terminal, with a small curve of its held-out data, else of its training.
    """
    ranked = sorted(rows, key=lambda row: words.rank(row.status))
    page = Page(console)
    heads = (say("run"), say("status"), say("curve") if page.draws else "", say("verdict"), say("what"))
    table = [tuple(map(words.plain, heads))]
    for row in ranked:
        verdict = "" if row.verdict == row.status else words.title(row.verdict)
        curve = blocks(row, CURVE) if page.draws else ""
        table.append((words.plain(row.name, 40), words.title(row.status), curve, verdict, row.brief))
    columns = [column for column in range(4) if any(cells[column] for cells in table)]
    widths = {column: max(cell_len(page.fit(cells[column])) + 2 for cells in table) for column in columns}
    styles = ["bold", *(COLOURS.get(row.status, "") for row in ranked)]
    for cells, style in zip(table, styles, strict=True):
        lead = [
            (set_cell_size(page.fit(cells[column]), widths[column]), style if column == 1 else "") for column in columns
        ]
        page.line((cells[-1], ""), lead=lead)


def print_notes(notes: Sequence[str], console: Console) -> None:
    """Print what the readers of many runs had to leave out, a line each."""
    page = Page(console)
    for note in notes:
        page.line((_noted(note), "dim"))


def print_totals(judged: int, statuses: Mapping[str, int], written: int, failed: int, console: Console) -> None:
    """Print how many runs are in which state, and how many were written."""
    page = Page(console)
    told = enumerated([f"{count} {words.title(status)}" for status, count in sorted(statuses.items())])
    page.line()
    head = say("{runs} judged: {told}", runs=words.count(judged, "run"), told=told or say("none"))
    page.line((words.plain(head), "bold"))
    rest = say(
        "{written} written, {left} left as they were, {failed} with an error",
        written=written,
        left=judged - written,
        failed=failed,
    )
    page.line((words.plain(rest), "dim"))


class Page:
    """A console that takes text as text, and no character it cannot print."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._defuse = defused if in_actions() else str

    @property
    def draws(self) -> bool:
        """Whether curves show: on a terminal that has the letters for them."""
        return self.console.is_terminal and self.console.encoding.lower().replace("-", "") == "utf8"

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
        encoding, text = self.console.encoding, self._defuse(text)
        for char, plain in ASCII.items():
            if char in text and char.encode(encoding, "ignore") == b"":
                text = text.replace(char, plain)
        return text.encode(encoding, "replace").decode(encoding)


def _print_curves(page: Page, row: Row) -> None:
    """The curves that the run is judged on, and what they are."""
    lines = braille(row)
    if not lines or page.console.width < len(lines[0]) + 2 * INDENT:
        return
    for line in lines:
        page.line(*line, indent=INDENT)
    ends = list(row.ends)
    if row.training:
        page.line((ends.pop(0), TRAINING), indent=INDENT)
    if row.held_out:
        page.line((words.plain(texts.DASHED.format(name=ends.pop(0))), HELD_OUT), indent=INDENT)
    page.line()


def _print_sign(page: Page, name: str, sign: VitalSign) -> None:
    mark, style, answer = SIGNS[sign.value]
    told = f"{words.sign(name, short=True)}: {words.plain(answer)}"
    because = translated(say(", {because}", because=words.plain(sign.because)))
    page.line((told, style), (because, ""), indent=2, lead=((f"{mark} ", style),))


def _print_finding(page: Page, finding: Finding) -> None:
    page.line()
    style = COLOURS[finding.severity.word]
    where = words.listing((words.title(finding.severity.word), words.steps(finding.span), words.confidence(finding)))
    page.line((words.title(finding.rule), f"bold {style}"), (f" ({where})", "dim"), indent=2)
    page.line((words.plain(finding.message), ""), indent=4)
    if finding.remedies:
        head = say("what to try") if finding.severity is Severity.INFO else say("what to try first")
        page.line((words.plain(head), "dim"), indent=4)
    for place, remedy in enumerate(finding.remedies, 1):
        page.line((words.plain(remedy), ""), indent=6, lead=((f"{place}. ", ""),))


def _noted(note: str) -> str:
    return words.plain(say("note: {note}", note=words.plain(note)), LONGEST)
