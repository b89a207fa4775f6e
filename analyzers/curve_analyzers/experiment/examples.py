"""Deterministic sets of runs: the tests of a rule over many runs and the numbers of its documentation.

A set is a grid of params and, for each point of it, what such a run reached; seeds add noise. It can be had in another
unit of loss or in another order, which is what `testing` does with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy as np

from curve_analyzers.experiment.summary import RunSummary, Score

__all__ = ["Outcome", "Sweep", "SweepExample", "outcome", "sweep"]

HIGHER = ("accuracy", "recall", "f1", "precision", "auc", "revenue")
SEVERE = ("divergence", "non_finite", "no_learning")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run reached: its levels by curve name, its verdict, how long it took."""

    levels: Mapping[str, float]
    verdict: str = "healthy"
    seconds: float = 60.0


def outcome(verdict: str = "healthy", seconds: float = 60.0, **levels: float) -> Outcome:
    """What a run reached, its levels by curve name: `outcome(val_loss=0.3, train_loss=0.1)`."""
    return Outcome(levels, verdict, seconds)


@dataclass(frozen=True, slots=True)
class Sweep:
    """A set of runs.

    Attributes:
        grid: The values of each param; every combination is run.
        of: From the params of a run to what it reaches.
        seeds: How often each combination is run.
        noise: Standard deviation between seeds, as a share of a level.
        error: Standard error of a level from a run's own curve, likewise.
    """

    grid: Mapping[str, Sequence[float | str]]
    of: Callable[[Mapping[str, float]], Outcome]
    seeds: int = 3
    noise: float = 0.01
    error: float = 0.002
    named: Mapping[str, str] = field(default_factory=dict)

    def build(self, *, scale: float = 1.0, order: int | None = None) -> list[RunSummary]:
        """The runs, their losses times `scale`, shuffled by the seed `order`."""
        random = np.random.default_rng(0)
        runs = []
        for place, (*values, seed) in enumerate(product(*self.grid.values(), range(self.seeds))):
            params: dict[str, float | str] = {**dict(zip(self.grid, values, strict=True)), "seed": seed}
            runs.append(self._run(f"run-{place:03}", params, random, scale))
        if order is not None:
            runs = [runs[place] for place in np.random.default_rng(order).permutation(len(runs))]
        return runs

    def _run(
        self, run_id: str, params: Mapping[str, float | str], random: np.random.Generator, scale: float
    ) -> RunSummary:
        reached = self.of(params)  # type: ignore[arg-type] # a function of numbers is given numbers
        scores = {}
        for name, level in reached.levels.items():
            higher = any(word in name for word in HIGHER)
            unit = 1.0 if higher else scale
            noisy = level * (1 + self.noise * float(random.standard_normal()))
            scores[name] = Score(name, name, higher, unit * noisy, unit * noisy, unit * self.error * abs(level))
        names = [name for name in ("val_loss", "val_accuracy", "train_loss") if name in scores]
        judged = names[0] if names else ""
        training = judged.replace("val_", "train_")
        status = "critical" if reached.verdict in SEVERE else "healthy" if reached.verdict == "healthy" else "warning"
        return RunSummary(
            run_id=run_id,
            name=run_id,
            verdict=reached.verdict,
            status=status,
            shows=() if status == "healthy" else (reached.verdict,),
            params={self.named.get(name, name): f"{value}" for name, value in params.items()},
            judged=judged,
            training=training if training in scores and training != judged else "",
            scores=scores,
            seconds=reached.seconds,
            points=60,
        )


@dataclass(frozen=True, slots=True)
class SweepExample:
    """What a set of runs shows, in a phrase; the runs; the user's own metric."""

    title: str
    sweep: Sweep
    kpi: str | None = None


def sweep(
    of: Callable[[Mapping[str, float]], Outcome],
    *,
    seeds: int = 3,
    noise: float = 0.01,
    error: float = 0.002,
    **grid: Sequence[float | str],
) -> Sweep:
    """A set of runs from what each combination of params reaches.

    Args:
        of: From the params to the outcome.
        seeds: How often each combination is run.
        noise: Standard deviation between seeds, as a share of a level.
        error: Standard error of a level from a run's own curve, likewise.
        **grid: `lr=(0.1, 0.01)`, ...
    """
    return Sweep(grid, of, seeds, noise, error)
