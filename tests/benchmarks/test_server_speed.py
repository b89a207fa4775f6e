"""A whole tracking server: the command itself, as a process, over all runs of an experiment or a logdir.

    python -m pytest -n0 -s tests/benchmarks/test_server_speed.py [--share 0.05]

Prints what it measured. The limits hold for the whole data (`--share 1`) on two cores that nobody else uses.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest

import eventlogs
from benchmarks.stores import big_store

COMMAND = "import sys; from mlflow_diagnose.cli import main; main(sys.argv[1:])"
LONGEST = 90.0  # seconds for 2,000 runs
GROWTH = 1.3  # of the peak memory from 200 runs to 2,000
TURNS = 2
GAIN = 1.6  # of two workers over one
DAMAGED = 100  # of 10,000 logs

pytestmark = pytest.mark.timeout(3000)


@dataclass
class Measured:
    """What a call took."""

    seconds: float
    megabytes: int
    status: int
    out: str
    err: str

    def __str__(self) -> str:
        load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
        return f"{self.seconds:.1f} s, peak {self.megabytes} MB over all its processes (load {load})"


def measured(*args):
    """The command as a process, with the peak memory of it and of those workers together that it has at a time."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    peaks = [0]

    def watch():
        while process.poll() is None:
            peaks.append(sum(map(_peak, _family(process.pid))))
            time.sleep(0.2)

    watching = threading.Thread(target=watch)
    watching.start()
    out, err = process.communicate()
    watching.join()
    return Measured(time.perf_counter() - began, max(peaks) >> 10, process.returncode, out, err)


def _family(pid):
    yield pid
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:  # noqa: PTH123 - a file of the kernel's
            children = file.read().split()
    except OSError:
        return
    for child in children:
        yield from _family(int(child))


def _peak(pid):
    """Kilobytes, of memory that is the process's own."""
    try:
        with open(f"/proc/{pid}/status") as file:  # noqa: PTH123 - the same
            return next((int(line.split()[1]) for line in file if line.startswith("VmHWM:")), 0)
    except OSError:
        return 0


@pytest.fixture(scope="module")
def share(request):
    """Of the data."""
    return request.config.getoption("--share")


@pytest.fixture(scope="module")
def stores(tmp_path_factory, share):
    """A store of a tenth of the runs, and one of all of them."""
    folder, runs = tmp_path_factory.mktemp("stores"), max(40, int(2000 * share))
    return {count: big_store(folder / str(count), count) for count in (runs // 10, runs)}


def diagnosed(store, jobs):
    """All runs of a store, whose tags are written anew."""
    store.rows("DELETE FROM tags WHERE key LIKE 'diagnose.%'")
    args = ("--experiment", "Default", "--tracking-uri", store.uri, "--tags-only", "--jobs", jobs)
    found = measured(*args)
    assert (found.status, found.err) == (0, "")
    return found


@pytest.fixture
def say(capsys):
    """Prints a line to whoever started the benchmark."""

    def said(line):
        with capsys.disabled():
            sys.stdout.write(f"\n{line}")

    return said


def test_two_thousand_runs(stores, share, say):
    """Read, judged and tags written; memory does not grow with the runs; two workers are worth having."""
    few, many = sorted(stores)
    small = diagnosed(stores[few], 2)
    # In turns, and the best of each: what else the machine does at the time is none of theirs.
    turns = [(diagnosed(stores[many], 1), diagnosed(stores[many], 2)) for _ in range(TURNS)]
    one, two = (min(each, key=lambda found: found.seconds) for each in zip(*turns, strict=True))
    written = stores[many].rows("SELECT count(*) FROM tags WHERE key = 'diagnose.fingerprint'")
    again = measured("--experiment", "Default", "--tracking-uri", stores[many].uri, "--tags-only", "--jobs", 2)
    say(f"{few} runs, two workers: {small}")
    say(f"{many} runs, one worker: {one}")
    say(f"{many} runs, two workers: {two}")
    say(f"{many} runs again, nothing changed: {again}")
    say(f"memory x {two.megabytes / small.megabytes:.2f}, two workers x {one.seconds / two.seconds:.2f}")
    assert written == [(many,)]
    if share == 1.0:
        assert two.seconds < LONGEST
        assert two.megabytes <= GROWTH * small.megabytes
        assert one.seconds >= GAIN * two.seconds


def test_ten_thousand_logs(tmp_path_factory, share, say):
    """A verdict for each that can be read, a line for each that is damaged."""
    folder, count = tmp_path_factory.mktemp("logs"), max(200, int(10_000 * share))
    lay_down(folder, count)
    found = measured("--logdir", folder, "--jobs", 2)
    lines = found.out.splitlines()
    notes = [line for line in lines if line.startswith("note: ")]
    rows = Counter(line.split()[1] for line in lines if line.startswith("run-"))
    say(f"{count} logs, {DAMAGED} of them damaged: {found}")
    say(f"{dict(rows)}, {len(notes)} notes")
    say(lines[-2])
    assert found.status == 0
    assert sum(rows.values()) == count
    assert rows["insufficient"] == DAMAGED
    assert len(notes) == DAMAGED


def lay_down(folder, count):
    """Logs of 40 epochs, a hundred of them spread among the others of which nothing can be read."""
    rng = np.random.default_rng(0)
    epochs = np.arange(40)
    contents = []
    for _ in range(16):
        loss = 2 * np.exp(-epochs / rng.uniform(5, 10)) + rng.normal(0, 0.01, 40)
        points = [*eventlogs.curve("train/loss", loss), *eventlogs.curve("val/loss", loss + 0.05)]
        contents.append(eventlogs.version() + b"".join(map(eventlogs.record, points)))
    # An empty file, a pointer, noise, and a file that ends in its first record.
    broken = [b"", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", b"\xff\x00" * 900, contents[0][:30]]
    damaged = set(range(0, count, count // DAMAGED)[:DAMAGED])
    for number in range(count):
        content = broken[number // 7 % len(broken)] if number in damaged else contents[number % len(contents)]
        eventlogs.write_bytes(folder / f"run-{number:05d}", [content])
