"""From what stores hold to one point a step: the troubles of logs-in-the-wild, one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curve_analyzers.model import RawCurve, RawRun, Role, StepUnit
from curve_analyzers.settle import prepare, settle


def curve(steps, values=None, times=None):
    """A settled curve; its values count up where none are given."""
    values = np.arange(len(steps)) if values is None else values
    times = None if times is None else np.asarray(times, float)
    return settle(RawCurve("loss", np.asarray(steps, np.int64), np.asarray(values, float), times))


def points(settled):
    """Its points, as plain numbers."""
    return list(zip(settled.steps.tolist(), settled.values.tolist(), strict=True))


def test_points_out_of_order_are_sorted():
    """Asynchronous logging mixes the order; no step repeats, so nothing is lost."""
    settled = curve([0, 2, 1, 3], [5.0, 3.0, 4.0, 2.0])
    assert points(settled) == [(0, 5.0), (1, 4.0), (2, 3.0), (3, 2.0)]
    assert (settled.rewound, settled.duplicates) == (0, 0)


def test_a_resume_replaces_what_it_wrote_over():
    """As TensorBoard shows it: earlier points at or after the restart step are dropped."""
    settled = curve([0, 1, 2, 3, 4, 2, 3, 4, 5])
    assert points(settled) == [(0, 0.0), (1, 1.0), (2, 5.0), (3, 6.0), (4, 7.0), (5, 8.0)]
    assert settled.rewound == 3
    assert settled.restarts == (2,)


def test_two_resumes_each_replace():
    """A second restart further back drops points of both passes before it, and where the first began with them."""
    settled = curve([0, 1, 2, 3, 2, 3, 4, 1, 2])
    assert points(settled) == [(0, 0.0), (1, 7.0), (2, 8.0)]
    assert settled.restarts == (1,)
    assert curve([0, 1, 2, 3, 2, 3, 4, 3, 4]).restarts == (2, 3)


def test_the_last_fold_of_a_cross_validation_stays():
    """Folds appended one after the other are told as rewound; the last is judged."""
    settled = curve([0, 1, 2, 0, 1, 2, 0, 1, 2])
    assert points(settled) == [(0, 6.0), (1, 7.0), (2, 8.0)]
    assert settled.rewound == 6


def test_keras_last_row_is_no_restart():
    """Keras autolog ends with a copy of the first row at step 0: one point back wipes nothing."""
    settled = curve([0, 1, 2, 3, 0], [4.0, 3.0, 2.0, 1.0, 4.0])
    assert points(settled) == [(0, 4.0), (1, 3.0), (2, 2.0), (3, 1.0)]
    assert settled.rewound == 1
    assert settled.restarts == ()


def test_a_negative_step_wipes_nothing():
    """TensorBoard's data server drops six of eight points here."""
    assert len(curve([0, 1, 2, 3, -1, 4, 5, 6])) == 8


def test_a_point_for_each_batch_on_the_epochs_step():
    """Where it is the habit of a curve, a step's value is the mean of its points."""
    settled = curve([0, 0, 0, 1, 1, 1], [1.0, 2.0, 3.0, 4.0, 5.0, 9.0])
    assert points(settled) == [(0, 2.0), (1, 6.0)]
    assert settled.duplicates == 4


def test_an_evaluation_logged_twice():
    """Where it is an exception, the last word counts."""
    settled = curve([0, 1, 2, 3, 3], [1.0, 2.0, 3.0, 4.0, 5.0])
    assert points(settled) == [(0, 1.0), (1, 2.0), (2, 3.0), (3, 5.0)]


def test_all_points_at_one_step_are_put_in_order_of_time():
    """A run whose steps are all 0 is judged on its times; without them, in the order of the file."""
    settled = curve([0, 0, 0], [1.0, 2.0, 3.0], times=[30.0, 10.0, 20.0])
    assert points(settled) == [(0, 2.0), (1, 3.0), (2, 1.0)]
    assert settled.step_unit is StepUnit.RANK
    assert points(curve([7, 7, 7])) == [(0, 0.0), (1, 1.0), (2, 2.0)]


def test_sql_infinity_is_infinity_again():
    """MLflow's SQL stores write the largest float for infinity."""
    settled = curve([0, 1, 2], [1.0, 1.7976931348623157e308, -1.7976931348623157e308])
    assert settled.values.tolist() == [1.0, np.inf, -np.inf]


def test_nothing_of_the_readers_is_changed():
    """Settled arrays are read-only, the reader's own are left alone."""
    steps, values = np.array([1, 0]), np.array([1.0, 2.0])
    settled = settle(RawCurve("loss", steps, values))
    assert not settled.values.flags.writeable
    assert steps.flags.writeable
    assert values.flags.writeable


@given(st.lists(st.tuples(st.integers(-(2**62), 2**62), st.floats()), max_size=60), st.booleans())
def test_any_points_become_a_curve(rows, timed):
    """Whatever a log holds: steps strictly increase and every point is kept, dropped or merged."""
    steps = np.array([step for step, _ in rows], np.int64)
    values = np.array([value for _, value in rows], np.float64)
    settled = settle(RawCurve("loss", steps, values, np.arange(len(rows), dtype=float) if timed else None))
    assert (settled.steps[1:] > settled.steps[:-1]).all()
    assert len(settled) + settled.rewound + settled.duplicates == len(rows)


def test_the_role_map_wins():
    """`--map TAG=ROLE` says what a name does not."""
    raw = RawRun("mlflow", "1", "run", [RawCurve("q", np.arange(3), np.ones(3))])
    assert Role.VAL_LOSS in prepare(raw, {"q": "val_loss"})
    assert Role.VAL_LOSS not in prepare(raw)


def test_an_unknown_role_is_refused():
    """The message names the wrong value."""
    raw = RawRun("mlflow", "1", "run", [RawCurve("q", np.arange(3), np.ones(3))])
    with pytest.raises(ValueError, match="val_los"):
        prepare(raw, {"q": "val_los"})
