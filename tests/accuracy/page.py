"""The tables of accuracy, in Markdown, as they stand in analyzers/README.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from accuracy.scores import Judged, Scores

__all__ = ["HEADING", "section", "tables"]

HEADING = "## How right they are"
ABOUT = """\
Measured on really trained models with one planted fault each, or none, of
[fixtures/labelled](../fixtures/labelled/README.md): on the part whose runs, seeds and data sets were not looked at
when rules were written, thresholds decided (`python -m accuracy.thresholds`) and confidences calibrated
(`python -m accuracy.calibrate`). A finding is right where its fault was planted, is there by construction as well, or
is true of the run by the training's own loss on data that no user sees; what it explains is not counted. Recall counts
the runs in which the fault had an effect on the training, measured beside the same training without it.
"""


def section(scores: Scores) -> str:
    """The section of analyzers/README.md."""
    return f"{HEADING}\n\n{ABOUT}\n{tables(scores)}\n"


def tables(scores: Scores) -> str:
    """Figures of a part: in all, for each rule, the confusions of verdicts, the calibration of confidence."""
    healthy, alarms = scores.healthy(), scores.false_alarms()
    warned = sum(any(each.blamed) for each in healthy)
    lines = [
        f"- {len(scores.judged)} runs, {len(healthy)} of them healthy",
        f"- macro-F1 over {len(scores.rules())} planted faults: {scores.macro_f1():.3f}",
        f"- healthy runs with a warning that is not true of them: {_share(len(alarms), healthy)}",
        f"- healthy runs with any warning, as of hours in which nothing was gained: {_share(warned, healthy)}",
        f"- the planted fault, where it shows, is the verdict in {scores.verdict_share():.1%}",
        "",
        "| rule | runs | precision | recall | F1 | is the verdict |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| `{rule.rule}` | {rule.planted} | {rule.precision:.2f} | {rule.recall:.2f} | {rule.f1:.2f} "
        f"| {rule.verdicts / rule.planted:.0%} |"
        for rule in scores.rules()
    ]
    lines += ["", "| was | was called | runs |", "|---|---|---|"]
    lines += [f"| `{label}` | `{verdict}` | {count} |" for (label, verdict), count in _sorted(scores)]
    lines += ["", "| confidence | findings | mean confidence | right |", "|---|---|---|---|"]
    lines += [
        f"| {each.low:.2f} to {each.high:.2f} | {each.count} | {each.confidence:.2f} | {each.right:.2f} |"
        for each in scores.calibration()
    ]
    return "\n".join(lines)


def _share(count: int, runs: Sequence[Judged]) -> str:
    return f"{count} ({count / max(len(runs), 1):.1%})"


def _sorted(scores: Scores) -> list[tuple[tuple[str, str], int]]:
    """The confusions, the most frequent first, then by name."""
    return sorted(scores.confusions().items(), key=lambda item: (-item[1], item[0]))
