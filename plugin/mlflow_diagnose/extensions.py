"""Readers and writers of other packages, found by their entry points and loaded when they are asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, TypeVar

from curve_analyzers.model import RawRun
from mlflow_diagnose.errors import BadInputError, DiagnoseError, ReadError, WriteError
from mlflow_diagnose.readers.one_by_one import OneByOne
from mlflow_diagnose.readers.tracking.uri import first_line, shown

if TYPE_CHECKING:
    from curve_analyzers.findings import Report

__all__ = ["READERS", "WRITERS", "StrangeReader", "StrangeWriter", "reader_for", "writer_for"]

Kind = TypeVar("Kind")

READERS, WRITERS = "mlflow_diagnose.readers", "mlflow_diagnose.writers"


class StrangeReader(OneByOne):
    """A reader of another package, whose every error becomes a line that names it.

    Args:
        scheme: The scheme it is for.
        url: What it reads.
        made: The reader: `run_ids()` gives the names of the runs, and `read(run_id)` a `RawRun`.
    """

    def __init__(self, scheme: str, url: str, made: Any) -> None:  # noqa: ANN401 - a stranger's
        self.source = scheme
        self._url, self._made = url, made

    def run_ids(self) -> Iterable[str]:
        """What names each run there is.

        Raises:
            DiagnoseError: As the reader raised it.
            ReadError: It raised something else, or gave what is no name.
        """
        with self._telling("its runs could not be listed"):
            return [_checked(run_id, str) for run_id in self._made.run_ids()]

    def read(self, run_id: str) -> RawRun:
        """One run, as it was logged.

        Raises:
            DiagnoseError: As the reader raised it.
            ReadError: It raised something else, or gave what is no run.
        """
        with self._telling(f"run {run_id} could not be read"):
            return _checked(self._made.read(run_id), RawRun)

    @contextmanager
    def _telling(self, failure: str) -> Iterator[None]:
        with _of_a_stranger(f"reader {self.source!r} at {shown(self._url)}: {failure}", ReadError):
            yield


class StrangeWriter:
    """A writer of another package, whose every error becomes a line that names it.

    Args:
        name: What it is called.
        made: The writer: `write(report)` puts a report where it belongs.
    """

    def __init__(self, name: str, made: Any) -> None:  # noqa: ANN401 - a stranger's
        self._name, self._made = name, made

    def write(self, report: Report) -> None:
        """Hand a diagnosis over.

        Raises:
            DiagnoseError: As the writer raised it.
            WriteError: It raised something else.
        """
        with _of_a_stranger(f"writer {self._name!r}: run {report.run.run_id} could not be written", WriteError):
            self._made.write(report)


def reader_for(url: str) -> StrangeReader | None:
    """Another package's reader of a URL, told by its scheme; None where no package has one for that.

    Raises:
        BadInputError: It could not be loaded.
    """
    scheme, separator, _ = url.partition("://")
    if not separator or scheme not in entry_points(group=READERS).names:
        return None
    return StrangeReader(scheme, url, _made(READERS, scheme, url, "run_ids", "read"))


def writer_for(text: str) -> StrangeWriter:
    """Another package's writer, from its name and what it is given, `slack:#training`.

    Raises:
        BadInputError: There is no such writer, or it could not be loaded.
    """
    name, _, argument = text.partition(":")
    known = sorted(entry_points(group=WRITERS).names)
    if name not in known:
        there = f"those installed are {', '.join(known)}" if known else "no installed package brings one"
        raise BadInputError(f"there is no writer {name!r}: {there}")
    return StrangeWriter(name, _made(WRITERS, name, argument, "write"))


def _made(group: str, name: str, argument: str, *methods: str) -> Any:  # noqa: ANN401 - a stranger's
    """What the entry point of a name makes of an argument.

    Raises:
        BadInputError: It raised, or what it made lacks a method.
    """
    entry = next(iter(entry_points(group=group, name=name)))
    with _of_a_stranger(f"{group} {name!r} ({entry.value}) could not be loaded", BadInputError):
        made = entry.load()(argument)
        for method in methods:
            if not callable(getattr(made, method, None)):
                raise TypeError(f"it made a {type(made).__name__}, which has no {method}()")
        return made


def _checked(given: Any, kind: type[Kind]) -> Kind:  # noqa: ANN401 - a stranger's
    if not isinstance(given, kind):
        raise TypeError(f"it gave a {type(given).__name__} and not a {kind.__name__}")
    return given


@contextmanager
def _of_a_stranger(failure: str, kind: type[DiagnoseError]) -> Iterator[None]:
    """A stranger's bug stays its own: whatever it raises is told with the stranger's name."""
    try:
        yield
    except DiagnoseError:
        raise
    except Exception as error:
        raise kind(f"{failure}: {type(error).__name__}: {first_line(error)}") from error
