"""The rule `missing_metric`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from curve_analyzers.analyzer import Analyzer, Need
from curve_analyzers.examples import Example, decay, run
from curve_analyzers.findings import Finding, Severity, Span
from curve_analyzers.hyperparameters import class_count
from curve_analyzers.model import Role, RunCurves, Split
from curve_analyzers.saying import say

# Scores that are coarser or finer accuracies and show no more about single classes than it does.
BLIND = {"accuracy", "top5_accuracy", "score"}


@dataclass(frozen=True, kw_only=True)
class MissingMetric(Analyzer):
    """A classifier was scored by its accuracy alone.

    ## Why it matters
    Accuracy counts every example alike. A model that never finds the rare class, which is nearly always the one that
    counts, can have a high one, and nothing in these curves would show it: `class_imbalance` and
    `precision_recall_imbalance` could not be judged.

    ## What to try
    Log the macro F1, or recall and precision of the class that counts, beside the accuracy; with two classes the area
    under the precision-recall curve as well.

    ## When it is wrong
    When the classes are known to be even and mistakes cost the same: then accuracy is all there is to know.

    ## Source
    He and Garcia, "Learning from Imbalanced Data" (2009), section 4.
    """

    needs = (Need.ACCURACY,)
    least = 2
    vouches = False

    fires = (
        Example("a loss and an accuracy", run(train_loss=decay(), val_loss=decay(), val_accuracy=decay(0.1, 0.9))),
        Example("with the top 5", run(val_accuracy=decay(0.1, 0.7), val_top5_accuracy=decay(0.3, 0.9))),
    )
    quiet = (
        Example("an F1 beside it", run(val_accuracy=decay(0.1, 0.9), val_f1=decay(0.1, 0.85))),
        Example("the recall of a class", run(val_accuracy=decay(0.1, 0.9), val_rare_recall=decay(0.1, 0.85))),
        Example("regression", run(train_loss=decay(), val_rmse=decay())),
    )

    def check(self, run: RunCurves) -> Iterator[Finding]:
        """Look for a score that tells the classes apart, on any data."""
        if any(run.roles and role.quantity not in BLIND for split in Split for role in run.scores(split)):
            return
        split = next(each for each in (Split.VAL, Split.TEST, Split.TRAIN, Split.NONE) if Role(each, "accuracy") in run)
        curve, classes = run[Role(split, "accuracy")], class_count(run)
        two = classes == 2  # noqa: PLR2004 - the area under a curve is for two classes
        yield self.finding(
            Severity.INFO,
            0.95,
            Span((curve.name,), int(curve.steps[0]), int(curve.steps[-1])),
            say("accuracy alone"),
            say(
                "{curve} is the only kind of score: whether the model finds every class could not be judged.",
                curve=curve.name,
            ),
            {"scores": sum(len(run.scores(each)) for each in Split), "classes": classes},
            (
                say("Log F1, recall and precision of the rarer class, and the area under the precision-recall curve.")
                if two
                else say("Log the macro F1, or recall and precision for each class that counts."),
                say("Log a confusion matrix with the last evaluation."),
            ),
        )
