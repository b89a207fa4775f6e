"""What is marked on the curves, and the panels of what only a finding names."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import reports
from curve_analyzers.engine import diagnose
from curve_analyzers.examples import decay, line, run, valley
from curve_analyzers.findings import Finding, Report, Severity, Span
from curve_analyzers.model import Curve, RawCurve, RawRun, Role, Split
from curve_analyzers.registry import rule_named
from curve_analyzers.settle import prepare
from mlflow_diagnose.report.chart import chart_png, chart_svg
from mlflow_diagnose.report.glyphs import MISSING, StandIns, cells, in_font
from mlflow_diagnose.report.panels import plan


def found(report: Report, *findings: Finding) -> Report:
    """A report whose verdict is the first of these findings."""
    return replace(report, findings=findings, verdict=findings[0].rule, status=findings[0].severity.word)


def about(rule: str, *curves: str, first: int = 0, last: int = 59, **evidence: float) -> Finding:
    """A warning of a rule about some curves."""
    return Finding(rule, Severity.WARNING, 0.9, Span(curves, first, last), "brief", "message", evidence, ("try",))


def test_the_rise_is_drawn_where_it_is():
    """From the best value to the last, on the curve that it is about, with its figure."""
    report = diagnose(run(train_loss=decay(), val_loss=valley(floor=0.5, end=1.0)).build(), [rule_named("overfitting")])
    (panel,) = plan(report, 640).panels
    assert panel.rise is not None
    assert panel.rise.before == pytest.approx(0.5, abs=0.05)
    assert panel.rise.after == pytest.approx(1.0, abs=0.05)
    assert panel.rise.at == 59.0
    assert panel.rise.label in report.main.brief
    assert panel.rise.label in chart_svg(report)


def test_the_band_is_the_noise_of_the_curve():
    """Two standard deviations to each side of the value that the rise is measured from."""
    report = diagnose(run(600, train_loss=decay(), val_loss=valley(noise=0.02)).build(), [rule_named("overfitting")])
    band = plan(report, 640).panels[0].band
    assert band is not None
    assert (band.high - band.low)[0] == pytest.approx(4 * 0.02, rel=0.3)
    assert band.low[0] < report.main.evidence["best"] < band.high[0]
    assert band.x[0] == report.main.evidence["best_step"]


def test_a_change_within_noise_lies_in_the_band():
    """Of a run that learned nothing, most of the curve is within the band, which says so."""
    report = diagnose(run(400, train_loss=line(2.3, 2.299, noise=0.01)).build(), [rule_named("no_learning")])
    (panel,) = plan(report, 640).panels
    values = report.run[Role.TRAIN_LOSS].values
    assert ((values > panel.band.low[0]) & (values < panel.band.high[0])).mean() > 0.9


def test_a_healthy_run_has_no_arrow_and_no_band():
    """Nothing rose, and nothing is to be told from noise."""
    for panel in plan(reports.healthy(), 640).panels:
        assert panel.rise is None
        assert panel.band is None


def test_what_a_finding_names_has_a_panel():
    """A gradient norm, the memory of a GPU, and a curve without a role are drawn where a finding rests on them."""
    base = reports.overfitting()
    norm, memory = Role(Split.NONE, "gradient_norm"), Role(Split.NONE, "gpu_memory")
    grown = np.linspace(1, 9, 60)
    curves = {
        **{role: base.run.curves[name] for role, name in base.run.roles.items()},
        norm: reports.curve("grad_norm", grown),
        memory: reports.curve("system/gpu_0_memory", grown),
    }
    at = reports.run_of(curves, extra=[reports.curve("events: loss", grown)])
    report = found(
        replace(base, run=at),
        about("exploding_gradients", "train/loss", "grad_norm"),
        about("memory_growth", "system/gpu_0_memory"),
        about("sources_disagree", "events: loss"),
    )
    titles = [panel.title for panel in plan(report, 640).panels]
    assert titles == ["Loss", "Accuracy", "Learning rate", "Gradient norm", "GPU memory", "events: loss"]
    assert [panel.small for panel in plan(report, 640).panels] == [False, False, True, True, True, True]
    assert "grad_norm" in chart_svg(report)


def test_a_curve_of_another_unit_finds_its_place_by_the_clock():
    """Samples of a monitor, ten a step, stand over the steps that the run was at."""
    steps, samples = np.arange(100), np.arange(1000)
    loss = Curve("loss", steps, np.linspace(2, 1, 100), wall_times=1e9 + 10.0 * steps)
    memory = Curve("gpu_memory", samples, np.linspace(1, 9, 1000), wall_times=1e9 + 1.0 * samples)
    at = reports.run_of({Role.TRAIN_LOSS: loss, Role(Split.NONE, "gpu_memory"): memory})
    report = found(replace(reports.healthy(), run=at), about("memory_growth", "gpu_memory", first=500, last=999))
    shown = plan(report, 640)
    assert not shown.axis.shares
    assert shown.panels[1].lines[0].x[[0, 500]].tolist() == [0.0, 50.0]
    assert shown.bars[0].first == 50.0


@pytest.mark.parametrize("pause", [0.0, 500.0])
def test_a_finding_of_the_clock_shows_the_clock(pause, monkeypatch):
    """Where a rule of time read it from the loss, a panel shows the seconds of each step."""
    steps = np.arange(50)
    times = 1e9 + 10.0 * steps + np.where(steps >= 25, pause, 0.0)
    raw = RawRun("mlflow", "1", "run", [RawCurve("train_loss", steps, np.linspace(2, 1, 50), times)])
    rule = rule_named("untrusted_steps")
    monkeypatch.setattr(type(rule), "family", "system")
    report = found(diagnose(prepare(raw), [rule]), about("untrusted_steps", "train_loss"))
    panel = plan(report, 640).panels[-1]
    assert panel.title == "Seconds per step"
    assert panel.lines[0].y.max() == pytest.approx(10.0 + pause)


def test_names_of_any_script_have_their_place():
    """What the font cannot draw is measured by what it can, and comes back as it was."""
    names = StandIns()
    text = "loss 検証/損失 ข้อมูล 🙂 \u4dc0\u2801"
    hidden = names.hide(text)
    assert hidden != text
    assert in_font(hidden) == hidden
    assert len(hidden) == len(text)
    assert names.show(f"<text>{hidden}</text>") == f"<text>{text}</text>"
    assert cells("検証") == cells("abcd")
    assert in_font("検") == MISSING


def test_more_characters_than_stand_ins():
    """A name of every ideograph there is still has a drawing."""
    names = StandIns()
    text = "".join(map(chr, range(0x4E00, 0x5200)))
    assert in_font(names.hide(text)) == names.hide(text)
    assert names.show(names.hide(text))[:100] == text[:100]


def test_a_picture_file_boxes_what_it_cannot_draw():
    """A PNG has no fonts of its own; drawing one complains of nothing."""
    assert chart_png(reports.hostile()).startswith(b"\x89PNG")
