"""The gradient norms of a run by what their names say: of the whole model, after clipping, of each layer."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from curve_analyzers.model import Curve, Floats, RunCurves

__all__ = ["GradientNorms", "decades", "gradient_norms"]

AFTER = {"clipped", "after", "post", "postclip", "scaled"}
BEFORE = {"unclipped", "before", "pre", "preclip", "raw"}


@dataclass(frozen=True, slots=True, eq=False)
class GradientNorms:
    """The finite part of every gradient norm that has a point.

    Attributes:
        whole: Of the whole model as it was before clipping, as far as its name tells; None where it was not logged.
        clipped: Of the whole model after clipping; None where it was not logged under such a name.
        layers: Of each layer, from the first to the last where the names count them.
        ordered: Whether they do.
    """

    whole: Curve | None
    clipped: Curve | None
    layers: tuple[Curve, ...]
    ordered: bool


def gradient_norms(run: RunCurves) -> GradientNorms:
    """Sort the gradient norms of a run."""
    whole: Curve | None = None
    clipped: Curve | None = None
    layers: list[tuple[list[tuple[int, int, str]], Curve]] = []
    for role in run.roles:
        if role.quantity != "gradient_norm" or not len(curve := run[role]):
            continue
        words = set(role.part.split("_"))
        if words & AFTER:
            clipped = curve
        elif not role.part or words & BEFORE:
            whole = curve if whole is None or words & BEFORE else whole
        else:
            layers.append((_place(role.part), curve))
    layers.sort(key=lambda layer: layer[0])
    ordered = all(any(number >= 0 for _, number, _ in place) for place, _ in layers)
    return GradientNorms(whole, clipped, tuple(curve for _, curve in layers), ordered)


def _place(part: str) -> list[tuple[int, int, str]]:
    """Where a layer comes by the numbers in its name, `layer2` before `layer10`."""
    pieces = re.findall(r"\d+|\D+", part)
    numbers = [(0, int(piece[:18]), "") for piece in pieces if piece.isdigit()]
    return [*numbers, (1, -1, part)]


def decades(norms: Floats) -> Floats:
    """(n,) the logarithms to base 10; a norm of zero counts as the smallest there is."""
    return np.asarray(np.log10(np.maximum(np.abs(norms), np.finfo(np.float64).tiny)), np.float64)
