"""MLflow file stores (`mlruns/`): their runs, read from the files themselves, and nothing changed in them."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

from curve_analyzers.model import RawCurve
from mlflow_diagnose.errors import BadInputError, DiagnoseError, ReadError, RunNotFoundError
from mlflow_diagnose.readers.metric_files import parse
from mlflow_diagnose.readers.tracked import tracked_run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from curve_analyzers.model import RawRun
    from mlflow_diagnose.readers.metric_files import Points

__all__ = ["MlflowFilesReader", "folder_of", "holds_experiments", "restore_folders"]

META = "meta.yaml"
TRASH = ".trash"
REGISTRY = "models"
NO_RUNS = frozenset({"tags", "datasets", "traces", "models"})  # other things that an experiment's folder holds
RUN_FOLDERS = ("metrics", "params", "artifacts")  # without one of them MLflow no longer sees a run

RUN_ID = re.compile(r"[a-zA-Z0-9][\w-]{0,255}")  # as MLflow has it, so that no id leads out of the store
NOTHING = frozenset({"null", "~"})
STATUS = {"1": "RUNNING", "2": "SCHEDULED", "3": "FINISHED", "4": "FAILED", "5": "KILLED"}

LONGEST_TEXT = 1 << 20  # bytes of a param, a tag or a meta.yaml; MLflow's own limit is 8,000 characters
LONGEST_METRIC = 1 << 30  # bytes, thirty million points
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

    def run_ids(self) -> list[str]:
        """Every run that is not deleted, the newest first.

        Raises:
            BadInputError: There is no store.
            ReadError: It could not be read.
        """
        started: list[tuple[int, str]] = []
        for experiment in self._experiments:
            if experiment.parent.name == TRASH or (self._meta(experiment) or {}).get("lifecycle_stage") == "deleted":
                continue
            for name in self._folders(experiment):
                meta = self._run_meta(experiment / name)
                if meta is None:
                    continue
                self._found[name] = experiment / name
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
        files = self._open(run_id)
        return files.run(parse(list(files.metrics.values())))

    def read_many(self, run_ids: Iterable[str]) -> Iterator[RawRun | DiagnoseError]:
        """Runs in the order asked for, as `read` gives them; in place of one that cannot be read, the error.

        Raises:
            BadInputError: There is no store.
        """
        waiting: list[_RunFiles | DiagnoseError] = []
        size = 0
        for run_id in run_ids:
            try:
                files = self._open(run_id)
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
                    if entry.is_dir() and (not entry.is_symlink() or _is_within(Path(entry.path), self._root))
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

    def _find(self, run_id: str) -> tuple[Path, Mapping[str, str]] | None:
        """The folder of a run and what its meta.yaml says."""
        if not RUN_ID.fullmatch(run_id):
            return None
        listed = self._found.get(run_id)
        for folder in [listed] if listed else [experiment / run_id for experiment in self._experiments]:
            if (meta := self._run_meta(folder)) is not None:
                return folder, meta
        return None

    def _open(self, run_id: str) -> _RunFiles:
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
        files = _RunFiles(run_id, self._root, meta, in_trash=folder.parent.parent.name == TRASH)
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
        import yaml  # type: ignore[import-untyped]  # noqa: PLC0415 - other stores do without

        loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # ten times as fast, where libyaml is there
        try:
            found = yaml.load(_content(folder / META, LONGEST_TEXT, self._root), loader)  # noqa: S506 - it makes only text
        except FileNotFoundError:
            return None
        except (OSError, ValueError, yaml.YAMLError, RecursionError):
            return {}
        if not isinstance(found, dict):
            return {}
        told = {key: text for key, text in found.items() if isinstance(key, str) and isinstance(text, str)}
        return {key: "" if text in NOTHING else text for key, text in told.items()}


@dataclass(eq=False)
class _RunFiles:
    """The files of a run.

    Attributes:
        run_id: The run.
        root: The store, out of which no link is followed.
        meta: What its meta.yaml says.
        in_trash: Whether its experiment is deleted.
        metrics: The bytes of each metric's file.
        params: Its params.
        tags: All its tags.
        notes: What could not be read.
    """

    run_id: str
    root: Path
    meta: Mapping[str, str]
    in_trash: bool
    metrics: dict[str, bytes] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def read(self, folder: Path) -> None:
        """Read the files below the run's folder, any of whose parts may be lost."""
        if not self.meta:
            self.notes.append(f"{META}: damaged, so the run's name and state are unknown")
        for name, content in self._files(folder / "metrics", LONGEST_METRIC):
            self.metrics[name] = content
        for name, content in self._files(folder / "params", LONGEST_TEXT):
            self.params[name] = content.decode(errors="replace")
        for name, content in self._files(folder / "tags", LONGEST_TEXT):
            self.tags[name] = content.decode(errors="replace")

    def run(self, points: Sequence[Points]) -> RawRun:
        """The run, with the points of each metric in the order of `metrics`."""
        curves: list[RawCurve] = []
        notes = list(self.notes)
        for name, curve in sorted(zip(self.metrics, points, strict=True), key=lambda pair: pair[0]):
            if curve.trouble:
                notes.append(f"metrics/{name}: {curve.trouble}")
            if len(curve.values):
                curves.append(RawCurve(name, curve.steps, curve.values, curve.wall_times))
        return tracked_run(
            self.run_id,
            self.meta.get("run_name", "") or self.tags.get("mlflow.runName", ""),
            curves,
            self.params,
            self.tags,
            status=STATUS.get(self.meta.get("status", "1"), "") if self.meta else "",
            deleted=self.in_trash or self.meta.get("lifecycle_stage") == "deleted",
            notes=notes,
        )

    def _files(self, folder: Path, longest: int) -> Iterator[tuple[str, bytes]]:
        """The files below a folder by their path in it, `val/loss`, which is the name of what they hold.

        Args:
            folder: The folder.
            longest: So many bytes a file may have.
        """
        below = [(os.fspath(folder), "")]
        while below:
            place, names = below.pop()
            try:
                with os.scandir(place) as there:
                    entries = sorted(there, key=lambda entry: entry.name)
            except FileNotFoundError:
                continue
            except OSError as error:
                self.notes.append(f"{folder.name}/{names}: left out, {error.strerror}")
                continue
            for entry in entries:
                name = names + os.fsencode(entry.name).decode(errors="replace")
                if entry.is_dir(follow_symlinks=False):
                    below.append((entry.path, f"{name}/"))
                    continue
                try:
                    yield name, _content(entry, longest, self.root)
                except OSError as error:
                    self.notes.append(f"{folder.name}/{name}: left out, {error.strerror or error}")


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


