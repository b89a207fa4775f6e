"""Bytes seen as numbers at any offset, thousands of offsets at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import mmap

    from curve_analyzers.model import Floats, Ints

__all__ = ["Buffer", "Words", "varints"]

Words = npt.NDArray[np.uint64]

VARINT_BYTES = 9  # of a varint that fits 63 bits; a tenth byte is the sign's


class Buffer:
    """A file in memory, or several small ones one after the other; at least eight bytes.

    Offsets may come from damaged bytes: those beyond the end are read as if the last bytes stood there, so whoever
    reads a number there has to find out by other means that it is none.

    Attributes:
        data: The bytes.
        octets: The same, shape (n,) uint8.
    """

    def __init__(self, data: bytes | mmap.mmap) -> None:
        self.data = data
        self.octets: npt.NDArray[np.uint8] = np.frombuffer(data, np.uint8)

    def __len__(self) -> int:
        return len(self.octets)

    def octets_at(self, at: Ints) -> npt.NDArray[np.uint8]:
        """The byte at each offset."""
        return self.octets.take(at, mode="clip")

    def words_at(self, at: Ints) -> Words:
        """The eight bytes at each offset as an integer, with zeros for up to seven beyond the end."""
        words: Words = self._at("<u8", at)
        if at.max(initial=0) > len(self) - 8:
            words >>= (8 * np.clip(at - (len(self) - 8), 0, 7)).astype(np.uint64)
        return words

    def checksums_at(self, at: Ints) -> npt.NDArray[np.uint32]:
        """The four bytes at each offset as an integer."""
        return self._at("<u4", at)

    def doubles_at(self, at: Ints) -> Floats:
        """The float64 at each offset."""
        return self._at("<f8", at)

    def floats_at(self, at: Ints) -> Floats:
        """The float32 at each offset."""
        return self._at("<f4", at).astype(np.float64)

    def _at(self, kind: str, at: Ints) -> npt.NDArray[Any]:
        size = np.dtype(kind).itemsize
        # A number begins at every byte: views with a stride of one byte copy nothing.
        everywhere: npt.NDArray[Any] = np.ndarray((len(self) - size + 1,), kind, self.octets, strides=(1,))
        last = len(everywhere) - 1
        return everywhere[at if at.max(initial=0) <= last else np.minimum(at, last)]


def varints(buffer: Buffer, at: Ints, longest: int = VARINT_BYTES) -> tuple[Ints, Ints]:
    """The variable-length integer at each offset, -1 where it has over `longest` bytes, and the offset after it."""
    octets = buffer.octets_at(at)
    values, after = (octets & 0x7F).astype(np.int64), at + 1
    longer = np.flatnonzero(octets > 0x7F)  # noqa: PLR2004 - the bit that says: another byte follows
    for place in range(1, longest):
        if not len(longer):
            break
        octets = buffer.octets_at(at[longer] + place)
        values[longer] |= (octets & 0x7F).astype(np.int64) << 7 * place
        after[longer] += 1
        longer = longer[octets > 0x7F]  # noqa: PLR2004 - as above
    values[longer] = -1
    return values, after
