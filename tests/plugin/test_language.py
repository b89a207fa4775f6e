"""Another language: its catalogue has every message and the same fields, and rules what people read, and that alone."""

from __future__ import annotations

import io
import json
import pickle
import re
import string
import subprocess
import sys
from dataclasses import fields

import pytest
from babel.messages.pofile import read_po
from mlflow import MlflowClient
from mlflow.entities import Metric
from rich.console import Console

from curve_analyzers.engine import diagnose
from curve_analyzers.examples import decay, run
from curve_analyzers.experiment.analyzer import ExperimentAnalyzer
from curve_analyzers.experiment.engine import compare
from curve_analyzers.experiment.registry import all_experiment_rules
from curve_analyzers.registry import all_rules, rule_named
from curve_analyzers.saying import Said, say, say_many
from curve_analyzers.wording import count
from mlflow_diagnose import language
from mlflow_diagnose.catalogue import messages, updated
from mlflow_diagnose.cli import main
from mlflow_diagnose.language import ENGLISH, catalogue_file, languages, speaking, translated
from mlflow_diagnose.readers.tracking.quiet import quiet
from mlflow_diagnose.report.page import page
from mlflow_diagnose.writers.json_ import to_text
from mlflow_diagnose.writers.markdown import document, entry_of
from mlflow_diagnose.writers.mlflow_tags import note_of, tags_of
from mlflow_diagnose.writers.terminal import print_report
from mlflow_server import EXPERIMENT, fresh_store

OTHERS = [each for each in languages() if each != ENGLISH]
RULES = [*all_rules(), *all_experiment_rules()]
ENGLISH_PROSE = re.compile(r"[A-Za-z]{2,}(?: [a-z]{2,}){2,}")
KANA = re.compile("[ぁ-ヿ]")
CODE = re.compile(r"<style.*?</style>|<code>.*?</code>|<pre>.*?</pre>", re.DOTALL)


def entries(name):
    """The messages of a catalogue, its head left out."""
    with catalogue_file(name).open("rb") as file:
        return [message for message in read_po(file, locale=name) if message.id]


def replacement_fields(template):
    """The fields of a template with their conversions and formats."""
    return {(name, spec, how) for _, name, spec, how in string.Formatter().parse(template) if name is not None}


def said_in(report):
    """Everything that a report says."""
    for finding in report.findings:
        yield from (finding.brief, finding.message, *finding.remedies)
    yield from (outcome.reason for outcome in report.outcomes if outcome.reason)


def templates(said):
    """The template of a message and of the messages in it."""
    yield said.template
    for value in said.values.values():
        if isinstance(value, Said):
            yield from templates(value)


def reports_of(rule):
    """What is said of the examples of a rule, and of a run without any curve."""
    examples = (*rule.fires, *rule.quiet)
    if isinstance(rule, ExperimentAnalyzer):
        yield from (compare(example.sweep.build(), [rule], kpi=example.kpi) for example in examples)
    else:
        yield from (diagnose(example.run.build(), [rule]) for example in examples)
        yield diagnose(run(3, train_loss=decay()).build(), [rule])


@pytest.mark.parametrize("name", OTHERS)
def test_the_catalogue_is_current(name):
    """It has what the code says and nothing else: `python -m mlflow_diagnose.catalogue` would not change it."""
    assert catalogue_file(name).read_bytes().decode() == updated(name).decode()


@pytest.mark.parametrize("name", OTHERS)
def test_every_message_is_translated(name):
    """None is empty or marked as doubtful."""
    bad = [each.id for each in entries(name) if each.fuzzy or not all([each.string, *each.string])]
    assert bad == []


@pytest.mark.parametrize("name", OTHERS)
def test_a_translation_has_the_fields_of_its_message(name):
    """All of them, formatted alike; where something is counted, every form has."""
    wrong = []
    for each in entries(name):
        original = each.id if isinstance(each.id, str) else each.id[1]
        forms = [each.string] if isinstance(each.string, str) else each.string
        if "{" in original and any(replacement_fields(form) != replacement_fields(original) for form in forms):
            wrong.append((original, forms))
    assert wrong == []


@pytest.fixture
def call(capsys):
    """Calls the command line in this process: its exit status, and what it printed."""

    def called(*args):
        with pytest.raises(SystemExit) as ended:
            main([str(arg) for arg in args])
        out, err = capsys.readouterr()
        return ended.value.code, out, err

    return called


