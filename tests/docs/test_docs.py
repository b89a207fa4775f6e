"""Every command in the documentation is run, in order, and what it prints is compared."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from docs.markdown import blocks, is_printed
from mlflow_diagnose.report.pictures import stale

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "plugin" / "docs").glob("*.md"))]
# The ids in the documentation, by the fault that was planted in the run.
IDS = {
    "2952401acd1349858ed3f66201f62d1f": "overfitting",
    "6c3a7bded6d0422aa349c58406dccffc": "healthy",
    "28e0600f533a4ae3854ad8ef22aae25a": "divergence",
    "4b05f6fd4e69491f9cc8c2d5930ea39a": "class_imbalance",
}
COMMAND = '#!/bin/sh\nexec "{python}" -c "from mlflow_diagnose.cli import main; main()" "$@"\n'
# Runs the code of a page; each expression with a comment behind it must be what the comment says.
RUNNER = """
import sys
for code, comment in {statements!r}:
    if comment is None:
        exec(code, globals())
    else:
        value = repr(eval(code, globals()))
        if value != comment:
            sys.exit(f"{{code}} is {{value}}, and not {{comment}}")
"""

pytestmark = [pytest.mark.xdist_group("demo")]


class Scratch:
    """A folder as a reader of the documentation has it: the demo's store, a logdir, and the command on the path."""

    def __init__(self, folder: Path, demo: tuple[str, dict]) -> None:
        uri, planted = demo
        self.folder = folder
        self.ids = {told: planted[fault].run.run_id for told, fault in IDS.items()}
        shutil.copytree(Path(uri.removeprefix("sqlite:///")).parent, folder / "diagnose-demo")
        shutil.copytree(ROOT / "fixtures" / "frameworks" / "torch" / "log", folder / "runs")
        programs = folder / "bin"
        programs.mkdir()
        for name, text in {
            "mlflow-diagnose": COMMAND.format(python=sys.executable),
            "python3": f'#!/bin/sh\nexec "{sys.executable}" "$@"\n',
        }.items():
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        self.environment = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "200"}
        for name in ("MLFLOW_TRACKING_URI", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
            self.environment.pop(name, None)

    def shell(self, code: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run code in a shell; what it exports is there for the next."""
        kept = self.folder / "environment"
        script = f"set -e\ntrap 'env -0 > \"{kept}\"' EXIT\n{self.real(code)}"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            env={**self.environment, **more},
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
        self.environment = dict(pair.split("=", 1) for pair in kept.read_text().split("\0") if pair)
        return done

    def python(self, statements: list[tuple[str, str | None]]) -> subprocess.CompletedProcess[str]:
        """Run statements, and compare those that say what they give."""
        code = self.real(RUNNER.format(statements=statements))
        path = os.pathsep.join([str(self.folder), *sys.path])
        return subprocess.run(
            [sys.executable, "-c", code],
            cwd=self.folder,
            env={**self.environment, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )

    def real(self, text: str) -> str:
        """A text with the ids of this store in place of the documentation's."""
        return re.sub("|".join(self.ids), lambda found: self.ids[found[0]], text)

    def told(self, text: str) -> str:
        """A text with the documentation's ids in place of this store's."""
        known = {real: told for told, real in self.ids.items()}
        return re.sub("|".join(known), lambda found: known[found[0]], text)


@pytest.fixture(scope="module")
def scratch_of(demo, tmp_path_factory):
    """Makes a scratch folder."""
    return lambda name: Scratch(tmp_path_factory.mktemp(name), demo)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_does_what_it_says(page, scratch_of):
    """Shell, Python, files and workflows, from the top of the page to its end."""
    scratch = scratch_of(page.stem)
    code: list[tuple[str, str | None]] = []
    for block in blocks(page.read_text("utf-8")):
        if block.language == "sh" and "pip install" not in block.text:  # which is CI's own command
            done = scratch.shell(block.text)
            wanted = int(block.info.removeprefix("exit=") or 0)
            assert done.returncode == wanted, f"{block.text}\n{done.stdout}{done.stderr}"
            if block.output is not None:
                assert is_printed(block.output, scratch.told(done.stdout)), f"{block.text}\n{done.stdout}"
        elif block.language == "yaml":
            for step in yaml.safe_load(block.text):
                done = scratch.shell(step["run"], RUN_ID=scratch.ids["6c3a7bded6d0422aa349c58406dccffc"])
                assert done.returncode == 0, done.stderr
        elif block.info:
            (scratch.folder / block.info).write_text(block.text)
        elif block.language == "toml":
            tomllib.loads(block.text)
        elif block.language == "python":
            code += statements(block.text)
    done = scratch.python(code)
    assert done.returncode == 0, done.stderr


def statements(code: str) -> list[tuple[str, str | None]]:
    """The statements of a block, each with the comment behind it where that says what it gives."""
    lines = code.split("\n")
    found: list[tuple[str, str | None]] = []
    for statement in ast.parse(code).body:
        _, separator, comment = lines[statement.end_lineno - 1][statement.end_col_offset :].partition("  # ")
        source = ast.get_source_segment(code, statement)
        found.append((source, comment if separator and isinstance(statement, ast.Expr) else None))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_a_page_points_to_exists(page):
    """Pages, pictures and files of this project."""
    links = re.findall(r"\]\((?!https?://)([^)#\s]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_rule_has_a_picture_that_is_true():
    """`python -m mlflow_diagnose.report.pictures analyzers/pictures` brings them up to date."""
    folder = ROOT / "analyzers" / "pictures"
    assert list(stale(folder)) == []
    reference = (ROOT / "analyzers" / "README.md").read_text("utf-8")
    pictures = re.findall(r"\]\((pictures/[^)]+)\)", reference)
    assert {folder.parent / picture for picture in pictures} == set(folder.glob("*.svg"))


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        ("a 1.05\nb", "a 1.10\nb", True),
        ("a 10\nb", "a 20\nb", False),
        ("a\n...\nd", "a\nb\nc\nd", True),
        ("a\n...\nd", "a\nb\nc", False),
        ("fell ...", "fell from 2 to 1", True),
        ("rose ...", "fell from 2 to 1", False),
        ("a", "a\nb", False),
    ],
)
def test_outputs_are_compared(expected, printed, same):
    """What counts as the same output, so that a wrong one fails."""
    assert is_printed(expected, printed) is same
