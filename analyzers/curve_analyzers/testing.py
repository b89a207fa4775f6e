"""The promises every rule keeps, for our tests and for a third party's.

In a test of your own rules::

    @pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
    def test_promise(promise):
        promise(MyRule())
"""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Callable, Iterator
from functools import cache
from itertools import product

import numpy as np

from curve_analyzers.analyzer import Analyzer
from curve_analyzers.engine import apply, diagnose
from curve_analyzers.examples import Example
from curve_analyzers.findings import Outcome, Status
from curve_analyzers.model import Floats, Ints, RawCurve, RawRun, RunCurves
from curve_analyzers.rule import HEADINGS, Rule
from curve_analyzers.settle import prepare

__all__ = ["PROMISES", "nasty_runs"]


def fires_on_every_example(rule: Analyzer) -> None:
    """A rule speaks on each run of its `fires`, with a finding a person can use."""
    _promise(bool(rule.fires), f"{rule.name} has no example of a run it speaks on")
    for example in rule.fires:
        run = example.run.build()
        report = diagnose(run, [rule])
        _expect(rule, report.outcomes[0], Status.FOUND, example, "as it is")
        for finding in report.findings:
            _promise(0 <= finding.confidence <= 1, f"{rule.name}: confidence {finding.confidence} on {example.title!r}")
            _promise(set(finding.span.curves) <= set(run.curves), f"{rule.name} names curves the run does not have")
            _promise(finding.span.first_step <= finding.span.last_step, f"{rule.name} ends before it begins")
            _promise(bool(finding.message and finding.remedies), f"{rule.name} does not say what to try")
            _promise(0 < len(finding.brief) <= 40, f"{rule.name}: {finding.brief!r} does not fit a tag")  # noqa: PLR2004


def quiet_on_every_example(rule: Analyzer) -> None:
    """A rule is silent on each run of its `quiet`."""
    _promise(bool(rule.quiet), f"{rule.name} has no example of a run it is silent on")
    for example in rule.quiet:
        _expect(rule, _outcome(rule, example.run.build()), None, example, "as it is")


def same_verdict_in_another_unit(rule: Analyzer) -> None:
    """Losses a thousand times smaller or larger change nothing: no loss is good or bad in itself."""
    _same(rule, "in another unit", {"scale": 1e-3}, {"scale": 1e3})


def same_verdict_twice_as_dense(rule: Analyzer) -> None:
    """The same run, logged twice as often, is judged the same."""
    _same(rule, "twice as dense", {"density": 2})


def same_verdict_on_shifted_steps(rule: Analyzer) -> None:
    """Steps that begin elsewhere (a resumed run) change nothing."""
    _same(rule, "on shifted steps", {"offset": 1_000_000})


def never_raises(rule: Analyzer) -> None:
    """NaN, infinities, empty and one-point curves, constants, repeated and rewound steps crash no rule."""
    for run in nasty_runs():
        outcome = _outcome(rule, run)
        _promise(outcome.status is not Status.CRASHED, f"{rule.name} crashed on {run.name}: {outcome.reason}")


def survives_pickling(rule: Rule) -> None:
    """A rule goes to another process and comes back equal."""
    _promise(pickle.loads(pickle.dumps(rule)) == rule, f"{rule.name} changes when pickled")  # noqa: S301 - our own bytes


def skips_what_it_cannot_judge(rule: Analyzer) -> None:
    """Without any curve a rule is skipped, with a reason: not checked is not healthy."""
    outcome = _outcome(rule, prepare(RawRun("example", "example", "empty", ())))
    _promise(
        outcome.status is Status.SKIPPED and bool(outcome.reason), f"{rule.name} is {outcome.status.value} on no curve"
    )


def is_documented(rule: Rule) -> None:
    """A rule says what, why, what to try, when it is wrong, and where it comes from."""
    _promise(bool(rule.summary) and rule.summary.endswith("."), f"{rule.name} has no sentence as its summary")
    _promise(tuple(rule.sections) == HEADINGS, f"{rule.name} has the headings {tuple(rule.sections)}, not {HEADINGS}")
    for title, text in rule.sections.items():
        _promise(bool(text), f"{rule.name} says nothing under {title!r}")


def lives_in_the_file_of_its_name(rule: Rule) -> None:
    """Someone who looks for a rule by its name finds it."""
    file = inspect.getfile(type(rule)).replace("\\", "/")
    _promise(file.endswith(f"/{rule.name}.py"), f"{rule.name} lives in {file}")


PROMISES: tuple[Callable[[Analyzer], None], ...] = (
    fires_on_every_example,
    quiet_on_every_example,
    same_verdict_in_another_unit,
    same_verdict_twice_as_dense,
    same_verdict_on_shifted_steps,
    never_raises,
    survives_pickling,
    skips_what_it_cannot_judge,
    is_documented,
    lives_in_the_file_of_its_name,
)


