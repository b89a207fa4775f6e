"""Event files among the artifacts of an MLflow run, where Keras and others leave them: the run's curves once more.

Names of artifacts come from whoever logged them: none leads out of its folder, no link is followed, nothing is
unpickled, and what is read is bounded.
"""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

from curve_analyzers.saying import say
from mlflow_diagnose.errors import DiagnoseError, ReadError
from mlflow_diagnose.patience import may_pass
from mlflow_diagnose.readers.mlflow_files import MlflowFilesReader
from mlflow_diagnose.readers.mlflow_rest import MlflowRestReader
from mlflow_diagnose.readers.mlflow_sql import SqlReader
from mlflow_diagnose.readers.tensorboard import TensorBoardReader

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mlflow import MlflowClient
    from mlflow.entities import FileInfo

    from curve_analyzers.model import RawCurve, RawRun
    from mlflow_diagnose.readers import Reader

__all__ = ["with_event_files"]

EVENT_FILE = "tfevents"  # in the name of every one, as TensorBoard looks for them
MOST_FILES, MOST_FOLDERS = 200, 1000
MOST_BYTES = 1 << 30
LEFT_OUT = say("artifacts that are too large, too many or not to be had were left out")
FOUND = say("the run logged no metric: these are the curves of the event files among its artifacts")


def with_event_files(raw: RawRun, reader: Reader, tracking_uri: str) -> RawRun:
    """A run with what the event files among its artifacts hold: as its curves where it has none, else beside them.

    Args:
        raw: The run.
        reader: Read it.
        tracking_uri: Of its store.

    Raises:
        ReadError: The artifacts of a server could not be read.
    """
    place = _artifact_uri(reader, raw.run_id)
    with tempfile.TemporaryDirectory(prefix="mlflow-diagnose-") as name:
        folder = Path(name)
        if (local := _local(place)) is not None:
            left_out = _linked(local, folder)
        elif place and isinstance(reader, MlflowRestReader):
            left_out = _fetched(raw.run_id, tracking_uri, folder)
        else:
            return raw
        try:
            curves, params, notes = _curves(folder)
        except DiagnoseError:  # no event file is there
            return raw
    notes = [*([LEFT_OUT] if left_out else []), *notes]
    if not any(len(curve.values) for curve in raw.curves):
        return replace(raw, curves=curves, params={**params, **raw.params}, notes=(*raw.notes, FOUND, *notes))
    return replace(raw, others=curves, notes=(*raw.notes, *notes))


def _curves(folder: Path) -> tuple[list[RawCurve], dict[str, str], list[str]]:
    """The curves, hyper-parameters and notes of all runs under a folder; of several, with the run before the name."""
    reader = TensorBoardReader(folder)
    run_ids = reader.run_ids()
    curves: list[RawCurve] = []
    params: dict[str, str] = {}
    notes: list[str] = []
    for run_id in run_ids:
        run = reader.read(run_id)
        prefix = "" if len(run_ids) == 1 else f"{run_id}/"
        curves += [replace(curve, name=prefix + curve.name) for curve in run.curves]
        params |= run.params
        notes += [say("artifact {note}", note=note) for note in run.notes]
    return curves, params, notes


def _artifact_uri(reader: Reader, run_id: str) -> str:
    """Where a run's artifacts are, as its store says; empty where it does not."""
    if isinstance(reader, SqlReader):
        return reader.artifact_uri(run_id)
    if isinstance(reader, MlflowFilesReader):
        return (reader.meta(run_id) or {}).get("artifact_uri", "")
    if isinstance(reader, MlflowRestReader):
        info = reader.runs([run_id]).get(run_id, {}).get("info", {})
        return str(info.get("artifact_uri", "")) if isinstance(info, dict) else ""
    return ""


def _local(uri: str) -> Path | None:
    """The folder that an artifact URI names on this machine; None where it names none that is here."""
    if os.name != "nt" and (re.match(r"(file:/*)?[A-Za-z]:[\\/]", uri) or uri.startswith("\\\\")):
        return None
    parts = urlsplit(uri)
    if not uri or (parts.scheme and parts.scheme != "file") or parts.netloc not in {"", "localhost"}:
        return None
    folder = Path(url2pathname(parts.path))
    return folder if folder.is_dir() else None


def _linked(source: Path, folder: Path) -> bool:
    """Link the event files below a folder into another, without following any link; whether some were left out."""
    files, folders, size = 0, 0, 0
    for place, below, names in os.walk(source, followlinks=False):
        folders += 1
        below.sort()
        for name in sorted(names):
            path = Path(place, name)
            if EVENT_FILE not in name or path.is_symlink() or not path.is_file():
                continue
            size += path.stat().st_size
            files += 1
            if files > MOST_FILES or folders > MOST_FOLDERS or size > MOST_BYTES:
                return True
            here = folder / path.relative_to(source)
            here.parent.mkdir(parents=True, exist_ok=True)
            here.symlink_to(path.absolute())
    return False


def _fetched(run_id: str, tracking_uri: str, folder: Path) -> bool:
    """Copy the event files among a run's artifacts into a folder, through MLflow; whether some were left out."""
    from mlflow_diagnose.readers.mlflow import TrackingStore  # noqa: PLC0415 - for runs on a server alone

    with TrackingStore(tracking_uri).asking(f"the artifacts of run {run_id} could not be read", ReadError) as client:
        fetching = _Fetching(client, run_id, folder)
        fetching.take(None)
    return fetching.left_out


class _Fetching:
    """Fetches event files from a server within bounds; what it does not hand out, a link perhaps, is left out."""

    def __init__(self, client: MlflowClient, run_id: str, folder: Path) -> None:
        self.client, self.run_id, self.folder = client, run_id, folder
        self.files = self.folders = self.size = 0
        self.left_out = False

    def take(self, path: str | None) -> None:
        """Take what is in a folder of the artifacts, None for all of them."""
        self.folders += 1
        entries: Sequence[FileInfo] = ()
        with self._unless_refused(whole=path is None):
            entries = self.client.list_artifacts(self.run_id, path)
        for each in entries:
            if not _is_inside(each.path, path):
                self.left_out = True
            elif each.is_dir:
                if self.folders < MOST_FOLDERS:
                    self.take(each.path)
            elif EVENT_FILE in PurePosixPath(each.path).name:
                self._copy(each)

    def _copy(self, file: FileInfo) -> None:
        self.files += 1
        self.size += file.file_size or 0
        if self.files > MOST_FILES or self.size > MOST_BYTES:
            self.left_out = True
            return
        # MLflow puts a file right into the folder it is given, whatever folders its name has.
        here = (self.folder / file.path).parent
        here.mkdir(parents=True, exist_ok=True)
        with self._unless_refused(whole=False):
            self.client.download_artifacts(self.run_id, file.path, str(here))

    @contextmanager
    def _unless_refused(self, *, whole: bool) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            if whole or may_pass(error):
                raise
            self.left_out = True


def _is_inside(path: str, parent: str | None) -> bool:
    """Whether what a server lists in a folder is in that folder."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or "\\" in path or ":" in path or not pure.parts:
        return False
    return parent is None or pure.parent == PurePosixPath(parent)
