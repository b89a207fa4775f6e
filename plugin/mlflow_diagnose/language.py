"""The language a diagnosis is told in: English as it stands in the code, or what a gettext catalogue makes of it.

A language is a file, `locale/<language>/LC_MESSAGES/mlflow_diagnose.po`, read as it is: nothing is compiled beforehand.
English needs no catalogue, and nothing is imported for it.
"""

from __future__ import annotations

import locale
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from curve_analyzers.saying import Said
from mlflow_diagnose.errors import BadInputError

if TYPE_CHECKING:
    from gettext import NullTranslations

__all__ = ["ENGLISH", "catalogue_file", "language_named", "languages", "paragraphs", "speaking", "spoken", "translated"]

ENGLISH = "en"
LOCALES = Path(__file__).with_name("locale")
DOMAIN = "mlflow_diagnose.po"
VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")  # the first of these that is set decides, as everywhere in POSIX

_SPOKEN: ContextVar[str] = ContextVar("spoken", default=ENGLISH)


def languages() -> list[str]:
    """The languages there are, English first."""
    return [ENGLISH, *sorted(path.parts[-3] for path in LOCALES.glob(f"*/LC_MESSAGES/{DOMAIN}"))]


def catalogue_file(language: str) -> Path:
    """Where the catalogue of a language is."""
    return LOCALES / language / "LC_MESSAGES" / DOMAIN


def language_named(name: str | None) -> str:
    """A language by its code; without one the user's, English where we do not have that.

    Raises:
        BadInputError: There is no such language.
    """
    if name is None:
        told = next(filter(None, map(os.environ.get, VARIABLES)), None) or locale.getlocale()[0] or ""
        own = locale.normalize(told).partition("_")[0].lower()
        return own if own in languages() else ENGLISH
    if name not in languages():
        raise BadInputError(f"there is no language {name!r}; there are {', '.join(languages())}")
    return name


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Tell things in a language for as long as the context lasts; what is stored for machines stays English."""
    token = _SPOKEN.set(language)
    try:
        yield
    finally:
        _SPOKEN.reset(token)


def spoken() -> str:
    """The code of the language in use, `en`."""
    return _SPOKEN.get()


def translated(text: object) -> str:
    """A text in the language in use; what is no message of ours, or not in the catalogue, stays as it is."""
    if not isinstance(text, Said):
        return str(text)
    language = _SPOKEN.get()
    if language == ENGLISH or not text.template:
        return str(text)
    catalogue = _catalogue(language)
    if text.plural is None:
        template = catalogue.gettext(text.template)
    else:
        template = catalogue.ngettext(text.template, text.plural, text.number)
    if not text.values:
        return template
    try:
        return template.format_map({name: _value(value) for name, value in text.values.items()})
    except (KeyError, IndexError, ValueError):  # a slip in the catalogue, which its test names
        return str(text)


def paragraphs(text: str) -> list[str]:
    """The paragraphs of a rule's documentation, each on one line, in the language in use."""
    parts = (" ".join(part.split()) for part in text.split("\n\n"))
    return [translated(Said(part, {})) for part in parts if part]


def _value(value: object) -> object:
    """What stands in a message: another message in the language in use, a number as a number."""
    return translated(value) if isinstance(value, Said) else value


@cache
def _catalogue(language: str) -> NullTranslations:
    """The catalogue of a language, in gettext's own form; entries that are marked fuzzy are left out.

    Raises:
        BadInputError: The file cannot be read, or is no catalogue.
    """
    from gettext import GNUTranslations  # noqa: PLC0415 - for other languages than English alone

    from babel.messages.mofile import write_mo  # noqa: PLC0415 - the same
    from babel.messages.pofile import PoFileError, read_po  # noqa: PLC0415 - the same

    path, compiled = catalogue_file(language), BytesIO()
    try:
        with path.open("rb") as file:
            write_mo(compiled, read_po(file, locale=language, abort_invalid=True))
        compiled.seek(0)
        return GNUTranslations(compiled)
    except (OSError, ValueError, PoFileError) as error:
        raise BadInputError(f"the catalogue {path} cannot be read: {error}") from error
