"""Asking a store without the noise, the endless retries and the layered errors of the libraries in between."""

from __future__ import annotations

import logging
import os
import re
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mlflow_diagnose.readers.tracking.uri import first_line

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SETTINGS", "quiet", "reason"]

# MLflow by itself retries a dead server for minutes. A user who set one of these keeps it.
SETTINGS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
CHATTY = ("mlflow", "alembic", "sqlalchemy", "urllib3")


@contextmanager
def quiet() -> Iterator[None]:
    """No log line, no warning and no endless retry for as long as this lasts, in this process alone."""
    levels = {name: logging.getLogger(name).level for name in CHATTY}
    ours = {name: value for name, value in SETTINGS.items() if name not in os.environ}
    os.environ.update(ours)
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
        for name in ours:
            os.environ.pop(name, None)


def reason(error: Exception) -> str:
    """What an error says, on one line, without the layers and the credentials that come with it."""
    text = str(error)
    if "ConnectionPool(" in text:
        if "timed out" in text:
            return "no answer in time"
        if refused := re.search(r"too many (\d+) error responses", text):
            return f"the server answers with HTTP status {refused[1]}; its log says why"
        if broken := re.search(r"Connection\w*Error\(\d+, '([^']+)'\)", text):
            return broken[1]
        if "RemoteDisconnected" in text:
            return "the server ended the connection without an answer"
        if system := re.search(r"\[Errno -?\d+\] ([^'\"()\\]+)", text):
            return system[1]
    return first_line(error)
