"""Text that came from elsewhere, for one line of output, plain or in Markdown."""

from __future__ import annotations

import re

__all__ = ["as_markdown", "plain"]


def plain(text: str) -> str:
    """Untrusted text on one line, without control characters, which a terminal or a page might obey."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def as_markdown(untrusted: str) -> str:
    """Text that Markdown shows as it is: names from a log make no link, picture, element, table cell or heading."""
    text = re.sub(r"([\\`*_{}\[\]#!]|^[-+=]|(?<=^\d)[.)])", r"\\\1", plain(untrusted))
    return (
        text.replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace("|", "&#124;")
        .replace("~", "&#126;")
    )
