"""What a run logged about how it was trained, under the many names people give it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from enum import Enum
from functools import lru_cache

from curve_analyzers.model import Role, RunCurves

__all__ = [
    "Meaning",
    "batch_size",
    "boosted",
    "class_count",
    "clip_norm",
    "dropout",
    "epochs",
    "layer_sizes",
    "learning_rate",
    "meaning_named",
    "meaning_of",
    "number",
    "optimizer",
    "small_model",
    "steps_per_epoch",
    "validation_size",
    "weight_decay",
]


class Meaning(str, Enum):
    """What a param sets, as rules ask for it and as `--param NAME=MEANING` says it."""

    LEARNING_RATE = "learning_rate"
    DEPTH = "depth"  # layers of a network, levels of a tree
    WIDTH = "width"  # units or channels of a layer, leaves of a tree
    LAYER_SIZES = "layer_sizes"  # a list with the width of each layer: depth and width in one
    MODEL_SIZE = "model_size"  # weights in all
    DROPOUT = "dropout"
    WEIGHT_DECAY = "weight_decay"
    L1 = "l1"
    DATA_SIZE = "data_size"  # training examples
    SEED = "seed"  # what only makes another draw: seeds, folds
    CLASSES = "classes"
    CLIP_NORM = "clip_norm"  # to which gradients are clipped
    BATCH_SIZE = "batch_size"
    EPOCHS = "epochs"
    STEPS_PER_EPOCH = "steps_per_epoch"
    VALIDATION_SIZE = "validation_size"  # examples the model is validated on
    NONE = "none"  # said by the user: leave it out


# The param's own name, in snake case and without what stands before its last dot; the first found is taken.
NAMES: Mapping[Meaning, tuple[str, ...]] = {
    Meaning.LEARNING_RATE: (
        *("learning_rate", "lr", "learning_rate_init", "base_lr", "init_lr", "initial_lr", "lr0", "eta", "eta0"),
        *("max_lr", "peak_lr", "base_learning_rate", "initial_learning_rate", "max_learning_rate", "lrate"),
    ),
    Meaning.DEPTH: (
        *("num_layers", "n_layers", "nlayers", "n_layer", "layers", "depth", "num_hidden_layers", "n_hidden_layers"),
        *("hidden_layers", "num_blocks", "n_blocks", "num_stages", "num_encoder_layers", "max_depth"),
    ),
    Meaning.WIDTH: (
        *("hidden_size", "hidden_dim", "hidden_units", "hidden_channels", "width", "d_model", "n_embd", "embed_dim"),
        *("num_units", "n_units", "units", "hidden", "n_hidden", "num_hidden", "dim", "channels", "filters"),
        *("num_filters", "n_filters", "base_channels", "width_mult", "width_multiplier", "neurons", "num_leaves"),
        *("max_leaves", "max_leaf_nodes"),
    ),
    Meaning.LAYER_SIZES: ("hidden_layer_sizes", "layer_sizes", "hidden_sizes", "hidden_dims", "net_arch", "dims"),
    Meaning.MODEL_SIZE: (
        *("num_params", "n_params", "num_parameters", "n_parameters", "trainable_params", "total_params", "model_size"),
    ),
    Meaning.DROPOUT: (
        *("dropout", "dropout_rate", "drop_rate", "p_dropout", "hidden_dropout_prob", "dropout_prob", "dropout_p"),
        *("p_drop", "drop_prob", "resid_pdrop", "rate_drop"),
    ),
    Meaning.WEIGHT_DECAY: (
        *("weight_decay", "wd", "l2", "alpha", "reg_lambda", "lambda_l2", "l2_leaf_reg", "l2_reg", "l2_penalty"),
        *("weight_decay_rate", "decoupled_weight_decay"),
    ),
    Meaning.L1: ("l1", "reg_alpha", "lambda_l1", "l1_reg", "l1_penalty"),
    Meaning.DATA_SIZE: (
        *("n_train", "train_samples", "num_train", "n_train_samples", "num_train_samples", "num_train_examples"),
        *("train_size", "training_size", "training_samples", "training_examples", "n_train_examples"),
        *("n_samples", "num_samples", "num_examples", "n_examples", "dataset_size", "data_size", "max_train_samples"),
        *("subset_size", "train_set_size", "train_fraction", "data_fraction", "subset_fraction"),
    ),
    Meaning.SEED: (
        *("seed", "random_seed", "random_state", "manual_seed", "rng_seed", "global_seed", "torch_seed", "np_seed"),
        *("seed_everything", "data_seed", "init_seed", "model_seed", "fold", "fold_id", "cv_fold", "repeat"),
        *("repetition", "replicate"),
    ),
    Meaning.CLASSES: ("num_classes", "n_classes", "classes", "num_labels", "num_class", "nb_classes"),
    Meaning.CLIP_NORM: (
        *("clip_norm", "max_grad_norm", "grad_clip", "gradient_clip_val", "gradient_clip", "grad_clip_norm"),
        *("clip_grad_norm", "gradient_clip_norm", "gradient_clipping", "clipnorm", "global_clipnorm", "max_norm"),
        *("clip_grad", "clip"),
    ),
    Meaning.BATCH_SIZE: (
        *("batch_size", "train_batch_size", "per_device_train_batch_size", "per_gpu_train_batch_size", "batch"),
        *("batchsize", "bs", "minibatch_size", "mini_batch_size"),
    ),
    Meaning.EPOCHS: ("epochs", "num_epochs", "n_epochs", "num_train_epochs", "max_epochs", "nb_epochs", "total_epochs"),
    Meaning.STEPS_PER_EPOCH: (
        *("steps_per_epoch", "batches_per_epoch", "num_batches", "iters_per_epoch", "iterations_per_epoch"),
    ),
    Meaning.VALIDATION_SIZE: (
        *("n_val", "val_size", "val_samples", "num_val", "num_val_samples", "n_val_samples", "n_valid", "valid_size"),
        *("validation_size", "validation_samples", "num_eval_examples", "eval_samples", "n_eval", "val_examples"),
    ),
}
# A name of several words is also known at the end of a longer one (`encoder_num_layers`), except after these.
ANOTHER_VALUE = frozenset({"min", "final", "end", "warmup", "target", "old", "decay"})
NOTHING = frozenset({"", "none", "null", "nan", "na", "n/a", "undefined"})
LONGEST = 400  # characters of a param that may still be a number or a list of them
NUMBER = r"[-+]?(?:\d+(?:_\d+)*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
WRAPPED = re.compile(rf"(?:np\.|numpy\.|torch\.)?[a-z]+\d*\((?P<number>{NUMBER})(?:, *dtype=[\w.]+)?\)")
SIZES = re.compile(rf"[\[(] *(?:{NUMBER} *, *)*{NUMBER} *,? *[\])]")
DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+(?:[eE][-+]?\d+)?")
THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?")
UNITS = {"%": 1e-2, "k": 1e3, "m": 1e6, "b": 1e9}
OPTIMIZER = ("optimizer", "optim", "optimizer_name", "optimizer_type", "opt", "solver")
# What makes a model small, and up to which value: trees that are stumps, layers of a few units, no hidden layer.
SMALL: Mapping[tuple[str, ...], tuple[int, int]] = {
    ("num_leaves", "max_leaves", "n_leaves", "max_leaf_nodes"): (2, 3),
    ("max_depth", "tree_depth"): (1, 1),
    ("hidden_size", "hidden_dim", "hidden_units", "n_hidden", "num_hidden", "width", "units", "d_model"): (1, 4),
}

# What only boosted trees have: rounds that each add a tree, and leaves.
BOOSTED = frozenset(
    {"n_estimators", "num_boost_round", "nrounds", "num_leaves", "max_leaves", "boosting_type", "boosting", "booster"}
)


def learning_rate(run: RunCurves) -> float | None:
    """The highest learning rate of the run: from its curve, else from its params; None where none was logged."""
    if Role.LEARNING_RATE in run and len(curve := run[Role.LEARNING_RATE]):
        return float(curve.values.max())
    return _first(run.params, Meaning.LEARNING_RATE)


def dropout(run: RunCurves) -> float | None:
    """The share of units dropped, where it was logged."""
    return _first(run.params, Meaning.DROPOUT)


def weight_decay(run: RunCurves) -> float | None:
    """The weight decay, or the L2 penalty, where it was logged."""
    return _first(run.params, Meaning.WEIGHT_DECAY)


def optimizer(run: RunCurves) -> str | None:
    """The name of the optimizer, where it was logged."""
    by_name = {_own_name(key): text for key, text in sorted(run.params.items())}
    nested = (
        text for key, text in sorted(run.params.items()) if _snake(key).endswith(("optimizer.name", "optimizer/name"))
    )
    return next((by_name[name] for name in OPTIMIZER if name in by_name), next(nested, None))


def small_model(run: RunCurves) -> str:
    """What was logged that makes a model small, as `num_leaves 2`; empty where nothing was."""
    for key, text in sorted(run.params.items()):
        value = number(text)
        for names, (least, most) in SMALL.items():
            if _own_name(key) in names and value is not None and least <= value <= most:
                return f"{_own_name(key)} {text}"
    return ""


def boosted(run: RunCurves) -> bool:
    """Whether the params are those of boosted trees, which go on gaining a little with each round."""
    return any(_own_name(key) in BOOSTED for key in run.params)


def class_count(run: RunCurves) -> int | None:
    """The number of classes, where it was logged."""
    count = _first(run.params, Meaning.CLASSES)
    return int(count) if count is not None and count >= 2 and count == int(count) else None  # noqa: PLR2004 - two classes


def clip_norm(run: RunCurves) -> float | None:
    """The norm to which gradients are clipped, where it was logged and is positive."""
    norm = _first(run.params, Meaning.CLIP_NORM)
    return norm if norm and norm > 0 else None


def batch_size(run: RunCurves) -> int | None:
    """The examples in a step of training, where that was logged."""
    return _whole(run, Meaning.BATCH_SIZE)


def epochs(run: RunCurves) -> int | None:
    """How often the run was to see its training data, where that was logged."""
    return _whole(run, Meaning.EPOCHS)


def steps_per_epoch(run: RunCurves) -> float | None:
    """The optimizer steps that see the training data once: as logged, else from its size and the batch's."""
    if (steps := _whole(run, Meaning.STEPS_PER_EPOCH)) is not None:
        return float(steps)
    size, batch = _whole(run, Meaning.DATA_SIZE), batch_size(run)
    return float(-(-size // batch)) if size and batch else None


def validation_size(run: RunCurves) -> int | None:
    """The examples the model is validated on, where that was logged as a number of them."""
    return _whole(run, Meaning.VALIDATION_SIZE)


def _whole(run: RunCurves, meaning: Meaning) -> int | None:
    """The first param of a meaning that holds a positive whole number: a `val_size` of 0.2 is a share."""
    value = _first(run.params, meaning)
    return int(value) if value is not None and value >= 1 and value == int(value) else None


def meaning_of(name: str) -> Meaning | None:
    """What a param of this name sets; None where the name does not say."""
    found = _reading(name)
    return found[1] if found else None


def meaning_named(text: str) -> Meaning:
    """The meaning that a user's word stands for, as in `--param my_rate=learning_rate`.

    A name that is known as a param says what it means as well: `lr` is `learning_rate`.

    Raises:
        ValueError: It stands for none; the message names those there are.
    """
    word = _snake(text.strip())
    try:
        return Meaning(word)
    except ValueError:
        if meaning := meaning_of(word):
            return meaning
    known = ", ".join(meaning.value for meaning in Meaning)
    raise ValueError(f"{text!r} is nothing a param can mean; it can be {known}")


@lru_cache(maxsize=4096)
def number(text: str) -> float | None:
    """The number that a param's text stands for; None where it is none, or not finite.

    `1e-3`, `10_000`, `50k`, `10 %`, `np.float64(0.1)` and `0,001` are numbers. A comma before three digits separates
    thousands (`1,000`) unless a zero stands alone before it. `True` is no number, nor are dates and versions.
    """
    text = text.strip().strip("'\"").strip()
    if not text or len(text) > LONGEST or text.lower() in NOTHING:
        return None
    if wrapped := WRAPPED.fullmatch(text):
        text = wrapped["number"]
    if THOUSANDS.fullmatch(text):
        text = text.replace(",", "")
    elif DECIMAL_COMMA.fullmatch(text):
        text = text.replace(",", ".")
    factor = UNITS.get(text[-1].lower(), 1.0)
    bare = text[:-1].rstrip() if factor != 1.0 else text
    if not re.fullmatch(NUMBER, bare):
        return None
    value = float(bare) * factor
    return value if math.isfinite(value) else None


def layer_sizes(text: str) -> tuple[float, ...] | None:
    """The numbers of a list as people log it, `[64, 64]` or `(100,)`; None where it is no list of numbers."""
    text = text.strip()
    if len(text) > LONGEST or not SIZES.fullmatch(text):
        return None
    return tuple(float(each) for each in re.findall(NUMBER, text))


def _first(params: Mapping[str, str], meaning: Meaning) -> float | None:
    """The number of the param whose name is the most usual of a meaning's."""
    read = ((reading, text) for key, text in sorted(params.items()) if (reading := _reading(key)))
    known = sorted((rank, text) for (rank, means), text in read if means is meaning)
    return next((value for _, text in known if (value := number(text)) is not None), None)


@lru_cache(maxsize=4096)
def _reading(name: str) -> tuple[int, Meaning] | None:
    """How usual a name is for its meaning (0: the most usual), and the meaning."""
    word = _own_name(name)
    for meaning, names in NAMES.items():
        if word in names:
            return names.index(word), meaning
    longest: tuple[int, int, Meaning] | None = None
    for meaning, names in NAMES.items():
        for rank, known in enumerate(names):
            rest = word.removesuffix(f"_{known}")
            if "_" in known and rest != word and ANOTHER_VALUE.isdisjoint(rest.split("_")):
                longest = max(longest or (0, 0, meaning), (len(known), len(names) + rank, meaning))
    return longest[1:] if longest else None


def _own_name(name: str) -> str:
    """A param's name without the sections in front of it, in snake case: `lr` of `optimizer.lr`."""
    return _snake(re.split(r"[./:]|__", name)[-1])


def _snake(name: str) -> str:
    """A name in snake case: `numLayers` and `num-layers` as `num_layers`."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return re.sub(r"[\s-]+", "_", apart).lower().strip("_")
