"""The same run gets the same verdict from every store, under the names of every framework."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cache
from itertools import groupby

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric

import eventlogs
from curve_analyzers.engine import diagnose
from curve_analyzers.examples import Shape, decay, flat, line, run, valley
from curve_analyzers.model import Split
from curve_analyzers.quantities import Kind
from curve_analyzers.registry import all_rules
from curve_analyzers.roles import parse, role_named
from mlflow_diagnose.config import load_settings
from mlflow_diagnose.pipeline import judge
from mlflow_diagnose.readers import open_source
from mlflow_server import EXPERIMENT
from naming import STYLES

POINTS = 40
# How many steps lie between two points of training, and how many points a held-out curve has, by the start of a
# style's name. The others log one point an epoch.
LOGGED = {
    "keras-2.0-beta": (1_500, POINTS),
    "tf-object-detection": (100, 12),
    "lightning": (50, 20),
    "transformers": (500, 10),
    "detectron2": (20, 12),
    "mmsegmentation": (50, 12),
    "stable-baselines3": (2_048, 16),
    "unity-ml-agents": (250_000, POINTS),
    "nanogpt": (10, 20),
    "megatron": (100, 20),
    "nemo": (10, 20),
}


@dataclass(frozen=True)
class Archetype:
    """The shapes of one kind of run, each in training and held out.

    Attributes:
        cost: Of losses and errors.
        score: Of accuracy and the like.
        reward: Of what an agent earns.
    """

    cost: tuple[Shape, Shape]
    score: tuple[Shape, Shape]
    reward: tuple[Shape, Shape]

    def shape(self, role_name: str) -> Shape:
        """The shape of the curve that plays a role."""
        role = role_named(role_name)
        if role.measures.kind is Kind.CONTROL:
            return line(0.1, 0.02, 0.0)
        if role.measures.kind is Kind.NORM:
            return decay(2.0, 0.5)
        shapes = {Kind.SCORE: self.score, Kind.REWARD: self.reward}.get(role.measures.kind, self.cost)
        return shapes[role.split in {Split.VAL, Split.TEST}]


def blown_up(shape: Shape) -> Shape:
    """The shape with infinity and then NaN at its end."""
    return shape.lost(0.85, 0.9, float("inf")).lost(0.9)


ARCHETYPES = {
    "healthy": Archetype(
        cost=(decay(), decay(floor=0.25)),
        score=(decay(0.1, 0.97), decay(0.1, 0.95)),
        reward=(decay(10.0, 200.0, noise=2.0), decay(10.0, 190.0, noise=2.0)),
    ),
    "overfitting": Archetype(
        cost=(decay(), valley()),
        score=(decay(0.1, 0.97), valley(0.1, 0.8, end=0.6)),
        reward=(decay(10.0, 200.0, noise=2.0), valley(10.0, 150.0, end=80.0, noise=2.0)),
    ),
    "no_learning": Archetype(
        cost=(flat(2.3), flat(2.31)),
        score=(flat(0.1), flat(0.1)),
        reward=(flat(20.0, 1.0), flat(20.0, 1.0)),
    ),
    "divergence": Archetype(
        cost=(blown_up(valley(end=20.0)), blown_up(valley(end=22.0))),
        score=(valley(0.1, 0.9, end=0.1), valley(0.1, 0.9, end=0.1)),
        reward=(valley(10.0, 200.0, end=10.0, noise=2.0), valley(10.0, 190.0, end=10.0, noise=2.0)),
    ),
}


@pytest.fixture(params=ARCHETYPES)
def archetype(request):
    """Each kind of run, by name."""
    return request.param


def logged(style, archetype):
    """The run, each curve named for its role, as it stands before any store has seen it."""
    spacing, held_out = next((how for start, how in LOGGED.items() if style.name.startswith(start)), (1, POINTS))
    return run(
        POINTS,
        sparse={role: held_out for role in style.tags if role_named(role).split in {Split.VAL, Split.TEST}},
        steps=lambda steps: spacing * (steps + 1),
        **{role: ARCHETYPES[archetype].shape(role) for role in style.tags},
    ).build()


def named(style, original):
    """The curves of a run under the names of a style, and beside them what plays no role: `(folder, tag, curve)`."""
    folders = {*style.directories.values(), ""}
    for role, tag in style.tags.items():
        yield style.directories.get(role, ""), tag, original.curves[role]
    growing = run(POINTS, reward=line(1.0, 9.0)).build().curves["reward"]
    steady = run(POINTS, reward=flat(5.0, 0.0)).build().curves["reward"]
    for name in style.extras:
        parsed = parse(name)
        # A machine that slows down, or a memory that grows, would be a fault of its own.
        beside = steady if parsed and parsed.role.measures.kind is Kind.SYSTEM else growing
        folder = max((each for each in folders if name.startswith(f"{each}/")), default="")
        yield folder, name.removeprefix(f"{folder}/"), beside


# What these can judge depends on the clock and the system metrics that a framework logs beside the curves.
OF_THE_MACHINE = {rule.name for rule in all_rules() if rule.family == "system"} | {"unshuffled_data"}


def gist(report):
    """What a person takes from a report, whatever the curves are called."""
    return {
        "verdict": report.verdict,
        "status": report.status,
        "findings": [
            (finding.rule, finding.severity.word, finding.brief, finding.consequence_of) for finding in report.findings
        ],
        "outcomes": {
            outcome.rule: outcome.status.value for outcome in report.outcomes if outcome.rule not in OF_THE_MACHINE
        },
        "vital signs": {name: sign.value for name, sign in report.vital_signs.items()},
        "roles": sorted(role.name for role in report.run.roles if role.measures.kind is not Kind.SYSTEM),
    }


def assert_same(report, original):
    """The report is the one of the original, and rests on the same curves, as exact as the store keeps them."""
    assert gist(diagnose(original)) == gist(report)
    for role in original.roles:
        assert np.array_equal(original.raw(role).steps, report.run.raw(role).steps)
        np.testing.assert_allclose(report.run.raw(role).values, original.raw(role).values, rtol=1e-6)


@cache
def client_of(uri):
    """MLflow's own client, whose first use warns of MLflow's own making."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return MlflowClient(uri)


