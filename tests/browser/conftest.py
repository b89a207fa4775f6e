"""A real Chromium, and the demo's store behind a real `mlflow ui`."""

from __future__ import annotations

import shutil
from pathlib import Path

import mlflow
import pytest
from playwright.sync_api import sync_playwright

from mlflow_server import mlflow_ui

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
# No call of Chromium's own leaves the machine.
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
QUIET += ["--disable-component-update", "--disable-sync"]


@pytest.fixture(scope="session")
def browser():
    """Headless Chromium, the machine's own."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def ui(demo, tmp_path_factory):
    """The address of `mlflow ui` on the demo's store, and the demo's experiment there."""
    uri, planted = demo
    run = next(iter(planted.values())).run.run_id
    experiment = mlflow.MlflowClient(uri).get_run(run).info.experiment_id
    with mlflow_ui(tmp_path_factory.mktemp("ui"), uri) as address:
        yield f"{address}/#/experiments/{experiment}"


@pytest.fixture
def page(browser):
    """A page of a desktop's size."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield context.new_page()
    context.close()


@pytest.fixture(scope="session")
def picture(request):
    """Keeps a screenshot for the README where `--pictures` asks for it."""
    folder = Path(request.config.rootpath) / "plugin" / "pictures"

    def keep(page, name):
        if request.config.getoption("--pictures"):
            page.screenshot(path=folder / name)

    return keep
