"""What rules say of a run, and the report it becomes. Nothing here changes after it was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum

from curve_analyzers.model import RunCurves

__all__ = ["Finding", "Outcome", "Report", "Severity", "Span", "Status", "VitalSign"]


class Severity(IntEnum):
    """How much a finding matters; `INFO` never makes a run unhealthy."""

    INFO = 1
    WARNING = 2
    CRITICAL = 3

    @property
    def word(self) -> str:
        """The severity as it stands in tags and JSON."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Span:
    """The curves and the steps, both ends included, in which a finding was seen."""

    curves: tuple[str, ...]
    first_step: int
    last_step: int


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule saw.

    Attributes:
        rule: The rule's name.
        severity: How much it matters.
        confidence: 0..1, how often such a finding is right; as the rule says it, until the engine calibrates it.
        span: Where it was seen.
        brief: A few words for a tag, without the rule's name: `+34 % since step 12`.
        message: One or two sentences.
        evidence: The numbers behind it.
        remedies: What to try, first things first.
        consequence_of: The rule that found this finding's cause, None where it is a cause itself.
    """

    rule: str
    severity: Severity
    confidence: float
    span: Span
    brief: str
    message: str
    evidence: Mapping[str, float | int | str | bool | None]
    remedies: tuple[str, ...]
    consequence_of: str | None = None


class Status(str, Enum):
    """How a rule ended on a run."""

    CLEAR = "clear"
    FOUND = "found"
    SKIPPED = "skipped"
    CRASHED = "crashed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one rule ended.

    Attributes:
        rule: Its name.
        status: How it ended.
        reason: Why, where it was skipped or crashed.
        thresholds: The values of its thresholds it judged by, for whoever wants to dispute what it found.
    """

    rule: str
    status: Status
    reason: str = ""
    thresholds: Mapping[str, float] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class VitalSign:
    """Yes, no or unknown (None), and the evidence in a sentence."""

    value: bool | None
    because: str


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """The diagnosis of one run.

    Attributes:
        run: What was judged.
        verdict: The name of the root cause's rule, or `healthy`, or `insufficient_data`.
        status: `critical`, `warning`, `healthy` or `insufficient_data`.
        findings: Causes first, each followed by its consequences.
        outcomes: How every rule ended.
        vital_signs: `loss_falls`, `val_falls`, `metrics_agree`.
        reading: What the value of the loss means in this run, a sentence each.
        fingerprint: Changes when the curves, the rules, a threshold or the version does.
    """

    run: RunCurves
    verdict: str
    status: str
    findings: tuple[Finding, ...]
    outcomes: tuple[Outcome, ...]
    vital_signs: Mapping[str, VitalSign]
    reading: tuple[str, ...]
    fingerprint: str

    @property
    def main(self) -> Finding | None:
        """The finding that is the verdict; None where the run is healthy or could not be judged."""
        return next((finding for finding in self.findings if finding.rule == self.verdict), None)

    @property
    def not_checked(self) -> tuple[Outcome, ...]:
        """The rules that did not say anything, with their reasons."""
        return tuple(outcome for outcome in self.outcomes if outcome.status in {Status.SKIPPED, Status.CRASHED})
