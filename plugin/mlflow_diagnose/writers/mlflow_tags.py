"""The diagnosis as tags of its MLflow run, and, where asked for, as a section of the run's description."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mlflow.entities import RunTag

from curve_analyzers import __version__
from curve_analyzers.findings import Severity
from curve_analyzers.registry import all_rules
from mlflow_diagnose.errors import ReadError, WriteError
from mlflow_diagnose.readers.mlflow import TrackingStore
from mlflow_diagnose.report.words import best_step
from mlflow_diagnose.text import as_markdown, plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from curve_analyzers.findings import Report

__all__ = ["MlflowTags", "note_of", "tags_of", "with_note"]

PREFIX = "diagnose."
FIXED = ("verdict", "status", "best_step", "version", "fingerprint")
DESCRIPTION = "mlflow.note.content"
LONGEST_VALUE = 4999  # what every store of MLflow's takes
FINDING = re.compile(rf"(?:{'|'.join(severity.word for severity in Severity)}): ")

BEGIN, END = "<!-- mlflow-diagnose: begin -->", "<!-- mlflow-diagnose: end -->"
SECTION = re.compile(rf"(?:\n\n)?{BEGIN}(?:(?!{BEGIN}).)*?{END}", re.DOTALL)


class MlflowTags:
    """Keeps the `diagnose.*` tags of runs; touches no other tag but, for a note, the description.

    Args:
        tracking_uri: None for the one MLflow itself would use.
        note: Whether to add a section to the description. A section that is there is kept current in any case.
    """

    def __init__(self, tracking_uri: str | None = None, *, note: bool = False) -> None:
        self.store = TrackingStore(tracking_uri)
        self.note = note

    def write(self, report: Report) -> None:
        """Make a run's tags those of its report, with no request for what already stands there.

        Raises:
            RunNotFoundError: The store has no such run.
            WriteError: The tags could not be written, or all but the note, for which the description is too long.
        """
        run_id = report.run.run_id
        there = self.store.writable_run(run_id).data.tags
        wanted = tags_of(report)
        description = there.get(DESCRIPTION, "")
        noted = self.note or SECTION.search(description)
        described = with_note(description, note_of(report)) if noted else description
        # MLflow would cut what is too long, and with it what the user wrote below the section.
        too_long = described != description and len(described) > LONGEST_VALUE
        if described != description and not too_long:
            wanted[DESCRIPTION] = described
        stale = [key for key in _written(there) if key not in wanted]
        self._change(run_id, {key: text for key, text in wanted.items() if there.get(key) != text}, stale)
        if too_long:
            raise WriteError(f"the description of run {run_id} is too long to take a note; the tags are written")

    def is_current(self, run_id: str, fingerprint: str) -> bool:
        """Whether the run carries the diagnosis of this fingerprint.

        Raises:
            RunNotFoundError: The store has no such run.
            ReadError: Its tags could not be read.
        """
        run = self.store.run(run_id, ReadError)
        return run.data.tags.get(f"{PREFIX}fingerprint") == fingerprint

    def clear(self, run_id: str) -> list[str]:
        """Take from a run what `write` put there and return the keys of the tags that held it.

        Raises:
            RunNotFoundError: The store has no such run.
            WriteError: The tags could not be removed.
        """
        there = self.store.writable_run(run_id).data.tags
        gone, changed = _written(there), {}
        description = there.get(DESCRIPTION, "")
        if (kept := with_note(description, "")) != description:
            if kept:
                changed[DESCRIPTION] = kept
            else:
                gone.append(DESCRIPTION)
        self._change(run_id, changed, gone)
        return sorted({*gone, *changed})

    def _change(self, run_id: str, changed: Mapping[str, str], gone: list[str]) -> None:
        with self.store.asking(f"the tags of run {run_id} could not be written", WriteError) as client:
            # The new fingerprint comes last: it says that all the rest is done.
            for key in gone:
                client.delete_tag(run_id, key)
            if changed:
                client.log_batch(run_id, tags=[RunTag(key, text) for key, text in changed.items()])


def tags_of(report: Report) -> dict[str, str]:
    """The tags of a report by key; the strongest finding stands for its rule."""
    tags: dict[str, str] = {}
    for finding in sorted(report.findings, key=lambda finding: -finding.severity):
        tags.setdefault(f"{PREFIX}{finding.rule}", f"{finding.severity.word}: {finding.brief}")
    step = best_step(report)
    fixed = {
        "verdict": report.verdict,
        "status": report.status,
        "best_step": "" if step is None else str(step),
        "version": __version__,
        "fingerprint": report.fingerprint,
    }
    tags |= {f"{PREFIX}{name}": fixed[name] for name in FIXED if fixed[name]}
    return {key: plain(text)[:LONGEST_VALUE] for key, text in tags.items()}


def note_of(report: Report) -> str:
    """The diagnosis as the few lines of Markdown that `--note` adds to a description."""
    lines = [f"**Diagnosis: {report.verdict.replace('_', ' ')}**"]
    for finding in report.findings:
        if finding.consequence_of is None:
            advice = f" Try first: {finding.remedies[0]}" if finding.remedies else ""
            lines += ["", f"- {finding.severity.word}: {as_markdown(finding.message + advice)}"]
    return "\n".join(lines)


def with_note(description: str, section: str) -> str:
    """A description with our section in it: where one is, in its place, else at the end; empty takes it out.

    All else stays as it is to the byte, so that adding a section and taking it out gives the description back.
    """
    before, *others = SECTION.split(description)
    # A text that came with our markers in it would end the section early.
    text = section.replace("<!--", "&lt;!--")
    ours = f"\n\n{BEGIN}\n{text}\n{END}" if section else ""
    return "".join([before, ours, *others])


def _written(tags: Mapping[str, str]) -> list[str]:
    """The keys of the tags that only we can have written; a user may have some that begin alike."""
    names = {*FIXED, *(rule.name for rule in all_rules())}
    return [
        key
        for key, text in tags.items()
        if key.startswith(PREFIX) and (key.removeprefix(PREFIX) in names or FINDING.match(text))
    ]
