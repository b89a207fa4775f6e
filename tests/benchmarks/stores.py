"""Large MLflow stores, laid down in seconds: MLflow makes the schema, the rows are written past it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import sqlalchemy

from mlflow_server import fresh_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mlflow_server import Store

METRICS = tuple(f"{split}/{name}" for split in ("train", "val") for name in ("loss", "accuracy", "f1", "auc", "mse"))
POINTS = 500  # of each metric of a run
START = 1_700_000_000_000

RUNS = (
    "INSERT INTO runs (run_uuid, name, source_type, user_id, status, start_time, lifecycle_stage, artifact_uri, "
    "experiment_id) VALUES (?, ?, 'LOCAL', 'me', 'FINISHED', ?, 'active', 'nowhere', 0)"
)
PARAMS = "INSERT INTO params (run_uuid, key, value) VALUES (?, ?, ?)"
METRIC_ROWS = "INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan) VALUES (?, ?, ?, ?, ?, ?)"
LATEST_ROWS = METRIC_ROWS.replace("metrics", "latest_metrics")


def run_id(number: int) -> str:
    """What names a run."""
    return f"{number * 2_654_435_761 % 2**32:032x}"


def points(number: int) -> Iterator[tuple[str, float, int, str, int, bool]]:
    """The rows of a run's metrics: losses that fall and scores that rise, with noise, as training logs them."""
    rng = np.random.default_rng(number)
    fall = np.exp(-np.arange(POINTS) / rng.uniform(30, 120))
    curves = np.stack([fall if index % 5 in {0, 4} else 1 - fall for index in range(len(METRICS))], axis=1)
    values = (curves + rng.normal(0, 0.01, curves.shape)).tolist()
    for step, row in enumerate(values):
        at = START + 1000 * (number * POINTS + step)
        for index, name in enumerate(METRICS):
            yield name, row[index], at + index, run_id(number), step, False


def big_store(folder: Path, runs: int) -> Store:
    """A store of runs of 10 metrics of 500 points each: 10 M points and 3 GB for 2,000 runs."""
    store = fresh_store(folder)
    with closing(sqlite3.connect(store.database)) as connection:
        for setting in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -500000"):
            connection.execute(f"PRAGMA {setting}")
        for number in range(runs):
            connection.execute(RUNS, (run_id(number), f"run {number}", START + number))
            connection.executemany(PARAMS, [(run_id(number), f"param {index}", str(index)) for index in range(10)])
            rows = list(points(number))
            connection.executemany(METRIC_ROWS, rows)
            connection.executemany(LATEST_ROWS, rows[-len(METRICS) :])
        connection.commit()
    return store


def copied_to(uri: str, store: Store, runs: int) -> None:
    """Lay the first runs of a store down in another, empty database, whose schema MLflow makes."""
    from mlflow import MlflowClient  # noqa: PLC0415 - seconds, and needed for this alone

    from mlflow_diagnose.readers.tracking.quiet import quiet  # noqa: PLC0415 - the same

    with quiet():
        MlflowClient(uri)
    engine = sqlalchemy.create_engine(uri)
    with engine.begin() as connection, closing(sqlite3.connect(store.database)) as source:
        for table in ("runs", "params", "latest_metrics", "metrics"):
            known = sqlalchemy.Table(table, sqlalchemy.MetaData(), autoload_with=connection)
            for number in range(runs):
                rows = source.execute(f"SELECT * FROM {table} WHERE run_uuid = ?", (run_id(number),))  # noqa: S608 - MLflow's own tables
                names = [column[0] for column in rows.description]
                values = [dict(zip(names, row, strict=True)) for row in rows]
                # sqlite's truth is 0 and 1.
                connection.execute(
                    known.insert(), [{**row, "is_nan": False} if "is_nan" in row else row for row in values]
                )
    engine.dispose()
