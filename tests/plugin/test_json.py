"""The JSON document and its schema."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import reports
import sweeps
from curve_analyzers.experiment.engine import compare
from mlflow_diagnose.writers import json_
from mlflow_diagnose.writers.json_ import Document, schema, to_json, to_text


def test_shape_is_the_published_one():
    """Every key, in its place, as users read it."""
    document = to_json([reports.not_a_number()], [("abc", "gone")])
    (run,) = document["runs"]
    assert list(document) == ["schema", "runs", "experiment", "errors"]
    assert document["schema"] == 1
    assert document["experiment"] == {"findings": []}
    assert document["errors"] == [{"run": "abc", "message": "gone"}]
    assert {key: run[key] for key in ("source", "run_id", "name", "verdict", "status", "vital_signs", "roles")} == {
        "source": "mlflow",
        "run_id": "0f3c9a17b2d84e5c96a1d0e4b7f25c38",
        "name": "transformer-big",
        "verdict": "divergence",
        "status": "critical",
        "vital_signs": {"loss_falls": False, "val_falls": None, "metrics_agree": None},
        "roles": {"train_loss": "train_loss_step", "val_loss": "val_loss", "learning_rate": "lr-Adam"},
    }
    assert run["findings"][1] == {
        "rule": "non_finite",
        "severity": "critical",
        "confidence": 1.0,
        "curves": ["train_loss_step", "val_loss"],
        "first_step": 3500,
        "last_step": 4990,
        "message": "The training loss is not a number since step 3,500 and did not recover.",
        "evidence": {"first_step": 3500, "share": 0.3, "value": None},
        "try": ["Find the cause first: the divergence before it."],
        "consequence_of": "divergence",
    }
    assert run["not_checked"][0] == {"rule": "loss_spikes", "reason": "ZeroDivisionError: division by zero"}
    assert set(run) == {
        *("source", "run_id", "name", "verdict", "status", "vital_signs", "findings", "not_checked", "roles", "notes")
    }


def test_evidence_is_strict_json():
    """NaN and infinity are null, numpy's numbers are plain ones, whole numbers stay whole."""
    evidence = to_json([reports.not_a_number()])["runs"][0]["findings"][0]["evidence"]
    assert evidence == {"since": 2500, "last": 1e30, "growth": None, "gradient_norm": None}
    assert [type(value) for value in evidence.values()] == [int, float, type(None), type(None)]


@pytest.mark.parametrize("name", reports.SAMPLES)
def test_document_survives_the_wire_and_keeps_to_its_schema(name):
    """Written strictly and read back it is the same, and valid."""
    document = to_json([reports.SAMPLES[name]()])
    text = to_text([reports.SAMPLES[name]()])
    assert text.isascii()
    assert json.loads(text) == document
    Document.model_validate_json(text)


def test_what_many_runs_show():
    """Findings with their runs and params, what could not be told, the ranking; valid, strict, null for NaN."""
    compared = compare([*sweeps.summaries("kpi")[::2], *sweeps.summaries("seeds")[:1]], kpi="val_recall")
    document = to_json([], experiment=compared)
    Document.model_validate_json(to_text([], experiment=compared))
    shown = document["experiment"]
    assert set(shown) == {"findings", "judged", "compared", "not_checked", "ranking", "notes"}
    assert (shown["judged"], shown["compared"]) == ("val_loss", 9)
    best = next(each for each in shown["findings"] if each["rule"] == "best_run")
    assert set(best) == {"rule", "severity", "confidence", "runs", "params", "message", "evidence", "try"}
    assert best["runs"][0] == shown["ranking"][0]["run_id"]
    assert [each["rank"] for each in shown["ranking"]] == sorted(each["rank"] for each in shown["ranking"])
    assert [each["kpi"] for each in shown["ranking"]].count(None) == 1
    assert {"rule": "learning_rate_decides", "reason": "no learning rate was varied"} in shown["not_checked"]
    assert "data_saturation" in {each["rule"] for each in shown["not_checked"]}


def test_schema_is_published():
    """Draft 2020-12; it names the keys as they are written, and allows no others."""
    published = json.loads((Path(json_.__file__).parent / "schema.json").read_text("utf-8"))
    assert published == schema()
    assert published["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert published["required"] == ["schema", "runs", "experiment", "errors"]
    assert published["additionalProperties"] is False
    assert "try" in published["$defs"]["FindingModel"]["required"]
    json.dumps(published, allow_nan=False)
