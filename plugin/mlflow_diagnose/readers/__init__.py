"""Where curves come from: one small interface, one function that finds the reader for a place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from mlflow_diagnose.readers.tracking.uri import default_tracking_uri, is_database

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Sequence

    from curve_analyzers.model import RawRun
    from mlflow_diagnose.errors import DiagnoseError

__all__ = ["Reader", "open_source"]


class Reader(Protocol):
    """Reads the runs of one place."""

    @property
    def source(self) -> str:
        """The kind of place, as it stands in reports: `mlflow` or `tensorboard`."""

    def run_ids(self) -> Iterable[str]:
        """What names each run there is.

        Raises:
            BadInputError: The place is no such store.
            ReadError: It could not be read.
        """

    def read(self, run_id: str) -> RawRun:
        """One run, as it was logged.

        Raises:
            RunNotFoundError: The place has no such run.
            BadInputError: The place is no such store.
            ReadError: The run could not be read.
        """

    def read_many(self, run_ids: Sequence[str]) -> Iterator[RawRun | DiagnoseError]:
        """Runs in the order asked for, as `read` gives each; in place of one that fails stands its error.

        Raises:
            BadInputError: The place is no such store.
            ReadError: It could not be read at all.
        """


def open_source(
    tracking_uri: str | None = None, *, logdir: str | os.PathLike[str] | None = None, verify: bool = False
) -> Reader:
    """The reader for a place; nothing is opened before the first read.

    Args:
        tracking_uri: An MLflow tracking URI; None for the one MLflow itself would use (`MLFLOW_TRACKING_URI`, else
            the store in the working directory).
        logdir: A TensorBoard logdir to read instead, a path or a URL that fsspec knows, `s3://bucket/runs`; or a URL
            whose scheme is that of another package's reader.
        verify: Whether to leave out records of event files that do not match their checksum.

    Raises:
        BadInputError: The reader of another package could not be loaded.
    """
    # Either reader takes seconds to import, and a command needs one of them at most.
    if isinstance(logdir, str) and "://" in logdir:
        from mlflow_diagnose.extensions import reader_for  # noqa: PLC0415 - for places of other packages

        if other := reader_for(logdir):
            return other
    if logdir is not None:
        from mlflow_diagnose.readers.tensorboard import TensorBoardReader  # noqa: PLC0415 - see above

        return TensorBoardReader(logdir, verify=verify)
    uri = tracking_uri or default_tracking_uri()
    if is_database(uri):
        from mlflow_diagnose.readers.mlflow_sql import SqlReader  # noqa: PLC0415 - see above

        return SqlReader(uri)
    from mlflow_diagnose.readers.mlflow_files import MlflowFilesReader, folder_of  # noqa: PLC0415 - see above

    if folder := folder_of(uri):
        return MlflowFilesReader(folder)
    from mlflow_diagnose.readers.tracking.server import is_plain_server  # noqa: PLC0415 - see above

    if is_plain_server(uri):
        from mlflow_diagnose.readers.mlflow_rest import MlflowRestReader  # noqa: PLC0415 - see above

        return MlflowRestReader(uri)
    from mlflow_diagnose.readers.mlflow import MlflowReader  # noqa: PLC0415 - see above

    return MlflowReader(uri)
