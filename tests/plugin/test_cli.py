"""The command line as a user meets it: what it prints where, and its exit status."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric

import eventlogs
import reports
from curve_analyzers.registry import all_rules
from mlflow_diagnose import pipeline
from mlflow_diagnose.cli import main
from mlflow_diagnose.readers.tracking.quiet import quiet
from mlflow_server import EXPERIMENT, Store, fresh_store

EPOCHS = np.arange(60)
FALLING = 0.3 + 2 * np.exp(-EPOCHS / 8)
TURNING = 0.6 + 1.5 * np.exp(-EPOCHS / 4) + 0.02 * np.clip(EPOCHS - 15, 0, None)
NOTE = "mlflow.note.content"
ESCAPES = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]")


@dataclass(frozen=True)
class Call:
    """What a call came to."""

    status: int
    out: str
    err: str

    @property
    def line(self):
        """The one line on stderr of a call that was wrong in one way."""
        (line,) = self.err.splitlines()
        assert line.startswith("mlflow-diagnose: ")
        return line.removeprefix("mlflow-diagnose: ")


@pytest.fixture
def call(capsys):
    """Calls the command line in this process."""

    def called(*args):
        with pytest.raises(SystemExit) as ended:
            main([str(arg) for arg in args])
        out, err = capsys.readouterr()
        return Call(ended.value.code, out, err)

    return called


def log(store, name, curves, *, counting=True, **tags):
    """The id of a new run with a point an epoch, all at step 0 unless `counting`."""
    with quiet():
        client = MlflowClient(store.uri)
        run_id = client.create_run(EXPERIMENT, run_name=name, tags=tags).info.run_id
        points = [
            Metric(metric, float(value), 1_700_000_000_000 + 1000 * epoch, epoch if counting else 0)
            for metric, values in curves.items()
            for epoch, value in enumerate(values)
        ]
        client.log_batch(run_id, points)
        client.set_terminated(run_id)
    return run_id


@dataclass(frozen=True)
class Runs:
    """Runs in one store, none of which a test may write to."""

    store: Store
    healthy: str
    overfitting: str
    empty: str
    at_one_step: str
    unnamed: str
    hostile: str

    def __call__(self, *words):
        """The arguments for runs and options in this store, with nothing written."""
        return [getattr(self, str(word), word) for word in words] + ["--tracking-uri", self.store.uri, "--no-write"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """One run of each kind."""
    store = fresh_store(tmp_path_factory.mktemp("runs"))
    return Runs(
        store,
        healthy=log(store, "fine", {"train_loss": FALLING, "val_loss": FALLING + 0.06}),
        overfitting=log(store, "too long", {"train_loss": FALLING - 0.3, "val_loss": TURNING}),
        empty=log(store, "notebook", {}),
        at_one_step=log(store, "no steps", {"train_loss": FALLING, "val_loss": TURNING}, counting=False),
        unnamed=log(store, "own names", {"a": FALLING - 0.3, "b": TURNING}),
        hostile=log(store, reports.MARKUP + reports.ANSI + "\n" + reports.JAPANESE, {"train_loss": FALLING}),
    )


@pytest.fixture
def store(tmp_path):
    """A store to write to."""
    return fresh_store(tmp_path / "store")


@pytest.fixture
def run_id(store):
    """An overfitting run of a user who tagged and described it."""
    curves = {"train_loss": FALLING - 0.3, "val_loss": TURNING}
    return log(store, "too long", curves, team="vision", **{NOTE: "My run."})


def tags_in(store, run_id):
    """The user's and our tags of a run."""
    found = dict(store.rows("SELECT key, value FROM tags WHERE run_uuid = ?", run_id))
    return {key: text for key, text in found.items() if not key.startswith("mlflow.") or key == NOTE}


