"""The labelled set is what its README says: kinds, seeds, parts, labels, and curves as people log them."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from curve_analyzers.registry import all_rules

LABELLED = Path(__file__).parents[1] / "fixtures" / "labelled"
PARTS = ("tuning", "held_out")
RUNS = {part: json.loads((LABELLED / f"{part}.json").read_text("utf-8")) for part in PARTS}
EVERY = [run for part in PARTS for run in RUNS[part]]

# Every rule over one run that the specification names, built or not, but `sources_disagree` and what is only info.
PLANTED = {
    "overfitting", "underfitting", "generalization_gap", "over_regularized",
    "no_learning", "slow_learning", "not_converged", "plateau", "wasted_compute", "learning_rate_exhausted",
    "divergence", "non_finite", "loss_spikes", "oscillation", "restart_jump",
    "loss_metric_disagreement", "class_imbalance", "precision_recall_imbalance",
    "leakage_suspected", "poor_initial_loss", "unshuffled_data", "validation_noise",
    "exploding_gradients", "vanishing_gradients", "clipping_saturated", "learning_rate_jump",
    "throughput_drop", "stalled_training", "gpu_underused", "memory_growth",
    "impossible_values", "untrusted_steps", "sparse_curve",
}  # fmt: skip
INFO = {"missing_validation", "missing_metric"}


@pytest.fixture(scope="module", params=PARTS)
def part(request):
    """The name of a part."""
    return request.param


@pytest.fixture(scope="module")
def curves(part):
    """The values of each curve of a part, by run and name, in the order they were logged."""
    table = pq.read_table(LABELLED / f"{part}.parquet")
    runs, names = (table[column].combine_chunks() for column in ("run", "curve"))
    run, name = (codes.indices.to_numpy() for codes in (runs, names))
    starts = np.flatnonzero(np.diff(run, prepend=-1) | np.diff(name, prepend=-1))
    found = defaultdict(dict)
    values = np.split(table["value"].to_numpy(), starts[1:])
    for start, points in zip(starts, values, strict=True):
        found[runs.dictionary[int(run[start])].as_py()][names.dictionary[int(name[start])].as_py()] = points
    return found


def test_every_planted_rule_and_health_has_its_runs():
    """Each rule with a planted fault has at least ten seeds, there are 30 kinds or more, and a third is healthy."""
    seeds = defaultdict(set)
    for run in EVERY:
        seeds[run["label"]].add((run["part"], run["seed"], run["kind"]))
    assert set(seeds) == PLANTED | {"healthy"}
    assert min(len(found) for found in seeds.values()) >= 10
    assert len({run["kind"] for run in EVERY}) >= 30
    for part in PARTS:
        assert np.mean([run["label"] == "healthy" for run in RUNS[part]]) >= 1 / 3


def test_every_kind_has_ten_seeds():
    """Over both parts, but for the few whose curves are very long and those that only have twins."""
    seeds = defaultdict(set)
    for run in EVERY:
        if not run["run"].startswith("twin-"):
            seeds[run["kind"]].add((run["part"], run["seed"]))
    assert {kind for kind, found in seeds.items() if len(found) < 10} <= {"long", "too-long-steps"}


def test_the_labels_are_names_of_rules():
    """What is said of a run is `healthy` or the name of a rule; the rules of today are among them."""
    for run in EVERY:
        assert run["label"] in PLANTED | {"healthy"}
        assert set(run["also"]) | set(run["measured"]) <= PLANTED | INFO
    assert {rule.name for rule in all_rules()} & PLANTED


def test_every_run_has_a_healthy_twin_of_its_part():
    """The same data and seed, trained well."""
    for part in PARTS:
        runs = {run["run"]: run for run in RUNS[part]}
        assert len(runs) == len(RUNS[part])
        for run in runs.values():
            twin = runs[run["twin"]]
            assert (twin["label"], twin["seed"], run["part"]) == ("healthy", run["seed"], part)


def test_the_parts_share_no_seed_no_recipe_and_no_data():
    """Whatever is held out stands on seeds, base recipes and data sets of its own; only bandits are bandits."""
    for what, shared in (("seed", set()), ("recipe", set()), ("data", {"bandit"})):
        assert {run[what] for run in RUNS["tuning"]} & {run[what] for run in RUNS["held_out"]} == shared, what


def test_what_is_planted_is_the_same_in_both_parts():
    """Every kind of fault and health that is tuned on is held out as well, with each rule's label."""
    made = {part: {(run["kind"], run["label"]) for run in RUNS[part]} for part in PARTS}
    assert {kind for kind in made["tuning"] if not kind[0].startswith("good-")} <= made["held_out"]


def test_the_table_holds_the_runs_of_the_list(part, curves):
    """No run without curves, no curve without a run, and nothing that is not finite but where it is said."""
    assert set(curves) == {run["run"] for run in RUNS[part]}
    for run in RUNS[part]:
        odd = any(not np.isfinite(points).all() for points in curves[run["run"]].values())
        assert odd == (
            "non_finite" in (run["label"], *run["measured"]) and (run["label"] != "non_finite" or run["shows"])
        )


def test_curves_are_short_and_long_small_and_large(part, curves):
    """From 8 points to 20,000; healthy losses of 1e-6 and of 1e6."""
    lengths = [max(map(len, found.values())) for found in curves.values()]
    assert min(lengths) <= 8
    assert max(lengths) >= 12_000
    losses = [
        points[-1]
        for run in RUNS[part]
        if run["label"] == "healthy"
        for name, points in curves[run["run"]].items()
        if "loss" in name.lower()
    ]
    assert min(losses) < 1e-5
    assert max(losses) > 1e5


def test_every_family_and_task_is_there(part):
    """Each part has all model families, classification and regression, several optimizers and ways to name params."""
    families = {run["family"] for run in RUNS[part]}
    assert families >= {"linear", "mlp", "conv", "recurrent", "boosting", "autoencoder"}
    assert {run["task"] for run in RUNS[part]} >= {"class", "value", "auto", "text"}
    assert {run["optimizer"] for run in RUNS[part]} >= {"adam", "adamw", "sgd"}
    names = {name for run in RUNS[part] for name in run["params"]}
    assert names >= {"lr", "learning_rate", "optimizer.lr", "weight_decay", "dropout", "max_grad_norm"}


def test_the_readme_counts_what_is_there():
    """The README's table: a line for each kind, with the rule and the number of runs that show it in each part."""
    text = (LABELLED / "README.md").read_text("utf-8").partition("<!-- /kinds -->")[0]
    rows = dict(re.findall(r"^\| `([\w-]+)` \| (.+) \|$", text, re.MULTILINE))
    kinds = {run["kind"] for run in EVERY if not run["run"].startswith("twin-")}
    for kind in kinds:
        for part in PARTS:
            mine = [run for run in RUNS[part] if run["kind"] == kind]
            said = f"{sum(run['shows'] for run in mine)}/{len(mine)}" if mine else "-"
            cells = [cell.strip() for cell in rows[kind].split("|")]
            assert cells[1 + PARTS.index(part)] == said
            assert not mine or cells[0] == f"`{mine[0]['label']}`"
    assert set(rows) == kinds


def test_most_planted_faults_show():
    """A fault that was planted and had no effect is kept, and flagged; most had one, late cuts of the rate fewest."""
    for label, count in Counter(run["label"] for run in EVERY).items():
        least = 0.35 if label == "plateau" else 0.6
        assert sum(run["shows"] for run in EVERY if run["label"] == label) >= least * count, label
