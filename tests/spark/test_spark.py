"""Many runs on Spark: `pip install -e '.[test,spark]' && python -m pytest -n0 tests/spark`.

Not among the other tests, as it needs 400 MB and a Java runtime.
"""

from __future__ import annotations

import os
from contextlib import contextmanager

import pytest

from live.test_engines import descendants, told_half_way, wait_for

pytestmark = [pytest.mark.live, pytest.mark.timeout(900)]


@contextmanager
def spark():
    """Spark on this machine alone, two tasks at a time; the engine's name, and a worker of a call."""
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    try:
        # Each task has a process of Python's that the daemon forked.
        yield "spark:local[2]", lambda call: wait_for(lambda: descendants(call, b"pyspark.daemon")[1:])[0]
    finally:
        del os.environ["SPARK_LOCAL_IP"]


def test_spark_says_what_this_process_says(tmp_path):
    """To the byte, also where a worker is killed half-way; and every run is written."""
    told_half_way(tmp_path, spark)
