"""The chart and the page of a report."""

from __future__ import annotations

import itertools
import re
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser

import matplotlib as mpl
import numpy as np
import pytest

import reports
from curve_analyzers.engine import diagnose
from curve_analyzers.examples import decay, run, valley
from curve_analyzers.findings import Report, Severity
from curve_analyzers.model import Curve, Role, Split
from curve_analyzers.registry import rule_named
from mlflow_diagnose.report import words
from mlflow_diagnose.report.chart import COLOURS, NARROW, chart_png, chart_svg
from mlflow_diagnose.report.page import page
from mlflow_diagnose.report.panels import plan

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SVG = "{http://www.w3.org/2000/svg}"
samples = pytest.mark.parametrize("name", reports.SAMPLES)


class Outline(HTMLParser):
    """The elements of a page, its text, and the text of each article."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.articles: list[str] = []
        self.inside = False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        """Note an element."""
        self.tags.append((tag, dict(attrs)))
        if tag == "article":
            self.inside = True
            self.articles.append("")

    def handle_endtag(self, tag):
        """Note the end of an article."""
        self.inside = self.inside and tag != "article"

    def handle_data(self, data):
        """Note text."""
        self.text += data
        if self.inside:
            self.articles[-1] += data


def of(**curves: Curve) -> Report:
    """A healthy report of other curves: `train_loss`, `val_loss`, `learning_rate`."""
    roles = {"train_loss": Role.TRAIN_LOSS, "val_loss": Role.VAL_LOSS, "learning_rate": Role.LEARNING_RATE}
    run = reports.run_of({roles[role]: curve for role, curve in curves.items()})
    return replace(reports.healthy(), run=run, findings=())


@samples
def test_page_stands_alone(name):
    """Nothing in it loads, links, runs or stores: a sandboxed frame shows all of it."""
    html = page(reports.SAMPLES[name]())
    outline = Outline(html)
    allowed = {"charset", "content", "http-equiv", "name", "lang", "class", "role", "id", "scope", "viewbox", "style"}
    assert not {tag for tag, _ in outline.tags} & {"script", "img", "link", "iframe", "a", "object", "form", "base"}
    assert not [key for _, attrs in outline.tags for key in attrs if key.startswith("on") or key in {"src", "href"}]
    assert "default-src 'none'" in html
    for tag, attrs in outline.tags:
        for key, value in attrs.items():
            if key not in allowed and not key.startswith(("xmlns", "aria-label")):
                assert "://" not in (value or ""), (tag, key, value)
    assert "@import" not in html
    assert not re.search(r"url\((?!#)", html)
    assert len(html.encode()) < 500_000


@samples
def test_page_can_be_navigated(name):
    """Headings go down one level at a time, ids are unique, and every reference has its target."""
    tags = Outline(page(reports.SAMPLES[name]())).tags
    levels = [int(tag[1]) for tag, _ in tags if re.fullmatch(r"h[1-6]", tag)]
    ids = [attrs["id"] for _, attrs in tags if "id" in attrs]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert len(ids) == len(set(ids))
    assert {attrs["aria-labelledby"] for _, attrs in tags if "aria-labelledby" in attrs} <= set(ids)
    assert {attrs["xlink:href"][1:] for _, attrs in tags if "xlink:href" in attrs} <= set(ids)
    assert dict(tags)["html"]["lang"] == "en"
    assert all(attrs["aria-label"] for _, attrs in tags if attrs.get("role") == "img")


def test_page_answers_in_order():
    """Verdict, vital signs, chart, findings with their remedies, the value, and what lies behind."""
    report = reports.overfitting()
    text = Outline(page(report)).text.split("</style>")[-1]
    expected = [
        "Overfitting",
        report.findings[0].message,
        "Try this first",
        "mobilenet-finetune",
        "Three vital signs",
        "best at step 24, 61 % higher at the end",
        "The curves",
        "What was found",
        "0.6134",
        "Why it matters",
        "What to try first",
        report.findings[0].remedies[1],
        "When this is wrong",
        "What follows from it",
        "What the loss value means here",
        "Not checked",
        "no gradient norm was logged",
        "Curves and their roles",
        "mlflow-diagnose 0f3c9a17b2d84e5c96a1d0e4b7f25c38 --map train/loss=train_loss",
        "Parameters",
        "weight_decay",
    ]
    at = text.index("</title>") if "</title>" in text else 0
    for part in expected:
        assert part in text[at:], part
        at = text.index(part, at)


def test_page_tells_the_thresholds_as_a_config_file_takes_them():
    """What stands in the box can be copied into a file, and the file is one that rules are judged by."""
    report = diagnose(run(train_loss=decay(), val_loss=valley()).build())
    box = next(
        part for part in re.findall(r"<pre><code>(.*?)</code></pre>", page(report), re.DOTALL) if "[rules." in part
    )
    rules = tomllib.loads(unescape(box))["rules"]
    assert rules["overfitting"] == rule_named("overfitting").thresholds
    assert "climb above the held-out minimum" in Outline(page(report)).text


def test_page_nests_consequences():
    """What another finding explains is in the article of its cause, and not beside it."""
    first, second = Outline(page(reports.overfitting())).articles
    assert "Loss metric disagreement" in first
    assert "Missing metric" in second


def test_page_quotes_the_rule():
    """Why a finding matters is the rule's own documentation; a rule that is gone costs only that."""
    report = reports.overfitting()
    expected = rule_named("overfitting").sections["Why it matters"].split("\n")[0].split("`")[0]
    gone = replace(report, findings=tuple(replace(each, rule="gone") for each in report.findings), verdict="gone")
    assert expected in Outline(page(report)).text
    assert "Why it matters" not in Outline(page(gone)).text


