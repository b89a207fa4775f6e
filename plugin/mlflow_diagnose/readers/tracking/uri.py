"""Tracking URIs: the one MLflow would use, found without importing it, and what of one may be shown."""

from __future__ import annotations

import os
import posixpath
import re
import sys
from pathlib import Path
from urllib.request import pathname2url

from mlflow_diagnose.text import plain

__all__ = ["absolute", "default_tracking_uri", "first_line", "is_database", "shown", "without_secrets"]

DATABASES = frozenset({"mssql", "mysql", "postgresql", "sqlite"})
LONGEST_REASON = 300


def default_tracking_uri() -> str:
    """What MLflow would use where no tracking URI is given: its setting, else a store in the working directory."""
    if mlflow := sys.modules.get("mlflow"):  # set there by `mlflow.set_tracking_uri`, perhaps
        return str(mlflow.get_tracking_uri())
    if uri := os.environ.get("MLFLOW_TRACKING_URI"):
        return uri
    folder = Path("mlruns")
    if _holds_experiments(folder):
        return folder.absolute().as_uri()
    # As MLflow writes it, percent signs and all.
    prefix = "sqlite://" if sys.platform == "win32" else "sqlite:///"
    return prefix + posixpath.abspath(pathname2url(str(Path("mlflow.db").absolute())))


def absolute(uri: str) -> str:
    """A tracking URI with the whole path of what it names on this machine, for a process in another directory."""
    scheme, separator, rest = uri.partition("://")
    if separator and scheme.lower().startswith("sqlite"):
        path = rest.removeprefix("/")
        relative = path and path != ":memory:" and not path.startswith(("/", "file:"))
        return f"{scheme}:///{Path.cwd() / path}" if relative else uri
    return uri if separator or uri.startswith("file:") else str(Path(uri).absolute())


def is_database(uri: str) -> bool:
    """Whether a tracking URI names a store in a database."""
    scheme, separator, _ = uri.partition("://")
    return bool(separator) and scheme.lower().partition("+")[0] in DATABASES


def shown(uri: str) -> str:
    """A tracking URI as messages show it: without user, password and query."""
    return without_secrets(uri).partition("?")[0]


def without_secrets(text: str) -> str:
    """A text without the user and password of the URIs in it."""
    # Up to the last @ there is: a database's password may hold a slash.
    return re.sub(r"(?<=://)(?!/)\S*@", "", text)


def first_line(error: Exception) -> str:
    """What an error says, on one line, without the layers and the credentials that come with it."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return plain(without_secrets(lines[0]))[:LONGEST_REASON]


def _holds_experiments(folder: Path) -> bool:
    try:
        return any(each.name.isdigit() and os.path.lexists(each / "meta.yaml") for each in folder.iterdir())
    except OSError:
        return False
