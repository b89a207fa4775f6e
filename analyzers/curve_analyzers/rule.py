"""What every rule is, of one run or of many: a documented class whose fields are its thresholds."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass, field, fields
from typing import Any

__all__ = ["HEADINGS", "Rule", "threshold"]

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


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule of one run or of many. A subclass in its own file is all there is to adding one.

    The name is the class's in snake case, the family the folder's, the summary the docstring's first line, and the
    docstring's four sections (`HEADINGS`) are what `explain` and the reference page show.
    """

    def __post_init__(self) -> None:
        for each in fields(self):
            value, limits = getattr(self, each.name), each.metadata
            if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:  # noqa: PLR0124 - NaN
                raise ValueError(f"{self.name}.{each.name} is {value!r}; it must be a number")
            for key, (words, holds) in LIMITS.items():
                limit = limits.get(key)
                if limit is not None and not holds(value, limit):
                    raise ValueError(f"{self.name}.{each.name} is {value}; it must be {words} {limit}")

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
    def thresholds(self) -> dict[str, float]:
        """The values of its thresholds, by name."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @property
    def sections(self) -> dict[str, str]:
        """The docstring's text under each of its headings."""
        parts = re.split(r"^\s*## (.+)$", type(self).__doc__ or "", flags=re.MULTILINE)
        return {
            title.strip(): re.sub(r"\n[ \t]+", "\n", text).strip()
            for title, text in zip(parts[1::2], parts[2::2], strict=True)
        }
