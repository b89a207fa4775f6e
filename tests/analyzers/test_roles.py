"""The role parser against the names that frameworks and people give their curves."""

from __future__ import annotations

import re
import sys
import time
from itertools import product

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from curve_analyzers.model import Curve, Role, Split
from curve_analyzers.quantities import QUANTITIES, Kind
from curve_analyzers.roles import Granularity, assign, parse, role_named
from naming import STYLES, Style


def curve(name: str, points: int = 20, level: float = 0.5) -> Curve:
    """A curve that does not change; only its name, its length and its level count here."""
    return Curve(name, np.arange(points), np.full(points, level))


def curves(*names: str, **lengths: int) -> dict[str, Curve]:
    """Curves of 20 points, and others of the length given."""
    return {name: curve(name, points) for name, points in {**dict.fromkeys(names, 20), **lengths}.items()}


def role_name(name: str) -> str | None:
    """What a curve of this name is."""
    parsed = parse(name)
    return parsed.role.name if parsed else None


def roles(run: dict[str, Curve], **role_map: str) -> dict[str, str]:
    """The roles of a run by name, which the order of its curves does not change."""
    found = assign(run, role_map)
    assert assign(dict(reversed(run.items())), role_map) == found
    return {role.name: name for role, name in found.items()}


def beside(role: str) -> bool:
    """Whether a role is the machine's or the clock's, on which no run is judged."""
    return role_named(role).measures.kind is Kind.SYSTEM


class TestStyles:
    """Every way of naming that was met in the wild."""

    @pytest.mark.parametrize("style", STYLES, ids=lambda style: style.name)
    def test_roles_of_a_run(self, style: Style):
        """A run in this style has exactly its roles, whatever else it logged."""
        found = roles(curves(*style.roles.values(), *style.extras))
        assert {name: curve for name, curve in found.items() if not beside(name)} == style.roles

    @pytest.mark.parametrize("style", [style for style in STYLES if style.store != "tensorboard"], ids=lambda s: s.name)
    def test_mlflow_allows_the_names(self, style: Style):
        """A style for MLflow has flat names of the signs MLflow accepts."""
        assert not style.directories
        assert all(re.fullmatch(r"[\w\-. /]+", name) for name in (*style.tags.values(), *style.extras))

    def test_names_are_distinct(self):
        """No two styles share a name, no two roles of a style a curve."""
        assert len({style.name for style in STYLES}) == len(STYLES)
        assert all(
            len({*style.roles.values(), *style.extras}) == len(style.tags) + len(style.extras) for style in STYLES
        )


