"""The config file: which rules, with which thresholds, and which curve is what."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from curve_analyzers.experiment.registry import all_experiment_rules
from curve_analyzers.hyperparameters import Meaning, meaning_named
from curve_analyzers.registry import all_rules, rule_named
from curve_analyzers.roles import NO_ROLE, role_named
from curve_analyzers.rule import Rule
from mlflow_diagnose.errors import BadInputError

if TYPE_CHECKING:
    from curve_analyzers.analyzer import Analyzer
    from curve_analyzers.experiment.analyzer import ExperimentAnalyzer

__all__ = ["CONFIG", "Settings", "found_config", "load_settings"]

CONFIG, PROJECT = "mlflow-diagnose.toml", "pyproject.toml"
TABLE = re.compile(r"^\s*\[\s*tool\s*\.\s*[\"']?mlflow-diagnose[\"'\s.\]]", re.MULTILINE)

AnyRule = TypeVar("AnyRule", bound=Rule)


@dataclass(frozen=True)
class Settings:
    """How runs are to be judged.

    Attributes:
        rules: The rules, with their thresholds; all of them, by default.
        role_map: Role names by curve name, over what the names say by themselves.
        expected: Curves of the role map of which a run must have one; none where empty.
        experiment_rules: The rules over many runs, likewise.
        kpi: The user's own metric to compare runs by; None where none was named.
        params: What a param means, by its name, over what the name says itself.
    """

    rules: tuple[Analyzer, ...] = field(default_factory=all_rules)
    role_map: Mapping[str, str] = field(default_factory=dict)
    expected: frozenset[str] = frozenset()
    experiment_rules: tuple[ExperimentAnalyzer, ...] = field(default_factory=all_experiment_rules)
    kpi: str | None = None
    params: Mapping[str, Meaning] = field(default_factory=dict)


def load_settings(
    path: Path | None = None,
    *,
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    role_map: Mapping[str, str] | None = None,
    kpi: str | None = None,
    params: Mapping[str, str] | None = None,
) -> Settings:
    """Settings from a TOML file and, over it, what was given on the command line.

    Args:
        path: A file with any of `select`, `ignore` (lists of rules or families), tables `[roles]` (role by curve) and
            `[params]` (meaning by param), and tables `[rules.<rule>]` (value by threshold), or a `pyproject.toml` with
            them in its `[tool.mlflow-diagnose]`; None for none.
        select: Rules or families to judge by, instead of all; the file's where empty. Where they are all of many runs,
            single runs are still judged by all rules of one run: which of them trained is what the others compare.
        ignore: Rules or families to leave out, besides the file's.
        role_map: Role names by curve name, over the file's. A run must have one of these curves; the file's, which is
            written for all runs of a project, it need not have.
        kpi: The user's own metric to compare runs by.
        params: What a param means, by its name, over the file's.

    Raises:
        BadInputError: The file, or a rule, threshold or role that is named, is wrong.
    """
    role_map = role_map or {}
    changed: dict[str, Rule] = {}
    selected, ignored, roles, meanings = set[str](), set[str](), dict[str, str](), dict[str, Meaning]()
    if path:
        from mlflow_diagnose.config_file import read_config  # noqa: PLC0415 - pydantic is slow to import

        file = read_config(path)
        roles = file.roles
        with _blaming(f"the config file {path}: "):
            changed = {name: _with_thresholds(rule_named(name), values) for name, values in file.rules.items()}
            selected, ignored = _named(file.select), _named(file.ignore)
            _check_roles(roles)
            meanings = {name: meaning_named(text) for name, text in file.params.items()}
    with _blaming():
        selected = _named(select) or selected
        ignored |= _named(ignore)
        _check_roles(role_map)
        meanings |= {name: meaning_named(text) for name, text in (params or {}).items()}
    of_one, of_many = {rule.name for rule in all_rules()}, {rule.name for rule in all_experiment_rules()}
    chosen = (selected or of_one | of_many) - ignored
    if not chosen:
        raise BadInputError("no rule is left to judge by: everything selected is also ignored")
    if selected and chosen <= of_many:
        chosen |= of_one - ignored
    rules, experiment_rules = _chosen(all_rules(), chosen, changed), _chosen(all_experiment_rules(), chosen, changed)
    return Settings(rules, {**roles, **role_map}, frozenset(role_map), experiment_rules, kpi, meanings)


def found_config(*folders: Path) -> Path | None:
    """The config file that holds where none is named; None where there is none.

    It is `mlflow-diagnose.toml`, or a `pyproject.toml` with a table `[tool.mlflow-diagnose]`, of the first folder that
    has either.
    """
    for folder in folders:
        if (file := folder / CONFIG).is_file():
            return file
        project = folder / PROJECT
        if project.is_file() and TABLE.search(_text(project)):
            return project
    return None


def _text(file: Path) -> str:
    """What a file holds that need not be about us; nothing where it cannot be read."""
    try:
        return file.read_text("utf-8", errors="replace")
    except OSError:
        return ""


def _chosen(rules: Iterable[AnyRule], names: set[str], changed: Mapping[str, Rule]) -> tuple[AnyRule, ...]:
    """The rules of some names, with the thresholds that a file gives them."""
    with_thresholds = ((rule, changed.get(rule.name)) for rule in rules if rule.name in names)
    return tuple(other if isinstance(other, type(rule)) else rule for rule, other in with_thresholds)


@contextmanager
def _blaming(source: str = "") -> Iterator[None]:
    """Say of a wrong value where it came from."""
    try:
        yield
    except ValueError as error:
        raise BadInputError(f"{source}{error}") from error


def _check_roles(roles: Mapping[str, str]) -> None:
    for role in roles.values():
        if role != NO_ROLE:
            role_named(role)


def _named(words: Iterable[str]) -> set[str]:
    """The rules that words name, each a rule or a family."""
    families: dict[str, set[str]] = {}
    rule: Rule
    for rule in (*all_rules(), *all_experiment_rules()):
        families.setdefault(rule.family, set()).add(rule.name)
    return {name for word in words for name in families.get(word) or {rule_named(word).name}}


def _with_thresholds(rule: Rule, values: Mapping[str, float]) -> Rule:
    known = [each.name for each in fields(rule)]
    for name in values:
        if name not in known:
            raise ValueError(f"{rule.name} has no threshold {name!r}; it has {', '.join(known) or 'none'}")
    return replace(rule, **values)
