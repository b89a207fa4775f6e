"""What is said of a run: English text that still knows what it was made of, so that it can be said in other words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Said", "enumerated", "listed", "say", "say_many", "series", "titled", "within"]


class Said(str):
    """English text, equal to any other `str` of the same letters, with the template and the values behind it.

    Attributes:
        template: The text with its values as replacement fields, `{name} rose to {end:.4g}`; the key of a catalogue.
        values: What stands in these fields; empty for a text that is not filled in. Values may be `Said` themselves.
        plural: The template that other languages look up beside `template`; None where nothing is counted.
        number: What decides between the two.
    """

    __slots__ = ("number", "plural", "template", "values")

    template: str
    values: Mapping[str, object]
    plural: str | None
    number: int

    def __new__(cls, template: str, values: Mapping[str, object], plural: str | None = None, number: int = 1) -> Self:
        """Fill the template in; a template without values stays as it is, braces and all."""
        shown = template if plural is None or number == 1 else plural
        said = super().__new__(cls, shown.format_map(values) if values else shown)
        said.template, said.values, said.plural, said.number = template, dict(values), plural, number
        return said

    def __reduce__(self) -> tuple[type[Self], tuple[str, Mapping[str, object], str | None, int]]:
        """Pickle it with what it was made of."""
        return type(self), (self.template, self.values, self.plural, self.number)

    def format(self, *args: object, **values: object) -> str:
        """A fixed text of ours with its fields filled in, still to be said in other words."""
        return Said(self.template, {**self.values, **values}) if not args else super().format(*args, **values)


def say(template: str, /, **values: Any) -> str:  # noqa: ANN401 - whatever its format takes
    """A message: `template`, a literal so that catalogues can be made of the source, with its values filled in.

    The result is plain English text to whoever compares, stores or prints it, and a `Said` to whoever translates it.
    Numbers go in as numbers, their format in the template, so that a translation may place and format them anew.

    Raises:
        KeyError: The template has a field without a value.
        ValueError: A value does not take the format of its field.
    """
    return Said(template, values)


def say_many(singular: str, plural: str, /, number: int, **values: Any) -> str:  # noqa: ANN401 - as above
    """A message that counts: the first template for 1, the second for any other `number`, which both may hold."""
    return Said(singular, {"number": number, **values}, plural, number)


def titled(name: str) -> str:
    """The name of a rule, a status or a number as people write it, `loss spikes`."""
    return Said(name.replace("_", " "), {})


def within(text: str, longest: int) -> str:
    """A message that fits into `longest` characters as it is, of another its beginning, which is no message."""
    return text if len(text) <= longest else text[:longest]


def listed(items: Sequence[str]) -> str:
    """Names or messages as a list, `a, b and c`."""
    *most, last = items or [""]
    return say("{most} and {last}", most=enumerated(most), last=last) if most else last


def enumerated(items: Sequence[str]) -> str:
    """Names or messages with commas between them, `a, b`; empty without any."""
    *most, last = items or [""]
    return say("{first}, {second}", first=enumerated(most), second=last) if most else last


def series(items: Sequence[str]) -> str:
    """Clauses with semicolons between them, `a; b`; empty without any."""
    *most, last = items or [""]
    return say("{first}; {second}", first=series(most), second=last) if most else last
