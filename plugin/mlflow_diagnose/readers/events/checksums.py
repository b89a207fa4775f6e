"""The checksums of event files: CRC-32C, masked as TFRecord files mask it, of one text or of thousands at once."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from curve_analyzers.model import Ints
    from mlflow_diagnose.readers.events.buffers import Buffer

__all__ = ["masked_crc32c", "masked_crc32c_of"]

Checksums = npt.NDArray[np.uint32]

POLYNOMIAL = 0x82F63B78  # Castagnoli's, its bits reversed
MASK = 0xA282EAD8
ALL_BITS = 0xFFFFFFFF


def _of_each_byte() -> Checksums:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(POLYNOMIAL), table >> 1)
    return table


BY_BYTE = _of_each_byte()
BYTES = BY_BYTE.tolist()


def masked_crc32c(data: bytes) -> int:
    """The masked checksum of a few bytes."""
    crc = ALL_BITS
    for byte in data:
        crc = BYTES[(crc ^ byte) & 0xFF] ^ crc >> 8
    crc ^= ALL_BITS
    return ((crc >> 15 | crc << 17) + MASK) & ALL_BITS


def masked_crc32c_of(buffer: Buffer, starts: Ints, lengths: Ints) -> Checksums:
    """The masked checksum of each text of `lengths` bytes, all inside the buffer, shape (n,)."""
    if not len(starts):
        return np.zeros(0, np.uint32)
    # A CRC is linear: each byte adds what it is worth at its distance from the end, the length what the start is worth.
    # The longest texts come first, so those that reach a distance are always the first few.
    order = np.argsort(-lengths, kind="stable")
    ends, descending = (starts + lengths)[order], lengths[order]
    worth, of_length = _tables(1 << int(descending[0]).bit_length())
    sums = np.zeros(len(starts), np.uint32)
    for distance in range(1, int(descending[0]) + 1):
        reach = int(np.searchsorted(-descending, -distance, side="right"))
        sums[:reach] ^= worth[distance][buffer.octets[ends[:reach] - distance]]
    crc: Checksums = np.empty_like(sums)
    crc[order] = sums ^ of_length[descending] ^ np.uint32(ALL_BITS)
    masked: Checksums = ((crc >> np.uint32(15)) | (crc << np.uint32(17))) + np.uint32(MASK)
    return masked


@cache
def _tables(length: int) -> tuple[Checksums, Checksums]:
    """What a byte is worth by its distance from the end, shape (length + 1, 256), and a length, shape (length + 1,)."""
    worth = np.empty((length + 1, 256), np.uint32)
    of_length = np.empty(length + 1, np.uint32)
    start, byte = np.array([ALL_BITS], np.uint32), BY_BYTE
    for distance in range(length + 1):
        of_length[distance] = start[0]
        start = _shifted(start)
        worth[distance] = byte if distance else 0
        byte = _shifted(byte) if distance else byte
    return worth, of_length


def _shifted(crc: Checksums) -> Checksums:
    """The state of a CRC after another zero byte."""
    shifted: Checksums = BY_BYTE[crc & np.uint32(0xFF)] ^ (crc >> np.uint32(8))
    return shifted
