"""Params under the names people give them, with numbers as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curve_analyzers.examples import decay, run
from curve_analyzers.hyperparameters import (
    Meaning,
    class_count,
    dropout,
    layer_sizes,
    learning_rate,
    meaning_named,
    meaning_of,
    number,
    weight_decay,
)


@pytest.mark.parametrize(
    ("meaning", "names"),
    {
        "learning_rate": "lr learning_rate optimizer.lr opt/lr learningRate LR eta clf__learning_rate_init max_lr",
        "depth": "num_layers n_layers depth max_depth numLayers encoder_num_layers model.depth maxDepth n_layer",
        "width": "hidden_size width num_leaves n_embd d_model decoder.hidden_size hidden-size units",
        "layer_sizes": "hidden_layer_sizes mlp__hidden_layer_sizes net_arch",
        "dropout": "dropout head_dropout_rate model.dropout hidden_dropout_prob",
        "weight_decay": "wd weight_decay optimizer.weight_decay weightDecay l2 alpha reg_lambda lambda_l2",
        "l1": "reg_alpha lambda_l1",
        "data_size": "n_train train_samples dataset_size nTrain num_train_examples data.train_fraction",
        "seed": "seed random_state fold global_seed random_seed",
        "classes": "num_classes",
        "batch_size": "batch_size data.batch_size bs",
        "epochs": "epochs n_epochs trainer.max_epochs",
        "clip_norm": "max_grad_norm trainer.gradient_clip_val clip_grad",
        "steps_per_epoch": "steps_per_epoch",
        "validation_size": "n_val val_size",
    }.items(),
)
def test_names_people_use(meaning, names):
    """Prefixes, sections, capitals and dashes make no difference."""
    assert {name: meaning_of(name) for name in names.split()} == dict.fromkeys(names.split(), Meaning(meaning))


@pytest.mark.parametrize(
    "name",
    [
        *("min_learning_rate", "final_learning_rate", "warmup_lr", "lr_decay", "lr_scheduler"),
        *("step_size", "momentum", "n_estimators", "seedling", "early_stopping", "", ".", "loss"),
    ],
)
def test_names_that_say_something_else(name):
    """What only sounds alike is not taken for it."""
    assert meaning_of(name) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("0.001", 1e-3),
        ("0,001", 1e-3),
        ("0,5", 0.5),
        ("12,5", 12.5),
        ("1,000", 1000.0),
        ("1,234,567", 1234567.0),
        ("10_000", 10000.0),
        (" 50k ", 50000.0),
        ("1.5M", 1.5e6),
        ("10 %", 0.1),
        ("'0.1'", 0.1),
        ("np.float64(0.1)", 0.1),
        ("tensor(0.1000)", 0.1),
        ("-1", -1.0),
        (".5", 0.5),
        ("5.", 5.0),
        *((text, None) for text in ("None", "", "null", "nan", "inf", "1e999", "True", "auto", "1.2.3", "2024-01-01")),
        *((text, None) for text in ("1e", "--1", "1,2,3", "[64, 64]", "(100,)", "x" * 10000, "9" * 5000)),
    ],
)
def test_numbers_as_people_write_them(text, value):
    """Text that is a number is one, and no other is."""
    assert number(text) == pytest.approx(value) if value is not None else number(text) is None


@pytest.mark.parametrize(
    ("text", "sizes"),
    [("[64, 32]", (64, 32)), ("(100,)", (100,)), ("[ 8 ]", (8,)), ("64", None), ("[64, 'a']", None), ("[]", None)],
)
def test_lists_of_layers(text, sizes):
    """A list of numbers, however it is bracketed."""
    assert layer_sizes(text) == sizes


@given(st.text(max_size=60))
def test_any_text_is_read(text):
    """Params come from outside: no text raises, and what is a number is finite."""
    value = number(text)
    assert value is None or abs(value) < float("inf")
    layer_sizes(text)
    meaning_of(text)


def test_a_meaning_is_named_as_people_say_it():
    """`--param my_rate=lr` is understood; what is not understood is answered with what there is."""
    assert meaning_named("learning_rate") is Meaning.LEARNING_RATE
    assert meaning_named("lr") is Meaning.LEARNING_RATE
    assert meaning_named(" n-train") is Meaning.DATA_SIZE
    with pytest.raises(ValueError, match="'speed' is nothing a param can mean; it can be learning_rate, depth"):
        meaning_named("speed")


def test_of_one_run():
    """The usual name before the unusual, the first that holds a number, and a logged curve before any param."""
    params = {"eta": "0.5", "optimizer.lr": "0,01", "dropout": "None", "head.drop_rate": "20 %", "wd": "1e-4"}
    logged = run(train_loss=decay(), params={**params, "num_classes": "10"}).build()
    assert (learning_rate(logged), dropout(logged), weight_decay(logged)) == pytest.approx((0.01, 0.2, 1e-4))
    assert class_count(logged) == 10
    assert class_count(run(train_loss=decay(), params={"num_classes": "1"}).build()) is None
