"""A real HTTP proxy that goes wrong when it is told to, and what became of a call that met a fault."""

from __future__ import annotations

import http.client
import http.server
import re
import socket
import struct
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from urllib.parse import SplitResult

__all__ = ["TABLE", "Fault", "Proxy", "proxied", "table", "told"]

HANGING = 4  # seconds, twice as long as the tests are patient
HANDED_ON = {"content-type", "www-authenticate", "location"}
TABLE = Path(__file__).parent / "live" / "FAULTS.md"
HEAD = """\
# Faults tried

Made by `python -m pytest -n0 tests/live/test_faults.py --faults`; each row is what really happened when its test was
run, and the test fails where it no longer does. Beside its row each test asserts that no tag, param, metric, artifact
or log of the user's changed, that every run has all tags of a diagnosis or those it had before, and that a call without
the fault then does what was left. `judged` are the runs whose diagnosis was printed; with exit status 0 it was written,
too, and with another one what is told was not.

| where | fault | judged | exit | told |
|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Fault:
    """How a proxy goes wrong.

    Attributes:
        on: Which requests, a pattern on `METHOD /path`.
        how: `status`, `reset`, `cut`, `hang`, `garbage`, or, after the server got the request, `lost` and `lost cut`.
        times: How often; the requests after that pass.
        skip: How many of these requests pass before.
        status: The status of an answer.
        headers: Its headers.
    """

    on: str
    how: str = "status"
    times: int = 1
    skip: int = 0
    status: int = 503
    headers: tuple[tuple[str, str], ...] = ()


@dataclass
class Proxy:
    """What a running proxy does.

    Attributes:
        uri: Where it listens.
        faults: How it goes wrong.
        met: How many requests met each fault.
    """

    uri: str
    faults: list[Fault] = field(default_factory=list)
    met: dict[int, int] = field(default_factory=dict)
    seen: dict[int, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fault(self, request: str) -> Fault | None:
        """The fault that a request meets."""
        with self.lock:
            for number, fault in enumerate(self.faults):
                if not re.search(fault.on, request):
                    continue
                self.seen[number] = self.seen.get(number, 0) + 1
                if self.seen[number] > fault.skip and self.met.get(number, 0) < fault.times:
                    self.met[number] = self.met.get(number, 0) + 1
                    return fault
        return None


class Handler(http.server.BaseHTTPRequestHandler):
    """Hands requests on, unless a fault is due."""

    protocol_version = "HTTP/1.1"
    proxy: Proxy
    target: SplitResult

    def do_GET(self):
        """Any request."""
        fault = self.proxy.fault(f"{self.command} {self.path}")
        how = fault.how if fault else ""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if how == "hang":
            time.sleep(HANGING)
            self.close_connection = True
        elif how == "reset":
            self.reset()
        elif fault and how == "status":
            self.answer(fault.status, b"<html>busy</html>", [("Content-Type", "text/html"), *fault.headers])
        elif how == "garbage":
            self.answer(200, b"<html>Please log in</html>", [("Content-Type", "text/html")])
        else:
            answer = self.asked(body)
            if how == "lost":
                self.reset()
            else:
                self.answer(*answer, cut=bool(how))

    do_POST = do_PUT = do_DELETE = do_PATCH = do_GET  # noqa: N815 - the library's names

    def asked(self, body):
        """What the server answers: status, content, headers."""
        connection = http.client.HTTPConnection(self.target.hostname, self.target.port, timeout=60)
        headers = {key: value for key, value in self.headers.items() if key.lower() not in {"host", "connection"}}
        connection.request(self.command, self.path, body or None, headers)
        response = connection.getresponse()
        content = response.read()
        kept = [(key, text) for key, text in response.getheaders() if key.lower() in HANDED_ON]
        connection.close()
        return response.status, content, kept

    def answer(self, status, content, headers, *, cut=False):
        """Send an answer, or half of it."""
        self.send_response(status)
        for key, text in headers:
            self.send_header(key, text)
        self.send_header("Content-Length", str(len(content) + cut))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if cut else content)
        self.close_connection = self.close_connection or cut

    def reset(self):
        """End the connection without a word, as a process that is killed does."""
        linger = struct.pack("ii", 1, 0)  # closed so, a connection is reset and not ended
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True
        self.connection.close()

    def finish(self):
        """Let go of a connection that may be gone."""
        with suppress(OSError):
            super().finish()

    def handle(self):
        """The same."""
        with suppress(OSError):
            super().handle()

    def log_message(self, *_):
        """Nothing."""


@contextmanager
def proxied(target: str) -> Iterator[Proxy]:
    """A proxy in front of a server."""
    proxy = Proxy("")
    handler = type("Handler", (Handler,), {"proxy": proxy, "target": urlsplit(target)})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        proxy.uri = f"http://127.0.0.1:{server.server_port}"
        try:
            yield proxy
        finally:
            server.shutdown()
            thread.join()


def told(lines: str, replaced: Sequence[tuple[str, str]]) -> str:
    """What was told on stderr, the same in every run: without names, addresses and folders of the test's own."""
    text = lines.strip()
    for found, name in replaced:
        text = text.replace(found, name)
    text = re.sub(r"http://127\.0\.0\.1:\d+", "http://server", text)
    text = re.sub(r"\b[0-9a-f]{32}\b", "RUN", text)
    text = re.sub(re.escape(tempfile.gettempdir()) + r"[/\\]tmp\w+", "TEMP", text)
    text = re.sub(r"mlflow-diagnose: ", "", text)
    return "<br>".join(dict.fromkeys(line.replace("|", "\\|") for line in text.splitlines()))


def table(rows: Sequence[str]) -> str:
    """The page of all rows."""
    return HEAD + "".join(f"{row}\n" for row in rows)
