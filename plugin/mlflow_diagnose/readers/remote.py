"""TensorBoard logdirs on object stores and other file systems, through fsspec."""

from __future__ import annotations

import tempfile
import weakref
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from mlflow_diagnose.errors import BadInputError, DiagnoseError, ReadError
from mlflow_diagnose.readers.one_by_one import OneByOne
from mlflow_diagnose.readers.tensorboard import TensorBoardReader
from mlflow_diagnose.readers.tracking.uri import first_line, shown

if TYPE_CHECKING:
    from curve_analyzers.model import RawRun

__all__ = ["RemoteLogdir"]

# What brings the file system of a scheme, where it is an extra of ours.
EXTRAS = {"s3": "s3", "gs": "gcs", "gcs": "gcs", "az": "azure", "abfs": "azure", "abfss": "azure"}
EVENT_FILE = "tfevents"  # in the name of every one, as TensorBoard looks for them


class RemoteLogdir(OneByOne):
    """Reads the runs under a logdir elsewhere: its event files, and no others, are copied here for as long as it lives.

    Args:
        url: The logdir, `s3://bucket/runs`.
        verify: Whether to leave out records that do not match their checksum.
    """

    source = "tensorboard"

    def __init__(self, url: str, *, verify: bool = False) -> None:
        self.url, self.verify = url, verify

    def run_ids(self) -> list[str]:
        """The names of the runs, in order of their directories.

        Raises:
            BadInputError: There is no such file system, or it holds no event file there.
            ReadError: It could not be read.
        """
        return self._copy.run_ids()

    def read(self, run_id: str) -> RawRun:
        """One run, as `TensorBoardReader` reads it; raises as it and `run_ids` do."""
        return self._copy.read(run_id)

    @cached_property
    def _copy(self) -> TensorBoardReader:
        try:
            return self._fetched()
        except DiagnoseError:
            raise
        except ImportError as error:
            scheme = self.url.partition("://")[0]
            extra = f"mlflow-diagnose[{EXTRAS[scheme]}]" if scheme in EXTRAS else f"fsspec and its driver for {scheme}"
            raise BadInputError(f"{shown(self.url)} cannot be read without {extra}: install it with pip") from error
        except ValueError as error:
            raise BadInputError(f"{shown(self.url)} is no logdir: {first_line(error)}") from error
        except Exception as error:  # each file system raises what its own library does
            raise ReadError(f"{shown(self.url)} could not be read: {first_line(error)}") from error

    def _fetched(self) -> TensorBoardReader:
        from fsspec.core import url_to_fs  # noqa: PLC0415 - an extra

        files, root = url_to_fs(self.url)
        folder = tempfile.TemporaryDirectory(prefix="mlflow-diagnose-")
        weakref.finalize(self, folder.cleanup)
        # Called as it is called there: that is the name of a run that lies in the logdir itself.
        here = Path(folder.name, PurePosixPath(root).name or "logdir")
        for path in files.find(root):
            inside = PurePosixPath(path).relative_to(root)
            if EVENT_FILE in inside.name and ".." not in inside.parts:
                (here / inside).parent.mkdir(parents=True, exist_ok=True)
                files.get_file(path, str(here / inside))
        if not here.exists():
            raise BadInputError(f"{shown(self.url)} holds no TensorBoard event file")
        return TensorBoardReader(here, verify=self.verify)
