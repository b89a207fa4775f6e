"""How frameworks name the curves of one run: the styles every reader, the parser and the verdict must survive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["STYLES", "Style"]


@dataclass(frozen=True, kw_only=True)
class Style:
    """The naming of one framework in one store.

    Attributes:
        name: The framework and, where it has several, the way it was used.
        tags: The tag under which each role's curve is logged, by role name.
        directories: The sub-directory of the logdir in which the curve is, by role name; the logdir itself where
            there is none. Only TensorBoard has sub-directories.
        store: Where the style is met. Names with signs MLflow refuses are TensorBoard's alone.
        extras: Names, sub-directory included, that the same run logs beside and that it is not judged on.
    """

    name: str
    tags: Mapping[str, str]
    directories: Mapping[str, str] = field(default_factory=dict)
    store: Literal["mlflow", "tensorboard", "both"] = "both"
    extras: tuple[str, ...] = ()

    def curve(self, role: str) -> str:
        """The name of a role's curve as a reader gives it, the sub-directory in front."""
        directory = self.directories.get(role)
        return f"{directory}/{self.tags[role]}" if directory else self.tags[role]

    @property
    def roles(self) -> dict[str, str]:
        """The curves of the style by role name."""
        return {role: self.curve(role) for role in self.tags}


def _by_directory(train: str, val: str, tags: Mapping[str, str], val_split: str = "val") -> dict[str, dict[str, str]]:
    """The tags and directories of a framework that logs the same tag for each split in another directory."""
    directories = {"train": train, val_split: val}
    return {
        "tags": {f"{split}_{quantity}": tag for split in directories for quantity, tag in tags.items()},
        "directories": {f"{split}_{quantity}": directories[split] for split in directories for quantity in tags},
    }


_keras = _by_directory("train", "validation", {"loss": "epoch_loss", "accuracy": "epoch_accuracy"})
_ludwig = _by_directory(
    "training", "validation", {"loss": "combined/epoch_loss", "label_accuracy": "label/epoch_accuracy"}
)
_detection = _by_directory(
    "train", "eval", {"loss": "Loss/total_loss", "classification_loss": "Loss/classification_loss"}
)

