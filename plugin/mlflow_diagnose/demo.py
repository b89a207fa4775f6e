"""Eight small models, really trained: one healthy, seven with a fault planted on purpose, logged to a fresh store."""

from __future__ import annotations

import shlex
import shutil
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from sklearn.datasets import load_diabetes, load_digits, make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import SGDClassifier, SGDRegressor
from sklearn.metrics import accuracy_score, f1_score, log_loss, mean_squared_error
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from mlflow_diagnose.config import Settings
from mlflow_diagnose.errors import BadInputError
from mlflow_diagnose.pipeline import judge, write_back
from mlflow_diagnose.readers import open_source
from mlflow_diagnose.readers.tracking.quiet import quiet

if TYPE_CHECKING:
    from curve_analyzers.findings import Report

__all__ = ["MODELS", "run_demo"]

EXPERIMENT = "mlflow-diagnose demo"
Epochs = Iterator[Mapping[str, float]]
Arrays = tuple[np.ndarray[Any, Any], ...]


@dataclass(frozen=True)
class Model:
    """A model to train.

    Attributes:
        name: What its run is called: what was done, as a person would call it.
        planted: The verdict it should get.
        params: What is logged of how it was trained.
        train: Trains it, one mapping of metrics an epoch.
    """

    name: str
    planted: str
    params: Mapping[str, object]
    train: Callable[[], Epochs]


def _digits(examples: int, wrong: float = 0.0) -> Arrays:
    """Pictures of digits: `examples` to train on, of which a share `wrong` gets a random label."""
    x, y = load_digits(return_X_y=True)
    x_train, x_val, y_train, y_val = train_test_split(x / 16.0, y, test_size=600, random_state=0, stratify=y)
    random = np.random.default_rng(0)
    x_train, y_train = x_train[:examples], y_train[:examples].copy()
    mixed = random.random(examples) < wrong
    y_train[mixed] = random.integers(0, 10, int(mixed.sum()))
    return x_train, x_val, y_train, y_val


def _rare() -> Arrays:
    """Two classes that cannot be told apart by these inputs, one of them in 4 of 100 examples."""
    x, y = make_classification(
        1500, 20, n_informative=2, n_redundant=0, weights=[0.96], flip_y=0, class_sep=0.05, random_state=0
    )
    return tuple(train_test_split(x, y, test_size=500, random_state=0, stratify=y))


def _classifier(data: Arrays, epochs: int, **settings: Any) -> Epochs:  # noqa: ANN401 - scikit-learn's own
    """Train a multi-layer perceptron and measure it on both halves after every epoch."""
    x_train, _, y_train, _ = data
    model = MLPClassifier(random_state=0, batch_size=64, **settings)
    classes = np.unique(y_train)
    for _ in range(epochs):
        model.partial_fit(x_train, y_train, classes=classes)
        yield _metrics(model, data)


def _metrics(model: MLPClassifier | SGDClassifier, data: Arrays) -> dict[str, float]:
    """Loss and accuracy on both halves, and F1 where there are two classes."""
    x_train, x_val, y_train, y_val = data
    metrics: dict[str, float] = {}
    for split, x, y in (("train", x_train, y_train), ("val", x_val, y_val)):
        odds = model.predict_proba(x)
        named = model.classes_[odds.argmax(axis=1)]
        metrics[f"{split}_loss"] = float(log_loss(y, odds, labels=model.classes_))
        metrics[f"{split}_accuracy"] = float(accuracy_score(y, named))
        if len(model.classes_) == 2:  # noqa: PLR2004 - one of them is the rare one
            metrics[f"{split}_f1"] = float(f1_score(y, named, zero_division=0))
    return metrics


def _linear(data: Arrays, epochs: int, rate: float) -> Epochs:
    """Train a linear classifier by steps of one example at a constant rate, and measure it after every epoch."""
    x_train, _, y_train, _ = data
    model = SGDClassifier(loss="log_loss", learning_rate="constant", eta0=rate, random_state=0)
    classes = np.unique(y_train)
    for _ in range(epochs):
        model.partial_fit(x_train, y_train, classes=classes)
        yield _metrics(model, data)


def _regressor(rates: np.ndarray[Any, Any]) -> Epochs:
    """Train a linear model on medical data with a learning rate for every epoch."""
    x, y = load_diabetes(return_X_y=True)
    data = train_test_split(x / x.std(axis=0), y / y.std(), test_size=0.3, random_state=0)
    x_train, x_val, y_train, y_val = data
    model = SGDRegressor(learning_rate="constant", random_state=0)
    for rate in rates:
        model.set_params(eta0=float(rate)).partial_fit(x_train, y_train)
        yield {
            "train_loss": float(mean_squared_error(y_train, model.predict(x_train))),
            "val_loss": float(mean_squared_error(y_val, model.predict(x_val))),
            "learning_rate": float(rate),
        }


