"""The diagnosis as tags of its MLflow run, and, where asked for, as a section of the run's description."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mlflow.entities import RunTag
from mlflow.exceptions import MlflowException

from curve_analyzers import __version__
from curve_analyzers.findings import Severity
from curve_analyzers.registry import all_rules
from mlflow_diagnose.errors import WriteError
from mlflow_diagnose.readers.mlflow import TrackingStore
from mlflow_diagnose.report.words import best_step
from mlflow_diagnose.text import as_markdown, plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlflow.entities import Run

    from curve_analyzers.findings import Report

__all__ = ["MlflowTags", "note_of", "tags_of", "with_note"]

PREFIX = "diagnose."
FIXED = ("verdict", "status", "best_step", "version", "fingerprint")
RANK, OUTLIER = f"{PREFIX}rank", f"{PREFIX}outlier"  # kept by `mlflow_experiment`: where the run stands among others
FINGERPRINT = f"{PREFIX}fingerprint"
DESCRIPTION = "mlflow.note.content"
LONGEST_VALUE = 4999  # what every store of MLflow's takes
GONE = "no longer found"  # stands in a tag that is about to be removed
FINDING = re.compile(rf"(?:{'|'.join(severity.word for severity in Severity)}): |{GONE}$")
TAGS_ONLY = " tags only"  # behind the fingerprint of a diagnosis whose artifacts were not drawn

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

    def write(self, report: Report, run: Run | None = None, *, whole: bool = True) -> None:
        """Make a run's tags those of its report, with no request for what already stands there.

        All of them change in one request, which every store but one in files makes wholly or not at all; what a rule
        that no longer speaks had left says so from then on, and is removed last.

        Args:
            report: The report.
            run: The run as it was just asked for; None to ask for it.
            whole: Whether the artifacts are there too.

        Raises:
            RunNotFoundError: The store has no such run.
            WriteError: The tags could not be written, or all but the note, for which the description is too long.
        """
        run_id = report.run.run_id
        there = (run or self.store.writable_run(run_id)).data.tags
        wanted = tags_of(report, whole=whole)
        described = self._described(report, there)
        # MLflow would cut what is too long, and with it what the user wrote below the section.
        too_long = described != there.get(DESCRIPTION, "") and len(described) > LONGEST_VALUE
        stale = [key for key in _written(there) if key not in wanted]
        if described != there.get(DESCRIPTION, "") and not too_long:
            wanted[DESCRIPTION] = described
        # The new fingerprint comes last: where tags are written one by one it says that all the rest is done.
        wanted = {**dict.fromkeys(stale, GONE), **wanted}
        self._change(run_id, {key: text for key, text in wanted.items() if there.get(key) != text}, stale)
        if too_long:
            raise WriteError(f"the description of run {run_id} is too long to take a note; the tags are written")

    def is_current(self, report: Report, run: Run, *, whole: bool = True) -> bool:
        """Whether a run, as it was just asked for, carries the tags of this report and none of an earlier one.

        Args:
            report: The report.
            run: The run.
            whole: Whether the artifacts are to be there too.
        """
        there, wanted = run.data.tags, tags_of(report)
        if not whole and there.get(FINGERPRINT) == report.fingerprint + TAGS_ONLY:
            wanted[FINGERPRINT] += TAGS_ONLY
        return {key: there[key] for key in _written(there)} == wanted and bool(report.fingerprint)

    def is_noted(self, report: Report, run: Run) -> bool:
        """Whether the note is as it is to be: there and current, or neither there nor asked for."""
        there = run.data.tags
        return self._described(report, there) == there.get(DESCRIPTION, "")

    def clear(self, run_id: str) -> list[str]:
        """Take from a run what `write` put there and return the keys of the tags that held it.

        Raises:
            RunNotFoundError: The store has no such run.
            WriteError: The tags could not be removed.
        """
        there = self.store.writable_run(run_id).data.tags
        gone, changed = [*_written(there), *(key for key in (RANK, OUTLIER) if key in there)], {}
        description = there.get(DESCRIPTION, "")
        if (kept := with_note(description, "")) != description:
            if kept:
                changed[DESCRIPTION] = kept
            else:
                gone.append(DESCRIPTION)
        self._change(run_id, changed, gone)
        return sorted({*gone, *changed})

    def _described(self, report: Report, there: Mapping[str, str]) -> str:
        """The description as it is to be."""
        description = there.get(DESCRIPTION, "")
        noted = self.note or SECTION.search(description)
        return with_note(description, note_of(report)) if noted else description

    def _change(self, run_id: str, changed: Mapping[str, str], gone: list[str]) -> None:
        with self.store.writing(f"the tags of run {run_id} could not be written") as client:
            if changed:
                client.log_batch(run_id, tags=[RunTag(key, text) for key, text in changed.items()])
            for key in gone:
                try:
                    client.delete_tag(run_id, key)
                except MlflowException as error:
                    # Another diagnosis of the run was quicker, or an earlier try whose answer was lost.
                    if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                        raise


def tags_of(report: Report, *, whole: bool = True) -> dict[str, str]:
    """The tags of a report by key; the strongest finding stands for its rule.

    Args:
        report: The report.
        whole: Whether the fingerprint is to say that the artifacts are there too.
    """
    tags: dict[str, str] = {}
    for finding in sorted(report.findings, key=lambda finding: -finding.severity):
        tags.setdefault(f"{PREFIX}{finding.rule}", f"{finding.severity.word}: {finding.brief}")
    step = best_step(report)
    fixed = {
        "verdict": report.verdict,
        "status": report.status,
        "best_step": "" if step is None else str(step),
        "version": __version__,
        "fingerprint": report.fingerprint + ("" if whole or not report.fingerprint else TAGS_ONLY),
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
        if key.startswith(PREFIX)
        and key not in {RANK, OUTLIER}
        and (key.removeprefix(PREFIX) in names or FINDING.match(text))
    ]
