"""Numbers in words."""

from __future__ import annotations

from curve_analyzers.saying import Said, say

__all__ = ["count", "duration", "fall_or_rise", "figure", "percent"]

TENFOLD = 10.0  # from here on a share says no more
UNITS = (("h", 3600.0), ("min", 60.0), ("s", 1.0), ("ms", 1e-3))


def count(number: int, noun: str) -> str:
    """`1 spike`, `3 spikes`."""
    return Said(f"{{number:,}} {noun}", {"number": number}, f"{{number:,}} {noun}s", number)


def duration(seconds: float) -> str:
    """`2.3 h`, `12 min`, `40 s`, `15 ms`."""
    unit, size = next((each for each in UNITS if abs(seconds) >= each[1]), UNITS[-1])
    shown = f"{seconds / size:.2g}" if abs(seconds) < 100 * size else f"{seconds / size:.0f}"
    return say("{time} {unit}", time=shown, unit=Said(unit, {}))


def percent(share: float) -> str:
    """`34 %`, `4.2 %`, `0.03 %`; `over 1000 %` where more would say no more."""
    if not abs(share) <= TENFOLD:  # NaN and infinity too
        return say("over 1000 %")
    return say("{share:.0f} %", share=100 * share) if abs(share) >= 0.1 else say("{share:.2g} %", share=100 * share)  # noqa: PLR2004 - two digits


def figure(value: float) -> str:
    """`0.0123`, `2,437`, `2.4e+12`: three digits, and all of those before the point as long as they can be read."""
    return f"{value:,.0f}" if 1e3 <= abs(value) < 1e6 else f"{value:.3g}"  # noqa: PLR2004 - what stays short


def fall_or_rise(before: float, after: float) -> str:
    """`+34 %` or `-8 %`: a change in words for a tag; the two values where a share says nothing."""
    if before == 0 or (before < 0) != (after < 0):
        return say("{before:.3g} to {after:.3g}", before=before, after=after)
    change = (after - before) / abs(before)
    share = percent(abs(change))
    signed = say("{sign}{share}", sign="+" if change > 0 else "-", share=share)
    return signed if abs(change) <= TENFOLD else share
