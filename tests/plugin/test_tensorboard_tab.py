"""What stands behind the tab in TensorBoard: where its curves come from, what it keeps, what it hands to the page."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext

import eventlogs
import reports
from mlflow_diagnose import diagnose_logdir
from mlflow_diagnose.errors import DiagnoseError, ReadError, RunNotFoundError
from mlflow_diagnose.readers.events import event_files
from mlflow_diagnose.readers.events.buffers import Buffer
from mlflow_diagnose.readers.tensorboard import TensorBoardReader
from mlflow_diagnose.report.templates import COLOURS
from mlflow_diagnose.tensorboard_plugin import board as boards
from mlflow_diagnose.tensorboard_plugin.answers import answer_of, chart_of, row_of
from mlflow_diagnose.tensorboard_plugin.board import Board
from mlflow_diagnose.tensorboard_plugin.judging import Judging
from mlflow_diagnose.tensorboard_plugin.logs import EitherLogs, FileLogs, logdirs_of
from mlflow_diagnose.tensorboard_plugin.plugin import STATIC
from mlflow_diagnose.tensorboard_plugin.provided import ProvidedLogs
from mlflow_diagnose.tensorboard_plugin.rows import Row, page_of

FRAMEWORKS = Path(__file__).parents[2] / "fixtures" / "frameworks"
PAGE = Path(boards.__file__).parent / "static"
T = np.linspace(0, 1, 40)


def falling(floor=0.1):
    """A training and a validation loss that fall."""
    return [
        *eventlogs.curve("train/loss", floor + 2 * np.exp(-6 * T)),
        *eventlogs.curve("val/loss", 0.2 + np.exp(-6 * T)),
    ]


def append(path, events):
    """Go on writing an event file."""
    with path.open("ab") as file:
        file.writelines(map(eventlogs.record, events))


def provided(logdir, sample=None):
    """A logdir through TensorBoard's own provider."""
    multiplexer = EventMultiplexer(tensor_size_guidance={"scalars": 1000 if sample is None else sample})
    multiplexer.AddRunsFromDirectory(str(logdir))
    multiplexer.Reload()
    return ProvidedLogs(MultiplexerDataProvider(multiplexer, str(logdir)), "", RequestContext(), sample)


class LocalLogs(FileLogs):
    """The logs of one folder."""

    def __init__(self, folder):
        super().__init__({"": str(folder)})


class CountedLogs(LocalLogs):
    """A logdir that tells which runs were read, and of which one cannot be."""

    def __init__(self, folder, broken=""):
        super().__init__(folder)
        self.reads, self.broken = [], broken

    def read(self, run_id):
        self.reads.append(run_id)
        if run_id == self.broken:
            raise ReadError(f"run {run_id} is broken")
        return super().read(run_id)


class FailingLogs(LocalLogs):
    """A logdir that cannot be looked through for as long as it is told so."""

    fails = False

    def scan(self):
        if self.fails:
            raise ReadError("the server is away")
        return super().scan()


def eventually(look, wanted):
    """What is looked at, as soon as it is as wanted."""
    for _ in range(600):
        if wanted(found := look()):
            return found
        time.sleep(0.05)
    pytest.fail(f"still {found}")


def judged(board):
    """The rows of a board, as soon as there is a verdict for each."""
    return eventually(board.listed, lambda listed: listed.scanned and not listed.waiting).rows


# Where the curves come from.


@pytest.mark.parametrize(
    ("flags", "logdirs"),
    [
        ({"logdir": "/runs"}, {"": "/runs"}),
        ({"logdir": "/runs", "logdir_spec": ""}, {"": "/runs"}),
        ({"logdir": "gs://bucket/runs"}, {"": "gs://bucket/runs"}),
        ({"logdir": "", "logdir_spec": "a:/runs,b:s3://bucket/b:c"}, {"a": "/runs", "b": "s3://bucket/b:c"}),
        ({"logdir_spec": "/odd:name,s3://bucket"}, {"": "/odd:name", "s3://bucket": "s3://bucket"}),
        ({"logdir_spec": "here,,there:"}, {"": "here"}),
        ({}, {}),
    ],
)
def test_what_tensorboard_was_started_on(flags, logdirs):
    """As TensorBoard's flags tell it, several with their names."""
    assert logdirs_of(type("Flags", (), flags)()) == logdirs
    assert logdirs_of(None) == {}


def test_a_scan_tells_what_grew(tmp_path):
    """Only the run whose file grew has another stamp, and its new points are read, also where it was read ahead."""
    for name in "abc":
        path = eventlogs.write(tmp_path / name, falling())
    logs = LocalLogs(tmp_path)
    before = dict(logs.scan())
    assert list(before) == ["a", "b", "c"]
    logs.read("a")  # small files are read some at a time, so that `c` is held from here on
    append(path, eventlogs.curve("val/loss", [0.5], first=40))
    after = logs.scan()
    assert [name for name in before if before[name] != after[name]] == ["c"]
    assert {curve.name: len(curve.steps) for curve in logs.read("c").curves} == {"train/loss": 40, "val/loss": 41}