def content(store):
    """Everything in a store: each row of its database, each artifact with its time."""
    with closing(sqlite3.connect(store.database)) as connection:
        rows = list(connection.iterdump())
    files = [path for path in store.artifacts.rglob("*") if path.is_file()]
    return rows, {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


class TestHelp:
    """Finding one's way."""

    @pytest.mark.parametrize(
        ("command", "absent"),
        [
            ("--help", {"numpy", "mlflow", "pandas", "matplotlib", "tensorboard", "pydantic", "rich", "scipy"}),
            ("rules", {"mlflow", "pandas", "matplotlib", "tensorboard", "rich"}),
        ],
    )
    def test_start_up_is_light(self, command, absent):
        """Help needs click alone, the list of rules no MLflow."""
        script = (
            "import sys\nfrom mlflow_diagnose.cli import main\n"
            "try: main()\nfinally: print(*sys.modules, file=sys.stderr)"
        )
        ended = subprocess.run([sys.executable, "-c", script, command], capture_output=True, text=True, check=True)
        assert "overfitting" in ended.stdout or "--logdir" in ended.stdout
        assert absent & set(ended.stderr.split()) == set()

    @pytest.mark.parametrize("args", [["--help"], ["-h"], ["some-run", "--help"]])
    def test_help_shows_how_to_diagnose_and_the_commands(self, call, args):
        """The default command's options are there without naming it."""
        ended = call(*args)
        assert ended.status == 0
        assert ended.out.startswith("Usage: mlflow-diagnose RUN_ID...")
        for word in ("--logdir DIR", "--fail-on", "explain", "clean", "demo", "Exit status"):
            assert word in ended.out
        assert "..." not in ended.out.partition("Commands:")[2].partition("Exit status")[0]  # nothing is cut

    def test_bare_call_shows_the_help_as_wrong_usage(self, call):
        """A script that lost its run id does not go on as if all were well."""
        ended = call()
        assert (ended.status, ended.out) == (2, "")
        assert ended.err.startswith("Usage: mlflow-diagnose RUN_ID...")

    def test_rules_are_listed_a_line_each(self, call):
        """With what each says."""
        ended = call("rules")
        assert (ended.status, ended.err) == (0, "")
        for rule in all_rules():
            assert re.search(rf"^  {rule.name} +{re.escape(rule.summary)}$", ended.out, re.MULTILINE)

    def test_a_rule_is_explained(self, call):
        """Down to the thresholds a config file may change."""
        ended = call("explain", "overfitting")
        assert ended.status == 0
        for word in ("Why it matters", "What to try", "When it is wrong", "Thresholds", "[rules.overfitting]"):
            assert word in ended.out

    def test_a_strangers_rule_that_fails_is_named_in_a_line(self, tmp_path):
        """The others are there."""
        info = tmp_path / "stranger-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Name: stranger\nVersion: 1.0\n", "utf-8")
        (info / "entry_points.txt").write_text("[mlflow_diagnose.rules]\nodd = nowhere:Odd\n", "utf-8")
        command = [sys.executable, "-c", "from mlflow_diagnose.cli import main; main()", "rules"]
        environment = {"PYTHONPATH": str(tmp_path)}
        ended = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        assert "overfitting" in ended.stdout
        (line,) = ended.stderr.splitlines()
        assert line.startswith("mlflow-diagnose: rule 'odd' (nowhere:Odd) could not be loaded: ")


