"""The promises suite itself: a rule that breaks a promise is told so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from curve_analyzers import testing
from curve_analyzers.analyzer import Analyzer, Need
from curve_analyzers.examples import Example, decay, flat, run
from curve_analyzers.findings import Finding, Severity, Span
from curve_analyzers.model import Role, RunCurves


@dataclass(frozen=True, kw_only=True)
class HighLoss(Analyzer):
    """The loss is above 2"""  # noqa: D415 - the promise it breaks

    needs = (Need.TRAINING,)
    fires = (Example("a high loss", run(train_loss=flat(2.3))),)
    quiet = (Example("a low loss", run(train_loss=flat(1.0))),)

    def check(self, run: RunCurves) -> Iterator[Finding]:
        curve = run[Role.TRAIN_LOSS]
        if curve.values[-1] > 2:
            span = Span((curve.name,), 0, 1)
            yield self.finding(Severity.WARNING, 1.0, span, "high", "The loss is high.", {}, ("Lower it.",))


@dataclass(frozen=True, kw_only=True)
class NeverSpeaks(Analyzer):
    """A rule that finds nothing."""

    needs = (Need.TRAINING,)
    fires = (Example("anything", run(train_loss=decay())),)

    def check(self, run: RunCurves) -> Iterator[Finding]:
        yield from ()


@dataclass(frozen=True, kw_only=True)
class AlwaysCrashes(Analyzer):
    """A rule with a bug."""

    def check(self, run: RunCurves) -> Iterator[Finding]:
        raise ZeroDivisionError(run.name)


@pytest.mark.parametrize(
    ("promise", "rule", "words"),
    [
        (testing.same_verdict_in_another_unit, HighLoss(), "in another unit"),
        (testing.is_documented, HighLoss(), "no sentence as its summary"),
        (testing.lives_in_the_file_of_its_name, HighLoss(), "lives in"),
        (testing.fires_on_every_example, NeverSpeaks(), "is clear on 'anything'"),
        (testing.quiet_on_every_example, NeverSpeaks(), "no example of a run it is silent on"),
        (testing.never_raises, AlwaysCrashes(), "ZeroDivisionError"),
        (testing.skips_what_it_cannot_judge, AlwaysCrashes(), "crashed on no curve"),
    ],
    ids=lambda value: getattr(value, "__name__", None) or getattr(value, "name", None),
)
def test_a_broken_promise_is_told(promise, rule, words):
    """Each promise fails, in words, on a rule that breaks it."""
    with pytest.raises(AssertionError, match=words):
        promise(rule)


def test_a_promise_kept_says_nothing():
    """The same rule passes where it is right."""
    testing.fires_on_every_example(HighLoss())
    testing.same_verdict_on_shifted_steps(HighLoss())
