"""The command line. Only click is imported before a command runs, so that `--help` is quick."""

from __future__ import annotations

import sys
import traceback
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from curve_analyzers import __version__
from mlflow_diagnose.errors import BadInputError, DiagnoseError, RunNotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from curve_analyzers.model import Report
    from mlflow_diagnose.config import Settings
    from mlflow_diagnose.readers import Reader

__all__ = ["main"]

FOUND, BAD_INPUT, INCOMPLETE, INTERRUPTED = 1, 2, 3, 130
ERRORS_SHOWN_AS_TABLE = 3  # runs from which a table of all of them follows the reports


class RunsByDefault(click.Group):
    """A group whose first word, where it is no command, is a run to diagnose."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default command in front of what is no command."""
        if args and args[0] not in {*self.commands, "--help", "--version"}:
            args = [diagnose_command.name or "", *args]
        return super().parse_args(ctx, args)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The default command's help, then the other commands."""
        name = ctx.command_path
        for usage in ("RUN_ID...", "--logdir DIR [RUN...]", "COMMAND ..."):
            formatter.write_usage(name, usage)
        self.format_help_text(ctx, formatter)
        with formatter.section("Options"):
            records = (param.get_help_record(ctx) for param in (*diagnose_command.params, *self.params))
            formatter.write_dl([record for record in records if record])
        self.format_commands(ctx, formatter)
        formatter.write_paragraph()
        with formatter.section("Exit status"):
            formatter.write_dl(
                [
                    ("0", "done, and nothing at or above --fail-on was found"),
                    (str(FOUND), "findings at or above --fail-on"),
                    (str(BAD_INPUT), "wrong usage or bad input"),
                    (str(INCOMPLETE), "some runs could not be read or written; the others were done"),
                ]
            )


@click.group(cls=RunsByDefault, context_settings={"max_content_width": 100})
@click.version_option(__version__, prog_name="mlflow-diagnose")
def cli() -> None:
    """Say what is wrong with a training run, from the curves already logged to MLflow or TensorBoard."""


def _pairs(_: click.Context, __: click.Parameter, texts: Sequence[str]) -> dict[str, str]:
    for text in texts:
        if not all(text.rpartition("=")[::2]):
            raise click.BadParameter(f"{text!r} is not of the form TAG=ROLE, as in my_metric=val_loss")
    return {tag: role for tag, _, role in (text.rpartition("=") for text in texts)}


@cli.command("diagnose", hidden=True)
@click.argument("run_ids", nargs=-1, metavar="RUN_ID...")
@click.option(
    "--tracking-uri", metavar="URI", help="MLflow's store or server; else MLFLOW_TRACKING_URI or MLflow's own default."
)
@click.option(
    "--logdir", type=click.Path(path_type=Path), metavar="DIR", help="Judge the runs under a TensorBoard logdir."
)
@click.option("--no-write", is_flag=True, help="Print only; write no tags and artifacts to MLflow.")
@click.option("--format", "form", type=click.Choice(["text", "json", "html"]), default="text", show_default=True)
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Print to a file.")
@click.option(
    "--fail-on",
    type=click.Choice(["critical", "warning", "never"]),
    default="never",
    show_default=True,
    help="The severity from which findings make the exit status 1.",
)
@click.option(
    "--map", "role_map", multiple=True, callback=_pairs, metavar="TAG=ROLE", help="What a curve is: my_metric=val_loss."
)
@click.option("--config", type=click.Path(path_type=Path), metavar="FILE", help="TOML: rules, thresholds, roles.")
@click.option("--select", multiple=True, metavar="RULE", help="Judge by this rule or family only (may be repeated).")
@click.option("--ignore", multiple=True, metavar="RULE", help="Leave this rule or family out (may be repeated).")
@click.option("--force", is_flag=True, help="Write again what is unchanged.")
@click.option("--note", is_flag=True, help="Add the diagnosis to the run's description, as a section of its own.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def diagnose_command(
    run_ids: tuple[str, ...],
    tracking_uri: str | None,
    logdir: Path | None,
    form: str,
    output: Path | None,
    fail_on: str,
    role_map: dict[str, str],
    config: Path | None,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    **flags: bool,
) -> int:
    """Read runs, judge them, print the diagnosis, and write it back to MLflow."""
    from mlflow_diagnose.config import load_settings  # noqa: PLC0415 - numpy

    with _one_line_errors(debug=flags["debug"]):
        if not run_ids and logdir is None:
            raise BadInputError("name a run, or a TensorBoard logdir with --logdir; --help shows how")
        if logdir is not None and (tracking_uri or flags["note"]):
            raise BadInputError("--logdir judges event files; --tracking-uri and --note are for MLflow runs")
        settings = load_settings(config, select=select, ignore=ignore, role_map=role_map)
        task = _Task(settings, tracking_uri, write=logdir is None and not flags["no_write"], flags=flags)
        task.run(run_ids, logdir)
        _show(task.reports, task.errors, form, output)
        return task.exit_status(fail_on)
    return INCOMPLETE


