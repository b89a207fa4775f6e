"""The contract of MLflow's readers: the same run, laid down in every kind of store, is the same run."""

from __future__ import annotations

import numpy as np
import pytest

from curve_analyzers.model import StepUnit
from curve_analyzers.settle import prepare
from mlflow_diagnose.readers import open_source
from rawruns import lay_down

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("mlflow")]


@pytest.fixture(params=["server", "postgresql", "mysql", "files"])
def uri(request, tmp_path, monkeypatch):
    """The tracking URI of each kind of store beside sqlite."""
    if request.param == "files":
        monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
        return (tmp_path / "mlruns").as_uri()
    store = request.getfixturevalue(request.param)
    return store if isinstance(store, str) else store.uri


def settled(uri):
    """The run of `rawruns`, logged through MLflow and read by the reader of the store, ready to be judged."""
    run_id = lay_down(uri)
    reader = open_source(uri)
    raw = reader.read(run_id)
    (again,) = reader.read_many([run_id])
    assert [curve.name for curve in again.curves] == [curve.name for curve in raw.curves]
    return prepare(raw)


def test_every_store_gives_the_same_curves(uri, sqlite):
    """The same points in the same order, the same anomalies: infinities, one step, steps that go back."""
    run, other = settled(uri), settled(sqlite.uri)
    assert (run.name, run.params, run.tags, run.status) == (other.name, other.params, other.tags, other.status)
    assert run.roles == other.roles
    assert list(run.curves) == list(other.curves)
    for name, curve in run.curves.items():
        twin = other.curves[name]
        for part in ("steps", "values", "wall_times"):
            np.testing.assert_array_equal(getattr(curve, part), getattr(twin, part), err_msg=f"{name}: {part}")
        told = (curve.step_unit, curve.rewound, curve.duplicates)
        assert told == (twin.step_unit, twin.rewound, twin.duplicates), name


def test_the_anomalies_are_there(sqlite):
    """What the test above compares is not all alike for want of trouble."""
    curves = settled(sqlite.uri).curves
    assert curves["blows up"].values.tolist() == [1.0, np.inf, -np.inf]
    assert curves["all at one step"].step_unit is StepUnit.RANK
    assert curves["steps go back"].rewound == 2
    assert np.isnan(curves["val loss"].values[0])
