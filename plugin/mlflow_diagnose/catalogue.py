"""The catalogues that translators work on. `python -m mlflow_diagnose.catalogue` brings them up to the code.

Messages are what the source hands to `say`, `say_many` and `count`, and what the rules say of themselves. With a
language behind it, the command begins the catalogue of that language.
"""

from __future__ import annotations

import ast
import io
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

import curve_analyzers
from curve_analyzers.analyzer import Analyzer
from curve_analyzers.engine import diagnose
from curve_analyzers.experiment.analyzer import ExperimentAnalyzer
from curve_analyzers.experiment.engine import compare
from curve_analyzers.experiment.registry import all_experiment_rules
from curve_analyzers.findings import Severity
from curve_analyzers.quantities import QUANTITIES
from curve_analyzers.registry import all_rules
from curve_analyzers.rule import Rule
from curve_analyzers.saying import titled
from curve_analyzers.wording import UNITS
from mlflow_diagnose.language import ENGLISH, catalogue_file, languages

__all__ = ["Message", "messages", "updated"]

HEAD = """\
# {language} messages of mlflow-diagnose.
#
# Made of the code by `python -m mlflow_diagnose.catalogue`; only what stands behind `msgstr` is written by hand."""
LEFT_OUT = tuple(b'"' + name for name in (b"POT-", b"PO-", b"Report-", b"Last-", b"Language-Team", b"Generated-"))
COUNTED = re.compile(r'words\.count\(.*?, "([a-z ]+)"\)')
ROOTS = (Path(__file__).parent, Path(curve_analyzers.__file__).parent)
STATES = ("healthy", "insufficient_data")


@dataclass(frozen=True, slots=True)
class Message:
    """A text to translate, the text beside it where something is counted, and the file it stands in."""

    text: str
    plural: str | None
    place: str

    @property
    def key(self) -> str | tuple[str, str]:
        """As Babel names it."""
        return self.text if self.plural is None else (self.text, self.plural)


def messages() -> Iterator[Message]:
    """Every text that can be shown, in an order that stays; a text that stands in several files comes once for each."""
    for root in ROOTS:
        for path in sorted(root.rglob("*.py")):
            place = f"{root.name}/{path.relative_to(root).as_posix()}"
            for text, plural in _in_code(ast.parse(path.read_text(encoding="utf-8"))):
                yield Message(text, plural, place)
        for path in sorted(root.rglob("*.html")):
            for noun in COUNTED.findall(path.read_text(encoding="utf-8")):
                yield Message(*_counted(noun), f"{root.name}/{path.relative_to(root).as_posix()}")
    for rule in (*all_rules(), *all_experiment_rules()):
        place = f"{type(rule).__module__.replace('.', '/')}.py"
        yield from (Message(text, None, place) for text in _of_rule(rule))
    names = (*QUANTITIES, *STATES, *(severity.word for severity in Severity))
    yield from (Message(text, None, "names") for text in (*map(titled, names), *(unit for unit, _ in UNITS)))


def updated(language: str) -> bytes:
    """The catalogue of a language as its file should be: with all messages, and with nothing that is no longer said."""
    file = catalogue_file(language)
    if file.exists():
        with file.open("rb") as opened:
            catalogue = read_po(opened, locale=language)
    else:
        catalogue = Catalog(language)
    said = Catalog()
    for message in messages():
        said.add(message.key, locations=[(message.place, 0)])
    catalogue.update(said, no_fuzzy_matching=True, update_creation_date=False)
    catalogue.obsolete.clear()
    made = Catalog(
        language,
        project="mlflow-diagnose",
        version=curve_analyzers.__version__,
        header_comment=HEAD.format(language=Locale.parse(language).english_name),
        fuzzy=False,
    )
    for each in catalogue:
        if each.id:
            added = made.add(each.id, each.string, sorted(set(each.locations)))
            added.flags = {"fuzzy"} if each.fuzzy else set()  # Babel takes `5 % of` for a format
    buffer = io.BytesIO()
    write_po(buffer, made, width=120, sort_by_file=True, include_lineno=False, omit_header=False)
    # What the version control knows better, and what would change each time.
    kept = [line for line in buffer.getvalue().splitlines(keepends=True) if not line.startswith(LEFT_OUT)]
    return b"".join(kept)


def _in_code(tree: ast.AST) -> Iterator[tuple[str, str | None]]:
    """The literals that a module hands to `say`, `say_many` and `count`, however these were imported."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        literals = [arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
        if name == "say" and literals:
            yield literals[0], None
        elif name == "say_many" and len(literals) > 1:
            yield literals[0], literals[1]
        elif name == "count" and literals and len(node.args) > 1:
            yield _counted(literals[0])


def _counted(noun: str) -> tuple[str, str]:
    """The two texts that `wording.count` makes of a noun."""
    return f"{{number:,}} {noun}", f"{{number:,}} {noun}s"


def _of_rule(rule: Rule) -> Iterator[str]:
    """What a rule says of itself: name, documentation, thresholds, examples, and the names of its numbers."""
    yield titled(rule.name)
    yield rule.summary
    for title, text in rule.sections.items():
        yield title
        yield from (" ".join(part.split()) for part in text.split("\n\n"))
    yield from (each.metadata["meaning"] for each in fields(rule))
    if isinstance(rule, (Analyzer, ExperimentAnalyzer)):
        yield from (example.title for example in (*rule.fires, *rule.quiet))
    yield from map(titled, dict.fromkeys(name for found in _evidence(rule) for name in found))


def _evidence(rule: Rule) -> Iterator[Iterable[str]]:
    """The names of the numbers that a rule rests on, as its examples show them."""
    if isinstance(rule, Analyzer):
        for example in rule.fires:
            yield from (finding.evidence for finding in diagnose(example.run.build(), [rule]).findings)
    elif isinstance(rule, ExperimentAnalyzer):
        for runs in rule.fires:
            yield from (finding.evidence for finding in compare(runs.sweep.build(), [rule], kpi=runs.kpi).findings)


def main(names: list[str]) -> None:
    """Write the catalogues anew, of all languages or of those that are named."""
    for language in names or [each for each in languages() if each != ENGLISH]:
        file = catalogue_file(language)
        content = updated(language)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


if __name__ == "__main__":
    main(sys.argv[1:])
