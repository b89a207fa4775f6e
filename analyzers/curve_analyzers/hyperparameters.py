"""What a run logged about how it was trained, under the many names people give it."""

from __future__ import annotations

import math
import re

from curve_analyzers.model import Role, RunCurves

__all__ = [
    "batch_size",
    "class_count",
    "clip_norm",
    "dropout",
    "epochs",
    "learning_rate",
    "optimizer",
    "small_model",
    "steps_per_epoch",
    "validation_size",
    "weight_decay",
]

LEARNING_RATE = ("learning_rate", "lr", "learning_rate_init", "base_lr", "init_lr", "initial_lr", "lr0", "eta", "eta0")
DROPOUT = ("dropout", "dropout_rate", "drop_rate", "p_dropout", "hidden_dropout_prob")
WEIGHT_DECAY = ("weight_decay", "wd", "l2", "alpha", "reg_lambda", "lambda_l2")
CLIP = (
    "clip_norm", "max_grad_norm", "grad_clip", "gradient_clip_val", "gradient_clip", "grad_clip_norm", "clip_grad_norm",
    "gradient_clip_norm", "gradient_clipping", "clipnorm", "global_clipnorm", "max_norm", "clip_grad", "clip",
)  # fmt: skip
BATCH = (
    "batch_size", "train_batch_size", "per_device_train_batch_size", "per_gpu_train_batch_size", "batch", "batchsize",
    "bs", "minibatch_size", "mini_batch_size",
)  # fmt: skip
EPOCHS = ("epochs", "num_epochs", "n_epochs", "num_train_epochs", "max_epochs", "nb_epochs", "total_epochs")
STEPS_PER_EPOCH = ("steps_per_epoch", "batches_per_epoch", "num_batches", "iters_per_epoch", "iterations_per_epoch")
TRAIN_SIZE = (
    "n_train", "train_size", "train_samples", "num_train", "num_train_samples", "n_train_samples", "num_train_examples",
    "train_examples", "n_samples", "num_samples", "dataset_size",
)  # fmt: skip
VALIDATION_SIZE = (
    "n_val", "val_size", "val_samples", "num_val", "num_val_samples", "n_val_samples", "n_valid", "valid_size",
    "validation_size", "validation_samples", "num_eval_examples", "eval_samples", "n_eval", "val_examples",
)  # fmt: skip
OPTIMIZER = ("optimizer", "optim", "optimizer_name", "optimizer_type", "opt", "solver")
# What makes a model small, and up to which value: trees that are stumps, layers of a few units, no hidden layer.
SMALL = {
    ("num_leaves", "max_leaves", "n_leaves", "max_leaf_nodes"): (2, 3),
    ("max_depth", "tree_depth"): (1, 1),
    ("hidden_size", "hidden_dim", "hidden_units", "n_hidden", "num_hidden", "width", "units", "d_model"): (1, 4),
    ("num_layers", "n_layers", "depth", "hidden_layers", "num_hidden_layers", "n_hidden_layers"): (0, 0),
}
CLASSES = ("num_classes", "n_classes", "classes", "num_labels", "num_class", "nb_classes")


def learning_rate(run: RunCurves) -> float | None:
    """The highest learning rate of the run: from its curve, else from its params; None where none was logged."""
    if Role.LEARNING_RATE in run and len(curve := run[Role.LEARNING_RATE]):
        return float(curve.values.max())
    return _number(run, LEARNING_RATE)


def dropout(run: RunCurves) -> float | None:
    """The share of units dropped, where it was logged."""
    return _number(run, DROPOUT)


def weight_decay(run: RunCurves) -> float | None:
    """The weight decay, or the L2 penalty, where it was logged."""
    return _number(run, WEIGHT_DECAY)


def optimizer(run: RunCurves) -> str | None:
    """The name of the optimizer, where it was logged."""
    params = sorted(run.params.items())
    nested = (text for key, text in params if key.lower().endswith(("optimizer.name", "optimizer/name")))
    by_name = _by_name(run)
    return next((by_name[name] for name in OPTIMIZER if name in by_name), next(nested, None))


def small_model(run: RunCurves) -> str:
    """What was logged that makes a model small, as `num_leaves 2`; empty where nothing was."""
    by_name = _by_name(run)
    for names, (least, most) in SMALL.items():
        for name in names:
            value = _number(run, (name,))
            if value is not None and least <= value <= most:
                return f"{name} {by_name[name]}"
    return ""


def class_count(run: RunCurves) -> int | None:
    """The number of classes, where it was logged."""
    count = _number(run, CLASSES)
    return int(count) if count is not None and count >= 2 and count == int(count) else None  # noqa: PLR2004 - two classes


def clip_norm(run: RunCurves) -> float | None:
    """The norm to which gradients are clipped, where it was logged and is positive."""
    norm = _number(run, CLIP)
    return norm if norm and norm > 0 else None


def batch_size(run: RunCurves) -> int | None:
    """The examples in a step of training, where that was logged."""
    return _whole(run, BATCH)


def epochs(run: RunCurves) -> int | None:
    """How often the run was to see its training data, where that was logged."""
    return _whole(run, EPOCHS)


def steps_per_epoch(run: RunCurves) -> float | None:
    """The optimizer steps that see the training data once: as logged, else from its size and the batch's."""
    if (steps := _whole(run, STEPS_PER_EPOCH)) is not None:
        return float(steps)
    size, batch = _whole(run, TRAIN_SIZE), batch_size(run)
    return float(-(-size // batch)) if size and batch else None


def validation_size(run: RunCurves) -> int | None:
    """The examples the model is validated on, where that was logged as a number of them."""
    return _whole(run, VALIDATION_SIZE)


def _whole(run: RunCurves, names: tuple[str, ...]) -> int | None:
    """The first param of one of the names that holds a positive whole number: a `val_size` of 0.2 is a share."""
    number = _number(run, names)
    return int(number) if number is not None and number >= 1 and number == int(number) else None


def _number(run: RunCurves, names: tuple[str, ...]) -> float | None:
    """The first param of one of the names, by its last part (`optimizer.lr`), that holds a finite number."""
    by_name = _by_name(run)
    for name in names:
        try:
            value = float(by_name[name])
        except (KeyError, ValueError):
            continue
        if math.isfinite(value):
            return value
    return None


def _by_name(run: RunCurves) -> dict[str, str]:
    """The params by the last part of their names, in lower case."""
    return {re.split(r"[./]", key.lower())[-1].replace("-", "_"): text for key, text in sorted(run.params.items())}
