"""The TOML of a config file, checked as it is read."""

from __future__ import annotations

import reprlib
import sys
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from mlflow_diagnose.config import PROJECT
from mlflow_diagnose.errors import BadInputError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["ConfigFile", "read_config"]


class ConfigFile(BaseModel):
    """What a config file may hold; anything else in it is an error."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    select: list[str] = []
    ignore: list[str] = []
    roles: dict[str, str] = {}
    params: dict[str, str] = {}
    rules: dict[str, dict[str, float]] = {}


def read_config(path: Path) -> ConfigFile:
    """Read a config file, or of a project's `pyproject.toml` what its table `[tool.mlflow-diagnose]` holds.

    Raises:
        BadInputError: It cannot be read, is no TOML, or holds what it must not; the line names the file and the value.
    """
    try:
        told = tomllib.loads(path.read_text("utf-8"))
        if path.name == PROJECT:
            tools = told.get("tool")
            told = tools.get("mlflow-diagnose", {}) if isinstance(tools, dict) else {}
        return ConfigFile.model_validate(told)
    except OSError as error:
        raise BadInputError(f"the config file {path} could not be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        wanted = (
            f"it is none of {', '.join(ConfigFile.model_fields)}"
            if first["type"] == "extra_forbidden"
            else first["msg"]
        )
        raise BadInputError(f"the config file {path}: {where} = {reprlib.repr(first['input'])}: {wanted}") from error
    except RecursionError as error:
        raise BadInputError(f"the config file {path} is nested too deeply") from error
    except ValueError as error:
        raise BadInputError(f"the config file {path} is no TOML: {error}") from error
