"""Arrays in, numbers out: noise, level, roughness. Robust, for 6 points and for a million."""

from __future__ import annotations

import math

import bottleneck
import numpy as np

from curve_analyzers.model import Floats, Ints

__all__ = ["NORMAL_MAD", "bins", "certainty", "noise", "periodicity", "quantiles", "running_median", "spread"]

NORMAL_MAD = 1.4826  # a normal distribution's standard deviation over its median absolute deviation
DIFFERENCES = (6**0.5, 20**0.5, 70**0.5)  # how much white noise grows in differences of the second order and above
FALLS = 0.7  # of an estimate, below which the next order's is better for more than chance
LEAST_BENDS, MOST_BENDS = (
    4,
    500,
)  # differences, from which a median says more than one of them; and above which no bend counts


def noise(values: Floats) -> float:
    """Standard deviation of the point-to-point noise of a curve, whatever its trend.

    From second differences, which a smooth trend hardly touches, by their median size, which steps and spikes hardly
    touch: the pseudo-residuals of Gasser, Sroka and Jennen-Steinmetz (Biometrika 73, 1986) made robust. Few points on
    a bend are taken for noise by these; so the order is raised for as long as the estimate goes on falling, as in the
    variate difference method (Tintner, "The Variate Difference Method", 1940).

    Args:
        values: (n,) finite.

    Returns:
        The standard deviation in the unit of the values; 0.0 for fewer than 3 points.
    """
    if len(values) < 3:  # noqa: PLR2004 - a second difference takes three
        return 0.0
    found = math.inf
    with np.errstate(over="ignore", invalid="ignore"):
        differences = values[:-2] - 2 * values[1:-1] + values[2:]
        for scale in DIFFERENCES:
            now = float(NORMAL_MAD * np.median(np.abs(differences)) / scale)
            if not now < FALLS * found:
                break
            found = now
            if not LEAST_BENDS <= len(differences) <= MOST_BENDS:
                break
            differences = np.diff(differences)
    return found


def spread(values: Floats) -> float:
    """Robust standard deviation, by the median absolute deviation; 0.0 for an empty array."""
    return float(NORMAL_MAD * bottleneck.median(np.abs(values - bottleneck.median(values)))) if len(values) else 0.0


def quantiles(values: Floats, *shares: float) -> list[float]:
    """The values below which these shares of an array lie, between the points as `numpy.quantile` has it, but quick.

    Args:
        values: (n,) finite, not empty.
        shares: Each 0..1.
    """
    at = [share * (len(values) - 1) for share in shares]
    places = [(math.floor(each), math.ceil(each)) for each in at]
    ordered = np.partition(values, sorted({place for pair in places for place in pair}))
    return [
        float(ordered[low] + (ordered[high] - ordered[low]) * (each - low))
        for each, (low, high) in zip(at, places, strict=True)
    ]


def bins(values: Floats, most: int) -> tuple[Floats, Ints]:
    """Reduce a curve to the medians of at most `most` stretches of even length.

    Returns:
        The medians, shape (m,), and the index at which each stretch begins, with the end after them, shape (m + 1,).
    """
    count = min(len(values), most)
    edges = np.linspace(0, len(values), count + 1).round().astype(np.int64)
    if count == len(values):
        return values, edges
    longest = int(np.diff(edges).max())
    index = np.minimum(edges[:-1, None] + np.arange(longest), edges[1:, None] - 1)
    stretches = np.where(edges[:-1, None] + np.arange(longest) < edges[1:, None], values[index], np.nan)
    return bottleneck.nanmedian(stretches, axis=1), edges


def running_median(values: Floats, width: int) -> Floats:
    """Centred running median, shape (n,), the ends continued by their mirror image; `width` is odd.

    Each step takes time in the logarithm of the width: Härdle and Steiger, "Optimal Median Smoothing" (Applied
    Statistics 44, 1995), as bottleneck has it.
    """
    mirrored = np.pad(values, width // 2, "symmetric")
    return np.asarray(bottleneck.move_median(mirrored, width)[width - 1 :], np.float64)


def periodicity(values: Floats, cycles: int = 4) -> tuple[float, float]:
    """Whether one period stands out of even noise: Fisher's g test (Proc. R. Soc. A 125, 1929).

    Args:
        values: (n,) finite, without trend.
        cycles: How often a period must repeat at least; what is slower is a drift.

    Returns:
        The chance that white noise shows a peak as high, and the period in points (inf where nothing moves).
    """
    power = np.abs(np.fft.rfft(values - values.mean()))[cycles:] ** 2
    total = power.sum()
    if len(power) < 2 or not np.isfinite(total) or total <= 0:  # noqa: PLR2004 - one peak stands out of nothing
        return 1.0, float("inf")
    peak = int(power.argmax())
    chance = len(power) * (1 - power[peak] / total) ** (len(power) - 1)
    return float(min(chance, 1.0)), len(values) / (peak + cycles)


def certainty(size: float, limit: float) -> float:
    """How sure a finding is whose effect is `size` where `limit` is just enough: 0.5 at the limit, 0.98 at twice it.

    The normal distribution of an effect that is measured with an error of half the limit.
    """
    if not limit > 0:
        return 1.0 if size > 0 else 0.5
    return 0.5 * math.erfc(-math.sqrt(2.0) * (min(size / limit, 1e6) - 1.0))
