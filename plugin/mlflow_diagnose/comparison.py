"""The runs of one call beside each other, once all of them are judged, and what that shows written back."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from curve_analyzers.experiment.engine import compare
from curve_analyzers.experiment.summary import summarize
from mlflow_diagnose.many import SUMMARY, Runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from curve_analyzers.experiment.findings import ExperimentReport
    from mlflow_diagnose.report.rows import Row

__all__ = ["Comparison"]


class Comparison:
    """What the runs of a call show together; they are summarized one by one where they are judged.

    Args:
        runs: The runs, before any of them is judged.
        experiment: The experiment, by name or id, that gets the findings as tags and its runs their ranks; None to
            write nothing.
    """

    def __init__(self, runs: Runs, *, experiment: str | None) -> None:
        self.runs, self.experiment = runs, experiment
        runs.job = replace(runs.job, views={**runs.job.views, SUMMARY: summarize})

    @cached_property
    def report(self) -> ExperimentReport:
        """What they show, to be asked for when all of them are judged."""
        settings = self.runs.job.settings
        return compare(self.runs.summaries, settings.experiment_rules, kpi=settings.kpi, params=settings.params)

    def write(self) -> None:
        """Count the findings among those of the call, and write them to the experiment.

        Raises:
            WriteError: They could not be written.
        """
        self.runs.counts.severities |= {finding.severity.word for finding in self.report.findings}
        if self.experiment is None:
            return
        from mlflow_diagnose.writers.mlflow_experiment import MlflowExperimentTags  # noqa: PLC0415 - seconds to import

        writer, experiment = MlflowExperimentTags(self.runs.job.tracking_uri), self.experiment
        self.runs.patience.trying(lambda: writer.write(experiment, self.report, self.runs.everywhere))

    def write_page(self, rows: Sequence[Row]) -> None:
        """Keep the page of the runs as an artifact of a run of ours in the experiment.

        Raises:
            WriteError: It could not be written.
        """
        if self.experiment is None:
            return
        from mlflow_diagnose.report.experiment import experiment_page  # noqa: PLC0415 - for experiments alone
        from mlflow_diagnose.writers.mlflow_page import MlflowExperimentPage  # noqa: PLC0415 - seconds to import

        writer, experiment = MlflowExperimentPage(self.runs.job.tracking_uri), self.experiment
        html = experiment_page(rows, self.report.findings, experiment)
        self.runs.patience.trying(lambda: writer.write(experiment, html))
