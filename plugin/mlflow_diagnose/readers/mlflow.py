"""MLflow tracking stores: opening one without harm or noise, and reading its runs through MLflow's own client."""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

import mlflow
import numpy as np
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from mlflow.entities import LifecycleStage
from mlflow.exceptions import MlflowException
from mlflow.store.db.db_types import DATABASE_ENGINES
from mlflow.store.db.utils import create_sqlalchemy_engine
from sqlalchemy.engine import make_url

from curve_analyzers.model import RawCurve, RawRun
from mlflow_diagnose.errors import (
    BadInputError,
    DiagnoseError,
    NotAllowedError,
    ReadError,
    RunNotFoundError,
    WriteError,
)
from mlflow_diagnose.patience import status_of
from mlflow_diagnose.readers.mlflow_files import folder_of, restore_folders
from mlflow_diagnose.readers.one_by_one import OneByOne
from mlflow_diagnose.readers.tracking.quiet import quiet, reason
from mlflow_diagnose.readers.tracking.server import FORBIDDEN
from mlflow_diagnose.readers.tracking.tracked import no_experiment, tracked_run
from mlflow_diagnose.readers.tracking.uri import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mlflow import MlflowClient
    from mlflow.entities import Metric, Run
    from mlflow.store.entities import PagedList

__all__ = ["MlflowReader", "TrackingStore"]

LOGGER = logging.getLogger("mlflow_diagnose")
ALLOW_FILE_STORE = "MLFLOW_ALLOW_FILE_STORE"

NOT_ALLOWED = "MLflow at {}: this user may not write there: the diagnosis is printed only, as with --no-write"

Item = TypeVar("Item")


class MlflowReader(OneByOne):
    """Reads runs, also deleted ones, with one call for each metric.

    Args:
        tracking_uri: None for the one MLflow itself would use.
    """

    source = "mlflow"

    def __init__(self, tracking_uri: str | None = None) -> None:
        self.store = TrackingStore(tracking_uri)

    def run_ids(self, experiment: str | None = None, search: str = "") -> list[str]:
        """Every run that is not deleted, the newest of each experiment first; of one experiment, where it is named.

        Args:
            experiment: Its name, or its id.
            search: Only runs that MLflow's search finds by this filter.

        Raises:
            BadInputError: There is no store at the tracking URI, no such experiment, or the filter is none.
            ReadError: It could not be read.
        """
        with self.store.asking("its runs could not be listed", ReadError) as client:
            if experiment is None:
                experiments = [
                    each.experiment_id for each in _pages(lambda at: client.search_experiments(page_token=at))
                ]
            else:
                experiments = [self._experiment_id(client, experiment)]
            try:
                runs = _pages(lambda at: client.search_runs(experiments, search, page_token=at)) if experiments else []
                return [run.info.run_id for run in runs]
            except MlflowException as error:
                if search and error.error_code == "INVALID_PARAMETER_VALUE":
                    raise BadInputError(f"--filter {search!r}: {reason(error)}") from error
                raise

    def _experiment_id(self, client: MlflowClient, name: str) -> str:
        found = client.get_experiment_by_name(name)
        if found is None and name.isdecimal():
            try:
                found = client.get_experiment(name)
            except MlflowException as error:
                if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                    raise
        if found is None or found.lifecycle_stage == LifecycleStage.DELETED:
            raise no_experiment(self.store.shown, name)
        return str(found.experiment_id)

    def read(self, run_id: str) -> RawRun:
        """One run, its points in the order MLflow gives them (of time), its tags without MLflow's and ours.

        Raises:
            RunNotFoundError: The store has no such run.
            BadInputError: There is no store at the tracking URI.
            ReadError: The run could not be read.
        """
        run = self.store.run(run_id, ReadError)
        with self.store.asking(f"the metrics of run {run_id} could not be read", ReadError) as client:
            curves = [_curve(name, client.get_metric_history(run_id, name)) for name in sorted(run.data.metrics)]
        return tracked_run(
            run_id,
            run.info.run_name or "",
            curves,
            run.data.params,
            run.data.tags,
            status=run.info.status,
            deleted=_is_deleted(run),
        )


