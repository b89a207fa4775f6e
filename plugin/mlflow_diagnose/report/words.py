"""The words of a diagnosis, the same on the page, in the terminal and in the chart."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from curve_analyzers.findings import Finding, Outcome, Report, Span, Status
from curve_analyzers.model import StepUnit
from curve_analyzers.wording import count
from mlflow_diagnose.report import texts

__all__ = [
    "LOG_MORE",
    "SIGNS",
    "Cause",
    "best_step",
    "brief",
    "causes",
    "chart_in_words",
    "confidence",
    "count",
    "headline",
    "names",
    "not_checked",
    "number",
    "plain",
    "rank",
    "right",
    "steps",
    "title",
    "verdict",
]

# Each vital sign as a question that yes answers well, and as a short label.
SIGNS = {
    "loss_falls": ("Does the training loss keep falling?", "training loss falls"),
    "val_falls": ("Does the held-out loss fall too?", "held-out loss falls"),
    "metrics_agree": ("Do accuracy, F1 and the other scores agree?", "scores agree"),
}
LOG_MORE = (
    "Log the training loss and a held-out loss once per epoch or more often, each under a name that says what it is,"
    " such as train_loss and val_loss."
)
ESCAPE = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[@-_]")
LONGEST = 600
THOUSAND = 1000
WORST_FIRST = ("critical", "warning", "insufficient_data", "healthy")


@dataclass(frozen=True, slots=True)
class Cause:
    """A finding and the findings it explains."""

    finding: Finding
    consequences: tuple[Finding, ...]


def plain(text: object, longest: int = LONGEST) -> str:
    """A text from a log as one line that is safe to print.

    Terminal escapes, control characters and marks that turn the direction of writing are dropped; what is longer
    than `longest` characters loses its middle.
    """
    bare = ESCAPE.sub("", str(text)[: 20 * LONGEST])
    shown = "".join(" " if char.isspace() else char for char in bare if char.isspace() or _prints(char))
    line = " ".join(shown.split())
    if len(line) <= longest:
        return line
    tail = longest // 3
    return f"{line[: longest - tail - 1]}…{line[-tail:]}"


def title(name: str) -> str:
    """A name of a rule, a status or an evidence number as people write it, `loss spikes`."""
    return plain(name, 60).replace("_", " ")


def headline(report: Report) -> str:
    """The verdict in a few words: `Overfitting`, `Nothing wrong found`."""
    if report.verdict == "healthy":
        return "Nothing wrong found"
    if report.verdict == "insufficient_data":
        return "Too little logged to judge"
    words = title(report.verdict)
    return words[:1].upper() + words[1:]


def verdict(report: Report) -> str:
    """The verdict in a sentence, its confidence with it."""
    ran = sum(outcome.status in {Status.CLEAR, Status.FOUND} for outcome in report.outcomes)
    if report.main is not None:
        return f"This run shows {title(report.verdict)} ({confidence(report.main)})."
    if report.verdict == "healthy":
        left = len(report.not_checked)
        rest = f"; {count(left, 'other')} could not be checked" if left else ""
        return f"{count(ran, 'rule')} looked at this run and found nothing wrong{rest}."
    if report.verdict == "insufficient_data":
        reasons = "; ".join(reason for reason, _ in not_checked(report)[:2])
        return "The run cannot be called healthy or unhealthy" + (f": {reasons}." if reasons else ".")
    return f"This run shows {title(report.verdict)}."


def confidence(finding: Finding) -> str:
    """`93 % confidence`."""
    return f"{right(finding)} % confidence"


def right(finding: Finding) -> int:
    """How many of 100 such findings are right; never all of them."""
    return min(round(100 * finding.confidence), 99)


def steps(span: Span) -> str:
    """`steps 12 to 60`."""
    if span.first_step == span.last_step:
        return f"step {span.first_step:,}"
    return f"steps {span.first_step:,} to {span.last_step:,}"


def number(value: object) -> str:
    """A piece of evidence as people write it: 4 significant digits, yes, no and none."""
    if value is None:
        return "none"
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        if not math.isfinite(value):
            return {"nan": "not a number", "inf": "infinite"}.get(str(value), "minus infinite")
        return f"{value:,.0f}" if value.is_integer() and THOUSAND <= abs(value) < THOUSAND**3 else f"{value:.4g}"
    return plain(value)


def causes(report: Report) -> list[Cause]:
    """The findings in their order, those that another explains under it."""
    grouped: list[tuple[Finding, list[Finding]]] = []
    for finding in report.findings:
        under = next((rest for cause, rest in grouped if cause.rule == finding.consequence_of), None)
        if under is None:
            grouped.append((finding, []))
        else:
            under.append(finding)
    return [Cause(finding, tuple(rest)) for finding, rest in grouped]


def not_checked(report: Report) -> list[tuple[str, list[Outcome]]]:
    """The rules that could not say anything by their reason, the most common reason first."""
    by_reason: dict[str, list[Outcome]] = {}
    for outcome in report.not_checked:
        reason = plain(outcome.reason) or "no reason given"
        if outcome.status is Status.CRASHED:
            reason = f"the rule itself failed: {reason}"
        by_reason.setdefault(reason, []).append(outcome)
    return sorted(by_reason.items(), key=lambda item: -len(item[1]))


def best_step(report: Report) -> int | None:
    """The step worth keeping: what the findings say, the verdict's first, else where the one held-out curve is best."""
    for finding in sorted(report.findings, key=lambda finding: finding is not report.main):
        told = finding.evidence.get("best_step")
        if isinstance(told, (int, float)) and not isinstance(told, bool) and math.isfinite(told):
            return int(told)
    if len(report.run.held_out) != 1:
        return None
    curve = report.run.cost(report.run.held_out[0])
    if not len(curve) or curve.values.min() == curve.values.max() or curve.step_unit is StepUnit.RANK:
        return None
    return int(curve.steps[curve.values.argmin()])


def brief(report: Report) -> str:
    """What the verdict rests on, in a few words; what is missing where nothing could be judged."""
    if report.main is not None:
        return report.main.brief
    return "" if report.status == "healthy" else "; ".join(reason for reason, _ in not_checked(report)[:1])


def rank(status: str) -> int:
    """Where a status stands in a list that begins with the worst."""
    return WORST_FIRST.index(status) if status in WORST_FIRST else len(WORST_FIRST)


def chart_in_words(report: Report) -> str:
    """What a chart shows, for those who cannot see it."""
    drawn = ", ".join(plain(name, 60) for name in report.run.roles.values()) or texts.ALT_NONE
    step = best_step(report)
    told = [texts.ALT.format(curves=drawn)]
    told += [] if step is None else [texts.ALT_BEST.format(step=f"{step:,}")]
    told += [
        texts.ALT_FOUND.format(rule=title(finding.rule).capitalize(), steps=steps(finding.span))
        for finding in report.findings[:6]
    ]
    return plain(" ".join(told))


def names(rules: Sequence[Outcome]) -> str:
    """The rules of some outcomes, separated by commas."""
    return ", ".join(title(outcome.rule) for outcome in rules)


def _prints(char: str) -> bool:
    """Whether a character shows; the joiners of emoji and of Indic and Arabic script count as shown."""
    return char in "\u200c\u200d" or not unicodedata.category(char).startswith("C")
