"""How right the rules are on labelled runs: precision and recall, false alarms, confusions, calibration."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from curve_analyzers.engine import diagnose
from curve_analyzers.findings import Severity

if TYPE_CHECKING:
    from accuracy.labelled import LabelledRun
    from curve_analyzers.analyzer import Analyzer
    from curve_analyzers.findings import Finding, Report

__all__ = ["Calibration", "Judged", "RuleScore", "Scores", "judge"]

BINS = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0)  # of confidence


@dataclass(frozen=True, eq=False)
class Judged:
    """A labelled run and what was said of it."""

    labelled: LabelledRun
    report: Report

    @property
    def found(self) -> frozenset[str]:
        """Every rule that spoke, of causes and of consequences."""
        return frozenset(finding.rule for finding in self.report.findings)

    @property
    def blamed(self) -> Iterator[Finding]:
        """The findings that make the run unhealthy: causes that are warnings or worse."""
        return (
            finding
            for finding in self.report.findings
            if finding.consequence_of is None and finding.severity > Severity.INFO
        )

    def right(self, finding: Finding) -> bool:
        """Whether what a finding says was done."""
        return finding.rule in self.labelled.true


@dataclass(frozen=True)
class RuleScore:
    """One rule over all runs.

    Attributes:
        rule: Its name.
        planted: Runs in which its fault was planted and shows.
        found: Of these, those it spoke on.
        wrong: Runs it blamed for a fault they do not have.
        verdicts: Of the planted, those where it is the verdict.
    """

    rule: str
    planted: int
    found: int
    wrong: int
    verdicts: int

    @property
    def recall(self) -> float:
        """Found of planted."""
        return self.found / self.planted

    @property
    def precision(self) -> float:
        """Right of all that it blamed; 0 where it never spoke."""
        return self.found / (self.found + self.wrong) if self.found + self.wrong else 0.0

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        return 2 * self.found / (self.found + self.planted + self.wrong)


@dataclass(frozen=True)
class Calibration:
    """The findings of a range of confidence: how many, how sure they were on average, how many were right."""

    low: float
    high: float
    count: int
    confidence: float
    right: float


@dataclass(frozen=True, eq=False)
class Scores:
    """All runs of a part, judged."""

    judged: Sequence[Judged]

    def rules(self) -> list[RuleScore]:
        """Each rule that has a planted fault in the part, by name."""
        names = sorted({each.labelled.label for each in self._showing()})
        return [self._rule(name) for name in names]

    def macro_f1(self) -> float:
        """The mean of the rules' F1."""
        return float(np.mean([rule.f1 for rule in self.rules()]))

    def false_alarms(self) -> list[Judged]:
        """The healthy runs that were called unhealthy for something that is not so.

        A run that was resumed a day later and learned well stood still for a day: `stalled_training` may say so. One
        that learned all it could in its first fifth wasted the rest, whether that was planted or not.
        """
        return [each for each in self.healthy() if any(not each.right(finding) for finding in each.blamed)]

    def healthy(self) -> list[Judged]:
        """The runs to which nothing was done, and which went as they should."""
        return [each for each in self.judged if each.labelled.healthy and each.labelled.shows]

    def verdict_share(self) -> float:
        """The share of the runs that show their fault of which it is the verdict."""
        showing = list(self._showing())
        return sum(each.report.verdict == each.labelled.label for each in showing) / len(showing)

    def confusions(self) -> Counter[tuple[str, str]]:
        """How often each label that shows (or health) was given each other verdict."""
        judged = [*self._showing(), *self.false_alarms()]
        pairs = ((each.labelled.label, each.report.verdict) for each in judged)
        return Counter(pair for pair in pairs if pair[0] != pair[1])

    def calibration(self) -> list[Calibration]:
        """Confidence beside how often such a finding was right, in bins that hold any."""
        sure, right = (
            np.array(column)
            for column in zip(
                *((f.confidence, each.right(f)) for each in self.judged for f in each.blamed), strict=True
            )
        )
        bins = []
        for low, high in pairwise(BINS):
            inside = (sure >= low) & ((sure < high) | (high == BINS[-1]))
            if inside.any():
                bins.append(
                    Calibration(low, high, int(inside.sum()), float(sure[inside].mean()), float(right[inside].mean()))
                )
        return bins

    def _showing(self) -> Iterator[Judged]:
        return (each for each in self.judged if not each.labelled.healthy and each.labelled.shows)

    def _rule(self, name: str) -> RuleScore:
        planted = [each for each in self._showing() if each.labelled.label == name]
        wrong = [each for each in self.judged if any(f.rule == name and not each.right(f) for f in each.blamed)]
        return RuleScore(
            name,
            len(planted),
            sum(name in each.found for each in planted),
            len(wrong),
            sum(each.report.verdict == name for each in planted),
        )


def judge(runs: Iterable[LabelledRun], rules: Sequence[Analyzer] | None = None) -> Scores:
    """Judge labelled runs by all rules, or by these."""
    return Scores([Judged(each, diagnose(each.prepared(), rules)) for each in runs])
