"""What a curve can measure, and which way is better."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

__all__ = ["QUANTITIES", "Direction", "Kind", "Quantity"]


class Direction(str, Enum):
    """Which way a quantity improves."""

    LOWER = "lower"
    HIGHER = "higher"
    NONE = "none"


class Kind(str, Enum):
    """What a quantity is for."""

    LOSS = "loss"  # minimised by the optimizer; no scale of its own
    ERROR = "error"  # a distance in the target's unit, judged like a loss where there is none
    SCORE = "score"  # what people report; higher is better unless it says otherwise
    REWARD = "reward"  # reinforcement learning's score; then the loss need not fall
    CONTROL = "control"  # set by the schedule: learning rate, momentum
    NORM = "norm"  # sizes of gradients and weights
    SYSTEM = "system"  # the machine and the clock beside the training: throughput, memory, epochs passed


@dataclass(frozen=True, slots=True)
class Quantity:
    """A measured quantity.

    Attributes:
        name: As in a role's name, `val_<name>`.
        kind: What it is for.
        direction: Which way it improves.
        bounded: Whether it lives in 0..1 (or 0..100 as a percentage), so that 1 is the best there is.
    """

    name: str
    kind: Kind
    direction: Direction
    bounded: bool = False

    @property
    def judged(self) -> bool:
        """Whether it has a better and a worse."""
        return self.direction is not Direction.NONE

    def shown(self, cost: float) -> float:
        """The value as it was logged, from the cost (lower is better) that rules compute with."""
        return -cost if self.direction is Direction.HIGHER else cost


def _table() -> dict[str, Quantity]:
    lower, higher, none = Direction.LOWER, Direction.HIGHER, Direction.NONE
    rows = [Quantity("loss", Kind.LOSS, lower), Quantity("reward", Kind.REWARD, higher)]
    rows += [Quantity(name, Kind.ERROR, lower) for name in ("rmse", "mse", "mae", "mape", "perplexity")]
    rows += [Quantity(name, Kind.ERROR, lower, bounded=True) for name in ("error_rate", "wer", "cer")]
    rows += [Quantity(name, Kind.ERROR, lower) for name in ("error", "fid")]
    # The order is the order in which a run without a loss is judged.
    rows += [Quantity(name, Kind.SCORE, higher, bounded=True) for name in ("accuracy", "balanced_accuracy", "f1")]
    rows += [Quantity("auc", Kind.SCORE, higher, bounded=True)]
    rows += [
        Quantity(name, Kind.SCORE, higher, bounded=True)
        for name in ("average_precision", "map", "iou", "dice", "precision", "recall", "specificity", "top5_accuracy")
    ]
    rows += [Quantity(name, Kind.SCORE, higher, bounded=True) for name in ("mcc", "kappa", "r2")]
    rows += [Quantity(name, Kind.SCORE, higher, bounded=True) for name in ("ndcg", "mrr", "bleu", "rouge")]
    rows += [Quantity("score", Kind.SCORE, higher)]
    rows += [Quantity("learning_rate", Kind.CONTROL, none)]
    rows += [Quantity(name, Kind.NORM, none) for name in ("gradient_norm", "weight_norm")]
    rows += [
        Quantity(name, Kind.SYSTEM, none)
        for name in ("throughput", "step_time", "gpu_utilization", "gpu_memory", "memory", "epoch")
    ]
    return {row.name: row for row in rows}


QUANTITIES: dict[str, Quantity] = _table()
