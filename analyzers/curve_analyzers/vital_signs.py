"""Three questions before any rule: does the training loss fall, does the held-out loss, do the scores agree?"""

from __future__ import annotations

from collections.abc import Mapping

from curve_analyzers.findings import VitalSign
from curve_analyzers.model import Role, RunCurves, Split
from curve_analyzers.progress import Progress, measure, measure_all
from curve_analyzers.wording import figure, percent

__all__ = ["vital_signs"]

LEAST = 6  # points below which no direction is told
LEAST_WORTH = 0.02  # of the way to the best value; less is no learning, however smooth
KEPT = 0.9  # of its fall a curve must still have at the end to count as falling


def vital_signs(run: RunCurves) -> Mapping[str, VitalSign]:
    """`loss_falls`, `val_falls` and `metrics_agree`, each yes, no or unknown with the evidence."""
    return {
        "loss_falls": _falls(run, run.training, "no training curve was logged"),
        "val_falls": _falls(run, run.held_out, "no held-out curve was logged"),
        "metrics_agree": _agree(run),
    }


def _falls(run: RunCurves, roles: tuple[Role, ...], missing: str) -> VitalSign:
    if not roles:
        return VitalSign(None, missing)
    role = roles[0]
    name, points = run.roles[role], len(run[role])
    if points < LEAST:
        return VitalSign(None, f"{name} has {points} usable points, too few to tell")
    progress = measure(run, role)
    way = "improved" if role.measures.kind.value != "loss" else "fell"
    if not progress.fell:
        return VitalSign(False, f"{name} never {way} beyond its noise")
    if progress.worth < LEAST_WORTH:
        return VitalSign(False, f"{name} {way} by no more than {percent(progress.worth)} of the way it had")
    start, best, end = (figure(progress.shown(cost)) for cost in (progress.start, progress.best_value, progress.end))
    if _kept(progress):
        return VitalSign(True, f"{name} {way} from {start} to {end}")
    return VitalSign(False, f"{name} {way} from {start} to {best} at step {progress.best_step}, then went to {end}")


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
                ways = ("improved", "did not") if loss_better else ("did not improve", "did")
                return VitalSign(False, f"{run.roles[loss]} {ways[0]}, {score.name} {ways[1]}")
            told.append(score.name)
        if told:
            return VitalSign(True, f"{', '.join(told[:4])} went the way of {run.roles[loss]}")
    return VitalSign(None, "no score was logged beside a loss on the same data")


def _ends_better(progress: Progress) -> bool:
    return progress.fell and progress.worth >= LEAST_WORTH and _kept(progress)


def _kept(progress: Progress) -> bool:
    return progress.rise <= (1 - KEPT) * progress.fall or not progress.rose
