"""One run as its siblings see it: a few numbers and its params, without its curves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from curve_analyzers.findings import Report, Severity
from curve_analyzers.hyperparameters import Meaning, learning_rate, meaning_of
from curve_analyzers.model import Curve, Role, RunCurves
from curve_analyzers.progress import measure
from curve_analyzers.quantities import Direction
from curve_analyzers.signal import noise

__all__ = ["PARENT", "RunSummary", "Score", "summarize"]

PARENT = "mlflow.parentRunId"  # the tag of a child run: its sweep's run
RATE_OF_CURVE = "learning_rate"  # the param that a logged curve of the rate stands for
LAST = 0.1  # of a curve without a role, the stretch whose median is its value
RUINED = frozenset({"divergence", "non_finite"})
FROM_SYSTEM = "system/"  # MLflow's own metrics of the machine


@dataclass(frozen=True, slots=True)
class Score:
    """One curve of a run in numbers.

    Attributes:
        name: The curve's name.
        role: What it is, `val_loss`; empty for a curve without a role.
        higher: Whether higher is better; None where nobody knows.
        best: Its best level as logged, NaN where it has no finite point; of a curve without a role the last.
        last: Its last level.
        error: The standard error of a level, from the curve's own noise.
    """

    name: str
    role: str
    higher: bool | None
    best: float
    last: float
    error: float

    @property
    def cost(self) -> float:
        """The best level, its sign turned where needed so that lower is better; infinite where there is none."""
        value = -self.best if self.higher else self.best
        return value if np.isfinite(value) else float("inf")

    @property
    def last_cost(self) -> float:
        """The last level, likewise."""
        value = -self.last if self.higher else self.last
        return value if np.isfinite(value) else float("inf")


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run in numbers; plain and picklable, so that ten thousand are compared without their curves.

    Attributes:
        run_id: What names it in its store.
        name: What people call it.
        verdict: As of its own report.
        status: As of its own report, `warning`.
        shows: The rules that found something of `warning` or worse.
        params: What it logged of how it was trained; a learning rate that was logged as a curve is one of them.
        judged: The name of the score it is judged on: held out where it has one.
        training: The name of the same quantity in training; empty where there is none.
        scores: Every curve by its name.
        seconds: From its first point to its last; NaN where no time was logged.
        points: Of its longest curve.
        parent: The id of the run it is a child of, as sweeps make them; empty for none.
        state: The store's word for the run's state, `FINISHED`.
    """

    run_id: str
    name: str
    verdict: str
    status: str
    shows: tuple[str, ...] = ()
    params: Mapping[str, str] = field(default_factory=dict)
    judged: str = ""
    training: str = ""
    scores: Mapping[str, Score] = field(default_factory=dict)
    seconds: float = float("nan")
    points: int = 0
    parent: str = ""
    state: str = ""

    @property
    def score(self) -> Score | None:
        """What it is judged on."""
        return self.scores.get(self.judged)

    @property
    def ruined(self) -> bool:
        """Whether it lost what it had learned, so that it stands behind all that did not."""
        return self.status == "critical" and self.verdict in RUINED

    @property
    def gap(self) -> float:
        """How much worse it ended held out than in training; NaN where not both were logged."""
        held_out, training = self.score, self.scores.get(self.training)
        if held_out is None or training is None:
            return float("nan")
        with np.errstate(invalid="ignore"):
            return held_out.last_cost - training.last_cost


def summarize(report: Report) -> RunSummary:
    """What comparing a run with others needs of its report."""
    run = report.run
    held_out, training = _compared(run)
    curves = [curve for curve in run.curves.values() if len(curve)]
    return RunSummary(
        run_id=run.run_id,
        name=run.name,
        verdict=report.verdict,
        status=report.status,
        shows=tuple(dict.fromkeys(each.rule for each in report.findings if each.severity > Severity.INFO)),
        params=_params(run),
        judged=run.roles[held_out] if held_out else "",
        training=run.roles[training] if training else "",
        scores={score.name: score for score in _scores(run)},
        seconds=_seconds(curves),
        points=max(map(len, curves), default=0),
        parent=run.tags.get(PARENT, ""),
        state=run.status,
    )


def _compared(run: RunCurves) -> tuple[Role | None, Role | None]:
    """The role a run is judged on among others, and the one beside it in training.

    Of a quantity that was logged on both where there is one: its gap tells more than the quantity itself.
    """
    if pairs := run.pairs():
        return pairs[0][1], pairs[0][0]
    judged = run.held_out or run.training
    return (judged[0] if judged else None), None


def _params(run: RunCurves) -> dict[str, str]:
    params = dict(run.params)
    if all(meaning_of(name) is not Meaning.LEARNING_RATE for name in params):
        rate = learning_rate(run)
        if rate is not None and np.isfinite(rate):
            params[RATE_OF_CURVE] = f"{rate:.6g}"
    return params


def _scores(run: RunCurves) -> Iterator[Score]:
    roles = {name: role for role, name in run.roles.items()}
    with np.errstate(all="ignore"):
        for name, curve in run.curves.items():
            role = roles.get(name)
            if role is not None and role.measures.judged:
                yield _of_role(run, role)
            elif not name.startswith(FROM_SYSTEM) and len(finite := curve.finite()):
                yield _without_role(finite, role)


def _of_role(run: RunCurves, role: Role) -> Score:
    higher = role.measures.direction is Direction.HIGHER
    if not len(run[role]):
        nan = float("nan")
        return Score(run.roles[role], role.name, higher, nan, nan, nan)
    progress = measure(run, role)
    best, last = progress.shown(progress.best), progress.shown(progress.end)
    return Score(run.roles[role], role.name, higher, best, last, float(progress.error))


def _without_role(curve: Curve, role: Role | None) -> Score:
    stretch = curve.values[-max(1, round(LAST * len(curve))) :]
    last = float(np.median(stretch))
    return Score(curve.name, role.name if role else "", None, last, last, noise(curve.values) / len(stretch) ** 0.5)


def _seconds(curves: list[Curve]) -> float:
    timed = [curve.wall_times for curve in curves if curve.wall_times is not None and len(curve.wall_times) > 1]
    if not timed:
        return float("nan")
    # The first point stands for the end of what was done before it, so a run of n points took n such stretches.
    longest = max(timed, key=len)
    took = max(float(np.max(times)) for times in timed) - min(float(np.min(times)) for times in timed)
    return took * len(longest) / (len(longest) - 1)
