"""The records of which no two are alike, one by one: protobuf reads them, as it would read any."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from warnings import catch_warnings, simplefilter

import numpy as np
from google.protobuf.message import DecodeError
from tensorboard.compat.proto import types_pb2 as types
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.summary.writer.record_writer import RecordWriter
from tensorboard.util.tensor_util import make_ndarray

from mlflow_diagnose.readers.events.scalars import NUMERIC, OTHER, SCALAR_PLUGINS, SIMPLE, TENSOR

if TYPE_CHECKING:
    from tensorboard.compat.proto.tensor_pb2 import TensorProto

__all__ = ["OddRecord", "OddValue", "parse", "read_hparams"]

SESSION_START = "_hparams_/session_start_info"


@dataclass(frozen=True, slots=True)
class OddValue:
    """A value of a summary: its tag, the plugin it names, what it is, and its number where it is one."""

    tag: str
    plugin: str
    kind: int
    number: float


@dataclass(frozen=True, slots=True)
class OddRecord:
    """What protobuf found in a record.

    Attributes:
        time: Its wall time, seconds since 1970.
        step: Its step.
        values: Its values, in their order.
        is_version: Whether it only names the file's version.
        is_restart: Whether it says that training ran again from its step on.
        has_hparams: Whether it is one for `read_hparams`.
        is_damaged: Whether a value in it claims to be a number and holds none.
    """

    time: float
    step: int
    values: list[OddValue]
    is_version: bool
    is_restart: bool
    has_hparams: bool
    is_damaged: bool


def parse(payload: bytes) -> OddRecord | None:
    """The record, None where it is no event."""
    try:
        event = Event.FromString(payload)
    except DecodeError:
        return None
    values: list[OddValue] = []
    has_hparams = is_damaged = False
    for value in event.summary.value:
        plugin = value.metadata.plugin_data.plugin_name
        kind, number = OTHER, 0.0
        try:
            if plugin == "hparams" and value.tag == SESSION_START:
                has_hparams = True
            elif value.HasField("simple_value"):
                kind, number = SIMPLE, value.simple_value
            elif value.HasField("tensor") and plugin in SCALAR_PLUGINS and _is_scalar(value.tensor):
                kind, number = TENSOR, _number(value.tensor)
        except (ValueError, OverflowError):
            is_damaged = True
        values.append(OddValue(value.tag, plugin, kind, number))
    return OddRecord(
        event.wall_time,
        event.step,
        values,
        is_version=event.WhichOneof("what") == "file_version",
        is_restart=event.session_log.status == SessionLog.START,
        has_hparams=has_hparams,
        is_damaged=is_damaged,
    )


def read_hparams(record: bytes) -> dict[str, str]:
    """The hyper-parameters of a record in `EventFile.hparams`, numbers without a trailing `.0`.

    Raises:
        ValueError: The record does not hold what its name promises.
    """
    # Slow to import, and few files hold any.
    from tbparse import SummaryReader  # noqa: PLC0415 - see above

    # The record goes alone: given the whole file, tbparse reads every point of it and stops where it is damaged.
    with TemporaryDirectory() as folder, catch_warnings():
        simplefilter("ignore", DeprecationWarning)  # tbparse sorts in a way that pandas 3 wants changed
        path = Path(folder, "tfevents")
        with path.open("wb") as file:
            RecordWriter(file).write(record)
        try:
            table = SummaryReader(str(path), event_types={"hparams"}).hparams
        except (AssertionError, DecodeError) as error:
            raise ValueError("hyper-parameters are malformed") from error
    if table.empty:
        return {}
    # The plugin keeps every number as a float.
    return {
        str(name): str(value).removesuffix(".0") if isinstance(value, float) else str(value)
        for name, value in zip(table["tag"], table["value"], strict=True)
    }


def _is_scalar(tensor: TensorProto) -> bool:
    shape = tensor.tensor_shape
    return tensor.dtype in NUMERIC and not shape.dim and not shape.unknown_rank


def _number(tensor: TensorProto) -> float:
    """The number in a tensor of rank 0.

    Raises:
        ValueError: There is none, or there are several.
        OverflowError: It does not fit the tensor's type.
    """
    if tensor.dtype in {types.DT_HALF, types.DT_BFLOAT16}:  # make_ndarray does to halves what numpy 2.5 warns of
        listed = b"".join(bits.to_bytes(2, "little") for bits in tensor.half_val)
        packed = np.frombuffer(tensor.tensor_content or listed, "<u2")
        if tensor.dtype == types.DT_HALF:
            return float(packed.view(np.float16).reshape(()))
        return float((packed.astype(np.uint32) << 16).view(np.float32).reshape(()))  # the upper half of a float32
    if tensor.dtype in {types.DT_UINT32, types.DT_UINT64} and not tensor.tensor_content:  # unknown to make_ndarray
        return float(np.array([*tensor.uint32_val, *tensor.uint64_val], np.uint64).reshape(()))
    return float(make_ndarray(tensor))
