"""Which curves a chart shows in which panel, thinned to the pixels, and on which scale."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from curve_analyzers import signal
from curve_analyzers.alignment import same_unit
from curve_analyzers.findings import Report, Severity
from curve_analyzers.model import Curve, Floats, Role, Split, StepUnit
from curve_analyzers.quantities import QUANTITIES, Kind
from curve_analyzers.registry import rule_named
from curve_analyzers.saying import say, titled
from mlflow_diagnose.report import marks, texts, words
from mlflow_diagnose.report.plans import Axis, Line, Panel, Plan

__all__ = ["plan"]

Drawn = tuple[Role | None, Curve]  # a curve in a panel, and what it is

SPLITS = (Split.TRAIN, Split.NONE, Split.VAL, Split.TEST)
ACRONYMS = {"auc": "AUC", "f1": "F1", "fid": "FID", "iou": "IoU", "map": "mAP", "mcc": "MCC", "mrr": "MRR", "r2": "R²"}
ACRONYMS |= {"gpu_memory": say("GPU memory"), "gpu_utilization": say("GPU utilization")}
MOST_PARTS = 3  # of one loss in a panel
MOST_SCORES = 2
MOST_MORE = 3  # panels of curves that only a finding names
DECADES = 100.0  # a range of values from which on a logarithmic scale shows more
EXTREME = 30.0  # times the ordinary range of values: shown only as far as the ordinary ones go
LARGEST = 1e100  # a drawing computes with squares and differences of values
NOISY = 0.006  # noise over range, from which on a curve is drawn faint under its running median
MANY = 150  # points, from which on that can be said
MEDIANS = 90
FEWEST = 3  # points between which a pace can be told
CLOCK = "system"  # the family of rules that judge by the clock, whatever curve they read it from


def plan(report: Report, pixels: int) -> Plan:
    """Choose what a chart of a given width shows."""
    run = report.run
    groups = list(_groups(report))
    roles = [role for group in groups for role in group]
    axis = _axis([run.raw(role) for role in roles])
    panels = [_panel(report, [(role, run[role]) for role in group], axis, pixels) for group in groups]
    panels += [_panel(report, group, axis, pixels) for group in _named_by_findings(report, roles)]
    panels += _clock(report, axis, pixels)
    bars = marks.bars(report, axis)
    main = report.main
    shade = next((bar for bar in bars if main and main.severity > Severity.INFO), None)
    everywhere = shade is not None and shade.last - shade.first > marks.WHOLE * (axis.high - axis.low)
    told = (*marks.best(report, axis), *marks.lost(run, roles, axis))
    return Plan(tuple(panels), axis, bars, told, None if everywhere else shade)


def _groups(report: Report) -> Iterator[list[Role]]:
    """The roles of each panel: what the run is judged on, other scores, the learning rate."""
    run = report.run
    judged = list(dict.fromkeys(role.quantity for role in (*run.training, *run.held_out)))
    for quantity in judged:
        if QUANTITIES[quantity].kind is not Kind.SCORE:
            yield _sorted(role for role in run.roles if role.quantity == quantity)
    seen = {name for finding in report.findings for name in finding.span.curves}
    order = [*judged, *QUANTITIES]
    scores = [role for role in run.roles if role.measures.kind is Kind.SCORE]
    scores.sort(key=lambda role: (role.quantity not in judged, run.roles[role] not in seen, order.index(role.quantity)))
    chosen = list(dict.fromkeys(role.quantity for role in scores))[:MOST_SCORES]
    largest = [max(np.abs(run[role].values), default=0.0) for role in scores if role.quantity in chosen[:1]]
    percent = max(largest, default=0.0) > 1.0
    fitting = [role for role in scores if (max(np.abs(run[role].values), default=0.0) > 1.0) == percent]
    if found := [role for quantity in chosen for role in _sorted(r for r in fitting if r.quantity == quantity)]:
        yield found
    if rates := sorted(role for role in run.roles if role.quantity == "learning_rate"):
        yield rates[:1]


def _named_by_findings(report: Report, shown: Sequence[Role]) -> list[list[Drawn]]:
    """The curves that findings rest on and no other panel shows, one quantity together."""
    run = report.run
    drawn = {run.roles[role] for role in shown}
    roles = {name: role for role, name in run.roles.items()}
    groups: dict[str, list[Drawn]] = {}
    for finding in report.findings:
        for name in finding.span.curves:
            if name in run.curves and name not in drawn and len(run.curves[name]):
                drawn.add(name)
                role = roles.get(name)
                groups.setdefault(role.quantity if role else name, []).append((role, run.curves[name].finite()))
    return [group[:MOST_PARTS] for group in groups.values()][:MOST_MORE]


def _clock(report: Report, axis: Axis, pixels: int) -> Iterator[Panel]:
    """The time between steps, where a finding is about it and read it from the clock of another curve."""
    run = report.run
    measured = {name for role, name in run.roles.items() if role.measures.kind is Kind.SYSTEM}
    for finding in report.findings:
        if _family(finding.rule) != CLOCK or measured.intersection(finding.span.curves):
            continue
        for name in finding.span.curves:
            curve = run.curves.get(name)
            if curve is None or curve.wall_times is None or len(curve) < FEWEST:
                continue
            each = np.diff(curve.wall_times) / np.diff(curve.steps)
            pace = Curve(name, curve.steps[1:], np.maximum(each, 0.0))
            yield replace(
                _panel(report, [(None, pace.finite())], axis, pixels), title=words.plain(texts.SECONDS_PER_STEP)
            )
            return


def _family(rule: str) -> str:
    try:
        return rule_named(rule).family
    except ValueError:  # it is not installed any more
        return ""


def _sorted(roles: Iterable[Role]) -> list[Role]:
    """One quantity's roles: the whole where it was logged, else its first parts; training first."""
    found = sorted(roles, key=lambda role: (role.part, SPLITS.index(role.split)))
    parts = list(dict.fromkeys(role.part for role in found))
    kept = [""] if "" in parts else parts[:MOST_PARTS]
    return [role for role in found if role.part in kept]


