"""What rules say of many runs, and the report it becomes. Nothing here changes after it was made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from curve_analyzers.findings import Outcome, Severity, Status
from curve_analyzers.saying import enumerated, say

__all__ = ["ExperimentFinding", "ExperimentReport", "Standing", "moved_with"]


@dataclass(frozen=True, slots=True)
class ExperimentFinding:
    """What a rule saw in many runs.

    Attributes:
        rule: The rule's name.
        severity: How much it matters.
        confidence: 0..1, how sure it can be with so many runs.
        runs: The ids of the runs it rests on, or, of one run that stands out, this one first.
        params: The names of the params it rests on, as they were logged.
        brief: A few words for a tag, without the rule's name.
        message: One or two sentences.
        evidence: The numbers behind it.
        remedies: What to try, first things first.
    """

    rule: str
    severity: Severity
    confidence: float
    runs: tuple[str, ...]
    params: tuple[str, ...]
    brief: str
    message: str
    evidence: Mapping[str, float | int | str | bool | None]
    remedies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a run stands among those it can be compared with.

    Attributes:
        run_id: The run.
        rank: 1 for the best; runs that are level share the better rank.
        value: What it is ranked by, as it was logged: the best level of the judged quantity, NaN where it has none
            or diverged.
        kpi: The user's own metric; None where none was named or the run did not log it.
        outlier: How it stands out among its siblings, in a few words; empty where it does not.
    """

    run_id: str
    rank: int
    value: float
    kpi: float | None = None
    outlier: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class ExperimentReport:
    """What many runs show together.

    Attributes:
        findings: The most severe and most certain first.
        outcomes: How every rule ended.
        standings: Every run that was compared, the best first.
        judged: What they were compared by, as a role or a curve's name; empty where there was nothing.
        of: The number of runs that were compared.
        notes: A sentence for each group of runs that was left out, and why.
    """

    findings: tuple[ExperimentFinding, ...]
    outcomes: tuple[Outcome, ...]
    standings: tuple[Standing, ...]
    judged: str
    of: int
    notes: tuple[str, ...] = ()

    @property
    def not_checked(self) -> tuple[Outcome, ...]:
        """The rules that did not say anything, with their reasons."""
        return tuple(outcome for outcome in self.outcomes if outcome.status in {Status.SKIPPED, Status.CRASHED})


def moved_with(others: Iterable[str]) -> str:
    """What to say where params moved with the one that a finding is about; empty where none did."""
    names = enumerated(list(others))
    return say(" {names} moved with it: these runs cannot tell which of them it was.", names=names) if names else ""
