"""The templates of pages, and what may be printed by them: every text of a log is escaped and made plain."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template
from markupsafe import Markup, escape

from curve_analyzers.registry import rule_named
from mlflow_diagnose.report import words

__all__ = ["COLOURS", "paragraphs", "prose", "source", "template", "themed"]

# Told apart by every common kind of colour vision (after Okabe and Ito), dark enough on white for small text.
COLOURS = {
    "ink": "#1f2a37",
    "muted": "#56616e",
    "grid": "#e4e7eb",
    "paper": "#fefefe",
    "first": "#0b66a8",
    "second": "#b84a08",
    "third": "#6d4aa8",
    "good": "#1a7a48",
    "warning": "#8f5f00",
    "critical": "#b3261e",
    "info": "#3f6480",
}


@cache
def source(name: str) -> str:
    """A file beside this module."""
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


@cache
def template(name: str) -> Template:
    """A page's template, its values escaped."""
    environment = Environment(
        loader=FunctionLoader(source),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(section=_section, prose=prose)
    return environment.get_template(name)


def prose(text: str, longest: int = words.LONGEST) -> Markup:
    """A sentence with what stands between backticks as code."""
    escaped = str(escape(words.plain(text, longest)))
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", escaped))  # noqa: S704 - escaped above


def themed(svg: str) -> Markup:
    """The chart in the colours of the page, which is dark where its reader wants it dark."""
    by_colour = {colour: name for name, colour in COLOURS.items()}

    def variable(found: re.Match[str]) -> str:
        name = by_colour.get(found[2])
        return f"{found[1]}: var(--{name})" if name else found[0]

    return Markup(re.sub(r"(fill|stroke): (#[0-9a-f]{6})", variable, svg))  # noqa: S704 - matplotlib escaped the names


def _shown(value: object) -> object:
    """What a template may print: our own markup as it is, everything else as plain text."""
    return value if isinstance(value, Markup) else words.plain(value)


def paragraphs(rule: str, heading: str) -> list[str]:
    """The paragraphs of a section of a rule's documentation; none of a rule that is not installed any more."""
    try:
        text = rule_named(rule).sections.get(heading, "")
    except ValueError:
        return []
    return words.documentation(text)


def _section(rule: str, heading: str) -> Markup:
    """A section of a rule's documentation as markup."""
    told = paragraphs(rule, heading)
    return Markup("").join(Markup("<p>{}</p>").format(prose(each, len(each))) for each in told)
