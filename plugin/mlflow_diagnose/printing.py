"""Where reports are printed: as text while the runs are judged, or as one document of them all."""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

import click

from curve_analyzers.saying import say
from mlflow_diagnose.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from curve_analyzers.findings import Report
    from mlflow_diagnose.comparison import Comparison
    from mlflow_diagnose.many import Counts
    from mlflow_diagnose.report.rows import Row

__all__ = [
    "REPORTS_UP_TO",
    "in_actions",
    "linked_row",
    "opened",
    "print_comparison",
    "print_html",
    "print_json",
    "print_line",
    "print_markdown",
    "print_table",
    "print_text",
    "told_to_github",
]

SUMMARY_FROM = 4  # runs, from which a table of all of them follows their reports
REPORTS_UP_TO = 50  # runs, above which the table is all that anyone reads
NOTES = 10  # of a run, as many as anyone reads


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


def print_table(judged: Iterable[tuple[Report, Mapping[str, Any]]], file: TextIO, counts: Counts) -> None:
    """Print the table of very many runs, what their readers had to leave out, and how many are in which state.

    Args:
        judged: Each run's report and its row, `linked_row`.
        file: Where to.
        counts: What became of the runs, once all of them are there.
    """
    from rich.console import Console  # noqa: PLC0415 - for text alone

    from mlflow_diagnose.writers.terminal import print_notes, print_summary, print_totals  # noqa: PLC0415 - the same

    console = Console(file=file, highlight=False)
    rows: list[Row] = []
    notes: list[str] = []
    for report, views in judged:
        rows.append(views["row"])
        notes += [say("{run}: {note}", run=report.run.run_id, note=note) for note in report.run.notes[:NOTES]]
    try:
        print_summary(rows, console)
        print_notes(notes, console)
        print_totals(counts.judged, counts.statuses, counts.written, counts.failed, console)
    except SystemExit as closed:  # as above
        raise BrokenPipeError from closed


def linked_row(tracking_uri: str, report: Report) -> Row:
    """The row of a report, with the place in MLflow's UI where its run can be looked at."""
    from mlflow_diagnose.report.rows import row_of, run_url  # noqa: PLC0415 - for many runs

    run = report.run
    return row_of(report, run_url(tracking_uri, run.experiment_id, run.run_id) if run.experiment_id else "")


def print_line(report: Report, file: TextIO, *, as_json: bool) -> None:
    """Print a report on one line, with the time before it, or as one line of JSON; at once, for whoever reads along."""
    if as_json:
        from mlflow_diagnose.writers.json_ import line  # noqa: PLC0415 - for JSON alone

        text = line(report)
    else:
        from mlflow_diagnose.report import words  # noqa: PLC0415 - for text alone

        verdict = "" if report.verdict == report.status else f"{words.title(report.verdict)}:"
        told = " ".join(filter(None, (words.title(report.status), verdict, words.brief(report))))
        text = f"{time.strftime('%Y-%m-%d %H:%M:%S')} {words.plain(report.run.name, 120)}: {told}"
    file.write(f"{text}\n")
    file.flush()


def in_actions() -> bool:
    """Whether this is a job of GitHub Actions."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def print_markdown(reports: Iterable[Report], file: TextIO) -> None:
    """Print one Markdown document of all reports."""
    from mlflow_diagnose.writers.github import defused, in_actions  # noqa: PLC0415 - for Markdown alone
    from mlflow_diagnose.writers.markdown import document, entry_of  # noqa: PLC0415 - the same

    text = document([entry_of(report) for report in reports])
    click.echo((defused(text) if in_actions() else text).encode("utf-8", "replace"), file=file, nl=False)


def told_to_github(reports: Iterable[Report]) -> Iterator[Report]:
    """The same reports; in a job of GitHub Actions each verdict as an annotation, and all in the job's summary."""
    if not in_actions():
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


def print_json(
    reports: Iterable[Report],
    failures: Sequence[tuple[str, str]],
    file: TextIO,
    comparison: Comparison | None = None,
) -> None:
    """Print all reports as they come, what they show together, and the runs that failed meanwhile, as one document."""
    from mlflow_diagnose.writers.json_ import stream  # noqa: PLC0415 - for JSON alone

    shown = (lambda: comparison.report) if comparison else None
    file.writelines(stream(reports, failures, shown))


def print_comparison(comparison: Comparison, file: TextIO) -> None:
    """Print what many runs show together."""
    from rich.console import Console  # noqa: PLC0415 - for text alone

    from mlflow_diagnose.writers.terminal_experiment import print_experiment  # noqa: PLC0415 - the same

    try:
        print_experiment(comparison.report, Console(file=file, highlight=False))
    except SystemExit as closed:  # as above
        raise BrokenPipeError from closed


def print_html(
    judged: Iterable[tuple[Report, Mapping[str, Any]]],
    file: TextIO,
    *,
    title: str = "",
    comparison: Comparison | None = None,
) -> None:
    """Print the page of a report, or of several the page of them all; in UTF-8, whatever encoding stdout has.

    Args:
        judged: Each run's report; with its row, `linked_row`, where several were asked for.
        file: Where to.
        title: What the page of several is called.
        comparison: What they show together, where they were compared.
    """
    from mlflow_diagnose.report.experiment import experiment_page  # noqa: PLC0415 - for HTML alone

    rows: list[Row] = []
    only: Report | None = None
    for report, views in judged:
        if "row" in views:
            rows.append(views["row"])
        else:
            only = report
    if only:
        from mlflow_diagnose.report.page import page  # noqa: PLC0415 - matplotlib

        html = page(only)
    else:
        html = experiment_page(rows, comparison.report.findings if comparison else (), title)
    click.echo(html.encode("utf-8", "replace"), file=file, nl=False)