def _axis(curves: Sequence[Curve]) -> Axis:
    if not same_unit(curves):
        return Axis(words.plain(texts.SHARE_OF_RUN), 0.0, 100.0, shares=True)
    ends = [(float(curve.steps[0]), float(curve.steps[-1])) for curve in curves] or [(0.0, 1.0)]
    low, high = min(first for first, _ in ends), max(last for _, last in ends)
    label = texts.POINT if curves and all(curve.step_unit is StepUnit.RANK for curve in curves) else texts.STEP
    longest = max(curves, key=len, default=None)
    return Axis(words.plain(label), low, high if high > low else low + 1.0, shares=False, clock=longest)


def _panel(report: Report, drawn: Sequence[Drawn], axis: Axis, pixels: int) -> Panel:
    names = [curve.name for _, curve in drawn]
    series = list(dict.fromkeys(_what(role) for role, _ in drawn))
    lines = [_line(role, curve, series.index(_what(role)), axis, pixels) for role, curve in drawn]
    kinds = {role.measures.kind if role else None for role, _ in drawn}
    small = kinds <= {Kind.CONTROL, Kind.NORM, Kind.SYSTEM, None}
    low, high, log = _scale(lines, rate=kinds == {Kind.CONTROL})
    outside = [value for _, curve in drawn for value in _ends(curve.values) if not low <= value <= high]
    band = marks.band(report, names, axis)
    shaded = report.main is not None and not set(names).isdisjoint(report.main.span.curves)
    return Panel(
        _title(drawn),
        tuple(lines),
        low,
        high,
        log,
        beyond=max(outside, key=abs, default=None),
        several=len(series) > 1,
        shaded=shaded,
        small=small,
        # On a logarithmic scale, a band that reaches below zero covers everything.
        band=None if log and band and band.low.min() <= 0 else band,
        rise=marks.rise(report, names, axis),
    )


