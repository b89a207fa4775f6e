"""The rule `loss_metric_disagreement`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from curve_analyzers.analyzer import Analyzer, Need, threshold
from curve_analyzers.examples import Example, decay, flat, line, run, valley
from curve_analyzers.findings import Finding, Severity, Span
from curve_analyzers.held_out_size import held_out_examples
from curve_analyzers.model import Role, RunCurves, Split
from curve_analyzers.progress import Progress, measure_all
from curve_analyzers.remedies import more_regularization
from curve_analyzers.saying import say
from curve_analyzers.signal import certainty
from curve_analyzers.too_sure import TRADED, too_sure


@dataclass(frozen=True, slots=True)
class Story:
    """One way in which the two can part."""

    brief: str
    message: str
    remedies: tuple[str, ...]


TOO_SURE = Story(
    say("loss up, score not worse"),
    say("{loss} rose since step {since} while {score} {held}: the model grows more sure of its mistakes."),
    (
        say("Choose the checkpoint by {score} if that is the goal, not by the loss."),
        say("Smooth the labels, or calibrate the probabilities afterwards."),
    ),
)
SCORE_TURNED = Story(
    say("loss down, score worse"),
    say("{score} got worse since step {since} while {loss} kept falling."),
    (
        say("Choose the checkpoint by {score} if that is the goal: step {since}."),
        say("Ask whether the loss rewards what the score measures: weigh the classes, or change the loss."),
    ),
)
SCORE_STOOD = Story(
    say("loss down, score flat"),
    say("{loss} fell and {score} stood still."),
    (
        say("Look at the classes one by one: a model can please the loss and name one class only."),
        say("See that the score is computed on the right outputs (threshold, argmax, mode of the model)."),
    ),
)


@dataclass(frozen=True, kw_only=True)
class LossMetricDisagreement(Analyzer):
    """The loss and a score on the same data tell different stories.

    ## Why it matters
    The loss is what the optimizer sees, the score is what people want. Where they part, the best checkpoint by one is
    not the best by the other, and stopping by the wrong one loses what was wanted.

    ## What to try
    Decide which of the two is the goal, and stop and compare by that one. A loss that rises while the accuracy grows
    is a model too sure of itself: label smoothing, weight decay or a calibration afterwards. A loss that falls while
    the score stands still asks whether the score measures what the loss rewards, most of all with unbalanced classes.

    ## When it is wrong
    When the score moves in coarse steps, on a small held-out set, or is computed on other data than the loss.

    ## Source
    Guo et al., "On Calibration of Modern Neural Networks" (2017), section 3: overfitting the loss, not the accuracy.
    """

    needs = (Need.LOSS_AND_SCORE,)
    explains = ("generalization_gap", "wasted_compute")

    turn: float = threshold(0.05, "move of a curve against the other, as a share of its own gain", gt=0)
    lost: float = threshold(0.2, "what a score must lose of its own gain to part with a loss that goes on", gt=0)
    higher: float = threshold(0.05, "rise of a loss as a share of what it is, below which it stands", ge=0)
    still: float = threshold(0.18, "share of its way that a score came over that of the loss, if it stood still", ge=0)
    kept: float = threshold(
        0.5, "rise of a loss as a share of its fall, below which it fell all the same: that is told as info", gt=0
    )
    fall: float = threshold(
        0.25, "share of the way below which a loss did not fall enough to expect a better score", gt=0
    )
    near: float = threshold(0.25, "what may be missing to a perfect score for it to have had nowhere to go", ge=0)
    perfect: float = threshold(0.05, "the same beside which a loss that rises costs nothing", ge=0)
    visible: float = threshold(0.02, "least move of a score between 0 and 1 that matters to anyone", ge=0)
    visible_turn: float = threshold(0.05, "the same of a score that turned while its loss went on", ge=0)
    few: float = threshold(3.0, "the same in held-out examples, where their number is known", ge=0)

    fires = (
        Example(
            "too sure: the loss rises, the accuracy improves",
            run(train_loss=decay(), val_loss=valley(), val_accuracy=decay(0.1, 0.95, 3, 0.004)),
        ),
        Example("the loss falls, the accuracy is flat", run(val_loss=decay(), val_accuracy=flat(0.5, 0.005))),
        Example(
            "the score turns, the loss goes on falling",
            run(train_loss=decay(rate=3), val_loss=decay(rate=3), val_f1=valley(0.1, 0.8, end=0.5)),
        ),
        Example("in training, where nothing was held out", run(train_loss=decay(), train_accuracy=flat(0.3, 0.005))),
    )
    quiet = (
        Example(
            "both improve at their own pace", run(val_loss=decay(rate=3), val_accuracy=decay(0.1, 0.95, 12, 0.005))
        ),
        Example("both turn: overfitting", run(val_loss=valley(), val_accuracy=valley(0.1, 0.9, end=0.6))),
        Example(
            "the loss creeps up where nothing was learned",
            run(val_loss=line(1.1, 1.11, 0.0002), val_accuracy=decay(0.33, 0.45)),
        ),
        Example(
            "the loss turned, the score wandered: overfitting",
            run(val_loss=valley(end=3.0), val_accuracy=valley(0.4, 0.75, 0.2, 0.6, 0.02)),
        ),
        Example("neither moved", run(val_loss=flat(2.3), val_accuracy=flat(0.1))),
        Example("a score with nowhere to go", run(val_loss=decay(0.1, 0.02), val_accuracy=flat(0.99, 0.002))),
    )

    def check(self, run: RunCurves) -> Iterator[Finding]:
        """Judge every score beside the loss on the same data, held out if there is such, and tell the clearest."""
        for split in (Split.VAL, Split.TEST, Split.TRAIN):
            losses = measure_all(run, [role for role in (Role(split, "loss"),) if role in run], self.least)
            roles = [role for role in run.scores(split) if role.quantity not in TRADED]
            scores = measure_all(run, roles, self.least)
            if losses and scores:
                examples = held_out_examples(run) if split is not Split.TRAIN else None
                least = max(self.visible, self.few / examples if examples else 0.0)
                sure = too_sure(losses[0], scores) if self._climbed(losses[0]) else None
                told = [self._finding(run, losses[0], sure, TOO_SURE)] if sure else []
                told += [self._finding(run, losses[0], *parted) for parted in self._parted(losses[0], scores, least)]
                if told:
                    yield max(told, key=lambda finding: finding.confidence)
                return

    def _climbed(self, loss: Progress) -> bool:
        """Whether a loss rose by a share of its fall, and of itself: one that never fell may creep."""
        return loss.rose and loss.rise >= max(self.turn * loss.fall, self.higher * loss.missing(loss.best))

    def _parted(self, loss: Progress, scores: Sequence[Progress], least: float) -> Iterator[tuple[Progress, Story]]:
        """The scores that did not follow a loss that fell."""
        for score in scores:
            if self._turned(score, loss, least):
                yield score, SCORE_TURNED
            elif self._left_behind(loss, score):
                yield score, SCORE_STOOD

    def _finding(self, run: RunCurves, loss: Progress, score: Progress, story: Story) -> Finding:
        if story is TOO_SURE:
            since, sure = loss.best_step, loss.certainty(loss.rise)
        elif story is SCORE_TURNED:
            since, sure = score.best_step, score.certainty(score.rise)
        else:
            since, sure = int(score.curve.steps[0]), certainty(loss.share, self.fall)
        calm = (more_regularization(run),) if story is TOO_SURE else ()
        held = say("kept improving") if score.beyond_noise(score.gained_since_best_of(loss)) else say("held its best")
        cheap = story is TOO_SURE and (loss.rise < self.kept * loss.fall or score.left <= self.perfect)
        names = {"loss": loss.name, "score": score.name, "since": since, "held": held}
        return self.finding(
            Severity.INFO if cheap else Severity.WARNING,
            min(sure, 0.95),
            Span((loss.name, score.name), since, loss.last_step),
            say("{brief} since step {since}", brief=story.brief, since=since),
            story.message.format(**names),
            {
                "loss_best_step": loss.best_step,
                "score_best_step": score.best_step,
                "loss_end": loss.shown(loss.end),
                "score_end": score.shown(score.end),
            },
            (*(remedy.format(**names) for remedy in story.remedies), *calm),
        )

    def _turned(self, score: Progress, loss: Progress, least: float) -> bool:
        """Whether a score turned for the worse while the loss went on falling."""
        gained = loss.gained_since_best_of(score)
        least = max(least, self.visible_turn) * score.whole
        return (
            score.rose
            and score.rise >= max(self.lost * score.fall, least)
            and loss.beyond_noise(gained)
            and gained >= self.turn * loss.fall
        )

    def _left_behind(self, loss: Progress, score: Progress) -> bool:
        """Whether the loss fell and the score had room to follow and did not."""
        # Noise that may hide a fall worth having tells nothing.
        hidden = score.noise > self.near * (score.start - score.perfect)
        stood = (score.fall <= score.noise and not hidden) or score.share < self.still * loss.share
        fell = loss.fell and loss.share >= self.fall and loss.rise <= self.kept * loss.fall
        return fell and stood and score.left > self.near