class TestWrongUsage:
    """Status 2, nothing on stdout, and one line that names what was wrong."""

    @pytest.mark.parametrize(
        ("args", "told"),
        [
            (["--no-write"], ["name a run", "--logdir", "--help"]),
            (["r", "--nope"], ["'--nope'"]),
            (["r", "--format", "xml"], ["'xml'", "'html'"]),
            (["r", "--fail-on", "info"], ["'info'", "'critical'"]),
            (["r", "--map", "loss"], ["'--map'", "'loss'", "TAG=ROLE"]),
            (["r", "--map", "loss="], ["'loss='", "TAG=ROLE"]),
            (["r", "--map", "=val_loss"], ["'=val_loss'", "TAG=ROLE"]),
            (["r", "--map", "a=valloss"], ["'valloss'", "'val_loss'"]),
            (["r", "--select", "overfiting"], ["'overfiting'", "'overfitting'"]),
            (["r", "--ignore", "loss_spike"], ["'loss_spike'", "'loss_spikes'"]),
            (["r", "--select", "fit", "--ignore", "fit"], ["no rule is left"]),
            (["explain", "overfiting"], ["'overfiting'", "'overfitting'"]),
            (["explain", "\x1b[31m"], ["no rule", "mlflow-diagnose rules"]),
            (["explain"], ["RULE"]),
            (["clean"], ["RUN_ID"]),
            (["--logdir", "void"], ["void", "does not exist"]),
            (["--logdir", "."], ["holds no TensorBoard event file"]),
            (["--logdir", ".", "--note"], ["--note", "MLflow"]),
            (["--logdir", ".", "--tracking-uri", "sqlite:///x.db"], ["--tracking-uri", "MLflow"]),
            (["r", "--config", "nope.toml"], ["nope.toml", "No such file"]),
            (["a", "b", "--tracking-uri", "sqlite:///nope.db"], ["nope.db", "--tracking-uri"]),
        ],
        ids=" ".join,
    )
    def test_one_line_says_what(self, call, tmp_path, monkeypatch, args, told):
        """Which value, and where it helps, what was meant."""
        monkeypatch.chdir(tmp_path)
        ended = call(*args)
        assert (ended.status, ended.out) == (2, "")
        for words in told:
            assert words in ended.line
        assert not ESCAPES.search(ended.line)

    def test_traceback_only_for_debug(self, call):
        """Whoever looks for a bug gets to see where."""
        ended = call("--logdir", "void", "--debug")
        assert ended.status == 2
        assert ended.err.startswith("Traceback")
        assert ended.err.endswith("mlflow-diagnose: logdir void does not exist\n")

    @pytest.mark.parametrize("command", [["rules"], ["explain", "overfitting"]])
    def test_every_command_takes_debug(self, call, command):
        """It changes nothing where nothing goes wrong."""
        assert call(*command, "--debug") == call(*command)


