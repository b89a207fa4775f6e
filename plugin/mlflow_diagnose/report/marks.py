"""What of a diagnosis is marked on its curves: ranges, best step, lost values, the change, and the noise beside it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from curve_analyzers import signal
from curve_analyzers.findings import Finding, Report, Severity
from curve_analyzers.model import Curve, Floats, Role, RunCurves
from curve_analyzers.registry import rule_named
from curve_analyzers.wording import fall_or_rise
from mlflow_diagnose.report import texts, words
from mlflow_diagnose.report.plans import Axis, Band, Bar, Mark, Rise

__all__ = ["band", "bars", "best", "lost", "rise"]

MOST_BARS = 4
WHOLE = 0.98  # of its curve: a finding about the whole run needs no bar
BEYOND_CHANCE = 2.0  # standard deviations of a curve's noise to each side
LAST = 10  # a tenth of a curve tells where it ends
FEWEST = 6  # points whose noise can be told
MEDIANS = 60
ROUGHNESS = "stability"  # the family of rules that judge a curve beside its own level


def bars(report: Report, axis: Axis) -> tuple[Bar, ...]:
    """The findings that have a place: the verdict first, not those that are about the whole run."""
    causes = words.causes(report)
    ordered = [cause.finding for cause in causes] + [each for cause in causes for each in cause.consequences]
    ordered.sort(key=lambda finding: finding is not report.main)
    found = []
    for finding in ordered:
        curve = next((report.run.curves[name] for name in finding.span.curves if name in report.run.curves), None)
        if curve is None or not len(curve):
            continue
        first, last = axis.at(curve, np.array([finding.span.first_step, finding.span.last_step], np.float64))
        low, high = axis.of(curve)[[0, -1]]
        whole = last - first >= WHOLE * (high - low)
        if finding is report.main or finding.severity > Severity.INFO or not whole:
            label = words.listing((words.title(finding.rule), words.steps(finding.span)))
            found.append(Bar(label, finding.severity, float(first), float(last)))
    return tuple(found[:MOST_BARS])


def best(report: Report, axis: Axis) -> Iterator[Mark]:
    """The step worth keeping."""
    step = words.best_step(report)
    roles = report.run.held_out or report.run.learning
    if step is not None and roles:
        curve = report.run.raw(roles[0])
        at = axis.at(curve, np.array([step], np.float64))[0]
        yield Mark(words.plain(texts.BEST_AT.format(step=f"{step:,}")), float(at), good=True)


def lost(run: RunCurves, roles: Sequence[Role], axis: Axis) -> Iterator[Mark]:
    """Where the first two curves that lose their finite values do; one that never had any is told in its label."""
    shown = 0
    for role in roles:
        curve = run.raw(role)
        where = np.flatnonzero(~np.isfinite(curve.values))
        if len(where) in {0, len(curve)} or shown == 2:  # noqa: PLR2004 - two lines of text
            continue
        shown += 1
        first = int(where[0])
        what = texts.NAN if np.isnan(curve.values[first]) else texts.INFINITE
        step = f"{curve.steps[first]:,}"
        if len(where) == len(curve) - first:
            told = texts.LOST_FROM
        else:
            told = texts.LOST_AT if len(where) == 1 else texts.LOST_OFTEN
        name = texts.SPLITS[role.split.value] or words.plain(curve.name, 24)
        others = words.count(len(where) - 1, "other point")
        yield Mark(
            words.plain(told.format(name=name, what=what, step=step, others=others)),
            float(axis.of(curve)[first]),
            good=False,
        )


def rise(report: Report, names: Sequence[str], axis: Axis) -> Rise | None:
    """The change that the verdict is about, where it tells two values of one of the named curves."""
    finding = report.main
    told = None if finding is None else _told(report.run, finding)
    if finding is None or told is None or told[0].name not in names:
        return None
    curve, before, after = told
    at = axis.at(curve, np.array([finding.span.last_step], np.float64))[0]
    return Rise(words.plain(fall_or_rise(before, after)), float(at), before, after, finding.severity)


def band(report: Report, names: Sequence[str], axis: Axis) -> Band | None:
    """The noise of the curve that the verdict rests on, around the value that the change is measured from.

    Around its median where the change is within the noise, and around its own running median where the verdict is about
    how rough it is.
    """
    finding = report.main
    if finding is None or finding.severity is Severity.INFO:
        return None
    told = _told(report.run, finding)
    curves = [report.run.curves[name].finite() for name in reversed(finding.span.curves) if name in names]
    if told is not None:
        curves = [told[0]] if told[0].name in names else []
    if not curves:
        return None
    curve = curves[0]
    seen = curve.where((curve.steps >= finding.span.first_step) & (curve.steps <= finding.span.last_step))
    if len(seen) < FEWEST:
        return None
    before = curve.where(curve.steps <= finding.span.first_step)
    noise = signal.noise(before.values if len(before) >= FEWEST else curve.values)
    x = axis.of(seen)
    if told is not None:
        _, start, end = told
        within = abs(end - start) < 2 * BEYOND_CHANCE * noise
        x, level = x[[0, -1]], np.full(2, np.median(seen.values) if within else start)
    elif _is_about_roughness(finding.rule):
        level, edges = signal.bins(signal.running_median(seen.values, max(2 * (len(seen) // 8) + 1, 5)), MEDIANS)
        x = x[(edges[:-1] + edges[1:] - 1) // 2]
    else:
        return None
    reach = BEYOND_CHANCE * noise
    return Band(x, level - reach, level + reach) if reach > 0 else None


def _is_about_roughness(rule: str) -> bool:
    try:
        return rule_named(rule).family == ROUGHNESS or rule.endswith("_noise")
    except ValueError:  # it is not installed any more
        return False


def _told(run: RunCurves, finding: Finding) -> tuple[Curve, float, float] | None:
    """The curve whose change a finding tells, and the value before and after; by its evidence `best` or `start`, `end`.

    Of several curves, the one that ends where the finding says.
    """
    before = _number(finding.evidence.get("best", finding.evidence.get("start")))
    after = _number(finding.evidence.get("end"))
    if before is None or after is None or before == after:
        return None
    curves = [run.curves[name].finite() for name in finding.span.curves if name in run.curves]
    curves = [curve for curve in curves if len(curve)]
    if not curves:
        return None
    return (
        min(curves, key=lambda curve: abs(_level(curve.values[-max(len(curve) // LAST, 1) :]) - after)),
        before,
        after,
    )


def _level(values: Floats) -> float:
    return float(np.median(values))


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)
