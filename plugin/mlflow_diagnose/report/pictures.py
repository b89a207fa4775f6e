"""The pictures of the rule reference, each of the first run that a rule speaks on.

`python -m mlflow_diagnose.report.pictures analyzers/pictures` draws those that are missing or no longer true.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from curve_analyzers.analyzer import Analyzer
from curve_analyzers.engine import diagnose
from curve_analyzers.examples import Example
from curve_analyzers.findings import Report
from curve_analyzers.registry import all_rules
from mlflow_diagnose.report.chart import chart_svg
from mlflow_diagnose.report.templates import COLOURS

__all__ = ["MANIFEST", "draw", "fingerprint", "pictured", "stale"]

MANIFEST = "manifest.json"
WIDTH = 5.6  # inches
FONTS = "'DejaVu Sans', Verdana, 'Segoe UI', Helvetica, Arial, sans-serif"
DIGITS = 6  # in which every machine computes the same curves


def pictured() -> dict[str, Report]:
    """By rule, what it says of the first example it speaks on; rules over many runs have no curves to show."""
    examples = {rule: rule.fires[0] for rule in all_rules() if rule.fires and isinstance(rule.fires[0], Example)}
    return {rule.name: _judged(rule, example) for rule, example in examples.items()}


def draw(report: Report) -> str:
    """The picture of a report as an SVG file on a background of its own."""
    svg = chart_svg(report, WIDTH).replace("'DejaVu Sans'", FONTS)
    start = svg.index(">") + 1
    paper = f'<rect width="100%" height="100%" fill="{COLOURS["paper"]}"/>'
    return f"{svg[:start]}\n {paper}{svg[start:]}\n"


def fingerprint(report: Report) -> str:
    """What a picture is drawn from: it changes when the example does, or what the rule says of it."""
    told = hashlib.sha256()
    for name, curve in sorted(report.run.curves.items()):
        values = " ".join(f"{value:.{DIGITS}g}" for value in curve.values)
        told.update(f"{name}: {curve.steps.tolist()} {values}\n".encode())
    for finding in report.findings:
        told.update(f"{finding.rule} {finding.severity.word} {finding.span} {finding.brief}\n".encode())
    return told.hexdigest()[:16]


def stale(folder: Path) -> Iterator[str]:
    """The rules whose picture is missing or shows what is no longer so, and pictures of rules that are gone."""
    file = folder / MANIFEST
    drawn = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    now = {name: fingerprint(report) for name, report in pictured().items()}
    for name in sorted({*now, *drawn, *(path.stem for path in folder.glob("*.svg"))}):
        if now.get(name) != drawn.get(name) or not (folder / f"{name}.svg").is_file():
            yield name


def main(folder: Path) -> None:
    """Bring the pictures in a folder up to date."""
    folder.mkdir(parents=True, exist_ok=True)
    reports = pictured()
    for name in list(stale(folder)):
        file = folder / f"{name}.svg"
        if name in reports:
            file.write_text(draw(reports[name]), "utf-8")
        else:
            file.unlink(missing_ok=True)
        print(file)  # noqa: T201 - what it did
    manifest = {name: fingerprint(report) for name, report in reports.items()}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n", "utf-8")


def _judged(rule: Analyzer, example: Example) -> Report:
    return diagnose(example.run.build(), [rule])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
