"""The trained sweeps of fixtures/sweeps, as the summaries that rules over many runs judge."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from curve_analyzers.engine import diagnose
from curve_analyzers.experiment.summary import RunSummary, summarize
from curve_analyzers.model import RawCurve, RawRun
from curve_analyzers.settle import prepare

FOLDER = Path(__file__).parents[1] / "fixtures" / "sweeps"
TRUTHS = json.loads((FOLDER / "truths.json").read_text("utf-8"))


def raw_runs(name: str) -> list[RawRun]:
    """The runs of a sweep, as a reader would give them."""
    table = pq.read_table(FOLDER / f"{name}.parquet")
    columns = {column: table[column].to_numpy() for column in table.column_names}
    runs = []
    for listed in json.loads((FOLDER / f"{name}.json").read_text("utf-8")):
        of_run = columns["run"] == listed["run_id"]
        curves = []
        for metric in dict.fromkeys(columns["metric"][of_run]):
            keep = of_run & (columns["metric"] == metric)
            steps, values, times = (columns[column][keep] for column in ("step", "value", "seconds"))
            curves.append(
                RawCurve(metric, steps.astype(np.int64), values.astype(np.float64), 1.7e9 + times.astype(float))
            )
        runs.append(RawRun("mlflow", listed["run_id"], listed["name"], curves, listed["params"]))
    return runs


@cache
def summaries(name: str) -> tuple[RunSummary, ...]:
    """The runs of a sweep, each judged by all rules of one run."""
    return tuple(summarize(diagnose(prepare(raw))) for raw in raw_runs(name))


def shuffled(runs: tuple[RunSummary, ...], seed: int, *, together: bool) -> list[RunSummary]:
    """Runs under each other's params: whole sets of params, or each param by itself."""
    random = np.random.default_rng(seed)
    if together:
        order = random.permutation(len(runs))
        return [replace(run, params=runs[other].params) for run, other in zip(runs, order, strict=True)]
    names = sorted({name for run in runs for name in run.params})
    orders = {name: random.permutation(len(runs)) for name in names}
    return [
        replace(run, params={name: runs[orders[name][place]].params[name] for name in names})
        for place, run in enumerate(runs)
    ]
