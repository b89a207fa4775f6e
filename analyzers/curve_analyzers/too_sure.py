"""A model that grows too sure of itself: its held-out loss rises, and what people want of it does not get worse."""

from __future__ import annotations

from collections.abc import Sequence

from curve_analyzers.progress import Progress

__all__ = ["TRADED", "too_sure"]

# One of these is bought with the other: which of them moved says nothing of how good the model is.
TRADED = {"precision", "recall", "specificity"}
BETTER = 0.05  # gain of a score since the loss was best, as a share of all it gained, that is an improvement
HELD = 0.02  # loss of a score since then, as a share of all it gained, that is none
KEPT = 0.05  # what it may end below its own best
POINT = 0.005  # move of a share between 0 and 1 that is none, however little it gained
SEVERE = 0.3  # climb of the loss, as a share of its fall, beside which a score that holds is telling


def too_sure(loss: Progress, scores: Sequence[Progress]) -> Progress | None:
    """The score that contradicts a loss that rose since it was best; None where none does.

    One that improved meanwhile does; so do scores that all hold their best while the loss climbs far: the same answers
    are given, with more and more weight on the wrong ones. Where a model learns by heart, its scores get worse too.

    Source: Guo et al., "On Calibration of Modern Neural Networks" (2017), section 3.
    """
    judged = [score for score in scores if score.quantity.name not in TRADED and score.name != loss.name]
    gains = [(score.gained_since_best_of(loss), score) for score in judged if score.fell]
    for gained, score in gains:
        if score.beyond_noise(gained) and gained >= max(BETTER * score.fall, score.rise):
            return score
    held = len(gains) == len(judged) > 0 and all(
        _none(score, -gained, HELD) and _none(score, score.rise, KEPT) for gained, score in gains
    )
    return judged[0] if held and loss.rise >= SEVERE * loss.fall else None


def _none(score: Progress, worse: float, share: float) -> bool:
    """Whether what a score lost is none: a small share of all it gained, or noise and not a point of a share."""
    return worse <= share * score.fall or (worse <= POINT * score.whole and not score.beyond_noise(worse))
