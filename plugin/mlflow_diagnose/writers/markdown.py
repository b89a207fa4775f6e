"""Reports as Markdown for a pull request or a job's summary: a table of the runs, then what was found in each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from curve_analyzers.findings import Finding, Report, Severity
from mlflow_diagnose.report import texts, words
from mlflow_diagnose.report.rows import Row, row_of

__all__ = ["Entry", "as_text", "document", "entry_of"]

# What Markdown or GitHub would make something of: emphasis, links, tables, formulas, elements.
PUNCTUATION = re.compile(r"([\\`*_\[\]|~$])")
# GitHub tells people and issues of it where they are named, and makes links of addresses; a comment parts the word.
PARTED = re.compile(r"@|#(?=\d)|:(?=//)|www(?=\.)", re.IGNORECASE)
APART = "<!-- -->"


@dataclass(frozen=True, slots=True)
class Entry:
    """A run in the document: its row, and the Markdown of what was found; empty where nothing was."""

    row: Row
    details: str


def entry_of(report: Report) -> Entry:
    """What the document keeps of a report, so that many runs never keep their curves."""
    lines = [line for cause in words.causes(report) for line in _found(cause.finding, cause.consequences)]
    signs = [
        f"- {texts.MARKS[_mark(sign.value)]} {words.sign(name, short=True)}: {as_text(sign.because)}"
        for name, sign in report.vital_signs.items()
        if name in words.SIGNS
    ]
    return Entry(row_of(report), "\n".join(["", *signs, *lines]) if lines or report.status != "healthy" else "")


def document(entries: Sequence[Entry]) -> str:
    """The document of one run or of many; of many, the worst come first and details are folded."""
    ranked = sorted(entries, key=lambda entry: words.rank(entry.row.status))
    if len(ranked) == 1:
        row = ranked[0].row
        head = f"### {_mark_of(row)} {as_text(row.name)}: {_verdict(row)}"
        return "\n".join([head, "", f"{words.plain(texts.RUN)} {_code(row.run_id)}", ranked[0].details, ""])
    lines = [f"### {words.plain(texts.EXPERIMENT.format(runs=words.count(len(ranked), 'run')))}", ""]
    lines += [f"| {' | '.join(map(words.plain, (texts.RUN, texts.STATUS, texts.VERDICT)))} | |", "|---|---|---|---|"]
    lines += [
        f"| {as_text(row.name)} | {_mark_of(row)} {words.title(row.status)} | {_verdict(row)} | {as_text(row.brief)} |"
        for row in (entry.row for entry in ranked)
    ]
    for entry in ranked:
        row = entry.row
        if entry.details and row.status != "healthy":
            lines += [
                "",
                f"<details><summary>{_mark_of(row)} {_html(row.name)}: {_html(words.title(row.verdict))}</summary>",
            ]
            lines += ["", f"{words.plain(texts.RUN)} {_code(row.run_id)}", entry.details, "", "</details>"]
    return "\n".join([*lines, ""])


def as_text(untrusted: str) -> str:
    """Text that Markdown shows as it is; what stands between backticks stays code, in which nothing is anything."""
    parts = re.split(r"`([^`]+)`", words.plain(untrusted))
    return "".join(_code(part) if place % 2 else _escaped(part) for place, part in enumerate(parts))


def _escaped(text: str) -> str:
    return PARTED.sub(lambda found: found[0] + APART, PUNCTUATION.sub(r"\\\1", _html(text)))


def _html(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _code(text: str) -> str:
    """A text in code, also in a cell of a table; a backtick in it would end it."""
    return f"`{text.replace('`', chr(0x2BB)).replace('|', chr(0xA6))}`"


def _found(finding: Finding, consequences: Sequence[Finding]) -> list[str]:
    where = words.listing((words.title(finding.severity.word), words.steps(finding.span), words.confidence(finding)))
    lines = ["", f"**{as_text(words.title(finding.rule))}** ({where})", "", as_text(finding.message)]
    if finding.remedies and finding.severity > Severity.INFO:
        lines += ["", f"{words.plain(texts.WHAT_TO_TRY)}:", ""]
        lines += [f"{place}. {as_text(remedy)}" for place, remedy in enumerate(finding.remedies, 1)]
    if consequences:
        lines += ["", f"{words.plain(texts.FOLLOWS)}:", ""]
        lines += [f"- {as_text(words.title(each.rule))}: {as_text(each.brief)}" for each in consequences]
    return lines


def _verdict(row: Row) -> str:
    if row.verdict == row.status:
        return words.title(row.status)
    return f"**{as_text(words.title(row.verdict))}**" + (f" ({row.confidence} %)" if row.confidence else "")


def _mark_of(row: Row) -> str:
    return texts.MARKS.get(row.status, "?")


def _mark(value: bool | None) -> str:  # noqa: FBT001 - yes, no or unknown
    return {True: "healthy", False: "critical", None: "unknown"}[value]
