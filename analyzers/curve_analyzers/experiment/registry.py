"""Which rules over many runs there are: the built-in ones by walking `rules/`, a third party's by entry point."""

from __future__ import annotations

import pkgutil
from functools import cache

from curve_analyzers.experiment import rules
from curve_analyzers.experiment.analyzer import ExperimentAnalyzer
from curve_analyzers.registry import collect

__all__ = ["GROUP", "all_experiment_rules"]

GROUP = "mlflow_diagnose.experiment_rules"


@cache
def all_experiment_rules() -> tuple[ExperimentAnalyzer, ...]:
    """Every rule over many runs with its default thresholds, by name; a plugin that fails to load warns by name."""
    modules = (module.name for module in pkgutil.walk_packages(rules.__path__, f"{rules.__name__}."))
    found = collect(modules, GROUP, ExperimentAnalyzer)  # type: ignore[type-abstract] # what is made of it is not
    return tuple(sorted(found, key=lambda rule: rule.name))