def test_page_sets_code_as_code():
    """What a remedy quotes between backticks is set as code, and is still escaped."""
    report = reports.overfitting()
    told = replace(report.findings[0], remedies=("Say `--map <b>=val_loss`.",))
    html = page(replace(report, findings=(told,)))
    assert "Say <code>--map &lt;b&gt;=val_loss</code>." in html


def test_nothing_is_certain():
    """A confidence of 1.0 is not shown as 100 %."""
    assert words.confidence(reports.not_a_number().findings[1]) == "99 % confidence"


def test_page_shows_hostile_text_as_text():
    """Markup, template code and terminal escapes of a log are read as what they are."""
    html = page(reports.hostile())
    text = Outline(html).text
    assert reports.SCRIPT in text
    assert reports.IMAGE in text
    assert "{{ 7 * 7 }}" in text
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", html)


def test_page_counts_what_it_leaves_out():
    """1,500 curves without a role are counted, 200 of them named."""
    html = page(reports.hostile())
    assert "and 1,300 others" in html
    assert "x" * 1000 not in html


def test_page_of_a_chart_follows_the_theme():
    """No colour of the light palette is left in the chart, so that it is legible in the dark."""
    html = page(reports.overfitting())
    drawn = html[html.index("<svg") :]
    assert not [colour for colour in COLOURS.values() if colour in drawn]
    assert "var(--first)" in drawn


@samples
@pytest.mark.parametrize("width", [None, NARROW])
def test_svg_is_whole(name, width):
    """Well-formed, its text as text, each reference within it, the same every time."""
    report = reports.SAMPLES[name]()
    svg = chart_svg(report) if width is None else chart_svg(report, width)
    root = ET.fromstring(svg)  # noqa: S314 - our own
    ids = {each.get("id") for each in root.iter()}
    used = {each.get("{http://www.w3.org/1999/xlink}href", "#")[1:] for each in root.iter(f"{SVG}use")}
    assert used | set(re.findall(r"url\(#(\w+)\)", svg)) <= ids
    assert not list(root.iter(f"{SVG}style"))
    assert svg == (chart_svg(report) if width is None else chart_svg(report, width))


