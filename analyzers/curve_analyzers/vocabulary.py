"""The words in which frameworks and people name their curves.

Every entry is a phrase of whole words, phrases are separated by commas. A phrase stands for its words in this order
whatever separates them: `log loss` is `log_loss`, `LogLoss` and `log/loss`, but not `logloss`, which is one word.
Capitals count as the start of a word here as in a name: `mAP` is two words, `map` one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

__all__ = [
    "ALONE",
    "GRANULARITIES",
    "MARKS",
    "MEASURES",
    "SPLITS",
    "SYSTEM",
    "Word",
    "entries",
    "spelled",
    "texts",
    "words_of",
]

SPLITS: Mapping[str, str] = {
    "train": "train, training, trn, tr, learn",
    "val": "val, valid, validation, validate, dev, eval, evaluation, evaluate, held out, heldout, hold out, holdout",
    "test": "test, testing, tst",
}

# What is measured, by the role it stands for. The role's split is where an unmarked curve of that name was measured;
# without one it is the training data.
MEASURES: Mapping[str, str] = {
    "loss": (
        "loss, losses, lm loss, log loss, logloss, mlogloss, cross entropy, crossentropy, cross entropy loss, xentropy,"
        "xent, ce, bce, ce loss, bce loss, nll, nll loss, negative log likelihood, neg log likelihood, deviance, hinge,"
        "huber, smooth l1 loss, l1 loss, l2 loss, mse loss, rmse loss, mae loss, multiclass,"
        "MultiClass"
    ),
    "train_loss": "trainloss",
    "val_loss": "valloss, validloss",
    "test_loss": "testloss",
    "generator_loss": "generator loss, gen loss, g loss, loss g, loss gen, loss generator",
    "discriminator_loss": "discriminator loss, disc loss, d loss, loss d, loss disc, loss discriminator",
    "policy_gradient_loss": "policy gradient loss",
    "gradient_penalty_loss": "gradient penalty loss",
    "reward": "reward, rewards, rew",
    "rmse": "rmse, root mean squared error, root mean square error",
    "log_rmse": "rmsle",
    "mse": "mse, mean squared error, mean square error",
    "mae": "mae, mean absolute error",
    "mape": "mape, smape, mean absolute percentage error",
    "perplexity": "perplexity, ppl, loss ppl, lm loss ppl",
    "error_rate": "error rate, err rate, merror, binary error, multi error, classification error, top1 error, top1 err",
    "wer": "wer, word error rate",
    "cer": "cer, character error rate, char error rate",
    "fid": "fid, frechet inception distance",
    "accuracy": (
        "accuracy, accuracies, acc, top1, top1 accuracy, top1 acc, accuracy top1, acc top1, acc1, prec1, aAcc,"
        "fast rcnn cls accuracy"
    ),
    "train_accuracy": "trainacc",
    "val_accuracy": "valacc, validacc",
    "test_accuracy": "testacc",
    "balanced_accuracy": "balanced accuracy, balanced acc, bal acc, bacc, mAcc",
    "f1": "f1, fscore, f score, f measure, f1 measure",
    "auc": "auc, auroc, roc auc, rocauc, auc roc, aucroc",
    "average_precision": "average precision, avg precision, pr auc, prauc, auc pr, aucpr, auprc, precision recall auc",
    "val_map": "mAP, map, mean average precision, bbox AP, bbox mAP",
    "val_50_map": "mAP50, map50, mAP50B, AP50, mAP@.50IOU, mAP@0.5, map@0.5",
    "val_75_map": "mAP75, map75, AP75, mAP@.75IOU, mAP@0.75, map@0.75",
    "val_50_95_map": "mAP50-95, map50-95, mAP50-95B, mAP@0.5:0.95, map@0.5:0.95",
    "val_small_map": "bbox APs",
    "val_medium_map": "bbox APm",
    "val_large_map": "bbox APl",
    "iou": "iou, IoU, miou, mIoU, mean iou, jaccard",
    "dice": "dice, mdice, mDice, dice coef, dice coefficient, dsc",
    "precision": "precision, prec, ppv",
    "recall": "recall, sensitivity, tpr, true positive rate",
    "val_precision": "precisionB",
    "val_recall": "recallB, AR@100, mar100",
    "val_1_recall": "AR@1, mar1",
    "val_10_recall": "AR@10, mar10",
    "specificity": "specificity, tnr, true negative rate",
    "top5_accuracy": (
        "top5, top5 accuracy, top5 acc, accuracy top5, acc top5, acc5, prec5, top k categorical accuracy,top k accuracy"
    ),
    "mcc": "mcc, matthews corrcoef, matthews correlation",
    "kappa": "kappa, cohen kappa, cohens kappa, qwk, quadratic weighted kappa",
    "r2": "r2, r squared",
    "ndcg": "ndcg, nDCG",
    "mrr": "mrr, mean reciprocal rank",
    "bleu": "bleu, sacrebleu",
    "rouge": "rouge",
    "psnr_score": "psnr",
    "ssim_score": "ssim",
    "pearson_score": "pearson, pearsonr",
    "spearman_score": "spearman, spearmanr",
    "success_score": "success rate, win rate",
    "exact_match_score": "exact match",
    "learning_rate": "learning rate, lr, x lr, policy learning rate",
    "gradient_norm": (
        "grad norm, gradient norm, gradients norm, gradnorm, grad l2 norm, grad 2 norm, grad 2.0 norm, total norm,"
        "gradients global norm, global norm, gradient std"
    ),
    "weight_norm": "weight norm, weights norm, param norm, params norm, parameter norm, parameters norm",
}

# Words with so many meanings that they count only where the name says nothing else: `val_error` is one, and
# `reconstruction_error`, `l2_weight` and `gpu_cost` are not.
ALONE: Mapping[str, str] = {
    "loss": "cost, objective",
    "reward": "return, returns, ret",
    "mae": "l1",
    "mse": "l2",
    "error": "error, err",
    "average_precision": "ap",
    "score": "score, scores",
}

# What the machine and the clock did meanwhile. Numbers in a name only tell devices apart, so phrases have none.
SYSTEM: Mapping[str, str] = {
    "throughput": (
        "throughput, fps, samples per second, samples per sec, examples per second, examples per sec,"
        "images per second, images per sec, img per sec, tokens per second, tokens per sec, steps per second,"
        "steps per sec, iterations per second, iter per sec, it per sec, batches per second, batches per sec"
    ),
    "step_time": (
        "step time, batch time, iter time, iteration time, epoch time, time per step, time per batch, time per iter,"
        "time per iteration, time per epoch, sec per step, sec per batch, sec per iter, sec per epoch,"
        "seconds per step, seconds per batch, seconds per iteration, seconds per epoch, step duration, epoch duration"
    ),
    "gpu_utilization": "gpu utilization, gpu util, gpu usage percentage, gpu use, gpu load, gpu gpu",
    "gpu_memory": (
        "gpu memory usage, gpu memory, gpu mem, gpu memory allocated, cuda memory, cuda memory allocated, max mem,"
        "max memory allocated, memory allocated, allocated memory"
    ),
    "memory": "memory usage, system memory usage, memory, mem, ram, ram usage, rss, proc memory rss",
}

GRANULARITIES: Mapping[str, str] = {
    "epoch": "epoch, epochs",
    "step": "step, steps, batch, batches, iter, iters, iteration, iterations, vs iterations, vs samples, vs steps",
}

MARKS: Mapping[str, str] = {
    # Words that change nothing about what is measured.
    "filler": (
        "metric, scalar, scalars, log, logs, lightning logs, catboost info, chart, charts, coco, performance,"
        "environment, env, rollout, rollouts, ray tune, total, combined, overall, mean, avg, average, averaged,"
        "running, reduced, global, cumulative, ep, episode, episodic, per, vs, pct, percent, percentage, binary,"
        "categorical, sparse, multi, logits, adam, adamw, AdamW, adamax, nadam, NAdam, radam, RAdam, adadelta, adagrad,"
        "adafactor, sgd, rmsprop, RMSprop, lion, lamb, pg0, pg1, pg2, pg3, group0, group1"
    ),
    # Sections that hold scores of held-out data and nothing else, though they do not say so: Ultralytics, TF Object
    # Detection.
    "held out": (
        "metrics, DetectionBoxes_Precision, DetectionBoxes_Recall, DetectionMasks_Precision, DetectionMasks_Recall"
    ),
    # A name with one of these is no curve of progress, whatever else it says.
    "not judged": (
        "best, final, fold, min, max, minimum, maximum, std, stddev, stderr, var, variance, median, hist, histogram,"
        "count, num, hp, hparam, hparams, system, time, timer, timers, elapsed, duration, seconds, sec, secs, ms, eta,"
        "runtime, throughput, speed, fps, per second, per sec, flops, flos, memory, momentum, beta, betas, confusion,"
        "threshold, parameter mean, parameter std, gradient, gradients, grad, grads, loss scale, loss scaler,"
        "loss weight, loss weights, rewards chosen, rewards rejected, rewards margins, objective kl, objective entropy"
    ),
}

# Capitals and numbers begin a word; other scripts have no such rule.
_WORD = re.compile(r"[A-Z]+(?![a-zß-öø-ÿ])|[A-Z]?[a-zß-öø-ÿ]+|[0-9]+|[^\W_A-Z0-9a-zß-öø-ÿ]+")


@dataclass(frozen=True, slots=True)
class Word:
    """A word in lower case; `glued` where nothing but the start or end of a number parts it from the one before."""

    text: str
    glued: bool


def words_of(name: str) -> list[Word]:
    """The words of any text, in time linear in its length."""
    words: list[Word] = []
    end = -1
    for match in _WORD.finditer(name):
        # Lower case can bring marks along that are no letters, as with the Turkish dotted I.
        text = "".join(filter(str.isalnum, match[0].lower()))
        glued = match.start() == end and (text.isdigit() or words[-1].text.isdigit())
        words.append(Word(text, glued))
        end = match.end()
    return words


def spelled(words: Sequence[Word]) -> str:
    """The words as part of a role's name, `layer1_weight`."""
    return "".join(word.text if word.glued else f"_{word.text}" for word in words).lstrip("_")


def texts(words: Sequence[Word]) -> tuple[str, ...]:
    """The words as the key of a phrase."""
    return tuple(word.text for word in words)


def entries(table: Mapping[str, str]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Each phrase of a table, as words, with what it stands for."""
    for key, phrases in table.items():
        for phrase in phrases.split(","):
            yield texts(words_of(phrase)), key
