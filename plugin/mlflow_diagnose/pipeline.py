"""One run from its store to its report, and the report back to where people look."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from curve_analyzers.engine import diagnose
from curve_analyzers.settle import prepare
from mlflow_diagnose.errors import BadInputError, DiagnoseError, NotAllowedError, WriteError
from mlflow_diagnose.language import ENGLISH, speaking
from mlflow_diagnose.patience import may_pass

if TYPE_CHECKING:
    import os

    from curve_analyzers.findings import Report
    from curve_analyzers.model import RawRun
    from mlflow_diagnose.config import Settings
    from mlflow_diagnose.readers import Reader

__all__ = ["WriteBack", "judge", "judge_raw", "take_out", "take_out_of_experiment", "write_back", "write_summary"]

MOST_NAMED = 20  # curves that an error lists


def judge(reader: Reader, run_id: str, settings: Settings) -> Report:
    """Read a run and judge it.

    Raises:
        RunNotFoundError: The store has no such run.
        ReadError: The run could not be read.
        BadInputError: There is no such store, or as of `judge_raw`.
    """
    return judge_raw(reader.read(run_id), settings)


def judge_raw(raw: RawRun | DiagnoseError, settings: Settings) -> Report:
    """Judge a run as `read_many` gave it.

    Curves that the role map names and the run does not have are no error, as a map is written for many runs; but of
    `settings.expected` it must have one.

    Raises:
        DiagnoseError: The run could not be read.
        BadInputError: The run has none of the expected curves, or two mapped to one role.
    """
    if isinstance(raw, DiagnoseError):
        raise raw
    run_id = raw.run_id
    names = [curve.name for curve in raw.curves if len(curve.values)]
    known = {name: role for name, role in settings.role_map.items() if name in names}
    if settings.expected and settings.expected.isdisjoint(names):
        wanted = ", ".join(map(repr, sorted(settings.expected)))
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        raise BadInputError(
            f"run {run_id!r} has no curve {wanted} to map; "
            f"it has {', '.join(map(repr, names[:MOST_NAMED])) or 'none'}{more}"
        )
    try:
        run = prepare(raw, known)
    except ValueError as error:
        raise BadInputError(f"run {run_id!r}: {error}") from error
    return diagnose(run, settings.rules)


class WriteBack:
    """Writes reports back to the MLflow runs of one store.

    Args:
        tracking_uri: The store's; None for the one MLflow itself would use.
        artifact_dir: Where the artifacts go of a run whose own place is on another machine.
        force: Write even what is unchanged.
        note: Add a section to the run's description.
        artifacts: Whether to draw and write the artifacts, which takes most of the time; else the tags alone.
    """

    def __init__(
        self,
        tracking_uri: str | None,
        *,
        artifact_dir: str | os.PathLike[str] | None = None,
        force: bool = False,
        note: bool = False,
        artifacts: bool = True,
    ) -> None:
        from mlflow_diagnose.writers.mlflow_artifacts import MlflowArtifacts  # noqa: PLC0415 - seconds to import
        from mlflow_diagnose.writers.mlflow_tags import MlflowTags  # noqa: PLC0415 - the same

        self.force, self.whole = force, artifacts
        self._tags = MlflowTags(tracking_uri, note=note)
        self._artifacts = MlflowArtifacts(tracking_uri, artifact_dir=artifact_dir)

    def __call__(self, report: Report) -> bool:
        """Write the tags and artifacts of a report to its run, unless they stand there already.

        The tags come last and in one request: a run whose diagnosis was interrupted still has those it had.

        Returns:
            Whether the report was not there yet.

        Raises:
            RunNotFoundError: The store has no such run.
            WriteError: Something could not be written. What could be was.
        """
        run = self._tags.store.writable_run(report.run.run_id)
        is_new = self.force or not self._tags.is_current(report, run, whole=self.whole)
        failed: WriteError | None = None
        if is_new and self.whole:
            try:
                self._artifacts.write(report, _files(report), run)
            except NotAllowedError:
                raise
            except WriteError as error:
                if may_pass(error):
                    raise
                # Without a fingerprint the run counts as unfinished, and the next call tries the artifacts again.
                failed, report = error, replace(report, fingerprint="")
        if is_new or not self._tags.is_noted(report, run):
            self._tags.write(report, run, whole=self.whole)
        if failed:
            raise failed
        return is_new


def write_back(
    report: Report,
    tracking_uri: str | None,
    *,
    artifact_dir: str | os.PathLike[str] | None = None,
    force: bool = False,
    note: bool = False,
) -> bool:
    """Write a report to its MLflow run, as `WriteBack` does for many."""
    return WriteBack(tracking_uri, artifact_dir=artifact_dir, force=force, note=note)(report)


def write_summary(report: Report, logdir: str | os.PathLike[str], *, force: bool = False) -> None:
    """Write a report beside the logs of its run, unless it stands there already.

    Args:
        report: The report.
        logdir: The logdir its run is in, a folder of this machine.
        force: Write even what is unchanged.

    Raises:
        WriteError: It could not be written.
    """
    from mlflow_diagnose.writers.tensorboard_summary import TensorBoardSummary  # noqa: PLC0415 - slow to import

    with speaking(ENGLISH):  # whoever looks at the logdir shares it
        TensorBoardSummary(logdir, force=force).write(report)


def take_out(run_id: str, tracking_uri: str | None) -> tuple[list[str], list[str]]:
    """Take the diagnosis out of an MLflow run.

    Args:
        run_id: The run.
        tracking_uri: Its store's; None for the one MLflow itself would use.

    Returns:
        The keys of the tags that held it, and the artifacts that remain, as MLflow's client cannot delete any.

    Raises:
        RunNotFoundError: The store has no such run.
        WriteError: The tags could not be removed.
        ReadError: The artifacts could not be listed.
    """
    from mlflow_diagnose.writers.mlflow_artifacts import MlflowArtifacts  # noqa: PLC0415 - seconds to import
    from mlflow_diagnose.writers.mlflow_tags import MlflowTags  # noqa: PLC0415 - the same

    gone = MlflowTags(tracking_uri).clear(run_id)
    return gone, MlflowArtifacts(tracking_uri).left_behind(run_id)


def take_out_of_experiment(experiment: str, tracking_uri: str | None) -> tuple[list[str], tuple[str, ...]]:
    """Take what many runs show out of an MLflow experiment; its runs keep what is theirs.

    Args:
        experiment: Its name, or its id.
        tracking_uri: Its store's; None for the one MLflow itself would use.

    Returns:
        The keys of the experiment's tags that held it, and its runs.

    Raises:
        BadInputError: The store has no such experiment.
        WriteError: The tags could not be removed.
        ReadError: The runs could not be listed.
    """
    from mlflow_diagnose.writers.mlflow_experiment import MlflowExperimentTags  # noqa: PLC0415 - seconds to import
    from mlflow_diagnose.writers.mlflow_page import MlflowExperimentPage  # noqa: PLC0415 - the same

    tags = MlflowExperimentTags(tracking_uri)
    MlflowExperimentPage(tracking_uri).clear(experiment)
    return tags.clear(experiment), tuple(tags.run_ids(experiment))


def _files(report: Report) -> dict[str, bytes]:
    from mlflow_diagnose.report.chart import chart_png  # noqa: PLC0415 - matplotlib is slow to import
    from mlflow_diagnose.report.page import page  # noqa: PLC0415 - the same
    from mlflow_diagnose.writers.json_ import to_text  # noqa: PLC0415 - the same

    with speaking(ENGLISH):  # its one font has the letters of few languages
        picture = chart_png(report)
    return {
        "report.html": page(report).encode(),
        "curves.png": picture,
        "findings.json": to_text([report]).encode(),
    }
