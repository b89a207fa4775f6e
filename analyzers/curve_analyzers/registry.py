"""Which rules there are: the built-in ones by walking `rules/`, a third party's by entry point."""

from __future__ import annotations

import importlib
import pkgutil
import warnings
from abc import ABCMeta
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import entry_points
from typing import TypeVar

from curve_analyzers import rules
from curve_analyzers.analyzer import Analyzer
from curve_analyzers.rule import Rule

__all__ = ["FAMILIES", "GROUP", "all_rules", "collect", "rule_named"]

AnyRule = TypeVar("AnyRule", bound=Rule)

GROUP = "mlflow_diagnose.rules"
# The order of families in lists, and, between equally severe findings, in the choice of the verdict.
FAMILIES = ("stability", "fit", "progress", "agreement", "data", "gradients", "schedule", "system", "logging")


@cache
def all_rules() -> tuple[Analyzer, ...]:
    """Every rule with its default thresholds, by family, then name; a plugin that fails to load warns by name."""
    modules = [each.name for each in pkgutil.walk_packages(rules.__path__, f"{rules.__name__}.") if not each.ispkg]
    found = collect(modules, GROUP, Analyzer)  # type: ignore[type-abstract] # what is made of it is not
    return tuple(sorted(found, key=lambda rule: (family_order(rule.family), rule.name)))


def collect(modules: Iterable[str], group: str, kind: type[AnyRule]) -> list[AnyRule]:
    """The rules of one kind in some modules and under a group of entry points; a name that is taken warns.

    Args:
        modules: Their names.
        group: The entry points' group.
        kind: The base of the rules.
    """
    found: dict[str, AnyRule] = {}
    built_in = (rule for module in modules for rule in _of_module(module, kind))
    for rule in (*built_in, *_third_party(group, kind)):
        if rule.name in found:
            warnings.warn(f"rule {rule.name!r} of {type(rule).__module__} is left out: the name is taken", stacklevel=3)
        else:
            found[rule.name] = rule
    return list(found.values())


def family_order(family: str) -> int:
    """Where a family stands; one of a third party comes last."""
    return FAMILIES.index(family) if family in FAMILIES else len(FAMILIES)


def rule_named(name: str) -> Rule:
    """The rule of a name, of one run or of many, also as people read it, `loss spikes`.

    Raises:
        ValueError: There is no such rule; the message names the nearest.
    """
    import difflib  # noqa: PLC0415 - only for a slip of the user's

    from curve_analyzers.experiment.registry import all_experiment_rules  # noqa: PLC0415 - it needs this module

    by_name: dict[str, Rule] = {rule.name: rule for rule in (*all_rules(), *all_experiment_rules())}
    asked = "_".join(name.lower().replace("-", " ").replace("_", " ").split())
    if asked in by_name:
        return by_name[asked]
    near = difflib.get_close_matches(asked, by_name, n=1)
    hint = f"did you mean {near[0]!r}?" if near else "`mlflow-diagnose rules` lists them"
    raise ValueError(f"no rule is called {name!r}; {hint}")


def _of_module(name: str, kind: type[AnyRule]) -> Iterator[AnyRule]:
    for member in vars(importlib.import_module(name)).values():
        # Not isinstance: on Python 3.10 an alias such as Iterator[int] says it is a class.
        if type(member) is ABCMeta and issubclass(member, kind) and member.__module__ == name:
            yield member()


def _third_party(group: str, kind: type[AnyRule]) -> Iterator[AnyRule]:
    for entry in entry_points(group=group):
        try:
            rule = entry.load()()
            if not isinstance(rule, kind):
                raise TypeError(f"{entry.value} makes a {type(rule).__name__}, not an {kind.__name__}")  # noqa: TRY301
        except Exception as error:  # noqa: BLE001 - a stranger's bug stays its own
            warnings.warn(f"rule {entry.name!r} ({entry.value}) could not be loaded: {error}", stacklevel=4)
        else:
            yield rule