class _Task:
    """The runs of one call: what was found, and what went wrong with which."""

    def __init__(self, settings: Settings, tracking_uri: str | None, *, write: bool, flags: dict[str, bool]) -> None:
        self.settings, self.tracking_uri, self.write, self.flags = settings, tracking_uri, write, flags
        self.reports: list[Report] = []
        self.errors: list[tuple[str, DiagnoseError]] = []

    def run(self, run_ids: Sequence[str], logdir: Path | None) -> None:
        """Judge every run; one that fails costs the others nothing."""
        from mlflow_diagnose.readers import open_source  # noqa: PLC0415 - numpy

        reader = open_source(self.tracking_uri, logdir=logdir)
        for run_id in run_ids or reader.run_ids():
            try:
                self._one(reader, run_id)
            except DiagnoseError as error:
                if self.flags["debug"]:
                    traceback.print_exc()
                self.errors.append((run_id, error))

    def _one(self, reader: Reader, run_id: str) -> None:
        from mlflow_diagnose.pipeline import judge, write_back  # noqa: PLC0415 - numpy

        report = judge(reader, run_id, self.settings)
        self.reports.append(report)
        if self.write:
            write_back(report, self.tracking_uri, force=self.flags["force"], note=self.flags["note"])

    def exit_status(self, fail_on: str) -> int:
        """The status of the design: bad input where nothing could be judged for it, else incomplete, else findings."""
        if self.errors:
            bad = not self.reports and all(isinstance(error, BadInputError) for _, error in self.errors)
            return BAD_INPUT if bad else INCOMPLETE
        limits = {"never": set(), "warning": {"warning", "critical"}, "critical": {"critical"}}
        return FOUND if any(report.status in limits[fail_on] for report in self.reports) else 0


def _show(
    reports: Sequence[Report], errors: Sequence[tuple[str, DiagnoseError]], form: str, output: Path | None
) -> None:
    """Print the reports to stdout or a file, and the errors, one line each, to stderr."""
    lines = [(run_id, str(error)) for run_id, error in errors]
    if form == "json":
        from mlflow_diagnose.writers.json_ import to_text  # noqa: PLC0415 - pydantic

        _emit(to_text(reports, lines), output)
    elif form == "html" and reports:
        from mlflow_diagnose.report.page import page  # noqa: PLC0415 - matplotlib

        if len(reports) > 1:
            raise BadInputError(f"--format html shows one run, and there are {len(reports)}: name one of them")
        _emit(page(reports[0]), output)
    elif form == "text":
        _print(reports, output)
    for _, line in lines:
        click.echo(f"mlflow-diagnose: {line}", err=True)


def _print(reports: Sequence[Report], output: Path | None) -> None:
    from rich.console import Console  # noqa: PLC0415 - only for text

    from mlflow_diagnose.writers.terminal import print_report, print_summary  # noqa: PLC0415 - rich

    with _opened(output) as file:
        console = Console(file=file, highlight=False)
        for report in reports:
            print_report(report, console)
        if len(reports) > ERRORS_SHOWN_AS_TABLE:
            print_summary(reports, console)


