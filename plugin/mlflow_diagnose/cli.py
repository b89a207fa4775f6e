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

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from curve_analyzers.findings import Report

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
        for usage in ("--logdir DIR [RUN...] [OPTIONS]", "COMMAND ..."):
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


def _check_logdir(logdir: str | None, *, summary: bool, no_write: bool, for_mlflow: bool) -> None:
    """Refuse the options that say nothing of a logdir, or nothing without one."""
    if logdir is not None and for_mlflow:
        raise BadInputError("--logdir judges event files; --tracking-uri, --note and --force are for MLflow runs")
    if summary and (logdir is None or "://" in logdir or no_write):
        raise BadInputError("--summary writes beside the logs of a --logdir on this machine, and not with --no-write")


def _pairs(_: click.Context, __: click.Parameter, texts: Sequence[str]) -> dict[str, str]:
    """The curves and roles of `--map`; a curve's name may hold an equals sign, a role's does not."""
    for text in texts:
        if not all(text.rpartition("=")[::2]):
            raise click.BadParameter(f"{text!r} is not of the form TAG=ROLE, as in my_metric=val_loss")
    return {tag: role for tag, _, role in (text.rpartition("=") for text in texts)}


# `main` looks for it itself, so that it also shows what fails before a command has its options.
debug_option = click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error.")
tracking_uri_option = click.option(
    "--tracking-uri", metavar="URI", help="MLflow's store or server; else MLFLOW_TRACKING_URI or MLflow's own default."
)


@cli.command("diagnose", hidden=True)
@click.argument("run_ids", nargs=-1, metavar="RUN_ID...")
@tracking_uri_option
@click.option(
    "--logdir", metavar="DIR", help="Judge the runs under a TensorBoard logdir, a folder or s3://, gs://, ..."
)
@click.option(
    "--summary",
    is_flag=True,
    help="Write the diagnosis beside the logs of a logdir, for TensorBoard's Text and Images.",
)
@click.option("--verify", is_flag=True, help="Check every record of a logdir's event files against its checksum.")
@click.option("--no-write", is_flag=True, help="Print only; write no tags and artifacts to MLflow.")
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
    "--map", "role_map", multiple=True, callback=_pairs, metavar="TAG=ROLE", help="What a curve is: my_metric=val_loss."
)
@click.option("--config", type=click.Path(path_type=Path), metavar="FILE", help="TOML: rules, thresholds, roles.")
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
@debug_option
@click.pass_obj
def diagnose_command(
    failures: Failures,
    *,
    run_ids: tuple[str, ...],
    tracking_uri: str | None,
    logdir: str | None,
    summary: bool,
    verify: bool,
    no_write: bool,
    form: str,
    output: Path | None,
    fail_on: str,
    role_map: dict[str, str],
    config: Path | None,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    artifact_dir: Path | None,
    force: bool,
    note: bool,
) -> int:
    """Read runs, judge them, write the diagnosis back to MLflow, and print it."""
    if not run_ids and logdir is None:
        raise BadInputError("name a run, or a TensorBoard logdir with --logdir; --help shows how")
    _check_logdir(
        logdir, summary=summary, no_write=no_write, for_mlflow=bool(tracking_uri or note or (force and not summary))
    )

    from mlflow_diagnose import printing  # noqa: PLC0415 - not for --help
    from mlflow_diagnose.config import load_settings  # noqa: PLC0415 - numpy
    from mlflow_diagnose.pipeline import judge_raw, write_back, write_summary  # noqa: PLC0415 - numpy
    from mlflow_diagnose.readers import open_source  # noqa: PLC0415 - numpy

    settings = load_settings(config, select=select, ignore=ignore, role_map=role_map)
    reader = open_source(tracking_uri, logdir=logdir, verify=verify)
    chosen = list(dict.fromkeys(run_ids or reader.run_ids()))
    reports: list[Report] = []

    def judged() -> Iterator[Report]:
        for run_id, raw in zip(chosen, reader.read_many(chosen), strict=True):
            report = None
            with failures.aside(run_id):
                report = judge_raw(raw, settings)
                if summary and logdir is not None:
                    write_summary(report, logdir, force=force)
                if logdir is None and not no_write:
                    write_back(report, tracking_uri, artifact_dir=artifact_dir, force=force, note=note)
            if report:
                reports.append(report)
                yield report

    # Opened before any run is read: that it cannot be written is told at once.
    with printing.opened(output) as file:
        if form == "json":
            printing.print_json(judged(), failures.lines, file)
        elif form == "html":
            printing.print_html(judged(), file, title=logdir or "", tracking_uri="" if logdir else tracking_uri)
        elif form == "markdown":
            printing.print_markdown(printing.told_to_github(judged()), file)
        else:
            printing.print_text(printing.told_to_github(judged()), file)
    found = {finding.severity.word for report in reports for finding in report.findings}
    return failures.exit_status(done=bool(reports)) or (FOUND if found & FAILING[fail_on] else 0)


@cli.command()
@debug_option
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


@cli.command(short_help="Say what a rule looks for, why, and what to try.")
@click.argument("rule")
@debug_option
def explain(rule: str) -> int:
    """Say what RULE looks for, why it matters, what to try, and when it is wrong."""
    from curve_analyzers.docs import explanation  # noqa: PLC0415 - numpy
    from curve_analyzers.registry import rule_named  # noqa: PLC0415 - the same

    try:
        found = rule_named(rule)
    except ValueError as error:
        raise BadInputError(str(error)) from error
    click.echo(explanation(found))
    return 0


@cli.command(short_help="Take the diagnosis out of runs again.")
@click.argument("run_ids", nargs=-1, required=True, metavar="RUN_ID...")
@tracking_uri_option
@debug_option
@click.pass_obj
def clean(failures: Failures, run_ids: tuple[str, ...], tracking_uri: str | None) -> int:
    """Take the diagnosis out of runs: the tags and the section of the description.

    MLflow's client cannot delete artifacts; those that remain are named.
    """
    from mlflow_diagnose.pipeline import take_out  # noqa: PLC0415 - numpy

    done = False
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
