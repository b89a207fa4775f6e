"""A real MySQL for tests, MariaDB, which speaks the same: on a free port, thrown away at the end."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mlflow_server import free_port
from postgres import other_user

if TYPE_CHECKING:
    from collections.abc import Iterator

USER, PASSWORD = "tracker", "s3cr:et"
# Case counts, and a blank at the end: of two names that are alike otherwise MLflow would make one.
SET_UP = (
    "CREATE DATABASE mlflow CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;\n"
    f"CREATE USER '{USER}'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n"
    f"GRANT ALL ON mlflow.* TO '{USER}'@'127.0.0.1';\n"
)
UNPRIVILEGED = ("mysql", "nobody")  # root would be refused
START_UP = 60.0  # seconds


def binaries() -> dict[str, str] | None:
    """The programs by their names; None where one of them is missing."""
    # Debian keeps the server where only root looks.
    path = "/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin"
    found = {
        name: shutil.which(name) or shutil.which(name, path=path)
        for name in ("mariadbd", "mariadb-install-db", "mariadb-admin")
    }
    return {name: program for name, program in found.items() if program} if all(found.values()) else None


@contextmanager
def mysql() -> Iterator[str]:
    """The URI of an empty database, its password as MLflow's users write it."""
    programs = binaries()
    if programs is None:
        raise RuntimeError("there is no MariaDB on this machine")
    # Not below pytest's own folder, which another user cannot enter; and a socket's path must be short.
    folder = Path(tempfile.mkdtemp(prefix="mysql-"))
    other = other_user(UNPRIVILEGED)
    if other:
        shutil.chown(folder, other.pw_uid, other.pw_gid)
    as_user = {"user": other.pw_uid, "group": other.pw_gid, "extra_groups": []} if other else {}
    data, log, port = folder / "data", folder / "log", free_port()
    try:
        with log.open("wb") as output:
            (folder / "set-up.sql").write_text(SET_UP)
            subprocess.run(
                [programs["mariadb-install-db"], "--no-defaults", f"--datadir={data}", "--skip-test-db"],
                check=True,
                stdout=output,
                stderr=output,
                cwd=folder,
                **as_user,
            )
            options = [f"--datadir={data}", f"--socket={folder / 'socket'}", f"--init-file={folder / 'set-up.sql'}"]
            options += ["--bind-address=127.0.0.1", f"--port={port}", "--skip-name-resolve", "--skip-log-bin"]
            # Nothing is to outlive a crash.
            options += [
                "--innodb-flush-log-at-trx-commit=0",
                "--innodb-flush-method=nosync",
                "--skip-innodb-doublewrite",
            ]
            options += ["--innodb-fast-shutdown=2", f"--pid-file={folder / 'pid'}"]
            server = subprocess.Popen(
                [programs["mariadbd"], "--no-defaults", *options], stdout=output, stderr=output, cwd=folder, **as_user
            )
        try:
            _wait_until_ready(programs["mariadb-admin"], server, port, log)
            yield f"mysql+pymysql://{USER}:{PASSWORD.replace(':', '%3A')}@127.0.0.1:{port}/mlflow"
        finally:
            server.terminate()
            server.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait_until_ready(admin: str, server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Wait until the user of the tests is let in, who is made last."""
    ping = [admin, "--no-defaults", "-h", "127.0.0.1", "-P", str(port), "-u", USER, f"--password={PASSWORD}", "status"]
    deadline = time.monotonic() + START_UP
    while time.monotonic() < deadline and server.poll() is None:
        if subprocess.run(ping, check=False, timeout=10, capture_output=True).returncode == 0:
            return
        time.sleep(0.1)
    raise RuntimeError(f"MariaDB did not start:\n{log.read_text(errors='replace')[-3000:]}")
