"""The list of runs: a row for each, the rows that somebody asks for, and how many there are of each kind."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["ORDER", "Line", "Row", "page_of"]

# How a run stands; the worst first.
ORDER = ("critical", "warning", "insufficient_data", "healthy", "unreadable", "waiting")
UNHEALTHY = ORDER[:2]
MOST_ROWS = 200  # of a page of the list
USUAL_ROWS = 50
MOST_VERDICTS = 16


@dataclass(frozen=True, slots=True)
class Line:
    """A curve of a row's small picture.

    Attributes:
        split: `train`, `val`, `test` or empty.
        points: x and y by turns, each 0..100 from the left and from the top.
    """

    split: str
    points: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A run in the list.

    Attributes:
        run_id: What names it in its logs.
        status: One of `ORDER`.
        verdict: A few words.
        brief: What the verdict rests on, or why there is none.
        best_step: The step worth keeping, where there is one.
        lines: Its main curves, small.
    """

    run_id: str
    status: str
    verdict: str
    brief: str = ""
    best_step: int | None = None
    lines: tuple[Line, ...] = ()

    @classmethod
    def waiting(cls, run_id: str) -> Row:
        """A run that was not judged yet."""
        return cls(run_id, "waiting", "Not judged yet")

    @classmethod
    def unreadable(cls, run_id: str, why: str) -> Row:
        """A run that could not be read."""
        return cls(run_id, "unreadable", "Could not be read", why)


def page_of(rows: Sequence[Row], wanted: Mapping[str, str]) -> dict[str, Any]:
    """A page of the list, as plain values: its rows, and of all that fit the words how many stand how and show what.

    Args:
        rows: All runs, in the order of the logs.
        wanted: `q`, words that the name or the verdict holds; `status`; `sort`, `worst` for the worst first; `offset`
            and `limit`. Each as text, and what is no number counts as not given.
    """
    words = wanted.get("q", "").lower().split()
    named = [row for row in rows if all(word in f"{row.run_id} {row.verdict}".lower() for word in words)]
    counts = Counter(row.status for row in named)
    by_status = Counter((row.verdict, row.status) for row in named)
    faults = Counter(row.verdict for row in named if row.status in UNHEALTHY)
    found = [row for row in named if wanted.get("status") in {None, "", row.status}]
    if wanted.get("sort") == "worst":
        found.sort(key=lambda row: ORDER.index(row.status))
    limit = min(_whole(wanted.get("limit"), USUAL_ROWS), MOST_ROWS)
    # A page beyond the end, as after a narrower filter, is the last one.
    offset = min(_whole(wanted.get("offset"), 0), max(len(found) - 1, 0)) // max(limit, 1) * max(limit, 1)
    return {
        "total": len(rows),
        "named": len(named),
        "matching": len(found),
        "counts": dict(counts),
        "verdicts": [
            [verdict, *(by_status[verdict, status] for status in UNHEALTHY)]
            for verdict, _ in faults.most_common(MOST_VERDICTS)
        ],
        "offset": offset,
        "limit": limit,
        "rows": [asdict(row) for row in found[offset : offset + limit]],
    }


def _whole(text: str | None, usual: int) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else usual  # noqa: PLR2004
