"""The diagnosis beside the logs of its run, for TensorBoard's own tabs: as a text and as a picture."""

from __future__ import annotations

import io
import os
import socket
import struct
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import DATA_CLASS_BLOB_SEQUENCE, DATA_CLASS_TENSOR, Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_STRING
from tensorboard.plugins.image import metadata as image
from tensorboard.plugins.text import metadata as text
from tensorboard.summary.writer.record_writer import RecordWriter

from mlflow_diagnose.errors import WriteError
from mlflow_diagnose.readers.logdir import OURS
from mlflow_diagnose.report import words
from mlflow_diagnose.report.chart import chart_png
from mlflow_diagnose.text import as_markdown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from curve_analyzers.findings import Finding, Report

__all__ = ["TensorBoardSummary", "markdown_of"]

FOLDER = "diagnosis"  # below the run's own; TensorBoard shows it as a run of this name
EVENTS = "events.out.tfevents"
SIGNS = {True: "yes", False: "no", None: "unknown"}


class TensorBoardSummary:
    """Keeps one event file with the diagnosis below the directory of each run; touches no other file.

    Its name ends with `.mlflow-diagnose`, by which our own readers pass it over, and holds the diagnosis' fingerprint:
    one that is there already is not written again.

    Args:
        logdir: The logdir, a folder of this machine.
        force: Whether to write again what is unchanged.
    """

    def __init__(self, logdir: str | os.PathLike[str], *, force: bool = False) -> None:
        self.logdir, self.force = Path(logdir), force

    def folder(self, run_id: str) -> Path:
        """Where the diagnosis of a run goes; of one of several processes in one directory, below the process' name."""
        whole = self.logdir / run_id
        directory, mark, process = run_id.rpartition("#")
        if mark and not whole.is_dir():
            return self.logdir / directory / FOLDER / process
        return whole / FOLDER

    def write(self, report: Report) -> None:
        """Write the text and the picture, in place of those written before.

        Raises:
            WriteError: They could not be written, or something else is where they belong.
        """
        folder, name = self.folder(report.run.run_id), report.run.run_id
        # Whole or not at all: TensorBoard takes no file without `tfevents` in its name.
        unfinished = folder / f".unfinished{OURS}"
        try:
            there = [path for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []
            if others := sorted(path.name for path in there if not path.name.endswith(OURS)):
                raise WriteError(f"{folder} is not ours, it holds {others[0]}: the summary of {name!r} was not written")
            ending = f".{report.fingerprint}{OURS}"
            if len(there) == 1 and there[0].name.endswith(ending) and not self.force:
                return
            folder.mkdir(parents=True, exist_ok=True)
            unfinished.write_bytes(_records(report))
            # TensorBoard goes from file to file in the order of their names.
            began = max([int(time.time()), *(_time(path) + 1 for path in there)])
            unfinished.replace(folder / f"{EVENTS}.{began}.{socket.gethostname()}.{os.getpid()}.0{ending}")
            for path in there:
                path.unlink(missing_ok=True)
        except OSError as error:
            if folder.is_dir():
                unfinished.unlink(missing_ok=True)
            raise WriteError(f"the summary of {name!r} could not be written: {error}") from error


def markdown_of(report: Report) -> str:
    """A diagnosis in Markdown; what comes from the log is escaped."""
    run = as_markdown(words.plain(report.run.name, 120))
    lines = [
        f"## {as_markdown(words.headline(report))}",
        "",
        as_markdown(words.verdict(report)),
        "",
        f"Run **{run}**",
        "",
    ]
    if report.status == "insufficient_data":
        lines += [f"**Try this first:** {as_markdown(words.LOG_MORE)}", ""]
    for name, sign in report.vital_signs.items():
        question = words.sign(name)
        lines.append(f"- {as_markdown(question)} **{SIGNS[sign.value]}**: {as_markdown(words.plain(sign.because))}")
    for cause in words.causes(report):
        lines += ["", f"### {as_markdown(words.heading(cause.finding.rule))}", "", *_finding(cause.finding)]
        for effect in cause.consequences:
            told = as_markdown(words.plain(effect.brief))
            lines += ["", f"and so **{as_markdown(words.title(effect.rule))}** ({effect.severity.word}): {told}"]
    if left := words.not_checked(report):
        lines += ["", f"### Not checked: {words.count(len(report.not_checked), 'rule')}", ""]
        lines += [f"- {as_markdown(reason)}: {as_markdown(words.names(outcomes))}" for reason, outcomes in left]
    return "\n".join(lines) + "\n"


def _finding(finding: Finding) -> Iterator[str]:
    yield f"**{finding.severity.word}**, {words.steps(finding.span)}, {words.confidence(finding)}"
    yield f"\n{as_markdown(words.plain(finding.message))}\n"
    if finding.remedies:
        yield "**What to try first**\n"
        yield from (f"{place}. {as_markdown(words.plain(each))}" for place, each in enumerate(finding.remedies, 1))
    if finding.evidence:
        yield "\n| the numbers | |\n|---|---|"
        for name, value in finding.evidence.items():
            yield f"| {as_markdown(words.title(name))} | {as_markdown(words.number(value))} |"


def _records(report: Report) -> bytes:
    """An event file with the diagnosis at the last step of the run."""
    step = max((int(curve.steps[-1]) for curve in report.run.curves.values() if len(curve)), default=0)
    now = time.time()
    written = Summary.Value(
        tag=FOLDER,
        metadata=_metadata(text.create_summary_metadata("", "what is wrong with this run"), DATA_CLASS_TENSOR),
        tensor=_strings([markdown_of(report).encode("utf-8", "replace")], shape=[]),
    )
    png = chart_png(report)
    width, height = struct.unpack(">II", png[16:24])  # of its header
    drawn = Summary.Value(
        tag=f"{FOLDER}/curves",
        metadata=_metadata(
            image.create_summary_metadata("", "the curves and where each finding was seen"), DATA_CLASS_BLOB_SEQUENCE
        ),
        tensor=_strings([str(width).encode(), str(height).encode(), png], shape=[3]),
    )
    buffer = io.BytesIO()
    writer = RecordWriter(buffer)
    writer.write(Event(wall_time=now, file_version="brain.Event:2").SerializeToString())
    for value in (written, drawn):
        writer.write(Event(wall_time=now, step=step, summary=Summary(value=[value])).SerializeToString())
    return buffer.getvalue()


def _metadata(metadata: SummaryMetadata, kind: int) -> SummaryMetadata:
    metadata.data_class = kind
    return metadata


def _strings(values: Iterable[bytes], *, shape: list[int]) -> TensorProto:
    sizes = [TensorShapeProto.Dim(size=size) for size in shape]
    return TensorProto(dtype=DT_STRING, string_val=list(values), tensor_shape=TensorShapeProto(dim=sizes))


def _time(path: Path) -> int:
    """The seconds in the name of a file of ours."""
    told = path.name.removeprefix(f"{EVENTS}.").partition(".")[0]
    return int(told) if told.isdigit() else 0
