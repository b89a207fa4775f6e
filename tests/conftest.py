"""What holds for every test."""

from __future__ import annotations

import os

import pytest

# MLflow's client would otherwise report every call of a test to its makers; it asks once, when it is imported.
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
# The tests read English, in whatever language their machine speaks.
os.environ["LC_ALL"] = "C.UTF-8"


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """The demo, run once: its folder's tracking URI and its reports by the planted fault."""
    from mlflow_diagnose.demo import MODELS, run_demo  # noqa: PLC0415 - MLflow and scikit-learn

    folder = tmp_path_factory.mktemp("demo") / "diagnose-demo"
    reports = run_demo(folder)
    planted = {model.planted: report for model, report in zip(MODELS, reports, strict=True)}
    return f"sqlite:///{folder / 'mlflow.db'}", planted


def pytest_addoption(parser):
    """`--pictures` takes the README's pictures anew."""
    parser.addoption("--faults", action="store_true", help="write the table of faults tried anew")
    parser.addoption("--pictures", action="store_true", help="keep the browser tests' screenshots in plugin/pictures")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    """In CI everything that tests need is installed: a skipped test is one that nobody ran."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter and reporter.stats.get("skipped") and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
