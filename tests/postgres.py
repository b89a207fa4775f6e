"""A real PostgreSQL for tests: Debian's or another's binaries, on a free port, thrown away at the end."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mlflow_server import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

USER, PASSWORD = "tracker", "s3cr:et"
UNPRIVILEGED = ("postgres", "nobody")  # PostgreSQL refuses to run as root; the first there is takes its place
LOCALE = ("-E", "UTF8", "--no-locale", "--no-sync")
START_UP = 60.0  # seconds


def binaries() -> Path | None:
    """The folder with `initdb` and `postgres`; None where there is none."""
    if on_path := shutil.which("initdb"):
        return Path(on_path).resolve().parent
    # Debian keeps them out of the path.
    return max((path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")), default=None)


@contextmanager
def postgres() -> Iterator[str]:
    """The URI of an empty database, without a driver's name, its password as MLflow's users write it."""
    commands = binaries()
    if commands is None:
        raise RuntimeError("there is no PostgreSQL on this machine")
    # Not below pytest's own folder, which another user cannot enter.
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    other = other_user(UNPRIVILEGED)
    if other:
        shutil.chown(folder, other.pw_uid, other.pw_gid)
    as_user = {"user": other.pw_uid, "group": other.pw_gid, "extra_groups": []} if other else {}
    data, log, port = folder / "data", folder / "log", free_port()
    try:
        with log.open("wb") as output:
            secret = folder / "password"
            secret.write_text(PASSWORD)
            secret.chmod(0o644)
            subprocess.run(
                [commands / "initdb", "-D", data, "-U", USER, "--pwfile", secret, "-A", "scram-sha-256", *LOCALE],
                check=True,
                stdout=output,
                stderr=output,
                cwd=folder,
                **as_user,
            )
            server = subprocess.Popen(
                [commands / "postgres", "-D", data, "-p", str(port), "-k", folder, "-h", "127.0.0.1", "-F"],
                stdout=output,
                stderr=output,
                cwd=folder,
                **as_user,
            )
        try:
            _wait_until_ready(commands, server, port, log)
            yield f"postgresql://{USER}:{PASSWORD.replace(':', '%3A')}@127.0.0.1:{port}/postgres"
        finally:
            server.send_signal(signal.SIGINT)  # at once; SIGTERM waits for every client to leave
            server.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def other_user(names: Sequence[str]) -> pwd.struct_passwd | None:
    """The first of some users that there is, where this process is root's and should not run a server as it is."""
    if os.geteuid():
        return None
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    return next((known[name] for name in names if name in known), None)


def _wait_until_ready(commands: Path, server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_UP
    while time.monotonic() < deadline and server.poll() is None:
        asked = subprocess.run(
            [commands / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)], check=False, timeout=10
        )
        if asked.returncode == 0:
            return
        time.sleep(0.1)
    raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text(errors='replace')[-3000:]}")
