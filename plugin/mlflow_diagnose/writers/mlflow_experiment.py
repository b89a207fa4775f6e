"""What many runs show together, as tags of their MLflow experiment, and where each stands as tags of the runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from mlflow.exceptions import MlflowException

from curve_analyzers import __version__
from curve_analyzers.experiment.registry import all_experiment_rules
from mlflow_diagnose.errors import BadInputError, ReadError
from mlflow_diagnose.readers import open_source
from mlflow_diagnose.readers.mlflow import TrackingStore
from mlflow_diagnose.readers.mlflow_sql import SqlReader
from mlflow_diagnose.text import plain
from mlflow_diagnose.writers.mlflow_tags import FINDING, OUTLIER, PREFIX, RANK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Everywhere = Callable[[Callable[[list["Ranked"]], int], Sequence["Ranked"]], Iterable[int]]

    from mlflow import MlflowClient
    from mlflow.entities import Experiment

    from curve_analyzers.experiment.findings import ExperimentReport, Standing

__all__ = ["MlflowExperimentTags", "experiment_tags_of", "run_tags_of"]

PAGE = 1000  # runs in one answer
FIXED = ("compared", "version")
LONGEST_VALUE = 4999  # what every store of MLflow's takes


@dataclass(frozen=True, slots=True)
class Ranked:
    """What is to change among a run's tags: those that are new or different, and those that go."""

    run_id: str
    changed: Mapping[str, str]
    gone: Sequence[str]


class MlflowExperimentTags:
    """Keeps the `diagnose.*` tags of experiments, and the ranks of their runs; touches no other tag.

    Args:
        tracking_uri: None for the one MLflow itself would use.
    """

    def __init__(self, tracking_uri: str | None = None) -> None:
        self.store = TrackingStore(tracking_uri)

    def write(self, experiment: str, report: ExperimentReport, everywhere: Everywhere | None = None) -> int:
        """Make the tags of an experiment, and the ranks of its runs, those of a report.

        What already stands there is not written again; findings and ranks that no longer hold lose their tags.

        Args:
            experiment: Its name, or its id.
            report: What its runs show together.
            everywhere: Has the ranks written by several processes; None for this one.

        Returns:
            How many runs were written to.

        Raises:
            BadInputError: The store has no such experiment.
            WriteError: The tags could not be written.
        """
        wanted = experiment_tags_of(report)
        standings = {standing.run_id: standing for standing in report.standings}
        with self.store.writing(f"the tags of experiment {experiment!r} could not be written") as client:
            found = self.found(client, experiment)
            for key in _written(found.tags):
                if key not in wanted:
                    client.delete_experiment_tag(found.experiment_id, key)
            for key, text in wanted.items():
                if found.tags.get(key) != text:
                    client.set_experiment_tag(found.experiment_id, key, text)
            ranks = [
                ranked
                for run_id, there in self._ranks(client, found.experiment_id)
                if (ranked := _ranked(run_id, there, standings.get(run_id), report.of))
            ]
        write = partial(write_ranks, self.store.uri)
        if everywhere is None or not ranks:
            return write(ranks)
        return sum(everywhere(write, ranks))

    def clear(self, experiment: str) -> list[str]:
        """Take from an experiment what `write` put there, and return the keys of its tags; its runs keep theirs.

        Raises:
            BadInputError: The store has no such experiment.
            WriteError: The tags could not be removed.
        """
        with self.store.writing(f"the tags of experiment {experiment!r} could not be removed") as client:
            found = self.found(client, experiment)
            gone = _written(found.tags)
            for key in gone:
                client.delete_experiment_tag(found.experiment_id, key)
        return gone

    def run_ids(self, experiment: str) -> list[str]:
        """The runs of an experiment that are not deleted.

        Raises:
            BadInputError: The store has no such experiment.
            ReadError: They could not be listed.
        """
        with self.store.asking(f"the runs of experiment {experiment!r} could not be listed", ReadError) as client:
            return [run_id for run_id, _ in _tags_of_runs(client, self.found(client, experiment).experiment_id)]

    def _ranks(self, client: MlflowClient, experiment_id: str) -> Iterable[tuple[str, Mapping[str, str]]]:
        """Each run of an experiment that is not deleted, with where it stands by now."""
        reader = open_source(self.store.uri)
        # MLflow's client would make an object of all that every run has logged.
        if isinstance(reader, SqlReader):
            return reader.tags(experiment_id, (RANK, OUTLIER)).items()
        return _tags_of_runs(client, experiment_id)

    def found(self, client: MlflowClient, name: str) -> Experiment:
        """An experiment by its name, or its id.

        Raises:
            BadInputError: The store has none of that name.
        """
        found = client.get_experiment_by_name(name)
        if found is None and name.isdecimal():
            try:
                found = client.get_experiment(name)
            except MlflowException as error:
                if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                    raise
        if found is None:
            raise BadInputError(f"MLflow at {self.store.shown} has no experiment {name!r}")
        return found


