"""Databases under MLflow, open for reading alone: their rows, and the points of a run as arrays."""

from __future__ import annotations

import sqlite3
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote, urlsplit

import numpy as np

from mlflow_diagnose.errors import BadInputError
from mlflow_diagnose.readers.tracking.uri import shown

if TYPE_CHECKING:
    from types import ModuleType

    import numpy.typing as npt

    from curve_analyzers.model import Floats, Ints

__all__ = ["Codes", "Database", "Points", "SqliteFile", "open_database"]

Name = TypeVar("Name")
Result = TypeVar("Result")

HALF_WRITTEN = "attempt to write a readonly database"  # as every SQLite says it
LOCKED = 5.0  # seconds to wait for another process that writes
POINT = np.dtype([("code", np.int64), ("time", np.int64), ("step", np.int64), ("value", np.float64)])


class Codes(dict[Name, int]):
    """Numbers names in the order they are first asked for."""

    def __missing__(self, name: Name) -> int:
        code = self[name] = len(self)
        return code


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """The points of every metric of a run, in the order the database gave them.

    Attributes:
        names: The metrics.
        codes: (n,) which of `names` a point belongs to.
        times: (n,) int64, milliseconds since 1970.
        steps: (n,) int64.
        values: (n,) float64; NaN where the database has NULL.
    """

    names: list[str]
    codes: npt.NDArray[np.integer[Any]]
    times: Ints
    steps: Ints
    values: Floats

    @classmethod
    def of_rows(cls, rows: Iterable[tuple[Any, ...]]) -> Points:
        """The points in rows of name, time, step and value.

        Raises:
            TypeError: A row holds something else.
            ValueError: The same.
        """
        codes: Codes[str] = Codes()
        table = np.fromiter(((codes[name], time, step, value) for name, time, step, value in rows), POINT)
        return cls(list(codes), table["code"], table["time"], table["step"], table["value"])


class Database(ABC):
    """A database, open for reading alone.

    Each query has `:name` in place of its values. What fails raises an error of the driver's own.

    Attributes:
        key: How a query has to write the column `key`, a reserved word in some.
        is_nan: The same for the condition that the column `is_nan` is true.
    """

    key = '"key"'
    is_nan = "is_nan"

    @abstractmethod
    def columns(self, table: str) -> frozenset[str]:
        """The columns of a table; none where there is no such table."""

    @abstractmethod
    def rows(self, query: str, **values: str | int) -> list[tuple[Any, ...]]:
        """The rows of a query."""

    @abstractmethod
    def points(self, query: str, run_id: str) -> Points:
        """The points of a run, from a query for `name`, `time`, `step` and `value` with `:run_id` in it."""

    @contextmanager
    def many(self) -> Iterator[Callable[[str, str], Points]]:
        """`points`, by the way that is fastest for many runs."""
        yield self.points

    @abstractmethod
    def close(self) -> None:
        """Let go of it."""


def open_database(uri: str) -> Database:
    """The database of a tracking URI.

    Raises:
        BadInputError: The URI is malformed, or names no file, or one that is not there.
        Exception: The database could not be opened; each driver has its own.
    """
    if uri.lower().startswith("sqlite"):
        return SqliteFile(_sqlite_path(uri))
    from mlflow_diagnose.readers.tracking.database_servers import open_server  # noqa: PLC0415 - SQLAlchemy is slow to import

    return open_server(uri)


