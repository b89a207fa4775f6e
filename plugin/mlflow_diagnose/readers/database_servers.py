"""Databases that a server holds, through SQLAlchemy and whichever driver MLflow itself would use."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, NoSuchTableError

from mlflow_diagnose.errors import BadInputError
from mlflow_diagnose.readers.databases import Database, Points
from mlflow_diagnose.readers.uri import shown

__all__ = ["open_server"]

CONNECTING = 10  # seconds; a driver by itself waits for minutes

READ_ONLY = {
    "postgresql": "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
    "mysql": "SET SESSION TRANSACTION READ ONLY",
}

# What PostgreSQL's binary COPY writes between a header and a trailer: the number of fields, then each with its length.
HEADER, TRAILER = 19, 2
RECORD = np.dtype(
    [("fields", ">i2")]
    + [part for name in ("code", "time", "step") for part in ((f"{name} bytes", ">i4"), (name, ">i8"))]
    + [("value bytes", ">i4"), ("value", ">f8")]
)


def open_server(uri: str) -> Database:
    """The database of a tracking URI.

    Raises:
        BadInputError: The URI is malformed.
        Exception: The database could not be opened; each driver has its own.
    """
    try:
        url = make_url(uri)
    except (ArgumentError, ValueError) as error:
        raise BadInputError(f"{shown(uri)} is no URI of a database") from error
    if "@" in (url.host or ""):  # else a part of the password would pass for the host, and be shown
        raise BadInputError(f"an @ in the user or password of {shown(uri)} has to be written as %40")
    engine = _engine(url)
    return CopyingServer(engine) if engine.driver == "psycopg2" else Server(engine)


def _engine(url: URL) -> Engine:
    if url.get_backend_name() == "postgresql":
        patience = {} if "connect_timeout" in url.query else {"connect_timeout": CONNECTING}
        takes_it = url.get_driver_name() in {"psycopg2", "psycopg"}
        return create_engine(url, poolclass=NullPool, connect_args=patience if takes_it else {})
    # The others are set up by MLflow's own settings: certificates, for one.
    from mlflow.store.db.utils import create_sqlalchemy_engine  # noqa: PLC0415 - seconds to import

    engine: Engine = create_sqlalchemy_engine(url.render_as_string(hide_password=False))  # type: ignore[no-untyped-call] # MLflow left it untyped
    return engine


class Server(Database):
    """A database behind any driver of SQLAlchemy's."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.key = engine.dialect.identifier_preparer.quote_identifier("key")
        if engine.dialect.name == "mssql":
            self.is_nan = "is_nan = 1"
        # Without transactions: a query keeps nobody from writing once it is answered.
        self.connection: Connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        if statement := READ_ONLY.get(engine.dialect.name):
            self.connection.exec_driver_sql(statement)

    def columns(self, table: str) -> frozenset[str]:
        """The columns of a table; none where there is no such table."""
        try:
            return frozenset(column["name"] for column in inspect(self.connection).get_columns(table))
        except NoSuchTableError:
            return frozenset()

    def rows(self, query: str, **values: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        return [tuple(row) for row in self.connection.execute(text(query), values)]

    def points(self, query: str, run_id: str) -> Points:
        """The points of a run."""
        # The driver's own rows: SQLAlchemy's cost as much again.
        cursor: Any = self.connection.execute(text(query), {"run_id": run_id}).cursor
        return Points.of_rows(iter(cursor.fetchone, None))

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()
        self.engine.dispose()


class CopyingServer(Server):
    """PostgreSQL behind psycopg2: its binary COPY is read as an array, with no Python object for a point."""

    def points(self, query: str, run_id: str) -> Points:
        """The points of a run; each name as its number, so that all records are equally long."""
        names = [name for (name,) in self.rows(f"SELECT DISTINCT name FROM ({query}) AS point", run_id=run_id)]  # noqa: S608 - no value is in it
        command = (
            "COPY (SELECT place - 1, time, step, coalesce(value, 'NaN') "  # noqa: S608 - the same
            f"FROM ({query.replace(':run_id', '%(run_id)s')}) AS point "
            "JOIN unnest(%(names)s::text[]) WITH ORDINALITY AS known(name, place) USING (name)) "
            "TO STDOUT (FORMAT binary)"
        )
        answer = io.BytesIO()
        driver: Any = self.connection.connection
        with driver.cursor() as cursor:
            cursor.copy_expert(cursor.mogrify(command, {"names": names, "run_id": run_id}), answer)
        records = np.frombuffer(answer.getbuffer()[HEADER:-TRAILER], RECORD)
        return Points(
            names,
            records["code"].astype(np.int64),
            records["time"].astype(np.int64),
            records["step"].astype(np.int64),
            records["value"].astype(np.float64),
        )
