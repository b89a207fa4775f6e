"""A run as a row, and the page, the Markdown and the job of many."""

from __future__ import annotations

import pickle
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

import reports
from curve_analyzers.findings import Report, Severity
from curve_analyzers.model import Curve, Role, Split
from mlflow_diagnose.report.dispute import dispute
from mlflow_diagnose.report.experiment import experiment_page
from mlflow_diagnose.report.rows import HEIGHT, WIDTH, row_of, run_url
from mlflow_diagnose.writers import github
from mlflow_diagnose.writers.markdown import as_text, document, entry_of
from mlflow_diagnose.writers.small_curves import blocks, braille

samples = pytest.mark.parametrize("name", reports.SAMPLES)


class Elements(HTMLParser):
    """The elements of a page with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        """Note an element."""
        self.tags.append((tag, dict(attrs)))


def of(curves: dict[Role, Curve]) -> Report:
    """A healthy report of some curves."""
    return replace(reports.healthy(), run=reports.run_of(curves), findings=())


@samples
def test_a_row_is_small(name):
    """However long the run, under two kilobytes, that go through a pickle."""
    row = row_of(reports.SAMPLES[name]())
    assert pickle.loads(pickle.dumps(row)) == row  # noqa: S301 - our own
    assert len(pickle.dumps(row)) < 2000


def test_a_row_tells_the_run():
    """Its verdict, what it rests on, what was found in it, and how its curves went."""
    row = row_of(reports.overfitting(), "http://localhost/run")
    assert (row.status, row.verdict, row.confidence, row.best_step) == ("critical", "overfitting", 96, 24)
    assert row.rules == ("overfitting", "loss_metric_disagreement")
    assert row.brief == "+61 % since step 24"
    assert row.ends[0].startswith("train/loss 2.2")
    assert row.value == pytest.approx(1.07, abs=0.1)
    assert row.url == "http://localhost/run"


def test_small_curves_share_a_scale_and_the_steps():
    """The higher curve stands higher, the shorter one ends earlier, and all stay within their box."""
    high = reports.curve("loss", np.full(60, 2.0) + np.linspace(0.5, 0, 60))
    low = reports.curve("val_loss", np.linspace(1.0, 0.0, 30))
    row = row_of(
        replace(reports.healthy(), run=reports.run_of({Role.TRAIN_LOSS: high, Role.VAL_LOSS: low}), findings=())
    )
    assert max(row.training[1::2]) < min(row.held_out[1::2])
    assert row.training[-2] > 95
    assert row.held_out[-2] == pytest.approx(WIDTH / 2, abs=3)
    for points in (row.training, row.held_out):
        assert len(points) <= 80
        assert max(points[::2]) <= WIDTH
        assert max(points[1::2]) <= HEIGHT


def test_small_curves_of_two_quantities_have_each_its_own_scale():
    """An accuracy beside a loss of thousands is no flat line."""
    loss, score = (
        reports.curve("loss", np.linspace(5000, 1000, 50)),
        reports.curve("val_acc", np.linspace(0.1, 0.9, 50)),
    )
    roles = {Role.TRAIN_LOSS: loss, Role(Split.VAL, "accuracy"): score}
    row = row_of(replace(reports.healthy(), run=reports.run_of(roles), findings=()))
    assert (min(row.held_out[1::2]), max(row.held_out[1::2])) == (0, HEIGHT)


@pytest.mark.parametrize("values", [[1.0], [2.0, 2.0], [1e308, -1e308] * 20, [1e-320, 1.0, 1e300]])
def test_odd_curves_have_rows(values):
    """One point, a flat line, and the ends of what a float can hold."""
    row = row_of(of({Role.VAL_LOSS: reports.curve("val_loss", np.array(values))}))
    assert row.held_out
    assert len(blocks(row, 12)) == 12
    assert braille(row)
    assert "<path" in experiment_page([row])


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("http://localhost:5000", "http://localhost:5000/#/experiments/3/runs/r%2F1"),
        ("https://user:secret@host/mlflow/", "https://host/mlflow/#/experiments/3/runs/r%2F1"),
        ("http://[::1]:5000", "http://[::1]:5000/#/experiments/3/runs/r%2F1"),
        ("sqlite:///mlflow.db", ""),
        ("javascript://host/%0aalert(1)", ""),
        ("databricks", ""),
    ],
)
def test_a_run_is_linked_where_a_server_shows_it(uri, expected):
    """Without user and password, and only to a web address."""
    assert run_url(uri, "3", "r/1") == expected


def test_the_page_of_many_runs_nothing_of_theirs():
    """One script, allowed by its hash; names are text in elements and in attributes."""
    html = experiment_page([row_of(reports.hostile())] * 3, title=reports.IMAGE)
    tags = Elements(html).tags
    assert [tag for tag, _ in tags].count("script") == 1
    assert not {tag for tag, _ in tags} & {"img", "link", "iframe", "object", "form", "base"}
    assert not [key for _, attrs in tags for key in attrs if key.startswith("on") or key == "src"]
    assert "script-src 'sha256-" in html
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", html)


def test_the_page_of_many_is_small():
    """300 runs are less than half a megabyte; of ten thousand, the first thousand are drawn."""
    rows = [replace(row_of(reports.overfitting()), run_id=f"{place:032x}") for place in range(300)]
    assert len(experiment_page(rows).encode()) < 600_000
    many = experiment_page([rows[place % 300] for place in range(3000)])
    assert many.count("<svg") == 1000
    assert "Curves are drawn of the first 1,000." in many


def test_a_dispute_is_ready_to_type():
    """The commands hold the run's own names, quoted for a shell, and the thresholds it was judged by."""
    report = reports.overfitting()
    judged = replace(report.outcomes[0], thresholds={"rise": 0.05, "severe": 0.5})
    told = dispute(replace(report, outcomes=(judged, *report.outcomes[1:])))
    assert told.config == ("[rules.overfitting]", "rise = 0.05", "severe = 0.5")
    assert told.thresholds[0].meaning.startswith("climb above the held-out minimum")
    assert told.map_command == f"mlflow-diagnose {report.run.run_id} --map train/loss=train_loss"
    assert told.ignore_command.endswith(" --ignore overfitting")
    odd = dispute(replace(report, run=replace(report.run, source="tensorboard", run_id="a; rm -rf $HOME")))
    assert odd.config_command == "mlflow-diagnose --logdir LOGDIR 'a; rm -rf $HOME' --config mlflow-diagnose.toml"


