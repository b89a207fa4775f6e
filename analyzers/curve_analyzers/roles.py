"""From the names of a run's curves to their roles: what was measured, on which data, how often."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

import numpy as np

from curve_analyzers.model import Curve, Role, RunCurves, Split
from curve_analyzers.quantities import QUANTITIES, Kind, Quantity
from curve_analyzers.vocabulary import (
    ALONE,
    GRANULARITIES,
    MARKS,
    MEASURES,
    SPLITS,
    SYSTEM,
    Word,
    entries,
    spelled,
    texts,
    words_of,
)

__all__ = ["NO_ROLE", "Granularity", "Parsed", "assign", "parse", "role_named", "single_values"]

NO_ROLE = "none"
# A curve of fewer points is a summary.
LEAST_POINTS = 2
# An aggregate of fewer points cannot be judged: the finer curve is then worth more.
ENOUGH_POINTS = 6
# The best percentage there is: a bounded score mostly above it is something else under the same name.
FULL_PERCENTAGE = 100.0
# MLflow cuts names at 250 characters, and directories may stand in front. What is longer was written by no trainer.
LONGEST_NAME = 1000
LONGEST_SHOWN = 60

# Beside another quantity these are headings (`Loss/mse`) or endings (`f1_score`).
_HEADINGS = ("loss", "score")
_LONGEST_QUANTITY = max(len(name.split("_")) for name in QUANTITIES)


class Granularity(str, Enum):
    """How often the values of a curve were logged, as far as its name tells; finer from first to last."""

    EPOCH = "epoch"
    UNKNOWN = "unknown"
    STEP = "step"


@dataclass(frozen=True, slots=True)
class Parsed:
    """What the name of a curve says.

    Attributes:
        role: What was measured, on which data, and in its part what else the name says.
        granularity: Whether there is a value for each step or an aggregate for each epoch.
    """

    role: Role
    granularity: Granularity


def role_named(text: str) -> Role:
    """The role of a name such as `val_loss`, `train_box_loss` or `learning_rate`: the inverse of `Role.name`.

    Raises:
        ValueError: There is no such role.
    """
    words = text.split("_")
    split = Split(words.pop(0)) if words[0] in {"train", "val", "test"} else Split.NONE
    if text == text.lower() and all(word.isalnum() for word in words):
        # The longest quantity first: `balanced_accuracy` is one, not a part of `accuracy`.
        for size in range(_LONGEST_QUANTITY, 0, -1):
            part, quantity = words[:-size], "_".join(words[-size:])
            if quantity in QUANTITIES:
                return Role(split, quantity, "_".join(part))
    raise ValueError(
        f"{_shown(text)} is no role, the nearest is {_nearest_role(text)!r}; "
        "a role is [train_|val_|test_][PART_]QUANTITY, such as val_loss, val_macro_f1 or learning_rate"
    )


def parse(name: str) -> Parsed | None:
    """What the name of a curve says; None where it is no curve to judge.

    Whole words count, whatever separates them. The last quantity in the name is the one measured (`Loss/accuracy`),
    the split nearest to it is the data (`train/val/box_loss`), and words that mean nothing here tell one curve of a
    quantity from another (`box`). A curve that names no split was measured in training.

    Args:
        name: Any text, a sub-directory in front of it where the store had one. The time taken is linear in its length.
    """
    words = words_of(name) if len(name) <= LONGEST_NAME else []
    if system := _system(words):
        return Parsed(system, Granularity.UNKNOWN)
    phrases = list(_phrases(words))
    marks = {phrase.mark for phrase in phrases if isinstance(phrase, _Marked)}
    measure = _measure(phrases)
    if measure is None or _Mark.NOT_JUDGED in marks:
        return None
    part = _part(phrases, measure, words)
    if part and measure.alone:
        return None
    role = Role(_split(phrases, measure), measure.role.quantity, part)
    granularity = next((each for each in (Granularity.EPOCH, Granularity.STEP) if each in marks), Granularity.UNKNOWN)
    return Parsed(role_named(role.name), granularity)


def assign(curves: Mapping[str, Curve], role_map: Mapping[str, str]) -> dict[Role, str]:
    """The name of the curve that plays each role in a run.

    Where several curves claim a role it goes, in this order, to the one the user mapped to it; to the coarsest (an
    aggregate for each epoch, then one whose name does not tell, then one for each step) of those with enough points
    to be judged; to the one with the most points; to the shortest name; to the first in the alphabet. The others play
    no role, and neither does a curve of a single point, nor one whose values its quantity cannot have.

    Args:
        curves: The settled curves of a run by name.
        role_map: Role names by curve name, over what the names say; `none` for no role.

    Raises:
        ValueError: `role_map` names a curve that the run does not have, a role that does not exist, or a role twice.
    """
    roles = _mapped(curves, role_map)
    claims: dict[Role, list[tuple[int, int, int, str]]] = {}
    directory = _run_directory(curves)
    for name, curve in curves.items():
        parsed = parse(name.removeprefix(directory))
        if parsed is None or name in role_map or parsed.role in roles or not _plausible(curve, parsed.role.measures):
            continue
        coarseness = list(Granularity).index(parsed.granularity) if len(curve) >= ENOUGH_POINTS else len(Granularity)
        claims.setdefault(parsed.role, []).append((coarseness, -len(curve), len(name), name))
    roles |= {role: min(claim)[-1] for role, claim in claims.items()}
    return dict(sorted(roles.items()))


def single_values(run: RunCurves) -> list[Curve]:
    """The curves of one usable point that measure held-out data by their names; they play no role."""
    held_out = {Split.VAL, Split.TEST}
    single = [curve.finite() for curve in run.curves.values() if len(curve) < LEAST_POINTS]
    return [
        curve
        for curve in single
        if len(curve)
        and (parsed := parse(curve.name))
        and parsed.role.split in held_out
        and parsed.role.measures.judged
    ]


def _mapped(curves: Mapping[str, Curve], role_map: Mapping[str, str]) -> dict[Role, str]:
    """The roles the user gave out."""
    roles: dict[Role, str] = {}
    for name, text in role_map.items():
        if name not in curves:
            near = difflib.get_close_matches(name[:LONGEST_NAME], curves, n=1, cutoff=0)
            raise ValueError(
                f"the run has no curve {_shown(name)} to map to {_shown(text)}"
                + (f"; the nearest is {_shown(near[0])}" if near else "; it has no curve at all")
            )
        if text == NO_ROLE:
            continue
        if (role := role_named(text)) in roles:
            raise ValueError(f"{text!r} is mapped twice, to {_shown(roles[role])} and to {_shown(name)}; keep one")
        roles[role] = name
    return roles


def _run_directory(curves: Mapping[str, Curve]) -> str:
    """`train/` where that names the run, not a split: in front of every curve, those of held-out data included."""
    directory = "train/"
    if not all(name.startswith(directory) for name in curves):
        return ""
    held_out = any(parsed.role.split in {Split.VAL, Split.TEST} for parsed in map(parse, curves) if parsed)
    return directory if held_out else ""


def _plausible(curve: Curve, quantity: Quantity) -> bool:
    """Whether a curve is one, with values that the score its name claims can have."""
    if len(curve) < LEAST_POINTS:
        return False
    values = curve.finite().values
    limited = quantity.bounded and quantity.kind is Kind.SCORE
    return not limited or not len(values) or bool(np.median(values) <= FULL_PERCENTAGE)


def _nearest_role(text: str) -> str:
    parsed = parse(text)
    if parsed:
        return parsed.role.name
    names = [Role(split, quantity).name for quantity in QUANTITIES for split in Split]
    return difflib.get_close_matches(text[:LONGEST_SHOWN].lower(), names, n=1, cutoff=0)[0]


def _shown(text: str) -> str:
    return repr(text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "...")


# How a name is read: as words, the words as phrases of the vocabulary.


class _Mark(Enum):
    """What a phrase does that names neither a quantity, nor a split, nor a granularity."""

    UNKNOWN = "unknown"
    FILLER = "filler"
    HELD_OUT = "held out"
    NOT_JUDGED = "not judged"


@dataclass(frozen=True, slots=True)
class _Marked:
    """The words of a name from `start` up to `end`, which say something about a measure."""

    start: int
    end: int
    text: str
    mark: Split | Granularity | _Mark


@dataclass(frozen=True, slots=True)
class _Measure:
    """The words of a name from `start` up to `end`, which say what is measured; `alone` as in the vocabulary."""

    start: int
    end: int
    text: str
    role: Role
    alone: bool

    @property
    def settled(self) -> bool:
        """Whether it belongs to the training itself, as a schedule or a norm does, and to no data."""
        return self.role.measures.kind in {Kind.CONTROL, Kind.NORM}


_Phrase: TypeAlias = "_Measure | _Marked"


def _phrases(words: Sequence[Word]) -> Iterator[_Phrase]:
    """The longest known phrases from left to right; an unknown word is a phrase of its own."""
    start = 0
    while start < len(words):
        size = min(_LONGEST_PHRASE, len(words) - start)
        while (key := texts(words[start : start + size])) not in _KNOWN and size > 1:
            size -= 1
        end = start + size
        text = spelled(words[start:end])
        known = _KNOWN.get(key, _Mark.UNKNOWN)
        if isinstance(known, tuple):
            yield _Measure(start, end, text, *known)
        else:
            if isinstance(known, Split) and end < len(words) and re.fullmatch("[0-9]", words[end].text):
                end += 1  # `valid_1`: which of several data sets
            yield _Marked(start, end, text, known)
        start = end


def _system(words: Sequence[Word]) -> Role | None:
    """The role of a name that says what the machine or the clock did, the numbers in it as its part.

    The longest phrase counts (`gpu memory` over `memory`). What was measured while evaluating is no part of training.
    """
    plain = [word.text for word in words if not word.text.isdigit()]
    if plain in (["epoch"], ["train", "epoch"], ["trainer", "epoch"]):
        return Role(Split.NONE, "epoch")
    if any(_KNOWN.get((word,)) in {Split.VAL, Split.TEST} for word in plain):
        return None
    spans = ((size, start) for size in range(_LONGEST_SYSTEM, 0, -1) for start in range(len(plain) - size + 1))
    for size, start in spans:
        if quantity := _SYSTEM.get(tuple(plain[start : start + size])):
            return Role(Split.NONE, quantity, "_".join(word.text for word in words if word.text.isdigit()))
    return None


def _measure(phrases: Sequence[_Phrase]) -> _Measure | None:
    """The measure that counts: a schedule or a norm wherever it stands, as layers follow it; else the last one."""
    measures = [phrase for phrase in phrases if isinstance(phrase, _Measure)]
    sure = [measure for measure in measures if not measure.alone] or measures
    settled = [measure for measure in sure if measure.settled]
    return next(iter(settled or reversed(sure)), None)


def _part(phrases: Sequence[_Phrase], measure: _Measure, words: Sequence[Word]) -> str:
    """What else the name says: `box` of `box_loss`, `layer1` of `grad_norm/layer1`, `dice` of `dice_loss`."""
    part, end = "", 0
    for phrase in phrases:
        text = phrase.text
        if isinstance(phrase, _Marked):
            # `lr0`, `lr_1`: the optimizer's groups of parameters share a schedule.
            numbered = measure.role.measures.kind is Kind.CONTROL and text.isdigit() and not part
            text = text if phrase.mark is _Mark.UNKNOWN and not numbered else ""
        elif phrase.role.quantity in {measure.role.quantity, *_HEADINGS}:
            text = phrase.role.part
        if text:
            part += text if phrase.start == end and words[end].glued else f"_{text}"
            end = phrase.end
    return "_".join(dict.fromkeys(filter(None, part.split("_"))))


def _split(phrases: Sequence[_Phrase], measure: _Measure) -> Split:
    """The split named nearest to the measure, the later of two as near; else the usual one."""
    if measure.settled:
        return Split.NONE
    marked = [phrase for phrase in phrases if isinstance(phrase, _Marked)]
    usual = measure.role.split
    if usual is Split.NONE:
        held_out = any(phrase.mark is _Mark.HELD_OUT for phrase in marked)
        usual = Split.VAL if held_out and measure.role.measures.kind is Kind.SCORE else Split.TRAIN
    named = [
        (max(measure.start - phrase.end, phrase.start - measure.end), -phrase.start, phrase.mark)
        for phrase in marked
        if isinstance(phrase.mark, Split)
    ]
    return min(named)[-1] if named else usual


_KNOWN: dict[tuple[str, ...], tuple[Role, bool] | Split | Granularity | _Mark] = {
    **{phrase: _Mark(key) for phrase, key in entries(MARKS)},
    **{phrase: Granularity(key) for phrase, key in entries(GRANULARITIES)},
    **{phrase: Split(key) for phrase, key in entries(SPLITS)},
    **{phrase: (role_named(key), True) for phrase, key in entries(ALONE)},
    **{phrase: (role_named(key), False) for phrase, key in entries(MEASURES)},
}
_LONGEST_PHRASE = max(map(len, _KNOWN))
_SYSTEM: dict[tuple[str, ...], str] = dict(entries(SYSTEM))
_LONGEST_SYSTEM = max(map(len, _SYSTEM))
