"""The clock of a run: which wall times can be trusted, and what they tell."""

from __future__ import annotations

import numpy as np
import pytest

from curve_analyzers.clock import clock, hours_between, moments, seconds_of
from curve_analyzers.model import Curve, RawCurve, RawRun
from curve_analyzers.settle import prepare

START = 1.7e9


def curve(times):
    """A curve with these wall times."""
    times = None if times is None else np.asarray(times, np.float64)
    points = 5 if times is None else len(times)
    return Curve("loss", np.arange(points), np.ones(points), times)


@pytest.mark.parametrize(
    "times",
    [
        None,
        [START] * 5,
        [START, START + 9, START + 1, START + 12],
        [START, np.nan, START + 2],
        [START, np.inf],
        [START],
    ],
    ids=["none", "all the same", "back", "a hole", "infinite", "one point"],
)
def test_a_clock_that_tells_nothing(times):
    """No times, an imported log, a resumed run, damage: nothing is concluded from them."""
    assert seconds_of(curve(times)) is None
    assert hours_between(curve(times), 0, 1) is None


def test_a_clock_that_goes_back_a_little_is_trusted():
    """Two processes that log side by side differ by less than a hundredth of the run."""
    assert seconds_of(curve(START + np.array([0, 100, 99.5, 200]))).tolist() == [0, 100, 100, 200]


def test_hours_between_steps():
    """Between logged steps the time passes evenly."""
    assert hours_between(curve(START + 3600.0 * np.array([0, 1, 2, 4])), 1, 3) == 3
    assert hours_between(Curve("loss", np.array([0, 10]), np.ones(2), START + np.array([0, 7200.0])), 0, 5) == 1


def test_the_longest_curve_of_the_training_tells_the_time():
    """System metrics are sampled by the machine, not by the training; a curve whose clock stands tells nothing."""
    steps = np.arange(20)
    curves = [
        RawCurve("system/cpu_memory", np.arange(90), np.ones(90), START + np.arange(90.0)),
        RawCurve("memory", np.arange(80), np.ones(80), START + np.arange(80.0)),
        RawCurve("train_loss", steps, np.ones(20), np.full(20, START)),
        RawCurve("val_loss", steps[:10], np.ones(10), START + 60.0 * steps[:10]),
    ]
    run = prepare(RawRun("mlflow", "1", "run", curves))
    assert clock(run).curve.name == "val_loss"
    assert clock(run).seconds[-1] == 540
    assert len(moments(run)) == 30
