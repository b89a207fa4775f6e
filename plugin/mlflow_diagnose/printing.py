"""Where reports are printed: as text while the runs are judged, or as one document of them all."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

import click

from mlflow_diagnose.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from curve_analyzers.findings import Report

__all__ = ["opened", "print_html", "print_json", "print_text"]

SUMMARY_FROM = 4  # runs, from which a table of all of them follows their reports


@contextmanager
def opened(output: Path | None) -> Iterator[TextIO]:
    """Stdout, or a file, for as long as the context lasts.

    Raises:
        BadInputError: The file cannot be written.
    """
    if output is None:
        yield sys.stdout
        return
    try:
        file = output.open("w", encoding="utf-8", errors="replace")
    except OSError as error:
        raise BadInputError(f"--output {output} cannot be written: {error.strerror}") from error
    with file:
        yield file


def print_text(reports: Iterable[Report], file: TextIO) -> None:
    """Print each report as it comes, and, where they were many, a table of them."""
    from rich.console import Console  # noqa: PLC0415 - for text alone

    from mlflow_diagnose.writers.terminal import print_report, print_summary  # noqa: PLC0415 - the same

    console, printed = Console(file=file, highlight=False), []
    try:
        for report in reports:
            print_report(report, console)
            printed.append(report)
        if len(printed) >= SUMMARY_FROM:
            print_summary(printed, console)
    except SystemExit as closed:  # rich ends the program itself where nobody reads on
        raise BrokenPipeError from closed


def print_json(reports: Iterable[Report], failures: Sequence[tuple[str, str]], file: TextIO) -> None:
    """Print all reports, and the runs that failed while they were made, as one document."""
    from mlflow_diagnose.writers.json_ import to_text  # noqa: PLC0415 - for JSON alone

    file.write(to_text(list(reports), failures))


def print_html(reports: Iterable[Report], file: TextIO) -> None:
    """Print a page for each report, in UTF-8, as it says of itself, also where stdout has another encoding."""
    from mlflow_diagnose.report.page import page  # noqa: PLC0415 - matplotlib

    for report in reports:
        click.echo(page(report).encode("utf-8", "replace"), file=file, nl=False)
