"""Runs of four curves of 500 points, judged by every rule: curves a second, and what each rule takes of the time.

    python -m pytest -n0 tests/benchmarks/test_judging_speed.py --benchmark-only [--share 0.1]

The whole takes 100,000 curves. They are the examples of all rules, those they speak on and those they do not, each
with the noise of a seed of its own.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from itertools import cycle, islice

import numpy as np
import pytest

from curve_analyzers.engine import apply, diagnose
from curve_analyzers.model import RunCurves
from curve_analyzers.progress import measure
from curve_analyzers.registry import all_rules

CURVES, POINTS, MOST = 100_000, 500, 0.1
MEASURING = "measuring, once for all rules"


@pytest.fixture(scope="module")
def runs(request):
    """Example runs of 500 points, as many as make up the curves; each is made once and noise is added when judged."""
    examples = [example for rule in all_rules() for example in (*rule.fires, *rule.quiet)]
    built = [replace(example.run, points=POINTS, sparse={}).build() for example in examples]
    wanted = int(CURVES * request.config.getoption("share"))
    curves = [curve for run in built for curve in run.curves]
    chosen = list(islice(cycle(built), round(wanted * len(built) / len(curves))))
    return chosen, sum(len(run.curves) for run in chosen)


def fresh(run: RunCurves, seed: int) -> RunCurves:
    """The run with a little noise of its own, so that nothing measured before can serve."""
    random = np.random.default_rng(seed)
    curves = {
        name: replace(curve, values=curve.values * (1 + 1e-6 * random.standard_normal(len(curve))))
        for name, curve in run.curves.items()
    }
    return replace(run, curves=curves)


def test_every_rule_on_every_curve(benchmark, runs):
    """All rules on all curves, on one core; 100,000 curves in ten minutes are 167 a second."""
    chosen, curves = runs

    def judge():
        for seed, run in enumerate(chosen):
            diagnose(fresh(run, seed))

    benchmark.pedantic(judge, rounds=1)
    benchmark.extra_info["curves a second"] = round(curves / benchmark.stats.stats.median)
    assert curves / benchmark.stats.stats.median > CURVES / 600


def test_no_rule_takes_more_than_its_share(benchmark, runs):
    """The time of each rule, where the measurement that they share is counted by itself."""
    taken: Counter[str] = Counter()

    def judge():
        for seed, run in enumerate(islice(runs[0], 2000)):
            each = fresh(run, seed)
            at = time.perf_counter()
            with np.errstate(all="ignore"):
                for role in each.roles:
                    if len(each[role]):
                        measure(each, role)
                taken[MEASURING] += (now := time.perf_counter()) - at
                for rule in all_rules():
                    at = now
                    apply(rule, each)
                    taken[rule.name] += (now := time.perf_counter()) - at

    benchmark.pedantic(judge, rounds=1)
    total = taken.total()
    shares = {name: seconds / total for name, seconds in taken.most_common()}
    benchmark.extra_info["shares"] = {name: f"{share:.1%}" for name, share in islice(shares.items(), 12)}
    assert {name: share for name, share in shares.items() if share > MOST and name != MEASURING} == {}