NAMES = {
    # splits: any separator, in front or behind, in camel case, several words, the nearest of two
    "valLoss": "val_loss",
    "LossVal": "val_loss",
    "TrainLoss": "train_loss",
    "valloss": "val_loss",
    "trn.loss": "train_loss",
    "tr-loss": "train_loss",
    "dev_loss": "val_loss",
    "held-out loss": "val_loss",
    "holdout/loss": "val_loss",
    "evaluate loss": "val_loss",
    "loss_test": "test_loss",
    "train/val/box_loss": "val_box_loss",
    "train/Loss/val": "val_loss",
    "validation_0-logloss": "val_loss",
    # losses
    "cross_entropy": "train_loss",
    "CrossEntropyLoss": "train_loss",
    "NLLLoss": "train_loss",
    "val_sparse_categorical_crossentropy": "val_loss",
    "val/nll": "val_loss",
    "multi_logloss": "train_loss",
    "objective": "train_loss",
    "train_cost": "train_loss",
    "val_dice_loss": "val_dice_loss",
    "val_kl_loss": "val_kl_loss",
    "actor_loss": "train_actor_loss",
    "Loss/g_loss": "train_generator_loss",
    "d_loss": "train_discriminator_loss",
    # errors
    "Loss/mse": "train_mse",
    "val_mean_absolute_error": "val_mae",
    "valid_0-l2": "val_mse",
    "valid_0-l1": "val_mae",
    "val_mape": "val_mape",
    "eval/ppl": "val_perplexity",
    "validation-error": "val_error",
    "eval_wer": "val_wer",
    # scores
    "top1": "train_accuracy",
    "val_Acc@1": "val_accuracy",
    "val_Acc@5": "val_top5_accuracy",
    "metrics/accuracy_top5": "val_top5_accuracy",
    "val_binary_accuracy": "val_accuracy",
    "balanced_accuracy": "train_balanced_accuracy",
    "val_f1_macro": "val_macro_f1",
    "val_micro_f1_score": "val_micro_f1",
    "macro avg_f1-score": "train_macro_f1",
    "F1Score": "train_f1",
    "training_roc_auc_score": "train_auc",
    "val_AUROC": "val_auc",
    "val_pr_auc": "val_average_precision",
    "val_average_precision": "val_average_precision",
    "mAP50B": "val_50_map",
    "metrics/mAP50-95(M)": "val_50_95_m_map",
    "val/map_75": "val_75_map",
    "val/coco/bbox_mAP": "val_map",
    "train/mAP": "train_map",
    "val_mean_iou": "val_iou",
    "dice_coefficient": "train_dice",
    "val_sensitivity": "val_recall",
    "val_tpr": "val_recall",
    "eval_matthews_correlation": "val_mcc",
    "cohen_kappa": "train_kappa",
    "Train/R2": "train_r2",
    "eval_bleu": "val_bleu",
    "eval_rouge1": "val_1_rouge",
    "val-ndcg@5": "val_5_ndcg",
    "val_psnr": "val_psnr_score",
    "validation_score": "val_score",
    # rewards
    "charts/episodic_return": "train_reward",
    "AverageEpRet": "train_reward",
    "ray/tune/episode_reward_mean": "train_reward",
    "Policy/Extrinsic Reward": "train_policy_extrinsic_reward",
    # schedules and norms belong to no split
    "lr-SGD/pg1": "learning_rate",
    "train/lr": "learning_rate",
    "lr_backbone": "backbone_learning_rate",
    "learning_rate/loss_head": "head_learning_rate",
    "grad_2.0_norm_total": "gradient_norm",
    "total_norm": "gradient_norm",
    "grad_norm/layer1": "layer1_gradient_norm",
    "gradient_std/encoder.bias": "encoder_bias_gradient_norm",
    "param_norm": "weight_norm",
    # the machine and the clock
    "epoch": "epoch",
    "time/fps": "throughput",
    "train/steps_per_sec": "throughput",
    "perf/tokens_per_second": "throughput",
    "iter_time": "step_time",
    "system/gpu_0_utilization_percentage": "0_gpu_utilization",
    "system/gpu_1_memory_usage_megabytes": "1_gpu_memory",
    "system/system_memory_usage_megabytes": "memory",
    "GPU Memory": "gpu_memory",
    # other scripts
    "損失/val_loss": "val_損失_loss",
    "損失Loss": "train_損失_loss",
    "pérdida/train_loss": "train_pérdida_loss",
}

NOT_JUDGED = (
    *("hp_metric", "best_val_loss", "best_iteration", "final_accuracy", "fold_1_rmse", "min_val_loss", "loss_std"),
    *("step", "iteration", "global_step", "momentum", "lr-SGD-momentum", "time/iterations", "best_epoch"),
    *("eta_seconds", "eval_samples_per_second", "train/total_flos", "eval/runtime", "loss_time"),
    *("confusion_matrix_0_1", "parameter_mean/encoder.weight", "parameter_std/loss.weight"),
    *("system/gpu_0_power_usage_watts", "system/cpu_utilization_percentage", "loss_scale", "kl", "entropy"),
    *("Glossary", "contrast", "lossy", "accurate", "precise", "retrain", "evaluator", "grape", "scarf1", "overlap"),
    *("reconstruction_error", "l2_weight", "gpu_cost", "rewards/chosen", "MaxEpRet", "objective/kl", "value"),
    *("", "/", "___", "train", "val", "train/val", "\ud800", "\x00", "0.5"),
)


