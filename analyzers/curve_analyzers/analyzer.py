"""The base of a rule: its thresholds, its examples, its documentation, and what it needs to run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from curve_analyzers.examples import Example
from curve_analyzers.findings import Finding, Severity, Span
from curve_analyzers.model import Curve, Role, RunCurves, Split
from curve_analyzers.quantities import Kind
from curve_analyzers.rule import Rule, threshold
from curve_analyzers.saying import say
from curve_analyzers.wording import count

__all__ = ["Analyzer", "Need", "threshold"]


@dataclass(frozen=True, slots=True)
class Need:
    """Curves without which a rule cannot say anything.

    Attributes:
        what: What is missing where they are, `no training curve`.
        curves: Finds them in a run; every group found must be long enough, and none means missing.
    """

    what: str
    curves: Callable[[RunCurves], Sequence[Curve]]

    TRAINING: ClassVar[Need]
    HELD_OUT: ClassVar[Need]
    LEARNING: ClassVar[Need]
    PAIR: ClassVar[Need]
    LOGGED_LOSS: ClassVar[Need]
    LOSS_AND_SCORE: ClassVar[Need]
    ACCURACY: ClassVar[Need]
    LEARNING_RATE: ClassVar[Need]
    GRADIENT_NORM: ClassVar[Need]
    ANY: ClassVar[Need]


Need.TRAINING = Need(say("no training curve"), lambda run: [run[role] for role in run.training])
Need.HELD_OUT = Need(say("no held-out curve"), lambda run: [run[role] for role in run.held_out])
Need.LEARNING = Need(say("no loss or score"), lambda run: [run[role] for role in run.learning])
Need.PAIR = Need(
    say("no quantity was logged both in training and held out"),
    lambda run: [min(run[train], run[val], key=len) for train, val in run.pairs()],
)
Need.LOGGED_LOSS = Need(
    say("no loss or error was logged"),
    lambda run: [run.raw(role) for role in run.roles if role.measures.kind in {Kind.LOSS, Kind.ERROR}],
)
Need.LOSS_AND_SCORE = Need(
    say("no loss and score were logged on the same data"),
    lambda run: [
        min(run[Role(split, "loss")], run[score], key=len)
        for split in Split
        if Role(split, "loss") in run
        for score in run.scores(split)
    ],
)
Need.ACCURACY = Need(
    say("no accuracy was logged"),
    lambda run: [run[role] for role in run.roles if (role.quantity, role.part) == ("accuracy", "")],
)
Need.LEARNING_RATE = Need(
    say("no learning rate was logged"),
    lambda run: [run[role] for role in run.roles if role.quantity == "learning_rate"],
)
Need.GRADIENT_NORM = Need(
    say("no gradient norm was logged"),
    lambda run: [run.raw(role) for role in run.roles if role.quantity == "gradient_norm"],
)
Need.ANY = Need(
    say("no curve that can be judged was logged"),
    lambda run: [run.curves[name] for role, name in run.roles.items() if role.measures.kind is not Kind.SYSTEM],
)


@dataclass(frozen=True, kw_only=True)
class Analyzer(Rule, ABC):
    """A rule of one run.

    Attributes:
        needs: What the rule cannot do without; the engine skips it otherwise.
        least: Finite points each needed curve must have.
        explains: Rules, or whole families, whose findings are consequences where this one found something.
        vouches: Whether a run this rule is silent on was judged by that; a run no such rule ran on is
            `insufficient_data`.
        fires: Runs the rule must speak on.
        quiet: Runs it must not speak on.
    """

    needs: ClassVar[tuple[Need, ...]] = ()
    least: ClassVar[int] = 6
    explains: ClassVar[tuple[str, ...]] = ()
    vouches: ClassVar[bool] = True
    fires: ClassVar[tuple[Example, ...]] = ()
    quiet: ClassVar[tuple[Example, ...]] = ()

    @abstractmethod
    def check(self, run: RunCurves) -> Iterator[Finding]:
        """Judge a run whose needs are met; yield what was found, nothing where the run is clear."""

    def skip_reason(self, run: RunCurves) -> str | None:
        """Why the rule cannot judge a run; None where it can."""
        for need in self.needs:
            found = need.curves(run)
            if not found:
                return need.what
            longest = max(found, key=len)
            if len(longest) < self.least:
                return say(
                    "{longest!r} has {usable_points}; {least} are needed",
                    longest=longest.name,
                    usable_points=count(len(longest), "usable point"),
                    least=self.least,
                )
        return None

    def finding(
        self,
        severity: Severity,
        confidence: float,
        span: Span,
        brief: str,
        message: str,
        evidence: Mapping[str, float | int | str | bool | None],
        remedies: Sequence[str],
    ) -> Finding:
        """A finding under this rule's name, its confidence kept within 0..1."""
        confidence = min(max(float(confidence), 0.0), 1.0)
        return Finding(self.name, severity, confidence, span, brief, message, dict(evidence), tuple(remedies))
