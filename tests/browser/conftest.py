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


@pytest.fixture(params=[(390, "dark"), (600, "light"), (1200, "dark")], ids=lambda view: f"{view[0]}-{view[1]}")
def view(request, browser):
    """A page of a phone's, the viewer's and a desktop's width."""
    width, scheme = request.param
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    yield context.new_page()
    context.close()


@pytest.fixture
def watched():
    """Watches a page: whatever it asks, says, complains of or loads is in the list that it returns."""

    def watch(page):
        events = []
        page.on("dialog", lambda dialog: events.append(f"dialog {dialog.message}") or dialog.dismiss())
        page.on("console", lambda message: events.append(f"console {message.text}"))
        page.on("pageerror", lambda error: events.append(f"error {error}"))
        page.on("request", lambda request: events.append(f"request {request.url.rsplit('/', 1)[-1]}"))
        return events

    return watch


@pytest.fixture(scope="session")
def framed(tmp_path_factory):
    """Puts a page into a frame as MLflow's artifact viewer does; the address of the page around it."""

    def frame(html):
        folder = tmp_path_factory.mktemp("framed")
        (folder / "shown.html").write_text(html, encoding="utf-8", errors="replace")
        inside = '<iframe sandbox="allow-scripts" src="shown.html" style="border:0;width:100%;height:90vh"></iframe>'
        (folder / "frame.html").write_text(f"<body style='margin:0'>{inside}</body>", encoding="utf-8")
        return (folder / "frame.html").as_uri()

    return frame


@pytest.fixture(scope="session")
def violations():
    """What axe-core has to say against a page."""
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415 - for those that ask

    def found(page):
        results = Axe().run(page).response["violations"]
        return [(each["id"], node["html"][:200], node["failureSummary"]) for each in results for node in each["nodes"]]

    return found


@pytest.fixture(scope="session")
def picture(request):
    """Keeps a screenshot for the README where `--pictures` asks for it."""
    folder = Path(request.config.rootpath) / "plugin" / "pictures"

    def keep(page, name):
        if request.config.getoption("--pictures"):
            page.screenshot(path=folder / name)

    return keep
