"""How to dispute a verdict: the commands and config lines with which a run is judged otherwise."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, fields

from curve_analyzers.findings import Report, Severity
from curve_analyzers.registry import rule_named
from curve_analyzers.saying import Said
from mlflow_diagnose.config import CONFIG
from mlflow_diagnose.report.words import plain

__all__ = ["Dispute", "Threshold", "dispute"]

LONGEST = 200  # of a name in a command; a longer one is not to be typed


@dataclass(frozen=True, slots=True)
class Threshold:
    """A number by which a rule that spoke has judged."""

    rule: str
    name: str
    value: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Dispute:
    """What to type.

    Attributes:
        map_command: Judges again with another role for a curve.
        thresholds: What the rules judged by that found something.
        role_lines: The lines of a config file that give this curve the role it was taken to have.
        config: The lines of a config file that set these thresholds as they are.
        config_command: Judges again by that file.
        ignore_command: Judges again without the verdict's rule; empty where there is none.
    """

    map_command: str
    thresholds: tuple[Threshold, ...]
    role_lines: tuple[str, ...]
    config: tuple[str, ...]
    config_command: str
    ignore_command: str


def dispute(report: Report) -> Dispute:
    """How to judge a run otherwise than its report does."""
    run = report.run
    command = f"mlflow-diagnose {_word(run.run_id)}"
    if run.source == "tensorboard":
        command = f"mlflow-diagnose --logdir LOGDIR {_word(run.run_id)}"
    spoke = {finding.rule for finding in report.findings if finding.severity > Severity.INFO}
    thresholds = tuple(
        Threshold(outcome.rule, name, f"{value:g}", meaning)
        for outcome in report.outcomes
        if outcome.rule in spoke
        for name, value in outcome.thresholds.items()
        for meaning in [plain(Said(_meanings(outcome.rule).get(name, ""), {}))]
    )
    lines: list[str] = []
    for threshold in thresholds:
        head = f"[rules.{threshold.rule}]"
        lines += [] if head in lines else ["", head] if lines else [head]
        lines.append(f"{threshold.name} = {threshold.value}")
    judged = next((role for finding in report.findings for role in _roles(report, finding.span.curves)), None)
    role, name = judged or next(((role.name, name) for role, name in run.roles.items()), ("val_loss", "my_metric"))
    told = f"{command} --ignore {_word(report.verdict)}" if report.main else ""
    return Dispute(
        map_command=f"{command} --map {_word(f'{name}={role}')}",
        thresholds=thresholds,
        role_lines=("[roles]", f"{json.dumps(plain(name, LONGEST), ensure_ascii=False)} = {json.dumps(role)}"),
        config=tuple(lines),
        config_command=f"{command} --config {CONFIG}",
        ignore_command=told,
    )


def _roles(report: Report, names: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(role.name, name) for role, name in report.run.roles.items() if name in names]


def _meanings(rule: str) -> dict[str, str]:
    try:
        return {each.name: each.metadata["meaning"] for each in fields(rule_named(rule))}
    except ValueError:  # it is not installed any more
        return {}


def _word(text: str) -> str:
    """A text from a log as one word of a shell."""
    return shlex.quote(plain(text, LONGEST))
