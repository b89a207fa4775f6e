"""The base of a rule: its thresholds, its examples, its documentation, and what it needs to run."""

from __future__ import annotations

import operator
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from curve_analyzers.examples import Example
from curve_analyzers.findings import Finding, Severity, Span
from curve_analyzers.model import Curve, Role, RunCurves, Split
from curve_analyzers.quantities import Kind
from curve_analyzers.wording import count

__all__ = ["Analyzer", "Need", "threshold"]

LIMITS = {
    "ge": ("at least", operator.ge),
    "gt": ("more than", operator.gt),
    "le": ("at most", operator.le),
    "lt": ("less than", operator.lt),
}
HEADINGS = ("Why it matters", "What to try", "When it is wrong", "Source")


def threshold(
    default: float,
    meaning: str,
    *,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
) -> Any:  # noqa: ANN401 - a dataclass field takes the type its rule declares
    """A number of a rule that a config file may change.

    Args:
        default: Its value.
        meaning: A phrase that says what it is, with its unit.
        ge: The least value allowed.
        gt: The value it must exceed.
        le: The greatest value allowed.
        lt: The value it must stay below.
    """
    return field(default=default, metadata={"meaning": meaning, "ge": ge, "gt": gt, "le": le, "lt": lt})


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


Need.TRAINING = Need("no training curve", lambda run: [run[role] for role in run.training])
Need.HELD_OUT = Need("no held-out curve", lambda run: [run[role] for role in run.held_out])
Need.LEARNING = Need("no loss or score", lambda run: [run[role] for role in run.learning])
Need.PAIR = Need(
    "no quantity was logged both in training and held out",
    lambda run: [min(run[train], run[val], key=len) for train, val in run.pairs()],
)
Need.LOGGED_LOSS = Need(
    "no loss or error was logged",
    lambda run: [run.raw(role) for role in run.roles if role.measures.kind in {Kind.LOSS, Kind.ERROR}],
)
Need.LOSS_AND_SCORE = Need(
    "no loss and score were logged on the same data",
    lambda run: [
        min(run[Role(split, "loss")], run[score], key=len)
        for split in Split
        if Role(split, "loss") in run
        for score in run.scores(split)
    ],
)
Need.ACCURACY = Need(
    "no accuracy was logged",
    lambda run: [run[role] for role in run.roles if (role.quantity, role.part) == ("accuracy", "")],
)
Need.LEARNING_RATE = Need(
    "no learning rate was logged", lambda run: [run[role] for role in run.roles if role.quantity == "learning_rate"]
)
Need.GRADIENT_NORM = Need(
    "no gradient norm was logged", lambda run: [run.raw(role) for role in run.roles if role.quantity == "gradient_norm"]
)
Need.ANY = Need(
    "no curve that can be judged was logged",
    lambda run: [run.curves[name] for role, name in run.roles.items() if role.measures.kind is not Kind.SYSTEM],
)


@dataclass(frozen=True, kw_only=True)
class Analyzer(ABC):
    """A rule. A subclass in its own file is all there is to adding one.

    The name is the class's in snake case, the family the folder's, the summary the docstring's first line, and the
    docstring's four sections (`HEADINGS`) are what `explain` and the reference page show.

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

    def __post_init__(self) -> None:
        for each in fields(self):
            value, limits = getattr(self, each.name), each.metadata
            if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:  # noqa: PLR0124 - NaN
                raise ValueError(f"{self.name}.{each.name} is {value!r}; it must be a number")
            for key, (words, holds) in LIMITS.items():
                limit = limits.get(key)
                if limit is not None and not holds(value, limit):
                    raise ValueError(f"{self.name}.{each.name} is {value}; it must be {words} {limit}")

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
                return f"{longest.name!r} has {count(len(longest), 'usable point')}; {self.least} are needed"
        return None

    @property
    def name(self) -> str:
        """The rule's name, `loss_spikes` for the class `LossSpikes`."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(self).__name__).lower()

    @property
    def family(self) -> str:
        """The folder the rule lives in; `other` for a rule in a module of its own."""
        return ["other", *type(self).__module__.split(".")][-2]

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return (type(self).__doc__ or "").strip().split("\n", 1)[0]

    @property
    def sections(self) -> dict[str, str]:
        """The docstring's text under each of its headings."""
        parts = re.split(r"^\s*## (.+)$", type(self).__doc__ or "", flags=re.MULTILINE)
        return {
            title.strip(): re.sub(r"\n[ \t]+", "\n", text).strip()
            for title, text in zip(parts[1::2], parts[2::2], strict=True)
        }

    @property
    def thresholds(self) -> dict[str, float]:
        """The values of its thresholds, by name."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

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
