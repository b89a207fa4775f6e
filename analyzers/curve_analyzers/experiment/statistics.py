"""What a param does to a quantity over many runs, beside the other params, at a known rate of false alarms.

The promise: of a hundred experiments in which no param does anything, at most one gives any finding that says that one
does (`ALPHA`), over all rules and params together. It is kept in three steps.

- `ALPHA` is shared out among the questions that are asked of an experiment (`SHARES`, Bonferroni).
- Within a question, all params are tested at once: the strongest must be stronger than the strongest of all in all but
  a share of the orders in which the runs could stand (the step-down maxT permutation test of Westfall and Young,
  "Resampling-Based Multiple Testing", 1993). This holds for any distribution and for params that depend on each other.
- The next is tested on what the first leaves, its residuals permuted (Freedman and Lane, J. Business & Economic
  Statistics 1, 1983), so that a param is judged beside the others, and never tested where the first was not found.

Everything is done on ranks: the unit of a loss and one run at 1e30 change nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from curve_analyzers.experiment.factors import MISSING, Factor
from curve_analyzers.model import Floats, Ints
from curve_analyzers.saying import say

__all__ = [
    "ALPHA",
    "ANY_SHARE",
    "SHARES",
    "Effect",
    "effects",
    "enough",
    "median_by_level",
    "ranks",
    "widest_by_chance",
]

ALPHA = 0.01  # chance of any false finding in an experiment
# Of ALPHA, by question: three for the effects on a quantity each, one for two runs that were chosen by different
# metrics, one for a run among its siblings.
SHARES = {"level": 0.4, "training": 0.2, "gap": 0.2, "kpi": 0.1, "choice": 0.05, "outlier": 0.05}
PERMUTATIONS = 4999
FIRST_LOOK = 499  # permutations that show whether more are worth it
NORMAL_FROM = 300  # runs from which the distribution over permutations is that of normal theory
RESAMPLES = 300  # bootstrap samples behind an interval
MANY = 1000  # runs, from which as many resamples of this size are drawn
INTERVAL = (2.5, 97.5)
TANGLED = 0.8  # share of one param that another one tells, from which they cannot be told apart
MOST_CURVED = 3  # degree: a best value in the middle, and a cliff on one side of it
LEAST_ORDERED = 3  # values that have an order
LEAST_IN_LEVEL = 2  # runs of a category, fewer are put together
NEGLIGIBLE = 1e-9
ANY_SHARE = 0.05  # of the differences between runs that is a share at all


@dataclass(frozen=True, slots=True, eq=False)
class Effect:
    """What one factor does to a quantity, beside the factors found before it.

    Attributes:
        factor: The factor, of the runs that were looked at.
        share: Of the differences between the runs (in rank) the part that goes with it, corrected for the number of
            runs; `low` and `high` are its 95 % interval.
        low: See `share`.
        high: See `share`.
        p: The chance of anything as strong where no param does anything, over all params.
        slope: Rank correlation of the factor and the cost beside the other factors found: above 0 where more is worse;
            NaN for categories. `slope_low` and `slope_high` are its 95 % interval.
        slope_low: See `slope`.
        slope_high: See `slope`.
        tangled: Names of other factors that moved with it so closely that they cannot be told apart.
        sure_sign: How often resampled runs give the slope the same sign; of categories, give them any share.
        resampled: Shares in resampled sets of runs, (RESAMPLES,).
    """

    factor: Factor
    share: float
    low: float
    high: float
    p: float
    slope: float
    slope_low: float
    slope_high: float
    tangled: tuple[str, ...]
    sure_sign: float
    resampled: Floats

    @property
    def worse(self) -> bool:
        """Whether more of it is worse for sure."""
        return self.slope_low > 0

    @property
    def better(self) -> bool:
        """Whether more of it is better for sure."""
        return self.slope_high < 0

    @property
    def certainty(self) -> float:
        """How often resampled runs show it: by its sign, or where its best is in the middle, by having a share."""
        return max(self.sure_sign, self.sure_of_share(ANY_SHARE))

    def sure_of_share(self, least: float) -> float:
        """How often resampled runs give it at least this share."""
        return float((self.resampled >= least).mean())


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """A factor that was found, the shape of its effect, (n, q), and the chance of that."""

    factor: Factor
    columns: Floats
    p: float


def ranks(values: Floats) -> Floats:
    """(n,) ranks from 0 to n - 1, ties at their mean, infinities at the ends."""
    from scipy.stats import rankdata  # noqa: PLC0415 - slow to import

    return np.asarray(rankdata(values), np.float64) - 1.0


def enough(factor: Factor, question: str) -> str | None:
    """Why no effect of a factor could be told with so few runs, however clear; None where one could."""
    counts = np.array([count for count in (*factor.counts, (factor.codes == MISSING).sum()) if count])
    orders = math.lgamma(counts.sum() + 1) - sum(math.lgamma(count + 1) for count in counts)
    # As many partings look the same to the test: an order and its reverse, categories by any name.
    same = 2 if factor.numbers is not None else math.prod(math.factorial((counts == c).sum()) for c in set(counts))
    once_in = math.exp(min(orders, 700.0)) / same
    if once_in >= 1 / (ALPHA * SHARES[question]):
        return None
    return say(
        "cannot tell with {runs} runs: even a perfect order of {values} values of {factor} "
        "comes about by chance once in {once_in:.0f}, and one in {needed:.0f} would be needed",
        runs=counts.sum(),
        values=len(counts),
        factor=factor.name,
        once_in=once_in,
        needed=1 / (ALPHA * SHARES[question]),
    )


def effects(cost: Floats, factors: Sequence[Factor], question: str) -> list[Effect]:
    """The factors that a quantity goes with for sure, the strongest first.

    Args:
        cost: (n,) lower is better; infinite for the worst, no NaN.
        factors: Of the same runs.
        question: A key of `SHARES`: how much of `ALPHA` may be spent.
    """
    alpha, total = ALPHA * SHARES[question], ranks(cost)
    total -= total.mean()
    shapes = [(factor, columns) for factor in factors for columns in _shapes(factor)]
    found: list[Found] = []
    base = np.zeros((len(total), 0))
    while float(total @ total) > 0:
        known = {each.factor.name for each in found}
        rest = [(factor, columns) for factor, columns in shapes if factor.name not in known]
        bases = [_beyond(base, columns) for _, columns in rest]
        place, p = _strongest(total - base @ (base.T @ total), base, bases, alpha) if rest else (None, 1.0)
        if place is None:
            break
        found.append(Found(*rest[place], p))
        base = np.hstack([base, bases[place]])
    return [_effect(total, shapes, found, rank) for rank in range(len(found))]


def widest_by_chance(count: int, freedom: float, alpha: float) -> float:
    """Standard deviations that no two of `count` equal runs differ by, but with chance `alpha` (Bonferroni)."""
    from scipy.stats import t  # noqa: PLC0415 - slow to import

    pairs = max(count * (count - 1) / 2, 1)
    return float(t.isf(alpha / pairs / 2, max(freedom, 1.0)) * math.sqrt(2.0))


def _shapes(factor: Factor) -> list[Floats]:
    """The shapes that an effect may have, each as (n, q) columns; none where it cannot be told.

    Of a number a straight line in its rank, and as its values allow a parabola (a best value in the middle) and a
    cubic (a cliff beside it); of a category any. Runs that did not log it are a category of their own. The best of
    the shapes counts, in the runs as they are and in all permutations, so that having several costs no certainty.
    """
    missing = factor.codes == MISSING
    absent = [missing] if LEAST_IN_LEVEL <= missing.sum() <= len(missing) - LEAST_IN_LEVEL else []
    if factor.numbers is None:
        common = [factor.codes == level for level, runs in enumerate(factor.counts) if runs >= LEAST_IN_LEVEL]
        tables = [[*common, *absent]] if common else []
    else:
        there = ranks(factor.values[~missing])
        scaled = np.zeros(len(missing))
        scaled[~missing] = (there - there.mean()) / (there.std() or 1.0)
        degrees = range(1, min(int((factor.counts > 0).sum()) - 1, MOST_CURVED) + 1)
        tables = [[*(np.where(missing, 0.0, scaled**power) for power in range(1, top + 1)), *absent] for top in degrees]
    columns = [np.stack(table, axis=1).astype(np.float64) for table in tables]
    return [basis for table in columns if (basis := _orthonormal(table - table.mean(axis=0))).shape[1]]


def _orthonormal(table: Floats) -> Floats:
    """An orthonormal basis of the columns of a table, (n, rank)."""
    left, sizes, _ = np.linalg.svd(table, full_matrices=False)
    return np.asarray(left[:, sizes > NEGLIGIBLE * max(len(table), 1)], np.float64)


def _beyond(base: Floats, columns: Floats) -> Floats:
    """An orthonormal basis of what columns hold beyond a base."""
    return _orthonormal(columns - base @ (base.T @ columns))


def _strongest(left: Floats, base: Floats, bases: Sequence[Floats], alpha: float) -> tuple[int | None, float]:
    """The factor that goes most with what is left of a quantity, and the chance of that; None where chance may do it.

    Factors of different size are compared by the chance that normal theory gives each.
    """
    chances = _chances(left[None, :], base, bases)[0]
    place = int(chances.argmin())
    if not np.isfinite(chances[place]) or chances[place] >= 1.0:
        return None, 1.0
    if len(left) >= NORMAL_FROM:
        p = min(float(chances[place]) * len(bases), 1.0)
        return (place if p <= alpha else None), p
    random, as_strong, drawn = np.random.default_rng(0), 0, 0
    for many in (FIRST_LOOK, PERMUTATIONS - FIRST_LOOK):
        permuted = random.permuted(np.broadcast_to(left, (many, len(left))), axis=1)
        strongest = _chances(permuted, base, bases).min(axis=1)
        as_strong += int((strongest <= chances[place] * (1 + 1e-6)).sum())
        drawn += many
        if as_strong > alpha * PERMUTATIONS:
            break
    p = (1 + as_strong) / (1 + drawn)
    return (place if p <= alpha else None), p


def _chances(left: Floats, base: Floats, bases: Sequence[Floats]) -> Floats:
    """(m, factors) the chance by normal theory of what each factor tells of each of m quantities, left (m, n)."""
    from scipy.special import betainc  # noqa: PLC0415 - slow to import

    left = left - (left @ base) @ base.T
    total = np.maximum(np.einsum("ij,ij->i", left, left), np.finfo(np.float64).tiny)
    chances = np.ones((len(left), len(bases)))
    for place, basis in enumerate(bases):
        freedom = left.shape[1] - 1 - base.shape[1] - basis.shape[1]
        if basis.shape[1] and freedom >= 1:
            told = np.minimum(((left @ basis) ** 2).sum(axis=1) / total, 1.0)
            # The tail, computed where it is small, so that the clearest of effects still differ.
            chances[:, place] = betainc(freedom / 2, basis.shape[1] / 2, np.maximum(1.0 - told, 0.0))
    return chances


def _effect(total: Floats, shapes: Sequence[tuple[Factor, Floats]], found: Sequence[Found], rank: int) -> Effect:
    factor, columns, p = found[rank].factor, found[rank].columns, found[rank].p
    nothing = np.zeros((len(total), 0))
    first = np.hstack([nothing, *(each.columns for each in found[:rank])])
    others = np.hstack([nothing, *(each.columns for each in found if each is not found[rank])])
    there = factor.codes != MISSING
    values = np.full(len(total), np.nan)
    values[there] = ranks(factor.values[there])
    random = np.random.default_rng(0)
    draws = [random.integers(0, len(total), min(len(total), MANY)) for _ in range(RESAMPLES)]
    resampled = np.array([_share(total[draw], first[draw], columns[draw]) for draw in draws])
    slopes = np.array([_slope(total[draw], values[draw], others[draw]) for draw in draws])
    if factor.numbers is None or not np.isfinite(slopes).any():
        slope = slope_low = slope_high = float("nan")
        sure_sign = float((resampled > 0).mean())
    else:
        slope = _slope(total, values, others)
        slope_low, slope_high = (float(each) for each in np.nanpercentile(slopes, INTERVAL))
        sure_sign = float((np.sign(slopes) == np.sign(slope)).mean())
    low, high = (float(each) for each in np.percentile(resampled, INTERVAL))
    tangled = dict.fromkeys(
        other.name
        for other, theirs in shapes
        if other is not factor and float(((theirs.T @ columns) ** 2).sum()) >= TANGLED * columns.shape[1]
    )
    share = _share(total, first, columns)
    return Effect(
        factor, share, low, high, p, slope, slope_low, slope_high, (*factor.others, *tangled), sure_sign, resampled
    )


def _share(total: Floats, first: Floats, columns: Floats) -> float:
    """How much more of a quantity is told by some columns beside those before them, corrected for their number."""
    return max(_told(total, np.hstack([first, columns])) - _told(total, first), 0.0)


def _told(total: Floats, columns: Floats) -> float:
    """The adjusted R squared of a quantity on columns."""
    centred = total - total.mean()
    spread = float(centred @ centred)
    if not columns.shape[1] or spread <= 0:
        return 0.0
    basis = _orthonormal(columns - columns.mean(axis=0))
    freedom = len(total) - 1 - basis.shape[1]
    if freedom < 1:
        return 0.0
    told = float(((basis.T @ centred) ** 2).sum()) / spread
    return float(max(1.0 - (1.0 - min(told, 1.0)) * (len(total) - 1) / freedom, 0.0))


def _slope(total: Floats, values: Floats, others: Floats) -> float:
    """The correlation of ranks and the ranks of a quantity, of both what is beyond the other columns."""
    there = np.isfinite(values)
    if there.sum() < LEAST_ORDERED:
        return float("nan")
    basis = _orthonormal(others[there] - others[there].mean(axis=0))
    sides: list[Floats] = []
    for side in (values[there], total[there]):
        centred = side - side.mean()
        rest = centred - basis @ (basis.T @ centred)
        size = float(np.sqrt(rest @ rest))
        if size <= NEGLIGIBLE * (1.0 + float(np.sqrt(centred @ centred))):
            return 0.0
        sides.append(rest / size)
    return float(sides[0] @ sides[1])


def median_by_level(values: Floats, codes: Ints, levels: int) -> Floats:
    """(levels,) the median of the runs at each level; NaN for a level without a run."""
    return np.array(
        [np.median(values[codes == level]) if (codes == level).any() else np.nan for level in range(levels)]
    )