@pytest.fixture(scope="module")
def known():
    """Every message that catalogues are made of."""
    return {message.text for message in messages()}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_what_a_rule_says_can_be_translated(rule, known):
    """Each brief, message, remedy and reason is a message, and so is every message in it."""
    for report in reports_of(rule):
        for text in said_in(report):
            assert isinstance(text, Said), text
            assert [template for template in templates(text) if template not in known] == []
    assert {rule.summary, *(each.metadata["meaning"] for each in fields(rule))} <= known


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.name)
def test_no_english_is_left(rule, name):
    """On the page, in the terminal and in Markdown: no three words in a row but names and commands."""
    report = diagnose(rule.fires[0].run.build())
    terminal = io.StringIO()
    with speaking(name):
        html = page(report)
        print_report(report, Console(file=terminal, width=400))
        markdown = document([entry_of(report)])
    assert f'<html lang="{name}">' in html
    read = re.sub(r"<[^>]+>", "\n", CODE.sub("", html)) + "\n".join(re.findall('aria-label="([^"]*)"', html))
    for text in (read, terminal.getvalue(), re.sub("`[^`]*`", "", markdown)):
        assert ENGLISH_PROSE.findall(text) == []


def test_machines_read_english():
    """Tags, the note of a description and JSON are the same whoever asks for them."""
    report = diagnose(rule_named("overfitting").fires[0].run.build())
    english = tags_of(report), note_of(report), to_text([report])
    with speaking("ja"):
        assert (tags_of(report), note_of(report), to_text([report])) == english
    assert json.loads(english[2])["runs"][0]["findings"][0]["message"].startswith("val_loss was best at step")


def test_a_message_is_its_english_text():
    """To whoever compares, stores or sends it; and it comes through a pickle with what it was made of."""
    said = say("{name} fell to {end:.3g}", name="loss", end=0.12345)
    assert said == "loss fell to 0.123"
    assert {said: 1}["loss fell to 0.123"] == 1
    assert json.dumps(said) == '"loss fell to 0.123"'
    again = pickle.loads(pickle.dumps(said))  # noqa: S301 - made here
    assert (again, again.template, again.values) == (said, said.template, said.values)


def test_what_is_counted_has_its_form():
    """One, several and none, in English; one form in Japanese."""
    assert [count(number, "spike") for number in (0, 1, 2, 1200)] == ["0 spikes", "1 spike", "2 spikes", "1,200 spikes"]
    assert say_many("{number} run", "{number} runs", number=1) == "1 run"
    with speaking("ja"):
        assert [translated(count(number, "spike")) for number in (1, 1200)] == ["1 回のスパイク", "1,200 回のスパイク"]


def test_names_of_the_user_stay():
    """A metric whose name is a word of ours, or looks like a template, is a name."""
    with speaking("ja"):
        assert translated("training") == "training"
        said = say("{loss} fell and {score} stood still.", loss="{score.__class__}", score="training")
        assert translated(said) == "{score.__class__} は低下しましたが、training は変わりませんでした。"


def test_a_language_is_a_file(tmp_path, monkeypatch):
    """One that is put there is there; what it leaves out, or marks as doubtful, is said in English."""
    monkeypatch.setattr(language, "LOCALES", tmp_path)
    file = tmp_path / "eo" / "LC_MESSAGES" / "mlflow_diagnose.po"
    file.parent.mkdir(parents=True)
    head = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n'
    head += '"Plural-Forms: nplurals=2; plural=n != 1;\\n"\n'
    known = 'msgid "{number:,} spike"\nmsgid_plural "{number:,} spikes"\n'
    known += 'msgstr[0] "{number} piko"\nmsgstr[1] "{number} pikoj"\n'
    file.write_text(f'{head}\n{known}\n#, fuzzy\nmsgid "no training curve"\nmsgstr "?"\n', encoding="utf-8")
    language._catalogue.cache_clear()  # noqa: SLF001 - another test may have had one of this language
    assert languages() == ["en", "eo"]
    with speaking(language.language_named("eo")):
        assert [translated(count(number, "spike")) for number in (1, 2)] == ["1 piko", "2 pikoj"]
        assert translated(say("no training curve")) == "no training curve"
        assert translated(say("no held-out curve")) == "no held-out curve"


@pytest.mark.parametrize("content", ["msgid\n", 'msgid ""\nmsgstr ""\n"Plural-Forms: nplurals=2; plural=import;\\n"\n'])
def test_a_broken_catalogue(tmp_path, monkeypatch, call, content):
    """Is one clear line that names the file."""
    monkeypatch.setattr(language, "LOCALES", tmp_path)
    file = tmp_path / "eo" / "LC_MESSAGES" / "mlflow_diagnose.po"
    file.parent.mkdir(parents=True)
    file.write_text(content, encoding="utf-8")
    language._catalogue.cache_clear()  # noqa: SLF001 - another test had one of this language
    status, out, err = call("rules", "--lang", "eo")
    assert (status, out) == (2, "")
    assert err.startswith(f"mlflow-diagnose: the catalogue {file} cannot be read: ")
    assert err.count("\n") == 1


