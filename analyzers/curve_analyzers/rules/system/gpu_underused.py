"""The rule `gpu_underused`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from curve_analyzers.analyzer import Analyzer, Need, threshold
from curve_analyzers.examples import Example, decay, flat, run, sawtooth, step
from curve_analyzers.findings import Finding, Severity, Span
from curve_analyzers.model import Curve, RunCurves
from curve_analyzers.saying import say
from curve_analyzers.signal import certainty
from curve_analyzers.wording import percent

WHOLE = 1.0  # what a utilization never exceeds that was logged as a share; a percentage does


def _two(first: float, second: float) -> dict[str, Any]:
    """Two GPUs, each at a level of its own."""
    return {"0_gpu_utilization": flat(first, 2), "1_gpu_utilization": flat(second, 2)}


@dataclass(frozen=True, kw_only=True)
class GpuUnderused(Analyzer):
    """The GPU waits most of the time.

    ## Why it matters
    A GPU at 20 % does in five hours what it could do in one. Most often it waits for data: decoding and augmentation on
    too few processor cores, small files on slow storage, copies that block.

    ## What to try
    Profile a hundred steps. Then more data-loading workers, pinned memory and prefetching, larger batches, mixed
    precision, fewer synchronisations (`.item()`, logging each step). Or a smaller, cheaper GPU.

    ## When it is wrong
    When the model is so small that no GPU could be filled, when other work is the point (an environment that is
    simulated on the processor), or when the utilization was sampled while the run was evaluating or saving.

    ## Source
    NVIDIA, "Deep Learning Performance Documentation": utilization is the share of time in which any kernel ran.
    """

    needs = (
        Need(
            say("no GPU utilization was logged"),
            lambda run: [run[role] for role in run.roles if role.quantity == "gpu_utilization"],
        ),
    )
    vouches = False

    low: float = threshold(0.35, "mean utilization, as a share of the time, below which it waits too much", gt=0, lt=1)
    warm_up: float = threshold(0.1, "share of the run at its start that does not count", ge=0, lt=1)

    fires = (
        Example("20 % throughout", run(train_loss=decay(), gpu_utilization=flat(20, 3))),
        Example(
            "up and down while it waits for data", run(train_loss=decay(), gpu_utilization=sawtooth(flat(25, 2), 25))
        ),
        Example("logged as a share", run(train_loss=decay(), gpu_utilization=flat(0.2, 0.03))),
        Example(
            "two of them, 12 points",
            run(12, **_two(15, 25)),
        ),
    )
    quiet = (
        Example("well used", run(train_loss=decay(), gpu_utilization=flat(85, 5))),
        Example("half used", run(train_loss=decay(), gpu_utilization=flat(55, 10))),
        Example("idle in the warm-up only", run(train_loss=decay(), gpu_utilization=step(3, 80, 0.08, 2))),
        Example("pauses for evaluation", run(train_loss=decay(), gpu_utilization=sawtooth(flat(60, 2), 38))),
        Example(
            "one of two well used",
            run(**_two(90, 25)),
        ),
    )

    def check(self, run: RunCurves) -> Iterator[Finding]:
        """Judge the mean over the run and over all GPUs: what one of several did alone is how the run was set up."""
        curves = [run[role] for role in run.roles if role.quantity == "gpu_utilization"]
        used = {curve.name: self._mean(curve) for curve in curves if len(curve) >= self.least}
        mean = float(np.mean(list(used.values())))
        if mean < self.low:
            yield self._finding([curve for curve in curves if curve.name in used], used, mean)

    def _mean(self, curve: Curve) -> float:
        """The mean utilization after the warm-up, as a share of the time."""
        values = curve.values[int(self.warm_up * len(curve)) :]
        return float(np.clip(values / (1.0 if curve.values.max() <= WHOLE else 100.0), 0.0, 1.0).mean())

    def _finding(self, curves: list[Curve], used: dict[str, float], mean: float) -> Finding:
        first, last = min(int(curve.steps[0]) for curve in curves), max(int(curve.steps[-1]) for curve in curves)
        of = say(" over {devices} GPUs", devices=len(used)) if len(used) > 1 else ""
        return self.finding(
            Severity.WARNING,
            min(certainty(self.low, mean), 0.9),
            Span(tuple(used), first, last),
            say("{mean} used on average", mean=percent(mean)),
            say(
                "{gpu} was {mean} on average{of} after the warm-up: the GPU waited {idle} of the time.",
                gpu=next(iter(used)),
                mean=percent(mean),
                of=of,
                idle=percent(1 - mean),
            ),
            {"mean": mean, "gpus": len(used), "lowest": min(used.values()), "highest": max(used.values())},
            (
                say("Profile a hundred steps, and see whether they wait for data."),
                say("Then load it with more workers, pinned memory and prefetching, or prepare it beforehand."),
                say("Use larger batches (and scale the learning rate with them), or mixed precision."),
                say("Synchronise less: no `.item()`, print or logging of each step."),
                say("If the model is small, a smaller GPU or the processor does as well and costs less."),
            ),
        )
