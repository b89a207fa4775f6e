"""The labelled runs of fixtures/labelled: real trainings, each with what was done in it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq

from curve_analyzers.model import RawCurve, RawRun
from curve_analyzers.settle import prepare

if TYPE_CHECKING:
    from collections.abc import Sequence

    from curve_analyzers.model import RunCurves

__all__ = ["FOLDER", "HEALTHY", "LabelledRun", "load"]

FOLDER = Path(__file__).parents[2] / "fixtures" / "labelled"
HEALTHY = "healthy"
START = 1.7e9  # the stored clocks count from the start of each run


@dataclass(frozen=True, eq=False)
class LabelledRun:
    """A run whose fault is known, because it was planted.

    Attributes:
        run: Its curves as a reader would give them.
        kind: What was done, a row of the table in fixtures/labelled/README.md.
        label: The rule that is to find it, or `healthy`.
        also: Rules whose fault the run has as well, a healthy one too: by construction, or as the training's own truth
            shows, which no rule sees.
        shows: Whether the fault had an effect on the training, measured beside its healthy twin; of a healthy run,
            whether it went as it should.
    """

    run: RawRun
    kind: str
    label: str
    also: frozenset[str]
    shows: bool

    @property
    def healthy(self) -> bool:
        """Whether nothing was done to it."""
        return self.label == HEALTHY

    @property
    def true(self) -> frozenset[str]:
        """Every rule that is right to speak of this run."""
        return self.also | {self.label}

    def prepared(self) -> RunCurves:
        """The run as rules see it."""
        return prepare(self.run)


def load(part: str) -> list[LabelledRun]:
    """The runs of a part, `tuning` or `held_out`, in the order of their names."""
    entries = sorted(json.loads((FOLDER / f"{part}.json").read_text("utf-8")), key=lambda entry: entry["run"])
    curves = _curves(part)
    return [
        LabelledRun(
            RawRun("mlflow", entry["run"], entry["run"], curves.get(entry["run"], ()), entry["params"]),
            entry["kind"],
            entry["label"],
            frozenset(entry["also"]) | frozenset(entry["measured"]),
            bool(entry["shows"]),
        )
        for entry in entries
    ]


def _curves(part: str) -> dict[str, Sequence[RawCurve]]:
    """The curves of each run, their points in the order in which they were logged."""
    table = pq.read_table(FOLDER / f"{part}.parquet")
    runs, names = (table[column].combine_chunks().dictionary_encode() for column in ("run", "curve"))
    keys = np.stack([np.asarray(each.indices) for each in (runs, names)])
    steps = np.asarray(table["step"], np.int64)
    values, times = (np.asarray(table[column], np.float64) for column in ("value", "wall_time"))
    starts = np.flatnonzero(np.r_[True, (keys[:, 1:] != keys[:, :-1]).any(axis=0)])
    found: dict[str, list[RawCurve]] = {}
    for first, end in zip(starts, np.r_[starts[1:], len(steps)], strict=True):
        run, name = (column.dictionary[int(column.indices[int(first)].as_py())].as_py() for column in (runs, names))
        points = slice(int(first), int(end))
        curve = RawCurve(name, steps[points], values[points], START + times[points])
        found.setdefault(run, []).append(curve)
    return {run: tuple(each) for run, each in found.items()}
