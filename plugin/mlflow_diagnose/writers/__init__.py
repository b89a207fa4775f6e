"""Where a diagnosis goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from curve_analyzers.findings import Report

__all__ = ["Writer"]


class Writer(Protocol):
    """Puts the diagnosis of a run where people look. Written twice, it stands there once."""

    def write(self, report: Report) -> None:
        """Write a diagnosis, in place of the one written before.

        Raises:
            WriteError: It could not be written.
        """
