"""The annotated curves of a report, as SVG for the page and as PNG; matplotlib without pyplot, so without state."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib.style
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from curve_analyzers.findings import Report, Severity
from curve_analyzers.model import Split
from mlflow_diagnose.report import words
from mlflow_diagnose.report.panels import Axis, Bar, Line, Mark, Panel, Plan, plan

__all__ = ["COLOURS", "NARROW", "WIDE", "chart_png", "chart_svg"]

# Told apart by every common kind of colour vision (after Okabe and Ito), dark enough on white for small text.
COLOURS = {
    "ink": "#1f2a37",
    "muted": "#56616e",
    "grid": "#e4e7eb",
    "paper": "#fefefe",
    "first": "#0b66a8",
    "second": "#b84a08",
    "third": "#6d4aa8",
    "good": "#1a7a48",
    "warning": "#8f5f00",
    "critical": "#b3261e",
    "info": "#3f6480",
}
SERIES = ("first", "second", "third")
STROKES = {Split.TRAIN: "solid", Split.NONE: "solid", Split.VAL: (0, (4, 1.6)), Split.TEST: (0, (1, 1.2))}
MARKERS = {Split.TRAIN: "osD", Split.NONE: "osD", Split.VAL: "^vP", Split.TEST: "x*+"}
SEVERITIES = {Severity.CRITICAL: "critical", Severity.WARNING: "warning", Severity.INFO: "info"}
WIDE, NARROW = 6.4, 4.2  # inches
DPI = 160
# All lengths in inches.
LEFT, RIGHT, BOTTOM, LANE, ROW, GAP = 0.62, 0.12, 0.44, 0.3, 0.19, 0.16
LEAST_WIDE = 6.0  # for two legend entries side by side
LONG_LABEL = 30
POINTS = 72.0  # in an inch
LETTER = 0.076  # of a label, on average
STYLE = {
    "font.family": ["DejaVu Sans"],  # matplotlib brings it, so a chart is the same on every machine
    "font.size": 9.0,
    "text.color": COLOURS["ink"],
    "text.parse_math": False,  # a name may hold a `$`
    "text.usetex": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "mlflow-diagnose",
    "axes.linewidth": 0.8,
    "path.simplify": False,  # done before, to the pixels
}
DRAWING = threading.Lock()  # matplotlib's settings belong to the process


def chart_svg(report: Report, width: float = WIDE) -> str:
    """Draw a report's curves as an `<svg>` element that can stand in a page, next to others of another width.

    Args:
        report: The report.
        width: In inches of 72 units; the height follows from what there is to show.
    """
    with _style(**{"svg.hashsalt": f"mlflow-diagnose {width}"}):
        buffer = io.StringIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        _figure(report, width).savefig(buffer, format="svg", transparent=True, metadata=nothing)
    return _bare(buffer.getvalue())


def chart_png(report: Report) -> bytes:
    """Draw a report's curves as a PNG file on white."""
    with _style():
        buffer = io.BytesIO()
        _figure(report, WIDE).savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()


@contextmanager
def _style(**more: object) -> Iterator[None]:
    """Our settings over matplotlib's own, whatever the user's `matplotlibrc` says."""
    with DRAWING, matplotlib.style.context(["default", {**STYLE, **more}]):
        yield


