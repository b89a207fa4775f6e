"""An MLflow run as every reader of MLflow hands it on, however it was stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from curve_analyzers.model import RawRun
from curve_analyzers.saying import say
from mlflow_diagnose.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from curve_analyzers.model import RawCurve

__all__ = ["DELETED", "PAGE", "no_experiment", "tracked_run"]

DELETED = say("the run is deleted in MLflow, so nothing can be written to it")
NOT_THE_USERS = ("mlflow.", "diagnose.")
PAGE = "diagnose.page"  # on the run of ours that holds the page of its experiment, and is no training run
PARENT = "mlflow.parentRunId"  # what makes a run the child of a sweep is kept


def tracked_run(
    run_id: str,
    name: str,
    curves: Sequence[RawCurve],
    params: Mapping[str, str],
    tags: Mapping[str, str],
    *,
    status: str,
    deleted: bool,
    notes: Sequence[str] = (),
    experiment_id: str = "",
) -> RawRun:
    """A run without the tags that MLflow and we write, but for its parent's, and with a note where it is deleted.

    Args:
        run_id: What names it in its store.
        name: What people call it; empty for its id.
        curves: Its metrics.
        params: Its params.
        tags: All its tags.
        status: MLflow's word for its state.
        deleted: Whether it is deleted, and MLflow refuses to write to it.
        notes: What had to be left out or repaired.
        experiment_id: The experiment it belongs to, for a link to it.
    """
    return RawRun(
        source="mlflow",
        run_id=run_id,
        name=name or run_id,
        curves=curves,
        params=dict(params),
        tags={key: text for key, text in tags.items() if key in {PARENT, PAGE} or not key.startswith(NOT_THE_USERS)},
        status=status,
        notes=(*([DELETED] if deleted else []), *notes),
        experiment_id=experiment_id,
    )


def no_experiment(shown: str, name: str) -> BadInputError:
    """That a store has no experiment of a name."""
    return BadInputError(f"MLflow at {shown} has no experiment {name!r}")