class TrackingStore:
    """An MLflow tracking store, opened on first use.

    Args:
        uri: Its tracking URI; None for the one MLflow itself would use.

    Attributes:
        uri: The tracking URI asked.
        shown: The same as messages show it, without user, password and query.
    """

    def __init__(self, uri: str | None = None) -> None:
        self.uri = uri or mlflow.get_tracking_uri()
        self.shown = shown(self.uri)

    def run(self, run_id: str, error: type[DiagnoseError]) -> Run:
        """A run with its params, tags and latest metrics.

        Raises:
            RunNotFoundError: The store has no such run.
            BadInputError: There is no store at the tracking URI.
            DiagnoseError: Of the class `error`, where the store does not answer or refuses.
        """
        with self.asking(f"run {run_id} could not be read", error) as client:
            try:
                return client.get_run(run_id)
            except MlflowException as caught:
                # The second is what an id that no run can have gives: `../x`.
                if caught.error_code not in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
                    raise
                if not self._restored(run_id):
                    raise RunNotFoundError(f"MLflow at {self.shown} has no run {run_id!r}") from caught
                return client.get_run(run_id)

    def writable_run(self, run_id: str) -> Run:
        """A run to which something is to be written.

        Raises:
            RunNotFoundError: The store has no such run.
            BadInputError: There is no store at the tracking URI.
            WriteError: The run is deleted, or the store does not answer.
        """
        run = self.run(run_id, WriteError)
        if _is_deleted(run):
            raise WriteError(
                f"run {run_id} is deleted, and nothing can be written to it; `mlflow runs restore --run-id {run_id}` "
                "brings it back"
            )
        return run

    @contextmanager
    def asking(self, failure: str, error: type[DiagnoseError]) -> Iterator[MlflowClient]:
        """MLflow's client, kept quiet and from waiting for minutes; all that it raises becomes one clear line.

        Args:
            failure: What failed if something does, `run 1f could not be read`.
            error: The class to raise then.
        """
        with quiet():
            try:
                yield self._client
            except DiagnoseError:
                raise
            except Exception as caught:  # each store behind MLflow raises what its own library does
                raise error(f"MLflow at {self.shown}: {failure}: {reason(caught)}") from caught

    @contextmanager
    def writing(self, failure: str) -> Iterator[MlflowClient]:
        """As `asking`, where something is written.

        Raises:
            NotAllowedError: The store lets this user read only.
            WriteError: It could not be written.
        """
        try:
            with self.asking(failure, WriteError) as client:
                yield client
        except WriteError as error:
            denied = getattr(error.__cause__, "error_code", "") == "PERMISSION_DENIED"
            if denied or status_of(error) == FORBIDDEN:
                raise NotAllowedError(NOT_ALLOWED.format(self.shown)) from error
            raise

    @cached_property
    def _client(self) -> MlflowClient:
        scheme = urlsplit(self.uri).scheme.partition("+")[0]
        if scheme in DATABASE_ENGINES:
            self._check_database()
        elif folder := folder_of(self.uri):
            self._check_exists(folder)
            _allow_file_store(self.shown)
        try:
            return mlflow.MlflowClient(self.uri)
        except Exception as caught:
            if ALLOW_FILE_STORE in str(caught):
                raise BadInputError(
                    f"{self.shown} is a file store, which MLflow {mlflow.__version__} does not open where "
                    f"{ALLOW_FILE_STORE} is set to {os.environ.get(ALLOW_FILE_STORE)}"
                ) from caught
            raise BadInputError(
                f"{self.shown!r} is no tracking URI that MLflow can open; "
                "it looks like sqlite:///mlflow.db or http://localhost:5000"
            ) from caught

    def _restored(self, run_id: str) -> bool:
        """Whether a file store has a run that MLflow did not see for want of an empty folder, and now does."""
        folder = folder_of(self.uri)
        lost = restore_folders(folder, run_id) if folder else []
        if lost:
            LOGGER.warning("run %s lacked %s: made anew, as MLflow sees no run without", run_id, " and ".join(lost))
        return bool(lost)

    def _check_database(self) -> None:
        """Keep MLflow from what it does to a database on opening: create it, fill it, or migrate it in place."""
        url = make_url(self.uri)
        if url.get_backend_name() == "sqlite":
            if url.database in {None, "", ":memory:"}:
                raise BadInputError(f"{self.shown} names no file; a store in a file is sqlite:///mlflow.db")
            self._check_exists(Path(urlsplit(url.database).path if "uri" in url.query else url.database))
        engine = create_sqlalchemy_engine(self.uri)  # type: ignore[no-untyped-call] # MLflow left it untyped
        try:
            with engine.connect() as connection:
                found = MigrationContext.configure(connection).get_current_revision()
        except Exception as caught:
            if "file is not a database" in str(caught):
                raise BadInputError(f"{self.shown} is no SQLite database") from caught
            raise
        finally:
            engine.dispose()
        migrations = Path(mlflow.__file__).parent / "store" / "db_migrations"
        wanted = ScriptDirectory(str(migrations)).get_current_head()
        if found is None:
            raise BadInputError(f"{self.shown} is a database, and not one of MLflow's")
        if found != wanted:
            raise ReadError(
                f"{self.shown} was made by another version of MLflow (schema {found}; MLflow {mlflow.__version__} "
                f"has {wanted}): use that version, or make a backup and run `mlflow db upgrade`"
            )

    def _check_exists(self, path: Path) -> None:
        if not path.exists():
            raise BadInputError(
                f"there is no MLflow store at {path.absolute()}: name one with --tracking-uri or MLFLOW_TRACKING_URI"
            )


def _allow_file_store(shown: str) -> None:
    """Have MLflow open file stores, which it does from 3.17 on only where a user says so, and say that we did."""
    if hasattr(mlflow.environment_variables, ALLOW_FILE_STORE) and ALLOW_FILE_STORE not in os.environ:
        os.environ[ALLOW_FILE_STORE] = "true"
        LOGGER.warning("%s is a file store: %s=true is set for this process, to write to it", shown, ALLOW_FILE_STORE)


def _is_deleted(run: Run) -> bool:
    return bool(run.info.lifecycle_stage == LifecycleStage.DELETED)


def _curve(name: str, points: list[Metric]) -> RawCurve:
    return RawCurve(
        name,
        steps=np.array([point.step for point in points], np.int64),
        values=np.array([point.value for point in points], np.float64),
        wall_times=np.array([point.timestamp for point in points], np.float64) / 1000,
    )


def _pages(search: Callable[[str | None], PagedList[Item]]) -> Iterator[Item]:
    page = search(None)
    yield from page
    while page.token:
        page = search(page.token)
        yield from page