def _bare(svg: str) -> str:
    """The element alone: no prologue, no style that reaches the page around it, no ids but those referred to."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<style[^>]*>.*?</style>", "", svg, count=1, flags=re.DOTALL)
    svg = re.sub(r'(<g|<path) id="[A-Za-z0-9]+(?:\.[a-z]+)?_\d+"', r"\1", svg)
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    return svg.replace("<svg", '<svg stroke-linejoin="round" stroke-linecap="butt"', 1).strip()


def _figure(report: Report, width: float) -> Figure:
    shown = plan(report, pixels=int(width * 100))
    if not shown.panels:
        figure = Figure((width, 0.7), facecolor="white")
        figure.text(0.5, 0.5, "no curve of this run has a known role", ha="center", va="center", color=COLOURS["muted"])
        return figure
    lanes = LANE * (len(shown.bars) + len(shown.marks))
    heads = [ROW * (1.3 + _legend_rows(panel, width)) + GAP for panel in shown.panels]
    bodies = [0.32 * width if panel is shown.panels[0] else 0.6 if panel.rate else 1.25 for panel in shown.panels]
    total = lanes + sum(heads) + sum(bodies) + BOTTOM
    figure = Figure((width, total), facecolor="white")

    def axes(top: float, height: float) -> Axes:
        box = (LEFT / width, 1 - (top + height) / total, 1 - (LEFT + RIGHT) / width, height / total)
        made = figure.add_axes(box)
        made.set_xlim(*_padded(shown.axis))
        return made

    if lanes:
        _draw_lanes(axes(0.0, lanes), shown)
    top = lanes
    for panel, head, body in zip(shown.panels, heads, bodies, strict=True):
        _draw_panel(axes(top + head, body), panel, shown, width, last=panel is shown.panels[-1])
        top += head + body
    return figure


def _padded(axis: Axis) -> tuple[float, float]:
    room = 0.015 * (axis.high - axis.low)
    return axis.low - room, axis.high + room


def _draw_lanes(axes: Axes, shown: Plan) -> None:
    """A line of its own for each mark and each finding, above the curves, where no curve is in the way."""
    # The marks come last and go from left to right, so that their lines cross no label.
    rows: list[Bar | Mark] = [*shown.bars, *sorted(shown.marks, key=lambda mark: mark.at)]
    axes.set_ylim(len(rows), 0)
    axes.axis("off")
    for row, item in enumerate(rows):
        first, last = (item.first, item.last) if isinstance(item, Bar) else (item.at, item.at)
        label = _fitting(item.label, 60)
        at, side = _beside(axes, first, last, label)
        if isinstance(item, Bar):
            colour = COLOURS[SEVERITIES[item.severity]]
            axes.plot((first, last), (row + 0.8, row + 0.8), color=colour, linewidth=3, solid_capstyle="butt")
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
            fontsize=9,
        )


def _beside(axes: Axes, first: float, last: float, label: str) -> tuple[float, str]:
    """Where a label stands and which of its sides is there: from `first` on, or up to `last` where that is too long."""
    low, high = axes.get_xlim()
    width = axes.bbox.width / axes.figure.dpi
    length = LETTER * len(label) * (high - low) / width
    if first + length <= high:
        return first, "left"
    return (last, "right") if last - length >= low else (low, "left")


def _dash(*, good: bool) -> str | tuple[int, tuple[float, float]]:
    return "solid" if good else (0, (1.0, 1.5))


def _draw_panel(axes: Axes, panel: Panel, shown: Plan, width: float, *, last: bool) -> None:
    if panel.log:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(numticks=5))
        axes.yaxis.set_minor_locator(NullLocator())
    else:
        axes.yaxis.set_major_locator(MaxNLocator(2 if panel.rate else 4))
    axes.set_ylim(panel.low, panel.high)
    axes.yaxis.set_major_formatter(FuncFormatter(_value))
    axes.xaxis.set_major_locator(MaxNLocator(7 if width >= LEAST_WIDE else 4, integer=True, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(_step) if last else NullFormatter())
    axes.grid(color=COLOURS["grid"], linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelcolor=COLOURS["muted"], labelsize=9)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(COLOURS["muted"])
    if last:
        axes.set_xlabel(shown.axis.label, color=COLOURS["muted"], fontsize=9, loc="right", labelpad=2)
    if panel.shaded and shown.shade is not None:
        colour = COLOURS[SEVERITIES[shown.shade.severity]]
        axes.axvspan(shown.shade.first, shown.shade.last, color=colour, alpha=0.08, linewidth=0)
    for mark in shown.marks:
        axes.axvline(
            mark.at, color=COLOURS["good" if mark.good else "critical"], linewidth=0.9, linestyle=_dash(good=mark.good)
        )
    _draw_head(axes, panel, width, [_draw_line(axes, line, panel) for line in panel.lines])


def _draw_line(axes: Axes, line: Line, panel: Panel) -> Line2D:
    by_split = {Split.TRAIN: 0, Split.NONE: 0, Split.VAL: 1, Split.TEST: 2}
    colour = COLOURS[SERIES[line.series if panel.several else by_split[line.split]]]
    label = _fitting(line.label, 44) + ("" if len(line.x) else " (never finite)")
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


def _legend_rows(panel: Panel, width: float) -> int:
    return -(-len(panel.lines) // _columns(panel, width))


def _columns(panel: Panel, width: float) -> int:
    return 2 if width >= LEAST_WIDE and all(len(line.label) <= LONG_LABEL for line in panel.lines) else 1


def _draw_head(axes: Axes, panel: Panel, width: float, entries: list[Line2D]) -> None:
    """Title and legend above the panel, where they cover no curve."""
    above = ROW * (_legend_rows(panel, width) + 0.35) * POINTS
    notes = ["log scale"] if panel.log else []
    if panel.beyond is not None:
        notes.append(f"goes beyond, to {panel.beyond:.3g}")
    axes.set_title(panel.title, loc="left", pad=above, fontsize=10, weight="bold")
    axes.set_title(", ".join(notes), loc="right", pad=above, fontsize=9, color=COLOURS["muted"])
    # Matplotlib fills a legend by columns; by rows, each line has training and validation side by side.
    columns = _columns(panel, width)
    axes.legend(
        handles=[entry for column in range(columns) for entry in entries[column::columns]],
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=columns,
        frameon=False,
        borderaxespad=0.2,
        borderpad=0,
        handlelength=2.6,
        handletextpad=0.6,
        columnspacing=1.6,
        labelspacing=0.35,
        fontsize=9,
    )


def _value(value: float, _: int | None = None) -> str:
    """A tick of a scale, which is round: `0.002`, `1250`, `1e+30`."""
    return f"{value:.7g}" if 1e-4 <= abs(value) < 1e5 else f"{value:.3g}"  # noqa: PLR2004 - what stays short


def _step(value: float, _: int | None = None) -> str:
    """A tick of the steps: `2,400`, `50k`, `1.5M`."""
    if abs(value) < 1e4:  # noqa: PLR2004 - what stays short
        return f"{value:,.0f}"
    return f"{value / 1e6:.7g}M" if abs(value) >= 1e6 else f"{value / 1e3:.7g}k"  # noqa: PLR2004


def _fitting(text: str, longest: int) -> str:
    """A text without the characters our font has no picture for, cut in the middle."""
    font = font_manager.get_font(font_manager.findfont("DejaVu Sans"))
    return "".join(char if font.get_char_index(ord(char)) else "\u25a1" for char in words.plain(text, longest))
