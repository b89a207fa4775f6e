"""`overfitting`: what a climb of the held-out loss costs, and held-out data that never followed."""

from __future__ import annotations

import pytest

from curve_analyzers.engine import diagnose
from curve_analyzers.examples import decay, flat, line, run, valley
from curve_analyzers.findings import Severity
from curve_analyzers.registry import rule_named


def found(example):
    """What the rule says of a run."""
    return diagnose(example.build(), [rule_named("overfitting")]).findings


@pytest.mark.parametrize(
    ("end", "accuracy", "severity"),
    [
        (0.6, 0.5, Severity.WARNING),
        (0.6, 0.93, Severity.INFO),  # a small climb beside a good score costs little
        (0.7, 0.93, Severity.WARNING),  # two fifths of what was missing are no small climb
        (1.8, 0.5, Severity.CRITICAL),
        (1.8, 0.93, Severity.CRITICAL),
        (1.8, 0.99, Severity.INFO),  # beside one that misses nothing, no climb does
    ],
)
def test_a_climb_weighs_as_much_as_the_score_has_to_lose(end, accuracy, severity):
    """The same climb of the loss is a warning where the score is poor, and information where it is good."""
    (finding,) = found(run(train_loss=decay(), val_loss=valley(end=end), val_accuracy=flat(accuracy, 0.002)))
    assert finding.severity is severity
    assert ("good all the same" in finding.message) == (severity is Severity.INFO)


def test_held_out_data_that_never_followed_were_best_before_training():
    """Training learned its data by heart, and the held-out loss only rose: the step to keep is the first."""
    (finding,) = found(run(train_loss=decay(floor=0.05), val_loss=line(2.3, 2.33, 0.001)))
    assert finding.evidence["best_step"] == 0
    assert finding.evidence["end"] > finding.evidence["best"]
    # While training has come only half its way, so small a rise says nothing.
    assert not found(run(train_loss=decay(floor=1.2), val_loss=line(2.3, 2.33, 0.001)))