class TestRuns:
    """What is said of a run, and with which status."""

    def test_unknown_run_names_the_store(self, call, runs):
        """The usual slip is the wrong store."""
        ended = call(*runs("nope"))
        assert (ended.status, ended.out) == (2, "")
        assert ended.line == f"MLflow at {runs.store.uri} has no run 'nope'"

    def test_unknown_run_costs_the_others_nothing(self, call, runs):
        """The known one is printed, the status tells that one is missing."""
        ended = call(*runs("nope", "healthy"))
        assert ended.status == 3
        assert "✓ fine" in ended.out
        assert "'nope'" in ended.line

    def test_a_run_named_twice_is_judged_once(self, call, runs):
        """As in `$(cat ids)`."""
        assert len(json.loads(call(*runs("healthy", "healthy", "--format", "json")).out)["runs"]) == 1

    def test_a_run_without_metrics_is_not_called_healthy(self, call, runs):
        """It is told in words, and is no error."""
        ended = call(*runs("empty"))
        assert (ended.status, ended.err) == (0, "")
        assert "? notebook: The run cannot be called healthy or unhealthy" in ended.out
        assert "insufficient data" in ended.out

    def test_steps_that_are_all_zero_are_told_and_judged_in_order_of_time(self, call, runs):
        """One line says so, and what the curves show is found as on good steps."""
        (run,) = json.loads(call(*runs("at_one_step", "--format", "json")).out)["runs"]
        found = {finding["rule"]: finding for finding in run["findings"]}
        assert found["overfitting"]["evidence"]["best_step"] == 15
        assert "logged at one step; they were put in the order of time" in found["untrusted_steps"]["message"]
        assert run["verdict"] == "overfitting"
        lines = call(*runs("at_one_step")).out.splitlines()
        assert sum("they were put in the order of time" in line for line in lines) == 1

    @pytest.mark.parametrize(
        ("run", "limit", "status"),
        [
            ("overfitting", "never", 0),
            ("overfitting", "warning", 1),
            ("overfitting", "critical", 1),
            ("hostile", "warning", 0),
            ("healthy", "warning", 0),
            ("empty", "warning", 0),
        ],
    )
    def test_fail_on_makes_the_status(self, call, runs, run, limit, status):
        """From the severity asked for; what is only info, or unknown, never fails."""
        assert call(*runs(run, "--fail-on", limit, "--format", "json")).status == status

    def test_fail_on_tells_warnings_from_critical(self, call, runs):
        """Steps that cannot be trusted are a warning."""
        only = ["at_one_step", "--select", "untrusted_steps", "--format", "json"]
        assert call(*runs(*only, "--fail-on", "critical")).status == 0
        assert call(*runs(*only, "--fail-on", "warning")).status == 1

    def test_select_and_ignore_leave_the_rules_asked_for(self, call, runs):
        """By name and by family."""
        words = ("--select", "fit", "--ignore", "underfitting", "--ignore", "generalization_gap")
        args = runs("overfitting", *words, "--format", "json")
        (run,) = json.loads(call(*args).out)["runs"]
        assert {finding["rule"] for finding in run["findings"]} == {"overfitting"}
        assert run["not_checked"] == []

    def test_a_config_file_changes_a_threshold(self, call, runs, tmp_path):
        """A rise of twenty times the fall is asked for, so this one is none."""
        config = tmp_path / "diagnose.toml"
        config.write_text('select = ["overfitting"]\n[rules.overfitting]\nrise = 20.0\n', "utf-8")
        (run,) = json.loads(call(*runs("overfitting", "--config", config, "--format", "json")).out)["runs"]
        assert (run["verdict"], run["findings"]) == ("healthy", [])

    def test_the_config_file_of_the_folder_is_found(self, call, runs, tmp_path, monkeypatch):
        """Where none is named; the text says by which file it was judged."""
        monkeypatch.chdir(tmp_path)
        (tmp_path / "mlflow-diagnose.toml").write_text('ignore = ["overfitting"]\n', "utf-8")
        (run,) = json.loads(call(*runs("overfitting", "--format", "json")).out)["runs"]
        assert "overfitting" not in {finding["rule"] for finding in run["findings"]}
        assert "judging by mlflow-diagnose.toml" in call(*runs("overfitting")).err

    def test_a_mapped_role_is_used(self, call, runs):
        """A map written for many runs may name what this one does not have."""
        args = ["unnamed", "--format", "json", "--map", "a=train_loss", "--map", "b=val_loss", "--map", "c=val_f1"]
        (run,) = json.loads(call(*runs(*args)).out)["runs"]
        assert run["roles"] == {"train_loss": "a", "val_loss": "b"}
        assert run["verdict"] == "overfitting"

    def test_roles_of_a_config_file_need_not_fit_every_run(self, call, runs, tmp_path):
        """It is written once for a project."""
        config = tmp_path / "diagnose.toml"
        config.write_text('[roles]\nb = "val_loss"\n', "utf-8")
        ended = call(*runs("healthy", "unnamed", "empty", "--config", config, "--format", "json"))
        assert (ended.status, ended.err) == (0, "")
        roles = [run["roles"] for run in json.loads(ended.out)["runs"]]
        assert roles == [{"train_loss": "train_loss", "val_loss": "val_loss"}, {"val_loss": "b"}, {}]

    @pytest.mark.parametrize(
        ("maps", "told"),
        [
            (["c=val_loss"], ["'c'", "'a', 'b'"]),
            (["a=val_loss", "b=val_loss"], ["'val_loss'", "twice", "'a'", "'b'"]),
        ],
    )
    def test_a_map_that_fits_no_run_is_told(self, call, runs, maps, told):
        """With the names there are."""
        ended = call(*runs("unnamed", *(word for each in maps for word in ("--map", each))))
        assert (ended.status, ended.out) == (2, "")
        for words in told:
            assert words in ended.line

    def test_verify_leaves_damaged_records_out(self, call, tmp_path):
        """A turned bit passes as TensorBoard lets it pass; with `--verify` it costs its record and is told."""
        points = [eventlogs.record(eventlogs.scalar("loss", 1 / (step + 1), step)) for step in range(20)]
        points[7] = eventlogs.flipped(points[7], -6)
        eventlogs.write_bytes(tmp_path, [eventlogs.version(), *points])
        assert "left out" not in call("--logdir", tmp_path).out
        assert "1 damaged record left out" in call("--logdir", tmp_path, "--verify").out

    def test_a_bug_that_one_run_meets_is_told_and_costs_the_others_nothing(self, call, runs, monkeypatch):
        """In one line, with the way to see more."""

        def judge(raw, settings, judge=pipeline.judge_raw):
            return judge(raw, settings) if raw.run_id == runs.healthy else 1 / 0

        monkeypatch.setattr(pipeline, "judge_raw", judge)
        ended = call(*runs("empty", "healthy"))
        assert ended.status == 3
        assert "✓ fine" in ended.out
        assert (
            ended.line == f"run {runs.empty}: a bug of ours, ZeroDivisionError: division by zero; --debug shows where"
        )

    def test_a_bug_shows_no_password(self, call, runs, monkeypatch):
        """Neither in its line nor in the traceback that was asked for."""

        def stumble(*_: object) -> None:
            raise ValueError("nobody at http://me:hunter2@host:5000/api")

        monkeypatch.setattr(pipeline, "diagnose", stumble)
        ended = call(*runs("overfitting"), "--debug")
        assert "nobody at http://host:5000/api" in ended.err
        assert "Traceback" in ended.err
        assert "hunter2" not in ended.out + ended.err


