"""What many runs show, written to real stores: tags of the experiment and ranks of its runs, and out again."""

from __future__ import annotations

import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

import sweeps
from curve_analyzers.engine import diagnose
from curve_analyzers.experiment.engine import compare
from curve_analyzers.experiment.summary import summarize
from curve_analyzers.settle import prepare
from mlflow_diagnose.errors import BadInputError
from mlflow_diagnose.pipeline import take_out
from mlflow_diagnose.readers import open_source
from mlflow_diagnose.readers.tracking.quiet import quiet
from mlflow_diagnose.writers.mlflow_experiment import MlflowExperimentTags

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("mlflow")]


@pytest.fixture
def sweep(store, request):
    """A sweep as MLflow holds one: a parent run, and a child for each of its trainings; with the user's own tags."""
    with quiet():
        client = MlflowClient(store.uri)
        experiment = client.create_experiment(
            f"sweep of {request.node.name}", tags={"diagnose.plan": "mine", "team": "a"}
        )
        parent = client.create_run(experiment, run_name="sweep").info.run_id
        client.log_batch(parent, params=[Param("model", "mlp")])
        children = []
        for raw in sweeps.raw_runs("rate_adam"):
            run_id = client.create_run(experiment, tags={"mlflow.parentRunId": parent}, run_name=raw.name).info.run_id
            points = [
                Metric(curve.name, float(value), int(1000 * time), int(step))
                for curve in raw.curves
                for value, time, step in zip(curve.values, curve.wall_times, curve.steps, strict=True)
            ]
            params = [Param(key.replace("lr", "optimizer.lr"), text) for key, text in raw.params.items()]
            client.log_batch(run_id, points, params, [RunTag("mine", "1")])
            client.set_terminated(run_id)
            children.append(run_id)
    return client, experiment, parent, children


def compared(uri, run_ids):
    """The runs of a store, read, judged and compared."""
    return compare([summarize(diagnose(prepare(raw))) for raw in open_source(uri).read_many(run_ids)])


def tags_of(client, experiment):
    """Our tags of an experiment."""
    with quiet():
        return {
            key: text for key, text in client.get_experiment(experiment).tags.items() if key != "mlflow.experimentKind"
        }


def test_written_once_and_taken_out_again(store, sweep):
    """The findings are tags of the experiment, each child has its rank, the parent none; the user's tags stay."""
    client, experiment, parent, children = sweep
    report = compared(store.uri, [parent, *children])
    writer = MlflowExperimentTags(store.uri)
    assert writer.write(experiment, report) == len(children)
    tags = tags_of(client, experiment)
    assert tags["diagnose.learning_rate_decides"].startswith("warning: ")
    assert tags["diagnose.compared"] == "18 runs"
    assert (tags["diagnose.plan"], tags["team"]) == ("mine", "a")
    with quiet():
        best = client.get_run(report.standings[0].run_id).data.tags
        assert (best["diagnose.rank"], best["mine"]) == ("1 of 18", "1")
        assert "diagnose.rank" not in client.get_run(parent).data.tags
    assert writer.write(experiment, report) == 0

    smaller = compared(store.uri, children[:4])
    assert writer.write(experiment, smaller) == len(children)
    assert "diagnose.learning_rate_decides" not in tags_of(client, experiment)
    with quiet():
        assert "diagnose.rank" not in client.get_run(children[-1]).data.tags

    ours = {key for key in tags_of(client, experiment) if key.startswith("diagnose.")} - {"diagnose.plan"}
    assert "diagnose.best_run" in ours
    assert set(writer.clear(experiment)) == ours
    assert tags_of(client, experiment) == {"diagnose.plan": "mine", "team": "a"}
    assert take_out(children[0], store.uri)[0] == ["diagnose.rank"]
    with quiet():
        assert client.get_run(children[0]).data.tags["mine"] == "1"


def test_an_experiment_that_is_not_there(store):
    """By name or by id, in a line."""
    report = compare(())
    for name in ("no such experiment", "987654321"):
        with pytest.raises(BadInputError, match=f"has no experiment '{name}'"):
            MlflowExperimentTags(store.uri).write(name, report)
