"""What is fuzzed: each takes bytes, reads them as what they may claim to be, and checks what came out."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from mlflow_diagnose.config import load_settings
from mlflow_diagnose.errors import BadInputError
from mlflow_diagnose.readers.events.event_files import read_events
from mlflow_diagnose.readers.tracking.metric_files import parse

__all__ = ["TARGETS", "config", "events", "metrics"]

POINT_BYTES = 4  # no record is shorter, so that no file holds more points than a quarter of its bytes
FOLDER = Path(tempfile.mkdtemp(prefix="fuzz-"))


def events(data: bytes) -> None:
    """An event file: whatever is in it, what was read are points, no more than can be in so many bytes."""
    path = FOLDER / "events.out.tfevents"
    path.write_bytes(data)
    for verify in (False, True):
        found = read_events(path, verify=verify)
        total = 0
        for tag, points in found.points.items():
            assert isinstance(tag, str)
            assert points.steps.dtype == np.int64
            assert points.values.dtype == np.float64
            assert len(points.steps) == len(points.values) == len(points.wall_times)
            total += len(points)
        assert total <= len(data) // POINT_BYTES
        assert isinstance(found.trouble, str)
        assert "\n" not in found.trouble


def metrics(data: bytes) -> None:
    """A metric file of a file store: every line is a point or told as malformed."""
    (points,) = parse([data])
    assert len(points.steps) == len(points.values) == len(points.wall_times)
    assert len(points.steps) <= data.count(b"\n") + data.count(b"\r") + data.count(b"\x0b") + data.count(b"\x0c") + 1
    assert isinstance(points.trouble, str)


def config(data: bytes) -> None:
    """A config file: settings, or one line that says what is wrong."""
    path = FOLDER / "diagnose.toml"
    path.write_bytes(data)
    try:
        settings = load_settings(path)
    except BadInputError as error:
        assert str(path) in str(error) or "no rule is left" in str(error)  # noqa: PT017 - any of the two
    else:
        assert settings.rules


TARGETS = {"events": events, "metrics": metrics, "config": config}
