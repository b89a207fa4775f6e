"""The diagnosis of training runs, from Python: `diagnose(run_id)`, `diagnose_experiment(name)`, `diagnose_logdir`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from curve_analyzers import __version__

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from mlflow_diagnose.diagnosis import Diagnoses, Diagnosis

__all__ = ["__version__", "diagnose", "diagnose_experiment", "diagnose_logdir"]


def diagnose(
    run_id: str,
    *,
    tracking_uri: str | None = None,
    role_map: Mapping[str, str] | None = None,
    write: bool = False,
    lang: str | None = None,
) -> Diagnosis:
    """Judge an MLflow run.

    Args:
        run_id: The run.
        tracking_uri: Its store or server; None for the one MLflow itself would use.
        role_map: What a curve is, where its name does not say so: `{"my_metric": "val_loss"}`.
        write: Whether to write tags and artifacts back to the run.
        lang: The language of the page that is written, and of what a notebook shows; None for that of the locale.

    Raises:
        RunNotFoundError: The store has no such run.
        BadInputError: There is no store at the tracking URI, the role map is wrong, or there is no such language.
        ReadError: The run could not be read.
        WriteError: The diagnosis could not be written.
    """
    # The parts that need numpy and MLflow are imported when they are used: the command line imports this package.
    from mlflow_diagnose.config import load_settings  # noqa: PLC0415 - see above
    from mlflow_diagnose.diagnosis import Diagnosis  # noqa: PLC0415 - see above
    from mlflow_diagnose.language import language_named, speaking  # noqa: PLC0415 - see above
    from mlflow_diagnose.pipeline import judge, write_back  # noqa: PLC0415 - see above
    from mlflow_diagnose.readers import open_source  # noqa: PLC0415 - see above

    lang = language_named(lang)
    report = judge(open_source(tracking_uri), run_id, load_settings(role_map=role_map))
    if write:
        with speaking(lang):
            write_back(report, tracking_uri)
    return Diagnosis(report, lang)


def diagnose_experiment(
    experiment: str,
    *,
    tracking_uri: str | None = None,
    search: str | None = None,
    role_map: Mapping[str, str] | None = None,
    write: bool = False,
    artifacts: bool = True,
    jobs: int | None = None,
    engine: str = "local",
    kpi: str | None = None,
    params: Mapping[str, str] | None = None,
    lang: str | None = None,
) -> Diagnoses:
    """Judge every run of an MLflow experiment that is not deleted.

    Args:
        experiment: Its name, or its id.
        tracking_uri: The store or server; None for the one MLflow itself would use.
        search: Only runs that MLflow's search finds by this filter: `"metrics.val_loss > 1"`.
        role_map: As for `diagnose`.
        write: Whether to write back to the runs.
        artifacts: Whether to write the artifacts too, and not the tags alone.
        jobs: Processes; None for one for each core where the runs are many.
        engine: `local`, or `dask`, `ray` or `spark`, with `:address` behind it where it is not the default one.
        kpi: The metric that counts in the end, by which the runs are compared too.
        params: What a param sets, where its name does not say so: `{"tempo": "learning_rate"}`.
        lang: As for `diagnose`.

    Returns:
        The diagnoses by run, the newest run first, without the points of the curves; what the runs show together;
        and the runs that failed.

    Raises:
        BadInputError: There is no such store, experiment or engine, or the filter, the role map, a param or the
            language is wrong.
        ReadError: The runs could not be listed.
        WriteError: What they show together could not be written.
    """
    from mlflow_diagnose.comparison import Comparison  # noqa: PLC0415 - as above
    from mlflow_diagnose.config import load_settings  # noqa: PLC0415 - as above
    from mlflow_diagnose.diagnosis import Diagnoses, Diagnosis  # noqa: PLC0415 - as above
    from mlflow_diagnose.engines import Engine  # noqa: PLC0415 - as above
    from mlflow_diagnose.language import language_named  # noqa: PLC0415 - as above
    from mlflow_diagnose.many import SUMMARY, Runs  # noqa: PLC0415 - as above
    from mlflow_diagnose.work import Job  # noqa: PLC0415 - as above

    lang, settings = language_named(lang), load_settings(role_map=role_map, kpi=kpi, params=params)
    job = Job(tracking_uri=tracking_uri, settings=settings, write=write, artifacts=artifacts, lang=lang)
    runs = Runs(job, Engine.of(engine, jobs))
    comparison = Comparison(runs, experiment=experiment if write else None)
    done = list(runs.done(runs.chosen((), experiment, search)))
    runs.summaries += [each.views[SUMMARY] for each in done if SUMMARY in each.views]
    comparison.write()
    return Diagnoses(
        {each.run_id: Diagnosis(each.report, lang) for each in done if each.report},
        {each.run_id: str(each.error) for each in done if each.error},
        comparison.report,
    )


def diagnose_logdir(
    logdir: str | os.PathLike[str], *, role_map: Mapping[str, str] | None = None, lang: str | None = None
) -> dict[str, Diagnosis]:
    """Judge every run under a TensorBoard logdir, by its name there; `lang` is what a notebook shows them in.

    Raises:
        BadInputError: The folder does not exist or holds no event file, or the role map or the language is wrong.
        ReadError: A run could not be read.
    """
    from mlflow_diagnose.config import load_settings  # noqa: PLC0415 - as above
    from mlflow_diagnose.diagnosis import Diagnosis  # noqa: PLC0415 - as above
    from mlflow_diagnose.language import language_named  # noqa: PLC0415 - as above
    from mlflow_diagnose.pipeline import judge  # noqa: PLC0415 - as above
    from mlflow_diagnose.readers import open_source  # noqa: PLC0415 - as above

    lang, settings = language_named(lang), load_settings(role_map=role_map)
    reader = open_source(logdir=logdir)
    return {run_id: Diagnosis(judge(reader, run_id, settings), lang) for run_id in reader.run_ids()}
