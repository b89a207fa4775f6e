"""Numbers in words."""

from __future__ import annotations

__all__ = ["count", "duration", "fall_or_rise", "figure", "percent"]

UNITS = (("h", 3600.0), ("min", 60.0), ("s", 1.0), ("ms", 1e-3))


def count(number: int, noun: str) -> str:
    """`1 spike`, `3 spikes`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """`2.3 h`, `12 min`, `40 s`, `15 ms`."""
    unit, size = next((each for each in UNITS if abs(seconds) >= each[1]), UNITS[-1])
    return f"{seconds / size:.2g} {unit}" if abs(seconds) < 100 * size else f"{seconds / size:.0f} {unit}"


def percent(share: float) -> str:
    """`34 %`, `4.2 %`, `0.03 %`; `over 1000 %` where more would say no more."""
    if not abs(share) <= 10:  # noqa: PLR2004 - NaN and infinity too
        return "over 1000 %"
    return f"{100 * share:.0f} %" if abs(share) >= 0.1 else f"{100 * share:.2g} %"  # noqa: PLR2004 - two digits


def figure(value: float) -> str:
    """`0.0123`, `2,437`, `2.4e+12`: three digits, and all of those before the point as long as they can be read."""
    return f"{value:,.0f}" if 1e3 <= abs(value) < 1e6 else f"{value:.3g}"  # noqa: PLR2004 - what stays short


def fall_or_rise(before: float, after: float) -> str:
    """`+34 %` or `-8 %`: a change in words for a tag; the two values where a share says nothing."""
    if before == 0 or (before < 0) != (after < 0):
        return f"{before:.3g} to {after:.3g}"
    change = (after - before) / abs(before)
    return f"{'+' if change > 0 else '-'}{percent(abs(change))}".replace("+over", "over").replace("-over", "over")
