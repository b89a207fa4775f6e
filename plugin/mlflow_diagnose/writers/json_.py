"""Reports as JSON, the same document for one run and for many, and the schema it keeps to."""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from curve_analyzers.experiment.findings import ExperimentReport
from curve_analyzers.findings import Finding, Report

__all__ = ["line", "schema", "stream", "to_json", "to_text"]


def _unicode(text: str) -> str:
    """The text without halves of characters, which strict readers of JSON refuse."""
    return text.encode("utf-8", "replace").decode("utf-8")


Text = Annotated[str, AfterValidator(_unicode)]
Value = float | int | Text | bool | None
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class VitalSigns(_Model):
    """Yes, no, or null where the run does not tell."""

    loss_falls: bool | None
    val_falls: bool | None
    metrics_agree: bool | None


class FindingModel(_Model):
    """What a rule saw, in which curves, from which step to which."""

    rule: Text
    severity: Literal["info", "warning", "critical"]
    confidence: Share = Field(description="how often such a finding is right")
    curves: list[Text]
    first_step: int
    last_step: int
    message: Text
    evidence: dict[Text, Value] = Field(description="the numbers behind it; null where one is NaN or infinite")
    try_: list[Text] = Field(alias="try", description="what to try, first things first")
    consequence_of: Text | None = Field(description="the rule that found its cause; null for a cause")


class NotChecked(_Model):
    """A rule that could not judge the run, and why."""

    rule: Text
    reason: Text


class RunModel(_Model):
    """The diagnosis of one run."""

    source: Text
    run_id: Text
    name: Text
    verdict: Text = Field(description="the rule of the root cause, healthy, or insufficient_data")
    status: Literal["critical", "warning", "healthy", "insufficient_data"]
    vital_signs: VitalSigns
    findings: list[FindingModel] = Field(description="causes first, each followed by its consequences")
    not_checked: list[NotChecked]
    roles: dict[Text, Text] = Field(description="curve names by role")
    notes: list[Text] = Field(description="what could not be read or had to be repaired, a line each")


class ExperimentFindingModel(_Model):
    """What a rule saw in many runs, and the runs and params it rests on."""

    rule: Text
    severity: Literal["info", "warning", "critical"]
    confidence: Share = Field(description="how sure it can be with so many runs")
    runs: list[Text]
    params: list[Text]
    message: Text
    evidence: dict[Text, Value] = Field(description="the numbers behind it; null where one is NaN or infinite")
    try_: list[Text] = Field(alias="try", description="what to try, first things first")


class Ranked(_Model):
    """Where a run stands among those it can be compared with."""

    run_id: Text
    rank: int = Field(ge=1, description="1 for the best; level runs share the better rank")
    value: float | None = Field(description="what it is ranked by; null where the run has none")
    kpi: float | None = Field(description="the user's own metric; null where none was named or logged")
    outlier: Text = Field(description="how it stands out among its siblings; empty where it does not")


class Experiment(_Model):
    """What the runs show together; nothing but an empty list where they were not compared."""

    findings: list[ExperimentFindingModel]
    judged: Text = Field(default="", description="the role or curve the runs are compared by")
    compared: int = Field(default=0, description="how many runs could be compared")
    not_checked: list[NotChecked] = []
    ranking: list[Ranked] = Field(default=[], description="the best first")
    notes: list[Text] = Field(default=[], description="a sentence for each group of runs left out")


class Failure(_Model):
    """A run that could not be read or written."""

    run: Text
    message: Text


class Document(_Model):
    """Diagnoses by mlflow-diagnose."""

    model_config = ConfigDict(title="mlflow-diagnose", serialize_by_alias=True)

    schema_: Literal[1] = Field(alias="schema")
    runs: list[RunModel]
    experiment: Experiment
    errors: list[Failure]


def to_json(
    reports: Iterable[Report],
    errors: Iterable[tuple[str, str]] = (),
    experiment: ExperimentReport | None = None,
) -> dict[str, Any]:
    """Reports as a document of plain dicts, lists and scalars that strict JSON can hold.

    JSON has no NaN and no infinity: evidence that is either becomes null. numpy's scalars become plain ones.

    Args:
        reports: The diagnosed runs.
        errors: Runs that could not be read or written, each with what went wrong.
        experiment: What the runs show together; None where they were not compared.
    """
    document = Document(
        schema=1,
        runs=[_run(report) for report in reports],
        experiment=_experiment(experiment) if experiment else Experiment(findings=[]),
        errors=[Failure(run=run, message=message) for run, message in errors],
    )
    whole = document.model_dump(by_alias=True)
    # Of runs that were not compared, nothing is said but that nothing was found.
    whole["experiment"] = document.experiment.model_dump(by_alias=True, exclude_unset=True)
    return whole


