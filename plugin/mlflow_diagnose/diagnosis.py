"""What the Python API gives back: a report, with the views people want in a notebook."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from curve_analyzers.findings import Finding, Report

__all__ = ["Diagnosis"]


@dataclass(frozen=True, repr=False)
class Diagnosis:
    """The diagnosis of a run.

    Attributes:
        report: All of it.
    """

    report: Report

    def __repr__(self) -> str:
        main = self.report.main
        told = f" ({self.status}): {main.brief}" if main else ""
        return f"<Diagnosis of {self.report.run.name!r}: {self.verdict}{told}>"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from mlflow_diagnose.report.notebook import notebook_html  # noqa: PLC0415 - matplotlib, where it is shown

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
        return frame
