"""Where reports are printed: as text while the runs are judged, or as one document of them all."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

import click

from mlflow_diagnose.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from curve_analyzers.findings import Report
    from mlflow_diagnose.report.rows import Row

__all__ = ["opened", "print_html", "print_json", "print_markdown", "print_text", "told_to_github"]

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

    from mlflow_diagnose.report.rows import row_of  # noqa: PLC0415 - the same
    from mlflow_diagnose.writers.terminal import print_report, print_summary  # noqa: PLC0415 - the same

    console, rows = Console(file=file, highlight=False), []
    try:
        for report in reports:
            print_report(report, console)
            rows.append(row_of(report))
        if len(rows) >= SUMMARY_FROM:
            print_summary(rows, console)
    except SystemExit as closed:  # rich ends the program itself where nobody reads on
        raise BrokenPipeError from closed


def print_markdown(reports: Iterable[Report], file: TextIO) -> None:
    """Print one Markdown document of all reports."""
    from mlflow_diagnose.writers.github import defused, in_actions  # noqa: PLC0415 - for Markdown alone
    from mlflow_diagnose.writers.markdown import document, entry_of  # noqa: PLC0415 - the same

    text = document([entry_of(report) for report in reports])
    click.echo((defused(text) if in_actions() else text).encode("utf-8", "replace"), file=file, nl=False)


def told_to_github(reports: Iterable[Report]) -> Iterator[Report]:
    """The same reports; in a job of GitHub Actions each verdict as an annotation, and all in the job's summary."""
    if os.environ.get("GITHUB_ACTIONS") != "true":
        yield from reports
        return
    from mlflow_diagnose.writers.github import add_summary, annotation  # noqa: PLC0415 - only there
    from mlflow_diagnose.writers.markdown import document, entry_of  # noqa: PLC0415 - the same

    entries = []
    for report in reports:
        if line := annotation(report):
            # Not to stdout, which may be on its way to a file: the runner reads both.
            click.echo(line, err=True)
        entries.append(entry_of(report))
        yield report
    try:
        add_summary(document(entries) if entries else "")
    except OSError as error:
        click.echo(f"mlflow-diagnose: the summary of the job (GITHUB_STEP_SUMMARY) was left out: {error}", err=True)


def print_json(reports: Iterable[Report], failures: Sequence[tuple[str, str]], file: TextIO) -> None:
    """Print all reports, and the runs that failed while they were made, as one document."""
    from mlflow_diagnose.writers.json_ import to_text  # noqa: PLC0415 - for JSON alone

    file.write(to_text(list(reports), failures))


def print_html(reports: Iterable[Report], file: TextIO, *, title: str = "", tracking_uri: str | None = None) -> None:
    """Print the page of a report, or of several the page of them all; in UTF-8, whatever encoding stdout has.

    Args:
        reports: What was judged.
        file: Where to.
        title: What the page of several is called.
        tracking_uri: Of the runs, for links to MLflow's UI where it is a server's; None for the one MLflow would use.
    """
    from mlflow_diagnose.readers.tracking.uri import default_tracking_uri  # noqa: PLC0415 - for HTML alone
    from mlflow_diagnose.report.experiment import experiment_page  # noqa: PLC0415 - the same
    from mlflow_diagnose.report.rows import row_of, run_url  # noqa: PLC0415 - the same

    uri = default_tracking_uri() if tracking_uri is None else tracking_uri
    rows: list[Row] = []
    only: Report | None = None
    for report in reports:
        run = report.run
        only = None if rows else report
        rows.append(row_of(report, run_url(uri, run.experiment_id, run.run_id) if run.experiment_id else ""))
    if only:
        from mlflow_diagnose.report.page import page  # noqa: PLC0415 - matplotlib

        html = page(only)
    else:
        html = experiment_page(rows, title=title)
    click.echo(html.encode("utf-8", "replace"), file=file, nl=False)
