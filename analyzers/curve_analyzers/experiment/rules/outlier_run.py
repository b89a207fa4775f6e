"""The rule `outlier_run`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from curve_analyzers.experiment.analyzer import ExperimentAnalyzer, threshold
from curve_analyzers.experiment.comparison import Experiment
from curve_analyzers.experiment.examples import SweepExample, outcome, sweep
from curve_analyzers.experiment.findings import ExperimentFinding
from curve_analyzers.experiment.statistics import ALPHA, SHARES
from curve_analyzers.findings import Severity
from curve_analyzers.model import Ints
from curve_analyzers.saying import say, titled
from curve_analyzers.wording import count

MOST_FINDINGS = 20


@dataclass(frozen=True, kw_only=True)
class OutlierRun(ExperimentAnalyzer):
    """One run behaves unlike its siblings with the same params.

    ## Why it matters
    Runs that differ only in their seed should end alike. One that does not had something else happen to it: a bad
    start, a broken node, other data, a param that was not logged. It spoils every average it is part of.

    ## What to try
    Look at what was not logged: the code's version, the data's, the machine. Run it again with the same seed: if it
    ends the same, the setting is unstable and the average of a few lucky runs says too much.

    ## When it is wrong
    When the params that differ were not logged: then it is no sibling. Where a setting is at the edge of stability,
    failing now and then is its nature.

    ## Source
    The externally studentized deviation of Beckman and Cook, "Outlier...s" (Technometrics 25, 1983), at a
    family-wise rate; and a gap, as in Dixon's test.
    """

    siblings: float = threshold(4, "siblings a run must have", ge=3)
    gap: float = threshold(1.0, "distance to the nearest sibling, in ranges of all the siblings", gt=0)
    rare: float = threshold(0.05, "share of all runs up to which failing is an exception", ge=0, lt=1)

    fires = (
        SweepExample(
            "one of ten ended elsewhere",
            sweep(lambda p: outcome(val_loss=0.3 if p["seed"] != 6 else 0.9), lr=(0.1,), seeds=10),  # noqa: PLR2004
        ),
        SweepExample(
            "one of five diverged",
            sweep(
                lambda p: outcome("divergence" if (p["seed"], p["lr"]) == (2, 0.1) else "healthy", val_loss=0.3),
                lr=(0.1, 0.05, 0.01, 0.005),
                seeds=5,
            ),
        ),
    )
    quiet = (
        SweepExample("all end alike", sweep(lambda _: outcome(val_loss=0.3), lr=(0.1, 0.01), seeds=10)),
        SweepExample(
            "another learning rate: no sibling",
            sweep(lambda p: outcome(val_loss=0.3 if p["lr"] < 1 else 0.9), lr=(0.01, 0.02, 0.05, 0.1, 0.2, 1), seeds=1),
        ),
        SweepExample(
            "a setting that fails half the time",
            sweep(lambda p: outcome("divergence" if p["seed"] % 2 else "healthy", val_loss=0.3), lr=(1,), seeds=10),
        ),
    )

    def missing(self, experiment: Experiment) -> str | None:
        """Runs with enough siblings."""
        if any(len(group) > self.siblings for group in experiment.groups):
            return None
        return say(
            "no params were run {siblings:g} times with nothing but the seed changed", siblings=self.siblings + 1
        )

    def check(self, experiment: Experiment) -> Iterator[ExperimentFinding]:
        """Judge each run beside its siblings; where many stand out, the clearest are named."""
        groups = [group for group in experiment.groups if len(group) > self.siblings]
        tested = sum(map(len, groups))
        found = [each for group in groups for each in self._of_group(experiment, group, tested)]
        found.sort(key=lambda finding: -finding.confidence)
        yield from found[:MOST_FINDINGS]

    def _of_group(self, experiment: Experiment, group: Ints, tested: int) -> Iterator[ExperimentFinding]:
        failed = group[experiment.failed[group] | ~np.isfinite(experiment.cost[group])]
        if len(failed) == 1 and experiment.failed.mean() <= max(self.rare, 1 / len(experiment)):
            yield self._finding(experiment, int(failed[0]), group, 0.9, experiment.runs[int(failed[0])].verdict)
        trained = np.setdiff1d(group, failed)
        if len(trained) <= self.siblings:
            return
        from scipy.stats import t  # noqa: PLC0415 - slow to import

        costs = experiment.cost[trained]
        for place, cost in zip(trained, costs, strict=True):
            others = costs[trained != place]
            spread, count_ = float(others.std(ddof=1)), len(others)
            distance = abs(cost - others.mean())
            limit = float(t.isf(ALPHA * SHARES["outlier"] / tested / 2, count_ - 1)) * (1 + 1 / count_) ** 0.5
            alone = float(np.abs(others - cost).min()) > self.gap * float(np.ptp(others))
            if spread > 0 and distance > limit * spread and alone:
                way = "better" if cost < others.mean() else "worse"
                sure = min(0.5 + 0.5 * (1 - limit * spread / distance), 0.97)
                yield self._finding(experiment, int(place), group, max(sure, 0.9), way)

    def _finding(
        self, experiment: Experiment, place: int, group: Ints, confidence: float, how: str
    ) -> ExperimentFinding:
        run, others = experiment.runs[place], group[group != place]
        usual = experiment.shown(float(np.median(experiment.cost[others])))
        own = experiment.shown(float(experiment.cost[place]))
        told = (
            say("ended {how} than they", how=say("better") if how == "better" else say("worse"))
            if how in {"better", "worse"}
            else say("shows {rule}", rule=titled(how))
        )
        return self.finding(
            Severity.WARNING,
            confidence,
            experiment.ids([place, *others.tolist()]),
            experiment.params.seeds,
            say("{how} than its siblings", how=say("better") if how == "better" else say("worse"))
            if how in {"better", "worse"}
            else titled(how),
            say(
                "{run} is unlike {runs} with the same params: it {told} ({judged} {own:.4g}; theirs have "
                "a median of {usual:.4g}).",
                run=run.name or run.run_id,
                runs=count(len(others), "run"),
                told=told,
                judged=experiment.judged,
                own=own,
                usual=usual,
            ),
            {"value": own, "siblings_median": usual, "siblings": len(others), "how": how, "runs": len(experiment)},
            (
                say("Look at what was not logged: version of code and data, machine, library versions."),
                say("Run it again with the same seed; if it ends the same, the setting is unstable."),
                say("Leave it out of averages, and say so."),
            ),
        )