@pytest.mark.parametrize(
    "text",
    [
        "**bold** _em_ ~~gone~~ `code` [a](http://b) ![i](http://b)",
        "<b>bold</b> &amp; <!-- --> <img src=x>",
        "a | b | c",
        "$x^2$ @someone #12 https://example.org www.example.org",
        "1. x\n# y\n- z",
    ],
)
def test_markdown_shows_text_as_it_is(text):
    """Rendered, it reads as it was logged, without an element but code."""
    from markdown_it import MarkdownIt  # noqa: PLC0415 - rich brings it

    html = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(f"x {as_text(text)}")
    bare = re.sub(r"</?code>", "", html.replace("<!-- -->", "")).strip()
    shown = re.fullmatch(r"<p>x (.*)</p>", bare)[1]
    assert "<" not in shown
    plain = " ".join(text.split()).replace("`", "")
    assert shown.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&amp;", "&") == plain


def test_markdown_parts_what_github_would_link():
    """Nobody is told, no issue is referred to, and no address becomes a link."""
    text = as_text("@octocat #7 https://example.org www.example.org")
    assert not re.search(r"@\w|#\d|://|www\.", text)


def test_markdown_of_many_is_a_table_with_what_was_found():
    """The worst first, details of what is not healthy, folded."""
    text = document([entry_of(make()) for make in reports.SAMPLES.values()])
    rows = [line for line in text.split("\n") if line.startswith("|")][2:]
    assert [re.split(r" \| |\| ", row)[2][:1] for row in rows] == ["✗", "✗", "!", "?", "✓"]
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 5 for row in rows)
    assert text.count("<details>") == text.count("</details>") == 4
    assert "1. Keep the checkpoint of step 24" in text


def test_markdown_of_one_is_the_report():
    """No table, nothing folded."""
    text = document([entry_of(reports.overfitting())])
    assert text.startswith("### ✗ mobilenet-finetune: **overfitting** (96 %)")
    assert "<details>" not in text
    assert "- ✗ held-out loss falls: best at step 24, 61 % higher at the end" in text


def test_an_annotation_is_one_command():
    """Escaped as the runner unescapes it; none for a run without a fault."""
    line = github.annotation(reports.overfitting())
    assert line.startswith(
        "::error title=mobilenet-finetune%3A overfitting::Validation loss was best at step 24 (0.66)"
    )
    assert github.annotation(reports.healthy()) == ""
    report = reports.hostile()
    evil = replace(report.findings[0], message="100 %\r\n::error::mine", severity=Severity.WARNING)
    evil = github.annotation(replace(report, findings=(evil,)))
    assert evil.startswith("::warning title=")
    assert "100 %25 ::error::mine" in evil
    assert "\n" not in evil
    assert "," not in evil.split("::")[1]


@pytest.mark.parametrize("text", ["::error::x", "  ::stop-commands::x", "##[error]x", "a :::: b"])
def test_a_name_is_no_command(text):
    """What the runner would take for a command is not there, and reads the same."""
    safe = github.defused(text)
    assert "::" not in safe
    assert "##[" not in safe
    assert safe.replace(github.BETWEEN, "") == text


def test_a_summary_is_cut_at_what_github_takes(tmp_path, monkeypatch):
    """At the end of a line, with what is folded closed again, after what stands there already."""
    file = tmp_path / "summary"
    file.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(file))
    github.add_summary("<details>\n" + "a line of the report\n" * 100_000)
    text = file.read_text()
    assert text.startswith("before\n<details>\n")
    assert text.count("<details>") == text.count("</details>") == 1
    assert len(text) <= github.MOST_SUMMARY + 100
