"""The promises every rule over many runs keeps, for our tests and for a third party's.

In a test of your own rules::

    @pytest.mark.parametrize("promise", EXPERIMENT_PROMISES, ids=lambda promise: promise.__name__)
    def test_promise(promise):
        promise(MyRule())
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from curve_analyzers.experiment.analyzer import ExperimentAnalyzer
from curve_analyzers.experiment.engine import compare
from curve_analyzers.experiment.examples import SweepExample, outcome, sweep
from curve_analyzers.experiment.findings import ExperimentReport
from curve_analyzers.experiment.summary import RunSummary, Score
from curve_analyzers.findings import Status
from curve_analyzers.testing import is_documented, lives_in_the_file_of_its_name, survives_pickling

__all__ = ["EXPERIMENT_PROMISES", "nasty_experiments"]

SCALES = (1e-3, 1e3)
TAG = 40  # characters of a brief that the MLflow UI shows


def fires_on_every_example(rule: ExperimentAnalyzer) -> None:
    """A rule speaks on each set of its `fires`, with a finding a person can use."""
    _promise(bool(rule.fires), f"{rule.name} has no example of runs it speaks on")
    for example in rule.fires:
        runs = example.sweep.build()
        report = _expect(rule, example, runs, speaks=True, how="as it is")
        for finding in report.findings:
            _promise(0 <= finding.confidence <= 1, f"{rule.name}: confidence {finding.confidence} on {example.title!r}")
            _promise(bool(finding.runs), f"{rule.name} names no run on {example.title!r}")
            _promise(set(finding.runs) <= {run.run_id for run in runs}, f"{rule.name} names runs that are not there")
            known = {name for run in runs for name in run.params}
            _promise(set(finding.params) <= known, f"{rule.name} names params that are not there")
            _promise(bool(finding.message and finding.remedies), f"{rule.name} does not say what to try")
            _promise(0 < len(finding.brief) <= TAG, f"{rule.name}: {finding.brief!r} does not fit a tag")


def quiet_on_every_example(rule: ExperimentAnalyzer) -> None:
    """A rule is silent on each set of its `quiet`."""
    _promise(bool(rule.quiet), f"{rule.name} has no example of runs it is silent on")
    for example in rule.quiet:
        _expect(rule, example, example.sweep.build(), speaks=False, how="as it is")


def same_in_another_unit(rule: ExperimentAnalyzer) -> None:
    """Losses a thousand times smaller or larger change nothing: no loss is good or bad in itself."""
    for scale in SCALES:
        for example, speaks in _examples(rule):
            _expect(rule, example, example.sweep.build(scale=scale), speaks=speaks, how=f"times {scale:g}")


def same_in_any_order(rule: ExperimentAnalyzer) -> None:
    """The order in which runs are given changes no word of any finding."""
    for example, _ in _examples(rule):
        said = [compare(example.sweep.build(order=order), [rule], kpi=example.kpi).findings for order in (None, 1, 2)]
        _promise(said[0] == said[1] == said[2], f"{rule.name} says other things of {example.title!r} in another order")


def skips_what_it_cannot_judge(rule: ExperimentAnalyzer) -> None:
    """Without runs a rule is skipped and says why; without params it does not crash."""
    report = compare([], [rule])
    _promise(report.outcomes[0].status is Status.SKIPPED, f"{rule.name} is not skipped without runs")
    _promise(bool(report.outcomes[0].reason), f"{rule.name} is skipped without a reason")
    bare = [replace(run, params={}) for run in sweep(lambda p: outcome(val_loss=p["lr"]), lr=(1, 2, 3, 4)).build()]
    _promise(
        compare(bare, [rule]).outcomes[0].status is not Status.CRASHED, f"{rule.name} crashes on runs without params"
    )


def never_raises(rule: ExperimentAnalyzer) -> None:
    """Runs that diverged, constants, odd params and a single run crash no rule."""
    for title, runs in nasty_experiments():
        for kpi in (None, "val_f1", "nothing"):
            ended = compare(runs, [rule], kpi=kpi).outcomes[0]
            _promise(ended.status is not Status.CRASHED, f"{rule.name} crashed on {title}: {ended.reason}")


def survives_pickling_over_many_runs(rule: ExperimentAnalyzer) -> None:
    """A rule and what it is given go to another process and come back equal."""
    survives_pickling(rule)
    for example, _ in _examples(rule):
        runs = example.sweep.build()
        _promise(pickle.loads(pickle.dumps(runs)) == runs, "summaries change when pickled")  # noqa: S301 - our own bytes


EXPERIMENT_PROMISES: tuple[Callable[[ExperimentAnalyzer], None], ...] = (
    fires_on_every_example,
    quiet_on_every_example,
    same_in_another_unit,
    same_in_any_order,
    skips_what_it_cannot_judge,
    never_raises,
    survives_pickling_over_many_runs,
    is_documented,
    lives_in_the_file_of_its_name,
)


def nasty_experiments() -> Iterator[tuple[str, list[RunSummary]]]:
    """Sets of runs no rule may crash on, each with a title."""
    plain = sweep(
        lambda p: outcome(train_loss=0.1 * p["lr"], val_loss=0.2 * p["lr"], val_f1=1 / p["lr"]), lr=(1, 2, 3), seeds=4
    ).build()
    yield "one run", plain[:1]
    yield "the same run many times", [replace(plain[0], run_id=f"{place}") for place in range(12)]
    for title, level in {
        "all NaN": float("nan"),
        "all infinite": float("inf"),
        "huge": 1.7e308,
        "tiny": 1e-320,
        "zero": 0.0,
    }.items():
        yield title, [_at(run, level) for run in plain]
        yield f"half {title}", [_at(run, level) if place % 2 else run for place, run in enumerate(plain)]
    texts = ("1e-3", "None", "[64, 64]", "x" * 5000, "1e999", "", "0,5", "true", "\ud800", "-1", "()", "1/3")
    for name in ("lr", "num_layers", "dropout", "n_train", "hidden_sizes", "seed", "depth.__", "", "a b"):
        yield (
            f"odd values of {name!r}",
            [replace(run, params={name: text}) for run, text in zip(plain, texts, strict=True)],
        )
    yield "no scores", [replace(run, scores={}) for run in plain]
    yield (
        "each the parent of the next",
        [replace(run, parent=plain[(place + 1) % len(plain)].run_id) for place, run in enumerate(plain)],
    )
    random = np.random.default_rng(0)
    yield "noise", [_at(run, float(random.standard_normal())) for run in plain]


def _at(run: RunSummary, level: float) -> RunSummary:
    scores = {
        name: Score(name, score.role, score.higher, level, level, abs(level)) for name, score in run.scores.items()
    }
    return replace(run, scores=scores)


def _examples(rule: ExperimentAnalyzer) -> list[tuple[SweepExample, bool]]:
    return [*((example, True) for example in rule.fires), *((example, False) for example in rule.quiet)]


def _expect(
    rule: ExperimentAnalyzer, example: SweepExample, runs: list[RunSummary], *, speaks: bool, how: str
) -> ExperimentReport:
    report = compare(runs, [rule], kpi=example.kpi)
    ended = report.outcomes[0]
    wanted = {Status.FOUND} if speaks else {Status.CLEAR, Status.SKIPPED}
    _promise(ended.status in wanted, f"{rule.name} is {ended.status.value} on {example.title!r} {how} {ended.reason}")
    return report


def _promise(kept: bool, words: str) -> None:  # noqa: FBT001 - reads as the sentence it stands for
    if not kept:
        raise AssertionError(words)