class TestOutput:
    """What goes to stdout or a file."""

    def test_json_of_several_runs_parses_though_one_failed(self, call, runs):
        """The failure is in the document as on stderr."""
        ended = call(*runs("healthy", "nope", "overfitting", "--format", "json"))
        document = json.loads(ended.out)
        assert ended.status == 3
        assert [run["run_id"] for run in document["runs"]] == [runs.healthy, runs.overfitting]
        assert document["errors"] == [{"run": "nope", "message": ended.line}]

    def test_a_table_follows_many_reports(self, call, runs):
        """The worst first."""
        last = call(*runs("healthy", "empty", "overfitting", "unnamed")).out.rstrip().splitlines()[-5:]
        assert re.split("  +", last[0]) == ["run", "status", "verdict", "what"]
        assert last[1].startswith("too long")

    def test_html_is_the_page_of_the_run(self, call, runs):
        """All of it, and nothing but."""
        ended = call(*runs("overfitting", "--format", "html"))
        assert (ended.status, ended.err) == (0, "")
        assert ended.out.startswith("<!doctype html>")
        assert ended.out.rstrip().endswith("</html>")

    def test_html_of_several_runs_is_one_page_of_them(self, call, runs):
        """A table of them, the worst first; a run that could not be read is told, and costs the others nothing."""
        ended = call(*runs("healthy", "nope", "overfitting", "--format", "html"))
        assert ended.status == 3
        assert ended.out.count("<!doctype html>") == 1
        assert "Diagnosis of 2 runs" in ended.out
        assert ended.out.index("too long") < ended.out.index("fine")
        assert "nope" not in ended.out

    def test_markdown_is_for_pull_requests(self, call, runs):
        """Of one run its report, of several a table and what was found in each; names are text."""
        one = call(*runs("overfitting", "--format", "markdown"))
        assert (one.status, one.err) == (0, "")
        assert one.out.startswith("### ✗ too long: **overfitting**")
        several = call(*runs("healthy", "hostile", "overfitting", "--format", "markdown"))
        assert several.out.startswith("### Diagnosis of 3 runs\n\n| Run |")
        assert r"\[red\]loss\[/red\]" in several.out
        assert several.out.count("<details>") == 1

    @pytest.mark.parametrize("form", ["text", "markdown"])
    def test_a_job_of_github_is_told(self, call, runs, form, monkeypatch, tmp_path):
        """A line on stderr annotates the verdict, the summary has all runs, and a name is no command."""
        summary = tmp_path / "summary.md"
        monkeypatch.setenv("GITHUB_ACTIONS", "true")
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
        ended = call(*runs("healthy", "overfitting", "--format", form, "--fail-on", "warning"))
        assert ended.status == 1
        assert ended.err.startswith("::error title=too long%3A overfitting::val_loss was best at step")
        assert ended.err.count("\n") == 1
        assert "::" not in ended.out
        assert summary.read_text("utf-8").startswith("### Diagnosis of 2 runs")

    def test_only_a_job_of_github_is_told(self, call, runs, monkeypatch, tmp_path):
        """Elsewhere nothing is annotated, whatever a summary is called."""
        monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
        assert call(*runs("overfitting", "--format", "markdown")).err == ""
        assert list(tmp_path.iterdir()) == []

    def test_a_summary_that_cannot_be_written_is_told(self, call, runs, monkeypatch, tmp_path):
        """In a line; the runs were judged and printed all the same."""
        monkeypatch.setenv("GITHUB_ACTIONS", "true")
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))
        ended = call(*runs("healthy", "--format", "markdown"))
        assert ended.status == 0
        assert "GITHUB_STEP_SUMMARY" in ended.line
        assert ended.out.startswith("### ✓ fine")

    @pytest.mark.parametrize(("form", "begins"), [("text", "✗ too long"), ("json", "{"), ("html", "<!doctype html>")])
    def test_output_is_written_to_a_file(self, call, runs, tmp_path, form, begins):
        """In UTF-8, and stdout stays empty."""
        path = tmp_path / "report"
        ended = call(*runs("overfitting", "--format", form, "--output", path))
        assert (ended.status, ended.out, ended.err) == (0, "", "")
        assert path.read_text("utf-8").startswith(begins)

    def test_an_output_that_cannot_be_written_is_told_before_anything_is_done(self, call, store, run_id, tmp_path):
        """Nothing was written to MLflow either."""
        before = content(store)
        path = tmp_path / "missing" / "report.txt"
        ended = call(run_id, "--tracking-uri", store.uri, "--output", path)
        assert (ended.status, ended.out) == (2, "")
        assert ended.line == f"--output {path} cannot be written: No such file or directory"
        assert content(store) == before

    def test_hostile_run_name_is_text(self, call, runs):
        """Markup is printed, escapes and line breaks are gone."""
        ended = call(*runs("hostile"))
        assert ended.status == 0
        assert reports.MARKUP in ended.out
        assert not ESCAPES.search(ended.out)
        assert json.loads(call(*runs("hostile", "--format", "json")).out)["runs"][0]["run_id"] == runs.hostile

    def test_hostile_names_under_a_logdir_are_text(self, call, tmp_path):
        """Tags and directories may hold any character; so may what errors list."""
        tag = f"val_loss/{reports.MARKUP}{reports.ANSI}"
        folder = tmp_path / "[red]run\x1b[31m"
        eventlogs.write(folder, [*eventlogs.curve(tag, TURNING), *eventlogs.curve("train_loss", FALLING)])
        judged = call("--logdir", tmp_path)
        assert judged.status == 0
        assert "[red]run" in judged.out
        assert not ESCAPES.search(judged.out)
        refused = call("--logdir", tmp_path, "--map", "x=val_loss")
        assert refused.status == 2
        assert "[link=https://example.org]" in refused.line
        assert not ESCAPES.search(refused.line)

    @pytest.mark.parametrize("form", ["text", "json", "html", "markdown"])
    def test_any_encoding_of_stdout_will_do(self, runs, form):
        """As under LC_ALL=C; a page is in UTF-8, as it says of itself."""
        command = [sys.executable, "-c", "from mlflow_diagnose.cli import main; main()", *runs("hostile")]
        ended = subprocess.run(
            [*command, "--format", form],
            capture_output=True,
            check=True,
            env={"PYTHONIOENCODING": "ascii", "MLFLOW_DISABLE_TELEMETRY": "true"},
        )
        assert ended.stderr == b""
        assert ended.stdout.isascii() or form in {"html", "markdown"}
        assert reports.JAPANESE.encode() in ended.stdout or form not in {"html", "markdown"}


