"""The config file: which rules, with which thresholds, and which curve is what."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from curve_analyzers.registry import all_rules, rule_named
from curve_analyzers.roles import role_named
from mlflow_diagnose.errors import BadInputError

if TYPE_CHECKING:
    from curve_analyzers.analyzer import Analyzer

__all__ = ["Settings", "load_settings"]


@dataclass(frozen=True)
class Settings:
    """How runs are to be judged.

    Attributes:
        rules: The rules, with their thresholds; all of them, by default.
        role_map: Role names by curve name, over what the names say by themselves.
    """

    rules: tuple[Analyzer, ...] = field(default_factory=all_rules)
    role_map: Mapping[str, str] = field(default_factory=dict)


def load_settings(
    path: Path | None = None,
    *,
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    role_map: Mapping[str, str] | None = None,
) -> Settings:
    """Settings from a TOML file and, over it, what was given on the command line.

    Args:
        path: A file with any of `select`, `ignore` (lists of rules or families), a table `[roles]` (role by curve name)
            and tables `[rules.<rule>]` (value by threshold); None for none.
        select: Rules or families to judge by, instead of all; the file's where empty.
        ignore: Rules or families to leave out, besides the file's.
        role_map: Role names by curve name, over the file's.

    Raises:
        BadInputError: The file, or a rule, threshold or role that is named, is wrong.
    """
    file = _File.read(path) if path else _File()
    try:
        chosen = _named(select or file.select) or {rule.name for rule in all_rules()}
        chosen -= _named((*file.ignore, *ignore))
        roles = {**file.roles, **(role_map or {})}
        for role in roles.values():
            if role != "none":
                role_named(role)
        changed = {name: _with_thresholds(rule_named(name), values) for name, values in file.rules.items()}
    except ValueError as error:
        raise BadInputError(str(error)) from error
    if not chosen:
        raise BadInputError("no rule is left to judge by: everything selected is also ignored")
    return Settings(tuple(changed.get(rule.name, rule) for rule in all_rules() if rule.name in chosen), roles)


@dataclass(frozen=True)
class _File:
    select: Sequence[str] = ()
    ignore: Sequence[str] = ()
    roles: Mapping[str, str] = field(default_factory=dict)
    rules: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> _File:
        from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config  # noqa: PLC0415 - slow to import

        try:
            content = _toml(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise BadInputError(f"the config file {path} could not be read: {error}") from error
        try:
            return TypeAdapter(with_config(ConfigDict(extra="forbid"))(cls)).validate_python(content)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise BadInputError(f"the config file {path}: {where}: {first['msg']} ({first['input']!r})") from error


def _toml(text: str) -> dict[str, object]:
    if sys.version_info >= (3, 11):
        import tomllib  # noqa: PLC0415 - only for a config file
    else:
        import tomli as tomllib  # noqa: PLC0415 - the same
    content: dict[str, object] = tomllib.loads(text)
    return content


def _named(words: Iterable[str]) -> set[str]:
    """The rules that words name, each a rule or a family."""
    families: dict[str, set[str]] = {}
    for rule in all_rules():
        families.setdefault(rule.family, set()).add(rule.name)
    return {name for word in words for name in families.get(word) or {rule_named(word).name}}


def _with_thresholds(rule: Analyzer, values: Mapping[str, float]) -> Analyzer:
    known = [each.name for each in fields(rule)]
    for name in values:
        if name not in known:
            raise ValueError(f"{rule.name} has no threshold {name!r}; it has {', '.join(known) or 'none'}")
    return replace(rule, **values)
