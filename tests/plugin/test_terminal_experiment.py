"""What many runs show together, on a terminal and in a pipe."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

import reports
import sweeps
from curve_analyzers.experiment.engine import compare
from mlflow_diagnose.writers.terminal_experiment import print_experiment


def printed(report, **options):
    """A report as it is printed."""
    file = io.StringIO()
    print_experiment(report, Console(file=file, highlight=False, **options))
    return file.getvalue()


def test_findings_come_with_runs_and_what_to_try():
    """The count, the finding in a sentence, the runs it rests on, what to try, and what could not be told."""
    text = printed(compare(sweeps.summaries("layers_dropout")))
    lines = text.splitlines()
    assert lines[:2] == ["", "16 runs compared, by val_loss"]
    assert "  capacity without gain (warning, 90 % confidence)" in lines
    assert "under dropout 0.6: they are held down more the larger they are." in text
    assert "    what to try first" in lines
    assert "      1. Turn dropout and weight decay down together with the growth of the model" in text
    assert "  learning rate decides: no learning rate was varied" in lines
    assert any(line.startswith("    runs: ") and line.endswith(" more") for line in lines)


def test_runs_left_out_are_told():
    """And with nothing to compare, that is what it says."""
    text = printed(compare([replace(run, scores={}) for run in sweeps.summaries("seeds")]))
    assert text.splitlines()[1:3] == ["0 runs compared", "  left out: 12 runs without a loss or a score"]
    assert "  best run: cannot tell with 0 runs that can be compared; 2 are needed" in text.splitlines()
    assert "learning rate decides, metric rank disagreement, outlier run" in text


@pytest.mark.parametrize("name", [reports.SCRIPT, reports.MARKUP, reports.ANSI, reports.JAPANESE])
def test_hostile_names_are_text(name):
    """Names of runs and params from a log print as text, without escapes."""
    runs = [
        replace(run, name=name, params={name: run.params["lr"], "seed": run.params["seed"]})
        for run in sweeps.summaries("rate_adam")
    ]
    for terminal in (False, True):
        text = printed(compare(runs), force_terminal=terminal, width=80, color_system=None)
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "18 runs compared" in text
