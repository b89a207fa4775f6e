"""The rule `best_run`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from curve_analyzers.experiment.analyzer import ExperimentAnalyzer
from curve_analyzers.experiment.comparison import Experiment
from curve_analyzers.experiment.examples import SweepExample, outcome, sweep
from curve_analyzers.experiment.findings import ExperimentFinding
from curve_analyzers.findings import Severity
from curve_analyzers.saying import enumerated, say
from curve_analyzers.wording import count

PODIUM = 3


@dataclass(frozen=True, kw_only=True)
class BestRun(ExperimentAnalyzer):
    """Where every run stands: its loss means something only here.

    ## Why it matters
    A loss has no value that is good in itself. Beside the other runs on the same data it has: a rank.

    ## What to try
    See what the best have in common, and whether they are better than the next beyond noise (`within_noise`).

    ## When it is wrong
    When the runs were not judged on the same data, or when their losses are not the same loss: the ranks then compare
    what cannot be compared.

    ## Source
    The best level of each run, as its own rules measure it.
    """

    least = 2

    fires = (
        SweepExample("12 runs", sweep(lambda p: outcome(val_loss=0.3 + p["lr"]), lr=(0.01, 0.03, 0.1, 0.3))),
        SweepExample("2 runs", sweep(lambda p: outcome(val_accuracy=0.9 - p["lr"]), lr=(0.1, 0.2), seeds=1)),
    )
    quiet = (
        SweepExample("one run", sweep(lambda _: outcome(val_loss=0.3), lr=(0.1,), seeds=1)),
        SweepExample("no loss and no score", sweep(lambda _: outcome(), lr=(0.1, 0.2))),
    )

    def check(self, experiment: Experiment) -> Iterator[ExperimentFinding]:
        """Name the best runs."""
        there = [place for place in experiment.order.tolist() if np.isfinite(experiment.cost[place])]
        if not there:
            return
        best = experiment.runs[there[0]]
        value, median = (
            experiment.shown(float(c)) for c in (experiment.cost[there[0]], np.median(experiment.cost[there]))
        )
        params = {
            factor.param: best.params[factor.param] for factor in experiment.factors if factor.param in best.params
        }
        told = enumerated([f"{name} {text}" for name, text in list(params.items())[:PODIUM]])
        yield self.finding(
            Severity.INFO,
            0.95,
            experiment.ids(there[:PODIUM]),
            tuple(params),
            say("{value:.4g}, the best of {runs}", value=value, runs=len(experiment)),
            say(
                "{best} is the best of {runs}: {judged} {value:.4g}, where the median run has {median:.4g}{told}.",
                best=best.name or best.run_id,
                runs=count(len(experiment), "run"),
                judged=experiment.judged,
                value=value,
                median=median,
                told=say(" ({told})", told=told) if told else "",
            ),
            {"best": value, "median": median, "runs": len(experiment), "without_value": len(experiment) - len(there)},
            (say("See whether it is better than the next beyond noise before its params are taken as the answer."),),
        )
