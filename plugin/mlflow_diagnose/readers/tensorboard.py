"""TensorBoard logdirs: the runs in them, read-only."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from curve_analyzers.model import RawCurve, RawRun
from curve_analyzers.saying import say
from mlflow_diagnose.errors import NoLogsError, RunNotFoundError
from mlflow_diagnose.readers.events.event_cache import EventCache
from mlflow_diagnose.readers.events.event_files import joined
from mlflow_diagnose.readers.logdir import competing_processes, find_runs
from mlflow_diagnose.readers.one_by_one import OneByOne
from mlflow_diagnose.readers.places import place_of

if TYPE_CHECKING:
    import os
    from collections.abc import Hashable, Iterable, Mapping
    from pathlib import PurePath

    from mlflow_diagnose.readers.events.event_files import EventFile
    from mlflow_diagnose.readers.logdir import LogFile, Part

__all__ = ["TensorBoardReader"]


class TensorBoardReader(OneByOne):
    """Reads the runs under a TensorBoard logdir, without writing to it.

    A run is named as TensorBoard names it, by its directory under the logdir, `.` for the logdir itself; where several
    processes wrote runs into one directory, `<directory>#<host>.<pid>`. The halves of a run in sub-directories are one
    run, with curves named `<sub-directory>/<tag>`.
    """

    source = "tensorboard"

    def __init__(self, logdir: str | os.PathLike[str], *, verify: bool = False) -> None:
        """Name the logdir; nothing is opened yet.

        Args:
            logdir: The directory, a path or a URL that fsspec knows, `s3://bucket/runs`.
            verify: Whether to leave out records that do not match their checksum.
        """
        self.logdir = logdir
        self._place = place_of(logdir)
        self._cache = EventCache(self._place, verify=verify)
        self._split: dict[str, dict[str, tuple[Part, ...]]] = {}
        self._seen: Mapping[str, Hashable] = {}

    def run_ids(self) -> list[str]:
        """The names of the runs, in order of their directories.

        Raises:
            BadInputError: The logdir does not exist, is a file, or holds no event file.
        """
        return [run_id for folder in self._folders for run_id in self._runs_in(folder)]

    def read(self, run_id: str) -> RawRun:
        """One run: the points of its curves in the order they were written, its hyper-parameters as params.

        The notes have a line for each file of which something was lost.

        Raises:
            RunNotFoundError: The logdir holds no such run.
            BadInputError: The logdir does not exist, is a file, or holds no event file.
        """
        folder = run_id if run_id in self._folders else run_id.rpartition("#")[0]
        runs = self._runs_in(folder) if folder in self._folders else {}
        if run_id not in runs:
            known = next(iter(self._folders))
            raise RunNotFoundError(
                f"no run {run_id!r} under {self._place.shown}; a run is named as in {known!r}, its directory"
            )
        curves: dict[str, RawCurve] = {}
        params: dict[str, str] = {}
        notes: list[str] = []
        for part in runs[run_id]:
            files = self._in_order(part.files)
            for file, events in files:
                notes += self._take_params(file, events, params)
            written = {} if part.params_only else joined([events for _, events in files])
            for tag, points in written.items():
                name = f"{part.prefix}{tag}{part.suffix}"
                if name in curves:
                    notes.append(say("two curves are called {name!r}; the second was left out", name=name))
                else:
                    curves[name] = RawCurve(name, points.steps, points.values, points.wall_times)
        name = run_id if run_id != "." else self._place.name
        return RawRun(self.source, run_id, name, tuple(curves.values()), params, notes=tuple(notes))

    def files(self) -> dict[str, list[PurePath]]:
        """The event files of each run.

        Raises:
            BadInputError: The logdir does not exist, is a file, or holds no event file.
        """
        return {
            run_id: [file.path for part in parts for file in part.files]
            for folder in self._folders
            for run_id, parts in self._runs_in(folder).items()
        }

    def grown(self) -> list[str]:
        """The runs in which anything is new since the last call, all of them at the first; for runs that still train.

        Each call looks at the logdir again, as `stamps` does.

        Raises:
            BadInputError: As `run_ids`.
        """
        before, self._seen = self._seen, self.stamps()
        return [run_id for run_id, stamp in self._seen.items() if stamp != before.get(run_id)]

    def stamps(self) -> Mapping[str, Hashable]:
        """By run what changes when one of its files does, as the logdir is now.

        From the first call on, what was read is kept, so that `read` has to read only what came after the last whole
        record of each file, and files that are new. A file that was written anew is read anew; a file that is gone
        takes its points with it.

        Raises:
            BadInputError: As `run_ids`.
        """
        self._cache.keeps = True
        self.__dict__.pop("_folders", None)
        self._split.clear()
        return {
            run_id: tuple((path, self._cache.stamp(path)) for path in files) for run_id, files in self.files().items()
        }

    @cached_property
    def _folders(self) -> dict[str, tuple[Part, ...]]:
        """The parts of the run, or of the runs, of each directory."""
        if not (found := find_runs(self._place.folders(), self._cache)):
            raise NoLogsError(f"logdir {self._place.shown} holds no TensorBoard event file (a name with 'tfevents')")
        return found

    def _runs_in(self, folder: str) -> dict[str, tuple[Part, ...]]:
        """The parts of each run in a directory: of one as a rule, of several where processes competed."""
        if folder not in self._split:
            parts = self._folders[folder]
            self._split[folder] = {
                f"{folder}#{process}": tuple(part.of(process) for part in parts)
                for process in competing_processes(parts, self._cache)
            } or {folder: parts}
        return self._split[folder]

    def _take_params(self, file: LogFile, events: EventFile, params: dict[str, str]) -> list[str]:
        """Add the hyper-parameters of a file to `params`; the notes on what the file lost."""
        troubles = [events.trouble] if events.trouble else []
        if events.hparams:
            from mlflow_diagnose.readers.events.odd_records import read_hparams  # noqa: PLC0415 - slow to import

            try:
                for record in events.hparams:
                    params |= read_hparams(record)
            except ValueError as error:
                troubles.append(str(error))
        return [say("{file}: {trouble}", file=self._place.inside(file.path), trouble=trouble) for trouble in troubles]

    def _in_order(self, files: Iterable[LogFile]) -> list[tuple[LogFile, EventFile]]:
        """The files of a directory with what they hold, in the order in which they were begun."""
        read = [(file, self._cache.take(file.path)) for file in files]
        # The name tells whole seconds; the first record tells the rest, and the time of a file whose name tells none.
        return sorted(
            read, key=lambda pair: (pair[1].started if pair[0].time is None else pair[0].time, pair[1].started)
        )
