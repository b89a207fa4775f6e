"""What a chart shows, as values: which curves in which panel, thinned to the pixels, and what is marked on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from curve_analyzers import signal
from curve_analyzers.alignment import same_unit
from curve_analyzers.findings import Report, Severity
from curve_analyzers.model import Curve, Floats, Role, RunCurves, Split, StepUnit
from curve_analyzers.quantities import QUANTITIES, Kind
from mlflow_diagnose.report import words

__all__ = ["Axis", "Bar", "Line", "Mark", "Panel", "Plan", "plan"]

SPLITS = (Split.TRAIN, Split.NONE, Split.VAL, Split.TEST)
SPLIT_WORDS = {Split.TRAIN: "training", Split.VAL: "validation", Split.TEST: "test", Split.NONE: ""}
ACRONYMS = {"auc": "AUC", "f1": "F1", "fid": "FID", "iou": "IoU", "map": "mAP", "mcc": "MCC", "mrr": "MRR", "r2": "R²"}
MOST_PARTS = 3  # of one loss in a panel
MOST_SCORES = 2
MOST_BARS = 4
DECADES = 100.0  # a range of values from which on a logarithmic scale shows more
EXTREME = 30.0  # times the ordinary range of values: shown only as far as the ordinary ones go
LARGEST = 1e100  # a drawing computes with squares and differences of values
NOISY = 0.025  # noise over range, from which on a curve is drawn faint under its running median
MANY = 150  # points, from which on that can be said
MEDIANS = 90


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A curve as drawn.

    Attributes:
        label: What it is and what the user calls it.
        split: Gives the stroke, the marker, and the colour where it is alone on its split.
        series: Counts the quantities in a panel, from 0.
        x: (n,) positions, finite.
        y: (n,) values, finite.
        rough: x and y of the jagged curve behind, where `x` and `y` are its running median.
    """

    label: str
    split: Split
    series: int
    x: Floats
    y: Floats
    rough: tuple[Floats, Floats] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """Curves that share a scale of values.

    Attributes:
        title: What is measured.
        lines: The curves.
        low: Lower end of the scale.
        high: Upper end of the scale.
        log: Whether the scale is logarithmic.
        beyond: The value furthest outside the scale; None where all are inside.
        several: Whether it holds more than one quantity or part.
        shaded: Whether the verdict rests on one of the curves.
        rate: Whether it is the learning rate, which needs little room.
    """

    title: str
    lines: tuple[Line, ...]
    low: float
    high: float
    log: bool
    beyond: float | None
    several: bool
    shaded: bool
    rate: bool


@dataclass(frozen=True, slots=True)
class Axis:
    """The steps of a run; where its curves count in different units, the share of each curve's own length."""

    label: str
    low: float
    high: float
    shares: bool

    def of(self, curve: Curve) -> Floats:
        """(n,) positions of a curve's points."""
        return self.at(curve, curve.steps.astype(np.float64))

    def at(self, curve: Curve, steps: Floats) -> Floats:
        """(n,) positions of steps as a curve counts them, within the axis."""
        if self.shares:
            first, last = float(curve.steps[0]), float(curve.steps[-1])
            steps = 100.0 * (steps - first) / max(last - first, 1.0)
        return np.clip(steps, self.low, self.high)


@dataclass(frozen=True, slots=True)
class Bar:
    """The range in which a finding was seen."""

    label: str
    severity: Severity
    first: float
    last: float


@dataclass(frozen=True, slots=True)
class Mark:
    """One position worth a line: the best step, the first NaN."""

    label: str
    at: float
    good: bool


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """All of a chart but its strokes."""

    panels: tuple[Panel, ...]
    axis: Axis
    bars: tuple[Bar, ...]
    marks: tuple[Mark, ...]
    shade: Bar | None


def plan(report: Report, pixels: int) -> Plan:
    """Choose what a chart of a given width shows."""
    run = report.run
    groups = list(_groups(report))
    axis = _axis([run.raw(role) for roles in groups for role in roles])
    panels = [_panel(report, roles, axis, pixels) for roles in groups]
    bars = _bars(report, axis)
    main = report.main
    shade = next((bar for bar in bars if main and main.severity > Severity.INFO), None)
    everywhere = shade is not None and shade.last - shade.first > 0.98 * (axis.high - axis.low)
    marks = (*_best(report, axis), *_lost(run, [role for roles in groups for role in roles], axis))
    return Plan(tuple(panels), axis, bars, marks, None if everywhere else shade)


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


def _sorted(roles: Iterator[Role]) -> list[Role]:
    """One quantity's roles: the whole where it was logged, else its first parts; training first."""
    found = sorted(roles, key=lambda role: (role.part, SPLITS.index(role.split)))
    parts = list(dict.fromkeys(role.part for role in found))
    kept = [""] if "" in parts else parts[:MOST_PARTS]
    return [role for role in found if role.part in kept]


