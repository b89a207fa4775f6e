"""The rule `generalization_gap`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from curve_analyzers.analyzer import Analyzer, Need, threshold
from curve_analyzers.examples import Example, decay, flat, line, run
from curve_analyzers.findings import Finding, Severity, Span
from curve_analyzers.model import RunCurves
from curve_analyzers.progress import Progress, measure, measure_all
from curve_analyzers.quantities import Kind
from curve_analyzers.remedies import more_regularization
from curve_analyzers.saying import say
from curve_analyzers.signal import certainty
from curve_analyzers.wording import percent


@dataclass(frozen=True, slots=True)
class Gap:
    """How far the held-out curve ended from the training curve.

    Attributes:
        train: The curve on training data.
        val: The same quantity held out.
        width: Their distance at the end, less what they already began apart.
        share: The same as a share of the way to the best value there can be, or of the training's fall where that
            is unknown: what training still gains once most is learned weighs little.
        widening: How much of the width the last half of the run brought, as a share of it.
    """

    train: Progress
    val: Progress
    width: float
    share: float
    widening: float

    @property
    def noise(self) -> float:
        """The width that noise alone may show."""
        return self.train.noise_beside(self.val)


@dataclass(frozen=True, kw_only=True)
class GeneralizationGap(Analyzer):
    """Held-out data stay far from what training reaches, without a turn.

    ## Why it matters
    A good part of what the model learned holds for its training data only. The curves look calm, but the training
    curve promises a model that nobody will see on new data.

    ## What to try
    Regularize: weight decay, dropout, augmentation. Then get more or more varied data: a gap is what too few examples
    leave. A smaller model comes last, and more layers widen the gap. A low training loss is no fault in itself: what
    counts is whether the held-out score gets better.

    ## When it is wrong
    When the held-out data are harder by nature or come from elsewhere, or when the training curve carries something
    that the held-out one does not. Two curves a constant distance apart from the start on are no gap. A gap beside a
    good held-out score costs little: it is told as `info`.

    ## Source
    Goodfellow, Bengio and Courville, "Deep Learning" (2016), chapter 5.2: the gap between training and test error.
    """

    needs = (Need.PAIR,)

    wide: float = threshold(0.4, "width of the gap, as a share of the way to the best value, that warns", gt=0)
    by_heart: float = threshold(0.15, "the same where training has learned its data by heart", gt=0)
    done: float = threshold(0.97, "share of the way from which training has learned its data by heart", gt=0, le=1)
    visible: float = threshold(0.12, "width from which a gap is told as info", gt=0)
    good: float = threshold(0.1, "what may be missing to a perfect held-out score for a gap to cost little", ge=0)

    fires = (
        Example(
            "training goes to 0, validation stays well above",
            run(train_loss=decay(floor=0.0), val_loss=decay(floor=1.2)),
        ),
        Example(
            "a gap that widens",
            run(train_loss=decay(floor=0.1, rate=4), val_loss=decay(2.3, 1.4, 20)),
        ),
        Example(
            "beside a poor accuracy",
            run(train_loss=decay(floor=0.0), val_loss=decay(floor=1.0), val_accuracy=decay(0.1, 0.65)),
        ),
        Example("learned by heart, flat a little above", run(train_loss=decay(floor=0.0), val_loss=decay(floor=0.6))),
        Example("only scores", run(train_accuracy=decay(0.1, 1.0), val_accuracy=decay(0.1, 0.6))),
        Example("12 epochs", run(12, train_loss=decay(floor=0.0), val_loss=decay(floor=1.2))),
        Example(
            "per step, noisy",
            run(2000, train_loss=decay(floor=0.1, noise=0.1), val_loss=decay(floor=1.2), sparse={"val_loss": 40}),
        ),
        Example("training falls, validation never did", run(train_loss=decay(), val_loss=flat(2.3))),
    )
    quiet = (
        Example("a small gap", run(train_loss=decay(), val_loss=decay(floor=0.3))),
        Example(
            "a constant offset of the regularized training loss", run(train_loss=decay(3.3, 1.2), val_loss=decay())
        ),
        Example("a constant offset of the held-out loss", run(train_loss=decay(), val_loss=decay(3.3, 1.2))),
        Example("dropout: training is the worse", run(train_loss=decay(floor=0.6), val_loss=decay(floor=0.4))),
        Example("both still falling together", run(train_loss=line(2.3, 1.0), val_loss=line(2.3, 1.1))),
        Example("nothing was learned", run(train_loss=flat(2.3), val_loss=flat(2.3))),
    )

    def check(self, run: RunCurves) -> Iterator[Finding]:
        """Judge each pair of a training and a held-out curve, the widest gap for the run."""
        pairs = [pair for pair in run.pairs() if pair[0].measures.kind is not Kind.REWARD]
        gaps = [_gap(measure(run, train), measure(run, val)) for train, val in pairs]
        wide = [gap for gap in gaps if gap.train.fell and gap.width > gap.noise and gap.share >= self.visible]
        if wide:
            gap = max(wide, key=lambda gap: gap.share / self._limit(gap))
            yield self._finding(run, gap, costly=gap.share >= self._limit(gap) and not self._scores_well(run))

    def _limit(self, gap: Gap) -> float:
        """From which width on it warns: less where training has nothing left to learn and the gap stays."""
        return self.by_heart if gap.train.share >= self.done else self.wide

    def _scores_well(self, run: RunCurves) -> bool:
        """Whether a held-out score between 0 and 1 misses little."""
        return any(score.left <= self.good for score in measure_all(run, run.held_out_scores(), self.least))

    def _finding(self, run: RunCurves, gap: Gap, *, costly: bool) -> Finding:
        train, val = gap.train, gap.val
        end, val_end = train.shown(train.end), val.shown(val.end)
        still = say(", and the gap still widens") if gap.widening > 0 else ""
        cost = "" if costly else say(" The held-out score is good all the same.") if self._scores_well(run) else ""
        sure = certainty(gap.share, self._limit(gap) if costly else self.visible)
        return self.finding(
            Severity.WARNING if costly else Severity.INFO,
            min(sure, certainty(gap.width, gap.noise), 0.95),
            Span((train.name, val.name), int(train.curve.steps[0]), train.last_step),
            say("{end:.3g} in training, {val_end:.3g} held out", end=end, val_end=val_end),
            say(
                "{train} went from {start:.4g} to {end:.4g}, {val} ended at {val_end:.4g}: the gap that "
                "opened is {share} of the way there was to go{still}.{cost}",
                train=train.name,
                start=train.shown(train.start),
                end=end,
                val=val.name,
                val_end=val_end,
                share=percent(gap.share),
                still=still,
                cost=cost,
            ),
            {
                "end": end,
                "held_out_end": val_end,
                "gap": gap.width,
                "share_of_way": gap.share,
                "widening": gap.widening,
            },
            (
                more_regularization(run),
                say("Get more data, or more varied data by augmentation: a gap is what too few examples leave."),
                say("Judge the run by {val}, not by {train}.", val=val.name, train=train.name),
                say("A smaller model is the last thing to try; more layers widen the gap."),
            ),
        )


def _gap(train: Progress, val: Progress) -> Gap:
    """Measure a pair; what the two began apart belongs to the data or to the loss, not to what was learned."""
    apart = max(val.start - train.start, 0.0)
    width = val.end - train.end - apart
    middle = float(val.steps[len(val.steps) // 2])
    grown = width + apart - (val.at(middle) - train.at(middle))
    widening = grown / width if width > 0 and grown > train.noise_beside(val) else 0.0
    way = train.start - train.perfect
    scale = way if way > 0 else train.fall  # an unknown way (NaN) compares as false
    return Gap(train, val, width, width / scale if scale > 0 else 0.0, widening)
