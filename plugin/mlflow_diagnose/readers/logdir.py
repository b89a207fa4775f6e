"""Logdirs: which event files under a directory make up which run."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from mlflow_diagnose.readers.events.event_cache import EventCache
    from mlflow_diagnose.readers.events.event_files import EventFile
    from mlflow_diagnose.readers.events.points import Points

    Folders = Mapping[str, tuple["LogFile", ...]]  # by their names under the logdir, empty for the logdir itself

__all__ = [
    "OURS",
    "LogFile",
    "Part",
    "added_scalar",
    "competing_processes",
    "find_runs",
    "in_tree",
    "is_half",
    "is_log",
]

TRAIN = frozenset({"train", "training", "learn"})
HELD_OUT = frozenset({"validation", "val", "valid", "eval", "dev", "test", "testing"})

# What the names of the event files end with that we wrote: `--summary` puts them beside the logs, and they are no run.
OURS = ".mlflow-diagnose"

# events.out.tfevents.<seconds>.<host>.<pid>.<n><suffix>; a host may have dots, old writers leave out pid and n.
TIMED = re.compile(r"tfevents\.(?P<time>\d+)\.(?P<rest>.+)$")
PROCESS = re.compile(r"(?P<host>.+)\.(?P<pid>\d+)\.\d+(?:\D.*)?$")

# What `add_hparams` calls the directory of its file: the time, as Python prints it.
TIME_STAMP = re.compile(r"\d{9,}(\.\d+)?$")


@dataclass(frozen=True, slots=True)
class LogFile:
    """An event file.

    Attributes:
        path: Where it is.
        time: Seconds since 1970 from its name; None where the name tells none.
        process: `<host>.<pid>` from its name, or what the name has in their place.
    """

    path: PurePath
    time: int | None
    process: str

    @classmethod
    def at(cls, path: PurePath) -> LogFile:
        """The event file at a path."""
        if not (timed := TIMED.search(path.name)):
            return cls(path, None, path.name.rpartition("tfevents")[2].strip(".") or path.name)
        process = PROCESS.match(timed["rest"])
        return cls(path, int(timed["time"]), f"{process['host']}.{process['pid']}" if process else timed["rest"])


@dataclass(frozen=True, slots=True)
class Part:
    """A directory of event files and its place in a run.

    A curve is named `<prefix><tag><suffix>` in its run.

    Attributes:
        files: The event files in it.
        prefix: `validation/` for the validation half of a run.
        suffix: `/train` for what `add_scalars` wrote of a tag under the name `train`.
        params_only: Whether it holds hyper-parameters and no curve, as `add_hparams` leaves it.
    """

    files: tuple[LogFile, ...]
    prefix: str = ""
    suffix: str = ""
    params_only: bool = False

    def of(self, process: str) -> Part:
        """The files that one process wrote."""
        return replace(self, files=tuple(file for file in self.files if file.process == process))


def find_runs(folders: Folders, cache: EventCache) -> dict[str, tuple[Part, ...]]:
    """The parts of every run under a logdir by the run's directory, `.` for the logdir itself.

    A directory of event files is a run. Three kinds of sub-directory belong to the run of their parent: the halves
    of a split (`train`, `validation`), and what torch's `add_scalars` and `add_hparams` write beside its files.
    """
    cache.expect(file.path for files in folders.values() for file in files)
    names: defaultdict[str, set[str]] = defaultdict(set)
    for folder in folders:
        parent, _, name = folder.rpartition("/")
        names[parent].add(name.lower())
    members: defaultdict[str, dict[str, Part]] = defaultdict(dict)
    for folder in filter(None, folders):
        parent = folder.rpartition("/")[0]
        if part := _half(folder, folders, names[parent]) or _beside(folder, folders, cache):
            members[parent][folder] = part
    joined = {folder for parts in members.values() for folder in parts}

    def parts_of(folder: str, prefix: str) -> Iterator[Part]:
        for member, part in members.get(folder, {}).items():
            yield replace(part, prefix=prefix + part.prefix)
            yield from parts_of(member, prefix + part.prefix)

    runs = {}
    for folder in sorted((folders.keys() | set(members)) - joined, key=in_tree):
        own = (Part(folders[folder]),) if folder in folders else ()
        runs[folder or "."] = (*own, *parts_of(folder, ""))
    return runs


def competing_processes(parts: Sequence[Part], cache: EventCache) -> list[str]:
    """The processes that wrote the files of a run, where they are runs of their own; empty where they are one run.

    They are where two of them wrote a tag at the same time over the same steps. One after the other they are a
    resumed run, or the evaluations of one; with different tags they share a run's work.
    """
    if not any(len({file.process for file in part.files}) > 1 for part in parts):
        return []
    for part in parts:
        written: defaultdict[str, list[tuple[str, Points]]] = defaultdict(list)
        for file in part.files:
            for tag, points in cache.look(file.path).points.items():
                written[tag].append((file.process, points))
        if any(
            process != other_process and _overlap(points, other)
            for pieces in written.values()
            for (process, points), (other_process, other) in combinations(pieces, 2)
        ):
            return sorted({file.process for each in parts for file in each.files})
    return []


def is_log(name: str) -> bool:
    """Whether a file is an event file that is not ours, by its name."""
    return "tfevents" in name and not name.endswith((".profile-empty", OURS))


def in_tree(folder: str) -> list[str]:
    """What sorts directories as a tree shows them."""
    return folder.split("/") if folder else []


def is_half(folder: str, folders: Container[str], siblings: AbstractSet[str]) -> bool:
    """Whether a folder is the training or held-out half of its parent's run.

    A half has a counterpart: a lone `train` is a run that somebody called so.

    Args:
        folder: Its name under the logdir.
        folders: Those that hold event files.
        siblings: The names, in lower case, of those with the same parent.
    """
    parent, _, name = folder.rpartition("/")
    if name.lower() not in TRAIN | HELD_OUT:
        return False
    return bool(siblings & HELD_OUT and (siblings & TRAIN or parent in folders))


def added_scalar(name: str, tags: Collection[str]) -> str:
    """What `add_scalars` called the curve for which it made a directory; empty where it made none of that name.

    The directory of `add_scalars("a/b", {"c": ...})` is `a_b_c`, and the only tag in it `a/b`.
    """
    stem = f"{next(iter(tags)).replace('/', '_')}_" if len(tags) == 1 and "_" in name else ""
    return name.removeprefix(stem) if stem and name.startswith(stem) else ""


def _half(folder: str, folders: Folders, siblings: AbstractSet[str]) -> Part | None:
    """The folder as a half of its parent's run; None where it is none."""
    name = folder.rpartition("/")[2]
    return Part(folders[folder], prefix=f"{name}/") if is_half(folder, folders, siblings) else None


