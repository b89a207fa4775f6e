"""A run as one row of a page of many: a few hundred bytes, so that ten thousand runs need not be kept."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urlsplit, urlunsplit

import numpy as np

from curve_analyzers import signal
from curve_analyzers.findings import Report, Severity
from curve_analyzers.model import Curve, Floats, Role, RunCurves
from mlflow_diagnose.report import texts, words

__all__ = ["HEIGHT", "WIDTH", "Row", "row_of", "run_url"]

WIDTH, HEIGHT = 100, 30  # of a small curve, in its own units, which whole numbers count
POINTS = 40
DECADES = 100.0
LAST = 10  # a tenth of a curve tells where it ends
LONGEST = 120


@dataclass(frozen=True, slots=True)
class Row:
    """What a page of many runs shows of one of them.

    Attributes:
        run_id: What names the run in its store.
        name: What people call it.
        status: `critical`, `warning`, `healthy` or `insufficient_data`.
        verdict: The rule of the root cause, or the status.
        confidence: Of 100 such verdicts, how many are right; 0 where nothing was found.
        brief: What the verdict rests on, in a few words.
        rules: Every rule that found a fault, causes and consequences.
        best_step: The step worth keeping, None where there is none.
        value: Where the held-out curve ended, else the training's; None without one.
        judged: That curve's name.
        training: The training curve, `x, y, x, y, ...` within `WIDTH` and `HEIGHT`, y from the top; 40 points at most.
        held_out: The held-out curve, in the same scale if it measures the same.
        best_x: The best step's place in them.
        ends: Each of these curves in words, where it began and ended.
        url: Where the run can be looked at, empty where nowhere.
    """

    run_id: str
    name: str
    status: str
    verdict: str
    confidence: int
    brief: str
    rules: tuple[str, ...]
    best_step: int | None
    value: float | None
    judged: str
    training: bytes
    held_out: bytes
    best_x: int | None
    ends: tuple[str, ...]
    url: str = ""


def row_of(report: Report, url: str = "") -> Row:
    """The row of a report; `url` is where its run can be looked at, as `run_url` tells."""
    run, main = report.run, report.main
    training, held_out = (_first(run, roles) for roles in (run.training, run.held_out))
    drawn = [run[role] for role in (training, held_out) if role is not None]
    low, high = _range(drawn)
    shared = training is None or held_out is None or training.quantity == held_out.quantity
    scales = [_scale(drawn)] * len(drawn) if shared else [_scale([curve]) for curve in drawn]
    lines = [_line(curve, low, high, *scale) for curve, scale in zip(drawn, scales, strict=True)]
    by_role = dict(zip([role for role in (training, held_out) if role is not None], lines, strict=True))
    judged = held_out or training
    step = words.best_step(report)
    return Row(
        words.plain(run.run_id, LONGEST),
        words.plain(run.name or run.run_id, LONGEST),
        report.status,
        words.plain(report.verdict, 60),
        words.right(main) if main else 0,
        words.plain(words.brief(report), 200),
        tuple(dict.fromkeys(words.plain(f.rule, 60) for f in report.findings if f.severity > Severity.INFO)),
        step,
        _end(run[judged]) if judged else None,
        words.plain(run.roles[judged], 60) if judged else "",
        by_role.get(training, b"") if training else b"",
        by_role.get(held_out, b"") if held_out else b"",
        None if step is None or not drawn else _across(np.array([float(step)]), low, high).tolist()[0],
        tuple(
            words.plain(texts.ENDS.format(name=words.plain(curve.name, 40), first=curve.values[0], last=_end(curve)))
            for curve in drawn
        ),
        url,
    )


def run_url(tracking_uri: str, experiment_id: str, run_id: str) -> str:
    """Where MLflow's UI shows a run, without the user and password a URI may hold; empty where no server is."""
    parts = urlsplit(tracking_uri)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    place = f"{host}:{parts.port}" if parts.port else host
    page = f"/experiments/{quote(experiment_id, safe='')}/runs/{quote(run_id, safe='')}"
    return urlunsplit((parts.scheme, place, f"{parts.path.rstrip('/')}/", "", page))


def _first(run: RunCurves, roles: tuple[Role, ...]) -> Role | None:
    return next((role for role in roles if len(run[role])), None)


def _end(curve: Curve) -> float:
    return float(np.median(curve.values[-max(len(curve) // LAST, 1) :]))


def _range(curves: list[Curve]) -> tuple[float, float]:
    ends = [(float(curve.steps[0]), float(curve.steps[-1])) for curve in curves] or [(0.0, 1.0)]
    return min(first for first, _ in ends), max(last for _, last in ends)


def _scale(curves: list[Curve]) -> tuple[float, float, bool]:
    """The ends of the values and whether they are logarithmic; a few wild ones do not count."""
    medians = [signal.bins(curve.values, POINTS)[0] for curve in curves]
    values = np.concatenate(medians) if medians else np.zeros(1)
    low, high = float(values.min()), float(values.max())
    return low, high, low > 0 and high > DECADES * low


def _line(curve: Curve, first: float, last: float, low: float, high: float, log: bool) -> bytes:  # noqa: FBT001
    medians, edges = signal.bins(curve.values, POINTS)
    x = _across(curve.steps[(edges[:-1] + edges[1:] - 1) // 2].astype(np.float64), first, last)
    if log:
        medians, low, high = np.log(np.maximum(medians, low)), float(np.log(low)), float(np.log(high))
    room = high - low
    share = (medians - low) / room if 0 < room < float("inf") else np.full(len(medians), 0.5)
    y = np.rint(HEIGHT * (1 - np.clip(share, 0.0, 1.0))).astype(np.uint8)
    return np.stack([x, y], axis=1).tobytes()


def _across(steps: Floats, first: float, last: float) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    share = (steps - first) / max(last - first, 1.0)
    return np.rint(WIDTH * np.clip(share, 0.0, 1.0)).astype(np.uint8)
