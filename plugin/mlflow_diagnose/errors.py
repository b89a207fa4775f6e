"""What can go wrong at the rim, with the exit status it leads to. A message is a line: what, which, what to do."""

from __future__ import annotations

__all__ = [
    "BadInputError",
    "DiagnoseError",
    "NoLogsError",
    "NotAllowedError",
    "ReadError",
    "RunNotFoundError",
    "WriteError",
]


class DiagnoseError(Exception):
    """The base of every error that is the user's or the store's, never a bug of ours."""

    exit_status = 3


class BadInputError(DiagnoseError):
    """The command line, the config or the place to look is wrong."""

    exit_status = 2


class NoLogsError(BadInputError):
    """The place to look is not there, or holds no log; one may come yet."""


class RunNotFoundError(BadInputError):
    """The store answered, and has no such run."""


class ReadError(DiagnoseError):
    """The store, or one run in it, could not be read."""


class WriteError(DiagnoseError):
    """The diagnosis was made and could not be written back."""


class NotAllowedError(WriteError):
    """The store lets this user read, and not write."""