def _axis(curves: Sequence[Curve]) -> Axis:
    if not same_unit(curves):
        return Axis("share of the run (%)", 0.0, 100.0, shares=True)
    ends = [(float(curve.steps[0]), float(curve.steps[-1])) for curve in curves] or [(0.0, 1.0)]
    low, high = min(first for first, _ in ends), max(last for _, last in ends)
    label = "point" if curves and all(curve.step_unit is StepUnit.RANK for curve in curves) else "step"
    return Axis(label, low, high if high > low else low + 1.0, shares=False)


def _panel(report: Report, roles: list[Role], axis: Axis, pixels: int) -> Panel:
    run = report.run
    series = list(dict.fromkeys((role.quantity, role.part) for role in roles))
    lines = [_line(role, run[role], series.index((role.quantity, role.part)), axis, pixels) for role in roles]
    rate = roles[0].measures.kind is Kind.CONTROL
    low, high, log = _scale(lines, rate=rate)
    outside = [value for role in roles for value in _ends(run[role].values) if not low <= value <= high]
    head = ", ".join(dict.fromkeys(ACRONYMS.get(role.quantity, words.title(role.quantity)) for role in roles))
    shaded = report.main is not None and any(run.roles[role] in report.main.span.curves for role in roles)
    beyond = max(outside, key=abs, default=None)
    head = head if roles[0].quantity in ACRONYMS else head[:1].upper() + head[1:]
    return Panel(head, tuple(lines), low, high, log, beyond, len(series) > 1, shaded, rate)


def _line(role: Role, curve: Curve, series: int, axis: Axis, pixels: int) -> Line:
    """A curve of any length as a few hundred points; a jagged one behind its running median."""
    label = " · ".join(word for word in (SPLIT_WORDS[role.split], words.plain(curve.name)) if word)
    x, y = axis.of(curve), np.clip(curve.values, -LARGEST, LARGEST)
    thin = _thin(x, y, axis, pixels)
    if len(y) < MANY or not signal.noise(y) > NOISY * np.ptp(np.quantile(y, (0.02, 0.98))):
        return Line(label, role.split, series, *thin)
    medians, edges = signal.bins(y, MEDIANS)
    return Line(label, role.split, series, x[(edges[:-1] + edges[1:] - 1) // 2], medians, thin)


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


def _bars(report: Report, axis: Axis) -> tuple[Bar, ...]:
    """The findings that have a place: the verdict first, not those that are about the whole run."""
    causes = words.causes(report)
    ordered = [cause.finding for cause in causes] + [each for cause in causes for each in cause.consequences]
    ordered.sort(key=lambda finding: finding is not report.main)
    bars = []
    for finding in ordered:
        curve = next((report.run.curves[name] for name in finding.span.curves if name in report.run.curves), None)
        if curve is None:
            continue
        first, last = axis.at(curve, np.array([finding.span.first_step, finding.span.last_step], np.float64))
        whole = last - first > 0.98 * (axis.high - axis.low)
        if finding is report.main or finding.severity > Severity.INFO or not whole:
            label = f"{words.title(finding.rule)}, {words.steps(finding.span)}"
            bars.append(Bar(label, finding.severity, float(first), float(last)))
    return tuple(bars[:MOST_BARS])


def _best(report: Report, axis: Axis) -> Iterator[Mark]:
    step = words.best_step(report)
    roles = report.run.held_out or report.run.learning
    if step is not None and roles:
        curve = report.run.raw(roles[0])
        yield Mark(f"best at step {step:,}", float(axis.at(curve, np.array([step], np.float64))[0]), good=True)


def _lost(run: RunCurves, roles: Sequence[Role], axis: Axis) -> Iterator[Mark]:
    """Where the first two curves that lose their finite values do; one that never had any is told in its label."""
    shown = 0
    for role in roles:
        curve = run.raw(role)
        where = np.flatnonzero(~np.isfinite(curve.values))
        if len(where) in {0, len(curve)} or shown == 2:  # noqa: PLR2004 - two lines of text
            continue
        shown += 1
        first = int(where[0])
        what = "NaN" if np.isnan(curve.values[first]) else "infinite"
        since = f"from step {curve.steps[first]:,}" if len(where) == len(curve) - first else _times(curve, where)
        name = SPLIT_WORDS[role.split] or words.plain(curve.name, 24)
        yield Mark(f"{name} {what} {since}", float(axis.of(curve)[first]), good=False)


def _times(curve: Curve, where: np.ndarray[tuple[int], np.dtype[np.intp]]) -> str:
    first = f"at step {curve.steps[where[0]]:,}"
    return first if len(where) == 1 else f"{first} and {words.count(len(where) - 1, 'other point')}"
