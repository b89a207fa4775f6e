"""One MLflow server over plain HTTP: who asks, how long to wait, and what its answers that are no answer mean."""

from __future__ import annotations

import json
import os
from collections import deque
from concurrent.futures import Future
from configparser import ConfigParser
from configparser import Error as ConfigError
from contextlib import contextmanager, suppress
from functools import cached_property
from importlib.metadata import entry_points
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar

from curve_analyzers import __version__
from mlflow_diagnose.errors import BadInputError, ReadError
from mlflow_diagnose.readers.tracking.quiet import SETTINGS, reason
from mlflow_diagnose.readers.tracking.uri import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from requests import Response, Session
    from urllib3.util import Retry

__all__ = ["FORBIDDEN", "OK", "PASSING", "RefusedError", "Server", "is_plain_server"]

Item = TypeVar("Item")
Result = TypeVar("Result")

CONNECTIONS = 4  # a server with one worker gains a quarter from them
PASSING = frozenset({408, 429, 500, 502, 503, 504})  # statuses that may be over with the next try, as MLflow has them
LARGEST_ANSWER = 1 << 30  # bytes, some ten million points
CHUNK = 1 << 20
OK, UNAUTHORIZED, FORBIDDEN = 200, 401, 403

# With one of these set, requests are signed or led in ways that only MLflow's own client knows.
ONLY_MLFLOW = ("MLFLOW_TRACKING_AWS_SIGV4", "MLFLOW_TRACKING_AUTH", "MLFLOW_WORKSPACE")


