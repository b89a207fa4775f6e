"""Half a million points of a file store, in a thousand files: our reader beside MLflow's client and the bytes alone.

    python -m pytest -n0 tests/benchmarks/test_files_speed.py --benchmark-only

The figures in brackets are the ratios to the fastest.
"""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.targets import Target
from mlflow_diagnose.readers.mlflow import MlflowReader
from mlflow_diagnose.readers.mlflow_files import MlflowFilesReader
from rawruns import client_at

RUNS, METRICS, POINTS = 100, 10, 500
START = 1_700_000_000_000


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A file store laid down as MLflow writes it, and the ids of its runs."""
    folder = tmp_path_factory.mktemp("files") / "mlruns"
    random = np.random.default_rng(0)
    run_ids = [f"a{number:031x}" for number in range(RUNS)]
    (folder / "0").mkdir(parents=True)
    (folder / "0" / "meta.yaml").write_text("experiment_id: '0'\nlifecycle_stage: active\nname: Default\n")
    for number, run_id in enumerate(run_ids):
        run = folder / "0" / run_id
        for part in ("metrics", "params", "tags", "artifacts"):
            (run / part).mkdir(parents=True)
        (run / "meta.yaml").write_text(
            f"artifact_uri: {run.as_uri()}/artifacts\nend_time: {START}\nentry_point_name: ''\nexperiment_id: '0'\n"
            f"lifecycle_stage: active\nrun_id: {run_id}\nrun_name: run-{number}\nrun_uuid: {run_id}\nsource_name: ''\n"
            f"source_type: 4\nsource_version: ''\nstart_time: {START + number}\nstatus: 3\ntags: []\nuser_id: me\n"
        )
        (run / "params" / "lr").write_text("0.1")
        (run / "tags" / "team").write_text("vision")
        for metric in range(METRICS):
            values = enumerate(random.normal(size=POINTS).tolist())
            lines = (f"{START + 137 * step} {value} {step}\n" for step, value in values)
            (run / "metrics" / f"metric {metric}").write_text("".join(lines))
    return folder, run_ids


def ours(folder, run_ids):
    """This project's reader, all runs at once."""
    return sum(len(curve.values) for run in MlflowFilesReader(folder).read_many(run_ids) for curve in run.curves)


def ours_one_by_one(folder, run_ids):
    """The same, a run at a time."""
    reader = MlflowFilesReader(folder)
    return sum(len(curve.values) for run_id in run_ids for curve in reader.read(run_id).curves)


def mlflow_runs(folder, run_ids):
    """The same runs through MLflow's client: each with its params and tags, then each of its histories."""
    reader = MlflowReader(str(folder))
    return sum(len(curve.values) for run_id in run_ids for curve in reader.read(run_id).curves)


def mlflow_histories(folder, run_ids):
    """The histories alone, of metrics known beforehand."""
    client = client_at(str(folder))
    return sum(
        len(client.get_metric_history(run_id, f"metric {metric}")) for run_id in run_ids for metric in range(METRICS)
    )


def the_bytes(folder, _):
    """Reading the files, and nothing made of them."""
    return sum(path.read_bytes().count(b"\n") for path in folder.glob("0/*/metrics/*"))


GROUP = "a file store, 500,000 points"
NAME = "test_half_a_million_points_in_a_thousand_files"
TARGETS = (
    Target(
        "a file store: times MLflow's API",
        (GROUP, f"{NAME}[ours]"),
        (GROUP, f"{NAME}[mlflow_runs]"),
        at_least=20,
    ),
)


@pytest.mark.benchmark(group=GROUP)
@pytest.mark.parametrize("reader", [ours, ours_one_by_one, mlflow_runs, mlflow_histories, the_bytes])
def test_half_a_million_points_in_a_thousand_files(benchmark, store, monkeypatch, reader):
    """Every point is there."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    count = benchmark.pedantic(reader, store, rounds=5, warmup_rounds=1)
    assert count == RUNS * METRICS * POINTS