def test_of_a_file_that_grew_only_what_is_new_is_read(tmp_path, monkeypatch):
    """The rest of it is not even looked at."""
    path = eventlogs.write(tmp_path / "a", falling())
    logs = LocalLogs(tmp_path)
    logs.scan()
    logs.read("a")
    new = eventlogs.curve("val/loss", [0.5], first=40)
    append(path, new)
    sizes = []

    class Noted(Buffer):
        def __init__(self, data):
            super().__init__(data)
            sizes.append(len(data) - len(event_files.PADDING))

    monkeypatch.setattr(event_files, "Buffer", Noted)
    logs.scan()
    assert {curve.name: len(curve.steps) for curve in logs.read("a").curves} == {"train/loss": 40, "val/loss": 41}
    assert sizes == [sum(len(eventlogs.record(event)) for event in new)]


def test_several_logdirs_are_one_list(tmp_path):
    """Each run is named as TensorBoard names it, by its logdir's name and its place there; no point is left out."""
    long = eventlogs.curve("train/loss", 2 * np.exp(-np.linspace(0, 5, 3000)))
    eventlogs.write(tmp_path / "one" / "long", long)
    eventlogs.write(tmp_path / "two", falling())
    logs = FileLogs({"first": str(tmp_path / "one"), "second": str(tmp_path / "two"), "none": str(tmp_path / "no")})
    assert list(logs.scan()) == ["first/long", "second"]
    run = logs.read("first/long")
    assert (run.run_id, [len(curve.steps) for curve in run.curves]) == ("first/long", [3000])
    assert logs.read("second").run_id == "second"


def test_a_logdir_behind_a_url(tmp_path):
    """It is read where it is; where that cannot be, TensorBoard is asked, and the run says why."""
    eventlogs.write(tmp_path / "a", falling())
    logs = FileLogs({"": tmp_path.as_uri()})
    assert list(logs.scan()) == ["a"]
    assert {len(curve.steps) for curve in logs.read("a").curves} == {40}
    assert logs.rest > FileLogs({"": str(tmp_path)}).rest
    either = EitherLogs(FileLogs({"": "nosuch://bucket/runs"}), lambda: provided(tmp_path))
    assert list(either.scan()) == ["a"]
    assert either.read("a").notes[-1].startswith("read through TensorBoard, as nosuch://bucket/runs ")
    assert EitherLogs(logs, pytest.fail).scan() == logs.scan()


def test_a_logdir_may_come_later_and_change(tmp_path):
    """None yet, then a run, then another, then none again."""
    logs = LocalLogs(tmp_path / "runs")
    assert logs.scan() == {}
    first = eventlogs.write(tmp_path / "runs" / "a", falling())
    assert list(logs.scan()) == ["a"]
    eventlogs.write(tmp_path / "runs" / "b", falling())
    assert list(logs.scan()) == ["a", "b"]
    first.unlink()
    assert list(logs.scan()) == ["b"]


@pytest.mark.parametrize("name", sorted(path.parent.name for path in FRAMEWORKS.glob("*/log")))
def test_the_provider_gives_what_the_files_hold(name):
    """On every framework's logs: the same runs, curves, points and hyper-parameters as our own reader."""
    logdir = FRAMEWORKS / name / "log"
    reader, logs = TensorBoardReader(logdir), provided(logdir, 0)
    assert list(logs.scan()) == reader.run_ids()
    for run_id in reader.run_ids():
        theirs, ours = logs.read(run_id), reader.read(run_id)
        assert dict(theirs.params) == dict(ours.params)
        assert theirs.notes == ()
        wanted = {curve.name: curve for curve in ours.curves}
        assert {curve.name for curve in theirs.curves} == set(wanted)
        for curve in theirs.curves:
            np.testing.assert_array_equal(curve.steps, wanted[curve.name].steps)
            np.testing.assert_array_equal(curve.values, wanted[curve.name].values)


def test_the_provider_joins_what_is_one_run(tmp_path):
    """Halves, halves within the logdir itself, and what `add_scalars` wrote, under the names our reader gives them."""
    for half in ("train", "validation"):
        eventlogs.write(tmp_path / "keras" / half, eventlogs.curve("epoch_loss", T))
    eventlogs.write(tmp_path / "plain", eventlogs.curve("acc", T))
    for part in ("train", "val"):
        eventlogs.write(tmp_path / "plain" / f"run_loss_{part}", eventlogs.curve("run/loss", T))
    reader, logs = TensorBoardReader(tmp_path), provided(tmp_path)
    assert list(logs.scan()) == reader.run_ids() == ["keras", "plain"]
    for run_id in reader.run_ids():
        ours = {curve.name for curve in reader.read(run_id).curves}
        assert {curve.name for curve in logs.read(run_id).curves} == ours
        assert any("/" in name for name in ours)


