"""A report as the tab shows it: in the words of the report's page, as plain values that become text nodes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from mlflow_diagnose.report import words
from mlflow_diagnose.report.caption import caption
from mlflow_diagnose.report.dispute import dispute
from mlflow_diagnose.report.panels import plan
from mlflow_diagnose.report.templates import paragraphs, themed
from mlflow_diagnose.tensorboard_plugin.rows import Line, Row

if TYPE_CHECKING:
    from curve_analyzers.findings import Finding, Report
    from curve_analyzers.model import Floats
    from mlflow_diagnose.report.plans import Panel, Plan

__all__ = ["Answer", "answer_of", "chart_of", "row_of"]

MOST_LISTED = 200  # params, and curves without a role, before the rest is only counted
MOST_CURVES = 8  # named under a finding
MOST_NOTES = 50
SMALL = 40  # columns of a row's small picture
SMALL_LINES = 2
BRIEF = 160


@dataclass(frozen=True)
class Answer:
    """All that the tab shows of a run.

    Attributes:
        body: As JSON.
        tag: Changes when the body does.
        charts: Its chart by width, as far as it was drawn.
    """

    body: str
    tag: str
    charts: dict[str, str] = field(default_factory=dict)


def row_of(report: Report) -> Row:
    """The run in the list."""
    brief = report.main.brief if report.main else ""
    if report.status == "insufficient_data":
        brief = "; ".join(reason for reason, _ in words.not_checked(report)[:1])
    if report.status == "healthy":
        checked = len(report.outcomes) - len(report.not_checked)
        brief = brief or f"{checked} of {words.count(len(report.outcomes), 'rule')} could be checked"
    shown = plan(report, SMALL)
    lines = _small(shown, shown.panels[0]) if shown.panels else ()
    best = words.best_step(report)
    return Row(report.run.run_id, report.status, words.headline(report), words.plain(brief, BRIEF), best, lines)


def answer_of(report: Report, config: str = "") -> Answer:
    """The diagnosis in full.

    Args:
        report: The diagnosis.
        config: The file that says how it was made; empty for none.
    """
    run = report.run
    first = report.main.remedies[0] if report.main and report.main.remedies else ""
    if report.status == "insufficient_data":
        first = words.LOG_MORE
    others = sorted(set(run.curves) - set(run.roles.values()))
    params = sorted(run.params.items())
    told = {
        "state": "ready",
        "id": run.run_id,
        "name": words.plain(run.name, 120),
        "status": report.status,
        "status_word": words.title(report.status),
        "headline": words.headline(report),
        "lead": words.plain(report.main.message if report.main else words.verdict(report)),
        "sentence": words.plain(words.verdict(report)) if report.main else "",
        "first": words.plain(first),
        "signs": [
            {
                "question": words.SIGNS[name][0] if name in words.SIGNS else words.title(name),
                "value": sign.value,
                "because": words.plain(sign.because),
            }
            for name, sign in report.vital_signs.items()
        ],
        "chart": words.chart_in_words(report) if run.roles else "",
        "caption": caption(report),
        "findings": [
            {**_finding(cause.finding), "consequences": [_finding(each) for each in cause.consequences]}
            for cause in words.causes(report)
        ],
        "reading": [words.plain(sentence) for sentence in report.reading],
        "not_checked": [
            {"reason": reason, "rules": words.names(outcomes)} for reason, outcomes in words.not_checked(report)
        ],
        "not_checked_count": words.count(len(report.not_checked), "rule"),
        "roles": [
            {"role": role.name, "curve": words.plain(name, 160), "points": _points(report, name)}
            for role, name in run.roles.items()
        ],
        "roles_count": words.count(len(run.roles), "curve"),
        "config": words.plain(config),
        **_dispute(report),
        "notes": [words.plain(note) for note in run.notes[:MOST_NOTES]],
        "others": [words.plain(name, 80) for name in others[:MOST_LISTED]],
        "others_left": max(len(others) - MOST_LISTED, 0),
        "params": [[words.plain(name, 120), words.plain(value)] for name, value in params[:MOST_LISTED]],
        "params_left": max(len(params) - MOST_LISTED, 0),
    }
    body = json.dumps(told, allow_nan=False)
    return Answer(body, hashlib.blake2b(body.encode(), digest_size=12).hexdigest())


def chart_of(report: Report, answer: Answer, width: str) -> str:
    """The annotated curves as an `<svg>` in the variables of the tab's colours, for a `wide` or a `narrow` page."""
    if width not in answer.charts:
        from mlflow_diagnose.report.chart import NARROW, WIDE, chart_svg  # noqa: PLC0415 - matplotlib

        answer.charts[width] = themed(chart_svg(report, NARROW if width == "narrow" else WIDE))
    return answer.charts[width]


def _dispute(report: Report) -> dict[str, Any]:
    """What of the file with the settings the diagnosis rests on, and the lines that would change it."""
    told = dispute(report)
    thresholds = [
        {**asdict(each), "rule": words.title(each.rule).capitalize(), "meaning": words.plain(each.meaning)}
        for each in told.thresholds
    ]
    return {"thresholds": thresholds, "role_lines": list(told.role_lines), "lines": list(told.config)}


def _finding(finding: Finding) -> dict[str, Any]:
    curves = finding.span.curves
    return {
        "title": words.title(finding.rule).capitalize(),
        "severity": finding.severity.word,
        "brief": words.plain(finding.brief),
        "message": words.plain(finding.message),
        "evidence": [[words.title(name), words.number(value)] for name, value in finding.evidence.items()],
        "why": paragraphs(finding.rule, "Why it matters"),
        "try": [words.plain(remedy) for remedy in finding.remedies],
        "wrong": paragraphs(finding.rule, "When it is wrong"),
        "steps": words.steps(finding.span),
        "confidence": words.confidence(finding),
        "curves": [words.plain(name, 80) for name in curves[:MOST_CURVES]],
        "more_curves": max(len(curves) - MOST_CURVES, 0),
    }


def _points(report: Report, name: str) -> list[str]:
    """How many points a curve has, and what became of others."""
    curve = report.run.curves[name]
    told = [f"{len(curve):,}"]
    if curve.rewound:
        told.append(f"{curve.rewound:,} written over")
    if curve.duplicates:
        told.append(f"{curve.duplicates:,} merged")
    return told


def _small(shown: Plan, panel: Panel) -> tuple[Line, ...]:
    """The first curves of a panel, their places in a picture of 100 by 100."""
    across = np.array([shown.axis.low, shown.axis.high])
    upward = np.array([panel.low, panel.high])
    if panel.log:
        upward = np.log(upward)
    lines = []
    for line in [line for line in panel.lines if len(line.x)][:SMALL_LINES]:
        y = line.y.clip(panel.low, panel.high)
        x, y = _share(line.x, across), 100 - _share(np.log(y) if panel.log else y, upward)
        few = np.unique(np.linspace(0, len(x) - 1, 2 * SMALL).astype(int))
        points = np.stack([x[few], y[few]], axis=1).round().astype(int)
        lines.append(Line(line.split.value, tuple(points.ravel().tolist())))
    return tuple(lines)


def _share(values: Floats, ends: Floats) -> Floats:
    """Where values lie between two ends, in hundredths."""
    return np.asarray(100 * (values - ends[0]) / ((ends[1] - ends[0]) or 1.0)).clip(0, 100)