class TestParse:
    """One name at a time."""

    @pytest.mark.parametrize(("name", "expected"), NAMES.items())
    def test_names(self, name: str, expected: str):
        """What is measured, on which data, and which one of several."""
        assert role_name(name) == expected

    @pytest.mark.parametrize("name", NOT_JUDGED)
    def test_look_alikes(self, name: str):
        """A name that only looks like a curve of progress has no role."""
        assert parse(name) is None

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("train_loss_step", Granularity.STEP),
            ("batch_loss", Granularity.STEP),
            ("evaluation_loss_vs_iterations", Granularity.STEP),
            ("train_loss_epoch", Granularity.EPOCH),
            ("log/train/epoch_metrics/loss", Granularity.EPOCH),
            ("train_loss", Granularity.UNKNOWN),
        ],
    )
    def test_granularity(self, name: str, expected: Granularity):
        """The name may tell an aggregate from a value for each step."""
        parsed = parse(name)
        assert parsed
        assert (parsed.role.quantity, parsed.granularity) == ("loss", expected)

    @pytest.mark.parametrize("separator", ["/", "_", "-", ".", " ", "::", " | "])
    def test_any_separator(self, separator: str):
        """What parts the words does not matter."""
        assert role_name(f"valid{separator}box{separator}loss") == "val_box_loss"

    def test_a_role_is_a_name(self):
        """A curve called as its role is that role, for all that is judged."""
        judged = [quantity.name for quantity in QUANTITIES.values() if quantity.judged]
        names = [f"{split}_{quantity}" for split, quantity in product(("train", "val", "test"), judged)]
        assert {name: role_name(name) for name in names} == dict(zip(names, names, strict=True))

    @settings(deadline=None)
    @given(st.text() | st.lists(st.sampled_from([*NAMES, *NOT_JUDGED]), max_size=4).map("/".join))
    @example("İ_loss")
    @example("ΑΣ/Loss")
    @example("val_²loss")
    def test_any_text(self, name: str):
        """No name is an error, and the role found is one that its own name leads back to."""
        parsed = parse(name)
        assert parse(name) == parsed
        assert parsed is None or role_named(parsed.role.name) == parsed.role

    def test_every_capital(self):
        """No capital of any script breaks the round trip of a part."""
        letters = map(chr, range(sys.maxunicode + 1))
        parsed = [parse(f"{letter}/loss") for letter in letters if letter != letter.lower()]
        assert len(parsed) > 1000
        assert all(each and role_named(each.role.name) == each.role for each in parsed)

    @pytest.mark.parametrize("piece", ["a", "A", "Aa", "a_", "1", "loss", "loss/", "val_", "é", "_", "train/val "])
    def test_long_names_cost_nothing(self, piece: str):
        """Names of 10,000 characters and of the longest that is read, repeated in every hostile way, are quick."""
        start = time.perf_counter()
        parse((piece * 10_000)[:10_000])
        parse((piece * 1000)[:1000])
        assert time.perf_counter() - start < 0.5


class TestRoleNamed:
    """The names of roles, as on the command line."""

    @pytest.mark.parametrize("part", ["", "box", "macro", "50_95", "fast_rcnn", "損失"])
    def test_round_trip(self, part: str):
        """Every role comes back from its name."""
        every = [Role(split, quantity, part) for split, quantity in product(Split, QUANTITIES)]
        assert [role_named(role.name) for role in every] == every

    @pytest.mark.parametrize(
        ("text", "nearest"),
        [
            ("val_acc", "val_accuracy"),
            ("Val_Loss", "val_loss"),
            ("val_los", "val_loss"),
            ("validation loss", "val_loss"),
            ("learning_rat", "learning_rate"),
            ("train_box", ""),
            ("val", ""),
            ("val__loss", "val_loss"),
            ("_loss", "train_loss"),
            ("", ""),
            ("x" * 10_000, ""),
        ],
    )
    def test_no_role(self, text: str, nearest: str):
        """One line names the wrong value, the nearest right one and the form."""
        with pytest.raises(ValueError, match=re.escape(f"the nearest is '{nearest}")) as error:
            role_named(text)
        message = str(error.value)
        assert message.startswith(repr(text[:60])[:-1])
        assert "[train_|val_|test_][PART_]QUANTITY" in message
        assert "\n" not in message
        assert len(message) < 300


