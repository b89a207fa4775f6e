"""The tab "Diagnose" in a real `tensorboard`, in a real Chromium."""

from __future__ import annotations

import json
import re
import shutil
from contextlib import ExitStack

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

import eventlogs
from mlflow_diagnose.cli import main
from tensorboard_server import data_server, tensorboard

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("tensorboard")]

SCRIPT, IMAGE = "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>'
PATIENT = 30_000  # ms: the machine may be busy
MANY = 2000


def overfit(points):
    """Training keeps falling; validation turns at step 24 of 60."""
    random = np.random.default_rng(3)
    t = np.arange(points) / 60
    train = 0.02 + 2 * np.exp(-6 * t) + 0.004 * random.standard_normal(points)
    val = np.where(t < 0.4, 0.6 + 1.7 * np.exp(-9 * t), 0.65 + 0.8 * (t - 0.4).clip(0))
    return train, val + 0.01 * random.standard_normal(points)


def settled(points=60):
    """Both losses fall and stay."""
    t = np.linspace(0, 1, points)
    random = np.random.default_rng(5)
    return tuple(gap + 2 * np.exp(-7 * t) + 0.004 * random.standard_normal(points) for gap in (0.3, 0.36))


def events(train, val, *, first=0, names=("train/loss", "val/loss")):
    """The points of two curves."""
    return [*eventlogs.curve(names[0], train, first=first), *eventlogs.curve(names[1], val, first=first)]


@pytest.fixture(scope="module")
def logdir(tmp_path_factory):
    """Runs with a fault, runs without, and hyper-parameters."""
    folder = tmp_path_factory.mktemp("runs")
    rate = [*eventlogs.curve("train/learning_rate", 3e-4 * np.cos(np.linspace(0, 1.5, 60)) ** 2)]
    params = eventlogs.hparams({"lr": 3e-4, "dropout": 0.0, "layers": 4})
    eventlogs.write(folder / "resnet18-finetune", [params, *events(*overfit(60)), *rate])
    eventlogs.write(folder / "baseline", events(*settled()))
    train, val = settled()
    eventlogs.write(folder / "lr-0.1", events(np.where(np.arange(60) > 40, np.nan, train), val))
    eventlogs.write(folder / "short", events([2.1], [2.2]))
    for seed in range(6):
        eventlogs.write(folder / f"sweep/seed-{seed}", events(*(settled() if seed % 2 else overfit(60))))
    return folder


def hostile(folder):
    """A run whose name and curves try to be something else."""
    return eventlogs.write(folder / SCRIPT, events(*overfit(60), names=(f"train/loss{IMAGE}", f"val/loss{IMAGE}")))


@pytest.fixture(scope="module")
def board(logdir, tmp_path_factory):
    """The address of a tensorboard over the runs."""
    with tensorboard(logdir, tmp_path_factory.mktemp("tensorboard")) as address:
        yield address


@pytest.fixture
def serve(tmp_path):
    """Starts a tensorboard for one test; it ends after the pages that ask it."""
    with ExitStack() as servers:
        yield lambda logdir, *options: servers.enter_context(tensorboard(logdir, tmp_path, *options))


@pytest.fixture
def visit(browser, serve):  # noqa: ARG001 - pages are closed before servers end
    """Opens a tensorboard at the tab; at the end nothing may have complained, asked outside, or run."""
    contexts, trouble = [], []

    def opened(address, *, width=1200, scheme="light", tab="diagnose"):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)

        def checked(route):
            if route.request.url.startswith((address, "data:", "blob:")):
                route.continue_()
            else:
                trouble.append(route.request.url)
                route.abort()

        context.route("**/*", checked)
        page = context.new_page()
        page.on("dialog", lambda dialog: trouble.append(dialog.message) or dialog.dismiss())
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on("console", lambda told: trouble.append(told.text) if told.type == "error" else None)
        page.goto(f"{address}/#{tab}")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert trouble == []


def inside(page):
    """The tab's own page within TensorBoard's."""
    frame = page.frame_locator("iframe")
    frame.locator(".runs a").first.wait_for(timeout=PATIENT)
    return frame


def row(frame, name):
    """A run in the list."""
    return frame.locator(f".runs a[data-run={json.dumps(name)}]")


def pick(frame, name):
    """Open a run and wait for its diagnosis and its chart."""
    row(frame, name).click()
    frame.locator(".drawing svg").wait_for(timeout=PATIENT)


def opened(frame):
    """The part of the tab that shows one run."""
    return frame.get_by_role("region", name="The open run")


