"""Decide the thresholds of rules on the tuning part.

    PYTHONPATH=tests python -m accuracy.thresholds [RULE...] [--write]

Each threshold is tried at multiples of its value, all else as it is. What counts is the F1 of its rule on the runs of
the tuning part, and each healthy run wrongly called unhealthy costs as much as two missed faults. Of the values
that are as good as the best the one in the middle of the widest stretch is taken, as it is the furthest from failing;
the value that stands is kept where nothing is better. `--write` puts the chosen values into the rules' files.

The figures that are reported are measured on the part `held_out`, which this script does not read.
"""

from __future__ import annotations

import argparse
import inspect
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from accuracy.labelled import load
from accuracy.scores import Judged, Scores
from curve_analyzers.engine import apply, conclude, diagnose
from curve_analyzers.registry import all_rules, rule_named

if TYPE_CHECKING:
    from accuracy.labelled import LabelledRun
    from curve_analyzers.analyzer import Analyzer
    from curve_analyzers.findings import Report

MULTIPLES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.4, 1.7, 2.0)
AS_GOOD = 0.002  # of the score; less is chance


@dataclass(frozen=True, eq=False)
class Tuning:
    """The runs of the tuning part and their reports by the rules as they stand."""

    runs: Sequence[LabelledRun]
    reports: Sequence[Report]

    def score(self, rule: Analyzer) -> float:
        """The F1 of a rule on these runs, less what its false alarms on healthy runs cost."""
        rules = [rule if each.name == rule.name else each for each in all_rules()]
        place = [each.name for each in rules].index(rule.name)
        judged = [
            Judged(run, _again(report, rules, place)) for run, report in zip(self.runs, self.reports, strict=True)
        ]
        scores = Scores(judged)
        alarms = sum(
            any(finding.rule == rule.name and not each.right(finding) for finding in each.blamed)
            for each in scores.healthy()
        )
        own = next((each for each in scores.rules() if each.rule == rule.name), None)
        return (own.f1 - 2 * alarms / own.planted) if own else -float(alarms)


def _again(report: Report, rules: Sequence[Analyzer], place: int) -> Report:
    """The report where one rule is judged again and the others said what they said."""
    rule = rules[place]
    with np.errstate(all="ignore"):
        outcome, findings = apply(rule, report.run)
        others = [replace(finding, consequence_of=None) for finding in report.findings if finding.rule != rule.name]
        outcomes = [*report.outcomes[:place], outcome, *report.outcomes[place + 1 :]]
        return conclude(report.run, rules, outcomes, [*others, *findings])


def decide(tuning: Tuning, rule: Analyzer, name: str) -> tuple[float, dict[float, float]]:
    """The value for a threshold, and the score of each value tried."""
    stands = getattr(rule, name)
    tried: dict[float, float] = {}
    for multiple in MULTIPLES:
        value = float(f"{stands * multiple:.2g}")
        try:
            changed = replace(rule, **{name: value})
        except ValueError:  # out of the threshold's range
            continue
        tried.setdefault(value, tuning.score(changed))
    best = max(tried.values())
    if tried.get(stands, -1.0) >= best - AS_GOOD:
        return stands, tried
    values = list(tried)
    good = [tried[value] >= best - AS_GOOD for value in values]
    stretches = [
        (first, last)
        for first in range(len(values))
        for last in range(first, len(values))
        if all(good[first : last + 1])
    ]
    first, last = max(stretches, key=lambda stretch: stretch[1] - stretch[0])
    return values[(first + last) // 2], tried


def write(rule: Analyzer, name: str, value: float) -> None:
    """Put a threshold's value into the file of its rule."""
    path = Path(inspect.getfile(type(rule)))
    text = path.read_text("utf-8")
    changed, count = re.subn(
        rf"(^    {name}: float = threshold\(\s*)[-\d.e]+", rf"\g<1>{value:g}", text, flags=re.MULTILINE
    )
    if count != 1:
        raise RuntimeError(f"{path} does not set {name} once")
    path.write_text(changed, "utf-8")


def main() -> None:
    """Try every threshold of the rules named, or of all, and print what was found."""
    parser = argparse.ArgumentParser(prog="accuracy.thresholds", description="Decide thresholds on the tuning part.")
    parser.add_argument("rules", nargs="*", metavar="RULE")
    parser.add_argument("--write", action="store_true", help="put the chosen values into the rules' files")
    options = parser.parse_args()
    runs = load("tuning")
    tuning = Tuning(runs, [diagnose(run.prepared()) for run in runs])
    for rule in map(rule_named, options.rules) if options.rules else all_rules():
        for each in fields(rule):
            value, tried = decide(tuning, rule, each.name)
            stands = getattr(rule, each.name)
            told = "stays" if value == stands else f"becomes {value:g}"
            print(
                f"{rule.name}.{each.name} = {stands:g} {told}", {v: round(s, 3) for v, s in tried.items()}, flush=True
            )
            if options.write and value != stands:
                write(rule, each.name, value)


if __name__ == "__main__":
    main()
