"""What a benchmark has to show: how its time compares with another's, measured in the same run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Row", "Target", "rows"]


@dataclass(frozen=True)
class Target:
    """A figure that is wanted.

    A benchmark is named by its group and its name. Where it notes `points` in its `extra_info`, its time is that of one
    of them.

    Attributes:
        says: The figure in words.
        ours: The benchmark of this project.
        other: The benchmark to compare with; None where the figure is our own.
        at_least: So many times faster than the other ours has to be.
        at_most: So many times the other ours may take; without another, so many seconds.
        of: What to take of `extra_info` in place of the time.
    """

    says: str
    ours: tuple[str, str]
    other: tuple[str, str] | None = None
    at_least: float | None = None
    at_most: float | None = None
    of: str = ""


@dataclass(frozen=True)
class Row:
    """A figure as it was measured.

    Attributes:
        says: The figure in words.
        ours: Seconds, or what else was measured.
        other: The same of the other; None where the figure is our own.
        figure: What was wanted to be so large.
        wanted: In words.
        met: Whether it is.
    """

    says: str
    ours: float
    other: float | None
    figure: float
    wanted: str
    met: bool


def rows(targets: Iterable[Target], benchmarks: Iterable[Any]) -> Iterator[Row]:
    """The targets whose benchmarks were all measured.

    Args:
        targets: The targets.
        benchmarks: The benchmarks of pytest-benchmark.
    """
    known = {(each["group"], each["name"]): each for each in benchmarks}
    for target in targets:
        if target.ours not in known or target.other not in {*known, None}:
            continue
        ours, other = _value(known[target.ours], target.of), None
        if target.other:
            other = _value(known[target.other], target.of)
        if target.at_least is not None and other is not None:
            figure, wanted = other / ours, f"at least {target.at_least:g}"
            met = figure >= target.at_least
        else:
            figure, wanted = ours / (other or 1), f"at most {target.at_most:g}"
            met = figure <= (target.at_most or 0)
        yield Row(target.says, ours, other, figure, wanted, met)


def _value(benchmark: Any, of: str) -> float:
    extra = benchmark["extra_info"]
    return float(extra[of]) if of else float(benchmark["median"]) / extra.get("points", 1)
