"""Numbers from arrays, against what is known of them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import median_filter
from scipy.special import ndtr

from curve_analyzers import signal


@pytest.mark.parametrize(("points", "width"), [(5, 3), (6, 11), (500, 101), (4000, 101)])
def test_running_median(points, width):
    """Short curves and long ones by different means, the same medians."""
    values = np.random.default_rng(0).standard_normal(points)
    assert (signal.running_median(values, width) == median_filter(values, size=width, mode="reflect")).all()


@pytest.mark.parametrize("trend", [0.0, 5.0, -100.0])
def test_noise_is_told_from_a_trend(trend):
    """The standard deviation of the noise, whatever the line or curve beneath it."""
    t = np.linspace(0, 1, 2000)
    values = trend * np.exp(-3 * t) + 0.1 * np.random.default_rng(1).standard_normal(2000)
    assert signal.noise(values) == pytest.approx(0.1, rel=0.1)


def test_noise_hardly_sees_spikes():
    """One point in fifty a hundred times too high."""
    values = 0.1 * np.random.default_rng(2).standard_normal(1000)
    values[::50] += 100
    assert signal.noise(values) == pytest.approx(0.1, rel=0.3)


def test_bins_are_medians_of_even_stretches():
    """Every point is in one bin; fewer points than bins are their own."""
    medians, edges = signal.bins(np.arange(10.0), 5)
    assert medians.tolist() == [0.5, 2.5, 4.5, 6.5, 8.5]
    assert edges.tolist() == [0, 2, 4, 6, 8, 10]
    assert signal.bins(np.arange(3.0), 5)[0].tolist() == [0.0, 1.0, 2.0]


def test_a_period_is_found_and_noise_has_none():
    """Fisher's test: a saw-tooth under noise as high as itself; white noise has a period once in ten thousand."""
    random = np.random.default_rng(3)
    wave = np.tile([1.0, -1.0, 0.0, 0.5], 100) + random.standard_normal(400)
    chance, period = signal.periodicity(wave)
    assert chance < 1e-4
    assert round(period, 2) in {2.0, 4.0}
    chances = [signal.periodicity(random.standard_normal(400))[0] for _ in range(500)]
    assert min(chances) > 1e-5


def test_certainty_is_the_normal_distribution():
    """A half at the limit, nearly sure at twice it, never more than 1."""
    assert signal.certainty(1.0, 1.0) == 0.5
    for size in (0.3, 1.5, 2.0, 1e300):
        assert signal.certainty(size, 1.0) == pytest.approx(ndtr(2 * (min(size, 1e6) - 1)))
    assert signal.certainty(1.0, 0.0) == 1.0
