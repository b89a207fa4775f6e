"""Many runs by a reader that has no better way than one after the other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from mlflow_diagnose.errors import DiagnoseError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from curve_analyzers.model import RawRun

__all__ = ["OneByOne"]


class OneByOne(ABC):
    """A reader whose `read_many` reads run after run."""

    @abstractmethod
    def read(self, run_id: str) -> RawRun:
        """One run, as it was logged."""

    def read_many(self, run_ids: Sequence[str]) -> Iterator[RawRun | DiagnoseError]:
        """Runs in the order asked for, as `read` gives each; in place of one that fails stands its error."""
        for run_id in run_ids:
            try:
                yield self.read(run_id)
            except DiagnoseError as error:
                yield error
