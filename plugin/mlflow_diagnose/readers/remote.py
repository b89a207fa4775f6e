"""TensorBoard logdirs on object stores and other file systems, through fsspec."""

from __future__ import annotations

from collections import defaultdict
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from curve_analyzers.saying import say
from mlflow_diagnose.errors import BadInputError, DiagnoseError, NoLogsError, ReadError
from mlflow_diagnose.readers.events.buffers import Buffer
from mlflow_diagnose.readers.events.event_files import NOTHING, PADDING, EventFile, Stretch, read_stretches, unread
from mlflow_diagnose.readers.events.records import HEADER_BYTES, record_size
from mlflow_diagnose.readers.logdir import LogFile, in_tree, is_log
from mlflow_diagnose.readers.tracking.uri import first_line, shown

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
    from pathlib import PurePath

    from mlflow_diagnose.readers.logdir import Folders

__all__ = ["RemoteFolder"]

# What brings the file system of a scheme, where it is an extra of ours.
EXTRAS = {"s3": "s3", "gs": "gcs", "gcs": "gcs", "az": "azure", "abfs": "azure", "abfss": "azure", "hdfs": "hdfs"}

# So many bytes are asked for at once: of a store far away they take about as long as the question.
CHUNK_BYTES = 1 << 24
MOST_RECORD_BYTES = 1 << 26  # a record of more is left where it is


