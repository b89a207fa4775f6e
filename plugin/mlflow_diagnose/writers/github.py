"""What a job in GitHub Actions gets beside the output: an annotation for each run, and the job's summary."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from curve_analyzers.findings import Severity
from curve_analyzers.saying import say
from mlflow_diagnose.report import words

if TYPE_CHECKING:
    from curve_analyzers.findings import Report

__all__ = ["add_summary", "annotation", "defused", "in_actions"]

LEVELS = {Severity.CRITICAL: "error", Severity.WARNING: "warning"}
MOST_SUMMARY = 1_000_000  # bytes; GitHub refuses a step's summary of more than a mebibyte
BETWEEN = "\u200b"  # has no width


def in_actions() -> bool:
    """Whether this is a job of GitHub Actions."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def annotation(report: Report) -> str:
    """The workflow command, one line, that shows a run's verdict in the job; empty for a run without a fault."""
    main = report.main
    if main is None or main.severity not in LEVELS:
        return ""
    title = f"{words.plain(report.run.name, 80)}: {words.title(report.verdict)}"
    told = main.message
    if main.remedies:
        told = say("{message} Try first: {remedy}", message=told, remedy=main.remedies[0])
    return f"::{LEVELS[main.severity]} title={_property(title)}::{_data(words.plain(told))}"


def defused(text: str) -> str:
    """A text from a log that the runner, which reads commands from every line of the output, takes for none."""
    return re.sub(r":(?=:)|#(?=#\[)", lambda found: found[0] + BETWEEN, text)


def add_summary(markdown: str) -> None:
    """Add a document to the summary of the job's step, where there is one; as much of it as GitHub takes.

    Raises:
        OSError: The summary's file cannot be written.
    """
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path or not markdown:
        return
    file = Path(path)
    room = MOST_SUMMARY - (file.stat().st_size if file.exists() else 0)
    content = markdown.encode("utf-8", "replace") + b"\n"
    if len(content) > room:
        lines = content[: max(room, 0)].rpartition(b"\n")[0]
        # A table or a list can end anywhere; what is folded must be closed.
        content = lines + b"\n" + b"\n</details>\n" * (lines.count(b"<details>") - lines.count(b"</details>"))
    with file.open("ab") as opened:
        opened.write(content)


def _data(text: str) -> str:
    """A command's message, escaped as the runner unescapes it."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
