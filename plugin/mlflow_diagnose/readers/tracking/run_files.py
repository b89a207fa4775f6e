"""The files of one run in an MLflow file store, any part of which may be lost, damaged or a trap."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from curve_analyzers.model import RawCurve
from curve_analyzers.saying import say
from mlflow_diagnose.readers.tracking.tracked import tracked_run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from curve_analyzers.model import RawRun
    from mlflow_diagnose.readers.tracking.metric_files import Points

__all__ = ["LONGEST_TEXT", "META", "RunFiles", "is_within", "read_bytes"]

META = "meta.yaml"
STATUS = {"1": "RUNNING", "2": "SCHEDULED", "3": "FINISHED", "4": "FAILED", "5": "KILLED"}

LONGEST_TEXT = 1 << 20  # bytes of a param, a tag or a meta.yaml; MLflow's own limit is 8,000 characters
LONGEST_METRIC = 1 << 30  # bytes, thirty million points


@dataclass(eq=False)
class RunFiles:
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
            self.notes.append(say("{file}: damaged, so the run's name and state are unknown", file=META))
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
                notes.append(say("{file}: {trouble}", file=f"metrics/{name}", trouble=curve.trouble))
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
                self.notes.append(say("{file}: left out, {why}", file=f"{folder.name}/{names}", why=error.strerror))
                continue
            for entry in entries:
                name = names + os.fsencode(entry.name).decode(errors="replace")
                if entry.is_dir(follow_symlinks=False):
                    below.append((entry.path, f"{name}/"))
                    continue
                try:
                    yield name, read_bytes(entry, longest, self.root)
                except OSError as error:
                    why = error.strerror or str(error)
                    self.notes.append(say("{file}: left out, {why}", file=f"{folder.name}/{name}", why=why))


def read_bytes(file: os.DirEntry[str] | Path, longest: int, root: Path) -> bytes:
    """The bytes of a file in the store at `root`.

    Raises:
        OSError: They could not be read, or are better not read.
    """
    if file.is_symlink() and not is_within(Path(file), root):
        raise OSError("a link that leads out of the store")
    if not file.is_file():  # to open a pipe is to wait for whoever writes to it
        raise FileNotFoundError("no regular file")
    with open(file, "rb", buffering=0) as opened:  # noqa: PTH123 - it may be an entry, to be spared its stat
        size = os.fstat(opened.fileno()).st_size
        if size > longest:
            raise OSError(f"more than {longest} bytes")
        return opened.read(size)


def is_within(path: Path, root: Path) -> bool:
    """Whether a path, all links followed, lies in a folder."""
    return path.resolve().is_relative_to(root)
