"""Reports as JSON, the same document for one run and for many, and the schema it keeps to."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from curve_analyzers.findings import Finding, Report

__all__ = ["schema", "to_json", "to_text"]


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


class Experiment(_Model):
    """What the runs show together."""

    findings: list[FindingModel]


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


def to_json(reports: Iterable[Report], errors: Iterable[tuple[str, str]] = ()) -> dict[str, Any]:
    """Reports as a document of plain dicts, lists and scalars that strict JSON can hold.

    JSON has no NaN and no infinity: evidence that is either becomes null. numpy's scalars become plain ones.

    Args:
        reports: The diagnosed runs.
        errors: Runs that could not be read or written, each with what went wrong.
    """
    document = Document(
        schema=1,
        runs=[_run(report) for report in reports],
        experiment=Experiment(findings=[]),
        errors=[Failure(run=run, message=message) for run, message in errors],
    )
    return document.model_dump(by_alias=True)


def to_text(reports: Iterable[Report], errors: Iterable[tuple[str, str]] = ()) -> str:
    """`to_json` as strict JSON, in ASCII, indented, with a newline at its end."""
    return json.dumps(to_json(reports, errors), indent=2, allow_nan=False) + "\n"


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
