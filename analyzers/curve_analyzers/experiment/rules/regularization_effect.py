"""The rule `regularization_effect`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from curve_analyzers.experiment.analyzer import ExperimentAnalyzer, threshold
from curve_analyzers.experiment.comparison import Experiment
from curve_analyzers.experiment.examples import SweepExample, outcome, sweep
from curve_analyzers.experiment.factors import REGULARIZATION
from curve_analyzers.experiment.findings import ExperimentFinding, moved_with
from curve_analyzers.experiment.statistics import Effect, enough, median_by_level
from curve_analyzers.findings import Severity
from curve_analyzers.hyperparameters import Meaning
from curve_analyzers.saying import enumerated, say, within


@dataclass(frozen=True, kw_only=True)
class RegularizationEffect(ExperimentAnalyzer):
    """What dropout and weight decay did to the gap and to the level.

    ## Why it matters
    Regularization is worth what it does to held-out data, and no more. One that narrows the gap by making training
    worse, and leaves the held-out level where it was, has bought nothing.

    ## What to try
    Keep the value at which the held-out level was best. Where that is the smallest that was tried, go lower or without;
    where it is the largest, go on.

    ## When it is wrong
    A training loss that is measured with dropout on, or with the penalty in it, is higher for that alone, and the gap
    looks narrower than it is. When another param was changed together with it the finding says so.

    ## Source
    Srivastava et al., "Dropout" (JMLR 15, 2014); the test is in `statistics.py`.
    """

    tangled: float = threshold(0.5, "most confidence where another param moved with it", ge=0, le=1)

    fires = (
        SweepExample(
            "too much dropout costs level",
            sweep(
                lambda p: outcome(val_loss=0.3 + p["dropout"] ** 2, train_loss=0.1 + 1.4 * p["dropout"] ** 2),
                dropout=(0.0, 0.2, 0.5, 0.8),
                seeds=4,
            ),
        ),
        SweepExample(
            "weight decay closes the gap and helps",
            sweep(
                lambda p: outcome(val_loss=0.5 - 8 * p["wd"], train_loss=0.1 + 4 * p["wd"]),
                wd=(0.0, 0.001, 0.003, 0.01),
                lr=(0.01, 0.02),
            ),
        ),
    )
    quiet = (
        SweepExample(
            "dropout does nothing",
            sweep(lambda _: outcome(val_loss=0.3, train_loss=0.2), dropout=(0.0, 0.2, 0.5), seeds=5),
        ),
        SweepExample("no regularization was varied", sweep(lambda p: outcome(val_loss=p["lr"]), lr=(1, 2, 3, 4))),
    )

    def missing(self, experiment: Experiment) -> str | None:
        """Dropout or a penalty that was varied, in enough runs."""
        factors = [factor for each in REGULARIZATION if (factor := experiment.factor([each]))]
        if not factors:
            return say("neither dropout nor weight decay was varied")
        reasons = [enough(factor, "level") for factor in factors]
        return reasons[0] if all(reasons) else None

    def check(self, experiment: Experiment) -> Iterator[ExperimentFinding]:
        """Judge each kind of regularization by itself."""
        for meaning in REGULARIZATION:
            level, gap = (experiment.effect(question, [meaning]) for question in ("level", "gap"))
            if level or gap:
                yield self._finding(experiment, meaning, level, gap)

    def _finding(
        self, experiment: Experiment, meaning: Meaning, level: Effect | None, gap: Effect | None
    ) -> ExperimentFinding:
        factor = experiment.factor([meaning])
        effect = level or gap
        if factor is None or effect is None:
            raise AssertionError("an effect has a factor")
        costs = median_by_level(experiment.cost, factor.codes, len(factor.levels))
        gaps = median_by_level(experiment.gap, factor.codes, len(factor.levels))
        best = int(np.nanargmin(costs))
        told = []
        if gap:
            way = say("narrowed") if gap.better else say("widened") if gap.worse else say("changed")
            told.append(
                say(
                    "more of it {way} the gap ({first:.3g} at {least}, {last:.3g} at {most})",
                    way=way,
                    first=gaps[0],
                    least=factor.levels[0],
                    last=gaps[-1],
                    most=factor.levels[-1],
                )
            )
        if level:
            did = (
                say("made the level worse")
                if level.worse
                else say("improved the level")
                if level.better
                else say("moved the level")
            )
            told.append(say("and {did}", did=did) if gap else say("more of it {did}", did=did))
        else:
            told.append(say("and brought nothing on held-out data that shows beyond noise"))
        shown = experiment.shown(float(costs[best]))
        others, caution = effect.tangled, moved_with(effect.tangled)
        at_edge = {
            0: say(" It is the least that was tried: go lower."),
            len(costs) - 1: say(" It is the most that was tried: go on."),
        }
        brief = (
            say("best at {level}", level=factor.levels[best])
            if level
            else say("gap narrower")
            if gap and gap.better
            else say("gap changed")
        )
        sure = max(each.certainty for each in (level, gap) if each)
        return self.finding(
            Severity.INFO,
            min(sure, self.tangled) if others else sure,
            experiment.ids(np.flatnonzero(factor.codes == best)),
            factor.params,
            within(say("{factor}: {brief}", factor=factor.name, brief=brief), 40),
            say(
                "{factor} was varied from {least} to {most}: {told}; {judged} was best at "
                "{best} ({shown:.4g}).{caution}",
                factor=factor.name,
                least=factor.levels[0],
                most=factor.levels[-1],
                told=enumerated(told),
                judged=experiment.judged,
                best=factor.levels[best],
                shown=shown,
                caution=caution,
            ),
            {
                "best_at": factor.levels[best],
                "best": shown,
                "level_slope": level.slope if level else None,
                "gap_slope": gap.slope if gap else None,
                "level_share": level.share if level else None,
                "gap_share": gap.share if gap else None,
                "gap_at_least": float(gaps[0]),
                "gap_at_most": float(gaps[-1]),
                "p": effect.p,
                "runs": len(experiment),
            },
            (
                say(
                    "Keep {factor} at {level}.{edge}",
                    factor=factor.name,
                    level=factor.levels[best],
                    edge=at_edge.get(best, ""),
                ),
                say("Compare it once more at the best learning rate: how much is needed depends on it."),
            ),
        )
