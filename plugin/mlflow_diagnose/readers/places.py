"""Where a logdir lies: a folder of this machine, or one behind a URL."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from mlflow_diagnose.errors import BadInputError, NoLogsError
from mlflow_diagnose.readers.events.event_files import read_next
from mlflow_diagnose.readers.logdir import LogFile, in_tree, is_log

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping
    from pathlib import PurePath

    from mlflow_diagnose.readers.events.event_files import EventFile
    from mlflow_diagnose.readers.logdir import Folders

__all__ = ["LocalFolder", "Place", "place_of"]


class Place(Protocol):
    """A folder of event files, wherever it is."""

    @property
    def shown(self) -> str:
        """The place as messages show it."""

    @property
    def name(self) -> str:
        """What a run is called that lies in the place itself."""

    def folders(self) -> Folders:
        """The event files of each directory, as they are now; none where there is no event file.

        Raises:
            BadInputError: There is no such place.
            ReadError: It could not be read.
        """

    def inside(self, path: PurePath) -> str:
        """Where in the place a file lies."""

    def stamp(self, path: PurePath) -> Hashable:
        """What changes when a file does; None where it is gone."""

    def read_next(
        self, paths: Iterable[PurePath], *, before: Mapping[PurePath, EventFile], verify: bool
    ) -> dict[PurePath, EventFile]:
        """Read the first of some event files, and those after it that can be read in one go.

        Args:
            paths: The files.
            before: What earlier readings gave: a file is read on from there, unless it was written anew meanwhile.
            verify: Whether to check each record against its checksum.
        """


def place_of(logdir: str | os.PathLike[str]) -> Place:
    """The place that a path or a URL names."""
    if "://" in str(logdir):
        from mlflow_diagnose.readers.remote import RemoteFolder  # noqa: PLC0415 - few need it

        return RemoteFolder(str(logdir))
    return LocalFolder(Path(logdir))


class LocalFolder:
    """A folder of this machine.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def shown(self) -> str:
        """The path, as it was given."""
        return str(self.folder)

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.folder.resolve().name

    def folders(self) -> Folders:
        """The event files of each directory.

        Links are followed; a directory reached twice is taken once, under its own name where it has one here.

        Raises:
            BadInputError: The folder does not exist, or is a file.
        """
        if not self.folder.exists():
            raise NoLogsError(f"logdir {self.folder} does not exist")
        if not self.folder.is_dir():
            raise BadInputError(f"logdir {self.folder} is a file; name the directory that holds it")
        found: dict[str, tuple[LogFile, ...]] = {}
        seen: set[tuple[int, int]] = set()
        links = [""]
        for link in links:
            waiting = [link]
            while waiting:
                folder = waiting.pop()
                entries = _entries(os.path.join(self.folder, folder), seen)  # noqa: PTH118 - pathlib takes longer than the disk
                for entry in filter(_is_folder, entries):
                    inner = f"{folder}/{entry.name}" if folder else entry.name
                    (links if entry.is_symlink() else waiting).append(inner)
                logs = [entry.path for entry in entries if is_log(entry.name) and entry.is_file()]
                if logs:
                    found[folder] = tuple(LogFile.at(Path(path)) for path in logs)
        return dict(sorted(found.items(), key=lambda item: in_tree(item[0])))

    def inside(self, path: PurePath) -> str:
        """The path from here."""
        return path.relative_to(self.folder).as_posix()

    def stamp(self, path: PurePath) -> Hashable:
        """The size, the time of the last change and the file's number."""
        try:
            status = os.stat(path)  # noqa: PTH116 - it is a path by itself
        except OSError:
            return None
        return status.st_size, status.st_mtime_ns, status.st_ino

    def read_next(
        self, paths: Iterable[PurePath], *, before: Mapping[PurePath, EventFile], verify: bool
    ) -> dict[PurePath, EventFile]:
        """Small files together, a large one by itself."""
        return read_next(paths, before=before, verify=verify)


def _entries(path: str, seen: set[tuple[int, int]]) -> list[os.DirEntry[str]]:
    """What a directory holds, by name; nothing where it was seen, went away, or is not ours to read."""
    try:
        status = os.stat(path)  # noqa: PTH116 - pathlib takes longer than the disk
        if (status.st_dev, status.st_ino) in seen:
            return []
        with os.scandir(path) as listed:
            entries = sorted(listed, key=lambda entry: entry.name)
    except OSError:
        return []
    seen.add((status.st_dev, status.st_ino))
    return entries


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False
