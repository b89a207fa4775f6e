"""The page of many runs as an artifact of a run of our own in their experiment, which is not one of them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from mlflow_diagnose.readers.tracking.tracked import PAGE
from mlflow_diagnose.writers.mlflow_artifacts import MlflowArtifacts
from mlflow_diagnose.writers.mlflow_experiment import MlflowExperimentTags

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

__all__ = ["FILE", "RUN_NAME", "MlflowExperimentPage"]

FILE = "experiment.html"
RUN_NAME = "diagnosis"
NOTE = "mlflow.note.content"
TOLD = (
    "The diagnosis of this experiment's runs by mlflow-diagnose: see the artifact diagnosis/experiment.html. It is no "
    "training run, is never judged itself, and may be deleted."
)


class MlflowExperimentPage:
    """Keeps one run named `diagnosis` in an experiment, whose artifact the page is.

    Args:
        tracking_uri: None for the one MLflow itself would use.
    """

    def __init__(self, tracking_uri: str | None = None) -> None:
        self.tags = MlflowExperimentTags(tracking_uri)
        self.artifacts = MlflowArtifacts(tracking_uri)

    def write(self, experiment: str, html: str) -> bool:
        """Make the page of an experiment this one; the run is made where there is none.

        Args:
            experiment: Its name, or its id.
            html: The page.

        Returns:
            Whether it was another one before.

        Raises:
            BadInputError: The store has no such experiment.
            WriteError: It could not be written.
        """
        content = html.encode("utf-8", "replace")
        digest = hashlib.sha256(content).hexdigest()
        with self.tags.store.writing(f"the page of experiment {experiment!r} could not be written") as client:
            experiment_id = self.tags.found(client, experiment).experiment_id
            run = _kept(client, experiment_id)
            if run is not None and run.data.tags[PAGE] == digest:
                return False
            if run is None:
                # Not current before the artifact is there: an interrupted call is made up for by the next.
                run = client.create_run(experiment_id, run_name=RUN_NAME, tags={PAGE: "not yet", NOTE: TOLD})
                client.set_terminated(run.info.run_id)
            self.artifacts.put(run, {FILE: content})
            client.set_tag(run.info.run_id, PAGE, digest)
        return True

    def clear(self, experiment: str) -> bool:
        """Delete the run that holds the page, as MLflow deletes: it can be restored. Whether there was one.

        Raises:
            BadInputError: The store has no such experiment.
            WriteError: It could not be deleted.
        """
        with self.tags.store.writing(f"the page of experiment {experiment!r} could not be removed") as client:
            run = _kept(client, self.tags.found(client, experiment).experiment_id)
            if run is not None:
                client.delete_run(run.info.run_id)
        return run is not None


def _kept(client: MlflowClient, experiment_id: str) -> Run | None:
    """The run that holds the page; it is ours by its tag, whatever it was renamed to."""
    found = client.search_runs([experiment_id], f"tags.`{PAGE}` LIKE '%'", max_results=1)
    return found[0] if found else None
