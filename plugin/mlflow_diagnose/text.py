"""Text that came from elsewhere, for one line of output."""

from __future__ import annotations

__all__ = ["plain"]


def plain(text: str) -> str:
    """Untrusted text on one line, without control characters, which a terminal or a page might obey."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
