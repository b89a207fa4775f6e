"""Which of the runs that were logged together can be compared, and by what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from curve_analyzers.experiment.summary import RunSummary, Score
from curve_analyzers.saying import say
from curve_analyzers.wording import count

__all__ = ["comparable", "kpi_of"]

UNFINISHED = frozenset({"RUNNING", "SCHEDULED"})


def comparable(runs: Iterable[RunSummary]) -> tuple[tuple[RunSummary, ...], str, tuple[str, ...]]:
    """The runs that can be compared, in the order of their ids; by which role; a sentence for each group left out.

    - The parent of a sweep is no run of its own: its params go to its children, which may have logged only their own.
    - A run that still goes on is not compared with those that ended, unless none or few ever say that they ended.
    - Runs are compared by the quantity that most of them are judged on; the others are another kind of run.
    """
    every = {run.run_id: run for run in sorted(runs, key=lambda run: run.run_id)}
    parents = {run.parent for run in every.values() if run.parent in every}
    kept = [_with_params(run, every) for run in every.values() if run.run_id not in parents]
    notes = (
        [say("{runs} with child runs: their children are compared", runs=count(len(parents), "run"))] if parents else []
    )
    going_on = [run for run in kept if run.state in UNFINISHED]
    if going_on and 2 * len(going_on) < len(kept):
        kept = [run for run in kept if run.state not in UNFINISHED]
        notes.append(say("{runs} that did not end yet", runs=count(len(going_on), "run")))
    judged = Counter(what for run in kept if (what := _judged(run)))
    if not judged:
        return (
            (),
            "",
            (*notes, *([say("{runs} without a loss or a score", runs=count(len(kept), "run"))] if kept else [])),
        )
    by, _ = min(judged.items(), key=lambda item: (-item[1], item[0]))
    if without := sum(not _judged(run) for run in kept):
        notes.append(say("{runs} without a loss or a score", runs=count(without, "run")))
    if other := sum(_judged(run) not in {"", by} for run in kept):
        notes.append(say("{runs} judged on something else than {by}", runs=count(other, "run"), by=by))
    return tuple(run for run in kept if _judged(run) == by), by, tuple(notes)


def kpi_of(run: RunSummary, kpi: str) -> Score | None:
    """The score of a run that the user means: a curve's name, a role's, or the end of a name (`recall`)."""
    if kpi in run.scores:
        return run.scores[kpi]
    named = [score for score in run.scores.values() if score.role == kpi]
    ending = [score for name, score in sorted(run.scores.items()) if name.lower().endswith(kpi.lower())]
    return next(iter([*named, *ending]), None)


def _judged(run: RunSummary) -> str:
    return (score.role or score.name) if (score := run.score) else ""


def _with_params(run: RunSummary, every: Mapping[str, RunSummary]) -> RunSummary:
    """A run with what its ancestors logged and it did not."""
    params, seen, parent = dict(run.params), {run.run_id}, run.parent
    while parent in every and parent not in seen:
        seen.add(parent)
        params = {**every[parent].params, **params}
        parent = every[parent].parent
    return run if params == run.params else replace(run, params=params)