def _digit_model(
    name: str,
    planted: str,
    *,
    epochs: int = 60,
    examples: int = 900,
    wrong: float = 0.0,
    width: int = 32,
    **settings: Any,  # noqa: ANN401 - scikit-learn's own
) -> Model:
    settings = {"solver": "sgd", "learning_rate_init": 0.1, **settings}
    params = {"epochs": epochs, "n_train": examples, "hidden_size": width, "num_classes": 10, **settings}
    layers = (width,)
    return Model(
        name,
        planted,
        params,
        lambda: _classifier(_digits(examples, wrong), epochs, hidden_layer_sizes=layers, **settings),
    )


MODELS = (
    _digit_model("digits, a good start", "healthy"),
    _digit_model(
        "digits, 150 examples, a third mislabelled",
        "overfitting",
        examples=150,
        wrong=0.33,
        width=128,
        solver="adam",
        learning_rate_init=0.005,
    ),
    _digit_model("digits, one hidden unit", "underfitting", width=1, epochs=80, solver="adam", learning_rate_init=0.02),
    _digit_model("digits, rate 1e-7", "no_learning", learning_rate_init=1e-7),
    _digit_model("digits, rate 1e-4", "slow_learning", learning_rate_init=1e-4),
    Model(
        "digits, linear, rate 1",
        "oscillation",
        {"epochs": 60, "n_train": 600, "learning_rate": 1.0, "num_classes": 10},
        lambda: _linear(_digits(600, wrong=0.1), 60, rate=1.0),
    ),
    Model(
        "diabetes, rate raised half-way",
        "divergence",
        {"epochs": 60, "learning_rate": "0.001, then 0.2"},
        lambda: _regressor(np.r_[np.full(30, 0.001), np.linspace(0.02, 0.2, 30)]),
    ),
    Model(
        "rare class, accuracy only looks good",
        "class_imbalance",
        {"epochs": 40, "learning_rate": 0.01, "num_classes": 2},
        lambda: _classifier(_rare(), 40, hidden_layer_sizes=(8,), solver="sgd", learning_rate_init=0.01),
    ),
)


def run_demo(folder: Path) -> list[Report]:
    """Train, log and diagnose the models, telling each step; the reports in the models' order.

    Args:
        folder: Where the store is made.

    Raises:
        BadInputError: The folder exists already.
    """
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise BadInputError(f"{folder} cannot be made ({error.strerror}); name a new folder with --folder") from error
    uri = f"sqlite:///{(folder / 'mlflow.db').resolve()}"
    began = time.monotonic()
    client, experiment = _store(uri, folder)
    click.echo(f"Training {len(MODELS)} small models, logged to {uri}\n")
    reader, reports = open_source(uri), []
    for model in MODELS:
        run_id = _log(client, experiment, model)
        report = judge(reader, run_id, Settings())
        write_back(report, uri)
        reports.append(report)
        told = f": {report.main.brief}" if report.main else ""
        click.echo(f"  {model.name:43} planted {model.planted:16} found {report.verdict}{told}")
    click.echo(f"\n{time.monotonic() - began:.0f} s. Look at them, on http://127.0.0.1:5000:\n")
    click.echo(f"  {_mlflow()} ui --backend-store-uri {shlex.quote(uri)}\n")
    click.echo(
        "Open the experiment, then a run: its tags hold the diagnosis, its artifacts diagnosis/report.html.\n"
        "A search for runs of one kind: tags.`diagnose.verdict` = 'overfitting'"
    )
    return reports


def _mlflow() -> str:
    """How to call MLflow from here: by name where that finds this environment's, else by its path."""
    here = Path(sys.executable).parent
    found = shutil.which("mlflow")
    return "mlflow" if found and Path(found).parent == here else shlex.quote(str(here / "mlflow"))


def _store(uri: str, folder: Path) -> tuple[MlflowClient, str]:
    """A fresh store, and in it an experiment whose artifacts stand beside it."""
    with quiet():
        client = MlflowClient(uri)
        # The kind opens the experiment as one of trained models in MLflow's UI.
        tags = {"mlflow.experimentKind": "custom_model_development"}
        return client, client.create_experiment(EXPERIMENT, (folder / "artifacts").resolve().as_uri(), tags)


def _log(client: MlflowClient, experiment: str, model: Model) -> str:
    """Train a model and log it as a run, a point an epoch."""
    run = client.create_run(experiment, run_name=model.name, tags={"demo.planted": model.planted})
    now = int(time.time() * 1000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        metrics = [
            Metric(name, value, now + 1000 * epoch, epoch)
            for epoch, values in enumerate(model.train())
            for name, value in values.items()
        ]
    params = [Param(name, str(value)) for name, value in model.params.items()]
    client.log_batch(run.info.run_id, metrics, params, [RunTag("mlflow.source.name", "mlflow-diagnose demo")])
    client.set_terminated(run.info.run_id)
    return str(run.info.run_id)
