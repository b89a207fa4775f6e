"""Reports in the terminal."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from rich.cells import cell_len
from rich.console import Console

import reports
from mlflow_diagnose.report.rows import row_of
from mlflow_diagnose.writers.small_curves import blocks, braille
from mlflow_diagnose.writers.terminal import print_report, print_summary


def printed(show, what, *, encoding: str = "utf-8", **console) -> str:
    """What arrives at an output of a given encoding; piped unless told otherwise."""
    buffer = io.BytesIO()
    stream = io.TextIOWrapper(buffer, encoding=encoding, newline="\n")
    show(what, Console(file=stream, _environ={}, **console))
    stream.flush()
    return buffer.getvalue().decode(encoding)


def test_verdict_comes_first_then_what_to_try():
    """A piped report can be read from the top and searched by line."""
    report = reports.overfitting()
    lines = printed(print_report, report).splitlines()
    order = [
        "✗ mobilenet-finetune: This run shows overfitting (96 % confidence).",
        "  ✓ training loss falls: yes, 2.22 to 0.03 over 60 steps, and still falling in the last fifth",
        "  ✗ held-out loss falls: no, best at step 24, 61 % higher at the end",
        "  overfitting (critical, steps 24 to 59, 96 % confidence)",
        f"    {report.findings[0].message}",
        "    what to try first",
        f"      1. {report.findings[0].remedies[0]}",
        "    and so loss metric disagreement: accuracy still up since step 24",
        "  missing metric (info, steps 0 to 59, 90 % confidence)",
        (
            "  not checked: 3 rules (no gradient norm was logged: exploding gradients, vanishing gradients;"
            " no system metrics were logged: gpu underused)"
        ),
    ]
    assert [line for line in lines if line in order] == order
    assert lines[0] == order[0]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("healthy", "✓ baseline: 5 rules looked at this run and found nothing wrong; 1 other could not be checked."),
        ("insufficient", "? notebook-test: The run cannot be called healthy or unhealthy: no loss or score; no curve."),
    ],
)
def test_verdict_without_a_fault(name, expected):
    """Not checked is not healthy, and both say what they rest on."""
    assert printed(print_report, reports.SAMPLES[name]()).splitlines()[0] == expected


def test_what_is_missing_is_asked_for():
    """A run that cannot be judged is told what to log."""
    assert "what to try first: Log the training loss and a held-out loss" in printed(
        print_report, reports.insufficient()
    )


@pytest.mark.parametrize("width", [40, 80, 200])
def test_terminal_wraps_at_its_width(width):
    """Coloured, and no line longer than the screen nor ended with blanks."""
    text = printed(print_report, reports.overfitting(), force_terminal=True, width=width, color_system="standard")
    assert "\x1b[" in text
    lines = re.sub(r"\x1b\[[\d;]*m", "", text).splitlines()
    assert max(cell_len(line) for line in lines) <= width
    assert lines == [line.rstrip() for line in lines]


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
@pytest.mark.parametrize("name", reports.SAMPLES)
def test_any_encoding_prints(name, encoding):
    """An output that has no check mark gets a letter, and no name from a log stops it."""
    text = printed(print_report, reports.SAMPLES[name](), encoding=encoding)
    text += printed(print_summary, [row_of(reports.SAMPLES[name]())], encoding=encoding)
    assert text.isascii() or encoding != "ascii"
    if name == "healthy":
        assert text.startswith("✓ baseline" if encoding == "utf-8" else "+ baseline")


@pytest.mark.parametrize("terminal", [True, False])
def test_hostile_names_are_text(terminal):
    """Markup is printed, not obeyed; no escape of a log reaches the terminal."""
    text = printed(
        lambda report, console: (print_report(report, console), print_summary([row_of(report)], console)),
        reports.hostile(),
        force_terminal=terminal,
        width=4000,
        color_system="standard" if terminal else None,
    )
    assert reports.SCRIPT in text
    assert reports.MARKUP in text
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", re.sub(r"\x1b\[[\d;]*m", "", text))
    assert ("\x1b" in text) is terminal


def test_summary_has_a_line_for_each_run_worst_first():
    """Aligned, uncut, and without blanks at the ends of lines when piped."""
    made = [reports.healthy(), reports.insufficient(), reports.overfitting(), reports.not_a_number()]
    assert printed(print_summary, [row_of(report) for report in made]).splitlines() == [
        "run                 status             verdict      what",
        "mobilenet-finetune  critical           overfitting  +61 % since step 24",
        "transformer-big     critical           divergence   up since step 2,500",
        "notebook-test       insufficient data               no loss or score",
        "baseline            healthy",
    ]


def test_what_the_reader_left_out_is_told():
    """A cut-off file or a deleted run changes what a diagnosis is worth."""
    report = reports.healthy()
    cut = replace(report, run=replace(report.run, notes=[f"file {n}: the last record is cut off" for n in range(12)]))
    text = printed(print_report, cut)
    assert "note: file 0: the last record is cut off" in text
    assert "and 2 other notes" in text


@pytest.mark.parametrize(("terminal", "encoding"), [(True, "utf-8"), (False, "utf-8"), (True, "cp1252")])
def test_curves_are_drawn_where_they_show(terminal, encoding):
    """On a terminal that has the letters; piped, the output is text alone."""
    options = {"force_terminal": terminal, "width": 100, "color_system": "standard" if terminal else None}
    text = printed(print_report, reports.overfitting(), encoding=encoding, **options)
    text += printed(print_summary, [row_of(reports.overfitting())], encoding=encoding, **options)
    shows = terminal and encoding == "utf-8"
    assert bool(re.search(r"[\u2801-\u28ff]", text)) is shows
    assert bool(re.search(r"[▁▂▃▄▅▆▇█]{12}", text)) is shows
    assert bool(re.search(r"eval/loss 2\.\d+ to 1\.\d+ \(dashed\)", text)) is shows


def test_a_curve_in_letters_goes_the_way_of_the_curve():
    """The table's small curve falls and rises again; the report's has its dots at both ends of the box."""
    row = row_of(reports.overfitting())
    small = blocks(row, 12)
    assert small[0] == "█"
    assert "▁" in small[3:7]
    assert small[-1] > small[5]
    lines = ["".join(letter for letter, _ in line) for line in braille(row)]
    assert lines[0][0] != " "
    assert all(len(line) == 50 for line in lines)


def test_a_narrow_terminal_draws_nothing_it_cannot():
    """Forty columns have no room for the curves, and every line still fits."""
    text = printed(print_report, reports.overfitting(), force_terminal=True, width=40, color_system=None)
    assert not re.search(r"[\u2801-\u28ff]", text)


def test_no_name_is_a_command_to_github(monkeypatch):
    """In a job of GitHub Actions a run cannot be named to stop the job's log."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    report = reports.healthy()
    evil = replace(report, run=replace(report.run, name="::stop-commands::x"))
    text = printed(print_summary, [row_of(evil)]) + printed(print_report, evil)
    assert "::" not in text
