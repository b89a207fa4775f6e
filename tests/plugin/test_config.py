"""The config file, and what the command line puts over it."""

from __future__ import annotations

import os

import pytest

from curve_analyzers.hyperparameters import Meaning
from curve_analyzers.registry import all_rules, rule_named
from mlflow_diagnose.cli import main
from mlflow_diagnose.config import Settings, found_config, load_settings
from mlflow_diagnose.errors import BadInputError


@pytest.fixture
def config(tmp_path):
    """Writes a config file."""

    def written(text):
        path = tmp_path / "diagnose.toml"
        path.write_text(text, "utf-8")
        return path

    return written


def names(settings):
    """The names of the rules to judge by."""
    return {rule.name for rule in settings.rules}


def family(name):
    """The names of the rules of a family."""
    return {rule.name for rule in all_rules() if rule.family == name}


def test_nothing_said_is_every_rule_as_it_is():
    """An empty file says nothing either."""
    assert load_settings() == Settings(all_rules(), {})
    assert load_settings(None, select=(), ignore=(), role_map={}) == Settings(all_rules(), {})


def test_all_that_a_file_may_hold(config):
    """Rules and families, thresholds (a whole number is a number), and roles, also none."""
    path = config(
        """
        select = ["stability", "overfitting"]
        ignore = ["loss_spikes"]

        [roles]
        "my curve=1" = "val_loss"
        other = "none"

        [rules.overfitting]
        rise = 1
        """
    )
    settings = load_settings(path)
    assert names(settings) == family("stability") - {"loss_spikes"} | {"overfitting"}
    assert settings.role_map == {"my curve=1": "val_loss", "other": "none"}
    (rule,) = (rule for rule in settings.rules if rule.name == "overfitting")
    assert rule.rise == 1.0
    assert rule != rule_named("overfitting")


def test_command_line_goes_over_the_file(config):
    """Its selection replaces, what it ignores adds up, its roles win."""
    path = config('select = ["fit"]\nignore = ["oscillation"]\n[roles]\na = "val_loss"\nb = "train_loss"\n')
    settings = load_settings(path, select=["stability"], ignore=["divergence"], role_map={"a": "val_f1"})
    assert names(settings) == family("stability") - {"oscillation", "divergence"}
    assert settings.role_map == {"a": "val_f1", "b": "train_loss"}
    assert settings.expected == {"a"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("select = fit", ["no TOML", "line 1"]),
        ("selct = []", ["selct", "select, ignore, roles, params, rules"]),
        ('select = "fit"', ["select = 'fit'", "list"]),
        ("select = [1]", ["select.0 = 1", "string"]),
        ('select = ["fitt"]', ["'fitt'", "mlflow-diagnose rules"]),
        ('ignore = ["overfiting"]', ["'overfiting'", "'overfitting'"]),
        ('[roles]\na = "valloss"', ["'valloss'", "'val_loss'"]),
        ("[roles]\na = 1", ["roles.a = 1", "string"]),
        ("[rules.overfiting]\nrise = 1", ["'overfiting'", "'overfitting'"]),
        ("[rules.overfitting]\nrize = 1", ["overfitting has no threshold 'rize'", "rise"]),
        ("[rules.overfitting]\nrise = -1", ["overfitting.rise is -1", "at least 0"]),
        ('[rules.overfitting]\nrise = "0.1"', ["rules.overfitting.rise = '0.1'", "number"]),
        ("[rules.overfitting]\nrise = true", ["rules.overfitting.rise = True", "number"]),
        ("[rules.overfitting]\nrise = nan", ["rules.overfitting.rise = nan", "finite"]),
        ("[rules]\noverfitting = 1", ["rules.overfitting = 1", "dictionary"]),
    ],
)
def test_what_is_wrong_with_a_file_is_told(config, capsys, text, told):
    """In one line that names the file, the key, the value and what is wanted; status 2, before any run is read."""
    path = config(text)
    with pytest.raises(SystemExit) as ended:
        main(["a-run", "--config", str(path), "--tracking-uri", "http://127.0.0.1:1"])
    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (2, "")
    (line,) = err.splitlines()
    for words in (str(path), *told):
        assert words in line


@pytest.mark.parametrize(
    ("place", "told"),
    [("missing.toml", "No such file or directory"), (".", "Is a directory"), ("latin.toml", "no TOML")],
)
def test_a_file_that_cannot_be_read_is_told(tmp_path, place, told):
    """Missing, a folder, or in another encoding."""
    (tmp_path / "latin.toml").write_bytes(b'select = ["\xe9"]')
    with pytest.raises(BadInputError, match=told) as caught:
        load_settings(tmp_path / place)
    assert os.fspath(tmp_path / place) in str(caught.value)


def test_a_wrong_word_on_the_command_line_is_not_blamed_on_the_file(config):
    """The file is fine."""
    with pytest.raises(BadInputError, match=r"^no rule is called 'nope'"):
        load_settings(config('select = ["fit"]'), ignore=["nope"])


def test_many_runs_in_a_file_and_on_the_command_line(config):
    """What params mean, the command line's over the file's; thresholds and choice of rules over many runs."""
    path = config('[params]\ntempo = "lr"\nx = "none"\n[rules.learning_rate_decides]\nshare = 0.7\n')
    settings = load_settings(path, params={"x": "num_layers"}, kpi="recall")
    assert settings.params == {"tempo": Meaning.LEARNING_RATE, "x": Meaning.DEPTH}
    assert settings.kpi == "recall"
    assert {rule.share for rule in settings.experiment_rules if rule.name == "learning_rate_decides"} == {0.7}
    assert settings.rules == all_rules()
    only = load_settings(select=["within noise"])
    assert ([rule.name for rule in only.experiment_rules], only.rules) == (["within_noise"], all_rules())
    assert load_settings(select=["fit"]).experiment_rules == ()
    assert load_settings(ignore=["experiment"]).experiment_rules == ()
    with pytest.raises(BadInputError, match="'speed' is nothing a param can mean"):
        load_settings(params={"tempo": "speed"})


def test_a_file_that_nobody_names(tmp_path):
    """The first folder that has one: our own file before the project's, which counts where it speaks of us."""
    logs, here = tmp_path / "logs", tmp_path / "here"
    logs.mkdir()
    here.mkdir()
    assert found_config(logs, here, tmp_path / "none") is None
    (logs / "pyproject.toml").write_text("[tool.ruff]\n# no [tool.mlflow-diagnose] here", "utf-8")
    project = here / "pyproject.toml"
    project.write_text('[project]\nname = "x"\n[tool.mlflow-diagnose.rules.overfitting]\nrise = 0.5\n', "utf-8")
    assert found_config(logs, here) == project
    rule = next(rule for rule in load_settings(project).rules if rule.name == "overfitting")
    assert rule.rise == 0.5
    own = here / "mlflow-diagnose.toml"
    own.write_text('ignore = ["overfitting"]', "utf-8")
    assert found_config(logs, here) == own
    assert found_config(logs) is None


@pytest.mark.parametrize("text", ["[tool]\nmlflow-diagnose = 3", "[tool.mlflow-diagnose]\nselekt = []", "["])
def test_a_project_that_is_wrong(tmp_path, text):
    """One line that names the file."""
    path = tmp_path / "pyproject.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(BadInputError, match=r"pyproject\.toml"):
        load_settings(path)
