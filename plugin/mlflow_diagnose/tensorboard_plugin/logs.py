"""Where the tab's curves come from: the logdir's own files where they are at hand, else TensorBoard's data provider.

TensorBoard keeps a sample of each curve, a thousand points unless `--samples_per_plugin` says otherwise; noise, spikes
and lone NaNs of a sampled curve are not those of the run. Of 24 runs of 20,000 points with five spikes, three NaNs or a
saw-tooth, all are found on the files and 4 on the sample (the 8 healthy ones are healthy on both). So where the logdir
is a folder of this machine its files are read, with every point, by the reader of the command line, and the verdict is
the command line's. Where it is not (`--logdir_spec`, a bucket, TensorBoard embedded with a provider of its own), the
provider gives what it has, and a note in the diagnosis says so.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from mlflow_diagnose.readers.places import LocalFolder
from mlflow_diagnose.readers.tensorboard import TensorBoardReader

if TYPE_CHECKING:
    import argparse
    from collections.abc import Hashable, Mapping
    from pathlib import PurePath

    from curve_analyzers.model import RawRun

__all__ = ["LocalLogs", "Logs", "local_folder"]


class Logs(Protocol):
    """The runs of one place, which grow. For one thread."""

    def scan(self) -> Mapping[str, Hashable]:
        """By the name of each run what changes when the run does.

        Raises:
            DiagnoseError: The place could not be read.
        """

    def read(self, run_id: str) -> RawRun:
        """A run, as it stands now.

        Raises:
            DiagnoseError: It could not be read.
        """


def local_folder(flags: argparse.Namespace | None) -> Path | None:
    """The logdir as a folder of this machine; None where TensorBoard was started on something else.

    Args:
        flags: TensorBoard's; None where it is embedded.
    """
    logdir: str = getattr(flags, "logdir", None) or ""
    if not logdir or getattr(flags, "logdir_spec", None) or "://" in logdir:
        return None
    return Path(logdir).expanduser()


class LocalLogs:
    """A logdir on this machine.

    A scan walks its folders and takes the size and the time of each event file, and reads none of them, but for those
    that tell which folders are one run; a file is read again when its run is.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._reader = TensorBoardReader(folder)
        self._folders: object = None
        self._files: dict[str, list[PurePath]] = {}
        self._stamps: dict[str, Hashable] = {}

    def scan(self) -> Mapping[str, Hashable]:
        """By the name of each run its files, their sizes and times; nothing where there is no event file yet."""
        folders = LocalFolder(self.folder).folders() if self.folder.is_dir() else {}
        if folders != self._folders:
            self._reader = TensorBoardReader(self.folder)
            self._folders, self._files = folders, {}
            if folders:
                # Stamped before the reader looks into any: what is written meanwhile makes another stamp.
                paths = [file.path for files in folders.values() for file in files]
                before = {path: _stamp(path) for path in paths}
                self._files = self._reader.files()
                self._stamps = {run: tuple(before.get(path) for path in files) for run, files in self._files.items()}
                return self._stamps
        stamps: dict[str, Hashable] = {run: tuple(map(_stamp, files)) for run, files in self._files.items()}
        if stamps != self._stamps:
            self._reader.forget()
        self._stamps = stamps
        return stamps

    def read(self, run_id: str) -> RawRun:
        """A run with all of its points."""
        return self._reader.read(run_id)


def _stamp(path: PurePath) -> Hashable:
    try:
        status = os.stat(path)  # noqa: PTH116 - pathlib takes longer than the disk
    except OSError:
        return None
    return str(path), status.st_size, status.st_mtime_ns
