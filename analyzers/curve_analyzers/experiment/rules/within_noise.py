"""The rule `within_noise`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from curve_analyzers.experiment.analyzer import CannotTell, ExperimentAnalyzer, threshold
from curve_analyzers.experiment.comparison import Experiment, SeedNoise
from curve_analyzers.experiment.examples import SweepExample, outcome, sweep
from curve_analyzers.experiment.findings import ExperimentFinding
from curve_analyzers.findings import Severity
from curve_analyzers.model import Floats, Ints
from curve_analyzers.saying import enumerated, say
from curve_analyzers.wording import count

REPEATS = 5  # seeds that most can afford


@dataclass(frozen=True, kw_only=True)
class WithinNoise(ExperimentAnalyzer):
    """The best runs differ by less than their seeds or their own noise do.

    ## Why it matters
    The best of many equal runs is the luckiest. It will not be the best again, and whatever is learned from its params
    is learned from chance.

    ## What to try
    Of the runs that are level, take the simplest or the cheapest. To tell them apart, repeat each with other seeds:
    the spread of an average falls with the root of their number.

    ## When it is wrong
    Without repeats, noise is known only from the curves themselves, and seeds differ by more than that: then more
    runs are level than the finding says.

    ## Source
    Bouthillier et al., "Accounting for Variance in Machine Learning Benchmarks" (2021).
    """

    least = 4
    apart: float = threshold(2.0, "standard errors of a difference, from which two settings differ", gt=0)

    fires = (
        SweepExample("seeds only", sweep(lambda _: outcome(val_loss=0.3), lr=(0.1,), seeds=8)),
        SweepExample(
            "two settings are level at the top",
            sweep(lambda p: outcome(val_loss=0.3 + 0.2 * (p["lr"] == 1)), lr=(1e-3, 1e-2, 1), seeds=5, noise=0.02),
        ),
        SweepExample(
            "no repeats: by the curves' own noise",
            sweep(lambda p: outcome(val_loss=0.3 + 1e-4 * p["width"]), width=range(6), seeds=1, noise=0, error=0.02),
        ),
    )
    quiet = (
        SweepExample(
            "one setting is clearly the best",
            sweep(lambda p: outcome(val_loss=0.3 + p["dropout"]), dropout=(0.0, 0.2, 0.4), seeds=5),
        ),
        SweepExample("3 runs", sweep(lambda _: outcome(val_loss=0.3), lr=(1, 2, 3), seeds=1)),
    )

    def check(self, experiment: Experiment) -> Iterator[ExperimentFinding]:
        """Find the settings that cannot be told from the best one."""
        means, sizes, members = _settings(experiment)
        # Settings that train badly scatter more: how far apart good runs lie is learned from the better half.
        better = [members[place] for place in np.argsort(means, kind="stable")[: (len(means) + 1) // 2]]
        noise = experiment.seed_noise(experiment.cost, better)
        if not noise.measured:
            noise = experiment.seed_noise(experiment.cost)
        if not noise.sd > 0:
            raise CannotTell(say("neither repeats nor the curves' own noise say how far apart equal runs lie"))
        best = int(np.lexsort((-sizes, means))[0])
        error = noise.sd * np.sqrt(1 / sizes[best] + 1 / sizes)
        level = np.flatnonzero(means - means[best] <= self.apart * error)
        if len(level) > 1 or len(means) == 1:
            yield self._finding(experiment, noise, [members[place] for place in level], len(means))

    def _finding(self, experiment: Experiment, noise: SeedNoise, level: list[Ints], settings: int) -> ExperimentFinding:
        runs = np.concatenate(level)
        ordered = runs[np.argsort(experiment.cost[runs], kind="stable")]
        costs = experiment.cost[ordered]
        first, last = (experiment.shown(float(cost)) for cost in (costs[0], costs[-1]))
        visible = self.apart * noise.sd * (2 / REPEATS) ** 0.5
        source = say("their seeds") if noise.measured else say("their own curves")
        seeds = enumerated(list(experiment.params.seeds)) or say("nothing that was logged")
        words = (
            say("All {runs} differ only in {seeds}", runs=count(len(ordered), "run"), seeds=seeds)
            if settings == 1
            else say(
                "The best {level} of {settings} are level",
                level=len(level),
                settings=count(settings, "setting"),
            )
        )
        return self.finding(
            Severity.INFO,
            0.9 if noise.measured else 0.6,
            experiment.ids(ordered.tolist()),
            experiment.params.seeds if settings == 1 else [p for factor in experiment.factors for p in factor.params],
            say("{level} settings are level", level=len(level)) if settings > 1 else say("only seeds differ"),
            say(
                "{words}: {judged} goes from {first:.4g} to {last:.4g}, and {source} alone make a spread "
                "of {sd:.2g} (standard deviation). The first of them is not better than the last for "
                "sure.",
                words=words,
                judged=experiment.judged,
                first=first,
                last=last,
                source=source,
                sd=noise.sd,
            ),
            {
                "spread": noise.sd,
                "from_repeats": noise.measured,
                "level_settings": len(level),
                "settings": settings,
                "best": first,
                "worst_of_level": last,
                "visible_with_repeats": visible,
                "runs": len(experiment),
            },
            (
                say("Take the simplest or the cheapest of them."),
                say(
                    "To tell them apart, repeat each with {repeats} seeds: {visible:.2g} of difference would show.",
                    repeats=REPEATS,
                    visible=visible,
                ),
            ),
        )


def _settings(experiment: Experiment) -> tuple[Floats, Floats, list[Ints]]:
    """Of each configuration that trained, the mean cost, the number of runs, and the runs."""
    usable = np.flatnonzero(np.isfinite(experiment.cost) & ~experiment.failed)
    if not len(usable):
        raise CannotTell(say("no run trained"))
    codes = experiment.params.configuration[usable]
    members = _grouped(usable, codes)
    means = np.array([float(experiment.cost[runs].mean()) for runs in members])
    return means, np.array([len(runs) for runs in members], np.float64), members


def _grouped(usable: Ints, codes: Ints) -> list[Ints]:
    order = np.argsort(codes, kind="stable")
    return np.split(usable[order], np.flatnonzero(np.diff(codes[order])) + 1)
