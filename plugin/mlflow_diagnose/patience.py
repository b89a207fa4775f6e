"""Waiting for what may pass: a server that restarts or is busy, a locked database, an answer cut off on its way."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from mlflow_diagnose.errors import DiagnoseError, ReadError
from mlflow_diagnose.readers.tracking.server import PASSING, RefusedError

__all__ = ["Patience", "may_pass", "status_of"]

Result = TypeVar("Result")

PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)  # seconds between tries: a server of MLflow's restarts in ten to twenty
LONGEST = 60.0  # seconds after which no other try begins, where each of them takes long by itself
SPREAD = 0.25  # of a pause, by which workers that were refused together come back apart
GIVEN_UP = 3  # runs in a row that used the patience up, after which the store counts as gone

# By name, as these libraries are imported only where they are used.
NEVER = {"requests.SSLError", "requests.InvalidURL", "requests.InvalidSchema", "requests.MissingSchema"}
# The second is what a connection answers that broke with what was asked before.
ALWAYS = {"requests.RequestException", "sqlalchemy.PendingRollbackError"}
UNREACHED = {"requests.ConnectionError", "requests.Timeout"}
LOCKED = re.compile(r"\b(locked|busy)\b")
BROKEN = re.compile(
    r"server closed the connection|terminating connection|connection (refused|reset|timed out|not open)|"
    r"could not (connect|receive|send)|(is|was) (starting up|shutting down)|recovery mode|"
    r"too many (clients|connections)|lost connection|gone away|deadlock",
    re.IGNORECASE,
)
# What a store says of rows that another process wrote or removed in the midst of our write to them.
CROSSED = re.compile(r"unique constraint|duplicate (key|entry)|expected to update \d+ row", re.IGNORECASE)


class Patience:
    """Tries again what may pass, with growing pauses, and ends that where a store is gone for good.

    Args:
        answered: Whether the store has answered before. One that never did is not waited for: its address is wrong.
    """

    def __init__(self, *, answered: bool = False) -> None:
        self.answered = answered
        self._given_up = 0

    def trying(self, do: Callable[[], Result]) -> Result:
        """What `do` returns, at the first try at which it does.

        Raises:
            DiagnoseError: What `do` raised last, or that it was not tried any more.
        """
        if self._given_up >= GIVEN_UP:
            raise ReadError("the store did not answer for several runs in a row; the rest was not tried")
        began = time.monotonic()
        for pause in (*PAUSES, None):
            try:
                done = do()
            except DiagnoseError as error:
                if not may_pass(error):
                    raise
                if _unreached(error) and not self.answered:
                    raise
                # Once the store counts as doubtful, each run gets a single try until one succeeds.
                if pause is None or self._given_up or time.monotonic() - began > LONGEST:
                    self._given_up += 1
                    raise
                time.sleep(pause * random.uniform(1 - SPREAD, 1 + SPREAD))  # noqa: S311 - not for secrets
            else:
                self.answered, self._given_up = True, 0
                return done
        raise AssertionError("the last try returns or raises")


def may_pass(error: BaseException) -> bool:
    """Whether what failed may succeed with the next try, from the errors that led to it."""
    for each in _causes(error):
        names = _names(each)
        if "mlflow.MlflowException" in names and CROSSED.search(str(each)):
            return True
        if (status := _status(each)) is not None:
            return status in PASSING
        if names & (NEVER | ALWAYS):
            return not names & NEVER
        if any(name.endswith((".OperationalError", ".InterfaceError")) for name in names):
            return bool(LOCKED.search(str(each)) or BROKEN.search(str(each)))
    return False


def status_of(error: BaseException) -> int | None:
    """The HTTP status that an error, or one that led to it, tells of; None where none does."""
    return next((status for each in _causes(error) if (status := _status(each)) is not None), None)


def _status(error: BaseException) -> int | None:
    if isinstance(error, RefusedError):
        return error.status
    if "mlflow.RestException" in _names(error):
        return int(error.get_http_status_code())  # type: ignore[attr-defined] # as its name says
    status = getattr(getattr(error, "response", None), "status_code", None)
    return status if isinstance(status, int) else None


def _unreached(error: BaseException) -> bool:
    return any(
        _names(each) & UNREACHED or BROKEN.search(str(each)) for each in _causes(error) if _names(each) - {"builtins"}
    ) and not any(isinstance(each, RefusedError) for each in _causes(error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error, the one it was raised from, and so on."""
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        following = following.__cause__ or following.__context__


def _names(error: BaseException) -> set[str]:
    """The classes of an error as `<package>.<class>`."""
    return {f"{each.__module__.partition('.')[0]}.{each.__name__}" for each in type(error).__mro__}
