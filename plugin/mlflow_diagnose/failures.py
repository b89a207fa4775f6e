"""What goes wrong in a call of the command line: told in a line as it happens, and what it makes the exit status."""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from mlflow_diagnose.errors import BadInputError, DiagnoseError
from mlflow_diagnose.readers.tracking.uri import without_secrets
from mlflow_diagnose.text import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["BAD_INPUT", "INCOMPLETE", "Failures", "bug"]

BAD_INPUT, INCOMPLETE = 2, 3
INTERRUPTED, BROKEN_PIPE = 130, 141  # as a shell reports a program that SIGINT or SIGPIPE ended


class Failures:
    """The failures of one call.

    Args:
        debug: Whether to show the traceback of each.

    Attributes:
        lines: The runs that failed, each with the line that says why.
    """

    def __init__(self, *, debug: bool = False) -> None:
        self.debug = debug
        self.lines: list[tuple[str, str]] = []
        self._any = False
        self._only_bad_input = True
        self._told: set[str] = set()

    @contextmanager
    def aside(self, run_id: str) -> Iterator[None]:
        """Work on one run, which costs the others nothing where it fails."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - a bug that one run meets is not the others'
            told = error if isinstance(error, DiagnoseError) else DiagnoseError(f"run {run_id}: {bug(error)}")
            self.add(run_id, told, traceback.format_exc())

    def add(self, run_id: str, error: DiagnoseError, trace: str = "") -> None:
        """Take note of a run that failed, and tell it.

        Args:
            run_id: The run.
            error: What is wrong with it.
            trace: Where in the code that was found.
        """
        self._any = True
        self.lines.append((run_id, self._tell(str(error), trace)))
        self._only_bad_input &= isinstance(error, BadInputError)

    def exit_status(self, *, done: bool) -> int:
        """What the failed runs make the exit status; 0 where none failed.

        Args:
            done: Whether any run was done.
        """
        if not self._any:
            return 0
        return BAD_INPUT if self._only_bad_input and not done else INCOMPLETE

    def end(self, error: BaseException) -> int:
        """Tell what ended the call ahead of time; the exit status it leads to."""
        if isinstance(error, click.exceptions.Exit):
            return error.exit_code
        if isinstance(error, click.ClickException):
            text, status = error.format_message(), error.exit_code
        elif isinstance(error, DiagnoseError):
            text, status = str(error), error.exit_status
        elif isinstance(error, KeyboardInterrupt):
            text, status = "interrupted; what was written stays", INTERRUPTED
        elif isinstance(error, OSError):
            # What could not be printed is not tried once more when Python ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            if isinstance(error, BrokenPipeError):
                return BROKEN_PIPE
            text, status = f"the output could not be written: {error}", INCOMPLETE
        else:
            text, status = bug(error), INCOMPLETE
        self._tell(text, traceback.format_exc())
        return status

    def _tell(self, text: str, trace: str) -> str:
        """Print an error to stderr, and return it as it was printed: on one line, no escapes, no password."""
        if self.debug:
            click.echo(without_secrets(trace), err=True)
        line = plain(without_secrets(text))
        # What is wrong with a store is wrong for each of its runs, and told once.
        if line not in self._told:
            self._told.add(line)
            click.echo(f"mlflow-diagnose: {line}", err=True)
        return line


def bug(error: BaseException) -> str:
    """What is said of an error that nobody but us can be blamed for."""
    return f"a bug of ours, {type(error).__name__}: {error}; --debug shows where"