class TestWriting:
    """What becomes of the store."""

    def test_no_write_writes_nothing(self, call, store, run_id):
        """Not a row, not a file."""
        before = content(store)
        assert call(run_id, "--tracking-uri", store.uri, "--no-write").status == 0
        assert content(store) == before

    def test_a_run_is_written_once(self, call, store, run_id):
        """The second call leaves every row and file as it is, `--force` writes again, the user's tags stay."""
        args = (run_id, "--tracking-uri", store.uri)
        first = call(*args)
        assert (first.status, first.err) == (0, "")
        tags = tags_in(store, run_id)
        assert tags["diagnose.verdict"] == "overfitting"
        assert tags["diagnose.overfitting"].startswith("critical: +")
        assert (tags["team"], tags[NOTE]) == ("vision", "My run.")
        before = content(store)
        folder = store.artifact_folder(run_id) / "diagnosis"
        assert sorted(path.name for path in folder.iterdir()) == ["curves.png", "findings.json", "report.html"]

        assert call(*args) == first
        assert content(store) == before

        assert call(*args, "--force") == first
        assert content(store)[0] == before[0]
        assert all(content(store)[1][path][0] > time for path, (time, _) in before[1].items())

    def test_a_note_is_added_also_to_what_is_unchanged(self, call, store, run_id):
        """Below what the user wrote; `clean` gives that back, takes the tags and names the artifacts that remain."""
        args = (run_id, "--tracking-uri", store.uri)
        call(*args)
        assert call(*args, "--note").status == 0
        note = tags_in(store, run_id)[NOTE]
        assert note.startswith("My run.\n\n")
        assert "**Diagnosis: overfitting**" in note

        ended = call("clean", *args)
        assert (ended.status, ended.err) == (0, "")
        assert tags_in(store, run_id) == {"team": "vision", NOTE: "My run."}
        (line,) = ended.out.splitlines()
        assert line.startswith(f"{run_id}: diagnosis taken out of diagnose.")
        assert NOTE in line
        assert "diagnosis/report.html, diagnosis/curves.png, diagnosis/findings.json remain" in line

    def test_clean_does_the_known_runs(self, call, store, run_id):
        """An unknown one alone is bad input, beside others it makes them incomplete."""
        both = call("clean", "nope", run_id, "--tracking-uri", store.uri)
        assert both.status == 3
        assert both.out == f"{run_id}: no tag holds a diagnosis\n"
        assert both.line == f"MLflow at {store.uri} has no run 'nope'"
        assert call("clean", "nope", "--tracking-uri", store.uri).status == 2

    def test_a_read_only_store_still_gets_its_diagnosis_printed(self, call, store, run_id, tmp_path, monkeypatch):
        """Status 3, and the reason."""
        monkeypatch.chdir(tmp_path)  # MLflow takes `file:...` for a folder and makes it
        rows, _ = content(store)
        ended = call(run_id, "--tracking-uri", f"sqlite:///file:{store.database}?mode=ro&uri=true")
        assert ended.status == 3
        assert "✗ too long: This run shows overfitting" in ended.out
        assert f"the tags of run {run_id} could not be written" in ended.line
        assert "readonly" in ended.line
        assert content(store)[0] == rows


