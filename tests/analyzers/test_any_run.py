"""Whatever a log holds, the engine answers: no rule crashes, and what it says can be written down."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from curve_analyzers.engine import diagnose
from curve_analyzers.model import RawCurve, RawRun
from curve_analyzers.saying import Said
from curve_analyzers.settle import prepare

NAMES = (
    "train_loss",
    "val_loss",
    "test_rmse",
    "val_accuracy",
    "train_f1",
    "lr",
    "grad_norm",
    "reward",
    "train/box_loss",
)
STEPS = st.integers(-(2**63), 2**63 - 1) | st.integers(0, 20)
VALUES = st.floats() | st.floats(0, 3) | st.sampled_from([0.0, 1.0, 1.7976931348623157e308])


@st.composite
def curves(draw):
    """A curve as any store might give it."""
    points = draw(st.lists(st.tuples(STEPS, VALUES), max_size=40))
    steps = np.array([step for step, _ in points], np.int64)
    values = np.array([value for _, value in points], np.float64)
    times = (
        np.array(draw(st.lists(st.floats(), min_size=len(points), max_size=len(points))))
        if draw(st.booleans())
        else None
    )
    return RawCurve(draw(st.sampled_from(NAMES)), steps, values, times)


@given(st.lists(curves(), max_size=6, unique_by=lambda curve: curve.name))
@settings(max_examples=200, deadline=None)
def test_any_run_is_answered(raw):
    """Every rule ends clear, found or skipped; steps, confidences and words are of the form writers count on."""
    report = diagnose(prepare(RawRun("mlflow", "1", "run", raw)))
    assert [outcome for outcome in report.outcomes if outcome.status.value == "crashed"] == []
    for finding in report.findings:
        assert 0 <= finding.confidence <= 1
        assert not math.isnan(finding.confidence)
        assert finding.span.first_step <= finding.span.last_step
        assert "\n" not in finding.message
        types = {str if isinstance(value, Said) else type(value) for value in finding.evidence.values()}
        assert types <= {float, int, str, bool, type(None)}
