"""One run from its store to its report, and the report back to where people look."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from curve_analyzers.engine import diagnose
from curve_analyzers.settle import prepare
from mlflow_diagnose.errors import BadInputError, WriteError

if TYPE_CHECKING:
    from curve_analyzers.model import Report
    from mlflow_diagnose.config import Settings
    from mlflow_diagnose.readers import Reader

__all__ = ["judge", "write_back"]


def judge(reader: Reader, run_id: str, settings: Settings) -> Report:
    """Read a run and judge it.

    Curves that the role map names and the run does not have are no error as long as it has one of them: a map is
    written for many runs.

    Raises:
        RunNotFoundError: The store has no such run.
        ReadError: The run could not be read.
        BadInputError: The run has no curve that the role map names.
    """
    raw = reader.read(run_id)
    names = [curve.name for curve in raw.curves]
    known = {name: role for name, role in settings.role_map.items() if name in names}
    if settings.role_map and not known:
        wanted = ", ".join(map(repr, settings.role_map))
        raise BadInputError(
            f"run {run_id!r} has no curve {wanted} to map; it has {', '.join(map(repr, names[:20])) or 'none'}"
        )
    return diagnose(prepare(raw, known), settings.rules)


def write_back(report: Report, tracking_uri: str | None, *, force: bool = False, note: bool = False) -> bool:
    """Write the tags and artifacts of a report to its MLflow run, unless they stand there already.

    Args:
        report: The report.
        tracking_uri: The store's; None for the one MLflow itself would use.
        force: Write even what is unchanged.
        note: Add a section to the run's description.

    Returns:
        Whether anything had to be written.

    Raises:
        WriteError: Something could not be written. What could be was.
    """
    from mlflow_diagnose.writers.mlflow_artifacts import MlflowArtifacts  # noqa: PLC0415 - seconds to import
    from mlflow_diagnose.writers.mlflow_tags import MlflowTags  # noqa: PLC0415 - the same

    tags = MlflowTags(tracking_uri, note=note)
    if not force and tags.is_current(report.run.run_id, report.fingerprint):
        return False
    failed: WriteError | None = None
    try:
        MlflowArtifacts(tracking_uri).write(report, _files(report))
    except WriteError as error:
        # Without a fingerprint the run counts as unfinished, and the next call tries the artifacts again.
        failed, report = error, replace(report, fingerprint="")
    tags.write(report)
    if failed:
        raise failed
    return True


def _files(report: Report) -> dict[str, bytes]:
    from mlflow_diagnose.report.chart import chart_png  # noqa: PLC0415 - matplotlib is slow to import
    from mlflow_diagnose.report.page import page  # noqa: PLC0415 - the same
    from mlflow_diagnose.writers.json_ import to_text  # noqa: PLC0415 - the same

    return {
        "report.html": page(report).encode(),
        "curves.png": chart_png(report),
        "findings.json": to_text([report]).encode(),
    }
