"""Which rules there are: the built-in ones by walking `rules/`, a third party's by entry point."""

from __future__ import annotations

import importlib
import pkgutil
import warnings
from abc import ABCMeta
from collections.abc import Iterator
from functools import cache
from importlib.metadata import entry_points

from curve_analyzers import rules
from curve_analyzers.analyzer import Analyzer

__all__ = ["FAMILIES", "GROUP", "all_rules", "rule_named"]

GROUP = "mlflow_diagnose.rules"
# The order of families in lists, and, between equally severe findings, in the choice of the verdict.
FAMILIES = ("stability", "fit", "progress", "agreement", "data", "gradients", "schedule", "system", "logging")


@cache
def all_rules() -> tuple[Analyzer, ...]:
    """Every rule with its default thresholds, by family, then name; a plugin that fails to load warns by name."""
    found: dict[str, Analyzer] = {}
    for rule in (*_built_in(), *_third_party()):
        if rule.name in found:
            warnings.warn(f"rule {rule.name!r} of {type(rule).__module__} is left out: the name is taken", stacklevel=2)
        else:
            found[rule.name] = rule
    return tuple(sorted(found.values(), key=lambda rule: (family_order(rule.family), rule.name)))


def family_order(family: str) -> int:
    """Where a family stands; one of a third party comes last."""
    return FAMILIES.index(family) if family in FAMILIES else len(FAMILIES)


def rule_named(name: str) -> Analyzer:
    """The rule of a name, also as people read it, `loss spikes`.

    Raises:
        ValueError: There is no such rule; the message names the nearest.
    """
    import difflib  # noqa: PLC0415 - only for a slip of the user's

    by_name = {rule.name: rule for rule in all_rules()}
    asked = "_".join(name.lower().replace("-", " ").replace("_", " ").split())
    if asked in by_name:
        return by_name[asked]
    near = difflib.get_close_matches(asked, by_name, n=1)
    hint = f"did you mean {near[0]!r}?" if near else "`mlflow-diagnose rules` lists them"
    raise ValueError(f"no rule is called {name!r}; {hint}")


def _built_in() -> Iterator[Analyzer]:
    for module in pkgutil.walk_packages(rules.__path__, f"{rules.__name__}."):
        if not module.ispkg:
            yield from _of_module(module.name)


def _of_module(name: str) -> Iterator[Analyzer]:
    for member in vars(importlib.import_module(name)).values():
        # Not isinstance: on Python 3.10 an alias such as Iterator[int] says it is a class.
        if type(member) is ABCMeta and issubclass(member, Analyzer) and member.__module__ == name:
            yield member()


def _third_party() -> Iterator[Analyzer]:
    for entry in entry_points(group=GROUP):
        try:
            rule = entry.load()()
            if not isinstance(rule, Analyzer):
                raise TypeError(f"{entry.value} makes a {type(rule).__name__}, not an Analyzer")  # noqa: TRY301
        except Exception as error:  # noqa: BLE001 - a stranger's bug stays its own
            warnings.warn(f"rule {entry.name!r} ({entry.value}) could not be loaded: {error}", stacklevel=3)
        else:
            yield rule