def holds_experiments(folder: Path) -> bool:
    """Whether MLflow, with no tracking URI set, would use this folder: it holds the experiments of a file store."""
    return any(path.parent.name.isdigit() for path in folder.glob(f"*/{META}"))


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


def _parsed(waiting: Sequence[_RunFiles | DiagnoseError]) -> Iterator[RawRun | DiagnoseError]:
    contents = [content for each in waiting if isinstance(each, _RunFiles) for content in each.metrics.values()]
    points = iter(parse(contents))
    for each in waiting:
        yield each.run([next(points) for _ in each.metrics]) if isinstance(each, _RunFiles) else each


def _content(file: os.DirEntry[str] | Path, longest: int, root: Path) -> bytes:
    """The bytes of a file in the store at `root`.

    Raises:
        OSError: They could not be read, or are better not read.
    """
    if file.is_symlink() and not _is_within(Path(file), root):
        raise OSError("a link that leads out of the store")
    if not file.is_file():  # to open a pipe is to wait for whoever writes to it
        raise FileNotFoundError("no regular file")
    with open(file, "rb", buffering=0) as opened:  # noqa: PTH123 - it may be an entry, to be spared its stat
        size = os.fstat(opened.fileno()).st_size
        if size > longest:
            raise OSError(f"more than {longest} bytes")
        return opened.read(size)


def _is_within(path: Path, root: Path) -> bool:
    return path.resolve().is_relative_to(root)
