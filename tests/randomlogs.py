"""Logs of random layouts: every way there is to write a scalar, between whatever else a writer may leave in a file."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.util.tensor_util import make_tensor_proto

from eventlogs import restart

__all__ = ["events", "values"]

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
steps = st.integers(-(2**40), 2**50) | st.integers(0, 300)
times = st.floats(1, 2e9)
numbers = st.floats(width=32)


@st.composite
def values(draw) -> Summary.Value:
    """A value of a summary: mostly a number, now and then anything else that a writer may leave there."""
    value = Summary.Value(tag=draw(st.sampled_from(["loss", "val/loss", "loss/a", "x" * 130]) | texts))
    kind = draw(st.sampled_from(["simple"] * 6 + ["tensor"] * 4 + ["listed", "shaped", "text", "histogram", "image"]))
    if kind == "simple":
        value.simple_value = draw(numbers)
    elif kind == "histogram":
        value.histo.CopyFrom(HistogramProto(num=3))
    elif kind == "image":
        value.image.encoded_image_string = draw(st.binary(max_size=5000))
    else:
        value.tensor.CopyFrom(draw(protos(kind)))
    plugin = draw(st.sampled_from(["", "", "scalars", "scalars", "histograms"]))
    if plugin or draw(st.booleans()):
        value.metadata.plugin_data.plugin_name = plugin
        value.metadata.plugin_data.content = draw(st.binary(max_size=3))
        value.metadata.summary_description = draw(st.sampled_from(["", "what it is", "long " * 300]))
    return value


@st.composite
def protos(draw, kind: str) -> TensorProto:
    """A tensor, its numbers in either field."""
    if kind == "text":
        return make_tensor_proto(np.array(b"some text"))
    dtype = np.dtype(draw(st.sampled_from(["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "?"])))
    array = np.frombuffer(draw(st.binary(min_size=dtype.itemsize, max_size=dtype.itemsize)), dtype)[0]
    array = np.asarray(bool(array) if dtype.kind == "b" else array, dtype)
    if kind == "shaped":
        return make_tensor_proto(np.full((2, 1), array))
    if kind == "listed":
        return make_tensor_proto(array)
    proto = TensorProto(dtype=make_tensor_proto(array).dtype, tensor_content=array.tobytes())
    if draw(st.booleans()):
        proto.tensor_shape.SetInParent()
    return proto


@st.composite
def events(draw) -> Event:
    """An event: mostly with one value, now and then with several, or with something else."""
    kind = draw(st.sampled_from(["value"] * 12 + ["values", "values", "graph", "version", "log", "restart"]))
    event = Event(wall_time=draw(times), step=draw(steps))
    if kind == "value":
        event.summary.value.append(draw(values()))
    elif kind == "values":
        event.summary.value.extend(draw(st.lists(values(), max_size=4)))
    elif kind == "graph":
        event.graph_def = draw(st.binary(max_size=200))
    elif kind == "version":
        event.file_version = draw(texts)
    elif kind == "log":
        event.log_message.message = "hello"
    else:
        event = restart(abs(event.step) % 200)
    return event