def _beside(folder: str, folders: Folders, cache: EventCache) -> Part | None:
    """The folder as what `add_hparams` or `add_scalars` wrote beside its parent's files; None where it is neither."""
    parent, _, name = folder.rpartition("/")
    if parent not in folders:
        return None
    files = folders[folder]
    if TIME_STAMP.match(name):
        events = [cache.look(file.path) for file in files]
        return Part(files, params_only=True) if _only_hparams(events) else None
    if "_" in name:
        tags = {tag for file in files for tag in cache.look(file.path).points}
        if added := added_scalar(name, tags):
            return Part(files, suffix=f"/{added}")
    return None


def _only_hparams(events: Sequence[EventFile]) -> bool:
    """Whether files hold hyper-parameters and, of each metric, the one value that `add_hparams` takes."""
    counts = [len(points) for each in events for points in each.points.values()]
    return any(each.hparams for each in events) and max(counts, default=1) == 1


def _overlap(one: Points, other: Points) -> bool:
    """Whether two series share a stretch of time and a stretch of steps."""
    start, end = (max(one.wall_times.min(), other.wall_times.min()), min(one.wall_times.max(), other.wall_times.max()))
    first, last = (max(one.steps.min(), other.steps.min()), min(one.steps.max(), other.steps.max()))
    return bool(start < end and first <= last)
