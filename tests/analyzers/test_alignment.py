"""Curves of one run in different step units: epochs beside iterations."""

from __future__ import annotations

import numpy as np

from curve_analyzers.alignment import same_moment, same_unit
from curve_analyzers.engine import diagnose
from curve_analyzers.examples import decay, valley
from curve_analyzers.model import Curve, RawCurve, RawRun
from curve_analyzers.settle import prepare


def curve(steps, times=None):
    """A curve on the given steps."""
    steps = np.asarray(steps, np.int64)
    return Curve("loss", steps, np.ones(len(steps)), None if times is None else np.asarray(times, float))


def test_the_same_steps_count_the_same():
    """Every 50th step beside every step; a gap at the start or the end changes nothing."""
    every, sparse = curve(range(1000)), curve(range(50, 1000, 50))
    assert same_unit([every, sparse])
    assert same_moment(sparse, 500, every) == 500


def test_epochs_beside_iterations():
    """Without a clock the share of the run tells the moment."""
    iterations, epochs = curve(range(10_000)), curve(range(11))
    assert not same_unit([iterations, epochs])
    assert round(same_moment(epochs, 5, iterations), 3) == 4999.5


def test_the_clock_tells_the_moment():
    """Iterations that got slower half-way: the epoch in the middle is not the middle iteration."""
    times = np.r_[np.linspace(0, 100, 8000), np.linspace(100, 300, 2000)]
    iterations, epochs = curve(range(10_000), times), curve(range(11), np.linspace(0, 300, 11))
    assert not same_unit([iterations, epochs])
    assert 8400 < same_moment(epochs, 5, iterations) < 8600


def test_a_curve_that_ended_early_counts_the_same():
    """The clock tells a short curve from one in another unit."""
    whole, short = curve(range(1000), range(1000)), curve(range(100), range(100))
    assert same_unit([whole, short])
    assert same_moment(short, 50, whole) == 50


def test_both_rise_is_no_overfitting_in_any_unit():
    """Training in iterations and validation in epochs: a common turn is a divergence."""
    train = RawCurve("train_loss", np.arange(6000), valley(end=2.2).sample(6000, 1))
    val = RawCurve("val_loss", np.arange(60), valley(end=2.3).sample(60, 2))
    report = diagnose(prepare(RawRun("mlflow", "1", "run", [train, val])))
    assert report.verdict == "divergence"
    assert "overfitting" not in [finding.rule for finding in report.findings]


def test_overfitting_is_seen_across_units():
    """And a turn of validation alone is what it is."""
    train = RawCurve("train_loss", np.arange(6000), decay(noise=0.05).sample(6000, 1))
    val = RawCurve("val_loss", np.arange(60), valley().sample(60, 2))
    assert diagnose(prepare(RawRun("mlflow", "1", "run", [train, val]))).verdict == "overfitting"
