"""Deterministic example runs: the tests of a rule and the pictures of its documentation.

A shape is a function of the run's progress t in 0..1, so that the same run can be had twice as densely logged, in
another unit of loss, or on other steps, which is what `testing` does with it.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from curve_analyzers.model import Floats, Ints, RawCurve, RawRun, Role, RunCurves
from curve_analyzers.quantities import Kind
from curve_analyzers.roles import role_named
from curve_analyzers.settle import prepare

__all__ = [
    "Example",
    "ExampleRun",
    "Shape",
    "decay",
    "flat",
    "growth",
    "kick",
    "line",
    "run",
    "sawtooth",
    "step",
    "ticking",
    "valley",
]

START = 1.7e9  # when every example began, seconds since 1970
STEP_SECONDS = 10.0
SCALED = {Kind.LOSS, Kind.ERROR, Kind.REWARD, Kind.NORM}


@dataclass(frozen=True, slots=True)
class Shape:
    """A curve before it is sampled.

    Attributes:
        of: Progress t, shape (n,), 0..1, to values, shape (n,).
        noise: Standard deviation of the even noise on every point.
        heavy: Whether the noise has heavy tails (Student's t with 3 degrees of freedom).
        bumps: Where isolated jumps stand, as progress, and how high each is.
        bump_width: How long one lasts, in progress.
        holes: From which to which progress the value is lost, and what stands there instead.
        unit: What all values are whole multiples of; 0.0 where they are not.
    """

    of: Callable[[Floats], Floats]
    noise: float = 0.0
    heavy: bool = False
    bumps: Mapping[float, float] = field(default_factory=dict)
    bump_width: float = 0.017
    holes: tuple[tuple[float, float, float], ...] = ()
    unit: float = 0.0

    def noisy(self, noise: float, *, heavy: bool = False) -> Shape:
        """The same with even noise."""
        return replace(self, noise=noise, heavy=heavy)

    def bumped(self, bumps: Mapping[float, float], width: float = 0.017) -> Shape:
        """The same with isolated jumps that recover."""
        return replace(self, bumps=bumps, bump_width=width)

    def lost(self, start: float, end: float = 1.0, value: float = float("nan")) -> Shape:
        """The same with `value` from progress `start` to `end`."""
        return replace(self, holes=(*self.holes, (start, end, value)))

    def plus(self, other: Shape) -> Shape:
        """The same with the values of another shape on top."""
        return replace(self, of=lambda t: self.of(t) + other.of(t))

    def rounded(self, unit: float) -> Shape:
        """The same in whole multiples of `unit`, noise included: a share of few examples."""
        return replace(self, unit=unit)

    def sample(self, points: int, seed: int, scale: float = 1.0) -> Floats:
        """(points,) values in a unit `scale` times as small, the same for the same seed."""
        t = np.linspace(0.0, 1.0, points)
        random = np.random.default_rng(seed)
        drawn = random.standard_t(3, points) / np.sqrt(3.0) if self.heavy else random.standard_normal(points)
        values = self.of(t) + self.noise * drawn
        for at, height in self.bumps.items():
            values[np.abs(t - at) <= self.bump_width / 2] += height
        if self.unit:
            values = np.round(values / self.unit) * self.unit
        values = scale * values
        for start, end, value in self.holes:
            values[(t >= start) & (t <= end)] = value
        return np.asarray(values, np.float64)


def decay(start: float = 2.3, floor: float = 0.2, rate: float = 6.0, noise: float = 0.01) -> Shape:
    """Exponential fall from `start` towards `floor`; `rate` is how many times it falls by e."""
    return Shape(lambda t: floor + (start - floor) * np.exp(-rate * t), noise)


def valley(
    start: float = 2.3, floor: float = 0.5, turn: float = 0.4, end: float = 1.2, rate: float = 4.0, noise: float = 0.01
) -> Shape:
    """A fall to `floor` at progress `turn`, then a climb to `end`; `rate` as in `decay`, up to the turn."""

    def of(t: Floats) -> Floats:
        falling = np.expm1(-rate * np.minimum(t / turn, 1.0)) / np.expm1(-rate)
        return np.where(t < turn, start - (start - floor) * falling, floor + (end - floor) * (t - turn) / (1 - turn))

    return Shape(of, noise)


def line(start: float, end: float, noise: float = 0.01) -> Shape:
    """A straight way from `start` to `end`."""
    return Shape(lambda t: start + (end - start) * t, noise)


def flat(level: float, noise: float = 0.01) -> Shape:
    """The same value throughout."""
    return Shape(lambda t: np.full_like(t, level), noise)


def step(before: float, after: float, at: float, noise: float = 0.01) -> Shape:
    """One level up to progress `at`, another from there on."""
    return Shape(lambda t: np.where(t < at, before, after), noise)


def growth(start: float, end: float, since: float = 0.0) -> Shape:
    """Exponential growth from `start` to `end` since progress `since`; both positive."""
    return Shape(lambda t: start * (end / start) ** np.clip((t - since) / (1 - since), 0.0, 1.0))


def kick(height: float, at: float, rate: float = 15.0) -> Shape:
    """For `plus`: zero up to progress `at`, then a jump to `height` that decays; `rate` as in `decay`."""
    return Shape(lambda t: np.where(t < at, 0.0, height * np.exp(-rate * np.maximum(t - at, 0.0))))


def sawtooth(base: Shape, swing: float, period: float = 0.1, growing: float = 1.0) -> Shape:
    """`base` with a swing up and down of half-height `swing`; `growing` is how many times higher it ends."""

    def of(t: Floats) -> Floats:
        size = swing * growing**t * (1 - np.exp(-12 * t))
        return np.asarray(base.of(t) + size * (2 * np.abs(2 * ((t / period) % 1.0) - 1) - 1), np.float64)

    return Shape(of, base.noise)


def ticking(
    seconds: float,
    *,
    stalls: Mapping[float, float] | None = None,
    pauses: tuple[int, float] = (0, 0.0),
    slower: tuple[float, float] = (1.0, 1.0),
) -> Callable[[Floats], Floats]:
    """A clock: even steps that take `seconds` in all, and what is put between them.

    Args:
        seconds: What the run takes without all of the following.
        stalls: The progress at which it stands still, and for how many seconds.
        pauses: How many times it pauses at even distances, and for how many seconds.
        slower: From which progress on a step takes how many times as long.
    """

    def clock(t: Floats) -> Floats:
        passed = seconds * (t + (slower[1] - 1) * np.maximum(t - slower[0], 0.0)) + np.floor(pauses[0] * t) * pauses[1]
        return np.asarray(passed + sum(length * (t > at) for at, length in (stalls or {}).items()), np.float64)

    return clock


@dataclass(frozen=True, slots=True)
class ExampleRun:
    """Shapes by role name, how many points each has, and what else the run logged.

    `scaled` are hyper-parameters in the unit of the loss, such as a clip norm: they change with it. `clock` turns
    progress t, shape (n,), into the seconds since the start; ten for each step where None.
    """

    shapes: Mapping[str, Shape]
    points: int = 60
    sparse: Mapping[str, int] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    steps: Callable[[Ints], Ints] | None = None
    clock: Callable[[Floats], Floats] | None = None
    scaled: Mapping[str, float] = field(default_factory=dict)
    others: Mapping[str, Shape] = field(default_factory=dict)
    other_steps: Callable[[Ints], Ints] | None = None

    def build(self, *, density: int = 1, scale: float = 1.0, offset: int = 0) -> RunCurves:
        """The run, logged `density` times as densely, its losses times `scale`, its steps moved by `offset`."""
        roles = {name: role_named(name) for name in self.shapes}
        curves = [self._curve(name, self.shapes[name], role, density, scale) for name, role in roles.items()]
        curves = [replace(curve, steps=_on(curve.steps, self.steps) + offset) for curve in curves]
        others = [self._curve(name, shape, role_named(name), density, scale) for name, shape in self.others.items()]
        others = [replace(curve, steps=_on(curve.steps, self.other_steps or self.steps) + offset) for curve in others]
        params = {**self.params, **{name: f"{scale * value:g}" for name, value in self.scaled.items()}}
        raw = RawRun("example", "example", "example", curves, params, others=others)
        return prepare(raw, {name: name for name in (*roles, *self.others)})

    def _curve(self, name: str, shape: Shape, role: Role, density: int, scale: float) -> RawCurve:
        points = self.sparse.get(name, self.points) * density
        scaled = role.measures.kind in SCALED and not role.measures.bounded
        values = shape.sample(points, zlib.crc32(name.encode()), scale if scaled else 1.0)
        steps = np.linspace(0, self.points * density, points, endpoint=False).astype(np.int64)
        progress = np.arange(points) / points
        seconds = self.clock(progress) if self.clock else STEP_SECONDS * self.points * progress
        return RawCurve(name, steps, values, START + seconds)


def _on(steps: Ints, logged: Callable[[Ints], Ints] | None) -> Ints:
    return logged(steps) if logged else steps


@dataclass(frozen=True, slots=True)
class Example:
    """What a run shows, in a phrase, and the run."""

    title: str
    run: ExampleRun


def run(
    points: int = 60,
    *,
    sparse: Mapping[str, int] | None = None,
    params: Mapping[str, object] | None = None,
    steps: Callable[[Ints], Ints] | None = None,
    clock: Callable[[Floats], Floats] | None = None,
    scaled: Mapping[str, float] | None = None,
    others: Mapping[str, Shape] | None = None,
    other_steps: Callable[[Ints], Ints] | None = None,
    **shapes: Shape,
) -> ExampleRun:
    """An example run from shapes by role name.

    Args:
        points: How many points each curve has.
        sparse: Another number of points, by role name, spread over the same steps.
        params: Logged hyper-parameters.
        steps: Turns the steps 0, 1, 2, ... into what was logged instead.
        clock: Turns progress t in 0..1 into the seconds since the start; ten for each step where None.
        scaled: Logged hyper-parameters in the unit of the loss.
        others: What the run's own event files hold, by role name.
        other_steps: Their steps, as `steps`; None for the same.
        **shapes: `train_loss=decay()`, ...
    """
    texts = {name: str(value) for name, value in (params or {}).items()}
    return ExampleRun(shapes, points, sparse or {}, texts, steps, clock, scaled or {}, others or {}, other_steps)