def test_a_slip_in_a_catalogue(tmp_path, monkeypatch):
    """A translation with fields that are not there is said in English."""
    monkeypatch.setattr(language, "LOCALES", tmp_path)
    file = tmp_path / "eo" / "LC_MESSAGES" / "mlflow_diagnose.po"
    file.parent.mkdir(parents=True)
    file.write_text('msgid "step {step:,}"\nmsgstr "pa\u015do {paso} {"\n', encoding="utf-8")
    language._catalogue.cache_clear()  # noqa: SLF001 - as above
    with speaking("eo"):
        assert translated(say("step {step:,}", step=1200)) == "step 1,200"


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({"LANG": "ja_JP.UTF-8"}, "ja"),
        ({"LANG": "ja_JP.eucJP"}, "ja"),
        ({"LANG": "ja"}, "ja"),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "ja_JP.UTF-8"}, "ja"),
        ({"LANG": "ja_JP.UTF-8", "LC_ALL": "C.UTF-8"}, "en"),
        ({"LANG": "ja_JP.UTF-8", "LC_ALL": ""}, "ja"),
        ({"LANG": "C"}, "en"),
        ({"LANG": "fi_FI.UTF-8"}, "en"),
        ({"LANG": "../../etc"}, "en"),
    ],
)
def test_the_locale_decides(monkeypatch, variables, wanted):
    """LC_ALL before LC_MESSAGES before LANG; English for a language that there is not."""
    for name in language.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert language.language_named(None) == wanted


def test_explain_and_rules(call, monkeypatch):
    """In the language asked for, else in that of the locale; afterwards all is as it was."""
    status, out, _ = call("explain", "overfitting", "--lang", "ja")
    assert status == 0
    assert "## なぜ重要か" in out
    assert [line for line in out.splitlines() if not KANA.search(line) and ENGLISH_PROSE.search(line)] == []
    assert call("explain", "overfitting", "--lang", "en")[1].startswith(
        "Validation turned for the worse while training"
    )
    monkeypatch.setenv("LC_ALL", "ja_JP.UTF-8")
    assert "訓練が改善し続ける間に、検証が悪化に転じています。" in call("rules")[1]
    assert "Validation turned for the worse" in call("rules", "--lang", "en")[1]
    assert language.spoken() == ENGLISH


def test_a_language_that_there_is_not(call):
    """One clear line and exit status 2."""
    status, out, err = call("rules", "--lang", "tlh")
    assert (status, out) == (2, "")
    assert err == "mlflow-diagnose: there is no language 'tlh'; there are en, ja\n"


def test_a_run_and_its_page(call, tmp_path):
    """The terminal and the page that is written are Japanese, whoever writes it; the tags, and JSON, are not."""
    store, found = fresh_store(tmp_path), []
    curves = rule_named("overfitting").fires[0].run.build().curves.values()
    points = [
        Metric(curve.name, float(value), 1_700_000_000_000 + 1000 * int(step), int(step))
        for curve in curves
        for step, value in zip(curve.steps, curve.values, strict=True)
    ]
    with quiet():
        client = MlflowClient(store.uri)
        for _ in range(2):
            found.append(client.create_run(EXPERIMENT).info.run_id)
            client.log_batch(found[-1], points)
            client.set_terminated(found[-1])
    status, out, _ = call(*found, "--tracking-uri", store.uri, "--lang", "ja", "--jobs", 2)
    assert status == 0
    assert "このランの診断は「過学習」です" in out
    for run_id in found:
        page_file = store.artifacts / EXPERIMENT / run_id / "artifacts" / "diagnosis" / "report.html"
        assert '<html lang="ja">' in page_file.read_text("utf-8")
        with quiet():
            tags = client.get_run(run_id).data.tags
        assert tags["diagnose.overfitting"].endswith("since step 22")
    _, out, _ = call(found[0], "--tracking-uri", store.uri, "--lang", "ja", "--format", "json")
    assert "was best at step 22" in out
    assert not KANA.search(out)


def test_english_loads_no_catalogue():
    """Neither the library for catalogues nor a catalogue, whatever is judged and shown."""
    code = (
        "import sys; from curve_analyzers.engine import diagnose; from curve_analyzers.registry import rule_named\n"
        "from mlflow_diagnose.report.page import page\n"
        "page(diagnose(rule_named('overfitting').fires[0].run.build()))\n"
        "print([name for name in sys.modules if name.split('.')[0] == 'babel'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
