"""The rule `validation_noise`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from curve_analyzers.analyzer import Analyzer, Need, threshold
from curve_analyzers.examples import Example, decay, flat, run, sawtooth
from curve_analyzers.findings import Finding, Severity, Span
from curve_analyzers.hyperparameters import validation_size
from curve_analyzers.model import Floats, Role, RunCurves
from curve_analyzers.progress import Progress, measure
from curve_analyzers.quantities import Kind
from curve_analyzers.signal import certainty, noise
from curve_analyzers.wording import percent

FULL = 1.5  # a share does not exceed 1; what exceeds this is a percentage
ROUNDING = 0.02  # of one example's share, by which a logged score may miss a whole number of them
MULTIPLES = 4  # the smallest difference seen may be that of so many examples
MOST = 2000  # examples up to which single ones show in a score


@dataclass(frozen=True, slots=True, eq=False)
class Jitter:
    """How a held-out curve wanders from one evaluation to the next.

    Attributes:
        val: The curve, measured.
        noise: Standard deviation from one evaluation to the next.
        share: The same as a share of its fall.
        gain: What the second half of the run brought.
        training: The training's own noise as a share of its fall; NaN where it cannot be compared.
    """

    val: Progress
    noise: float
    share: float
    gain: float
    training: float


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
    When the weights themselves jump, as with a rate that is too high or with batch statistics that have not settled:
    then the training curve is jagged too, or the held-out one calms down as the rate falls.

    ## Source
    Bouthillier et al., "Accounting for Variance in Machine Learning Benchmarks" (2021): the test set's sampling is the
    largest source of variance.
    """

    needs = (Need.HELD_OUT,)
    least = 10
    vouches = False
    explains = ("overfitting", "loss_metric_disagreement", "not_converged")

    size: float = threshold(0.05, "jumps from one evaluation to the next as a share of the whole gain", gt=0)
    calmer: float = threshold(2.5, "these over the training's own, as a factor", gt=1)
    gains: float = threshold(0.5, "jumps over what the second half of the run brought, as a factor", ge=0)

    fires = (
        Example("jumps larger than the gains", run(train_loss=decay(), val_loss=decay(floor=0.4, noise=0.25))),
        Example(
            "an accuracy of 20 examples",
            run(train_accuracy=decay(0.2, 0.9), val_accuracy=decay(0.2, 0.8, noise=0.07).rounded(0.05)),
        ),
        Example("12 epochs", run(12, train_loss=decay(), val_loss=decay(floor=0.4, rate=10, noise=0.4))),
        Example("no training curve", run(val_accuracy=decay(0.2, 0.8, 10, noise=0.07).rounded(0.05))),
    )
    quiet = (
        Example("rewards of single episodes", run(val_reward=decay(0.0, 200.0, noise=30.0))),
        Example("a smooth validation", run(train_loss=decay(), val_loss=decay(floor=0.4))),
        Example("noise that is small beside the gains", run(train_loss=decay(), val_loss=decay(floor=0.4, noise=0.04))),
        Example("still gaining", run(train_loss=decay(rate=1), val_loss=decay(floor=0.4, rate=1, noise=0.1))),
        Example(
            "the training is jagged too: oscillation",
            run(train_loss=sawtooth(decay(floor=0.6), 0.4), val_loss=sawtooth(decay(floor=0.7), 0.4)),
        ),
        Example("nothing was learned", run(train_loss=flat(2.3), val_loss=flat(2.3, 0.02))),
    )

    def check(self, run: RunCurves) -> Iterator[Finding]:
        """Judge the curves checkpoints are chosen by: the held-out objective, and the scores beside it."""
        measured = dict.fromkeys([*run.held_out, *run.held_out_scores()])
        roles = [role for role in measured if role.measures.kind is not Kind.REWARD]  # an episode is no example
        jitters = [self._jitter(run, role) for role in roles if len(run[role]) >= self.least]
        noisy = [jitter for jitter in jitters if jitter and self._cannot_rank(jitter)]
        if noisy:
            yield self._finding(run, max(noisy, key=lambda jitter: jitter.share))

    def _jitter(self, run: RunCurves, role: Role) -> Jitter | None:
        val = measure(run, role)
        trained = [measure(run, each) for each in run.training if len(run[each]) >= self.least]
        learned = any(train.fell for train in trained) if trained else val.fell
        if not (learned and val.fall > 0):
            return None
        error = noise(val.curve.values)
        return Jitter(val, error, error / val.fall, max(val.gain(0.5), 0.0), self._training(run, len(val.curve)))

    @staticmethod
    def _training(run: RunCurves, points: int) -> float:
        """The noise of the training as a share of its fall, where it was logged about as often."""
        calm = [measure(run, role) for role in run.training if points / 2 <= len(run[role]) <= 2 * points]
        shares = [noise(train.curve.values) / train.fall for train in calm if train.fall > 0]
        return max(shares, default=float("nan"))

    def _cannot_rank(self, jitter: Jitter) -> bool:
        calmer = not jitter.share < self.calmer * jitter.training  # an unknown one (NaN) compares as false
        return jitter.share >= self.size and jitter.noise >= self.gains * jitter.gain and calmer

    def _finding(self, run: RunCurves, jitter: Jitter) -> Finding:
        val, examples = jitter.val, validation_size(run) or examples_of(jitter.val)
        one = f"; one of its {examples} examples moves a score by {percent(1 / examples)}" if examples else ""
        sure = min(certainty(jitter.share, self.size), 0.9)
        return self.finding(
            Severity.WARNING,
            sure if np.isfinite(jitter.training) else min(sure, 0.7),
            Span((val.name,), int(val.curve.steps[0]), val.last_step),
            f"jumps of {percent(jitter.share)} of the gain",
            f"{val.name} jumps by {jitter.noise:.3g} from one evaluation to the next, {percent(jitter.share)} of all "
            f"it gained; the second half of the run brought {jitter.gain:.3g}{one}.",
            {
                "noise": jitter.noise,
                "share_of_gain": jitter.share,
                "late_gain": jitter.gain,
                "training_share": jitter.training if np.isfinite(jitter.training) else None,
                "examples": examples,
            },
            (
                "Hold out more data, or cross-validate.",
                "Choose the checkpoint by a mean over the last few evaluations, not by the best single one.",
                "Average the weights over the last steps; judge by the loss rather than by a score of few examples.",
            ),
        )


def examples_of(score: Progress) -> int | None:
    """Over how many examples a score between 0 and 1 is a mean, where few enough that single ones show; else None."""
    if score.quantity.kind is not Kind.SCORE or not score.quantity.bounded:
        return None
    shares = np.unique(score.curve.values) / (100.0 if np.abs(score.curve.values).max() > FULL else 1.0)
    apart = np.diff(shares)
    apart = apart[apart > 1 / (2 * MOST)]
    if not len(apart):
        return None
    for multiple in range(1, MULTIPLES + 1):
        examples = round(multiple / float(apart.min()))
        if 1 < examples <= MOST and _whole(shares * examples):
            return examples
    return None


def _whole(counts: Floats) -> bool:
    return bool((np.abs(counts - np.round(counts)) <= ROUNDING).all())
