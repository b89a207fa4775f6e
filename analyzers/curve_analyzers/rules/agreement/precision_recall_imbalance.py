"""The rule `precision_recall_imbalance`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from curve_analyzers.analyzer import Analyzer, Need, threshold
from curve_analyzers.examples import Example, decay, flat, run, step
from curve_analyzers.findings import Finding, Severity, Span
from curve_analyzers.held_out_size import FULL, counted_examples, held_out_examples
from curve_analyzers.model import Curve, Role, RunCurves, Split
from curve_analyzers.saying import say
from curve_analyzers.signal import certainty, spread


def pairs(run: RunCurves) -> list[tuple[Role, Role]]:
    """Precision and recall of the same data and part, held-out data first."""
    splits = (Split.VAL, Split.TEST, Split.TRAIN)
    precisions = [role for split in splits for role in run.scores(split) if role.quantity == "precision"]
    return [(role, recall) for role in precisions if (recall := replace(role, quantity="recall")) in run]


PRECISION_AND_RECALL = Need(
    say("no precision and recall were logged on the same data"),
    lambda run: [min(run[precision], run[recall], key=len) for precision, recall in pairs(run)],
)


@dataclass(frozen=True, kw_only=True)
class PrecisionRecallImbalance(Analyzer):
    """Precision is bought with recall, or recall with precision.

    ## Why it matters
    A model with a precision of 0.95 and a recall of 0.2 misses four in five of what it was built to find; the other
    way round most of what it finds is wrong. Either may be wanted, but mostly it is a threshold nobody chose.

    ## What to try
    Move the decision threshold: look at the precision-recall curve on held-out data and choose the point that fits
    the cost of a miss and of a false alarm. Then look at the class weights and the sampling, which push one way.

    ## When it is wrong
    When the one is wanted at the price of the other, as in a first screening (recall) or in an alarm that wakes
    somebody (precision).

    ## Source
    Saito and Rehmsmeier, "The Precision-Recall Plot Is More Informative than the ROC Plot" (2015).
    """

    needs = (PRECISION_AND_RECALL,)
    least = 2
    vouches = False
    explains = (  # a loss of weighted classes is not that of the held-out data
        "class_imbalance",
        "poor_initial_loss",
        "loss_metric_disagreement",
        "leakage_suspected",
        "oscillation",
        "over_regularized",
    )

    apart: float = threshold(0.25, "distance of precision and recall at the end of the run", gt=0, lt=1)
    ratio: float = threshold(0.75, "the lower as a share of the higher, above which they are within a band", gt=0, lt=1)
    end: float = threshold(0.2, "share of the run at its end whose level counts", gt=0, le=1)
    chance: float = threshold(
        0.01, "most that misses and false alarms may be likely to come apart as far by chance", gt=0, lt=1
    )

    fires = (
        Example("precision 0.95, recall 0.2", run(val_precision=decay(0.5, 0.95), val_recall=decay(0.1, 0.2))),
        Example("most of what is found is wrong", run(12, val_precision=decay(0.1, 0.3), val_recall=decay(0.5, 0.97))),
        Example("as percentages", run(val_precision=decay(50, 93, noise=0.5), val_recall=decay(5, 31, noise=0.5))),
        Example("of one class", run(val_rare_precision=decay(0.1, 0.9), val_rare_recall=decay(0.1, 0.3))),
        Example("per step, noisy", run(2000, train_precision=decay(0.1, 0.9, noise=0.1), train_recall=flat(0.3, 0.1))),
    )
    quiet = (
        Example("both within a band", run(val_precision=decay(0.1, 0.9), val_recall=decay(0.1, 0.75))),
        Example("both poor", run(val_precision=decay(0.01, 0.12), val_recall=decay(0.01, 0.05))),
        Example("apart at first", run(val_precision=decay(0.9, 0.88), val_recall=decay(0.05, 0.8))),
        Example(
            "of six found, one too many, of nine there, four missed",
            run(val_precision=step(1.0, 5 / 6, 0.5, 0.0), val_recall=decay(0.1, 5 / 9, 9, 0.0).rounded(1 / 9)),
        ),
        Example("noise", run(val_precision=flat(0.6, 0.15), val_recall=flat(0.5, 0.15))),
        Example("of two classes", run(val_rare_precision=decay(0.1, 0.9), val_common_recall=decay(0.1, 0.3))),
    )

    def check(self, run: RunCurves) -> Iterator[Finding]:
        """Judge the two on the same data and of the same class; the widest gap speaks for the run."""
        long = [pair for pair in pairs(run) if all(len(run[role]) >= self.least for role in pair)]
        told = [finding for pair in long if (finding := self._judge(run, *pair))]
        if told:
            yield max(told, key=lambda finding: finding.confidence)

    def _judge(self, run: RunCurves, precision: Role, recall: Role) -> Finding | None:
        curves = run[precision], run[recall]
        percent = any(curve.values.max() > 1.5 for curve in curves)  # noqa: PLR2004 - a share does not exceed 1
        (p, p_spread), (r, r_spread) = (self._level(curve, 100.0 if percent else 1.0) for curve in curves)
        low, high = sorted((p, r))
        apart = high - low
        if apart < self.apart or apart < float(np.hypot(p_spread, r_spread)) or low > self.ratio * high:
            return None
        # Misses and false alarms are all that tells the two apart: of few mistakes most may be of one kind by chance.
        if self._by_chance(run, precision, p, r) > self.chance:
            return None
        fault, way = (
            (say("misses most of what it should find"), say("down"))
            if r < p
            else (say("finds much that is wrong"), say("up"))
        )
        since = max(int(curve.steps[0]) for curve in curves)
        return self.finding(
            Severity.WARNING,
            min(certainty(apart, self.apart), 0.9),
            Span(tuple(curve.name for curve in curves), since, max(since, *(int(curve.steps[-1]) for curve in curves))),
            say("precision {p:.2g}, recall {r:.2g}", p=p, r=r),
            say(
                "{precision} is {p:.3g} and {recall} {r:.3g} at the end: the model {fault}.",
                precision=curves[0].name,
                p=p,
                recall=curves[1].name,
                r=r,
                fault=fault,
            ),
            {"precision": p, "recall": r, "apart": apart},
            (
                say(
                    "Move the decision threshold {way}: choose it on the precision-recall curve of held-out data.",
                    way=way,
                ),
                say("Look at class weights and sampling: they decide which of the two mistakes is the cheaper one."),
                say("Judge by F1, or by F-beta with the cost of a miss over that of a false alarm as beta squared."),
            ),
        )

    @staticmethod
    def _by_chance(run: RunCurves, precision: Role, p: float, r: float) -> float:
        """The chance that as many mistakes split as unevenly into misses and false alarms; 0 where they are not known.

        McNemar's test with Edwards' correction (Psychometrika 13, 1948), by the number of examples there are to find,
        as the steps of recall tell it, or by all examples.
        """
        recall, accuracy = (replace(precision, quantity=name) for name in ("recall", "accuracy"))
        if not (p > 0 and r > 0):
            return 0.0
        if positives := counted_examples(run[recall]):
            found = positives * r
        elif accuracy in run and len(run[accuracy]) and (examples := held_out_examples(run)):
            share = float(np.median(run[accuracy].values[-max(1, len(run[accuracy]) // 5) :]))
            found = examples * (1 - share / (100.0 if share > FULL else 1.0)) / (1 / p + 1 / r - 2)
        else:
            return 0.0
        misses, alarms = round(found * (1 / r - 1)), round(found * (1 / p - 1))
        return math.erfc(max(abs(misses - alarms) - 1, 0) / math.sqrt(2 * max(misses + alarms, 1)))

    def _level(self, curve: Curve, full: float) -> tuple[float, float]:
        """The level at the end and the spread around it, as shares."""
        values = curve.values[-max(1, round(self.end * len(curve))) :] / full
        return float(np.median(values)), spread(values)
