"""Reports made by hand: what rules and engine would say, without either."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from curve_analyzers.findings import Finding, Outcome, Report, Severity, Span, Status, VitalSign
from curve_analyzers.model import Curve, Floats, Role, RunCurves, Split

SCRIPT = "<script>alert(1)</script>"
IMAGE = '"><img src=x onerror=alert(1)>'
MARKUP = "[red]loss[/red] [link=https://example.org]here[/link]"
ANSI = "\x1b[31mred\x1b[0m\x07 \x1b]8;;https://example.org\x07link\x1b]8;;\x07\u202e"
MATH = r"$\frac{1}{0$ $x^2$"
JAPANESE = "検証/損失"

UNKNOWN = VitalSign(None, "no such curve was logged")


def curve(name: str, values: Floats, steps: Floats | None = None) -> Curve:
    """A curve on the steps 0, 1, 2, ... or on its own."""
    at = np.arange(len(values)) if steps is None else steps
    return Curve(name, np.asarray(at, np.int64), np.asarray(values, np.float64))


def run_of(
    curves: Mapping[Role, Curve],
    *,
    name: str = "mobilenet-finetune",
    extra: Sequence[Curve] = (),
    params: Mapping[str, str] | None = None,
) -> RunCurves:
    """A run from its curves by role, and curves without a role."""
    found = {each.name: each for each in (*curves.values(), *extra)}
    roles = {role: each.name for role, each in curves.items()}
    return RunCurves("mlflow", "0f3c9a17b2d84e5c96a1d0e4b7f25c38", name, found, roles, params or {})


def clear(*rules: str) -> list[Outcome]:
    """Rules that ran and found nothing."""
    return [Outcome(rule, Status.CLEAR) for rule in rules]


def skipped(reason: str, *rules: str) -> list[Outcome]:
    """Rules that could not run."""
    return [Outcome(rule, Status.SKIPPED, reason) for rule in rules]


def overfitting(points: int = 60, noise: float = 0.006) -> Report:
    """Validation turns at 40 %; the accuracy goes on rising, which is a consequence; two rules had no curves."""
    t = np.linspace(0, 1, points)
    random = np.random.default_rng(7)
    last = points - 1
    turn = int(0.4 * points)
    val = np.where(t < 0.4, 0.62 + 1.7 * np.exp(-9 * t), 0.666 + 0.75 * np.clip(t - 0.4, 0, 1) ** 1.2)
    run = run_of(
        {
            Role.TRAIN_LOSS: curve("train/loss", 0.02 + 2.2 * np.exp(-6 * t) + noise * random.standard_normal(points)),
            Role.VAL_LOSS: curve("eval/loss", val + 3 * noise * random.standard_normal(points)),
            Role(Split.TRAIN, "accuracy"): curve("train/accuracy", 0.99 - 0.8 * np.exp(-6 * t)),
            Role(Split.VAL, "accuracy"): curve(
                "eval/accuracy", 0.78 - 0.6 * np.exp(-8 * t) + noise * random.standard_normal(points)
            ),
            Role.LEARNING_RATE: curve("train/learning_rate", 3e-4 * np.cos(t * np.pi / 2) ** 2),
        },
        extra=[curve("system/cpu_utilization", np.full(5, 40.0))],
        params={"learning_rate": "3e-4", "dropout": "0.0", "weight_decay": "0.0", "epochs": str(points)},
    )
    findings = (
        Finding(
            "overfitting",
            Severity.CRITICAL,
            0.96,
            Span(("train/loss", "eval/loss"), turn, last),
            f"+61 % since step {turn}",
            f"Validation loss was best at step {turn} (0.66) and has risen to 1.07 since, while training loss went on"
            " falling to 0.03: from there on the model learned the training data by heart.",
            {"best_step": turn, "best": 0.6627, "end": 1.0731, "rise": 0.6134, "noise": 0.018},
            (
                f"Keep the checkpoint of step {turn}; stop early with a patience of about {max(turn // 4, 1)} epochs.",
                "Regularize: dropout is 0.0 and weight decay is 0.0 in this run; try 0.2 and 1e-4.",
                "Augment the training data, or get more of it.",
            ),
        ),
        Finding(
            "loss_metric_disagreement",
            Severity.WARNING,
            0.71,
            Span(("eval/loss", "eval/accuracy"), turn, last),
            f"accuracy still up since step {turn}",
            f"Since step {turn} validation loss rises while validation accuracy still improves: the model is"
            " getting overconfident.",
            {"since": turn, "loss_change": 0.41, "accuracy_change": 0.02, "overconfident": True},
            ("Choose checkpoints by the metric you will report.",),
            "overfitting",
        ),
        Finding(
            "missing_metric",
            Severity.INFO,
            0.9,
            Span(("eval/accuracy",), 0, last),
            "only accuracy",
            "Accuracy is the only score. With unequal classes it can look good while a class is never found.",
            {},
            ("Log F1 or recall of each class as well.",),
        ),
    )
    outcomes = [
        *(Outcome(finding.rule, Status.FOUND) for finding in findings),
        *clear("divergence", "loss_spikes", "no_learning", "non_finite", "oscillation", "underfitting"),
        *skipped("no gradient norm was logged", "exploding_gradients", "vanishing_gradients"),
        *skipped("no system metrics were logged", "gpu_underused"),
    ]
    signs = {
        "loss_falls": VitalSign(True, f"2.22 to 0.03 over {points} steps, and still falling in the last fifth"),
        "val_falls": VitalSign(False, f"best at step {turn}, 61 % higher at the end"),
        "metrics_agree": VitalSign(False, "accuracy improves where the loss gets worse"),
    }
    reading = (
        "This is a cross-entropy, by its name and its first value.",
        "Guessing among 10 classes gives ln 10 = 2.30; the best validation loss here, 0.66, is far below that.",
        "The value has no absolute good or bad: compare it with other runs on the same data.",
    )
    return Report(run, "overfitting", "critical", findings, tuple(outcomes), signs, reading, "a1b2")


def healthy() -> Report:
    """Everything converged; one rule was skipped."""
    t = np.linspace(0, 1, 40)
    run = run_of(
        {
            Role.TRAIN_LOSS: curve("loss", 0.3 + 2 * np.exp(-6 * t)),
            Role.VAL_LOSS: curve("val_loss", 0.36 + 1.9 * np.exp(-6 * t)),
        },
        name="baseline",
        params={"lr": "0.001"},
    )
    found = Finding(
        "converged",
        Severity.INFO,
        0.88,
        Span(("loss", "val_loss"), 30, 39),
        "settled at step 30",
        "Both losses settled by step 30 with a small gap between them.",
        {"settled_step": 30, "gap": 0.06},
        (),
    )
    outcomes = (
        Outcome("converged", Status.FOUND),
        *clear("overfitting", "underfitting", "divergence", "loss_spikes"),
        *skipped("no score was logged", "class_imbalance"),
    )
    signs = {
        "loss_falls": VitalSign(True, "2.30 to 0.31"),
        "val_falls": VitalSign(True, "2.26 to 0.37"),
        "metrics_agree": VitalSign(None, "no score was logged"),
    }
    reading = ("A loss of 0.37 means something only beside other runs on the same data.",)
    return Report(run, "healthy", "healthy", (found,), outcomes, signs, reading, "c3")


def insufficient() -> Report:
    """A run that logged nothing."""
    run = run_of({}, name="notebook-test")
    outcomes = (*skipped("no loss or score", "overfitting", "no_learning"), *skipped("no curve", "non_finite"))
    signs = dict.fromkeys(("loss_falls", "val_falls", "metrics_agree"), UNKNOWN)
    return Report(run, "insufficient_data", "insufficient_data", (), outcomes, signs, (), "d4")


def not_a_number() -> Report:
    """The rate ramps up, the loss grows to 1e30, then NaN; validation is NaN throughout."""
    steps = np.arange(0, 5000, 10)
    t = steps / 5000
    loss = np.where(t < 0.5, 0.5 + 1.8 * np.exp(-6 * t), 0.6 * 10 ** (30 * np.clip((t - 0.5) / 0.2, 0, 1)))
    loss[t >= 0.7] = np.nan
    run = run_of(
        {
            Role.TRAIN_LOSS: curve("train_loss_step", loss, steps),
            Role.VAL_LOSS: curve("val_loss", np.full(5, np.nan), np.arange(0, 5000, 1000)),
            Role.LEARNING_RATE: curve("lr-Adam", 1e-4 * (1 + 200 * t), steps),
        },
        name="transformer-big",
    )
    findings = (
        Finding(
            "divergence",
            Severity.CRITICAL,
            0.99,
            Span(("train_loss_step",), 2500, 3490),
            "up since step 2,500",
            "The training loss went up at step 2,500 and never came back; by step 3,490 it was 1e+30.",
            {"since": np.int64(2500), "last": np.float64(1e30), "growth": np.inf, "gradient_norm": None},
            ("Lower the learning rate: it was 0.0101 when the loss turned; try 0.001.", "Clip gradients at norm 1."),
        ),
        Finding(
            "non_finite",
            Severity.CRITICAL,
            1.0,
            Span(("train_loss_step", "val_loss"), 3500, 4990),
            "NaN since step 3,500",
            "The training loss is not a number since step 3,500 and did not recover.",
            {"first_step": 3500, "share": 0.3, "value": np.nan},
            ("Find the cause first: the divergence before it.",),
            "divergence",
        ),
    )
    outcomes = (
        *(Outcome(finding.rule, Status.FOUND) for finding in findings),
        Outcome("loss_spikes", Status.CRASHED, "ZeroDivisionError: division by zero"),
        *skipped("'val_loss' has 0 usable points; 6 are needed", "overfitting", "generalization_gap", "leakage"),
    )
    signs = {
        "loss_falls": VitalSign(False, "rises since step 2,500, then NaN"),
        "val_falls": VitalSign(None, "every value of val_loss is NaN"),
        "metrics_agree": UNKNOWN,
    }
    return Report(run, "divergence", "critical", findings, outcomes, signs, (), "e5")


def hostile() -> Report:
    """Every text that comes from a log tries to be something else."""
    t = np.linspace(0, 1, 30)
    names = [SCRIPT, IMAGE, MARKUP + ANSI, MATH, JAPANESE * 60]
    roles = [
        Role.TRAIN_LOSS,
        Role.VAL_LOSS,
        Role(Split.TRAIN, "accuracy"),
        Role(Split.VAL, "accuracy"),
        Role(Split.VAL, "loss", SCRIPT),
    ]
    run = run_of(
        {role: curve(name, 2 * np.exp(-(i + 1) * t)) for i, (role, name) in enumerate(zip(roles, names, strict=True))},
        name=SCRIPT + IMAGE + MARKUP + ANSI,
        extra=[curve(f"{IMAGE}{i}", t) for i in range(1500)],
        params={SCRIPT: IMAGE, MARKUP: ANSI, "long": "x" * 100_000, "{{ 7 * 7 }}": "{% raw %}"},
    )
    finding = Finding(
        SCRIPT,
        Severity.WARNING,
        0.5,
        Span(tuple(names), 3, 20),
        MARKUP + ANSI,
        f"The curve {SCRIPT} {IMAGE} {MARKUP} {ANSI} {MATH} {JAPANESE} {{{{ 7 * 7 }}}}",
        {SCRIPT: IMAGE, MARKUP: ANSI, "text": "\ud800"},
        (IMAGE, MARKUP + ANSI),
    )
    signs = dict.fromkeys(("loss_falls", "val_falls", "metrics_agree"), VitalSign(True, SCRIPT + MARKUP + ANSI))
    outcomes = (Outcome(SCRIPT, Status.FOUND), *skipped(SCRIPT + MARKUP + ANSI, IMAGE, "overfitting"))
    return Report(run, SCRIPT, "warning", (finding,), outcomes, signs, (SCRIPT + MARKUP,), "f6")


SAMPLES = {
    "overfitting": overfitting,
    "healthy": healthy,
    "insufficient": insufficient,
    "not_a_number": not_a_number,
    "hostile": hostile,
}