def test_a_sample_is_told(tmp_path):
    """A curve of which TensorBoard kept a thousand points is judged, and the note says on what."""
    eventlogs.write(tmp_path / "long", eventlogs.curve("train/loss", 2 * np.exp(-np.linspace(0, 5, 3000))))
    logs = provided(tmp_path)
    logs.scan()
    run = logs.read("long")
    assert [len(curve.steps) for curve in run.curves] == [1000]
    assert "judged on a sample: TensorBoard keeps 1,000 points" in run.notes[0]
    with pytest.raises(RunNotFoundError):
        logs.read("short")


# What is kept.


def test_the_verdicts_are_those_of_the_command_line():
    """In the order of the logs."""
    logdir = FRAMEWORKS / "torch" / "log"
    rows = judged(Board(LocalLogs(logdir), Judging()))
    told = {name: diagnosis.status for name, diagnosis in diagnose_logdir(logdir).items()}
    assert {row.run_id: row.status for row in rows} == told
    assert len(set(told.values())) > 1


def test_only_what_changed_is_judged_again(tmp_path, monkeypatch):
    """A run that grows is read again, the others are not; the list's version changes with it."""
    monkeypatch.setattr(boards, "SCAN_EVERY", 0.05)
    path = eventlogs.write(tmp_path / "grows", falling()[:10])
    eventlogs.write(tmp_path / "stays", falling())
    logs = CountedLogs(tmp_path)
    board = Board(logs, Judging())
    first = {row.run_id: row for row in judged(board)}
    version = board.listed().version
    time.sleep(0.3)
    assert board.listed().version == version
    append(path, falling()[10:])
    eventually(lambda: {row.run_id: row for row in board.listed().rows}["grows"], lambda row: row != first["grows"])
    assert logs.reads.count("stays") == 1
    assert logs.reads.count("grows") >= 2
    assert board.listed().version > version


def test_a_run_that_cannot_be_read_costs_the_others_nothing(tmp_path):
    """It is listed with the reason, and the reason is told where it is opened."""
    for name in "abc":
        eventlogs.write(tmp_path / name, falling())
    board = Board(CountedLogs(tmp_path, broken="b"), Judging())
    assert [row.status for row in judged(board)] == ["healthy", "unreadable", "healthy"]
    with pytest.raises(DiagnoseError, match="run b is broken"):
        board.whole("b", 5)
    with pytest.raises(KeyError):
        board.whole("d", 5)


def test_logs_that_fail_for_a_while_cost_no_verdict(tmp_path, monkeypatch):
    """What was judged stays, the trouble is told, and goes with its cause."""
    monkeypatch.setattr(boards, "SCAN_EVERY", 0.05)
    eventlogs.write(tmp_path / "a", falling())
    logs = FailingLogs(tmp_path)
    board = Board(logs, Judging())
    rows = judged(board)
    logs.fails = True
    assert eventually(board.listed, lambda listed: listed.trouble).rows == rows
    assert board.listed().trouble == "the server is away"
    logs.fails = False
    assert eventually(board.listed, lambda listed: not listed.trouble).rows == rows


def test_an_opened_run_comes_before_the_others(tmp_path):
    """The one somebody waits for is judged at once, whatever else is in line."""
    for number in range(60):
        eventlogs.write_bytes(tmp_path / f"{number:02}", [eventlogs.version(), *map(eventlogs.record, falling())])
    logs = CountedLogs(tmp_path)
    board = Board(logs, Judging())
    report, answer = board.whole("59", 30)
    assert report.run.run_id == json.loads(answer.body)["id"] == "59"
    assert logs.reads.index("59") < 10


def test_few_reports_are_kept_whole(tmp_path, monkeypatch):
    """Of runs that were opened long ago only the row stays; opened again, they are judged again."""
    monkeypatch.setattr(boards, "MOST_REPORTS", 2)
    for name in "abc":
        eventlogs.write(tmp_path / name, falling())
    logs = CountedLogs(tmp_path)
    board = Board(logs, Judging())
    judged(board)
    for name in "abca":
        assert board.whole(name, 30)[0].run.run_id == name
    assert logs.reads.count("a") >= 2


