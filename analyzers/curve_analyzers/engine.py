"""From a run and the rules to a report: every rule's outcome, the root cause, the verdict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from curve_analyzers.analyzer import Analyzer
from curve_analyzers.calibration import calibrated
from curve_analyzers.findings import Finding, Outcome, Report, Severity, Status
from curve_analyzers.fingerprint import fingerprint
from curve_analyzers.model import RunCurves
from curve_analyzers.reading import read_value
from curve_analyzers.registry import all_rules, family_order
from curve_analyzers.vital_signs import vital_signs

__all__ = ["HEALTHY", "INSUFFICIENT", "apply", "conclude", "diagnose"]

HEALTHY = "healthy"
INSUFFICIENT = "insufficient_data"


def diagnose(run: RunCurves, rules: Sequence[Analyzer] | None = None) -> Report:
    """Judge a run by all rules; a rule that raises is reported as crashed and costs the others nothing.

    Args:
        run: The run.
        rules: The rules to judge by; all, with their default thresholds, where None.
    """
    rules = all_rules() if rules is None else rules
    found: list[Finding] = []
    outcomes: list[Outcome] = []
    with np.errstate(all="ignore"):  # real logs hold 1e308; a rule compares, and inf compares well
        for rule in rules:
            outcome, findings = apply(rule, run)
            outcomes.append(outcome)
            found += findings
        return conclude(run, rules, outcomes, found)


def conclude(
    run: RunCurves, rules: Sequence[Analyzer], outcomes: Sequence[Outcome], found: Sequence[Finding]
) -> Report:
    """The report of a run from what its rules found: causes and consequences, the verdict, the vital signs.

    Args:
        run: The run.
        rules: The rules it was judged by.
        outcomes: How each of them ended, in their order.
        found: What they found, in any order.
    """
    ordered = _by_cause(_with_causes(found, rules), rules)
    judged = any(
        outcome.status in {Status.CLEAR, Status.FOUND} and rule.vouches
        for rule, outcome in zip(rules, outcomes, strict=True)
    )
    verdict, status = _verdict(ordered, judged=judged)
    signs, reading = vital_signs(run), read_value(run)
    return Report(run, verdict, status, ordered, tuple(outcomes), signs, reading, fingerprint(run, rules))


def apply(rule: Analyzer, run: RunCurves) -> tuple[Outcome, list[Finding]]:
    """How one rule ends on a run, and what it finds; one that raises is crashed."""
    try:
        if reason := rule.skip_reason(run):
            return Outcome(rule.name, Status.SKIPPED, reason), []
        said = [replace(each, confidence=calibrated(rule.name, each.confidence)) for each in rule.check(run)]
        findings = sorted(said, key=lambda finding: (-finding.severity, -finding.confidence))
    except Exception as error:  # noqa: BLE001 - one rule's bug is not the run's
        return Outcome(rule.name, Status.CRASHED, f"{type(error).__name__}: {error}"), []
    return Outcome(rule.name, Status.FOUND if findings else Status.CLEAR, thresholds=rule.thresholds), findings


def _with_causes(found: Sequence[Finding], rules: Iterable[Analyzer]) -> list[Finding]:
    """Every finding of a rule that another finding's rule explains, marked as the consequence of the root of it."""
    by_name = {rule.name: rule for rule in rules}
    serious = {finding.rule: finding for finding in reversed(found) if finding.severity > Severity.INFO}

    def explains(cause: Finding, effect: Finding) -> bool:
        effects = by_name[cause.rule].explains
        return cause.rule != effect.rule and (effect.rule in effects or by_name[effect.rule].family in effects)

    def cause_of(effect: Finding, below: frozenset[str]) -> str | None:
        causes = [
            cause
            for cause in serious.values()
            if cause.rule not in below
            and explains(cause, effect)
            # Of two that explain each other, the one that was first to be seen is the cause.
            and not (explains(effect, cause) and _onset(effect) < _onset(cause))
        ]
        if not causes:
            return None
        nearest = max(causes, key=lambda cause: (cause.severity, cause.confidence))
        return cause_of(nearest, below | {effect.rule}) or nearest.rule

    causes = [cause_of(finding, frozenset({finding.rule})) for finding in found]
    roots = {
        finding.rule: cause
        for finding, cause in zip(found, causes, strict=True)
        if serious.get(finding.rule) is finding
    }
    # Rules that explain each other in a circle have no root: of these too the one that was first to be seen is it.
    circle = {cause for cause in roots.values() if cause is not None and roots[cause] is not None}
    if circle:
        first = min((serious[rule] for rule in circle), key=_onset).rule
        causes = [
            None if finding.rule == first else first if cause in circle else cause
            for finding, cause in zip(found, causes, strict=True)
        ]
    return [replace(finding, consequence_of=cause) for finding, cause in zip(found, causes, strict=True)]


def _onset(finding: Finding) -> tuple[int, str]:
    return finding.span.first_step, finding.rule


def _by_cause(found: Sequence[Finding], rules: Iterable[Analyzer]) -> tuple[Finding, ...]:
    """Causes by weight, each followed by its consequences."""
    families = {rule.name: family_order(rule.family) for rule in rules}

    def weight(finding: Finding) -> tuple[int, int, float]:
        return -finding.severity, families[finding.rule], -finding.confidence

    causes = sorted((finding for finding in found if finding.consequence_of is None), key=weight)
    effects = sorted((finding for finding in found if finding.consequence_of is not None), key=weight)
    ordered: list[Finding] = []
    for cause in causes:
        first_of_rule = all(cause.rule != other.rule for other in ordered)
        ordered.append(cause)
        if first_of_rule:
            ordered += [effect for effect in effects if effect.consequence_of == cause.rule]
    return tuple(ordered)


def _verdict(findings: Sequence[Finding], *, judged: bool) -> tuple[str, str]:
    causes = [f for f in findings if f.consequence_of is None and f.severity > Severity.INFO]
    if causes:
        return causes[0].rule, causes[0].severity.word
    return (HEALTHY, HEALTHY) if judged else (INSUFFICIENT, INSUFFICIENT)