class SqliteFile(Database):
    """An sqlite file, through Python's own module, which is there and quick to import.

    Raises:
        sqlite3.Error: It could not be opened.
    """

    def __init__(self, path: Path) -> None:
        self.uri = f"{path.absolute().as_uri()}?mode=ro"
        # Without transactions of Python's own: a lock lasts for one query, and whoever logs can go on between two.
        self.connection = sqlite3.connect(
            self.uri, uri=True, timeout=LOCKED, isolation_level=None, check_same_thread=False
        )
        self.connection.text_factory = _readable

    def columns(self, table: str) -> frozenset[str]:
        """The columns of a table; none where there is no such table."""
        return frozenset(name for (name,) in self.rows("SELECT name FROM pragma_table_info(:name)", name=table))

    def rows(self, query: str, **values: str | int) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        return self._whole(lambda: self.connection.execute(query, values).fetchall())

    def points(self, query: str, run_id: str) -> Points:
        """The points of a run: numbers straight into an array, its metric's number in place of each name.

        Raises:
            ValueError: Something else than numbers stands in their columns.
        """
        return self._whole(lambda: self._points(query, run_id))

    def _points(self, query: str, run_id: str) -> Points:
        codes: Codes[bytes] = Codes()
        self.connection.text_factory = codes.__getitem__
        try:
            table = np.fromiter(self.connection.execute(query, {"run_id": run_id}), POINT)
        finally:
            self.connection.text_factory = _readable
        if not np.bincount(table["code"], minlength=len(codes)).all():
            raise ValueError("a text stands in place of a number")  # sqlite takes it, and it would pass for a name's
        return Points(list(map(_readable, codes)), table["code"], table["time"], table["step"], table["value"])

    @contextmanager
    def many(self) -> Iterator[Callable[[str, str], Points]]:
        """Through ADBC: twice as fast, once it is imported.

        It brings a second SQLite, and two in one process share the process's locks: what one closes, it unlocks for
        the other. So not where another thread could be writing to the store.
        """
        dbapi = _adbc() if threading.active_count() == 1 else None
        if dbapi is None:
            yield self.points
            return
        with dbapi.connect(self.uri, autocommit=True) as connection, connection.cursor() as cursor:
            yield lambda query, run_id: self._whole(lambda: _points_of_arrow(cursor, query, run_id))

    def _whole(self, read: Callable[[], Result]) -> Result:
        """What is read of a file that may hold half of what a process wrote when it was killed.

        SQLite has whoever reads such a file first undo that by the journal beside it, which takes leave to write.

        Raises:
            sqlite3.OperationalError: It has to be undone, and this user may not write to the file.
        """
        try:
            return read()
        except Exception as error:  # ADBC has errors of its own
            if HALF_WRITTEN not in str(error):
                raise
        with closing(sqlite3.connect(self.uri.replace("?mode=ro", "?mode=rw"), uri=True, timeout=LOCKED)) as connection:
            try:
                connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            except sqlite3.OperationalError as error:
                if HALF_WRITTEN not in str(error):
                    raise
                words = "a write to it was cut off, which only those who may write can undo"
                raise sqlite3.OperationalError(words) from error
        return read()

    def close(self) -> None:
        """Close the file."""
        self.connection.close()


_readable = partial(str, encoding="utf-8", errors="replace")


def _sqlite_path(uri: str) -> Path:
    name, _, query = uri.partition("://")[2].removeprefix("/").partition("?")
    if "uri=true" in query.lower():
        name = urlsplit(name).path
    if name in {"", ":memory:"}:
        raise BadInputError(f"{shown(uri)} names no file; a store in a file is sqlite:///mlflow.db")
    for path in (Path(name), Path(unquote(name))):  # MLflow quotes its own default, people do not
        if path.exists():
            return path
    raise BadInputError(
        f"there is no MLflow store at {Path(name).absolute()}: name one with --tracking-uri or MLFLOW_TRACKING_URI"
    )


def _adbc() -> ModuleType | None:
    try:
        from adbc_driver_sqlite import dbapi  # noqa: PLC0415 - slow to import
    except ImportError:  # not every machine has it built
        return None
    return dbapi


def _points_of_arrow(cursor: Any, query: str, run_id: str) -> Points:  # noqa: ANN401 - ADBC may not be installed
    # ADBC takes the type of a column from its first values, which may all be NULL where a metric began with NaN.
    cursor.execute(f"SELECT '' AS name, 0 AS time, 0 AS step, 0.5 AS value UNION ALL {query}", (run_id,))
    name, time, step, value = cursor.fetch_arrow_table().slice(1).columns
    names = name.combine_chunks().dictionary_encode()
    return Points(
        list(map(_readable, names.dictionary.cast("binary").to_pylist())),
        names.indices.to_numpy(),
        time.to_numpy().astype(np.int64, copy=False),
        step.to_numpy().astype(np.int64, copy=False),
        value.to_numpy().astype(np.float64, copy=False),
    )