def judged(frame):
    """Wait until every run has its verdict."""
    expect(frame.locator(".progress")).to_be_hidden(timeout=PATIENT)
    expect(frame.locator(".runs .badge.waiting")).to_have_count(0, timeout=PATIENT)


def test_the_tab_opens_with_every_run_and_its_verdict(board, visit):
    """TensorBoard's bar has the tab; its list has each run with status, verdict, measure and small curves.

    While another tab is shown it asks nothing; shown again, it goes on.
    """
    page = visit(board, tab="scalars")
    page.get_by_role("tab", name="Diagnose").click()
    frame = inside(page)
    judged(frame)
    shown = row(frame, "resnet18-finetune")
    text = shown.inner_text()
    assert "Overfitting" in text
    assert re.search(r"\+\d+ % since step 2\d", text)
    assert shown.locator("polyline").count() == 2
    assert frame.locator(".runs a").count() == 10
    assert "Too little logged to judge" in row(frame, "short").inner_text()
    asked = []
    page.on("request", lambda request: asked.append(request.url) if "/diagnose/runs" in request.url else None)
    page.get_by_role("tab", name="Scalars").click()
    expect(page.locator("iframe")).to_be_hidden()
    page.wait_for_timeout(500)
    asked.clear()
    page.wait_for_timeout(4000)
    assert asked == []
    with page.expect_request("**/diagnose/runs?**"):
        page.get_by_role("tab", name="Diagnose").click()


def test_a_run_is_picked_and_its_finding_read(board, visit):
    """The verdict, the evidence, why, what to try first, when it is wrong, the curves, what was not checked and why."""
    frame = inside(visit(board))
    pick(frame, "resnet18-finetune")
    run = opened(frame)
    assert run.get_by_role("heading", level=2).inner_text() == "Overfitting"
    text = run.inner_text()
    for wanted in ("Try this first", "Keep the model of step 2", "Why it matters", "When this is wrong", "The numbers"):
        assert wanted in text
    assert run.locator(".evidence tr").filter(has_text="best step").inner_text().split()[-1] == "24"
    chart = run.get_by_role("img", name=re.compile("Chart of .*Best at step 24"))
    assert chart.bounding_box()["width"] > 500
    assert "overfitting, steps 24 to 59" in chart.text_content()
    run.locator("summary", has_text="Not checked").click()
    assert run.locator("details[open] td").count() >= 2
    run.locator("summary", has_text="Parameters").click()
    assert run.locator("tr", has_text="dropout").inner_text().split() == ["dropout", "0"]


def test_new_points_change_the_page(logdir, board, visit):
    """A run is open while it trains: its verdict turns with its curves, and what the reader unfolded stays so."""
    train, val = overfit(60)
    log = eventlogs.write(logdir / "training now", events(train[:24], val[:24]))
    frame = inside(visit(board))
    row(frame, "training now").click(timeout=PATIENT)
    heading = opened(frame).get_by_role("heading", level=2)
    expect(heading).not_to_have_text("training now", timeout=PATIENT)
    assert heading.inner_text() != "Overfitting"
    frame.locator("summary", has_text="If you disagree").click()
    expect(frame.locator("details[open] td", has_text=re.compile("^24$"))).to_have_count(2)
    with log.open("ab") as file:
        for event in events(train[24:], val[24:], first=24):
            file.write(eventlogs.record(event))
    expect(heading).to_have_text("Overfitting", timeout=PATIENT)
    expect(frame.locator("details[open] td", has_text=re.compile("^60$"))).to_have_count(2)
    expect(frame.locator('.runs a[aria-current="true"]')).to_contain_text("Overfitting", timeout=PATIENT)
    expect(frame.get_by_role("status")).to_have_text("training now: Overfitting")
    log.unlink()


def test_a_new_run_appears_and_one_that_is_gone_is_told(logdir, board, visit):
    """Directories come and go under an open tab."""
    frame = inside(visit(board))
    log = eventlogs.write(logdir / "arriving", events(*settled()))
    pick(frame, "arriving")
    log.unlink()
    expect(opened(frame)).to_contain_text("not in the logs any more", timeout=PATIENT)
    expect(row(frame, "arriving")).to_have_count(0, timeout=PATIENT)


def test_hostile_names_are_text(logdir, board, visit):
    """A run called `<script>` and metrics with an `onerror` are read as they are, and nothing of them runs."""
    log = hostile(logdir)
    frame = inside(visit(board))
    pick(frame, SCRIPT)
    text = opened(frame).inner_text()
    assert SCRIPT in text
    assert f"val/loss{IMAGE}" in text
    assert '"><img s' in frame.locator(".drawing").text_content()
    assert frame.locator("img, script:not([type=module])").count() == 0
    log.unlink()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [600, 1200])