@samples
def test_png_is_the_same_every_time(name):
    """A run diagnosed again gets the same file."""
    report = reports.SAMPLES[name]()
    png = chart_png(report)
    assert png.startswith(b"\x89PNG")
    assert png == chart_png(report)


def test_chart_marks_findings_and_best_step():
    """The range of each finding, the best step and the curves under their own names are told in the drawing."""
    texts = "\n".join(ET.fromstring(chart_svg(reports.overfitting())).itertext())  # noqa: S314 - our own
    for expected in (
        "overfitting, steps 24 to 59",
        "best at step 24",
        "training · train/loss",
        "validation · eval/loss",
    ):
        assert expected in texts
    shown = plan(reports.overfitting(), 640)
    assert [panel.title for panel in shown.panels] == ["Loss", "Accuracy", "Learning rate"]
    assert [panel.shaded for panel in shown.panels] == [True, False, False]
    assert shown.shade is not None
    assert (shown.shade.first, shown.shade.last, shown.shade.severity) == (24.0, 59.0, Severity.CRITICAL)


def test_chart_marks_the_first_nan():
    """Where a curve loses its values there is a mark; one that never had any says so in the legend."""
    report = reports.not_a_number()
    assert [(mark.label, mark.at) for mark in plan(report, 640).marks] == [("training NaN from step 3,500", 3500.0)]
    assert "validation · val_loss (never finite)" in chart_svg(report)


def test_chart_reads_no_markup_in_names():
    """A name with dollars is no formula, one with an underscore in front is still in the legend."""
    curves = {"train_loss": reports.curve(reports.MATH, np.ones(9)), "learning_rate": reports.curve("_lr", np.ones(9))}
    svg = chart_svg(of(**curves))
    texts = [text.strip() for text in ET.fromstring(svg).itertext()]  # noqa: S314 - our own
    assert f"training · {reports.MATH}" in texts
    assert "_lr" in texts


def test_chart_keeps_to_its_own_settings():
    """Neither does the user's matplotlib setting change a chart, nor a chart the user's setting."""
    report = reports.overfitting()
    expected = chart_png(report)
    with mpl.rc_context({"text.usetex": True, "axes.facecolor": "red", "lines.linewidth": 9}):
        before = dict(mpl.rcParams)
        assert chart_png(report) == expected
        assert dict(mpl.rcParams) == before


def test_a_million_points_cost_little():
    """Thinned to the pixels, the drawing is small, and the one spike in a million points is still there."""
    values = 1 + np.exp(-np.linspace(0, 5, 1_000_000))
    values[654_321] = 2.5
    report = of(train_loss=reports.curve("loss", values))
    (line,) = plan(report, 640).panels[0].lines
    assert len(line.x) <= 2 * 640
    assert line.y.max() == 2.5
    assert abs(line.x[line.y.argmax()] - 654_321) < 1_000_000 / 640
    assert len(chart_svg(report)) < 60_000


def test_rough_curve_stands_behind_its_median():
    """A jagged curve is drawn faint, with a calm line on top; a smooth one is drawn once."""
    noise = np.random.default_rng(0).standard_normal(5000)
    fall = 2 * np.exp(-np.linspace(0, 3, 5000))
    report = of(train_loss=reports.curve("a", fall + 0.3 * noise), val_loss=reports.curve("b", fall))
    rough, smooth = plan(report, 640).panels[0].lines
    assert rough.rough is not None
    assert np.abs(rough.y - np.interp(rough.x, np.arange(5000), fall)).max() < 0.2
    assert smooth.rough is None


