"""Texts in a buffer, the same few over and over, as small numbers."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from curve_analyzers.model import Ints
    from mlflow_diagnose.readers.events.buffers import Buffer, Words

__all__ = ["Names"]

MOST_NAMES = 100_000  # that are kept; a run has a few thousand at most
WORD_BYTES = 8
KEPT_BITS = np.array([(1 << 8 * count) - 1 for count in range(WORD_BYTES + 1)], np.uint64)

# Odd numbers that nobody outside this process knows: no log can be written so that two of its tags collide.
FIRST, EACH = (np.uint64(secrets.randbits(64) | 1) for _ in range(2))


class Names:
    """The names met so far, each with what it means.

    Attributes:
        known: What each name means, by its number.
    """

    def __init__(self, meaning: Callable[[bytes], str | None], *first: str) -> None:
        """Make the names.

        Args:
            meaning: What a name means; None for one that is left to others.
            first: Meanings that have a number from the start.
        """
        self.known: list[str] = list(first)
        self._meaning = meaning
        self._numbers = {each: number for number, each in enumerate(first)}
        self._hashes: Words = np.zeros(0, np.uint64)
        self._by_hash: Ints = np.zeros(0, np.int64)

    def number(self, meaning: str) -> int:
        """The number of a meaning, -1 where it is new and there are too many."""
        if meaning not in self._numbers:
            if len(self.known) >= MOST_NAMES:
                return -1
            self._numbers[meaning] = len(self.known)
            self.known.append(meaning)
        return self._numbers[meaning]

    def of(self, buffer: Buffer, starts: Ints, lengths: Ints) -> Ints:
        """The number of what each text means, -1 for those left to others; shape (n,)."""
        hashes = _hashed(buffer, starts, lengths)
        places = self._places(hashes)
        if len(self._hashes) < MOST_NAMES and len(new := np.flatnonzero(places < 0)):
            self._learn(buffer, hashes, starts, lengths, new)
            places = self._places(hashes)
        return np.where(places < 0, -1, self._by_hash[places])

    def _places(self, hashes: Words) -> Ints:
        if not len(self._hashes):
            return np.full(len(hashes), -1)
        places = np.minimum(np.searchsorted(self._hashes, hashes), len(self._hashes) - 1)
        return np.where(self._hashes[places] == hashes, places, -1)

    def _learn(self, buffer: Buffer, hashes: Words, starts: Ints, lengths: Ints, new: Ints) -> None:
        distinct, first = np.unique(hashes[new], return_index=True)
        numbers = np.empty(len(distinct), np.int64)
        for place in np.argsort(first, kind="stable"):  # so that numbers follow the order of the file
            row = new[first[place]]
            meaning = self._meaning(buffer.data[starts[row] : starts[row] + lengths[row]])
            numbers[place] = -1 if meaning is None else self.number(meaning)
        hashed = np.concatenate([self._hashes, distinct])
        order = np.argsort(hashed)
        self._hashes, self._by_hash = hashed[order], np.concatenate([self._by_hash, numbers])[order]


def _hashed(buffer: Buffer, starts: Ints, lengths: Ints) -> Words:
    """A hash of each text, word by word."""
    hashes: Words = lengths.astype(np.uint64) * FIRST
    for begin in range(0, int(lengths.max(initial=0)), WORD_BYTES):
        rows = slice(None) if begin < lengths.min() else np.flatnonzero(lengths > begin)
        left = np.minimum(lengths[rows] - begin, WORD_BYTES)
        words = buffer.words_at(starts[rows] + begin) & KEPT_BITS[left]
        mixed = (hashes[rows] ^ words) * EACH
        hashes[rows] = mixed ^ mixed >> np.uint64(32)
    return hashes
