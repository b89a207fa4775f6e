"""What a patience would have saved and lost."""

from __future__ import annotations

import numpy as np
import pytest

from curve_analyzers.engine import diagnose
from curve_analyzers.model import RawCurve, RawRun
from curve_analyzers.registry import rule_named
from curve_analyzers.settle import prepare


@pytest.fixture(scope="module")
def finding():
    """What is said of a run of 100 epochs, six minutes each, that was nearly done at epoch 4 and best at epoch 12."""
    values = np.r_[2.3, 1.5, 1.0, 0.7, 0.5, np.full(7, 0.501), 0.499, np.full(87, 0.502)]
    steps = np.arange(100)
    curves = [
        RawCurve("train_loss", steps, values, 1.7e9 + 360.0 * steps),
        RawCurve("val_loss", steps, values, 1.7e9 + 360.0 * steps),
    ]
    report = diagnose(prepare(RawRun("mlflow", "1", "run", curves)), [rule_named("wasted_compute")])
    return report.findings[0]


@pytest.mark.parametrize(
    ("patience", "step", "lost"),
    [(5, 9, 0.001), (10, 22, 0.0), (20, 32, 0.0)],  # of the best at step 4, and at step 12
)
def test_what_a_patience_would_have_done(finding, patience, step, lost):
    """It stops so many evaluations after the last better one, and loses what came later."""
    assert finding.evidence[f"patience_{patience}_step"] == step
    assert finding.evidence[f"patience_{patience}_saved_steps"] == 99 - step
    assert finding.evidence[f"patience_{patience}_saved_hours"] == pytest.approx((99 - step) / 10)
    assert finding.evidence[f"patience_{patience}_lost"] == pytest.approx(lost)


def test_it_is_said_in_words(finding):
    """In steps and hours, for a person."""
    assert "5 stops at step 9, saves 90 steps (9 h) and loses 0.001" in finding.message
    assert "10 stops at step 22, saves 77 steps (7.7 h) and loses nothing" in finding.message


def test_a_patience_that_would_not_have_stopped_says_so():
    """A number that is not there is None, and not 0: a little better every twelve epochs is enough for twenty."""
    values = np.r_[2.3, 1.0, 0.5, 0.5 - 1e-5 * (np.arange(1, 78) // 12)]
    curves = [RawCurve(name, np.arange(80), values) for name in ("train_loss", "val_loss")]
    report = diagnose(prepare(RawRun("mlflow", "1", "run", curves)), [rule_named("wasted_compute")])
    evidence = report.findings[0].evidence
    assert [evidence[f"patience_{patience}_step"] for patience in (5, 10, 20)] == [7, 12, None]
    assert (evidence["patience_5_saved_hours"], evidence["wasted_hours"]) == (None, None)
