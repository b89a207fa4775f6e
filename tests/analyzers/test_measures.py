"""What rules of data, gradients and schedule measure, against what is known of it."""

from __future__ import annotations

import numpy as np
import pytest

from curve_analyzers.epoch_length import epoch_lengths, fold, part_of_an_epoch
from curve_analyzers.gradient_norms import gradient_norms
from curve_analyzers.held_out_size import held_out_examples
from curve_analyzers.jumps import jump_at
from curve_analyzers.model import Curve, RawCurve, RawRun, Role
from curve_analyzers.rate_rises import quick_rises
from curve_analyzers.settle import prepare


def curve(values):
    """A curve of these values on the steps 0, 1, 2, ..."""
    return Curve("loss", np.arange(len(values)), np.asarray(values, float))


def run(params=None, **curves):
    """A run of these values by curve name, on the steps 0, 1, 2, ... or on their own."""
    steps = {name: each if isinstance(each, tuple) else (np.arange(len(each)), each) for name, each in curves.items()}
    raw = [RawCurve(name, np.asarray(each[0]), np.asarray(each[1], float)) for name, each in steps.items()]
    return prepare(RawRun("mlflow", "1", "run", raw, params or {}))


def test_a_jump_is_measured_over_the_width_that_shows_it():
    """From 1 to 3 at point 60, then back within 60 points: most of the height and the way back are told."""
    values = 1 + np.where(np.arange(120) < 60, 0.0, 2 * np.exp(-(np.arange(120) - 60) / 20))
    jump = jump_at(curve(values + 0.01 * np.random.default_rng(0).standard_normal(120)), 60)
    assert jump.step == 60
    assert 1.5 < jump.height < 2.1
    assert jump.height > jump.limit
    assert jump.regained > 0.9
    assert jump.recovered is None or jump.recovered > 100


def test_noise_is_no_jump():
    """At no moment of even noise does it exceed its limit."""
    values = np.random.default_rng(1).standard_normal(400)
    assert not [index for index in range(10, 390) if (jump := jump_at(curve(values), index)).height > jump.limit]


def test_a_rise_is_told_where_it_is_steepest():
    """One quick rise among slow ones; a fall is none."""
    rate = np.r_[np.linspace(1.0, 1.2, 50), np.full(50, 4.0), np.linspace(4.0, 1.0, 50)]
    assert quick_rises(rate, 4, 2.0, 0.1).tolist() == [50]
    assert quick_rises(rate[::-1], 4, 2.0, 0.1).tolist() == []


@pytest.mark.parametrize(
    ("params", "curves", "length"),
    [
        ({"n_train": "1000", "batch_size": "32"}, {}, 32.0),
        ({"steps_per_epoch": "25"}, {}, 25.0),
        ({"epochs": "4"}, {}, 50.0),
        ({}, {"epoch": np.arange(200) // 40}, 40.0),
        ({}, {"val_loss": (np.arange(19, 200, 20), np.ones(10))}, 20.0),
    ],
)
def test_an_epoch_is_told_by_what_was_logged(params, curves, length):
    """Params, the epoch itself, or the distance of the evaluations."""
    logged = run(params, train_loss=np.ones(200), **curves)
    lengths = [steps for steps, _ in epoch_lengths(logged, logged[Role.TRAIN_LOSS])]
    assert lengths == [pytest.approx(length)]
    assert part_of_an_epoch(logged, logged[Role.TRAIN_LOSS], length / 5)
    assert not part_of_an_epoch(logged, logged[Role.TRAIN_LOSS], length / 1.4)


def test_what_repeats_each_epoch_is_told_from_noise():
    """Half of the variance repeats: so much is explained; of noise hardly any, with a ratio about 1."""
    random = np.random.default_rng(2)
    order, noise = np.tile(random.standard_normal(40), 20), random.standard_normal(800)
    repeated, even = fold(curve(order + noise), 40, "", 8), fold(curve(noise), 40, "", 8)
    sorted_data = fold(curve(np.tile(np.sin(np.arange(40) / 6), 20) + 0.1 * noise), 40, "", 8)
    assert repeated.variance_ratio > 5
    assert even.variance_ratio == pytest.approx(1, abs=0.7)
    assert even.explained < 0.1
    assert abs(repeated.smoothness) < 0.3
    assert sorted_data.smoothness > 0.8


@pytest.mark.parametrize("examples", [8, 30, 150])
@pytest.mark.parametrize("full", [1, 100])
def test_a_score_tells_over_how_many_examples_it_is(examples, full):
    """Shares of n in steps of 1/n, rounded to four digits as people log them."""
    hits = np.r_[np.arange(examples // 3, examples - 1), examples - 1]
    assert held_out_examples(run(val_accuracy=np.round(full * hits / examples, 4))) == examples


def test_examples_that_cannot_be_told_are_not():
    """A smooth score and a constant one say nothing; what was logged counts first, a share of the data does not."""
    assert held_out_examples(run(val_accuracy=np.random.default_rng(3).random(50))) is None
    assert held_out_examples(run(val_accuracy=np.full(50, 0.875))) is None
    assert held_out_examples(run(val_accuracy=np.repeat([0.625, 0.875], 20))) == 8
    assert held_out_examples(run(val_accuracy=np.repeat([0.9075, 1.0], 20))) is None
    assert held_out_examples(run({"n_val": "12"}, val_loss=np.ones(5))) == 12
    assert held_out_examples(run({"val_size": "0.2"}, val_loss=np.ones(5))) is None


def test_layers_come_in_the_order_of_their_numbers():
    """Layer 2 before layer 10; the norm after clipping is no layer."""
    names = ("grad_norm", "grad_norm/layer_10", "grad_norm/layer_2", "grad_norm_after_clip")
    norms = gradient_norms(run(**{name: np.ones(5) for name in names}))
    assert [layer.name for layer in norms.layers] == ["grad_norm/layer_2", "grad_norm/layer_10"]
    assert norms.ordered
    assert (norms.whole.name, norms.clipped.name) == ("grad_norm", "grad_norm_after_clip")