def _tags_of_runs(client: MlflowClient, experiment_id: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    """The tags of each run of an experiment that is not deleted."""
    token = None
    while True:
        page = client.search_runs([experiment_id], max_results=PAGE, page_token=token)
        yield from ((run.info.run_id, run.data.tags) for run in page)
        token = page.token
        if not token:
            return


def _ranked(run_id: str, there: Mapping[str, str], standing: Standing | None, of: int) -> Ranked | None:
    """What is to change among the tags of a run; None where nothing is."""
    wanted = run_tags_of(standing, of) if standing else {}
    changed = {key: text for key, text in wanted.items() if there.get(key) != text}
    gone = [key for key in (RANK, OUTLIER) if key in there and key not in wanted]
    return Ranked(run_id, changed, gone) if changed or gone else None


def write_ranks(tracking_uri: str, ranks: Sequence[Ranked]) -> int:
    """Write where runs stand among others, and return how many were written to.

    Raises:
        WriteError: One could not be written to.
    """
    with _store(tracking_uri).writing("the ranks of runs could not be written") as client:
        for each in ranks:
            for key in each.gone:
                client.delete_tag(each.run_id, key)
            for key, text in each.changed.items():  # one, as a rule: half as long as a batch takes
                client.set_tag(each.run_id, key, text)
    return len(ranks)


@lru_cache(1)
def _store(tracking_uri: str) -> TrackingStore:
    """The store of a process that is asked for piece after piece."""
    return TrackingStore(tracking_uri)


def experiment_tags_of(report: ExperimentReport) -> dict[str, str]:
    """The tags of an experiment by key; the strongest finding stands for its rule."""
    tags: dict[str, str] = {}
    for finding in report.findings:
        tags.setdefault(f"{PREFIX}{finding.rule}", f"{finding.severity.word}: {finding.brief}")
    tags |= {f"{PREFIX}compared": f"{report.of} runs", f"{PREFIX}version": __version__}
    return {key: plain(text)[:LONGEST_VALUE] for key, text in tags.items()}


def run_tags_of(standing: Standing, of: int) -> dict[str, str]:
    """The tags that say where a run stands: `diagnose.rank` = `3 of 20`, and `diagnose.outlier` where it is one."""
    tags = {RANK: f"{standing.rank} of {of}"}
    return tags | ({OUTLIER: plain(standing.outlier)[:LONGEST_VALUE]} if standing.outlier else {})


def _written(tags: Mapping[str, str]) -> list[str]:
    """The keys of the tags that only we can have written."""
    names = {*FIXED, *(rule.name for rule in all_experiment_rules())}
    return [
        key
        for key, text in tags.items()
        if key.startswith(PREFIX) and (key.removeprefix(PREFIX) in names or FINDING.match(text))
    ]
