"""Databases that a server holds, through SQLAlchemy and whichever driver MLflow itself would use."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, NoSuchTableError, SQLAlchemyError

from mlflow_diagnose.errors import BadInputError
from mlflow_diagnose.readers.tracking.databases import Database, Points
from mlflow_diagnose.readers.tracking.uri import shown

__all__ = ["open_server"]

CONNECTING = 10  # seconds; a driver by itself waits for minutes

NUMBER = 8  # bytes

READ_ONLY = {
    "postgresql": "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
    "mysql": "SET SESSION TRANSACTION READ ONLY",
}


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
    return PostgresqlServer(engine) if engine.dialect.name == "postgresql" else Server(engine)


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

    def rows(self, query: str, **values: str | int) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        return [tuple(row) for row in self.connection.execute(text(query), values)]

    def points(self, query: str, run_id: str) -> Points:
        """The points of a run."""
        driver: Any = self.connection.execute(text(query), {"run_id": run_id}).cursor  # SQLAlchemy's rows cost twice
        return Points.of_rows(driver)

    def close(self) -> None:
        """Close the connection, which may be lost already."""
        with suppress(SQLAlchemyError):
            self.connection.close()
        self.engine.dispose()


class PostgresqlServer(Server):
    """PostgreSQL, which packs the numbers of a metric into bytes: no Python object for a point, with any driver."""

    def points(self, query: str, run_id: str) -> Points:
        """The points of a run, metric by metric."""
        packed = (
            "SELECT name, string_agg(int8send(time), ''), string_agg(int8send(step), ''), "  # noqa: S608 - no value is in it
            f"string_agg(float8send(coalesce(value, 'NaN')), '') FROM ({query}) AS point GROUP BY name"
        )
        rows = self.rows(packed, run_id=run_id)
        names = [name for name, *_ in rows]
        times, steps, values = (b"".join(row[column] for row in rows) for column in (1, 2, 3))
        sizes = [len(row[1]) // NUMBER for row in rows]
        return Points(
            names,
            np.repeat(np.arange(len(names)), sizes),
            np.frombuffer(times, ">i8").astype(np.int64),
            np.frombuffer(steps, ">i8").astype(np.int64),
            np.frombuffer(values, ">f8").astype(np.float64),
        )
