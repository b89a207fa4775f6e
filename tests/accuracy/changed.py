"""The same runs, logged more seldom or with more noise: what a verdict should survive."""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from curve_analyzers.quantities import Kind
from curve_analyzers.roles import parse
from curve_analyzers.signal import noise

if TYPE_CHECKING:
    from curve_analyzers.model import RawCurve, RawRun

__all__ = ["noisier", "thinned"]

DOZEN = 12
JUDGED = {Kind.LOSS, Kind.ERROR, Kind.SCORE, Kind.REWARD}


def thinned(run: RawRun, every: int) -> RawRun:
    """A run of whose curves every so many points were logged, the first among them, but a dozen of each if there are.

    With fewer than a dozen evaluations nothing can be told of them, whatever the rule.
    """
    return replace(
        run, curves=[_thinned(curve, max(min(every, len(curve.values) // DOZEN), 1)) for curve in run.curves]
    )


def _thinned(curve: RawCurve, every: int) -> RawCurve:
    times = curve.wall_times
    return replace(
        curve,
        steps=curve.steps[::every],
        values=curve.values[::every],
        wall_times=None if times is None else times[::every],
    )


def noisier(run: RawRun) -> RawRun:
    """A run whose losses and scores have twice their own point-to-point noise; a bounded score stays within bounds."""
    return replace(run, curves=[_noisier(curve, run.run_id) for curve in run.curves])


def _noisier(curve: RawCurve, run_id: str) -> RawCurve:
    parsed = parse(curve.name)
    finite = curve.values[np.isfinite(curve.values)]
    if parsed is None or parsed.role.measures.kind not in JUDGED or not len(finite):
        return curve
    random = np.random.default_rng(zlib.crc32(f"{run_id} {curve.name}".encode()))
    # Independent noise adds up in squares: three more variances make the standard deviation twice as large.
    values = curve.values + np.sqrt(3.0) * noise(finite) * random.standard_normal(len(curve.values))
    if parsed.role.measures.bounded:
        values = np.clip(values, min(0.0, finite.min()), max(1.0, finite.max()))
    return replace(curve, values=values)