@cache
def reader_of(uri):
    """Our reader, which looks at the store before it first reads."""
    return open_source(uri)


STYLES_OF_MLFLOW = [style for style in STYLES if style.store != "tensorboard"]


@pytest.mark.live
@pytest.mark.xdist_group("mlflow")
@pytest.mark.parametrize("style", STYLES_OF_MLFLOW, ids=lambda style: style.name)
def test_mlflow(style, archetype, store):
    """In a sqlite store and over HTTP a run is what it was when it was logged."""
    client, original = client_of(store.uri), logged(style, archetype)
    run_id = client.create_run(EXPERIMENT, run_name=f"{style.name} {archetype}").info.run_id
    client.log_batch(
        run_id,
        [
            Metric(tag, value, round(1000 * time), step)
            for _, tag, curve in named(style, original)
            for step, value, time in points_of(curve)
        ],
    )
    assert_same(judge(reader_of(store.uri), run_id, load_settings()), original)


@pytest.mark.parametrize(
    ("style", "kind"),
    [
        pytest.param(style, kind, id=f"{style.name}-{kind}")
        for style in STYLES
        for kind in ("scalar", "tensor")
        if kind == "scalar" or style.name.startswith("keras")
    ],
)
def test_logdir(style, kind, archetype, tmp_path):
    """In event files, in the directories of the framework, a run is what it is elsewhere, at single precision."""
    original = logged(style, archetype)
    curves = sorted(named(style, original), key=lambda each: each[:2])
    for folder, inside in groupby(curves, key=lambda each: each[0]):
        events = [event_of(kind, tag, *point) for _, tag, curve in inside for point in points_of(curve)]
        eventlogs.write(tmp_path / folder, events)
    reader = open_source(logdir=tmp_path)
    (run_id,) = reader.run_ids()
    assert_same(judge(reader, run_id, load_settings()), original)


def test_archetypes_are_what_they_are_called(archetype):
    """Where a run logs all that it should, the verdict is the fault that was drawn."""
    style = next(style for style in STYLES if style.name == "slash-prefix")
    assert archetype == diagnose(logged(style, archetype)).verdict


def points_of(curve):
    """Step, value and wall time of each point of a curve, as Python's own numbers."""
    return zip(curve.steps.tolist(), curve.values.tolist(), curve.wall_times.tolist(), strict=True)


def event_of(kind, tag, step, value, time):
    """A point as torch writes it or, of the kind `tensor`, as TF 2 does."""
    if kind == "tensor":
        return eventlogs.tensor(tag, np.float32(value), step, wall_time=time)
    return eventlogs.scalar(tag, value, step, time)