class TestAssign:
    """A whole run."""

    def test_summaries_play_no_role(self):
        """One point is no curve, two are."""
        assert roles(curves(train_loss=1, val_loss=2)) == {"val_loss": "val_loss"}

    def test_trainer_summary_leaves_the_role_to_the_curve(self):
        """The Transformers' one-point `train/train_loss` does not stand in for `train/loss`."""
        run = curves("train/loss") | {"train/train_loss": curve("train/train_loss", 1)}
        assert roles(run) == {"train_loss": "train/loss"}

    def test_the_aggregate_wins(self):
        """Where a run logs both, the epochs are judged."""
        run = curves(train_loss_epoch=6, train_loss=60, train_loss_step=600)
        assert roles(run) == {"train_loss": "train_loss_epoch"}

    def test_the_unmarked_curve_before_the_steps(self):
        """Beside a curve of steps the one that does not say what it is is the aggregate."""
        assert roles(curves(train_loss=6, batch_loss=600)) == {"train_loss": "train_loss"}

    def test_an_aggregate_too_short_to_be_judged_loses(self):
        """Three epochs say less than 600 steps."""
        assert roles(curves(train_loss_epoch=3, train_loss_step=600)) == {"train_loss": "train_loss_step"}

    def test_most_points_then_shortest_then_alphabet(self):
        """Between equals the order is fixed."""
        assert roles(curves(total_loss=40, loss=20)) == {"train_loss": "total_loss"}
        assert roles(curves("total_loss", "loss")) == {"train_loss": "loss"}
        assert roles(curves("valid_1-rmse", "valid_0-rmse")) == {"val_rmse": "valid_0-rmse"}

    def test_losers_play_no_role(self):
        """A curve that lost its role is not given another."""
        assert roles(curves("lr/pg0", "lr/pg1", "lr/pg2")) == {"learning_rate": "lr/pg0"}

    def test_whole_and_part_stand_side_by_side(self):
        """A loss and its parts are different roles."""
        run = curves("Loss/total_loss", "Loss/box_loss")
        assert roles(run) == {"train_loss": "Loss/total_loss", "train_box_loss": "Loss/box_loss"}

    def test_percentages_are_accuracies(self):
        """An accuracy of 93 is one, a `precision` of 4000 is another thing."""
        run = {"val_acc": curve("val_acc", level=93.0), "precision": curve("precision", level=4000.0)}
        assert roles(run) == {"val_accuracy": "val_acc"}

    def test_nan_plays_its_role(self):
        """A curve of nothing but NaN is still the loss, or nobody could say that it is NaN."""
        run = {name: curve(name, level=float("nan")) for name in ("train_loss", "val_acc")}
        assert roles(run) == {"train_loss": "train_loss", "val_accuracy": "val_acc"}

    def test_run_directory_called_train(self):
        """`train/` in front of everything, held-out curves included, is no split; in front of training it is one."""
        run = curves("train/val/box_loss", "train/metrics/mAP50(B)")
        assert set(roles(run)) == {"val_box_loss", "val_50_map"}
        assert set(roles(curves("train/loss", "train/mAP"))) == {"train_loss", "train_map"}

    def test_no_curves(self):
        """A run without metrics has no roles."""
        assert roles({}) == {}

    @settings(deadline=None)
    @given(st.dictionaries(st.text(), st.integers(0, 9)))
    def test_any_run(self, lengths: dict[str, int]):
        """Whatever the names, roles are found, each for a curve of the run."""
        run = curves(**lengths)
        found = roles(run)
        assert set(found.values()) <= set(run)
        assert len(set(found.values())) == len(found)


class TestMap:
    """`--map TAG=ROLE`."""

    def test_a_strange_name(self):
        """The user may know what no parser can."""
        assert roles(curves("my_number"), my_number="val_loss") == {"val_loss": "my_number"}

    def test_over_the_parser(self):
        """A mapped curve takes the role from the one that claims it and gives up its own."""
        run = curves("val_loss", "val_acc")
        assert roles(run, val_acc="val_loss") == {"val_loss": "val_acc"}

    def test_none_removes(self):
        """A curve mapped to `none` is not judged; the next in line takes its role."""
        assert roles(curves("loss", "total_loss"), loss="none") == {"train_loss": "total_loss"}

    def test_unknown_role(self):
        """The line names the role that is wrong."""
        with pytest.raises(ValueError, match="'val_acc' is no role, the nearest is 'val_accuracy'"):
            assign(curves("x"), {"x": "val_acc"})

    def test_unknown_curve(self):
        """The line names the curve that is missing and the nearest there is."""
        with pytest.raises(ValueError, match=r"the run has no curve 'val_los' .*; the nearest is 'val_loss'"):
            assign(curves("val_loss", "train_acc"), {"val_los": "val_loss"})
        with pytest.raises(ValueError, match=r"the run has no curve 'x' .*; it has no curve at all"):
            assign({}, {"x": "none"})

    def test_a_role_given_twice(self):
        """Two curves cannot play one role."""
        with pytest.raises(ValueError, match="'val_loss' is mapped twice, to 'a' and to 'b'"):
            assign(curves("a", "b"), {"a": "val_loss", "b": "val_loss"})
