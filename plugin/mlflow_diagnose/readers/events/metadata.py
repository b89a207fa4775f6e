"""The metadata of a summary's value: which plugin it is for."""

from __future__ import annotations

__all__ = ["plugin_of"]

TEXT, DATA_CLASS = 2, 0x20


def plugin_of(metadata: bytes) -> str | None:
    """The plugin that serialized `SummaryMetadata` names, empty where it names none; None where it is unusual."""
    fields = _texts(metadata)
    plugin_data = None if fields is None else _texts(fields.get(1, b""))
    if fields is None or plugin_data is None:
        return None
    try:
        for text in (fields.get(2, b""), fields.get(3, b"")):  # the display name and the description
            text.decode()
        return plugin_data.get(1, b"").decode()
    except UnicodeDecodeError:
        return None


def _texts(message: bytes) -> dict[int, bytes] | None:
    """The texts and messages in a protobuf message by the numbers of their fields; None where it is unusual."""
    found: dict[int, bytes] = {}
    at = 0
    while at + 1 < len(message):
        key, length = message[at], message[at + 1]
        at += 2
        if length > 0x7F:  # noqa: PLR2004 - the bit that says: another byte follows
            return None
        if key == DATA_CLASS:
            continue
        if key & 7 != TEXT or key > 0x7F or key >> 3 in found:  # noqa: PLR2004 - the same
            return None
        found[key >> 3] = message[at : at + length]
        at += length
    return found if at == len(message) else None
