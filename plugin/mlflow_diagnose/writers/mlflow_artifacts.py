"""The report, its picture and its JSON as artifacts of the MLflow run."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

from mlflow_diagnose.errors import ReadError, WriteError
from mlflow_diagnose.readers.mlflow import TrackingStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlflow.entities import Run

    from curve_analyzers.findings import Report

__all__ = ["FILES", "FOLDER", "MlflowArtifacts"]

FOLDER = "diagnosis"
FILES = ("report.html", "curves.png", "findings.json")

# MLflow makes these itself: the artifact root, the experiment's folder, the run's, and its `artifacts`.
MADE_BY_MLFLOW = 4


class MlflowArtifacts:
    """Keeps the files below `diagnosis/` of runs.

    Args:
        tracking_uri: None for the one MLflow itself would use.
        artifact_dir: Where the files of a run go whose artifacts belong to another machine, in a folder of its id.
    """

    def __init__(self, tracking_uri: str | None = None, *, artifact_dir: str | os.PathLike[str] | None = None) -> None:
        self.store = TrackingStore(tracking_uri)
        self.artifact_dir = None if artifact_dir is None else Path(artifact_dir)

    def write(self, report: Report, files: Mapping[str, bytes], run: Run | None = None) -> None:
        """Put the files of a report, by name, in place of those of an earlier one.

        Args:
            report: The report.
            files: What is in each file.
            run: The run as it was just asked for; None to ask for it.

        Raises:
            RunNotFoundError: The store has no such run.
            WriteError: The files could not be written.
        """
        self.put(run or self.store.writable_run(report.run.run_id), files)

    def put(self, run: Run, files: Mapping[str, bytes]) -> None:
        """Put files, by name, below `diagnosis/` of a run.

        Raises:
            WriteError: They could not be written.
        """
        run_id = run.info.run_id
        elsewhere = self._elsewhere(run_id, run.info.artifact_uri)
        failure = f"the artifacts of run {run_id} could not be written"
        if elsewhere:
            if self.artifact_dir is None:
                raise WriteError(elsewhere)
            _put(self.artifact_dir / run_id / FOLDER, files, failure)
            return
        with self.store.writing(failure) as client, tempfile.TemporaryDirectory() as folder:
            _put(Path(folder), files, failure)
            client.log_artifacts(run_id, folder, FOLDER)

    def left_behind(self, run_id: str) -> list[str]:
        """Which of our files a run has: MLflow's client can list artifacts and cannot delete them.

        Raises:
            RunNotFoundError: The store has no such run.
            ReadError: The artifacts could not be listed.
        """
        self.store.run(run_id, ReadError)
        with self.store.asking(f"the artifacts of run {run_id} could not be listed", ReadError) as client:
            found = {each.path for each in client.list_artifacts(run_id, FOLDER)}
        return [path for path in (f"{FOLDER}/{name}" for name in FILES) if path in found]

    def _elsewhere(self, run_id: str, uri: str) -> str:
        """Why a run's artifacts cannot be written from here, empty where they can.

        MLflow would create, here, the folders that a path names on the machine the run was made on.
        """
        if uri.startswith("mlflow-artifacts:") and not self.store.uri.startswith("http"):
            return (
                f"the artifacts of run {run_id} go through an MLflow server ({uri}), which {self.store.shown} is not: "
                "give the server's URI as --tracking-uri"
            )
        parts = urlsplit(uri)
        if os.name != "nt" and (re.match(r"(file:/*)?[A-Za-z]:[\\/]", uri) or uri.startswith("\\\\")):
            here = False
        elif parts.scheme == "file" or not parts.scheme:
            path = Path(url2pathname(parts.path))
            above = [path, *path.parents][: MADE_BY_MLFLOW + 1]
            # The root and, of a relative path, the working directory are everywhere: they have no name.
            here = parts.netloc in {"", "localhost"} and any(folder.is_dir() and folder.name for folder in above)
        else:
            here = True
        if here:
            return ""
        return (
            f"the artifacts of run {run_id} belong to {uri}, which is not on this machine: diagnose the run there, "
            "create that folder, or name another with --artifact-dir"
        )


def _put(folder: Path, files: Mapping[str, bytes], failure: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
    except OSError as error:
        raise WriteError(f"{failure}: {folder}: {error.strerror}") from error
