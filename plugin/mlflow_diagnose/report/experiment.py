"""The page of many runs: one HTML file with a table to sort and to filter, and what the runs show together."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from markupsafe import Markup

import curve_analyzers
from curve_analyzers.findings import Severity
from mlflow_diagnose.report import texts, words
from mlflow_diagnose.report.rows import HEIGHT, WIDTH, Row
from mlflow_diagnose.report.templates import COLOURS, source, template

__all__ = ["SharedFinding", "experiment_page"]

MOST_DRAWN = 1000  # runs, from which on a page is too heavy with the curves of all
MOST_NAMED = 12  # runs of one finding


class SharedFinding(Protocol):
    """What a rule over many runs says; `runs` are the ids of those it rests on."""

    @property
    def rule(self) -> str: ...  # noqa: D102 - as of a finding of one run
    @property
    def severity(self) -> Severity: ...  # noqa: D102
    @property
    def confidence(self) -> float: ...  # noqa: D102
    @property
    def message(self) -> str: ...  # noqa: D102
    @property
    def runs(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def remedies(self) -> tuple[str, ...]: ...  # noqa: D102


def experiment_page(rows: Sequence[Row], findings: Sequence[SharedFinding] = (), title: str = "") -> str:
    """Show many runs as a self-contained HTML page, fit for a sandboxed frame; the runs that are worst come first.

    Its one script sorts and filters; nothing else in the page can run, and without it the table is still there.

    Args:
        rows: The runs.
        findings: What they show together.
        title: What the experiment or the folder is called.
    """
    ranked = sorted(rows, key=lambda row: (words.rank(row.status), row.verdict, row.name))
    names = {row.run_id: row.name for row in rows}
    script = source("experiment.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    html = template("experiment.html").render(
        rows=ranked,
        findings=[(finding, [names.get(run, run) for run in finding.runs]) for finding in findings],
        most_named=MOST_NAMED,
        title=title,
        words=words,
        t=texts,
        statuses=Counter(row.status for row in ranked),
        rules=sorted(
            Counter(rule for row in ranked for rule in row.rules).items(), key=lambda item: (-item[1], item[0])
        ),
        curves=_curves,
        most_drawn=MOST_DRAWN,
        script=Markup(script),  # noqa: S704 - our own
        script_hash=digest,
        colours=COLOURS,
        version=curve_analyzers.__version__,
    )
    return html.strip() + "\n"


def _curves(row: Row) -> Markup:
    """The small curves of a run, training solid and held-out data dashed, as an `<svg>`."""
    best = "" if row.best_x is None else f'<path class="b" d="M{row.best_x} 0V{HEIGHT}"/>'
    drawn = "".join(
        f'<path class="{kind}" d="{_path(points)}"/>'
        for kind, points in (("t", row.training), ("h", row.held_out))
        if points
    )
    if not drawn:
        return Markup("")
    return Markup(
        '<svg class="small" viewBox="-2 -2 {w} {h}" preserveAspectRatio="none" role="img" aria-label="{alt}">'
        "{drawn}</svg>"
    ).format(w=WIDTH + 4, h=HEIGHT + 4, alt="; ".join(row.ends), drawn=Markup(best + drawn))  # noqa: S704 - numbers of ours


def _path(points: bytes) -> str:
    """The path of `x, y, x, y, ...`; a dot where there is one point."""
    pairs = [f"{x} {y}" for x, y in zip(points[::2], points[1::2], strict=True)]
    return f"M{'L'.join(pairs)}" if len(pairs) > 1 else f"M{pairs[0]}h1"
