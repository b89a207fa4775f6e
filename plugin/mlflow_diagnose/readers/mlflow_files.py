"""MLflow file stores (`mlruns/`): their runs, read from the files themselves, and nothing changed in them."""

from __future__ import annotations

import os
import re
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

from mlflow_diagnose.errors import BadInputError, DiagnoseError, ReadError, RunNotFoundError
from mlflow_diagnose.readers.tracking.metric_files import parse
from mlflow_diagnose.readers.tracking.run_files import LONGEST_TEXT, META, RunFiles, is_within, read_bytes
from mlflow_diagnose.readers.tracking.tracked import no_experiment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from curve_analyzers.model import RawRun

__all__ = ["MlflowFilesReader", "folder_of", "restore_folders"]

TRASH = ".trash"
REGISTRY = "models"
NO_RUNS = frozenset({"tags", "datasets", "traces", "models"})  # other things that an experiment's folder holds
RUN_FOLDERS = ("metrics", "params", "artifacts")  # without one of them MLflow no longer sees a run

RUN_ID = re.compile(r"[a-zA-Z0-9][\w-]{0,255}")  # as MLflow has it, so that no id leads out of the store
NOTHING = frozenset({"null", "~"})

AT_ONCE = 1 << 24  # bytes of metrics that are parsed together


class MlflowFilesReader:
    """Reads the runs of a file store, also deleted ones and those that MLflow no longer sees.

    Links that lead out of the store are not followed.

    Args:
        folder: The store.
    """

    source = "mlflow"

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self._found: dict[str, Path] = {}

    def run_ids(self, experiment: str | None = None) -> list[str]:
        """Every run that is not deleted, the newest first; of one experiment, where it is named.

        Args:
            experiment: Its name, or its id.

        Raises:
            BadInputError: There is no store, or no such experiment.
            ReadError: It could not be read.
        """
        started: list[tuple[int, str]] = []
        for folder in self._experiments if experiment is None else [self._experiment(experiment)]:
            if folder.parent.name == TRASH or (self._meta(folder) or {}).get("lifecycle_stage") == "deleted":
                continue
            for name in self._folders(folder):
                meta = self._run_meta(folder / name)
                if meta is None:
                    continue
                self._found[name] = folder / name
                if meta.get("lifecycle_stage") != "deleted":
                    start = meta.get("start_time", "")
                    started.append((-int(start) if start.isdecimal() else 0, name))
        return [name for _, name in sorted(started)]

    def read(self, run_id: str) -> RawRun:
        """One run, its points in the order they were written, its tags without MLflow's and ours.

        The notes have a line for each file of which something was lost.

        Raises:
            RunNotFoundError: The store has no such run.
            BadInputError: There is no store.
            ReadError: The run could not be read.
        """
        files = self.open_run(run_id)
        return files.run(parse(list(files.metrics.values())))

    def read_many(self, run_ids: Iterable[str]) -> Iterator[RawRun | DiagnoseError]:
        """Runs in the order asked for, as `read` gives them; in place of one that cannot be read, the error.

        Raises:
            BadInputError: There is no store.
        """
        waiting: list[RunFiles | DiagnoseError] = []
        size = 0
        for run_id in run_ids:
            try:
                files = self.open_run(run_id)
                size += sum(map(len, files.metrics.values()))
                waiting.append(files)
            except (RunNotFoundError, ReadError) as error:
                waiting.append(error)
            if size >= AT_ONCE:
                yield from _parsed(waiting)
                waiting, size = [], 0
        yield from _parsed(waiting)

    @cached_property
    def _root(self) -> Path:
        """The store without links.

        Raises:
            BadInputError: It is not there, or a file.
        """
        if not self.folder.exists():
            raise BadInputError(
                f"there is no MLflow store at {self.folder.absolute()}: name one with --tracking-uri or "
                "MLFLOW_TRACKING_URI"
            )
        if not self.folder.is_dir():
            raise BadInputError(f"{self.folder.absolute()} is a file; an MLflow file store is a folder")
        return self.folder.resolve()

    @cached_property
    def _experiments(self) -> list[Path]:
        """The folders of the experiments, those of deleted ones at the end."""
        there = [self._root / name for name in self._folders(self._root) if name not in {TRASH, REGISTRY}]
        trash = self._root / TRASH
        deleted = [trash / name for name in self._folders(trash)] if trash.is_dir() else []
        return there + deleted

    def _experiment(self, name: str) -> Path:
        """The folder of the experiment of a name, else of an id."""
        there = [folder for folder in self._experiments if folder.parent.name != TRASH]
        for folder in there:
            if (self._meta(folder) or {}).get("name") == name:
                return folder
        for folder in there:
            if folder.name == name:
                return folder
        raise no_experiment(str(self.folder), name)

    def _folders(self, folder: Path) -> list[str]:
        """The names of the folders in a folder, without links that lead out of the store, in order.

        Raises:
            ReadError: The folder cannot be read.
        """
        try:
            with os.scandir(folder) as entries:
                return sorted(
                    entry.name
                    for entry in entries
                    if entry.is_dir() and (not entry.is_symlink() or is_within(Path(entry.path), self._root))
                )
        except OSError as error:
            raise ReadError(f"{folder} could not be read: {error.strerror}") from error

    def find(self, run_id: str) -> Path | None:
        """The folder of a run; None where the store has no such run.

        Raises:
            BadInputError: There is no store.
            ReadError: It could not be read.
        """
        found = self._find(run_id)
        return found and found[0]

    def meta(self, run_id: str) -> Mapping[str, str] | None:
        """What the meta.yaml of a run says by now; None where the store has no such run; raises as `find`."""
        found = self._find(run_id)
        return found and found[1]

    def _find(self, run_id: str) -> tuple[Path, Mapping[str, str]] | None:
        """The folder of a run and what its meta.yaml says."""
        if not RUN_ID.fullmatch(run_id):
            return None
        listed = self._found.get(run_id)
        for folder in [listed] if listed else [experiment / run_id for experiment in self._experiments]:
            if (meta := self._run_meta(folder)) is not None:
                return folder, meta
        return None

    def open_run(self, run_id: str) -> RunFiles:
        """What the files of a run hold.

        Raises:
            RunNotFoundError: The store has no such run.
            BadInputError: There is no store.
            ReadError: A folder cannot be read.
        """
        found = self._find(run_id)
        if found is None:
            raise RunNotFoundError(f"MLflow at {self.folder} has no run {run_id!r}")
        folder, meta = found
        files = RunFiles(run_id, self._root, meta, in_trash=folder.parent.parent.name == TRASH)
        files.read(folder)
        return files

    def _run_meta(self, folder: Path) -> Mapping[str, str] | None:
        """What the meta.yaml of a run says; nothing where it is damaged, None where the folder is no run's."""
        meta = None if folder.name in NO_RUNS else self._meta(folder)
        if not meta:
            return meta
        # Artifacts, registered models and copies have one too.
        named = meta.get("run_id") or meta.get("run_uuid")
        return meta if named == folder.name and meta.get("experiment_id") == folder.parent.name else None

    def _meta(self, folder: Path) -> Mapping[str, str] | None:
        """What the meta.yaml of a folder says, all as text; nothing where it is damaged, None where there is none."""
        import yaml  # noqa: PLC0415 - other stores do without

        loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # ten times as fast, where libyaml is there
        try:
            found = yaml.load(read_bytes(folder / META, LONGEST_TEXT, self._root), loader)  # noqa: S506 - it makes only text
        except FileNotFoundError:
            return None
        except (OSError, ValueError, yaml.YAMLError, RecursionError):
            return {}
        if not isinstance(found, dict):
            return {}
        told = {key: text for key, text in found.items() if isinstance(key, str) and isinstance(text, str)}
        return {key: "" if text in NOTHING else text for key, text in told.items()}


