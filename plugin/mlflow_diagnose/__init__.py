"""The diagnosis of training runs, from Python: `diagnose(run_id)`, `diagnose_logdir(folder)`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from curve_analyzers import __version__

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from mlflow_diagnose.diagnosis import Diagnosis

__all__ = ["__version__", "diagnose", "diagnose_logdir"]


def diagnose(
    run_id: str,
    *,
    tracking_uri: str | None = None,
    role_map: Mapping[str, str] | None = None,
    write: bool = False,
) -> Diagnosis:
    """Judge an MLflow run.

    Args:
        run_id: The run.
        tracking_uri: Its store or server; None for the one MLflow itself would use.
        role_map: What a curve is, where its name does not say so: `{"my_metric": "val_loss"}`.
        write: Whether to write tags and artifacts back to the run.

    Raises:
        RunNotFoundError: The store has no such run.
        BadInputError: There is no store at the tracking URI, or the role map is wrong.
        ReadError: The run could not be read.
        WriteError: The diagnosis could not be written.
    """
    # The parts that need numpy and MLflow are imported when they are used: the command line imports this package.
    from mlflow_diagnose.config import load_settings  # noqa: PLC0415 - see above
    from mlflow_diagnose.diagnosis import Diagnosis  # noqa: PLC0415 - see above
    from mlflow_diagnose.pipeline import judge, write_back  # noqa: PLC0415 - see above
    from mlflow_diagnose.readers import open_source  # noqa: PLC0415 - see above

    report = judge(open_source(tracking_uri), run_id, load_settings(role_map=role_map))
    if write:
        write_back(report, tracking_uri)
    return Diagnosis(report)


def diagnose_logdir(
    logdir: str | os.PathLike[str], *, role_map: Mapping[str, str] | None = None
) -> dict[str, Diagnosis]:
    """Judge every run under a TensorBoard logdir, by its name there.

    Raises:
        BadInputError: The folder does not exist or holds no event file, or the role map is wrong.
        ReadError: A run could not be read.
    """
    from mlflow_diagnose.config import load_settings  # noqa: PLC0415 - as above
    from mlflow_diagnose.diagnosis import Diagnosis  # noqa: PLC0415 - as above
    from mlflow_diagnose.pipeline import judge  # noqa: PLC0415 - as above
    from mlflow_diagnose.readers import open_source  # noqa: PLC0415 - as above

    reader, settings = open_source(logdir=logdir), load_settings(role_map=role_map)
    return {run_id: Diagnosis(judge(reader, run_id, settings)) for run_id in reader.run_ids()}
