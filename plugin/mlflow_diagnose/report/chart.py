"""The annotated curves of a report, as SVG for the page and as PNG; matplotlib without pyplot, so without state."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import matplotlib as mpl
import matplotlib.style
from matplotlib.figure import Figure

from curve_analyzers.findings import Report
from mlflow_diagnose.report import texts, words
from mlflow_diagnose.report.drawing import Drawing
from mlflow_diagnose.report.glyphs import FONT, StandIns, in_font
from mlflow_diagnose.report.panels import plan
from mlflow_diagnose.report.plans import Plan
from mlflow_diagnose.report.templates import COLOURS

__all__ = ["COLOURS", "NARROW", "WIDE", "chart_png", "chart_svg"]

WIDE, NARROW = 6.4, 4.2  # inches
DPI = 160
STYLE = {
    "font.family": [FONT],
    "font.size": 9.0,
    "text.color": COLOURS["ink"],
    "text.parse_math": False,  # a name may hold a `$`
    "text.usetex": False,
    "svg.fonttype": "none",
    "path.simplify": False,  # done before, to the pixels
    "lines.solid_capstyle": "butt",
    "axes.titley": 1.0,  # where it would stand by itself, found without drawing everything once more
}
DRAWING = threading.Lock()  # matplotlib's settings belong to the process


def chart_svg(report: Report, width: float = WIDE) -> str:
    """Draw a report's curves as an `<svg>` element that can stand in a page, next to others of another width.

    Its text is text, in the fonts of the page, so that names of any script show.

    Args:
        report: The report.
        width: In inches of 72 units; the height follows from what there is to show.
    """
    names = StandIns()
    with _style(f"mlflow-diagnose {width}"):
        buffer = io.StringIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure = _figure(plan(report, int(width * 100)), width, names.hide)
        figure.savefig(buffer, format="svg", transparent=True, metadata=nothing)
    return names.show(_bare(buffer.getvalue()))


def chart_png(report: Report) -> bytes:
    """Draw a report's curves as a PNG file on white, the same on every machine."""
    with _style():
        buffer = io.BytesIO()
        figure = _figure(plan(report, int(WIDE * 100)), WIDE, in_font)
        figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()


@contextmanager
def _style(salt: str = "") -> Iterator[None]:
    """Our settings over matplotlib's own, whatever the user's `matplotlibrc` says; `salt` makes the ids of an SVG."""
    with DRAWING, mpl.rc_context():
        # They were checked when they were made: checking them again takes as long as drawing a panel.
        checked: dict[str, object] = {**_settings(), "svg.hashsalt": salt}
        dict.update(mpl.rcParams, checked)  # type: ignore[misc] # it is one, with checks
        yield


@cache
def _settings() -> dict[str, object]:
    with matplotlib.style.context(["default", STYLE]):
        return {key: value for key, value in mpl.rcParams.copy().items() if not key.startswith("backend")}


def _bare(svg: str) -> str:
    """The element alone: no prologue, no style that reaches the page around it, no ids but those referred to."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<style[^>]*>.*?</style>", "", svg, count=1, flags=re.DOTALL)
    svg = re.sub(r'(<g|<path) id="[A-Za-z0-9]+(?:\.[a-z]+)?_\d+"', r"\1", svg)
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    return svg.replace("<svg", '<svg stroke-linejoin="round" stroke-linecap="butt"', 1).strip()


def _figure(shown: Plan, width: float, fit: Callable[[str], str]) -> Figure:
    if shown.panels:
        return Drawing(shown, width, lambda text, longest: fit(words.plain(text, longest))).figure
    figure = Figure((width, 0.7), facecolor="white")
    figure.text(0.5, 0.5, fit(words.plain(texts.NO_ROLE)), ha="center", va="center", color=COLOURS["muted"])
    return figure