NASTY_ROLES = (
    "train_loss",
    "val_loss",
    "val_accuracy",
    "val_f1",
    "train_accuracy",
    "test_loss",
    "learning_rate",
    "reward",
    "val_precision",
    "val_recall",
    "train_r2",
    "gradient_norm",
    "layer1_gradient_norm",
    "layer2_gradient_norm",
    "throughput",
    "step_time",
    "gpu_utilization",
    "gpu_memory",
    "memory",
    "epoch",
)


@cache
def nasty_runs() -> tuple[RunCurves, ...]:
    """Runs no rule may crash on: every nasty curve as each role, alone and beside every other."""
    return tuple(_nasty_runs())


def _nasty_runs() -> Iterator[RunCurves]:
    curves, names = _nasty_curves(), NASTY_ROLES
    for title, clocked in _nasty_clocks().items():
        yield prepare(RawRun("example", "example", title, [RawCurve(name, *clocked) for name in names]))
    for (first, one), (second, other) in product(curves.items(), curves.items()):
        raw = [RawCurve(name, *(one if index % 2 else other)) for index, name in enumerate(names)]
        yield prepare(RawRun("example", "example", f"{first} beside {second}", raw))
    for (title, curve), name in product(curves.items(), names):
        yield prepare(RawRun("example", "example", f"{title} as {name} alone", [RawCurve(name, *curve)]))


def _nasty_clocks() -> dict[str, tuple[Ints, Floats, Floats]]:
    count = np.arange(12)
    clocks = {
        "a clock that stands": np.full(12, 1.7e9),
        "a clock that goes back": 1.7e9 - 60.0 * count,
        "a clock with holes": np.where(count % 3 == 0, np.nan, 1.7e9 + 60.0 * count),
        "a clock that jumps": 1.7e9 * count,
        "an infinite clock": np.full(12, np.inf),
    }
    return {title: (count.astype(np.int64), 1.0 / (count + 1), times) for title, times in clocks.items()}


def _nasty_curves() -> dict[str, tuple[Ints, Floats]]:
    random = np.random.default_rng(0)
    count, long = np.arange(12), np.arange(5000)
    nan, inf = np.full(12, np.nan), np.full(12, np.inf)
    curves = {
        "empty": (count[:0], nan[:0]),
        "one point": (count[:1], np.ones(1)),
        "two points": (count[:2], np.array([1.0, 0.5])),
        "constant": (count, np.ones(12)),
        "zero": (count, np.zeros(12)),
        "all NaN": (count, nan),
        "all infinite": (count, inf),
        "NaN and one value": (count, np.r_[nan[:-1], 1.0]),
        "some NaN": (count, np.where(count % 3 == 0, np.nan, 1.0 / (count + 1))),
        "huge": (count, np.geomspace(1, 1.7e308, 12)),
        "huge and negative": (count, (-1.0) ** count * 1.7e308),
        "tiny": (count, np.geomspace(1e-320, 1e-300, 12)),
        "repeated steps": (count // 4, random.random(12)),
        "one step": (count * 0, random.random(12)),
        "rewound steps": (np.r_[count[:8], count[4:8]], random.random(12)),
        "negative steps": (-count, random.random(12)),
        "largest steps": (count + np.iinfo(np.int64).max - 12, random.random(12)),
        "negative values": (count, -random.random(12)),
        "noise": (long, random.standard_normal(5000)),
    }
    return {title: (steps.astype(np.int64), values.astype(np.float64)) for title, (steps, values) in curves.items()}


def _outcome(rule: Analyzer, run: RunCurves) -> Outcome:
    with np.errstate(all="ignore"):
        return apply(rule, run)[0]


def _same(rule: Analyzer, how: str, *changes: dict[str, float]) -> None:
    for change in changes:
        for example in rule.fires:
            _expect(rule, _outcome(rule, example.run.build(**change)), Status.FOUND, example, how)  # type: ignore[arg-type]
        for example in rule.quiet:
            _expect(rule, _outcome(rule, example.run.build(**change)), None, example, how)  # type: ignore[arg-type]


def _expect(rule: Analyzer, outcome: Outcome, wanted: Status | None, example: Example, how: str) -> None:
    """`wanted` None stands for silence, whether the rule was clear or skipped."""
    silent = outcome.status in {Status.CLEAR, Status.SKIPPED}
    _promise(
        silent if wanted is None else outcome.status is wanted,
        f"{rule.name} is {outcome.status.value} on {example.title!r} {how} {outcome.reason}",
    )


def _promise(kept: bool, words: str) -> None:  # noqa: FBT001 - reads as the sentence it stands for
    if not kept:
        raise AssertionError(words)