def _emit(text: str, output: Path | None) -> None:
    with _opened(output) as file:
        print(text, file=file)


@contextmanager
def _opened(output: Path | None) -> Iterator[Any]:
    if output is None:
        yield sys.stdout
        return
    try:
        with output.open("w", encoding="utf-8") as file:
            yield file
    except OSError as error:
        raise BadInputError(f"{output} could not be written: {error.strerror or error}") from error


@cli.command()
def rules() -> int:
    """List the rules, a line each."""
    from curve_analyzers.registry import all_rules  # noqa: PLC0415 - numpy

    width = max(len(rule.name) for rule in all_rules())
    family = None
    for rule in all_rules():
        if rule.family != family:
            family = rule.family
            click.secho(family, bold=True)
        click.echo(f"  {rule.name:{width}}  {rule.summary}")
    return 0


@cli.command()
@click.argument("rule")
def explain(rule: str) -> int:
    """Say what RULE looks for, why it matters, what to try, and when it is wrong."""
    from curve_analyzers.docs import explanation  # noqa: PLC0415 - numpy
    from curve_analyzers.registry import rule_named  # noqa: PLC0415 - the same

    with _one_line_errors():
        try:
            click.echo(explanation(rule_named(rule)))
        except ValueError as error:
            raise BadInputError(str(error)) from error
    return 0


@cli.command()
@click.argument("run_ids", nargs=-1, required=True, metavar="RUN_ID...")
@click.option("--tracking-uri", metavar="URI", help="MLflow's store or server.")
def clean(run_ids: tuple[str, ...], tracking_uri: str | None) -> int:
    """Take the diagnosis out of runs: the tags and the note; say what MLflow does not let us remove."""
    with _one_line_errors():
        from mlflow_diagnose.writers.mlflow_artifacts import MlflowArtifacts  # noqa: PLC0415 - MLflow
        from mlflow_diagnose.writers.mlflow_tags import MlflowTags  # noqa: PLC0415 - MLflow

        status = 0
        for run_id in run_ids:
            try:
                gone = MlflowTags(tracking_uri).clear(run_id)
                left = MlflowArtifacts(tracking_uri).left_behind(run_id)
            except DiagnoseError as error:
                click.echo(f"mlflow-diagnose: {error}", err=True)
                alone = len(run_ids) == 1 and isinstance(error, RunNotFoundError)
                status = BAD_INPUT if alone else INCOMPLETE
                continue
            click.echo(f"{run_id}: {len(gone)} tags removed")
            if left:
                click.echo(f"{run_id}: MLflow's client cannot delete artifacts; {', '.join(left)} remain")
    return status


@cli.command()
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("diagnose-demo"),
    show_default=True,
    help="Where the store is made; it must not exist yet.",
)
def demo(folder: Path) -> int:
    """Train eight small models, seven with a known fault, diagnose them, and say how to look at them in MLflow."""
    with _one_line_errors():
        from mlflow_diagnose.demo import run_demo  # noqa: PLC0415 - MLflow and scikit-learn

        run_demo(folder)
    return 0


@contextmanager
def _one_line_errors(*, debug: bool = False) -> Iterator[None]:
    """End the program on an error of the user's or the store's with one line and its exit status."""
    try:
        yield
    except DiagnoseError as error:
        if debug:
            traceback.print_exc()
        click.echo(f"mlflow-diagnose: {error}", err=True)
        sys.exit(error.exit_status)


def main(args: Iterable[str] | None = None) -> None:
    """The console script; ends the process with the exit status."""
    try:
        sys.exit(cli.main(None if args is None else list(args), prog_name="mlflow-diagnose", standalone_mode=False))
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("mlflow-diagnose: interrupted; what was written stays, and the next call goes on", err=True)
        sys.exit(INTERRUPTED)
    except Exception as error:  # the last line of defence: one line, not a traceback
        if "--debug" in sys.argv:
            raise
        click.echo(f"mlflow-diagnose: a bug of ours, {type(error).__name__}: {error}; --debug shows where", err=True)
        sys.exit(INCOMPLETE)