STYLES: tuple[Style, ...] = (
    Style(
        name="keras-tensorboard",
        tags={**_keras["tags"], "learning_rate": "epoch_learning_rate"},
        directories={**_keras["directories"], "learning_rate": "train"},
        store="tensorboard",
        extras=("validation/evaluation_loss_vs_iterations", "validation/evaluation_accuracy_vs_iterations"),
    ),
    Style(
        name="keras-2.0-beta",
        **_by_directory("train", "validation", {"loss": "epoch_loss"}),
        store="tensorboard",
        extras=("train/batch_loss",),
    ),
    Style(
        name="keras-autolog",
        tags={
            "train_loss": "loss",
            "train_accuracy": "accuracy",
            "val_loss": "val_loss",
            "val_accuracy": "val_accuracy",
            "learning_rate": "learning_rate",
        },
        store="mlflow",
        extras=("validation_loss",),
    ),
    Style(
        name="keras-by-hand",
        tags={
            "train_loss": "training_loss",
            "train_accuracy": "training_accuracy",
            "val_loss": "validation_loss",
            "val_accuracy": "validation_accuracy",
        },
        store="mlflow",
    ),
    Style(
        name="ludwig",
        tags={**_ludwig["tags"], "test_loss": "combined/epoch_loss"},
        directories={**_ludwig["directories"], "test_loss": "test"},
        store="tensorboard",
        extras=("training/combined/step_training_loss",),
    ),
    Style(
        name="tf-object-detection",
        tags={
            **_detection["tags"],
            "learning_rate": "learning_rate",
            "val_map": "DetectionBoxes_Precision/mAP",
            "val_50_map": "DetectionBoxes_Precision/mAP@.50IOU",
            "val_small_map": "DetectionBoxes_Precision/mAP (small)",
            "val_large_recall": "DetectionBoxes_Recall/AR@100 (large)",
        },
        directories={
            **_detection["directories"],
            "learning_rate": "train",
            "val_map": "eval",
            "val_50_map": "eval",
            "val_small_map": "eval",
            "val_large_recall": "eval",
        },
        store="tensorboard",
        extras=("train/steps_per_sec",),
    ),
    Style(
        name="allennlp",
        tags={
            "train_loss": "loss",
            "train_accuracy": "accuracy",
            "val_loss": "loss",
            "val_accuracy": "accuracy",
            "val_f1": "fscore",
        },
        directories={
            "train_loss": "log/train",
            "train_accuracy": "log/train",
            "val_loss": "log/validation",
            "val_accuracy": "log/validation",
            "val_f1": "log/validation",
        },
        store="tensorboard",
        extras=("log/train/loss/loss_train", "log/train/parameter_mean/encoder.weight"),
    ),
    Style(
        name="allennlp-epoch-metrics",
        **_by_directory("log/train", "log/validation", {"loss": "epoch_metrics/loss"}),
        store="tensorboard",
        extras=("log/train/loss/loss_train", "log/train/parameter_mean/loss_head.weight"),
    ),
    Style(
        name="catboost",
        tags={"train_loss": "Logloss", "test_loss": "Logloss", "test_auc": "AUC"},
        directories={"train_loss": "learn", "test_loss": "test", "test_auc": "test"},
        store="tensorboard",
    ),
    Style(
        name="catboost-from-above",
        tags={"train_loss": "Logloss", "test_loss": "Logloss", "test_auc": "AUC"},
        directories={
            "train_loss": "catboost_info/learn",
            "test_loss": "catboost_info/test",
            "test_auc": "catboost_info/test",
        },
        store="tensorboard",
    ),
    Style(
        name="slash-prefix",
        tags={
            "train_loss": "train/loss",
            "train_accuracy": "train/acc",
            "val_loss": "val/loss",
            "val_accuracy": "val/acc",
            "learning_rate": "train/lr",
        },
    ),
    Style(
        name="slash-suffix",
        tags={
            "train_loss": "Loss/train",
            "train_accuracy": "Accuracy/train",
            "val_loss": "Loss/val",
            "val_accuracy": "Accuracy/val",
            "test_loss": "Loss/test",
        },
    ),
    Style(
        name="lightning-tensorboard",
        tags={
            "train_loss": "train_loss_epoch",
            "val_loss": "val_loss",
            "val_accuracy": "val_acc",
            "test_accuracy": "test_acc",
            "learning_rate": "lr-Adam",
        },
        extras=("train_loss_step", "epoch", "hp_metric"),
    ),
    Style(
        name="lightning-tensorboard-bare-loss",
        tags={"train_loss": "loss", "val_loss": "val_loss"},
        store="tensorboard",
        extras=("epoch", "hp_metric"),
    ),
    Style(
        name="lightning-mlflow",
        tags={"train_loss": "train_loss_epoch", "val_loss": "val_loss", "learning_rate": "lr-AdamW"},
        store="mlflow",
        extras=("train_loss_step", "epoch", "lr-AdamW-momentum"),
    ),
    Style(
        name="lightning-mlflow-spaces",
        tags={"train_loss": "train loss", "val_loss": "validation loss", "test_loss": "testing loss"},
        store="mlflow",
        extras=("epoch",),
    ),
    Style(
        name="lightning-csv",
        tags={
            "train_loss": "train_loss",
            "train_accuracy": "accuracy",
            "val_loss": "val_loss",
            "test_loss": "test_loss",
        },
    ),
    Style(
        name="pytorch-mlflow",
        tags={
            "train_loss": "train_loss",
            "train_accuracy": "train acc",
            "val_loss": "val_loss",
            "val_accuracy": "valid acc",
        },
        store="mlflow",
        extras=("best_val_loss", "epoch_time"),
    ),
    Style(
        name="pytorch-mlflow-test-only",
        tags={"train_loss": "train_loss", "test_loss": "test_loss", "test_accuracy": "test_accuracy"},
        store="mlflow",
        extras=("final_accuracy",),
    ),
    Style(
        name="lightgbm-autolog",
        tags={"train_rmse": "training-rmse", "val_rmse": "valid_1-rmse"},
        store="mlflow",
        extras=("best_iteration", "stopped_iteration", "fold_1_rmse"),
    ),
    Style(
        name="lightgbm-autolog-logloss",
        tags={
            "train_loss": "training-binary_logloss",
            "val_loss": "valid_0-binary_logloss",
            "val_auc": "valid_0-auc",
        },
        store="mlflow",
    ),
    Style(
        name="xgboost-autolog",
        tags={"train_loss": "train-mlogloss", "val_loss": "validation-mlogloss", "val_auc": "validation-auc"},
        store="mlflow",
        extras=("best_iteration", "stopped_iteration"),
    ),
    Style(
        name="xgboost-autolog-regression",
        tags={"train_rmse": "train-rmse", "val_rmse": "validation-rmse"},
        store="mlflow",
    ),
    Style(
        name="xgboost-autolog-held-out-only",
        tags={"val_auc": "eval-auc", "val_loss": "eval-logloss"},
        store="mlflow",
    ),
    Style(
        name="transformers",
        tags={
            "train_loss": "train/loss",
            "val_loss": "eval/loss",
            "val_accuracy": "eval/accuracy",
            "learning_rate": "train/learning_rate",
            "gradient_norm": "train/grad_norm",
        },
        extras=(
            "train/train_loss",
            "train/epoch",
            "train/total_flos",
            "eval/runtime",
            "eval/samples_per_second",
            "eval/steps_per_second",
        ),
    ),
    Style(
        name="transformers-trainer-state",
        tags={
            "train_loss": "loss",
            "val_loss": "eval_loss",
            "val_accuracy": "eval_accuracy",
            "learning_rate": "learning_rate",
            "gradient_norm": "grad_norm",
        },
        store="mlflow",
        extras=("train_loss", "train_runtime", "epoch", "total_flos"),
    ),
    Style(
        name="ultralytics",
        tags={
            "train_box_loss": "train/box_loss",
            "train_cls_loss": "train/cls_loss",
            "train_dfl_loss": "train/dfl_loss",
            "val_box_loss": "val/box_loss",
            "val_cls_loss": "val/cls_loss",
            "val_dfl_loss": "val/dfl_loss",
            "val_50_map": "metrics/mAP50(B)",
            "val_50_95_map": "metrics/mAP50-95(B)",
            "val_precision": "metrics/precision(B)",
            "val_recall": "metrics/recall(B)",
            "learning_rate": "lr/pg0",
        },
        store="tensorboard",
        extras=("lr/pg1", "lr/pg2"),
    ),
    Style(
        name="ultralytics-run-directory",
        tags={
            "train_box_loss": "train/box_loss",
            "val_box_loss": "val/box_loss",
            "val_50_map": "metrics/mAP50(B)",
            "val_precision": "metrics/precision(B)",
            "learning_rate": "lr/pg0",
        },
        directories=dict.fromkeys(
            ("train_box_loss", "val_box_loss", "val_50_map", "val_precision", "learning_rate"), "train"
        ),
        store="tensorboard",
        extras=("train/lr/pg1",),
    ),
    Style(
        name="ultralytics-mlflow",
        tags={
            "train_box_loss": "train/box_loss",
            "train_cls_loss": "train/cls_loss",
            "val_box_loss": "val/box_loss",
            "val_cls_loss": "val/cls_loss",
            "val_50_map": "metrics/mAP50B",
            "val_50_95_map": "metrics/mAP50-95B",
            "val_precision": "metrics/precisionB",
            "val_recall": "metrics/recallB",
            "learning_rate": "lr/pg0",
        },
        store="mlflow",
        extras=("lr/pg1",),
    ),
    Style(
        name="ultralytics-mlflow-nested",
        tags={
            "train_box_loss": "metrics/train/box_loss",
            "val_box_loss": "metrics/val/box_loss",
            "val_50_map": "metrics/metrics/mAP50B",
        },
        store="mlflow",
    ),
    Style(
        name="yolov5",
        tags={
            "train_box_loss": "train/box_loss",
            "train_obj_loss": "train/obj_loss",
            "val_box_loss": "val/box_loss",
            "val_obj_loss": "val/obj_loss",
            "val_50_map": "metrics/mAP_0.5",
            "val_50_95_map": "metrics/mAP_0.5:0.95",
            "val_precision": "metrics/precision",
            "val_recall": "metrics/recall",
            "learning_rate": "x/lr0",
        },
        store="tensorboard",
        extras=("x/lr1", "x/lr2"),
    ),
    Style(
        name="detectron2",
        tags={
            "train_loss": "total_loss",
            "train_cls_loss": "loss_cls",
            "train_box_reg_loss": "loss_box_reg",
            "train_accuracy": "fast_rcnn/cls_accuracy",
            "val_map": "bbox/AP",
            "val_small_map": "bbox/APs",
            "learning_rate": "lr",
        },
        extras=("eta_seconds", "time", "data_time", "roi_head/num_fg_samples"),
    ),
    Style(
        name="mmsegmentation",
        tags={
            "train_loss": "train/loss",
            "train_decode_seg_loss": "train/decode.loss_seg",
            "train_decode_seg_accuracy": "train/decode.acc_seg",
            "val_iou": "val/mIoU",
            "learning_rate": "train/lr",
        },
        extras=("train/time", "train/data_time", "train/memory", "train/momentum"),
    ),
    Style(
        name="stable-baselines3",
        tags={
            "train_reward": "rollout/ep_rew_mean",
            "val_reward": "eval/mean_reward",
            "train_loss": "train/loss",
            "train_value_loss": "train/value_loss",
            "train_entropy_loss": "train/entropy_loss",
            "train_policy_gradient_loss": "train/policy_gradient_loss",
            "learning_rate": "train/learning_rate",
        },
        extras=(
            "rollout/ep_len_mean",
            "eval/mean_ep_length",
            "train/approx_kl",
            "train/clip_fraction",
            "train/explained_variance",
            "train/std",
            "time/fps",
        ),
    ),
    Style(
        name="unity-ml-agents",
        tags={
            "train_reward": "Environment/Cumulative Reward",
            "train_policy_loss": "Losses/Policy Loss",
            "train_value_loss": "Losses/Value Loss",
            "learning_rate": "Policy/Learning Rate",
        },
        extras=("Policy/Entropy", "Policy/Epsilon", "Policy/Beta", "Environment/Episode Length", "Is Training"),
    ),
    Style(
        name="nanogpt",
        tags={"train_loss": "train_loss", "val_loss": "val_loss", "learning_rate": "lr"},
        extras=("iter",),
    ),
    Style(
        name="megatron",
        tags={
            "train_loss": "lm-loss-training/lm loss",
            "val_loss": "lm-loss-validation/lm loss validation",
            "val_perplexity": "lm-loss-validation/lm loss validation ppl",
            "learning_rate": "learning-rate/learning-rate",
            "gradient_norm": "grad-norm/grad-norm",
        },
        extras=(
            "lm-loss-training/lm loss vs samples",
            "lm-loss-validation/lm loss validation vs samples",
            "learning-rate/learning-rate vs samples",
            "loss-scale/loss-scale",
            "batch-size/batch-size",
        ),
    ),
    Style(
        name="nemo",
        tags={"train_loss": "reduced_train_loss", "val_loss": "val_loss", "learning_rate": "lr"},
        extras=("global_step", "consumed_samples", "train_step_timing in s", "epoch"),
    ),
    Style(
        name="gan",
        tags={"train_generator_loss": "generator_loss", "train_discriminator_loss": "discriminator_loss"},
    ),
    Style(
        name="gan-short",
        tags={"train_generator_loss": "Loss_G", "train_discriminator_loss": "Loss_D"},
    ),
)
