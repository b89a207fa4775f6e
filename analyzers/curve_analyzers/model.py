"""A run and its curves, as readers give them and as rules see them. Nothing here changes after it was made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from curve_analyzers.quantities import QUANTITIES, Direction, Kind, Quantity

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    "Curve",
    "Floats",
    "Ints",
    "RawCurve",
    "RawRun",
    "Role",
    "RunCurves",
    "Split",
    "StepUnit",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Split(str, Enum):
    """The data a curve was measured on."""

    TRAIN = "train"
    VAL = "val"
    TEST = "test"
    NONE = ""


class StepUnit(str, Enum):
    """What the steps of a curve count."""

    STEP = "step"  # whatever the user counted
    RANK = "rank"  # the logged steps told no order: 0, 1, 2, ... in order of time stands in for them


@dataclass(frozen=True, slots=True, order=True)
class Role:
    """What a curve is in its run: `val_loss`, `train_accuracy`, `learning_rate`.

    Attributes:
        split: The data it was measured on.
        quantity: A name in `quantities.QUANTITIES`.
        part: Which one of several, `box` of a box loss or `macro` of an F1; empty for the whole.
    """

    split: Split
    quantity: str
    part: str = ""

    TRAIN_LOSS: ClassVar[Role]
    VAL_LOSS: ClassVar[Role]
    LEARNING_RATE: ClassVar[Role]

    @property
    def name(self) -> str:
        """The role as it stands in JSON and on the command line, `val_box_loss`."""
        return "_".join(word for word in (self.split.value, self.part, self.quantity) if word)

    @property
    def measures(self) -> Quantity:
        """The quantity, with its direction."""
        return QUANTITIES[self.quantity]


Role.TRAIN_LOSS = Role(Split.TRAIN, "loss")
Role.VAL_LOSS = Role(Split.VAL, "loss")
Role.LEARNING_RATE = Role(Split.NONE, "learning_rate")


@dataclass(frozen=True, slots=True, eq=False)
class RawCurve:
    """The points of one metric as a store gave them, in the order they were written.

    Attributes:
        name: As the user logged it; for a run in several sub-directories with the sub-directory in front.
        steps: (n,) int64.
        values: (n,) float64, NaN and infinities included.
        wall_times: (n,) float64, seconds since 1970; None where the store has none.
    """

    name: str
    steps: Ints
    values: Floats
    wall_times: Floats | None = None


@dataclass(frozen=True, slots=True, eq=False)
class RawRun:
    """A run as a reader found it.

    Attributes:
        source: `mlflow` or `tensorboard`.
        run_id: What names the run in its store.
        name: What people call it.
        curves: Its metrics.
        params: Logged hyper-parameters, all as text.
        tags: The user's tags, all as text.
        status: The store's word for the run's state, `FINISHED`; empty where it has none.
        notes: One line for each thing the reader had to leave out or repair.
        experiment_id: The MLflow experiment it belongs to; empty where its reader does not tell.
        others: What the run's own event files hold of its metrics, where `curves` come from MLflow.
    """

    source: str
    run_id: str
    name: str
    curves: Sequence[RawCurve]
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    status: str = ""
    notes: Sequence[str] = ()
    experiment_id: str = ""
    others: Sequence[RawCurve] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One metric over a run: steps strictly increasing, arrays read-only.

    Attributes:
        name: As the user logged it.
        steps: (n,) int64, strictly increasing.
        values: (n,) float64; NaN and infinities only in `RunCurves.raw`.
        wall_times: (n,) float64, seconds since 1970, or None.
        step_unit: What the steps count.
        rewound: Points dropped because the step went back and the run wrote over them.
        duplicates: Points that shared their step with another and were merged into it.
        restarts: The steps at which a pass began that went back and wrote over earlier points, ascending.
    """

    name: str
    steps: Ints
    values: Floats
    wall_times: Floats | None = None
    step_unit: StepUnit = StepUnit.STEP
    rewound: int = 0
    duplicates: int = 0
    restarts: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for array in (self.steps, self.values, self.wall_times):
            if array is not None:
                array.setflags(write=False)

    def __len__(self) -> int:
        return len(self.values)

    def where(self, keep: npt.NDArray[np.bool_]) -> Self:
        """The points for which `keep`, shape (n,), is true."""
        times = None if self.wall_times is None else self.wall_times[keep]
        return replace(self, steps=self.steps[keep], values=self.values[keep], wall_times=times)

    def finite(self) -> Self:
        """The points whose value is a finite number."""
        keep = np.isfinite(self.values)
        return self if keep.all() else self.where(keep)

    def as_cost(self, quantity: Quantity) -> Self:
        """The curve with its sign turned, where needed, so that lower is better."""
        return replace(self, values=-self.values) if quantity.direction is Direction.HIGHER else self


