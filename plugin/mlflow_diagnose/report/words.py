"""The words of a diagnosis, the same on the page, in the terminal and in the chart, in the language in use."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from curve_analyzers import wording
from curve_analyzers.findings import Finding, Outcome, Report, Span, Status
from curve_analyzers.model import StepUnit
from curve_analyzers.saying import enumerated, say, series, titled
from mlflow_diagnose.language import paragraphs, spoken, translated
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
    "documentation",
    "heading",
    "headline",
    "listing",
    "names",
    "not_checked",
    "number",
    "plain",
    "rank",
    "right",
    "sentences",
    "sign",
    "spoken",
    "steps",
    "sureness",
    "title",
    "verdict",
    "why_not",
]

# Each vital sign as a question that yes answers well, and as a short label.
SIGNS = {
    "loss_falls": (say("Does the training loss keep falling?"), say("training loss falls")),
    "val_falls": (say("Does the held-out loss fall too?"), say("held-out loss falls")),
    "metrics_agree": (say("Do accuracy, F1 and the other scores agree?"), say("scores agree")),
}
LOG_MORE = say(
    "Log the training loss and a held-out loss once per epoch or more often, each under a name that says what it is,"
    " such as train_loss and val_loss."
)
ESCAPE = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[@-_]")
LONGEST = 600
UNSPACED = {"ja", "zh"}  # languages that put no space between sentences
THOUSAND = 1000
WORST_FIRST = ("critical", "warning", "insufficient_data", "healthy")


@dataclass(frozen=True, slots=True)
class Cause:
    """A finding and the findings it explains."""

    finding: Finding
    consequences: tuple[Finding, ...]


def plain(text: object, longest: int = LONGEST) -> str:
    """A message in the language in use, or a text from a log, as one line that is safe to print.

    Terminal escapes, control characters and marks that turn the direction of writing are dropped; what is longer
    than `longest` characters loses its middle.
    """
    bare = ESCAPE.sub("", translated(text)[: 20 * LONGEST])
    shown = "".join(" " if char.isspace() else char for char in bare if char.isspace() or _prints(char))
    line = " ".join(shown.split())
    if len(line) <= longest:
        return line
    tail = longest // 3
    return f"{line[: longest - tail - 1]}…{line[-tail:]}"


def title(name: str) -> str:
    """A name of a rule, a status or an evidence number as people write it, `loss spikes`."""
    return plain(titled(name), 60)


def heading(name: str) -> str:
    """The same at the beginning of a line, `Loss spikes`."""
    words = title(name)
    return words[:1].upper() + words[1:]


def count(number: int, noun: str) -> str:
    """`1 spike`, `3 spikes`."""
    return plain(wording.count(number, noun))


def sign(name: str, *, short: bool = False) -> str:
    """A vital sign as a question, or as a short label."""
    return plain(SIGNS[name][short]) if name in SIGNS else title(name)


def headline(report: Report) -> str:
    """The verdict in a few words: `Overfitting`, `Nothing wrong found`."""
    if report.verdict == "healthy":
        return plain(say("Nothing wrong found"))
    if report.verdict == "insufficient_data":
        return plain(say("Too little logged to judge"))
    return heading(report.verdict)


def verdict(report: Report) -> str:
    """The verdict in a sentence, its confidence with it."""
    ran = sum(outcome.status in {Status.CLEAR, Status.FOUND} for outcome in report.outcomes)
    if report.main is not None:
        sure = confidence(report.main)
        return plain(say("This run shows {verdict} ({sure}).", verdict=title(report.verdict), sure=sure))
    if report.verdict == "healthy":
        left = len(report.not_checked)
        rest = say("; {others} could not be checked", others=count(left, "other")) if left else ""
        told = say("{rules} looked at this run and found nothing wrong{rest}.", rules=count(ran, "rule"), rest=rest)
        return plain(told)
    if report.verdict == "insufficient_data":
        reasons = series([reason for reason, _ in not_checked(report)[:2]])
        if not reasons:
            return plain(say("The run cannot be called healthy or unhealthy."))
        return plain(say("The run cannot be called healthy or unhealthy: {reasons}.", reasons=reasons))
    return plain(say("This run shows {verdict}.", verdict=title(report.verdict)))


def confidence(finding: Finding) -> str:
    """`93 % confidence`."""
    return sureness(right(finding))


def sureness(percent: int) -> str:
    """`93 % confidence`, of a number out of 100."""
    return plain(say("{percent} % confidence", percent=percent))


def right(finding: Finding) -> int:
    """How many of 100 such findings are right; never all of them."""
    return min(round(100 * finding.confidence), 99)


def steps(span: Span) -> str:
    """`steps 12 to 60`."""
    if span.first_step == span.last_step:
        return plain(say("step {step:,}", step=span.first_step))
    return plain(say("steps {first:,} to {last:,}", first=span.first_step, last=span.last_step))


def number(value: object) -> str:
    """A piece of evidence as people write it: 4 significant digits, yes, no and none."""
    if value is None:
        return plain(say("none"))
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, bool):
        return plain(say("yes") if value else say("no"))
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        if not math.isfinite(value):
            told = {"nan": say("not a number"), "inf": say("infinite")}
            return plain(told.get(str(value), say("minus infinite")))
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
        by_reason.setdefault(why_not(outcome), []).append(outcome)
    return sorted(by_reason.items(), key=lambda item: -len(item[1]))


def why_not(outcome: Outcome) -> str:
    """Why a rule could not say anything."""
    reason = plain(outcome.reason) or plain(say("no reason given"))
    if outcome.status is Status.CRASHED:
        return plain(say("the rule itself failed: {reason}", reason=reason))
    return reason


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
        return plain(report.main.brief)
    return "" if report.status == "healthy" else plain(series([reason for reason, _ in not_checked(report)[:1]]))


def rank(status: str) -> int:
    """Where a status stands in a list that begins with the worst."""
    return WORST_FIRST.index(status) if status in WORST_FIRST else len(WORST_FIRST)


def chart_in_words(report: Report) -> str:
    """What a chart shows, for those who cannot see it."""
    drawn = enumerated([plain(name, 60) for name in report.run.roles.values()]) or texts.ALT_NONE
    step = best_step(report)
    told = [texts.ALT.format(curves=drawn)]
    told += [] if step is None else [texts.ALT_BEST.format(step=f"{step:,}")]
    told += [
        texts.ALT_FOUND.format(rule=heading(finding.rule), steps=steps(finding.span)) for finding in report.findings[:6]
    ]
    return plain(sentences(told))


def listing(items: Sequence[str]) -> str:
    """Words with commas between them."""
    return plain(enumerated(items), LONGEST)


def sentences(told: Sequence[str]) -> str:
    """Sentences one after the other, as the language in use parts them."""
    return ("" if spoken() in UNSPACED else " ").join(map(translated, told))


def documentation(text: str) -> list[str]:
    """The paragraphs of a rule's documentation."""
    return [plain(part, len(part)) for part in paragraphs(text)]


def names(rules: Sequence[Outcome]) -> str:
    """The rules of some outcomes, separated by commas."""
    return listing([title(outcome.rule) for outcome in rules])


def _prints(char: str) -> bool:
    """Whether a character shows; the joiners of emoji and of Indic and Arabic script count as shown."""
    return char in "\u200c\u200d" or not unicodedata.category(char).startswith("C")
