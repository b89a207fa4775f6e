"""Logs of random layouts: every way there is to write a scalar, between whatever else a writer may leave in a file."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.util.tensor_util import make_tensor_proto

from eventlogs import restart

__all__ = ["consistent_logs", "events", "values"]

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


NUMBERS = ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "?"]  # of tensors that TensorBoard turns into arrays


@st.composite
def layouts(draw) -> dict:
    """How a program writes one of its tags: as what, and where it names the plugin."""
    return {
        "kind": draw(st.sampled_from(["simple"] * 4 + ["tensor"] * 4 + ["shaped", "text", "histogram", "image"])),
        "dtype": draw(st.sampled_from(NUMBERS)),
        "packed": draw(st.booleans()),
        "plugin": draw(st.sampled_from(["scalars", "scalars", "", "mine"])),
        "named": draw(st.sampled_from(["first", "always", "never"])),
        "description": draw(st.sampled_from(["", "what it is", "long " * 300])),
    }


@st.composite
def consistent_logs(draw) -> list[list[Event]]:
    """The events of each file of a run in which every tag is written in one way, as programs do, restarts included."""
    tags = draw(
        st.dictionaries(st.sampled_from(["loss", "val/loss", "loss/a", "x" * 130]) | texts, layouts(), max_size=6)
    )
    files = []
    for _ in range(draw(st.integers(1, 3))):
        unnamed = {tag for tag, layout in tags.items() if layout["named"] != "never"}
        written = []
        for _ in range(draw(st.integers(0, 20))):
            kind = draw(st.sampled_from(["values"] * 12 + ["graph", "log", "restart"]))
            event = Event(wall_time=draw(times), step=draw(steps))
            if kind == "restart":
                event = restart(draw(st.integers(0, 200)))
            elif kind == "graph":
                event.graph_def = draw(st.binary(max_size=200))
            elif kind == "log":
                event.log_message.message = "hello"
            else:
                for tag in draw(st.lists(st.sampled_from(sorted(tags)), max_size=3)) if tags else ():
                    event.summary.value.append(draw(laid_out(tag, tags[tag], named=tag in unnamed)))
                    if tags[tag]["named"] == "first":
                        unnamed.discard(tag)
            written.append(event)
        files.append(written)
    return files


@st.composite
def laid_out(draw, tag: str, layout: dict, *, named: bool) -> Summary.Value:
    """A value of a tag."""
    value = Summary.Value(tag=tag)
    if layout["kind"] == "simple":
        value.simple_value = draw(numbers)
    elif layout["kind"] == "histogram":
        value.histo.CopyFrom(HistogramProto(num=3))
    elif layout["kind"] == "image":
        value.image.encoded_image_string = draw(st.binary(max_size=5000))
    elif layout["kind"] == "text":
        value.tensor.CopyFrom(make_tensor_proto(np.array(b"1.5")))
    else:
        dtype = np.dtype(layout["dtype"])
        bits = draw(st.binary(min_size=dtype.itemsize, max_size=dtype.itemsize))
        number = np.asarray(bool(bits[0]) if dtype.kind == "b" else np.frombuffer(bits, dtype)[0], dtype)
        made = make_tensor_proto(np.full((2, 1), number) if layout["kind"] == "shaped" else number)
        if layout["packed"] and layout["kind"] == "tensor":
            made = TensorProto(dtype=made.dtype, tensor_content=number.tobytes())
        value.tensor.CopyFrom(made)
    if named:
        value.metadata.plugin_data.plugin_name = layout["plugin"]
        value.metadata.summary_description = layout["description"]
    return value
