"""How a cost falls with the size of the training set: a power law towards a floor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from curve_analyzers.model import Floats

__all__ = ["PowerLaw", "fit_power_law"]

DRAWS = 1000
INTERVAL = (2.5, 97.5)
# Of a curve scaled to 0..1 over sizes scaled to at most 1: floor, height above it at the largest size, exponent.
LOWEST, START, HIGHEST = (-5.0, 0.0, 0.05), (0.0, 0.2, 0.5), (1.0, 5.0, 3.0)


@dataclass(frozen=True, slots=True)
class PowerLaw:
    """`floor + height * (size / largest) ** -exponent`, in the unit of the cost.

    Attributes:
        floor: Where it ends with endless data.
        height: Above the floor at the largest size.
        exponent: How fast it falls.
        largest: The largest size that was seen.
        fall: From the smallest size to the largest.
        gain: What the next doubling would bring; `gain_low` to `gain_high` is its 95 % interval.
        gain_low: See `gain`.
        gain_high: See `gain`.
    """

    floor: float
    height: float
    exponent: float
    largest: float
    fall: float
    gain: float
    gain_low: float
    gain_high: float

    def at(self, size: float) -> float:
        """The cost at a size."""
        return float(self.floor + self.height * (size / self.largest) ** -self.exponent)


def fit_power_law(sizes: Floats, costs: Floats) -> PowerLaw | None:
    """Fit by least squares; None where the costs do not fall, or no fit is found.

    Args:
        sizes: (n,) above 0.
        costs: (n,) finite.
    """
    from scipy.optimize import curve_fit  # noqa: PLC0415 - slow to import

    if len(costs) <= len(START):
        return None
    lowest, spread, largest = float(costs.min()), float(np.ptp(costs)), float(sizes.max())
    if not spread > 0 or not np.isfinite(spread):
        return None
    share, scaled = sizes / largest, (costs - lowest) / spread

    def law(size: Floats, floor: Floats, height: Floats, exponent: Floats) -> Floats:
        return np.asarray(floor + height * size**-exponent, np.float64)

    try:
        best, covariance = curve_fit(law, share, scaled, START, bounds=(LOWEST, HIGHEST), max_nfev=5000)
    except (RuntimeError, ValueError):
        return None
    floor, height, exponent = (float(each) for each in best)
    if not np.isfinite(covariance).all():
        return None
    drawn = np.random.default_rng(0).multivariate_normal(best, covariance, DRAWS, check_valid="ignore")
    drawn = np.clip(drawn, LOWEST, HIGHEST)
    low, high = (float(each) for each in np.percentile(drawn[:, 1] * (1 - 2.0 ** -drawn[:, 2]), INTERVAL))
    fall = height * (float(share.min()) ** -exponent - 1.0)
    return PowerLaw(
        floor=lowest + spread * floor,
        height=spread * height,
        exponent=exponent,
        largest=largest,
        fall=spread * fall,
        gain=spread * height * (1 - 2.0**-exponent),
        gain_low=spread * low,
        gain_high=spread * high,
    )