def test_nothing_is_done_where_nobody_looks(tmp_path, monkeypatch):
    """The thread ends, and the next look starts it again."""
    monkeypatch.setattr(boards, "LOOKING", 0.2)
    monkeypatch.setattr(boards, "SCAN_EVERY", 0.05)
    eventlogs.write(tmp_path / "a", falling())
    board = Board(LocalLogs(tmp_path), Judging())
    judged(board)
    eventually(lambda: board._thread, lambda thread: thread is None)  # noqa: SLF001 - it tells nobody else
    eventlogs.write(tmp_path / "b", falling())
    eventually(board.listed, lambda listed: len(listed.rows) == 2)


def test_the_config_file_of_the_logdir_holds(tmp_path, monkeypatch):
    """As it comes, changes and goes all runs are judged anew; a wrong one is told, and what held before it holds on."""
    monkeypatch.setattr(boards, "SCAN_EVERY", 0.05)
    t = np.linspace(0, 1, 60)
    rising = np.where(t < 0.4, 0.6 + 1.7 * np.exp(-9 * t), 0.65 + 0.8 * (t - 0.4).clip(0))
    train = eventlogs.curve("train/loss", 0.02 + 2 * np.exp(-6 * t))
    eventlogs.write(tmp_path / "a", [*train, *eventlogs.curve("mine", rising)])
    board = Board(LocalLogs(tmp_path), Judging([str(tmp_path)]))
    assert judged(board)[0].verdict != "Overfitting"
    config = tmp_path / "mlflow-diagnose.toml"
    config.write_text('[roles]\nmine = "val_loss"\n', "utf-8")
    eventually(board.listed, lambda listed: listed.rows[0].verdict == "Overfitting")
    told = json.loads(board.whole("a", 30)[1].body)
    assert told["config"] == str(config)
    assert told["role_lines"] == ["[roles]", '"train/loss" = "train_loss"']
    config.write_text('[roles]\nmine = "val_lost"\n', "utf-8")
    listed = eventually(board.listed, lambda listed: listed.trouble)
    assert listed.trouble.startswith("Still judged as before: the config file ")
    assert listed.rows[0].verdict == "Overfitting"
    config.unlink()
    eventually(board.listed, lambda listed: listed.rows[0].verdict != "Overfitting" and not listed.trouble)


# What the page gets.


def test_the_list_is_given_by_pages():
    """Filtered by words, by how runs stand; a page beyond the end is the last one, and nonsense counts as not given."""
    rows = [
        Row(f"sweep/{n:03}", "critical" if n % 2 else "healthy", "Overfitting" if n % 2 else "Fine") for n in range(130)
    ]
    first = page_of(rows, {})
    assert (first["total"], first["matching"], len(first["rows"]), first["offset"]) == (130, 130, 50, 0)
    assert first["counts"] == {"critical": 65, "healthy": 65}
    assert first["verdicts"] == [["Overfitting", 65, 0]]
    last = page_of(rows, {"offset": "5000", "limit": "50"})
    assert (last["offset"], len(last["rows"])) == (100, 30)
    found = page_of(rows, {"q": "OVERFIT 12", "status": "critical", "limit": "x", "offset": "-3"})
    assert [row["run_id"] for row in found["rows"]] == ["sweep/121", "sweep/123", "sweep/125", "sweep/127", "sweep/129"]
    worst = page_of(rows, {"sort": "worst", "limit": "100000000000"})["rows"]
    assert [row["status"] for row in worst] == ["critical"] * 50
    assert page_of([], {})["rows"] == []


@pytest.mark.parametrize("name", reports.SAMPLES)
def test_every_report_becomes_strict_json(name):
    """Also one of hostile names, NaN, halves of characters and 1,500 curves; a row's lines stay in their picture."""
    report = reports.SAMPLES[name]()
    answer = answer_of(report)
    told = json.loads(answer.body, parse_constant=pytest.fail)
    assert told["headline"]
    assert len(answer.body) < 200_000
    assert all(0 <= at <= 100 for line in row_of(report).lines for at in line.points)
    assert answer_of(report).tag == answer.tag
    for width in ("wide", "narrow"):
        svg = chart_of(report, answer, width)
        assert svg.startswith("<svg")
        assert not re.search(r"<(script|img|style)|#(?:1f2a37|0b66a8)", svg)


def test_the_page_is_all_served_and_writes_no_markup():
    """Each file of the page has its route; nothing in it makes elements from text or asks another machine."""
    assert {path.name for path in PAGE.iterdir()} == set(STATIC)
    for path in PAGE.iterdir():
        text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|https?:|@import", text)


def test_the_palette_is_the_reports():
    """What a colour means in the chart it means in the tab, in light and in dark."""
    light, dark = re.findall(
        r"^:root[^{]*\{(.*?)\n\}", (PAGE / "diagnose.css").read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    values = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", light))
    assert {name: values[name] for name in COLOURS} == COLOURS
    assert set(re.findall(r"--([\w-]+): #", dark)) == set(values)
