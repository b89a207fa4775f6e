"""Names of any script in a drawing whose font has none for them."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import chain

from matplotlib import font_manager
from matplotlib.ft2font import FT2Font

__all__ = ["FONT", "MISSING", "StandIns", "cells", "in_font"]

FONT = "DejaVu Sans"  # matplotlib brings it, so a chart is the same on every machine
MISSING = "\u25a1"
# Signs of our font that no name of a curve is likely to hold, as wide as an ideograph, and as wide as a letter.
WIDE = (range(0x4DC0, 0x4E00), range(0x1D300, 0x1D357))  # hexagrams, tetragrams
NARROW = (range(0x2800, 0x2900),)  # Braille


def cells(text: str) -> int:
    """The width of a text in halves of an ideograph, about that of a letter."""
    return sum(2 if _is_wide(char) else 1 for char in text if not unicodedata.combining(char))


def in_font(text: str) -> str:
    """The text with a box for every character that the chart's font cannot draw."""
    return "".join(char if _has(char) else MISSING for char in text)


class StandIns:
    """Other characters for those the font cannot draw, so that a text has its place, and the way back to them.

    A page shows text in fonts of its own: it needs the real characters where the drawing has only measured.
    """

    def __init__(self) -> None:
        self._by_char: dict[str, str] = {}
        self._free: Mapping[bool, Iterator[int]] = {
            True: chain.from_iterable(WIDE),
            False: chain.from_iterable(NARROW),
        }

    def hide(self, text: str) -> str:
        """The text as the font can draw it; a box where no stand-in is left."""
        return "".join(char if _has(char) and not _stands_in(char) else self._for(char) for char in text)

    def show(self, drawing: str) -> str:
        """The drawing with the real characters in their places."""
        return drawing.translate({ord(stand_in): char for char, stand_in in self._by_char.items()})

    def _for(self, char: str) -> str:
        if char not in self._by_char:
            free = next(self._free[_is_wide(char)], None)
            if free is None:
                return MISSING
            self._by_char[char] = chr(free)
        return self._by_char[char]


def _is_wide(char: str) -> bool:
    return unicodedata.east_asian_width(char) in {"W", "F"}


def _stands_in(char: str) -> bool:
    return any(ord(char) in block for block in (*WIDE, *NARROW))


@cache
def _font() -> FT2Font:
    return font_manager.get_font(font_manager.findfont(FONT))


def _has(char: str) -> bool:
    return _font().get_char_index(ord(char)) != 0
