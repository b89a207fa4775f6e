"""Three questions before any rule: does the training loss fall, does the held-out loss, do the scores agree?"""

from __future__ import annotations

from collections.abc import Mapping

from curve_analyzers.findings import VitalSign
from curve_analyzers.model import Role, RunCurves, Split
from curve_analyzers.progress import Progress, measure, measure_all
from curve_analyzers.saying import enumerated, say
from curve_analyzers.wording import figure, percent

__all__ = ["vital_signs"]

LEAST = 6  # points below which no direction is told
LEAST_WORTH = 0.02  # of the way to the best value; less is no learning, however smooth
KEPT = 0.9  # of its fall a curve must still have at the end to count as falling


def vital_signs(run: RunCurves) -> Mapping[str, VitalSign]:
    """`loss_falls`, `val_falls` and `metrics_agree`, each yes, no or unknown with the evidence."""
    return {
        "loss_falls": _falls(run, run.training, say("no training curve was logged")),
        "val_falls": _falls(run, run.held_out, say("no held-out curve was logged")),
        "metrics_agree": _agree(run),
    }


def _falls(run: RunCurves, roles: tuple[Role, ...], missing: str) -> VitalSign:
    if not roles:
        return VitalSign(None, missing)
    role = roles[0]
    name, points = run.roles[role], len(run[role])
    if points < LEAST:
        return VitalSign(None, say("{name} has {points} usable points, too few to tell", name=name, points=points))
    progress = measure(run, role)
    way = say("improved") if role.measures.kind.value != "loss" else say("fell")
    if not progress.fell:
        return VitalSign(False, say("{name} never {way} beyond its noise", name=name, way=way))
    if progress.worth < LEAST_WORTH:
        return VitalSign(
            False,
            say(
                "{name} {way} by no more than {worth} of the way it had",
                name=name,
                way=way,
                worth=percent(progress.worth),
            ),
        )
    start, best, end = (figure(progress.shown(cost)) for cost in (progress.start, progress.best_value, progress.end))
    if _kept(progress):
        return VitalSign(True, say("{name} {way} from {start} to {end}", name=name, way=way, start=start, end=end))
    return VitalSign(
        False,
        say(
            "{name} {way} from {start} to {best} at step {best_step}, then went to {end}",
            name=name,
            way=way,
            start=start,
            best=best,
            best_step=progress.best_step,
            end=end,
        ),
    )


def _agree(run: RunCurves) -> VitalSign:
    """Scores agree when each went the way of the loss measured on the same data."""
    told: list[str] = []
    for split in (Split.VAL, Split.TEST, Split.TRAIN):
        loss = Role(split, "loss")
        if loss not in run or len(run[loss]) < LEAST:
            continue
        loss_better = _ends_better(measure(run, loss))
        for score in measure_all(run, run.scores(split), LEAST):
            if _ends_better(score) != loss_better:
                names = {"loss": run.roles[loss], "score": score.name}
                stayed = say("{loss} improved, {score} did not", **names)
                return VitalSign(False, stayed if loss_better else say("{loss} did not improve, {score} did", **names))
            told.append(score.name)
        if told:
            return VitalSign(
                True, say("{told} went the way of {loss}", told=enumerated(told[:4]), loss=run.roles[loss])
            )
    return VitalSign(None, say("no score was logged beside a loss on the same data"))


def _ends_better(progress: Progress) -> bool:
    return progress.fell and progress.worth >= LEAST_WORTH and _kept(progress)


def _kept(progress: Progress) -> bool:
    return progress.rise <= (1 - KEPT) * progress.fall or not progress.rose
