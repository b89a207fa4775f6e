"""What the rules say of themselves, for the command line, in the language in use."""

from __future__ import annotations

from itertools import groupby

from curve_analyzers.docs import explanation
from curve_analyzers.experiment.registry import all_experiment_rules
from curve_analyzers.registry import all_rules, rule_named
from curve_analyzers.saying import Said
from mlflow_diagnose.errors import BadInputError
from mlflow_diagnose.language import ENGLISH, paragraphs, spoken, translated

__all__ = ["explained", "rule_list"]


def rule_list() -> list[str]:
    """The families, each followed by its rules, indented: name and summary."""
    every = (*all_rules(), *all_experiment_rules())
    width = max(len(rule.name) for rule in every)
    lines = []
    for family, rules in groupby(every, key=lambda rule: rule.family):
        lines += [family, *(f"  {rule.name:{width}}  {translated(Said(rule.summary, {}))}" for rule in rules)]
    return lines


def explained(name: str) -> str:
    """What a rule says of itself, in Markdown.

    Raises:
        BadInputError: There is no such rule.
    """
    try:
        rule = rule_named(name)
    except ValueError as error:
        raise BadInputError(str(error)) from error
    return explanation(rule, tell=_told)


def _told(text: str) -> str:
    """A message or a text of several lines, which in English stays as it is broken into them."""
    if spoken() == ENGLISH or "\n" not in text:
        return translated(text)
    return "\n\n".join(paragraphs(text))