def to_text(
    reports: Iterable[Report],
    errors: Iterable[tuple[str, str]] = (),
    experiment: ExperimentReport | None = None,
) -> str:
    """`to_json` as strict JSON, in ASCII, indented, with a newline at its end."""
    return json.dumps(to_json(reports, errors, experiment), indent=2, allow_nan=False) + "\n"


def stream(
    reports: Iterable[Report],
    errors: Sequence[tuple[str, str]] = (),
    experiment: Callable[[], ExperimentReport] | None = None,
) -> Iterator[str]:
    """`to_text` in pieces, of which none is held for longer than it takes to write it.

    Args:
        reports: The diagnosed runs, as they come.
        errors: Runs that could not be read or written; looked at when all reports have come.
        experiment: Says then what they show together; None where they are not compared.
    """
    head, marker, tail = to_text([]).partition('"runs": []')
    # The head waits for the first report: where nobody reads on, that run has been written all the same.
    before, end = head + marker[:-1], "]"
    for report in reports:
        text = json.dumps(_run(report).model_dump(by_alias=True), indent=2, allow_nan=False)
        yield before + "\n" + textwrap.indent(text, "    ")
        before, end = ",", "\n  ]"
    if errors or experiment:
        tail = to_text([], errors, experiment() if experiment else None).partition('"runs": []')[2]
    yield (before if end == "]" else "") + end + tail


def line(report: Report) -> str:
    """A run as it stands in `to_json`, on one line, for a reader that takes run after run."""
    return json.dumps(_run(report).model_dump(by_alias=True), allow_nan=False)


def schema() -> dict[str, Any]:
    """The JSON schema, draft 2020-12, of what `to_json` returns."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Document.model_json_schema(by_alias=True)}


def _run(report: Report) -> RunModel:
    run = report.run
    return RunModel.model_validate(
        {
            "source": run.source,
            "run_id": run.run_id,
            "name": run.name,
            "verdict": report.verdict,
            "status": report.status,
            "vital_signs": {name: sign.value for name, sign in report.vital_signs.items()},
            "findings": [_finding(finding) for finding in report.findings],
            "not_checked": [{"rule": outcome.rule, "reason": outcome.reason} for outcome in report.not_checked],
            "roles": {role.name: name for role, name in run.roles.items()},
            "notes": list(run.notes),
        }
    )


def _experiment(report: ExperimentReport) -> Experiment:
    return Experiment.model_validate(
        {
            "findings": [
                {
                    "rule": each.rule,
                    "severity": each.severity.word,
                    "confidence": _plain(each.confidence) or 0.0,
                    "runs": list(each.runs),
                    "params": list(each.params),
                    "message": each.message,
                    "evidence": {name: _plain(value) for name, value in each.evidence.items()},
                    "try": list(each.remedies),
                }
                for each in report.findings
            ],
            "judged": report.judged,
            "compared": report.of,
            "not_checked": [{"rule": outcome.rule, "reason": outcome.reason} for outcome in report.not_checked],
            "ranking": [
                {
                    "run_id": each.run_id,
                    "rank": each.rank,
                    "outlier": each.outlier,
                    "value": _plain(each.value),
                    "kpi": _plain(each.kpi),
                }
                for each in report.standings
            ],
            "notes": list(report.notes),
        }
    )


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "severity": finding.severity.word,
        "confidence": _plain(finding.confidence) or 0.0,
        "curves": list(finding.span.curves),
        "first_step": int(finding.span.first_step),
        "last_step": int(finding.span.last_step),
        "message": finding.message,
        "evidence": {name: _plain(value) for name, value in finding.evidence.items()},
        "try": list(finding.remedies),
        "consequence_of": finding.consequence_of,
    }


def _plain(value: object) -> Value:
    """A value as JSON knows it; anything that is no scalar as text."""
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)
