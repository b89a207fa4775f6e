"""The parsers of what others wrote, fed with whatever hypothesis finds; tests/fuzz does so for longer."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import eventlogs
from fuzz import targets

FUZZED = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])

RECORDS = [
    eventlogs.version(),
    eventlogs.record(eventlogs.scalar("loss", 0.5, 3)),
    eventlogs.record(eventlogs.tensor("acc", 0.25, 4)),
    eventlogs.record(eventlogs.tensor("hist", [[1, 2], [3, 4]], 5, "histograms")),
    eventlogs.record(eventlogs.hparams({"lr": 0.1, "name": "x"})),
    eventlogs.record(eventlogs.restart(2)),
]


@st.composite
def mangled(draw, pieces):
    """Sound pieces in any order, some bytes of them replaced, cut out or added."""
    data = bytearray(b"".join(draw(st.lists(st.sampled_from(pieces), max_size=12))))
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 9))] = draw(st.binary(max_size=9))
    return bytes(data)


@FUZZED
@given(st.one_of(st.binary(max_size=600), mangled(RECORDS)))
def test_event_files(data):
    """Whatever stands in one."""
    targets.events(data)


@FUZZED
@given(st.one_of(st.binary(max_size=400), mangled([b"1700000000000 0.5 1\n", b"1 nan\n", b"2 inf 3 set digest\r\n"])))
def test_metric_files(data):
    """Whatever stands in one."""
    targets.metrics(data)


PIECES = [
    b'select = ["fit"]\n',
    b'ignore = ["loss_spikes", "nope"]\n',
    b'[roles]\n"objective" = "val_loss"\n',
    b"[rules.overfitting]\nrise = 0.1\n",
    b"[rules.nope]\n",
    b"rise = nan\n",
    b"x = { y = [1, 2, {}] }\n",
]


@FUZZED
@given(st.one_of(st.binary(max_size=400), mangled(PIECES), st.text(max_size=200).map(lambda text: text.encode())))
def test_config_files(data):
    """Settings or one line."""
    targets.config(data)


@pytest.mark.parametrize("opening", [b"[" * 20_000, b"x = " + b"[" * 20_000, b"a." * 20_000 + b"b = 1"])
def test_deeply_nested_config_files(opening):
    """No recursion without an end."""
    targets.config(opening)