@pytest.mark.parametrize(
    ("low", "log"), [(0.5, False), (0.001, True), (0.0, False), (-1.0, False)], ids=["near", "decades", "zero", "sign"]
)
def test_scale_is_logarithmic_over_decades(low, log):
    """Positive values over more than two decades."""
    panel = plan(of(train_loss=reports.curve("loss", np.linspace(2.0, low, 50))), 640).panels[0]
    assert panel.log is log
    assert panel.low < low < 2.0 < panel.high


def test_extreme_values_leave_the_rest_readable():
    """Where no logarithm helps, a value of 1e30 is told beside the scale and does not set it."""
    values = np.linspace(2.0, -1.0, 50)
    values[20], values[30] = 1e30, -1.7e308
    report = of(train_loss=reports.curve("loss", values))
    panel = plan(report, 640).panels[0]
    assert -20 < panel.low < -1.0
    assert 2.0 < panel.high < 20
    assert panel.beyond == -1.7e308
    assert "goes beyond, to -1.7e+308" in chart_svg(report)


def test_other_units_share_the_axis_by_progress():
    """Epochs beside iterations are drawn over each other's whole length, and marks go along."""
    fall = np.exp(-np.linspace(0, 1, 500))
    iterations = reports.curve("loss", fall, np.arange(500) * 100)
    epochs = reports.curve("val_loss", [3.0, 2.0, 1.0, 2.0, 3.0])
    shown = plan(of(train_loss=iterations, val_loss=epochs), 640)
    assert shown.axis.shares
    assert [line.x[-1] for line in shown.panels[0].lines] == [100.0, 100.0]
    assert [(mark.label, mark.at) for mark in shown.marks] == [("best at step 2", 50.0)]


def test_a_curve_that_really_ended_early_keeps_its_steps():
    """The clock tells a short curve from another unit."""
    clock = np.arange(500.0)
    long = replace(reports.curve("loss", np.ones(500)), wall_times=clock)
    short = replace(reports.curve("val_loss", np.ones(50)), wall_times=clock[:50])
    shown = plan(of(train_loss=long, val_loss=short), 640)
    assert not shown.axis.shares
    assert [line.x[-1] for line in shown.panels[0].lines] == [499.0, 49.0]


def test_scores_share_a_panel():
    """The score a run is judged on comes first, then one that a finding names; percentages are not mixed in."""
    rise = np.linspace(0.1, 0.9, 9)
    names = {"accuracy": rise, "f1": rise, "recall": rise, "auc": 100 * rise}
    run = reports.run_of({Role(Split.VAL, name): reports.curve(name, values) for name, values in names.items()})
    panels = plan(replace(reports.healthy(), run=run), 640).panels
    assert [panel.title for panel in panels] == ["Accuracy, F1"]


def test_a_flat_curve_has_no_best_step():
    """Where every evaluation gave the same value none of them is the best."""
    report = of(val_loss=reports.curve("val_loss", np.zeros(9)))
    assert words.best_step(report) is None
    assert plan(report, 640).marks == ()


def test_parts_of_a_loss_are_told_apart():
    """At most three parts; each has its colour and its markers, each split its stroke."""
    curves = {
        Role(split, "loss", part): reports.curve(f"{split.value}/{part}", np.linspace(2, 1, 9))
        for split in (Split.TRAIN, Split.VAL)
        for part in ("box", "cls", "dfl", "obj")
    }
    panel = plan(replace(reports.healthy(), run=reports.run_of(curves), findings=()), 640).panels[0]
    assert panel.several
    assert sorted((line.series, line.split.value) for line in panel.lines) == [
        (series, split) for series in range(3) for split in ("train", "val")
    ]


def test_plain_text_keeps_what_people_write():
    """Controls go, letters of any script and joined emoji stay, the middle of long text is cut."""
    assert words.plain(reports.ANSI) == "red link"
    assert words.plain("a\tb\r\n c\x00\x9b31md") == "a b cd"
    assert words.plain("検証 👩‍🔬 क्‍ष") == "検証 👩‍🔬 क्‍ष"
    assert words.plain("0123456789" * 9, 12) == "0123456…6789"