def _what(role: Role | None) -> tuple[str, str]:
    return (role.quantity, role.part) if role else ("", "")


def _title(drawn: Sequence[Drawn]) -> str:
    """What a panel measures: its quantities, or the name of a curve without one."""
    heads = dict.fromkeys(
        words.plain(curve.name, 40) if role is None else words.plain(ACRONYMS.get(role.quantity, titled(role.quantity)))
        for role, curve in drawn
    )
    head, first = words.listing(list(heads)), drawn[0][0]
    return head if first is None or first.quantity in ACRONYMS else head[:1].upper() + head[1:]


def _line(role: Role | None, curve: Curve, series: int, axis: Axis, pixels: int) -> Line:
    """A curve of any length as a few hundred points; a jagged one behind its running median."""
    split = role.split if role else Split.NONE
    label = " · ".join(word for word in (words.plain(texts.SPLITS[split.value]), words.plain(curve.name)) if word)
    x, y = axis.of(curve), np.clip(curve.values, -LARGEST, LARGEST)
    thin = _thin(x, y, axis, pixels)
    if len(y) < MANY or not _is_jagged(np.log(y) if _spans_decades(y) else y):
        return Line(label, split, series, *thin)
    medians, edges = signal.bins(y, MEDIANS)
    return Line(label, split, series, x[(edges[:-1] + edges[1:] - 1) // 2], medians, thin)


def _is_jagged(y: Floats) -> bool:
    return bool(signal.noise(y) > NOISY * np.ptp(np.quantile(y, (0.02, 0.98))))


def _spans_decades(y: Floats) -> bool:
    """Whether values are better seen on a logarithmic scale."""
    return bool(y.min() > 0 and y.max() > DECADES * y.min())


def _thin(x: Floats, y: Floats, axis: Axis, pixels: int) -> tuple[Floats, Floats]:
    """The lowest and the highest value of each pixel's column: the same drawing from 2 points a pixel."""
    if len(x) <= 2 * pixels:
        return x, y
    column = ((x - axis.low) / (axis.high - axis.low) * (pixels - 1)).astype(np.int64)
    first = np.flatnonzero(np.r_[True, np.diff(column) > 0])
    ends = np.stack([np.minimum.reduceat(y, first), np.maximum.reduceat(y, first)], axis=1)
    # Up in one column and down in the next, so that a smooth curve shows no teeth.
    ends[1::2] = ends[1::2, ::-1]
    return np.repeat(x[first], 2), ends.ravel()


def _ends(values: Floats) -> tuple[float, ...]:
    """The lowest and the highest value; nothing of a curve without a finite one."""
    return (float(values.min()), float(values.max())) if len(values) else ()


def _scale(lines: Sequence[Line], *, rate: bool) -> tuple[float, float, bool]:
    """The ends of the scale and whether it is logarithmic."""
    drawn = [line.y if line.rough is None else line.rough[1] for line in lines]
    values = np.concatenate(drawn) if drawn else np.empty(0)
    if not len(values):
        return 0.0, 1.0, False
    low, high = float(values.min()), float(values.max())
    if low > 0 and high > DECADES * low and not (rate and np.median(values) > high / 10):
        low = max(low, 1 / LARGEST)
        margin = (high / low) ** 0.05
        return low / margin, high * margin, True
    first, last = (float(edge) for edge in np.quantile(values, (0.1, 0.9)))
    room = last - first or 1.0
    if high - low > EXTREME * room:
        low, high = max(low, first - 2 * room), min(high, last + 2 * room)
    margin = 0.06 * (high - low) or 0.1 * abs(low) or 0.1
    return low - margin, high + margin, False
