"""10,000 runs with 27 params each, compared by all rules, beside what reading their params as numbers alone takes.

python -m pytest -n0 tests/benchmarks/test_experiment_speed.py --benchmark-only [--share 0.1]
"""

from __future__ import annotations

import numpy as np
import pytest

from curve_analyzers.experiment.engine import compare
from curve_analyzers.experiment.factors import read_params
from curve_analyzers.experiment.summary import RunSummary, Score

RUNS = 10_000


@pytest.fixture(scope="session")
def runs(request):
    """A random search in which rate, depth, dropout and data size matter, and 20 params do nothing."""
    random = np.random.default_rng(0)
    return [_run(place, random) for place in range(int(RUNS * request.config.getoption("--share")))]


def _run(place, random):
    lr, dropout = 10 ** random.uniform(-5, 0), round(random.uniform(0, 0.8), 2)
    depth, size = int(random.choice([1, 2, 4, 8, 16])), int(random.choice([500, 1000, 2000, 4000, 8000, 16000]))
    params = {
        "lr": f"{lr:.3g}",
        "num_layers": f"{depth}",
        "dropout": f"{dropout}",
        "n_train": f"{size}",
        "optimizer": str(random.choice(["adam", "sgd", "lion"])),
        "wd": f"{10 ** random.uniform(-6, -1):.2g}",
        "seed": f"{random.integers(0, 5)}",
        **{f"p{k}": f"{random.integers(0, 4)}" for k in range(20)},
    }
    level = 0.2 + 0.1 * (np.log10(lr) + 2.5) ** 2 + 0.02 * depth + 0.3 * max(dropout - 0.3, 0) + 100 / size
    level += 0.02 * random.normal()
    values = {
        "train_loss": level - 0.1 + 0.2 * dropout,
        "val_loss": level,
        "val_accuracy": 1 - level,
        "val_f1": 1 - level + 0.05 * random.normal(),
    }
    scores = {name: Score(name, name, "loss" not in name, value, value, 0.002) for name, value in values.items()}
    verdict = "divergence" if lr > 0.5 else "healthy"
    return RunSummary(f"{place:06}", "", verdict, "healthy", (), params, "val_loss", "train_loss", scores, 60.0, 60)


@pytest.mark.benchmark(group="10,000 runs")
def test_all_rules(benchmark, runs):
    """Every rule, with a KPI."""
    report = benchmark.pedantic(lambda: compare(runs, kpi="val_f1"), rounds=3, iterations=1)
    assert "learning_rate_decides" in {finding.rule for finding in report.findings}


@pytest.mark.benchmark(group="10,000 runs")
def test_params_alone(benchmark, runs):
    """The params, from text to what was varied: the least that any comparison takes."""
    assert len(benchmark.pedantic(lambda: read_params(runs, {}), rounds=3, iterations=1).factors) == 26
