"""What holds for every test."""

from __future__ import annotations

import os

import pytest

# MLflow's client would otherwise report every call of a test to its makers; it asks once, when it is imported.
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"


def pytest_addoption(parser):
    """`--pictures` takes the README's pictures anew."""
    parser.addoption("--pictures", action="store_true", help="keep the browser tests' screenshots in plugin/pictures")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    """In CI everything that tests need is installed: a skipped test is one that nobody ran."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter and reporter.stats.get("skipped") and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