def test_it_is_accessible_and_fits(width, scheme, board, visit, picture):
    """No violation that axe knows of, in the list and in a run with all unfolded; no sideways scrolling."""
    page = visit(board, width=width, scheme=scheme)
    # As the button in TensorBoard's bar does.
    page.evaluate("dark => document.body.classList.toggle('dark-mode', dark)", scheme == "dark")
    frame = inside(page)
    judged(frame)
    own = page.frame(url=re.compile("plugin_entry"))
    assert own.evaluate("document.documentElement.dataset.theme") == scheme
    assert complaints(own) == []
    pick(frame, "resnet18-finetune")
    if (width, scheme) == (1200, "light"):
        page.set_viewport_size({"width": width, "height": 1280})
        page.wait_for_timeout(500)
        picture(page, "tensorboard-tab.png")
    own.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert complaints(own) == []
    assert own.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    assert own.evaluate("document.querySelector('#run').scrollWidth - document.querySelector('#run').clientWidth") == 0


def complaints(frame):
    """What axe finds, a line each."""
    found = Axe().run(frame).response["violations"]
    return [f"{each['id']}: {node['html']} {node['failureSummary']}" for each in found for node in each["nodes"]]


def test_the_keyboard_is_enough(board, visit):
    """From the filter by Tab and arrows to a run, into its folds, and on a narrow page back to the list."""
    page = visit(board, width=600)
    frame = inside(page)
    judged(frame)
    frame.get_by_role("searchbox").press_sequentially("sweep/ overfitting")
    expect(frame.locator(".runs a")).to_have_count(3)
    frame.locator(".runs a").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(opened(frame).get_by_role("heading", level=2)).to_have_text("Overfitting", timeout=PATIENT)
    assert "sweep/seed-2" in opened(frame).inner_text()
    summary = frame.locator("summary", has_text="Not checked")
    summary.focus()
    page.keyboard.press("Enter")
    assert frame.locator("details[open]").count() == 1
    page.evaluate("history.back()")
    expect(frame.get_by_role("searchbox")).to_be_visible()
    assert frame.get_by_role("searchbox").input_value() == "sweep/ overfitting"


def test_the_list_is_filtered_and_ordered(board, visit):
    """By a fault of the overview, by how a run stands, and the worst first."""
    frame = inside(visit(board))
    judged(frame)
    opened(frame).get_by_role("button", name="Non finite 1").click()
    expect(frame.locator(".runs a")).to_have_count(1)
    expect(frame.locator(".runs a")).to_contain_text("lr-0.1")
    frame.get_by_role("searchbox").fill("")
    expect(frame.locator(".runs .badge.healthy").first).to_be_visible()
    frame.get_by_role("button", name=re.compile("^Critical")).click()
    expect(frame.locator(".runs .badge.healthy")).to_have_count(0)
    assert {kind.inner_text()[0] for kind in frame.locator(".runs .badge").all()} == {"✗"}
    frame.get_by_role("button", name=re.compile("^All")).click()
    frame.get_by_role("combobox").select_option("worst")
    expect(frame.locator(".runs .badge").first).to_have_class("badge critical")
    expect(frame.locator(".runs .badge").last).to_have_class("badge healthy")


@pytest.mark.parametrize(
    ("options", "run"),
    [
        (["--logdir_spec", "mine:{0},other:{1}"], "mine/resnet18-finetune"),
        (["--logdir", "file://{0}"], "resnet18-finetune"),
        (["--logdir", "{0}", "--load_fast", "true"], "resnet18-finetune"),
        (["--logdir", "{0}", "--load_fast", "false"], "resnet18-finetune"),
    ],
    ids=["several logdirs", "a URL", "the data server", "the old loader"],
)
def test_however_it_was_started_every_point_counts(options, run, logdir, serve, visit, tmp_path):
    """The same verdict under TensorBoard's name of the run, whatever sample TensorBoard itself keeps."""
    (tmp_path / "none").mkdir()
    told = [option.format(logdir, tmp_path / "none") for option in options]
    frame = inside(visit(serve(logdir, *told, "--samples_per_plugin", "scalars=10")))
    pick(frame, run)
    assert opened(frame).get_by_role("heading", level=2).inner_text() == "Overfitting"
    frame.locator("summary", has_text="If you disagree").click()
    expect(frame.locator("details[open] td", has_text=re.compile("^60$"))).to_have_count(3)
    frame.locator("summary", has_text="Parameters").click()
    assert frame.locator("tr", has_text="layers").inner_text().split() == ["layers", "4"]