def folder_of(uri: str) -> Path | None:
    """The folder that a tracking URI names, as a path or as `file:...`; None where it names another kind of store."""
    if uri in {"databricks", "databricks-uc", "uc"}:
        return None
    try:
        parts = urlsplit(uri)
    except ValueError:  # `http://[`
        return None
    if parts.scheme == "file":
        return Path(url2pathname(parts.path))
    # A single letter is a drive of Windows.
    return Path(url2pathname(uri)) if len(parts.scheme) <= 1 else None


def restore_folders(folder: Path, run_id: str) -> list[str]:
    """Make the empty folders anew whose loss, as in a git checkout, hides a run from MLflow; their names.

    Raises:
        OSError: They cannot be made.
    """
    place = MlflowFilesReader(folder).find(run_id)
    lost = [place / name for name in RUN_FOLDERS if not (place / name).exists()] if place else []
    for each in lost:
        each.mkdir()
    return [each.name for each in lost]


def _parsed(waiting: Sequence[RunFiles | DiagnoseError]) -> Iterator[RawRun | DiagnoseError]:
    contents = [content for each in waiting if isinstance(each, RunFiles) for content in each.metrics.values()]
    points = iter(parse(contents))
    for each in waiting:
        yield each.run([next(points) for _ in each.metrics]) if isinstance(each, RunFiles) else each
