"""A box with a scale, in which a chart draws. Matplotlib's axes bring so much else that making them takes longer."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch, Polygon
from matplotlib.text import Text
from matplotlib.transforms import Bbox, TransformedBbox

from curve_analyzers.model import Floats

__all__ = ["POINT", "Frame"]

Drawn = TypeVar("Drawn", bound=Artist)

POINT = 1 / 72  # in inches
SPILL = 0.03  # inches by which a curve's marker may stand over the edge


class Frame:
    """A box of a figure, and where in it values lie. All lengths are in inches, from the figure's lower left.

    Args:
        figure: The figure; what is drawn is added to it.
        box: Left, bottom, width and height.
        x: The values at the left and at the right.
        y: The values at the bottom and at the top.
        log: Whether `y` is on a logarithmic scale.
    """

    def __init__(
        self,
        figure: Figure,
        box: tuple[float, float, float, float],
        x: tuple[float, float],
        y: tuple[float, float],
        *,
        log: bool = False,
    ) -> None:
        self.figure = figure
        self.left, self.bottom, self.width, self.height = box
        self.right, self.top = self.left + self.width, self.bottom + self.height
        self._x, self._log = x, log
        self._y = tuple(np.log10(y)) if log else y
        inner = Bbox.from_bounds(
            self.left - SPILL, self.bottom - SPILL, self.width + 2 * SPILL, self.height + 2 * SPILL
        )
        self._clip = TransformedBbox(inner, figure.dpi_scale_trans)

    def across(self, values: Floats | float) -> Floats:
        """Where values lie from the left."""
        low, high = self._x
        return np.asarray(self.left + (np.asarray(values, np.float64) - low) * (self.width / (high - low)))

    def up(self, values: Floats | float) -> Floats:
        """Where values lie from the bottom; what has no place on a logarithmic scale lies far below."""
        low, high = self._y
        values = np.asarray(values, np.float64)
        if self._log:
            values = np.log10(np.maximum(values, 10.0 ** (low - 1)))
        return np.asarray(self.bottom + (values - low) * (self.height / (high - low)))

    def curve(self, x: Floats, y: Floats, zorder: float, **style: object) -> None:
        """A line through points given as values, within the box."""
        self.stroke(self.across(x), self.up(y), zorder, **style).set_clip_box(self._clip)

    def stroke(self, x: Floats, y: Floats, zorder: float, **style: object) -> Line2D:
        """A line through points given as places."""
        line = Line2D(x, y, zorder=zorder, transform=self.figure.dpi_scale_trans, **style)  # type: ignore[arg-type]
        return self._add(line)

    def rules(self, ends: Floats, zorder: float, **style: object) -> None:
        """Straight lines, (n, 2, 2) by line, end, and place."""
        if len(ends):
            gap = np.full((len(ends), 1, 2), np.nan)
            x, y = np.concatenate([ends, gap], axis=1).reshape(-1, 2).T
            self.stroke(x, y, zorder, **style)

    def area(self, x: Floats, low: Floats, high: Floats, colour: str, alpha: float, zorder: float) -> None:
        """What lies between two lines over the same places, given as places."""
        corners = np.r_[np.stack([x, low], axis=1), np.stack([x, high], axis=1)[::-1]]
        shape = Polygon(
            corners, closed=True, facecolor=colour, alpha=alpha, linewidth=0, zorder=zorder,
            transform=self.figure.dpi_scale_trans,
        )  # fmt: skip
        self._add(shape).set_clip_box(self._clip)

    def arrow(self, x: float, start: float, end: float, colour: str) -> None:
        """An upright arrow between two places."""
        made = FancyArrowPatch(
            (x, start), (x, end), arrowstyle="->", mutation_scale=9.0, shrinkA=0, shrinkB=0, color=colour,
            linewidth=1.6, zorder=2.6, transform=self.figure.dpi_scale_trans,
        )  # fmt: skip
        self._add(made)

    def text(self, x: float, y: float, text: str, **style: object) -> None:
        """A text at a place."""
        self._add(Text(x, y, text, transform=self.figure.dpi_scale_trans, zorder=3.0, **style))  # type: ignore[arg-type]

    def _add(self, artist: Drawn) -> Drawn:
        self.figure.add_artist(artist)
        return artist
