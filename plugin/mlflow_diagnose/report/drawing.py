"""The strokes of a chart: what its plan says, drawn by matplotlib."""

from __future__ import annotations

from collections.abc import Callable

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend_handler import HandlerLine2D
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator

from curve_analyzers.findings import Severity
from curve_analyzers.model import Split
from mlflow_diagnose.report import texts
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
LEFT, RIGHT, BOTTOM, LANE, ROW, GAP = 0.62, 0.12, 0.44, 0.3, 0.19, 0.16
TALL, SMALL, FIRST = 1.25, 0.68, 0.34  # of a panel; the first one's as a share of the width
LEAST_WIDE = 6.0  # for two legend entries side by side
LONG_LABEL = 30
POINTS = 72.0  # in an inch
LETTER = 0.076  # of a label, on average


class Drawing:
    """A chart being drawn.

    Args:
        shown: What it shows; at least one panel.
        width: In inches; the height follows.
        fit: Makes a text, ours or from a log, one that can be drawn, of at most so many characters.

    Attributes:
        figure: The drawing.
    """

    def __init__(self, shown: Plan, width: float, fit: Callable[[str, int], str]) -> None:
        self.shown, self.width, self.fit = shown, width, fit
        lanes = LANE * (len(shown.bars) + len(shown.marks))
        heads = [ROW * (1.3 + self._legend_rows(panel)) + GAP for panel in shown.panels]
        bodies = [SMALL if panel.small else TALL for panel in shown.panels]
        bodies[0] = max(FIRST * width, bodies[0])
        self.height = lanes + sum(heads) + sum(bodies) + BOTTOM
        self.figure = Figure((width, self.height), facecolor="white")
        if lanes:
            self._draw_lanes(self._axes(0.0, lanes))
        top = lanes
        for panel, head, body in zip(shown.panels, heads, bodies, strict=True):
            self._draw_panel(self._axes(top + head, body), panel)
            top += head + body

    def _short(self, text: str, most: int) -> str:
        """A text from a log in the width of so many letters."""
        wide = cells(text) / max(len(text), 1)
        return self.fit(text, int(most / max(wide, 1.0)))

    def _axes(self, top: float, height: float) -> Axes:
        box = (
            LEFT / self.width,
            1 - (top + height) / self.height,
            1 - (LEFT + RIGHT) / self.width,
            height / self.height,
        )
        made = self.figure.add_axes(box)
        made.axis("off")  # matplotlib's own grid, ticks and labels take half of all the time: see `_draw_scale`
        room = 0.015 * (self.shown.axis.high - self.shown.axis.low)
        made.set_xlim(self.shown.axis.low - room, self.shown.axis.high + room)
        return made

    def _draw_lanes(self, axes: Axes) -> None:
        """A line of its own for each mark and each finding, above the curves, where no curve is in the way."""
        # The marks come last and go from left to right, so that their lines cross no label.
        rows: list[Bar | Mark] = [*self.shown.bars, *sorted(self.shown.marks, key=lambda mark: mark.at)]
        axes.set_ylim(len(rows), 0)
        for row, item in enumerate(rows):
            first, last = (item.first, item.last) if isinstance(item, Bar) else (item.at, item.at)
            label = self._short(item.label, 60)
            at, side = _beside(axes, first, last, min(cells(item.label), 60))
            if isinstance(item, Bar):
                colour = COLOURS[SEVERITIES[item.severity]]
                axes.plot((first, last), (row + 0.8, row + 0.8), color=colour, linewidth=3)
                if first == last:
                    axes.plot(first, row + 0.8, color=colour, marker="s", markersize=4)
            else:
                colour = COLOURS["good" if item.good else "critical"]
                axes.plot(item.at, row + 0.8, color=colour, marker="v", markersize=5, clip_on=False)
                axes.vlines(item.at, row + 0.8, len(rows), color=colour, linewidth=0.9, linestyle=_dash(good=item.good))
            axes.annotate(
                label,
                (at, row + 0.58),
                (2 if side == "left" else -2, 0),
                textcoords="offset points",
                color=colour,
                ha=side,
                va="bottom",
            )

    def _draw_panel(self, axes: Axes, panel: Panel) -> None:
        axes.set_ylim(panel.low, panel.high)
        if panel.log:
            axes.set_yscale("log")
        self._draw_scale(axes, panel)
        shade = self.shown.shade
        if panel.shaded and shade is not None:
            axes.axvspan(shade.first, shade.last, color=COLOURS[SEVERITIES[shade.severity]], alpha=0.08, linewidth=0)
        if panel.band is not None:
            low, high = panel.band.low.clip(panel.low, panel.high), panel.band.high.clip(panel.low, panel.high)
            axes.fill_between(panel.band.x, low, high, color=COLOURS["muted"], alpha=0.22, linewidth=0, zorder=1)
        for mark in self.shown.marks:
            colour = COLOURS["good" if mark.good else "critical"]
            axes.axvline(mark.at, color=colour, linewidth=0.9, linestyle=_dash(good=mark.good))
        entries = [self._draw_line(axes, line, panel) for line in panel.lines]
        if panel.rise is not None:
            _draw_rise(axes, panel, panel.rise, self.fit(panel.rise.label, 44))
        self._draw_head(axes, panel, entries)

    def _draw_scale(self, axes: Axes, panel: Panel) -> None:
        """The grid, the base line, the numbers beside it and, below the last panel, the steps."""
        low, high = axes.get_xlim()
        locator = LogLocator(numticks=5) if panel.log else MaxNLocator(2 if panel.small else 4)
        rows = [y for y in locator.tick_values(panel.low, panel.high) if panel.low <= y <= panel.high]
        ticks = 7 if self.width >= LEAST_WIDE else 4
        steps = MaxNLocator(ticks, integer=True, steps=[1, 2, 5, 10]).tick_values(low, high)
        columns = [x for x in steps if low <= x <= high]
        axes.hlines(rows, low, high, color=COLOURS["grid"], linewidth=0.7, zorder=0.5)
        axes.vlines(columns, panel.low, panel.high, color=COLOURS["grid"], linewidth=0.7, zorder=0.5)
        axes.axhline(panel.low, color=COLOURS["muted"], linewidth=0.8, clip_on=False)
        for y in rows:
            _label(axes, _value(y), (low, y), (-4, 0), ha="right", va="center")
        if panel is self.shown.panels[-1]:
            for x in columns:
                _label(axes, _step(x), (x, panel.low), (0, -4), ha="center", va="top")
            _label(axes, self.fit(self.shown.axis.label, 44), (high, panel.low), (0, -16), ha="right", va="top")

    def _draw_line(self, axes: Axes, line: Line, panel: Panel) -> Line2D:
        colour = COLOURS[SERIES[line.series if panel.several else BY_SPLIT[line.split]]]
        label = self._short(line.label, 44) + ("" if len(line.x) else f" {self.fit(texts.NEVER_FINITE, 44)}")
        room = panel.high - panel.low
        low, high = (panel.low, panel.high) if panel.log else (panel.low - room, panel.high + room)
        if label.startswith("_"):  # which would keep it out of the legend
            label = f" {label}"
        if line.rough is not None:
            axes.plot(line.rough[0], line.rough[1].clip(low, high), color=colour, linewidth=0.5, alpha=0.3)
        few = max(len(line.x) // 8, 1)
        (drawn,) = axes.plot(
            line.x,
            line.y.clip(low, high),
            color=colour,
            label=label,
            linestyle=STROKES[line.split],
            linewidth=1.7,
            marker=MARKERS[line.split][line.series],
            markersize=4.5,
            markeredgecolor=colour if line.split is Split.TEST else COLOURS["paper"],
            markeredgewidth=0.6,
            # Two curves on the same steps carry their markers on different ones.
            markevery=(few // 2 if line.split is Split.VAL else 0, few),
        )
        return drawn

    def _draw_head(self, axes: Axes, panel: Panel, entries: list[Line2D]) -> None:
        """Title and legend above the panel, where they cover no curve."""
        above = ROW * (self._legend_rows(panel) + 0.35) * POINTS
        notes = [self.fit(texts.LOG_SCALE, 44)] if panel.log else []
        if panel.beyond is not None:
            notes.append(self.fit(texts.BEYOND.format(value=f"{panel.beyond:.3g}"), 44))
        axes.set_title(self._short(panel.title, 40), loc="left", pad=above, fontsize=10, weight="bold")
        if notes:
            axes.set_title(", ".join(notes), loc="right", pad=above, fontsize=9, color=COLOURS["muted"])
        # Matplotlib fills a legend by columns; by rows, each line has training and validation side by side.
        columns = self._columns(panel)
        axes.legend(
            handles=[entry for column in range(columns) for entry in entries[column::columns]],
            loc="lower left",
            bbox_to_anchor=(0, 1),
            ncols=columns,
            handler_map={Line2D: HandlerLine2D(numpoints=1)},
            frameon=False,
            borderaxespad=0.2,
            borderpad=0,
            handlelength=2.6,
            handletextpad=0.6,
            columnspacing=1.6,
            labelspacing=0.35,
            fontsize=9,
        )

    def _legend_rows(self, panel: Panel) -> int:
        return -(-len(panel.lines) // self._columns(panel))

    def _columns(self, panel: Panel) -> int:
        fitting = all(cells(line.label) <= LONG_LABEL for line in panel.lines)
        return 2 if self.width >= LEAST_WIDE and fitting else 1


def _draw_rise(axes: Axes, panel: Panel, rise: Rise, label: str) -> None:
    """An arrow from the one value to the other, with its figure beside it."""
    before, after = (min(max(value, panel.low), panel.high) for value in (rise.before, rise.after))
    colour = COLOURS[SEVERITIES[rise.severity]]
    arrow = {"arrowstyle": "->", "color": colour, "linewidth": 1.6, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", (rise.at, after), (rise.at, before), arrowprops=arrow, annotation_clip=False)
    low, high = axes.get_xlim()
    right = rise.at > (low + high) / 2
    # Where the arrow comes from, as the curve is where it goes to; but within the panel.
    height = axes.transData.transform((low, before))[1] - axes.bbox.y0
    below = (after > before and height > ROW * axes.figure.dpi) or height > axes.bbox.height - ROW * axes.figure.dpi
    axes.annotate(
        label,
        (rise.at, before),
        (-4 if right else 4, -4 if below else 4),
        textcoords="offset points",
        ha="right" if right else "left",
        va="top" if below else "bottom",
        color=colour,
        weight="bold",
        bbox={"facecolor": COLOURS["paper"], "alpha": 0.85, "linewidth": 0, "boxstyle": "round,pad=0.15"},
    )


def _label(axes: Axes, text: str, at: tuple[float, float], beside: tuple[float, float], ha: str, va: str) -> None:
    """A muted text, `beside` a place by so many points."""
    axes.annotate(text, at, beside, textcoords="offset points", color=COLOURS["muted"], ha=ha, va=va)


def _beside(axes: Axes, first: float, last: float, letters: int) -> tuple[float, str]:
    """Where a label stands and which of its sides is there: from `first` on, or up to `last` where that is too long."""
    low, high = axes.get_xlim()
    length = LETTER * letters * (high - low) * axes.figure.dpi / axes.bbox.width
    if first + length <= high:
        return first, "left"
    return (last, "right") if last - length >= low else (low, "left")


def _dash(*, good: bool) -> str | tuple[int, tuple[float, float]]:
    return "solid" if good else (0, (1.0, 1.5))


def _value(value: float) -> str:
    """A tick of a scale, which is round: `0.002`, `1250`, `1e+30`."""
    return f"{value:.7g}" if 1e-4 <= abs(value) < 1e5 else f"{value:.3g}"  # noqa: PLR2004 - what stays short


def _step(value: float) -> str:
    """A tick of the steps: `2,400`, `50k`, `1.5M`."""
    if abs(value) < 1e4:  # noqa: PLR2004 - what stays short
        return f"{value:,.0f}"
    return f"{value / 1e6:.7g}M" if abs(value) >= 1e6 else f"{value / 1e3:.7g}k"  # noqa: PLR2004
