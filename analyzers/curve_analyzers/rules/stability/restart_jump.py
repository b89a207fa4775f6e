"""The rule `restart_jump`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from curve_analyzers.analyzer import Analyzer, Need, threshold
from curve_analyzers.examples import Example, decay, kick, run
from curve_analyzers.findings import Finding, Severity, Span
from curve_analyzers.jumps import Jump, jump_at
from curve_analyzers.model import Curve, Floats, Ints, Role, RunCurves
from curve_analyzers.saying import say
from curve_analyzers.signal import certainty
from curve_analyzers.wording import fall_or_rise, percent

HOUR = 3600.0


def _resumed(steps: Ints) -> Ints:
    """Steps of a run that died at three fifths and went on from the checkpoint at half."""
    return np.asarray(np.where(5 * steps < 3 * steps.max(), steps, steps - steps.max() // 10), np.int64)


def _paused(progress: Floats) -> Floats:
    """Seconds of a run that stood still for an hour at half."""
    return np.asarray(600.0 * progress + np.where(progress < 0.5, 0.0, HOUR), np.float64)  # noqa: PLR2004 - half


@dataclass(frozen=True, kw_only=True)
class RestartJump(Analyzer):
    """The loss jumps where training was resumed.

    ## Why it matters
    Something was lost between the checkpoint and the resume: the optimizer's moments, the step of the schedule, the
    running statistics of the normalization, or some of the weights. The steps that follow only win back what was
    there.

    ## What to try
    Save and load the state of optimizer, scheduler, gradient scaler and random generators beside the weights. Check
    that the learning rate goes on where it stopped instead of warming up anew, and that the data goes on too.

    ## When it is wrong
    When the jump was wanted: another data set, another loss or a new phase that began with the resume.

    ## Source
    PyTorch, "Saving and Loading a General Checkpoint": what must be kept to resume.
    """

    needs = (Need.LEARNING,)
    vouches = False
    explains = (
        "divergence",
        "loss_spikes",
        "oscillation",
        "overfitting",
        "not_converged",
        "learning_rate_jump",
        "exploding_gradients",
        "stalled_training",
    )

    pause: float = threshold(10.0, "time between two points over the usual, from which training may have stopped", gt=1)
    most: float = threshold(5, "pauses up to which they are taken for resumes; what is regular is an evaluation", ge=1)
    height: float = threshold(0.03, "height of the jump as a share of the fall up to there", gt=0)
    regained: float = threshold(0.25, "share of the height that is won back afterwards", ge=0, le=1)

    fires = (
        Example("after an hour's pause", run(train_loss=decay().plus(kick(1.0, 0.5)), clock=_paused)),
        Example("at a step that went back", run(train_loss=decay().plus(kick(1.0, 0.6)), steps=_resumed)),
        Example("per step, noisy", run(2000, train_loss=decay(noise=0.1).plus(kick(1.0, 0.5, 30)), clock=_paused)),
        Example("12 epochs", run(12, train_loss=decay(rate=4).plus(kick(1.2, 0.5, 6)), clock=_paused)),
        Example("only scores", run(train_accuracy=decay(0.1, 0.9).plus(kick(-0.4, 0.5)), clock=_paused)),
    )
    quiet = (
        Example("a clean resume after a pause", run(train_loss=decay(), clock=_paused)),
        Example("a clean resume from a checkpoint", run(train_loss=decay(), steps=_resumed)),
        Example("a clean resume, noisy", run(2000, train_loss=decay(noise=0.2), clock=_paused)),
        Example("a spike elsewhere", run(train_loss=decay().bumped({0.8: 1.5}), clock=_paused)),
        Example("a jump without a resume", run(train_loss=decay().plus(kick(1.0, 0.5)))),
        Example(
            "a pause for every evaluation",
            run(600, train_loss=decay(noise=0.1), clock=lambda progress: 600 * progress + 60 * (40 * progress // 1)),
        ),
    )

    def check(self, run: RunCurves) -> Iterator[Finding]:
        """Judge the curves the run is judged on in training at each resume; the highest jump speaks for the run."""
        told = [
            (jump, role, how)
            for role in run.learning
            if len(run[role]) >= self.least
            for index, how in self._resumes(run[role]).items()
            if self._hurts(jump := jump_at(run.cost(role), index), run.cost(role))
        ]
        if told:
            yield self._finding(run, *max(told, key=lambda each: each[0].height / (each[0].limit or 1.0)))

    def _resumes(self, curve: Curve) -> dict[int, str]:
        """The first point after each resume that the steps or the clock show, and what showed it."""
        found: dict[int, str] = {}
        if curve.wall_times is not None and np.isfinite(curve.wall_times).all():
            apart = np.diff(curve.wall_times)
            # Clocks of whole seconds show most steps of a fast run at one moment: then the mean of the others counts.
            others = np.sort(apart)[: -int(self.most)]
            usual = max(float(np.median(apart)), float(others.mean()) if len(others) else 0.0)
            long = np.flatnonzero((apart > self.pause * usual) & (usual > 0)) + 1
            if len(long) <= self.most:
                found = {
                    int(index): say("after a pause of {pause}", pause=_time(float(apart[index - 1]))) for index in long
                }
        for step in curve.restarts:
            index = int(np.searchsorted(curve.steps, step))
            found[index] = say("where the step went back")
        return {index: how for index, how in found.items() if 1 < index < len(curve) - 1}

    def _hurts(self, jump: Jump, cost: Curve) -> bool:
        fall = float(cost.values[0]) - jump.before
        return jump.height > max(jump.limit, self.height * fall) and jump.regained >= self.regained

    def _finding(self, run: RunCurves, jump: Jump, role: Role, how: str) -> Finding:
        name, shown = run.roles[role], role.measures.shown
        before, after = shown(jump.before), shown(jump.after)
        back = (
            say("was back at step {recovered}", recovered=jump.recovered)
            if jump.recovered is not None
            else say("was not back by the end")
        )
        fall = float(run.cost(role).values[0]) - jump.before
        last = int(run[role].steps[-1])
        return self.finding(
            Severity.WARNING,
            min(certainty(jump.height, max(jump.limit, self.height * fall)), 0.97),
            Span((name,), jump.step, last if jump.recovered is None else jump.recovered),
            say("{change} at the resume, step {step}", change=fall_or_rise(before, after), step=jump.step),
            say(
                "{name} jumped from {before:.4g} to {after:.4g} at step {step}, {how}, and {back}: "
                "{lost} of the run went into winning it back.",
                name=name,
                before=before,
                after=after,
                step=jump.step,
                how=how,
                back=back,
                lost=percent(jump.lost),
            ),
            {
                "step": jump.step,
                "before": before,
                "after": after,
                "recovered_step": jump.recovered,
                "lost_share_of_run": jump.lost,
                "resume_seen": how,
            },
            (
                say(
                    "Save and load the states of optimizer, learning-rate schedule and gradient scaler with "
                    "the weights."
                ),
                say("Compare the learning rate and one evaluation right before and right after a resume."),
                say("Let the data go on where it stopped, with the random generators' states."),
            ),
        )


def _time(seconds: float) -> str:
    return (
        say("{seconds:.0f} s", seconds=seconds)
        if seconds < 2 * HOUR
        else say("{seconds:.1f} h", seconds=seconds / HOUR)
    )