class TestLogdir:
    """TensorBoard runs."""

    @pytest.fixture
    def logdir(self, tmp_path):
        """A good run and an overfitting one."""
        for name, val in (("good", FALLING + 0.06), ("long", TURNING)):
            train = FALLING - 0.3 if name == "long" else FALLING
            events = [*eventlogs.curve("loss/train", train), *eventlogs.curve("loss/val", val)]
            eventlogs.write(tmp_path / name, events)
        return tmp_path

    def test_all_runs_are_judged(self, call, logdir):
        """Each under its directory's name."""
        document = json.loads(call("--logdir", logdir, "--format", "json").out)
        assert {run["run_id"]: run["verdict"] for run in document["runs"]} == {"good": "healthy", "long": "overfitting"}

    def test_one_run_can_be_picked(self, call, logdir):
        """By that name, before or after the option."""
        for args in (["--logdir", logdir, "long"], ["long", "--logdir", logdir]):
            ended = call(*args, "--fail-on", "critical")
            assert (ended.status, ended.err) == (1, "")
            assert ended.out.startswith("✗ long: ")
            assert "good" not in ended.out

    def test_an_unknown_run_is_told(self, call, logdir):
        """With how runs are named there."""
        ended = call("--logdir", logdir, "wrong")
        assert (ended.status, ended.out) == (2, "")
        assert "'wrong'" in ended.line
        assert "'good'" in ended.line

    def test_nothing_is_written(self, call, logdir):
        """Reading is all that is done to event files."""
        before = {path: path.stat().st_mtime_ns for path in logdir.rglob("*")}
        call("--logdir", logdir)
        assert {path: path.stat().st_mtime_ns for path in logdir.rglob("*")} == before
