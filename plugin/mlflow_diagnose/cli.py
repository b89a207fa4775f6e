"""The command line. Only click is imported before a command runs, so that `--help` is quick."""

from __future__ import annotations

import io
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import click

from curve_analyzers import __version__
from mlflow_diagnose.errors import BadInputError
from mlflow_diagnose.failures import BAD_INPUT, INCOMPLETE, Failures
from mlflow_diagnose.options import debug_option, language_option, meanings, pairs, tracking_uri_option

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

FOUND = 1
FAILING = {"critical": {"critical"}, "warning": {"critical", "warning"}, "never": set[str]()}
EXIT_STATUS = [
    ("0", "done, and nothing at or above --fail-on was found"),
    (str(FOUND), "findings at or above --fail-on"),
    (str(BAD_INPUT), "wrong usage or bad input"),
    (str(INCOMPLETE), "some runs could not be read or written; the others were done"),
]


class RunsByDefault(click.Group):
    """A group whose first word, where it is no command, is a run to diagnose."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default command in front of what is no command."""
        if not args:
            click.echo(ctx.get_help(), err=True)
            ctx.exit(BAD_INPUT)
        if args[0] not in self.commands:
            own = [word for word in args if word in {"-h", "--help", "--version"}]
            args = own or ["diagnose", *args]
        return super().parse_args(ctx, args)

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """How runs are diagnosed, then that there are commands."""
        formatter.write_usage(ctx.command_path, "RUN_ID... [OPTIONS]")
        for usage in ("--experiment NAME [OPTIONS]", "--logdir DIR [RUN...] [OPTIONS]", "COMMAND ..."):
            formatter.write_usage(ctx.command_path, usage, prefix="       ")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The default command's options, the commands, and the exit status of any."""
        params = [*diagnose_command.get_params(ctx), *self.params]
        with formatter.section("Options"):
            records = [param.get_help_record(ctx) for param in params if isinstance(param, click.Option)]
            formatter.write_dl([record for record in records if record])
        self.format_commands(ctx, formatter)
        with formatter.section("Exit status"):
            formatter.write_dl(EXIT_STATUS)


@click.group(cls=RunsByDefault, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="mlflow-diagnose")
def cli() -> None:
    """Say what is wrong with a training run, from the curves already logged to MLflow or TensorBoard."""


@cli.command("diagnose", hidden=True)
@click.argument("run_ids", nargs=-1, metavar="RUN_ID...")
@tracking_uri_option
@click.option(
    "--logdir", metavar="DIR", help="Judge the runs under a TensorBoard logdir, a folder or s3://, gs://, ..."
)
@click.option("--experiment", metavar="NAME", help="Judge every run of an MLflow experiment that is not deleted.")
@click.option("--filter", "search", metavar="FILTER", help='... that MLflow\'s search finds: "metrics.val_loss > 1".')
@click.option("--to-experiment", metavar="NAME", help="Import the runs of --logdir into an MLflow experiment.")
@click.option("--watch", type=click.FloatRange(0.1), metavar="SECONDS", help="Follow the runs, looking so often.")
@click.option(
    "--summary",
    is_flag=True,
    help="Write the diagnosis beside the logs of a logdir, for TensorBoard's Text and Images.",
)
@click.option(
    "--send-to",
    multiple=True,
    metavar="WRITER",
    help="Hand each report to a writer of another package, NAME or NAME:ARGUMENT (may be repeated).",
)
@click.option("--artifacts", is_flag=True, help="Read event files among the artifacts too, and compare the two.")
@click.option("--verify", is_flag=True, help="Check every record of a logdir's event files against its checksum.")
@click.option("--no-write", is_flag=True, help="Print only; write no tags and artifacts to MLflow.")
@click.option("--tags-only", is_flag=True, help="Write the tags and draw no artifacts: that takes most of the time.")
@click.option("--jobs", type=click.IntRange(1), metavar="N", help="Processes for many runs; else one for each core.")
@click.option(
    "--engine",
    default="local",
    show_default=True,
    metavar="ENGINE",
    help="Who works on many runs: local, or dask:ADDRESS, ray:ADDRESS, spark:ADDRESS.",
)
@click.option(
    "--format", "form", type=click.Choice(["text", "json", "markdown", "html"]), default="text", show_default=True
)
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE", help="Print to a file.")
@click.option(
    "--fail-on",
    type=click.Choice(list(FAILING)),
    default="never",
    show_default=True,
    help="The severity from which findings make the exit status 1.",
)
@click.option(
    "--map", "role_map", multiple=True, callback=pairs, metavar="TAG=ROLE", help="What a curve is: my_metric=val_loss."
)
@click.option("--kpi", metavar="METRIC", help="The metric that counts in the end; do runs rank alike by it?")
@click.option(
    "--param",
    "params",
    multiple=True,
    callback=meanings,
    metavar="NAME=MEANING",
    help="What a param of the runs sets: my_rate=learning_rate; none to leave it out.",
)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="TOML: rules, thresholds, roles. Else mlflow-diagnose.toml in the logdir or here.",
)
@click.option("--select", multiple=True, metavar="RULE", help="Judge by this rule or family only (may be repeated).")
@click.option("--ignore", multiple=True, metavar="RULE", help="Leave this rule or family out (may be repeated).")
@click.option(
    "--artifact-dir",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where artifacts go of a run whose own place is on another machine.",
)
@click.option("--force", is_flag=True, help="Write again what is unchanged.")
@click.option("--note", is_flag=True, help="Add the diagnosis to the run's description, as a section of its own.")
@language_option
@debug_option
@click.pass_obj
def diagnose_command(
    failures: Failures,
    *,
    run_ids: tuple[str, ...],
    tracking_uri: str | None,
    logdir: str | None,
    experiment: str | None,
    search: str | None,
    to_experiment: str | None,
    watch: float | None,
    summary: bool,
    send_to: tuple[str, ...],
    verify: bool,
    no_write: bool,
    artifacts: bool,
    tags_only: bool,
    jobs: int | None,
    engine: str,
    form: str,
    output: Path | None,
    fail_on: str,
    role_map: dict[str, str],
    kpi: str | None,
    params: dict[str, str],
    config: Path | None,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    artifact_dir: Path | None,
    force: bool,
    note: bool,
) -> int:
    """Read runs, judge them, write the diagnosis back to MLflow, and print it."""
    from mlflow_diagnose.calls import Call  # noqa: PLC0415 - numpy

    call = Call(
        failures,
        run_ids=run_ids,
        tracking_uri=tracking_uri,
        logdir=logdir,
        experiment=experiment,
        search=search,
        to_experiment=to_experiment,
        watch=watch,
        verify=verify,
        write=not no_write,
        summary=summary,
        send_to=send_to,
        event_files=artifacts,
        artifacts=not tags_only,
        engine=engine,
        jobs=jobs,
        form=form,
        output=output,
        artifact_dir=artifact_dir,
        force=force,
        note=note,
        kpi=kpi,
        params=params,
    )
    severities = call.run(config, select=select, ignore=ignore, role_map=role_map)
    return failures.exit_status(done=call.judged > 0) or (FOUND if severities & FAILING[fail_on] else 0)


