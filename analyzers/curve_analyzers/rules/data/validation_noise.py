"""The rule `validation_noise`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from curve_analyzers.analyzer import Analyzer, Need, threshold
from curve_analyzers.examples import Example, decay, flat, run, sawtooth
from curve_analyzers.findings import Finding, Severity, Span
from curve_analyzers.held_out_size import COUNTED, FULL, held_out_examples
from curve_analyzers.model import RunCurves
from curve_analyzers.progress import Progress, measure
from curve_analyzers.quantities import Kind
from curve_analyzers.saying import say
from curve_analyzers.signal import certainty, noise
from curve_analyzers.wording import percent


@dataclass(frozen=True, kw_only=True)
class ValidationNoise(Analyzer):
    """The held-out data is too small to rank checkpoints by.

    ## Why it matters
    The held-out curve jumps by more than the checkpoints differ. The best step is then the luckiest one: early stopping
    stops by chance, and a comparison with another run compares noise.

    ## What to try
    Hold out more data, or cross-validate. Where there is no more, choose the checkpoint by a mean over several
    evaluations, and judge by the loss, which says more for each example than the accuracy.

    ## When it is wrong
    When the number of examples cannot be told and the weights themselves jump, as with a rate that is too high or with
    batch statistics that have not settled: such jumps are told as information only.

    ## Source
    Bouthillier et al., "Accounting for Variance in Machine Learning Benchmarks" (2021): the test set's sampling is the
    largest source of variance. A share of n examples moves in steps of 1/n, by which n is told here, and its standard
    error is up to 0.5/sqrt(n): ten points for 25 examples.
    """

    needs = (Need.HELD_OUT,)
    least = 6
    vouches = False
    explains = (
        "overfitting",
        "generalization_gap",
        "over_regularized",
        "leakage_suspected",
        "poor_initial_loss",
        "loss_metric_disagreement",
        "class_imbalance",
    )

    one: float = threshold(
        0.04, "what one example moves the score by, from which the held-out data is too small", gt=0, lt=1
    )
    small: float = threshold(0.02, "the same from which it is told as information", gt=0, lt=1)
    gains: float = threshold(
        2.0, "what the second half of the run brought, in examples, up to which it is chance", ge=0
    )
    size: float = threshold(
        0.1, "jumps between evaluations as a share of the gain, where the examples are unknown", gt=0
    )
    calmer: float = threshold(3.0, "these over the training's own, as a factor", gt=1)

    fires = (
        Example(
            "an accuracy of 20 examples",
            run(train_accuracy=decay(0.2, 0.9), val_accuracy=decay(0.2, 0.8, noise=0.07).rounded(0.05)),
        ),
        Example(
            "it stands still, as no example changes",
            run(25, train_accuracy=decay(0.2, 0.9), val_accuracy=decay(0.2, 0.88, 12, 0.0).rounded(0.125)),
        ),
        Example("as a percentage", run(12, val_accuracy=decay(20, 80, 9, noise=7.0).rounded(5))),
        Example(
            "the number was logged",
            run(train_loss=decay(), val_loss=decay(floor=0.4, noise=0.05), params={"n_val": 20}),
        ),
        Example(
            "a loss that jumps by more than it gains", run(train_loss=decay(), val_loss=decay(floor=0.4, noise=0.25))
        ),
    )
    quiet = (
        Example("a smooth validation", run(train_loss=decay(), val_loss=decay(floor=0.4))),
        Example("noise that is small beside the gains", run(train_loss=decay(), val_loss=decay(floor=0.4, noise=0.04))),
        Example("500 examples", run(train_loss=decay(), val_accuracy=decay(0.2, 0.8, noise=0.01).rounded(0.002))),
        Example(
            "few examples, and still gaining",
            run(train_loss=decay(rate=1), val_accuracy=decay(0.0, 1.2, 1, 0.02).rounded(0.04)),
        ),
        Example(
            "the training is jagged too: oscillation",
            run(train_loss=sawtooth(decay(floor=0.6), 0.4), val_loss=sawtooth(decay(floor=0.7), 0.4)),
        ),
        Example("nothing was learned", run(train_loss=flat(2.3), val_loss=flat(2.3, 0.02))),
        Example("rewards of single episodes", run(val_reward=decay(0.0, 200.0, noise=30.0))),
    )

    def check(self, run: RunCurves) -> Iterator[Finding]:
        """Judge by the number of held-out examples, where the params or a score tell it; else by the jumps."""
        measured = dict.fromkeys([*run.held_out, *run.held_out_scores()])
        # An episode of a reward is no example.
        roles = [role for role in measured if role.measures.kind is not Kind.REWARD and len(run[role]) >= self.least]
        examples = held_out_examples(run)
        if examples is None:
            jumps = [finding for role in roles if (finding := self._by_jumps(run, measure(run, role)))]
            yield from jumps[:1]
        elif roles and self.small * examples <= 1:
            counted = next((role for role in roles if role.quantity in COUNTED), roles[0])
            yield from self._by_examples(measure(run, counted), examples)

    def _by_examples(self, val: Progress, examples: int) -> Iterator[Finding]:
        full = 100.0 if np.abs(val.curve.values).max() > FULL else 1.0
        counted, late = val.quantity.name in COUNTED, max(val.gain(0.5), 0.0)
        if counted and late * examples > self.gains * full:
            return
        brought = (
            say(", and the second half of the run brought {late:.2g} of them", late=late * examples / full)
            if counted
            else ""
        )
        share = percent(1 / examples)
        too_small = self.one * examples <= 1
        yield self.finding(
            Severity.WARNING if too_small else Severity.INFO,
            min(certainty(1 / examples, self.one if too_small else self.small), 0.95),
            Span((val.name,), int(val.curve.steps[0]), val.last_step),
            say("only {examples} held-out examples", examples=examples),
            say(
                "{val} is over {examples} examples: one of them moves an accuracy by {share}{brought}. "
                "No checkpoint can be told from its neighbours by that.",
                val=val.name,
                examples=examples,
                share=share,
                brought=brought,
            ),
            {"examples": examples, "one_example": 1 / examples, "late_gain": late, "noise": noise(val.curve.values)},
            self._remedies(),
        )

    def _by_jumps(self, run: RunCurves, val: Progress) -> Finding | None:
        trained = [measure(run, role) for role in run.training if len(run[role]) >= self.least]
        jump, late = noise(val.curve.values), max(val.gain(0.5), 0.0)
        beside = [noise(each.curve.values) / each.fall for each in trained if each.fall > 0 and _as_often(each, val)]
        learned = all(each.fell for each in trained) if trained else val.fell
        if not (learned and val.fall > 0 and jump >= self.size * val.fall and jump >= late):
            return None
        if not beside or jump / val.fall < self.calmer * max(beside):
            return None
        return self.finding(
            Severity.INFO,
            min(certainty(jump, self.size * val.fall), 0.6),
            Span((val.name,), int(val.curve.steps[0]), val.last_step),
            say("jumps of {share} of the gain", share=percent(jump / val.fall)),
            say(
                "{val} jumps by {jump:.3g} from one evaluation to the next, {share} of all it gained, "
                "while training is calm: the held-out data is small, or the weights jump.",
                val=val.name,
                jump=jump,
                share=percent(jump / val.fall),
            ),
            {"examples": None, "noise": jump, "share_of_gain": jump / val.fall, "late_gain": late},
            (*self._remedies(), say("If the held-out data is large, lower the learning rate towards the end.")),
        )

    @staticmethod
    def _remedies() -> tuple[str, ...]:
        return (
            say("Hold out more data, or cross-validate."),
            say("Choose the checkpoint by a mean over the last few evaluations, not by the best single one."),
            say("Judge by the loss rather than by a score of few examples."),
        )


def _as_often(train: Progress, val: Progress) -> bool:
    """Whether both were logged about as often; a loss of each step is noisier than a mean over the epoch."""
    return len(val.curve) <= 2 * len(train.curve) and len(train.curve) <= 2 * len(val.curve)
