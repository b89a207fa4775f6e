"""One call of the command line: what is asked for together, and what is done for it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, cast

import click

from mlflow_diagnose import printing
from mlflow_diagnose.config import found_config, load_settings
from mlflow_diagnose.engines import Engine
from mlflow_diagnose.errors import BadInputError, DiagnoseError
from mlflow_diagnose.extensions import writer_for
from mlflow_diagnose.many import Runs
from mlflow_diagnose.work import Job, Worker

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from curve_analyzers.findings import Report
    from mlflow_diagnose.comparison import Comparison
    from mlflow_diagnose.failures import Failures
    from mlflow_diagnose.importing import Importer
    from mlflow_diagnose.readers.tensorboard import TensorBoardReader
    from mlflow_diagnose.report.rows import Row

__all__ = ["Call"]


@dataclass
class Call:
    """What was asked for, checked against itself.

    Attributes:
        failures: Takes the runs that fail.
        run_ids: The runs; all of the experiment's or the logdir's where there are none.
        tracking_uri: As of `Job`.
        logdir: As of `Job`.
        experiment: All runs of this experiment.
        search: Of these, the ones that MLflow's search finds.
        to_experiment: Where the runs of the logdir are imported.
        summary: As of `Job`.
        event_files: As of `Job`.
        send_to: As of `Job`.
        watch: Seconds between two looks; None to look once.
        verify: As of `Job`.
        write: Whether to write back to MLflow.
        artifacts: As of `Job`.
        engine: Who works on many runs, perhaps with an address.
        jobs: How many do.
        form: `text`, `json`, `markdown` or `html`.
        output: Where it is printed; None for stdout.
        artifact_dir: As of `Job`.
        force: As of `Job`.
        note: As of `Job`.
        kpi: The user's own metric, by which the runs of an experiment or a logdir are compared too.
        params: What a param of theirs means, by its name.
        judged: How many runs were judged.

    Raises:
        BadInputError: Parts of it contradict each other.
    """

    failures: Failures
    run_ids: Sequence[str] = ()
    tracking_uri: str | None = None
    logdir: str | None = None
    experiment: str | None = None
    search: str | None = None
    to_experiment: str | None = None
    summary: bool = False
    event_files: bool = False
    send_to: Sequence[str] = ()
    watch: float | None = None
    verify: bool = False
    write: bool = True
    artifacts: bool = True
    engine: str = "local"
    jobs: int | None = None
    form: str = "text"
    output: Path | None = None
    artifact_dir: Path | None = None
    force: bool = False
    note: bool = False
    kpi: str | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    judged: int = 0

    def __post_init__(self) -> None:
        if not self.run_ids and self.logdir is None and self.experiment is None:
            raise BadInputError("name a run, an experiment, or a TensorBoard logdir with --logdir; --help shows how")
        if self.logdir is not None and self.experiment is not None:
            raise BadInputError("--experiment is for MLflow runs: --to-experiment imports those of a logdir into one")
        if (self.kpi or self.params) and self.logdir is None and self.experiment is None:
            raise BadInputError("--kpi and --param compare the runs of an --experiment or a --logdir: name one")
        force = self.force and not self.summary
        if self.logdir is not None and not self.to_experiment and (self.tracking_uri or self.note or force):
            raise BadInputError("--logdir judges event files; --tracking-uri, --note and --force are for MLflow runs")
        if self.experiment is not None and self.run_ids:
            raise BadInputError("--experiment takes all its runs: name runs, or the experiment, not both")
        if self.search and self.experiment is None:
            raise BadInputError("--filter finds runs of an experiment: name it with --experiment")
        if self.to_experiment and (self.logdir is None or not self.write):
            raise BadInputError("--to-experiment imports the runs of a --logdir, and so writes to MLflow")
        if self.summary and (self.logdir is None or "://" in self.logdir or not self.write):
            raise BadInputError(
                "--summary writes beside the logs of a --logdir of this machine, and not with --no-write"
            )
        if self.watch and (self.form not in {"text", "json"} or (self.logdir is not None and "://" in self.logdir)):
            raise BadInputError("--watch prints text or JSON, of MLflow runs or of a logdir on this machine")

    def run(
        self, config: Path | None, *, select: Sequence[str], ignore: Sequence[str], role_map: Mapping[str, str]
    ) -> set[str]:
        """Do it; the severities of what was found.

        Raises:
            DiagnoseError: Nothing could be done.
        """
        if config is None:
            local = [] if self.logdir is None or "://" in self.logdir else [Path(self.logdir)]
            config = found_config(*local, Path())
            if config and self.form == "text":
                click.echo(f"judging by {config}", err=True)
        job = Job(
            tracking_uri=self.tracking_uri,
            logdir=self.logdir,
            verify=self.verify,
            settings=load_settings(
                config, select=select, ignore=ignore, role_map=role_map, kpi=self.kpi, params=self.params
            ),
            write=self.write and self.logdir is None,
            artifacts=self.artifacts,
            artifact_dir=None if self.artifact_dir is None else str(self.artifact_dir.absolute()),
            force=self.force,
            note=self.note,
            summary=self.summary,
            event_files=self.event_files,
            send_to=tuple(self.send_to),
        )
        for text in self.send_to:
            writer_for(text)  # that there is none is told before any run is read
        runs = Runs(job, Engine.of(self.engine, self.jobs), self.failures)
        if self.watch:
            return self._watched(runs, self.watch)
        chosen = runs.chosen(self.run_ids, self.experiment, self.search)
        if self.to_experiment:
            runs, chosen = self._imported(runs, chosen)
        # Opened before any run is read: that it cannot be written is told at once.
        with printing.opened(self.output) as file:
            self._print(runs, chosen, file)
        self.judged = runs.counts.judged
        return runs.counts.severities

    def _print(self, runs: Runs, chosen: Sequence[str], file: TextIO) -> None:
        """Do all runs, and print them as they come."""
        many = len(chosen) > printing.REPORTS_UP_TO
        comparison = self._comparison(runs, chosen)
        rows: list[Row] | None = [] if comparison and comparison.experiment and runs.job.artifacts else None
        if (self.form == "text" and many) or (self.form == "html" and len(chosen) > 1) or rows is not None:
            uri = runs.job.tracking_uri or ""
            runs.job = replace(runs.job, views={**runs.job.views, "row": partial(printing.linked_row, uri)})
        if not (self.form == "text" and many) and (self.form != "json" or printing.in_actions()):
            runs.job = replace(runs.job, points=True)  # they are drawn
        # A bar and what is printed run by run would run into each other on one terminal.
        judged = runs.judged(chosen, progress=(self.form == "text" and many) or not file.isatty())
        judged = judged if rows is None else _kept(judged, rows)
        reports = (report for report, _ in judged)
        if self.form == "json":
            printing.print_json(reports, self.failures.lines, file, comparison)
        elif self.form == "html":
            printing.print_html(judged, file, title=self.experiment or self.logdir or "", comparison=comparison)
        elif self.form == "markdown":
            printing.print_markdown(printing.told_to_github(reports), file)
        elif many:
            printing.print_table(judged, file, runs.counts)
        else:
            printing.print_text(printing.told_to_github(reports), file)
        if comparison:
            with self.failures.aside(f"experiment {comparison.experiment}"):
                comparison.write()
            if rows:
                with self.failures.aside(f"experiment {comparison.experiment}"):
                    comparison.write_page(rows)
            if self.form == "text":
                printing.print_comparison(comparison, file)

    def _comparison(self, runs: Runs, chosen: Sequence[str]) -> Comparison | None:
        """What will become of comparing the runs, where they are the runs of one place and more than one."""
        if len(chosen) < 2 or (self.experiment is None and self.logdir is None):  # noqa: PLR2004 - one beside another
            return None
        from mlflow_diagnose.comparison import Comparison  # noqa: PLC0415 - for many runs

        place = self.experiment or self.to_experiment
        return Comparison(runs, experiment=place if runs.job.write else None)

    def _importer(self, runs: Runs) -> Importer:
        from mlflow_diagnose.importing import Importer  # noqa: PLC0415 - MLflow
        from mlflow_diagnose.readers.tracking.uri import default_tracking_uri, shown  # noqa: PLC0415 - the same

        logdir = str(self.logdir)
        place = shown(logdir) if "://" in logdir else str(Path(logdir).resolve())
        uri = self.tracking_uri or default_tracking_uri()
        return runs.patience.trying(lambda: Importer(uri, str(self.to_experiment), place))

    def _imported(self, runs: Runs, chosen: Sequence[str]) -> tuple[Runs, list[str]]:
        """The runs of the logdir as runs of MLflow, whose diagnosis is written there."""
        importer, found = self._importer(runs), []
        for run_id, raw in zip(chosen, runs.reader.read_many(chosen), strict=True):
            with self.failures.aside(run_id):
                if isinstance(raw, DiagnoseError):
                    raise raw
                found.append(runs.patience.trying(lambda raw=raw: importer.take(raw)))  # type: ignore[misc] # as it is now
        job = replace(runs.job, tracking_uri=importer.tracking_uri, logdir=None, write=True)
        return Runs(job, runs.engine, self.failures), found

    def _watched(self, runs: Runs, seconds: float) -> set[str]:
        """Follow the runs until the program is asked to end."""
        from mlflow_diagnose.watching import LogdirChanges, TrackingChanges, Watch, stopping  # noqa: PLC0415 - for this alone

        severities: set[str] = set()
        with printing.opened(self.output) as file, stopping() as stop:

            def show(report: Report) -> None:
                self.judged += 1
                severities.update(finding.severity.word for finding in report.findings)
                printing.print_line(report, file, as_json=self.form == "json")

            if self.logdir is None:
                worker = Worker(runs.job, runs.reader)
                changes = TrackingChanges(worker, lambda: runs.chosen(self.run_ids, self.experiment, self.search))
                watch = Watch(worker, changes, self.failures, show)
            else:
                importer = self._importer(runs) if self.to_experiment else None
                job = runs.job
                if importer:
                    job = replace(job, tracking_uri=importer.tracking_uri, logdir=None, write=True)
                watch = Watch(
                    Worker(job), LogdirChanges(cast("TensorBoardReader", runs.reader), importer), self.failures, show
                )
            watch.follow(seconds, stop)
        return severities


def _kept(
    judged: Iterator[tuple[Report, Mapping[str, Any]]], rows: list[Row]
) -> Iterator[tuple[Report, Mapping[str, Any]]]:
    """The same, and of each run its row in a list."""
    for report, views in judged:
        rows.append(views["row"])
        yield report, views
