"""The strokes of a chart: what its plan says, drawn by matplotlib."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator

from curve_analyzers.findings import Severity
from curve_analyzers.model import Split
from mlflow_diagnose.report import texts
from mlflow_diagnose.report.frame import POINT, Frame
from mlflow_diagnose.report.glyphs import cells
from mlflow_diagnose.report.plans import Bar, Line, Mark, Panel, Plan, Rise
from mlflow_diagnose.report.templates import COLOURS

__all__ = ["Drawing"]

SERIES = ("first", "second", "third")
BY_SPLIT = {Split.TRAIN: 0, Split.NONE: 0, Split.VAL: 1, Split.TEST: 2}
STROKES = {Split.TRAIN: "solid", Split.NONE: "solid", Split.VAL: (0, (4, 1.6)), Split.TEST: (0, (1, 1.2))}
MARKERS = {Split.TRAIN: "osD", Split.NONE: "osD", Split.VAL: "^vP", Split.TEST: "x*+"}
SEVERITIES = {Severity.CRITICAL: "critical", Severity.WARNING: "warning", Severity.INFO: "info"}
# All lengths in inches.
LEFT, RIGHT, BOTTOM, LANE, ROW, TITLE, GAP = 0.62, 0.12, 0.44, 0.3, 0.19, 0.28, 0.16
TALL, SMALL, FIRST = 1.25, 0.68, 0.34  # of a panel; the first one's as a share of the width
LEAST_WIDE = 6.0  # for two legend entries side by side
LONG_LABEL = 30
HANDLE = 0.33  # of a line in the legend
LETTER = 0.076  # of a label, on average
MANY = 300  # points of a curve, from which on a broad line would fill its own ups and downs


class Drawing:
    """A chart being drawn.

    Args:
        shown: What it shows; at least one panel.
        width: In inches; the height follows.
        fit: Makes a text from a log one that can be drawn, of at most so many characters.

    Attributes:
        figure: The drawing.
    """

    def __init__(self, shown: Plan, width: float, fit: Callable[[str, int], str]) -> None:
        self.shown, self.width, self.fit = shown, width, fit
        lanes = LANE * (len(shown.bars) + len(shown.marks))
        heads = [TITLE + ROW * self._legend_rows(panel) + GAP for panel in shown.panels]
        heads[0] -= 0 if lanes else GAP
        bodies = [SMALL if panel.small else TALL for panel in shown.panels]
        bodies[0] = max(FIRST * width, bodies[0])
        self.height = lanes + sum(heads) + sum(bodies) + BOTTOM
        self.figure = Figure((width, self.height), facecolor="white")
        if lanes:
            self._draw_lanes(self._frame(0.0, lanes, (0.0, 1.0)))
        top = lanes
        for panel, head, body in zip(shown.panels, heads, bodies, strict=True):
            self._draw_panel(self._frame(top + head, body, (panel.low, panel.high), log=panel.log), panel)
            top += head + body

    def _short(self, text: str, most: int) -> str:
        """A text from a log in the width of so many letters."""
        wide = cells(text) / max(len(text), 1)
        return self.fit(text, int(most / max(wide, 1.0)))

    def _frame(self, top: float, height: float, y: tuple[float, float], *, log: bool = False) -> Frame:
        axis = self.shown.axis
        room = 0.015 * (axis.high - axis.low)
        box = LEFT, self.height - top - height, self.width - LEFT - RIGHT, height
        return Frame(self.figure, box, (axis.low - room, axis.high + room), y, log=log)

    def _draw_lanes(self, frame: Frame) -> None:
        """A line of its own for each mark and each finding, above the curves, where no curve is in the way."""
        # The marks come last and go from left to right, so that their lines cross no label.
        rows: list[Bar | Mark] = [*self.shown.bars, *sorted(self.shown.marks, key=lambda mark: mark.at)]
        for row, item in enumerate(rows):
            ends = (item.first, item.last) if isinstance(item, Bar) else (item.at, item.at)
            first, last = (float(each) for each in frame.across(np.array(ends)))
            label = self._short(item.label, 60)
            y = frame.top - LANE * (row + 0.8)
            if isinstance(item, Bar):
                colour = COLOURS[SEVERITIES[item.severity]]
                lone = {"marker": "s", "markersize": 4} if first == last else {}
                frame.stroke(np.array([first, last]), np.array([y, y]), 2.0, color=colour, linewidth=3, **lone)
            else:
                colour = COLOURS["good" if item.good else "critical"]
                frame.stroke(np.array([first]), np.array([y]), 2.0, color=colour, marker="v", markersize=5)
                down, dash = np.array([[[first, y], [first, frame.bottom]]]), _dash(good=item.good)
                frame.rules(down, 1.9, color=colour, linewidth=0.9, linestyle=dash)
            x, side = _beside(frame, first, last, min(cells(item.label), 60))
            x += 2 * POINT if side == "left" else -2 * POINT
            frame.text(x, y + 0.22 * LANE, label, color=colour, ha=side, va="bottom")

    def _draw_panel(self, frame: Frame, panel: Panel) -> None:
        self._draw_scale(frame, panel)
        shade = self.shown.shade
        if panel.shaded and shade is not None:
            sides = frame.across(np.array([shade.first, shade.last]))
            low, high = np.full(2, frame.bottom), np.full(2, frame.top)
            frame.area(sides, low, high, COLOURS[SEVERITIES[shade.severity]], 0.08, 1.0)
        if panel.band is not None:
            low, high = (frame.up(edge.clip(panel.low, panel.high)) for edge in (panel.band.low, panel.band.high))
            frame.area(frame.across(panel.band.x), low, high, COLOURS["muted"], 0.22, 1.1)
        for mark in self.shown.marks:
            x = float(frame.across(mark.at))
            colour, dash = COLOURS["good" if mark.good else "critical"], _dash(good=mark.good)
            ends = np.array([[[x, frame.bottom], [x, frame.top]]])
            frame.rules(ends, 1.9, color=colour, linewidth=0.9, linestyle=dash)
        for line in panel.lines:
            self._draw_line(frame, line, panel)
        if panel.rise is not None:
            _draw_rise(frame, panel, panel.rise, self.fit(panel.rise.label, 44))
        self._draw_head(frame, panel)

    def _draw_scale(self, frame: Frame, panel: Panel) -> None:
        """The grid, the base line, the numbers beside it and, below the last panel, the steps."""
        locator = LogLocator(numticks=3 if panel.small else 5) if panel.log else MaxNLocator(2 if panel.small else 4)
        rows = [y for y in locator.tick_values(panel.low, panel.high) if panel.low <= y <= panel.high]
        low, high = self.shown.axis.low, self.shown.axis.high
        ticks = 7 if self.width >= LEAST_WIDE else 4
        steps = MaxNLocator(ticks, integer=True, steps=[1, 2, 5, 10]).tick_values(low, high)
        room = 0.015 * (high - low)
        columns = [x for x in steps if low - room <= x <= high + room]
        level = [[[frame.left, y], [frame.right, y]] for y in frame.up(np.array(rows))]
        upright = [[[x, frame.bottom], [x, frame.top]] for x in frame.across(np.array(columns))]
        frame.rules(np.array(level + upright), 0.5, color=COLOURS["grid"], linewidth=0.7)
        base = np.array([[[frame.left, frame.bottom], [frame.right, frame.bottom]]])
        frame.rules(base, 2.0, color=COLOURS["muted"], linewidth=0.8)
        muted = {"color": COLOURS["muted"]}
        for y in rows:
            frame.text(frame.left - 4 * POINT, float(frame.up(y)), _value(y), ha="right", va="center", **muted)
        if panel is self.shown.panels[-1]:
            for x in columns:
                frame.text(float(frame.across(x)), frame.bottom - 4 * POINT, _step(x), ha="center", va="top", **muted)
            below = frame.bottom - 16 * POINT
            frame.text(frame.right, below, self.fit(self.shown.axis.label, 44), ha="right", va="top", **muted)

    def _draw_line(self, frame: Frame, line: Line, panel: Panel) -> None:
        room = panel.high - panel.low
        low, high = (panel.low, panel.high) if panel.log else (panel.low - room, panel.high + room)
        style = _style(line, panel)
        if line.rough is not None:
            faint = {"color": style["color"], "linewidth": 0.5, "alpha": 0.3}
            frame.curve(line.rough[0], line.rough[1].clip(low, high), 2.1, **faint)
        few = max(len(line.x) // 8, 1)
        # Two curves on the same steps carry their markers on different ones.
        every = few // 2 if line.split is Split.VAL else 0, few
        frame.curve(line.x, line.y.clip(low, high), 2.2, markevery=every, **style)

    def _draw_head(self, frame: Frame, panel: Panel) -> None:
        """Title and legend above the panel, where they cover no curve."""
        rows, columns = self._legend_rows(panel), self._columns(panel)
        starts = [frame.left, frame.left + self._first_column]
        for place, (line, label) in enumerate(zip(panel.lines, map(self._entry, panel.lines), strict=True)):
            row, column = divmod(place, columns)
            x, y = starts[column], frame.top + ROW * (rows - row - 0.38)
            handle = x + np.array([0.0, HANDLE / 2, HANDLE])
            frame.stroke(handle, np.full(3, y), 2.2, markevery=[1], **_style(line, panel))
            frame.text(x + HANDLE + 0.08, y, label, va="center_baseline", fontsize=9)
        above = frame.top + ROW * rows + 0.1
        frame.text(frame.left, above, self._short(panel.title, 40), fontsize=10, weight="bold")
        notes = [self.fit(texts.LOG_SCALE, 44)] if panel.log else []
        if panel.beyond is not None:
            notes.append(self.fit(texts.BEYOND.format(value=f"{panel.beyond:.3g}"), 44))
        frame.text(frame.right, above, ", ".join(notes), ha="right", fontsize=9, color=COLOURS["muted"])

    def _legend_rows(self, panel: Panel) -> int:
        return -(-len(panel.lines) // self._columns(panel))

    def _entry(self, line: Line) -> str:
        """What the legend says of a curve."""
        return self._short(line.label, 44) + ("" if len(line.x) else f" {self.fit(texts.NEVER_FINITE, 44)}")

    @cached_property
    def _first_column(self) -> float:
        """How wide the first column of the legends is, in all panels with a second one."""
        firsts = [line for panel in self.shown.panels if self._columns(panel) > 1 for line in panel.lines[::2]]
        return HANDLE + LETTER * max((cells(self._entry(line)) for line in firsts), default=0) + 0.15

    def _columns(self, panel: Panel) -> int:
        """How many entries of the legend stand side by side: training beside validation, where there is room."""
        fitting = all(cells(line.label) <= LONG_LABEL for line in panel.lines)
        return min(2 if self.width >= LEAST_WIDE and fitting else 1, len(panel.lines))


def _style(line: Line, panel: Panel) -> dict[str, object]:
    """How a curve is drawn, and its entry in the legend."""
    colour = COLOURS[SERIES[line.series if panel.several else BY_SPLIT[line.split]]]
    return {
        "color": colour,
        "linestyle": STROKES[line.split],
        "linewidth": 1.7 if len(line.x) <= MANY else 1.1,
        "marker": MARKERS[line.split][line.series],
        "markersize": 4.5,
        "markeredgecolor": colour if line.split is Split.TEST else COLOURS["paper"],
        "markeredgewidth": 0.6,
    }


def _draw_rise(frame: Frame, panel: Panel, rise: Rise, label: str) -> None:
    """An arrow from the one value to the other, with its figure beside it."""
    ends = np.array([rise.before, rise.after]).clip(panel.low, panel.high)
    before, after = (float(each) for each in frame.up(ends))
    x, colour = float(frame.across(rise.at)), COLOURS[SEVERITIES[rise.severity]]
    frame.arrow(x, before, after, colour)
    right = x > (frame.left + frame.right) / 2
    # Where the arrow comes from, as the curve is where it goes to; but within the panel.
    height = before - frame.bottom
    below = (after > before and height > ROW) or height > frame.height - ROW
    frame.text(
        x + (-4 if right else 4) * POINT,
        before + (-4 if below else 4) * POINT,
        label,
        ha="right" if right else "left",
        va="top" if below else "bottom",
        color=colour,
        weight="bold",
        bbox={"facecolor": COLOURS["paper"], "alpha": 0.85, "linewidth": 0, "boxstyle": "round,pad=0.15"},
    )


def _beside(frame: Frame, first: float, last: float, letters: int) -> tuple[float, str]:
    """Where a label stands and which of its sides is there: from `first` on, or up to `last` where that is too long."""
    length = LETTER * letters
    if first + length <= frame.right:
        return first, "left"
    return (last, "right") if last - length >= frame.left else (frame.left, "left")


def _dash(*, good: bool) -> str | tuple[int, tuple[float, float]]:
    return "solid" if good else (0, (1.0, 1.5))


def _value(value: float) -> str:
    """A tick of a scale, which is round: `0.002`, `1,250`, `1e+30`."""
    if 1e3 <= abs(value) < 1e5 and value == round(value):  # noqa: PLR2004 - what stays short
        return f"{value:,.0f}"
    return f"{value:.7g}" if 1e-4 <= abs(value) < 1e5 else f"{value:.3g}"  # noqa: PLR2004 - the same


def _step(value: float) -> str:
    """A tick of the steps: `2,400`, `50k`, `1.5M`."""
    if abs(value) < 1e4:  # noqa: PLR2004 - what stays short
        return f"{value:,.0f}"
    return f"{value / 1e6:.7g}M" if abs(value) >= 1e6 else f"{value / 1e3:.7g}k"  # noqa: PLR2004
