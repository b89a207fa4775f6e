"""Where the tab's curves come from: the logs' own files where they can be read, else TensorBoard's data provider.

TensorBoard keeps a sample of each curve, a thousand points unless `--samples_per_plugin` says otherwise; noise, spikes
and lone NaNs of a sampled curve are not those of the run. Of 24 runs of 20,000 points with five spikes, three NaNs or a
saw-tooth, all are found on the files and 4 on the sample (the 8 healthy ones are healthy on both). So the files of
`--logdir` and of each folder of `--logdir_spec` are read, with every point, by the reader of the command line, and the
verdict is the command line's. Where TensorBoard has no files (a data provider of its own), or reads a URL with a driver
that we have not, the provider gives what it has, and a note in the diagnosis says so.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from mlflow_diagnose.errors import DiagnoseError, NoLogsError
from mlflow_diagnose.readers.tensorboard import TensorBoardReader

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Hashable, Mapping

    from curve_analyzers.model import RawRun

__all__ = ["EitherLogs", "FileLogs", "Logs", "is_url", "logdirs_of"]

FAR_REST = 20.0  # seconds: whoever keeps a bucket counts the questions


class Logs(Protocol):
    """The runs of one place, which grow. For one thread."""

    @property
    def rest(self) -> float:
        """Seconds to leave between two scans, at least."""

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


def logdirs_of(flags: argparse.Namespace | None) -> dict[str, str]:
    """The folders and URLs that TensorBoard was started on, by what it calls them; `--logdir` has no name.

    Args:
        flags: TensorBoard's; None where it is embedded.
    """
    if logdir := getattr(flags, "logdir", None):
        return {"": logdir if is_url(logdir) else str(Path(logdir).expanduser())}
    found: dict[str, str] = {}
    for spec in (getattr(flags, "logdir_spec", None) or "").split(","):
        # As TensorBoard takes it apart: `name:/path`, but neither `/path:of:that` nor `s3://bucket` nor a drive.
        name, colon, path = spec.partition(":")
        named = colon and name and not (spec.startswith("/") or is_url(spec) or os.path.splitdrive(spec)[0])
        if not named:
            name, path = "", spec
        if path:
            # Several without a name would hide each other's runs.
            name = name if named or "" not in found else path.strip("/")
            found[name] = path if is_url(path) else str(Path(path).expanduser())
    return found


def is_url(path: str) -> bool:
    """Whether it is a URL, as TensorBoard sees it, and no path."""
    return re.match(r"[a-zA-Z][0-9a-zA-Z+.-]*://", path) is not None


class FileLogs:
    """The event files of one or several logdirs.

    A scan walks their folders and looks at the size and the time of each event file, and reads none of them, but for
    those that tell which folders are one run. Of a file that grew only what is new is read.

    Args:
        logdirs: Folders and URLs by name. Runs are named as TensorBoard names them, `<name>/<directory>`.
    """

    def __init__(self, logdirs: Mapping[str, str]) -> None:
        self._readers = {name: TensorBoardReader(logdir) for name, logdir in logdirs.items()}
        self._places: dict[str, tuple[TensorBoardReader, str]] = {}
        self.rest = FAR_REST if any(map(is_url, logdirs.values())) else 0.0

    def scan(self) -> Mapping[str, Hashable]:
        """By the name of each run its files, their sizes and times; nothing where there is no event file yet."""
        stamps: dict[str, Hashable] = {}
        places: dict[str, tuple[TensorBoardReader, str]] = {}
        for name, reader in self._readers.items():
            try:
                found = reader.stamps()
            except NoLogsError:
                continue
            for run_id, stamp in found.items():
                shown = run_id if not name else name if run_id == "." else f"{name}/{run_id}"
                stamps[shown], places[shown] = stamp, (reader, run_id)
        self._places = places
        return stamps

    def read(self, run_id: str) -> RawRun:
        """A run with all of its points."""
        reader, inner = self._places[run_id]
        raw = reader.read(inner)
        return raw if run_id == inner else replace(raw, run_id=run_id, name=run_id)


class EitherLogs:
    """The files of a place that TensorBoard can read and we perhaps cannot: then what the data provider gives.

    Args:
        files: The files.
        provided: Makes what the provider gives.
    """

    def __init__(self, files: FileLogs, provided: Callable[[], Logs]) -> None:
        self._logs: Logs | None = None
        self._files, self._provided, self._why = files, provided, ""

    @property
    def rest(self) -> float:
        """As the one has it whose runs these are."""
        return (self._logs or self._files).rest

    def scan(self) -> Mapping[str, Hashable]:
        """As the files tell where they did so at the first scan; else as the provider does."""
        if self._logs is None:
            try:
                stamps = self._files.scan()
            except DiagnoseError as error:
                self._logs, self._why = self._provided(), str(error)
            else:
                self._logs = self._files
                return stamps
        return self._logs.scan()

    def read(self, run_id: str) -> RawRun:
        """A run; where it came from the provider, a note says why."""
        raw = (self._logs or self._files).read(run_id)
        return replace(raw, notes=(*raw.notes, f"read through TensorBoard, as {self._why}")) if self._why else raw
