"""From the params of many runs to what was varied between them: numbers, categories, and what only repeats a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from curve_analyzers.experiment.summary import RunSummary
from curve_analyzers.hyperparameters import Meaning, layer_sizes, meaning_of, number
from curve_analyzers.model import Floats, Ints

__all__ = ["CAPACITY", "REGULARIZATION", "Factor", "Params", "read_params"]

CAPACITY = (Meaning.DEPTH, Meaning.WIDTH, Meaning.MODEL_SIZE)
REGULARIZATION = (Meaning.DROPOUT, Meaning.WEIGHT_DECAY, Meaning.L1)
# They tell runs apart and set nothing.
IDENTIFIERS = frozenset(
    {
        *("trial", "trial_id", "trial_number", "run", "run_id", "run_name", "name", "experiment", "experiment_name"),
        *("job_id", "slurm_job_id", "pid", "port", "timestamp", "date", "time", "output_dir", "log_dir", "logdir"),
        *("save_dir", "checkpoint_dir", "version", "index", "idx"),
    }
)
A_VALUE_EACH = 0.5  # of the runs; text that has more different values than this names the run and sets nothing
LISTED = (Meaning.LAYER_SIZES, Meaning.WIDTH, Meaning.DEPTH)
MISSING = -1


@dataclass(frozen=True, slots=True, eq=False)
class Factor:
    """A param, or one side of it, that differs between runs.

    Attributes:
        name: What to call it: the param's name; `hidden_sizes (layers)` for one side of a list.
        param: The param as it was logged.
        meaning: What it sets, None where its name does not say.
        levels: The values there are as text, in order where they are numbers.
        codes: (n,) the place of each run's value in `levels`, -1 where it logged none.
        numbers: The levels as numbers, (k,), ascending; None for categories.
        also: Other params that never vary without this one: what they do cannot be told apart.
    """

    name: str
    param: str
    meaning: Meaning | None
    levels: tuple[str, ...]
    codes: Ints
    numbers: Floats | None
    also: tuple[Factor, ...] = ()

    @property
    def values(self) -> Floats:
        """(n,) the number of each run, NaN where it logged none; for categories their codes."""
        numbers = np.arange(len(self.levels), dtype=np.float64) if self.numbers is None else self.numbers
        return np.where(self.codes == MISSING, np.nan, numbers[self.codes])

    @property
    def counts(self) -> Ints:
        """(k,) how many runs have each level."""
        return np.bincount(self.codes[self.codes != MISSING], minlength=len(self.levels))

    @property
    def others(self) -> tuple[str, ...]:
        """Params that go with it in every run and set something else, or nobody knows what."""
        return tuple(other.name for other in self.also if other.meaning is not self.meaning)

    @property
    def params(self) -> tuple[str, ...]:
        """The params as they were logged, those that go with it too."""
        return tuple(dict.fromkeys([self.param, *(other.param for other in self.also)]))

    def seen_as(self, meanings: Iterable[Meaning]) -> Factor | None:
        """The factor, or of those that go with it the one, with one of some meanings; it keeps the rest in `also`."""
        wanted = set(meanings)
        every = (self, *self.also)
        for one in every:
            if one.meaning in wanted:
                return replace(one, also=tuple(replace(other, also=()) for other in every if other is not one))
        return None

    def of(self, keep: Ints) -> Factor:
        """The same of some runs only."""
        return replace(self, codes=self.codes[keep], also=tuple(other.of(keep) for other in self.also))

    def at(self, level: int) -> str:
        """A level in words, `learning_rate 0.1`."""
        return f"{self.name} {self.levels[level]}"


@dataclass(frozen=True, slots=True, eq=False)
class Params:
    """What was varied between runs.

    Attributes:
        factors: What differs, each once.
        configuration: (n,) the same number for runs that differ in nothing but what repeats a run (its seed).
        seeds: The params that only repeat a run, as they were logged.
    """

    factors: tuple[Factor, ...]
    configuration: Ints
    seeds: tuple[str, ...]


def read_params(runs: Sequence[RunSummary], meanings: Mapping[str, Meaning]) -> Params:
    """What was varied between runs.

    Args:
        runs: The runs.
        meanings: What a param means, by its name, over what the name says itself.
    """
    found: list[Factor] = []
    seeds: list[str] = []
    for name in sorted({name for run in runs for name in run.params}):
        meaning = meanings.get(name) or meaning_of(name)
        texts = [run.params.get(name) for run in runs]
        if meaning is Meaning.SEED:
            seeds += [name] if len(set(texts)) > 1 else []
        elif meaning is not Meaning.NONE and (name in meanings or not _identifies(name)):
            found += _factors(name, meaning, texts)
    factors = _merged(found)
    codes = np.array([factor.codes for factor in factors], np.int64).reshape(len(factors), len(runs)).T
    configuration = np.unique(codes, axis=0, return_inverse=True)[1] if factors else np.zeros(len(runs), np.int64)
    return Params(tuple(factors), configuration.reshape(-1), tuple(seeds))


def _identifies(name: str) -> bool:
    return name.lower().replace("-", "_").rpartition(".")[2] in IDENTIFIERS


def _factors(name: str, meaning: Meaning | None, texts: Sequence[str | None]) -> list[Factor]:
    """The factors that a param is: none where it does not vary, two for a list with the size of each layer."""
    distinct = {text for text in texts if text is not None}
    if len(distinct) < 2:  # noqa: PLR2004 - nothing varies
        return []
    if meaning in LISTED and (lists := _lists(distinct)):
        depths = [len(lists[text]) if text in lists else None for text in texts]
        widths = [max(lists[text]) if text in lists else None for text in texts]
        return [
            *_numeric(f"{name} (layers)", name, Meaning.DEPTH, depths),
            *_numeric(f"{name} (width)", name, Meaning.WIDTH, widths),
        ]
    numbers = {text: number(text) for text in distinct}
    if any(value is not None for value in numbers.values()) and all(
        value is not None or _is_nothing(text) for text, value in numbers.items()
    ):
        return _numeric(name, name, meaning, [None if text is None else numbers[text] for text in texts])
    if len(distinct) > A_VALUE_EACH * len(texts):
        return []
    levels = tuple(sorted(distinct))
    place = {text: code for code, text in enumerate(levels)}
    codes = np.array([MISSING if text is None else place[text] for text in texts], np.int64)
    return [Factor(name, name, meaning, levels, codes, None)]


def _is_nothing(text: str) -> bool:
    return text.strip().lower() in {"", "none", "null", "nan"}


def _lists(texts: Iterable[str]) -> dict[str, tuple[float, ...]]:
    """The lists of numbers that texts are; empty where none is one, or where one is something else."""
    lists = {text: layer_sizes(text) for text in texts}
    if not any(lists.values()):
        return {}
    single = {text: (value,) for text in texts if (value := number(text)) is not None}
    return {text: sizes for text, listed in lists.items() if (sizes := listed or single.get(text, ()))}


def _numeric(name: str, param: str, meaning: Meaning | None, numbers: Sequence[float | None]) -> list[Factor]:
    values = np.array([np.nan if value is None else value for value in numbers], np.float64)
    there = np.isfinite(values)
    levels, codes = np.unique(values[there], return_inverse=True)
    if len(levels) < 2:  # noqa: PLR2004 - nothing varies
        return []
    placed = np.full(len(values), MISSING, np.int64)
    placed[there] = codes
    return [Factor(name, param, meaning, tuple(f"{level:.6g}" for level in levels), placed, levels)]


def _merged(factors: Iterable[Factor]) -> list[Factor]:
    """Factors, those that part the runs in the same way as one: the one whose meaning is known, then by name."""
    order = list(Meaning)
    by_parting: dict[bytes, list[Factor]] = {}
    for factor in factors:
        by_parting.setdefault(_parting(factor), []).append(factor)
    merged = []
    for group in by_parting.values():
        known = sorted(group, key=lambda one: (order.index(one.meaning) if one.meaning else len(order), one.name))
        merged.append(replace(known[0], also=tuple(known[1:])))
    return sorted(merged, key=lambda factor: factor.name)


def _parting(factor: Factor) -> bytes:
    """The same for factors that part the runs in the same way.

    That is, they put the same runs together, whatever they call them; and where most runs have a number of their own,
    so that hardly any are put together, they put them in the same order or in its reverse.
    """
    codes = factor.codes
    if factor.numbers is not None and len(factor.levels) > A_VALUE_EACH * len(codes):
        reverse = np.where(codes == MISSING, MISSING, len(factor.levels) - 1 - codes)
        return b"order" + min(codes.tobytes(), reverse.tobytes())
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse.reshape(-1)].tobytes()