@dataclass(frozen=True, slots=True, eq=False)
class RunCurves:
    """A run ready to be judged.

    `run[role]` is the finite part of a curve, `run.raw(role)` what was logged.

    Attributes:
        source: `mlflow` or `tensorboard`.
        run_id: What names the run in its store.
        name: What people call it.
        curves: Every curve by its name.
        roles: The name of the curve that plays each role.
        params: Logged hyper-parameters.
        tags: The user's tags.
        status: The store's word for the run's state.
        notes: What the reader had to leave out or repair.
        experiment_id: The MLflow experiment it belongs to; empty where its reader does not tell.
        others: The same metrics from the run's own event files, by role.
    """

    source: str
    run_id: str
    name: str
    curves: Mapping[str, Curve]
    roles: Mapping[Role, str]
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    status: str = ""
    notes: Sequence[str] = ()
    experiment_id: str = ""
    others: Mapping[Role, Curve] = field(default_factory=dict)

    def __contains__(self, role: Role) -> bool:
        return role in self.roles

    def __getitem__(self, role: Role) -> Curve:
        return self.raw(role).finite()

    def raw(self, role: Role) -> Curve:
        """The curve of a role with its NaN and infinities; KeyError where the run has none."""
        return self.curves[self.roles[role]]

    def cost(self, role: Role) -> Curve:
        """The finite curve of a role, its sign turned where needed so that lower is better."""
        return self[role].as_cost(role.measures)

    @property
    def training(self) -> tuple[Role, ...]:
        """What the run is judged on where it trains: its reward, else its loss, else its first score.

        Several where only the parts of a loss were logged (box, class, ...); empty where nothing was.
        """
        return self._objective((Split.TRAIN, Split.NONE), preferred=())

    @property
    def held_out(self) -> tuple[Role, ...]:
        """What the run is judged on where it does not train: the training's quantity, else its own first."""
        preferred = tuple(role.quantity for role in self.training)
        for split in (Split.VAL, Split.TEST):
            if found := self._objective((split,), preferred):
                return found
        return ()

    @property
    def learning(self) -> tuple[Role, ...]:
        """`training`, and where nothing was logged in training, `held_out`."""
        return self.training or self.held_out

    def pairs(self) -> list[tuple[Role, Role]]:
        """The same quantity in training and held out: of the objective if both have it, else of any score."""
        held_out = Split.VAL if any(role.split is Split.VAL for role in self.roles) else Split.TEST
        whole = [role for role in self.training if not role.part]
        scores = [role for role in self.scores(Split.TRAIN) if not role.part]
        for candidates in (whole or list(self.training), scores):
            if found := [(role, other) for role in candidates if (other := replace(role, split=held_out)) in self]:
                return found
        return []

    def beside(self) -> list[tuple[Role | None, Role]]:
        """Each held-out role and the training role to see it beside.

        That of the same quantity where both were logged; else the training's objective; None where nothing was.
        """
        training = self.training[0] if self.training else None
        return [*self.pairs()] or [(training, role) for role in self.held_out]

    def scores(self, split: Split) -> list[Role]:
        """The roles on a split whose quantity people report (accuracy, F1, ...), in order of preference."""
        order = list(QUANTITIES)
        found = [role for role in self.roles if role.split is split and role.measures.kind is Kind.SCORE]
        return sorted(found, key=lambda role: (order.index(role.quantity), role.part))

    def held_out_scores(self) -> list[Role]:
        """The scores on held-out data: of validation, then of the test set."""
        return [*self.scores(Split.VAL), *self.scores(Split.TEST)]

    def _objective(self, splits: tuple[Split, ...], preferred: tuple[str, ...]) -> tuple[Role, ...]:
        judged = [role for role in self.roles if role.split in splits and role.measures.judged]
        order = [*preferred, "reward", *QUANTITIES]
        judged.sort(key=lambda role: (order.index(role.quantity), role.part))
        if not judged:
            return ()
        first = judged[0]
        if not first.part or first.measures.kind is not Kind.LOSS:
            return (first,)
        return tuple(role for role in judged if role.quantity == first.quantity)