@cli.command()
@language_option
@debug_option
def rules() -> int:
    """List the rules, a line each."""
    from mlflow_diagnose.reference import rule_list  # noqa: PLC0415 - numpy

    for line in rule_list():
        click.secho(line, bold=not line.startswith(" "))
    return 0


@cli.command(short_help="Say what a rule looks for, why, and what to try.")
@click.argument("rule")
@language_option
@debug_option
def explain(rule: str) -> int:
    """Say what RULE looks for, why it matters, what to try, and when it is wrong."""
    from mlflow_diagnose.reference import explained  # noqa: PLC0415 - numpy

    click.echo(explained(rule))
    return 0


@cli.command(short_help="Take the diagnosis out of runs again.")
@click.argument("run_ids", nargs=-1, metavar="RUN_ID...")
@click.option("--experiment", metavar="NAME", help="Out of every run of an experiment, and of the experiment itself.")
@tracking_uri_option
@debug_option
@click.pass_obj
def clean(failures: Failures, run_ids: tuple[str, ...], experiment: str | None, tracking_uri: str | None) -> int:
    """Take the diagnosis out of runs: the tags and the section of the description.

    MLflow's client cannot delete artifacts; those that remain are named.
    """
    from mlflow_diagnose.pipeline import take_out, take_out_of_experiment  # noqa: PLC0415 - numpy

    if bool(run_ids) == bool(experiment):
        raise BadInputError("name runs (RUN_ID...), or an experiment with --experiment, and not both")
    done = False
    if experiment:
        gone, run_ids = take_out_of_experiment(experiment, tracking_uri)
        done = True
        told = f"findings taken out of {', '.join(gone)}" if gone else "no tag holds a finding"
        click.echo(f"experiment {experiment}: {told}")
    for run_id in dict.fromkeys(run_ids):
        line = ""
        with failures.aside(run_id):
            gone, left = take_out(run_id, tracking_uri)
            line = (
                f"{run_id}: diagnosis taken out of {', '.join(gone)}" if gone else f"{run_id}: no tag holds a diagnosis"
            )
            if left:
                line += f"; MLflow's client cannot delete artifacts: {', '.join(left)} remain"
        if line:
            done = True
            click.echo(line)
    return failures.exit_status(done=done)


@cli.command(short_help="Train eight small models with known faults and diagnose them.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("diagnose-demo"),
    show_default=True,
    help="Where the store is made; it must not exist yet.",
)
@debug_option
def demo(folder: Path) -> int:
    """Train eight small models, seven with a known fault, diagnose them, and say how to look at them in MLflow."""
    from mlflow_diagnose.demo import run_demo  # noqa: PLC0415 - MLflow and scikit-learn

    run_demo(folder)
    return 0


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """Tell a warning in a line, without the place in the code it came from."""
    click.echo(f"mlflow-diagnose: {message}", err=True)


def main(args: Sequence[str] | None = None) -> None:
    """The console script; ends the process with the exit status."""
    words = sys.argv[1:] if args is None else list(args)
    failures = Failures(debug="--debug" in words)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # not every output can print every character
    try:
        with warnings.catch_warnings(), cli.make_context("mlflow-diagnose", words, obj=failures) as context:
            warnings.showwarning = _show_warning
            status = cli.invoke(context)
            sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last line of defence: no traceback
        status = failures.end(error)
    sys.exit(status)