class RemoteFolder:
    """A folder behind a URL. Its event files, and no others, are read where they are, piece by piece.

    Nothing is copied to a disk, and of a large file no more than a few pieces are in memory. All of its bytes are
    fetched, once: pictures lie between the scalars, and to leave one out takes a question more, which costs more than
    the picture.

    Args:
        url: The folder, `s3://bucket/runs`.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._files: dict[PurePath, Mapping[str, Any]] = {}

    @property
    def shown(self) -> str:
        """The URL without user, password and query."""
        return shown(self.url)

    @property
    def name(self) -> str:
        """The last part of the URL's path."""
        return PurePosixPath(self._root[1]).name or "logdir"

    def folders(self) -> Folders:
        """The event files of each directory.

        Raises:
            BadInputError: There is no such file system, or no such folder in it.
            ReadError: It could not be read.
        """
        self._files = {}
        folders: defaultdict[str, list[LogFile]] = defaultdict(list)
        with self._telling():
            files, root = self._root
            files.invalidate_cache()  # or what was listed once stays as it was
            for path, about in sorted(files.find(root, detail=True).items()):
                inside = PurePosixPath(path).relative_to(root)
                if not is_log(inside.name):
                    continue
                self._files[inside] = about if about.get("size") is not None else files.info(path)
                folders["" if inside.parent == PurePosixPath() else str(inside.parent)].append(LogFile.at(inside))
            if not folders:
                files.ls(root)  # to search says nothing of why nothing is found
        return {name: tuple(folders[name]) for name in sorted(folders, key=in_tree)}

    def inside(self, path: PurePath) -> str:
        """The path from here, as which a file is known."""
        return str(path)

    def stamp(self, path: PurePath) -> Hashable:
        """All that the file system said of the file when it was listed."""
        return repr(self._files[path]) if path in self._files else None

    def read_next(
        self, paths: Iterable[PurePath], *, before: Mapping[PurePath, EventFile], verify: bool
    ) -> dict[PurePath, EventFile]:
        """Small files together, which most file systems fetch over several connections; a large one by itself."""
        known: dict[PurePath, EventFile] = {}
        size = 0
        for path in paths:
            known[path] = before.get(path, NOTHING)
            size += max(0, self._size(path) - known[path].end)
            if size > CHUNK_BYTES:
                break
        if size > CHUNK_BYTES and len(known) > 1:
            known.popitem()
        known = self._unless_written_anew(known)
        if size > CHUNK_BYTES and len(known) == 1:
            ((path, events),) = known.items()
            return {path: self._in_pieces(path, events, verify=verify)}
        contents = self._fetch([(path, each.end, self._size(path)) for path, each in known.items()])
        found: dict[PurePath, EventFile] = {}
        pieces: list[bytes] = []
        stretches: dict[PurePath, Stretch] = {}
        at = 0
        for (path, each), content in zip(known.items(), contents, strict=True):
            if isinstance(content, Exception):
                found[path] = _unread(each, content)
            else:
                stretches[path] = Stretch(at, at + len(content), each)
                pieces.append(content)
                at += len(content)
        read = read_stretches(Buffer(b"".join([*pieces, PADDING])), list(stretches.values()), verify=verify)
        return found | dict(zip(stretches, read, strict=True))

    def _in_pieces(self, path: PurePath, known: EventFile, *, verify: bool) -> EventFile:
        """A file, from where it is known to its end."""
        size, at, wanted = self._size(path), known.end, CHUNK_BYTES
        while at < size:
            (content,) = self._fetch([(path, at, min(at + wanted, size))])
            if isinstance(content, Exception):
                return _unread(known, content)
            stretch = Stretch(0, len(content), known)
            (known,) = read_stretches(Buffer(content + PADDING), [stretch], verify=verify)
            record = record_size(content[:HEADER_BYTES])
            if known.end > at:
                at, wanted = known.end, CHUNK_BYTES
            elif at + len(content) >= size or at + record > size or wanted > MOST_RECORD_BYTES:
                break  # what is left is no whole record
            elif record > MOST_RECORD_BYTES:
                gap = say("a record of {record} bytes at byte {at} was left out", record=record, at=at)
                at += record
                known = replace(known, end=at, gaps=[*known.gaps, gap], rest="")
            else:
                wanted = max(2 * wanted, record)
        return known

    def _unless_written_anew(self, known: Mapping[PurePath, EventFile]) -> dict[PurePath, EventFile]:
        """What is known of files, nothing where they no longer begin as they did."""
        begun = {path: each for path, each in known.items() if each.end}
        heads = self._fetch([(path, 0, len(each.head)) for path, each in begun.items()])
        anew = {
            path
            for (path, each), head in zip(begun.items(), heads, strict=True)
            if head != each.head or each.end > self._size(path)
        }
        return {path: NOTHING if path in anew else each for path, each in known.items()}

    def _fetch(self, wanted: Sequence[tuple[PurePath, int, int]]) -> list[bytes | Exception]:
        """Pieces of files, each from a byte to a byte, or why they cannot be had."""
        asked = [(str(self._files[path]["name"]), start, stop) for path, start, stop in wanted if start < stop]
        if not asked:
            return [b"" for _ in wanted]
        files, _ = self._root
        paths, starts, stops = (list(column) for column in zip(*asked, strict=True))
        fetched = iter(files.cat_ranges(paths, starts, stops, on_error="return"))
        return [next(fetched) if start < stop else b"" for _, start, stop in wanted]

    def _size(self, path: PurePath) -> int:
        return int(self._files[path]["size"] or 0)

    @cached_property
    def _root(self) -> tuple[Any, str]:
        """The file system, and the folder in it."""
        from fsspec.core import url_to_fs  # noqa: PLC0415 - an extra

        files, root = url_to_fs(self.url)
        return files, str(root)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """All that a file system raises becomes one clear line."""
        try:
            yield
        except DiagnoseError:
            raise
        except ImportError as error:
            scheme = self.url.partition("://")[0]
            extra = f"mlflow-diagnose[{EXTRAS[scheme]}]" if scheme in EXTRAS else f"fsspec and its driver for {scheme}"
            raise BadInputError(f"{self.shown} cannot be read without {extra}: install it with pip") from error
        except FileNotFoundError as error:
            raise NoLogsError(f"logdir {self.shown} does not exist") from error
        except ValueError as error:
            raise BadInputError(f"{self.shown} is no logdir: {first_line(error)}") from error
        except Exception as error:  # each file system raises what its own library does
            raise ReadError(f"{self.shown} could not be read: {first_line(error)}") from error


def _unread(known: EventFile, error: Exception) -> EventFile:
    return replace(known, rest=unread(first_line(error)))
