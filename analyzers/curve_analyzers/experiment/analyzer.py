"""The base of a rule over many runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from curve_analyzers.experiment.comparison import Experiment
from curve_analyzers.experiment.examples import SweepExample
from curve_analyzers.experiment.findings import ExperimentFinding
from curve_analyzers.findings import Severity
from curve_analyzers.rule import Rule, threshold
from curve_analyzers.saying import say
from curve_analyzers.wording import count

__all__ = ["CannotTell", "ExperimentAnalyzer", "threshold"]


class CannotTell(Exception):  # noqa: N818 - an answer, not an error
    """Raised by a rule that looked and cannot say either way; its words are the reason.

    Attributes:
        why: The reason as it was given, which an exception's own text is not where it is a message.
    """

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, kw_only=True)
class ExperimentAnalyzer(Rule, ABC):
    """A rule over many runs.

    Attributes:
        least: Runs that can be compared, below which the rule is skipped.
        fires: Sets of runs the rule must speak on.
        quiet: Sets of runs it must not speak on.
    """

    least: ClassVar[int] = 5
    fires: ClassVar[tuple[SweepExample, ...]] = ()
    quiet: ClassVar[tuple[SweepExample, ...]] = ()

    @abstractmethod
    def check(self, experiment: Experiment) -> Iterator[ExperimentFinding]:
        """Judge many runs; yield what was found.

        Raises:
            CannotTell: These runs can show neither that it is so nor that it is not.
        """

    def missing(self, experiment: Experiment) -> str | None:  # noqa: ARG002 - for those that need more than runs
        """What the rule needs and the runs do not have; None where they have it."""
        return None

    def skip_reason(self, experiment: Experiment) -> str | None:
        """Why the rule cannot judge these runs; None where it can."""
        if len(experiment) < self.least:
            return say(
                "cannot tell with {runs} that can be compared; {least} are needed",
                runs=count(len(experiment), "run"),
                least=self.least,
            )
        return self.missing(experiment)

    @property
    def family(self) -> str:
        """All rules over many runs are one family."""
        return "experiment"

    def finding(
        self,
        severity: Severity,
        confidence: float,
        runs: Iterable[str],
        params: Iterable[str],
        brief: str,
        message: str,
        evidence: Mapping[str, float | int | str | bool | None],
        remedies: Sequence[str],
    ) -> ExperimentFinding:
        """A finding under this rule's name, its confidence kept within 0..1."""
        confidence = min(max(float(confidence), 0.0), 1.0)
        return ExperimentFinding(
            self.name,
            severity,
            confidence,
            tuple(dict.fromkeys(runs)),
            tuple(dict.fromkeys(params)),
            brief,
            message,
            dict(evidence),
            tuple(remedies),
        )