class RefusedError(Exception):
    """The server answered, and not with what was asked.

    Attributes:
        status: The HTTP status.
        code: MLflow's word for what is wrong, `RESOURCE_DOES_NOT_EXIST`; empty where the answer has none.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class Server:
    """An MLflow tracking server, with the settings for authentication and patience that MLflow itself obeys.

    Args:
        uri: Its tracking URI, perhaps with user and password.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri.rstrip("/")

    @property
    def shown(self) -> str:
        """The tracking URI as messages show it, without user, password and query."""
        return shown(self.uri)

    def get(self, path: str, asked: Sequence[tuple[str, str]]) -> Mapping[str, Any]:
        """The answer to a GET request, with its query.

        Raises:
            RefusedError: The server answered with something else.
            requests.RequestException: It did not answer.
            BadInputError: A setting is wrong.
        """
        return self._ask("GET", path, params=list(asked))

    def post(self, path: str, asked: Mapping[str, object]) -> Mapping[str, Any]:
        """The answer to a POST request, with a JSON body; raises as `get` does."""
        return self._ask("POST", path, json=dict(asked))

    def each(self, ask: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """What `ask` gives for each item, in order, over several connections at once."""
        if len(items) == 1:
            return [ask(items[0])]
        answers: list[Future[Result]] = [Future() for _ in items]
        waiting = deque(zip(items, answers, strict=True))

        def work() -> None:
            with suppress(IndexError):
                while True:
                    item, answer = waiting.popleft()
                    try:
                        answer.set_result(ask(item))
                    except BaseException as error:  # noqa: BLE001 - it is raised where the answer is waited for
                        answer.set_exception(error)

        # Not a ThreadPoolExecutor's threads: an interrupted program would wait for those, and they for the server.
        for _ in range(min(CONNECTIONS, len(items))):
            Thread(target=work, daemon=True).start()
        try:
            return [answer.result() for answer in answers]
        finally:
            waiting.clear()

    @contextmanager
    def asking(self, failure: str) -> Iterator[None]:
        """Make all that a request raises one clear line.

        Args:
            failure: What failed if something does, `run 1f could not be read`.

        Raises:
            ReadError: With that line.
        """
        from requests import RequestException  # noqa: PLC0415 - a tenth of a second, for those who ask a server

        try:
            yield
        except (RefusedError, RequestException) as error:
            raise ReadError(f"MLflow at {self.shown}: {failure}: {_why(error)}") from error

    def _ask(self, method: str, path: str, **asked: object) -> Mapping[str, Any]:
        from requests.exceptions import InvalidURL  # noqa: PLC0415 - as above

        try:
            with self._session.request(
                method,
                self.uri + path,
                timeout=_number("MLFLOW_HTTP_REQUEST_TIMEOUT"),
                verify=_trusted(),
                cert=os.environ.get("MLFLOW_TRACKING_CLIENT_CERT_PATH"),
                stream=True,
                **asked,  # type: ignore[arg-type] # either of two keywords
            ) as response:
                return _answer(response)
        except InvalidURL as error:
            raise BadInputError(f"{self.shown!r} is no address of an MLflow server") from error

    @cached_property
    def _session(self) -> Session:
        from requests import Session  # noqa: PLC0415 - as above
        from requests.adapters import HTTPAdapter  # noqa: PLC0415 - as above

        session = Session()
        adapter = HTTPAdapter(pool_maxsize=CONNECTIONS, max_retries=_retries())
        session.mount("http://", adapter)
        session.mount("https://", adapter)
        session.headers["User-Agent"] = f"mlflow-diagnose/{__version__}"
        user, password = (_credential(f"MLFLOW_TRACKING_{what}") for what in ("USERNAME", "PASSWORD"))
        if user and password:
            from requests.auth import _basic_auth_str  # noqa: PLC0415 - as above

            session.headers["Authorization"] = _basic_auth_str(user.encode(), password.encode())
        elif token := os.environ.get("MLFLOW_TRACKING_TOKEN"):
            session.headers["Authorization"] = f"Bearer {token}"
        return session


def is_plain_server(uri: str) -> bool:
    """Whether a tracking URI is that of a server that takes plain HTTP requests, none that a plug-in must sign."""
    if not uri.lower().startswith(("http://", "https://")) or any(os.environ.get(name) for name in ONLY_MLFLOW):
        return False
    return not entry_points(group="mlflow.request_header_provider")


def _answer(response: Response) -> Mapping[str, Any]:
    body = bytearray()
    for chunk in response.iter_content(CHUNK):
        body += chunk
        if len(body) > LARGEST_ANSWER:
            raise RefusedError(response.status_code, "", f"the answer is larger than {LARGEST_ANSWER >> 20} MiB")
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if response.status_code == UNAUTHORIZED:
        raise RefusedError(
            UNAUTHORIZED,
            "",
            "the server wants to know who asks (HTTP status 401): set MLFLOW_TRACKING_USERNAME and "
            "MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN",
        )
    if not response.ok:
        said = found if isinstance(found, dict) else {}
        if response.status_code in PASSING:
            message = f"the server answers with HTTP status {response.status_code}; its log says why"
        else:
            words = "the server does not allow it" if response.status_code == FORBIDDEN else "the server refuses"
            message = f"{words} (HTTP status {response.status_code})"
        if said.get("message"):
            message += f": {said['message']}"
        raise RefusedError(response.status_code, str(said.get("error_code", "")), message)
    if not isinstance(found, dict):
        raise RefusedError(
            response.status_code, "", "the answer is not MLflow's: is this the address of a tracking server?"
        )
    return found


def _why(error: Exception) -> str:
    from requests.exceptions import ChunkedEncodingError, SSLError  # noqa: PLC0415 - as above

    if isinstance(error, SSLError):
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return "its certificate is not trusted; MLFLOW_TRACKING_SERVER_CERT_PATH names one that is"
        return "no TLS connection could be made"
    if isinstance(error, ChunkedEncodingError):
        return "the answer was cut off"
    return reason(error)


def _retries() -> Retry:
    """As many tries as MLflow would make, and none of them put off for longer than one would wait for an answer."""
    from urllib3.util import Retry  # noqa: PLC0415 - as above

    patience = _number("MLFLOW_HTTP_REQUEST_TIMEOUT")

    class Patient(Retry):
        def get_retry_after(self, response: Any) -> float | None:  # noqa: ANN401 - its type has moved between versions
            wanted = super().get_retry_after(response)
            return None if wanted is None else min(wanted, patience)

    tries = _number("MLFLOW_HTTP_REQUEST_MAX_RETRIES")
    return Patient(total=tries, backoff_factor=1, status_forcelist=PASSING, allowed_methods=None, raise_on_status=False)


def _number(name: str) -> int:
    text = os.environ.get(name, SETTINGS[name])
    if not text.isdecimal():
        raise BadInputError(f"{name} is {text!r}, and no whole number")
    return int(text)


def _trusted() -> str | bool:
    """What requests takes as `verify`: whether to check the server's certificate, or the file to check it against."""
    insecure = os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "false").lower() in {"true", "1"}
    bundle = os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH")
    if insecure and bundle:
        raise BadInputError("MLFLOW_TRACKING_INSECURE_TLS and MLFLOW_TRACKING_SERVER_CERT_PATH exclude each other")
    return bundle or not insecure


def _credential(name: str) -> str | None:
    """A setting from the environment, else from the file that `mlflow` keeps it in."""
    if found := os.environ.get(name):
        return found
    config = ConfigParser()
    try:
        config.read(Path("~/.mlflow/credentials").expanduser())
        return config.get("mlflow", name.lower(), fallback=None)
    except (ConfigError, ValueError):
        return None
