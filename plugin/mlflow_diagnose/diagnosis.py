"""What the Python API gives back: a report, with the views people want in a notebook."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pandas as pd

from curve_analyzers.experiment.findings import ExperimentReport
from curve_analyzers.findings import Finding, Report
from mlflow_diagnose.language import ENGLISH, speaking

__all__ = ["Diagnoses", "Diagnosis"]


@dataclass(frozen=True, repr=False)
class Diagnosis:
    """The diagnosis of a run.

    Attributes:
        report: All of it.
        lang: The language a notebook shows it in.
    """

    report: Report
    lang: str = ENGLISH

    def __repr__(self) -> str:
        main = self.report.main
        told = f" ({self.status}): {main.brief}" if main else ""
        return f"<Diagnosis of {self.report.run.name!r}: {self.verdict}{told}>"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from mlflow_diagnose.report.notebook import notebook_html  # noqa: PLC0415 - matplotlib, where it is shown

        with speaking(self.lang):
            return notebook_html(self.report)

    @property
    def verdict(self) -> str:
        """The root cause's rule, `healthy` or `insufficient_data`."""
        return self.report.verdict

    @property
    def status(self) -> str:
        """`critical`, `warning`, `healthy` or `insufficient_data`."""
        return self.report.status

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Causes first, each followed by its consequences."""
        return self.report.findings

    def to_frame(self) -> pd.DataFrame:
        """A row for each finding: rule, severity, confidence, first and last step, message, cause."""
        columns = ["rule", "severity", "confidence", "first_step", "last_step", "message", "consequence_of"]
        rows = [
            (f.rule, f.severity.word, f.confidence, f.span.first_step, f.span.last_step, f.message, f.consequence_of)
            for f in self.findings
        ]
        frame: pd.DataFrame = pd.DataFrame(rows, columns=columns)
        # A cause has none; pandas would make a NaN of that beside texts.
        frame["consequence_of"] = pd.Series([f.consequence_of for f in self.findings], dtype=object)
        return frame


class Diagnoses(Mapping[str, Diagnosis]):
    """The diagnoses of many runs, by run.

    Args:
        found: They.
        failures: Why a run could not be read, judged or written, by run.
        compared: What the runs show together.
    """

    def __init__(
        self, found: Mapping[str, Diagnosis], failures: Mapping[str, str], compared: ExperimentReport | None = None
    ) -> None:
        self._found = dict(found)
        self.failures = dict(failures)
        self.compared = compared

    def __getitem__(self, run_id: str) -> Diagnosis:
        return self._found[run_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def __repr__(self) -> str:
        return f"<Diagnoses of {len(self)} runs; {len(self.failures)} failed>"

    def to_frame(self) -> pd.DataFrame:
        """A row for each run: run_id, name, status, verdict, and what it rests on."""
        rows = [
            (
                run_id,
                each.report.run.name,
                each.status,
                each.verdict,
                each.report.main.brief if each.report.main else "",
            )
            for run_id, each in self.items()
        ]
        frame: pd.DataFrame = pd.DataFrame(rows, columns=["run_id", "name", "status", "verdict", "brief"])
        return frame
