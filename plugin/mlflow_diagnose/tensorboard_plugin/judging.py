"""How the tab judges: by the config file that holds for the command line too, as it stands by now."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from mlflow_diagnose.tensorboard_plugin.logs import is_url

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from mlflow_diagnose.config import Settings

__all__ = ["Judging"]


class Judging:
    """The settings, read again when the file they stand in changes. For one thread.

    Args:
        logdirs: The folders that may hold it; those behind URLs may not. The folder that TensorBoard was started in
            comes after them.

    Attributes:
        source: The file whose settings hold; empty where there is none.
    """

    def __init__(self, logdirs: Iterable[str] = ()) -> None:
        self.source = ""
        self._folders = [*(Path(logdir) for logdir in logdirs if not is_url(logdir)), Path.cwd()]
        self._stamp: Hashable = None
        self._settings: Settings | None = None

    def look(self) -> Hashable:
        """What changes when the settings do; where the file is wrong, those that held before it hold on.

        Raises:
            BadInputError: The file holds what it must not.
        """
        from mlflow_diagnose.config import found_config, load_settings  # noqa: PLC0415 - numpy and the rules

        file = found_config(*self._folders)
        stamp = _stamp(file)
        if stamp != self._stamp:
            self._settings = load_settings(file)
            self.source, self._stamp = str(file or ""), stamp
        return self._stamp

    @property
    def stamp(self) -> Hashable:
        """As the last look gave it that found no fault."""
        return self._stamp

    def settings(self) -> Settings:
        """How runs are to be judged."""
        if self._settings is None:
            from mlflow_diagnose.config import load_settings  # noqa: PLC0415 - the rules, and scipy with them

            self._settings = load_settings()
        return self._settings


def _stamp(file: Path | None) -> Hashable:
    if file is None:
        return None
    status = os.stat(file)  # noqa: PTH116 - for its time in nanoseconds
    return str(file), status.st_mtime_ns, status.st_size
