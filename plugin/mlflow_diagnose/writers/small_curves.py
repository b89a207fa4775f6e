"""Curves in the terminal: one of a few lines beside a report, one of a few letters in a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from mlflow_diagnose.report.rows import HEIGHT, WIDTH, Row

__all__ = ["HELD_OUT", "TRAINING", "blocks", "braille"]

TRAINING, HELD_OUT = "bright_blue", "yellow"
BLOCKS = "▁▂▃▄▅▆▇█"
COLUMNS, LINES = 50, 7  # of letters
ACROSS, DOWN = 2, 4  # dots of a letter
DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # of a Braille letter, by row and column
DASH, DASHES = 4, 6  # dots drawn, of so many: held-out data is told apart without colour
Part = tuple[str, str]  # a text and its style


def braille(row: Row) -> list[list[Part]]:
    """The two curves of a run as lines of styled letters; none where it has none."""
    cells: dict[tuple[int, int], tuple[int, str]] = {}
    for points, style, dashed in ((row.training, TRAINING, False), (row.held_out, HELD_OUT, True)):
        for place, (x, y) in enumerate(_dots(points)):
            if dashed and place % DASHES >= DASH:
                continue
            cell = y // DOWN, x // ACROSS
            before, _ = cells.get(cell, (0, style))
            cells[cell] = before | DOTS[y % DOWN][x % ACROSS], style
    if not cells:
        return []
    blank = (0, "")
    lines = [[cells.get((line, column), blank) for column in range(COLUMNS)] for line in range(LINES)]
    return [[(chr(0x2800 + dots) if dots else " ", style) for dots, style in line] for line in lines]


def blocks(row: Row, width: int) -> str:
    """The held-out curve, else the training's, as `width` blocks between its own ends; empty where there is none."""
    points = row.held_out or row.training
    if not points:
        return ""
    xs, ys = points[::2], points[1::2]
    nearest = [
        min(range(len(xs)), key=lambda place: abs(xs[place] - WIDTH * column / max(width - 1, 1)))
        for column in range(width)
    ]
    lowest, room = max(ys), max(ys) - min(ys)  # counted from the top
    return "".join(BLOCKS[round((lowest - ys[place]) / (room or 1) * (len(BLOCKS) - 1))] for place in nearest)


def _dots(points: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The dots of a curve of `x, y, x, y, ...`, without gaps, from left to right."""
    scaled = [
        (x / WIDTH * (COLUMNS * ACROSS - 1), y / HEIGHT * (LINES * DOWN - 1))
        for x, y in zip(points[::2], points[1::2], strict=True)
    ]
    if len(scaled) == 1:
        yield round(scaled[0][0]), round(scaled[0][1])
    for (x, y), (next_x, next_y) in pairwise(scaled):
        steps = max(round(abs(next_x - x)), round(abs(next_y - y)), 1)
        for step in range(steps):
            share = step / steps
            yield round(x + share * (next_x - x)), round(y + share * (next_y - y))
