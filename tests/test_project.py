"""The project keeps its own rules: lint, types, layers, and a README whose claims are checked."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def tool(*command: str, **options):
    """The output of a tool of this environment, run at the root."""
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False, **options
    )


@pytest.mark.parametrize("command", [("ruff", "check"), ("ruff", "format", "--check"), ("mypy",)], ids=" ".join)
def test_the_code_is_clean(command):
    """Lint, format and strict types."""
    done = tool(*command)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["mlflow", "mlflow_diagnose", "pandas", "matplotlib", "click", "sqlite3", "pathlib"])
def test_the_core_imports_no_shell(name):
    """The linter refuses what reads, writes or shows in the core, and allows it in the plugin."""
    code = f'"""A module."""\n\nimport {name}\n\n__all__ = ["{name}"]\n'
    core, plugin = "analyzers/curve_analyzers/rules/fit/new.py", "plugin/mlflow_diagnose/new.py"
    assert "TID251" in tool("ruff", "check", "--stdin-filename", core, "-", input=code).stdout
    assert "TID251" not in tool("ruff", "check", "--stdin-filename", plugin, "-", input=code).stdout


def test_the_core_loads_alone():
    """Judging a run loads no tracker, no plotter and no data frame."""
    code = (
        "import sys, curve_analyzers.engine, curve_analyzers.registry as r; r.all_rules(); "
        "print([name for name in ('mlflow', 'pandas', 'matplotlib', 'tensorboard', 'click') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_tensorboard_loads_nothing_for_our_plugin():
    """Its start is as quick as without it: what the plugin needs besides is loaded when the tab is opened."""
    code = (
        "import sys, tensorboard.plugin_util, tensorboard.backend.http_util, tensorboard.plugins.base_plugin; "
        "before = set(sys.modules); import mlflow_diagnose.tensorboard_plugin.plugin; "
        "print(sorted({name.split('.')[0] for name in set(sys.modules) - before}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['curve_analyzers', 'mlflow_diagnose']"


def test_only_our_two_packages_are_shipped(tmp_path):
    """No top-level `plugin`, `analyzers`, `tests` or `fixtures` reaches site-packages; the pages' files do."""
    done = tool("hatchling", "build", "-t", "wheel", "-d", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        names = wheel.namelist()
    folders = {name.split("/")[0] for name in names}
    assert {name for name in folders if not name.endswith(".dist-info")} == {"mlflow_diagnose", "curve_analyzers"}
    tab = {f"mlflow_diagnose/tensorboard_plugin/static/{name}" for name in ("index.js", "diagnose.css")}
    catalogue = "mlflow_diagnose/locale/ja/LC_MESSAGES/mlflow_diagnose.po"
    assert {"mlflow_diagnose/report/page.html", "mlflow_diagnose/py.typed", catalogue, *tab} <= set(names)


def test_the_readmes_files_exist():
    """Every picture and page that the README points to."""
    links = re.findall(r"\]\(([^)#]+)\)", (ROOT / "README.md").read_text("utf-8"))
    assert len(links) >= 4
    assert [link for link in links if not (ROOT / link).is_file()] == []
