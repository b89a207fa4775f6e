"""Options that several commands share, and what their values become."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mlflow_diagnose.language import language_named, languages, speaking

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["debug_option", "language_option", "meanings", "pairs", "tracking_uri_option"]


def pairs(_: click.Context, __: click.Parameter, texts: Sequence[str]) -> dict[str, str]:
    """The curves and roles of `--map`; a curve's name may hold an equals sign, a role's does not."""
    for text in texts:
        if not all(text.rpartition("=")[::2]):
            raise click.BadParameter(f"{text!r} is not of the form TAG=ROLE, as in my_metric=val_loss")
    return {tag: role for tag, _, role in (text.rpartition("=") for text in texts)}


def meanings(_: click.Context, __: click.Parameter, texts: Sequence[str]) -> dict[str, str]:
    """The params and meanings of `--param`."""
    for text in texts:
        if not all(text.rpartition("=")[::2]):
            raise click.BadParameter(f"{text!r} is not of the form NAME=MEANING, as in my_rate=learning_rate")
    return {name: meaning for name, _, meaning in (text.rpartition("=") for text in texts)}


def _speak(ctx: click.Context, _: click.Parameter, name: str | None) -> None:
    """Tell everything in the language of `--lang` for as long as the command runs."""
    ctx.with_resource(speaking(language_named(name)))


# `main` looks for it itself, so that it also shows what fails before a command has its options.
debug_option = click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error.")
tracking_uri_option = click.option(
    "--tracking-uri", metavar="URI", help="MLflow's store or server; else MLFLOW_TRACKING_URI or MLflow's own default."
)
language_option = click.option(
    "--lang",
    metavar="LANGUAGE",
    callback=_speak,
    expose_value=False,
    help=f"The language of what is shown: {', '.join(languages())}, else the locale's; tags and JSON stay English.",
)