def test_where_there_are_no_files_the_data_provider_is_asked(logdir, serve, visit):
    """A data server somewhere else gives what it keeps; the run says that this is a sample."""
    with data_server(logdir) as address:
        frame = inside(visit(serve(logdir, "--grpc_data_provider", address, "--samples_per_plugin", "scalars=10")))
        pick(frame, "baseline")
        frame.locator("summary", has_text="If you disagree").click()
        expect(frame.locator("details[open]")).to_contain_text("judged on a sample: TensorBoard keeps 10 points")
        expect(frame.locator("details[open] td", has_text=re.compile("^10$"))).to_have_count(2)


def test_a_config_file_in_the_logdir_is_followed(serve, visit, tmp_path):
    """What the tab tells to write into it changes the verdict under the open tab; a wrong file is told."""
    train, val = overfit(60)
    eventlogs.write(tmp_path / "runs" / "a", events(train, val, names=("train/loss", "mine")))
    frame = inside(visit(serve(tmp_path / "runs")))
    pick(frame, "a")
    heading = opened(frame).get_by_role("heading", level=2)
    assert heading.inner_text() != "Overfitting"
    frame.locator("summary", has_text="If you disagree").click()
    lines = frame.locator("details[open] pre").inner_text()
    assert lines.startswith('[roles]\n"train/loss" = "train_loss"')
    config = tmp_path / "runs" / "mlflow-diagnose.toml"
    config.write_text(f"{lines}\n".replace('"train/loss"', '"mine" = "val_loss"\n"train/loss"'), "utf-8")
    expect(heading).to_have_text("Overfitting", timeout=PATIENT)
    expect(frame.locator("details[open]")).to_contain_text(f"Judged by what {config} says.")
    config.write_text("[roles]\nmine = 3\n", "utf-8")
    expect(frame.get_by_role("alert")).to_contain_text("roles.mine = 3", timeout=PATIENT)
    expect(heading).to_have_text("Overfitting")


def test_two_thousand_runs_load(serve, visit, tmp_path):
    """The list comes by pages, at once; the last run is judged as soon as it is opened, before those in between."""
    content = [eventlogs.version(), *map(eventlogs.record, events(*overfit(60)))]
    for number in range(MANY):
        eventlogs.write_bytes(tmp_path / "runs" / f"run-{number:04}", content)
    address = serve(tmp_path / "runs")
    frame = inside(visit(address))
    expect(frame.locator(".runs a")).to_have_count(50)
    assert "1 to 50 of 2,000" in frame.locator(".pager").inner_text()
    frame.get_by_role("button", name="Next").click()
    expect(frame.locator(".runs a").first).to_contain_text("run-0050")
    frame.get_by_role("searchbox").fill("run-1999")
    expect(frame.locator(".runs a")).to_have_count(1)
    pick(frame, "run-1999")
    assert opened(frame).get_by_role("heading", level=2).inner_text() == "Overfitting"
    frame.get_by_role("searchbox").fill("")
    expect(frame.locator(".runs a")).to_have_count(50)
    assert "Judged" in frame.locator(".progress").inner_text()


def test_the_summary_stands_in_the_text_and_images_tabs(logdir, serve, visit, tmp_path):
    """`--summary` is read by TensorBoard as its own: the Markdown as a text, the curves as a picture."""
    runs = tmp_path / "runs"
    shutil.copytree(logdir / "resnet18-finetune", runs / "resnet18-finetune")
    hostile(runs)
    with pytest.raises(SystemExit) as ended:
        main(["--logdir", str(runs), "--summary"])
    assert ended.value.code == 0
    address = serve(runs)
    page = visit(address, tab="text")
    shown = page.locator("tf-text-dashboard")
    expect(shown).to_contain_text("Keep the model of step 24", timeout=PATIENT)
    expect(shown).to_contain_text(f"val/loss{IMAGE}")
    page.goto(f"{address}/#images")
    drawn = page.locator("img[src*='individualImage'], tf-image-loader img").first
    drawn.wait_for(timeout=PATIENT)
    page.wait_for_function("image => image.naturalWidth > 900", arg=drawn.element_handle(), timeout=PATIENT)
    page.goto(f"{address}/#diagnose")
    frame = inside(page)
    assert frame.locator(".runs a").count() == 2
