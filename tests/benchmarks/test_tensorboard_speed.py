"""Every scalar point of a logdir as arrays: our reader beside the others and beside reading the bytes.

    python -m pytest -n0 tests/benchmarks --benchmark-only [--share 0.01] [-k "images and not tbparse"]

In the table of each logdir the figures in brackets are the ratios to the fastest.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from warnings import catch_warnings, simplefilter

import grpc
import numpy as np
import pytest
from tbparse import SummaryReader
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.data.proto.data_provider_pb2 import ReadScalarsRequest
from tensorboard.data.proto.data_provider_pb2_grpc import TensorBoardDataProviderStub
from tensorboard.util.tensor_util import make_ndarray

from benchmarks.logs import DATA_SETS
from benchmarks.targets import Target
from mlflow_diagnose.readers.tensorboard import TensorBoardReader

if TYPE_CHECKING:
    from benchmarks.logs import DataSet


def reading(data: str, reader: str) -> tuple[str, str]:
    """The benchmark of a reader on a logdir."""
    return data, f"test_reading[{data}-{reader}]"


ONE_FILE, MANY_RUNS, IMAGES, SMALL_RUNS = (DATA_SETS[place].name for place in (0, 2, 3, 4))
THE_COMMAND = ONE_FILE, "test_the_whole_command"
TARGETS = (
    Target(f"{ONE_FILE}: times tbparse", reading(ONE_FILE, "ours"), reading(ONE_FILE, "tbparse"), at_least=80),
    Target(f"{ONE_FILE}: times data-server", reading(ONE_FILE, "ours"), reading(ONE_FILE, "data_server"), at_least=2),
    Target(
        f"{MANY_RUNS}: times data-server", reading(MANY_RUNS, "ours"), reading(MANY_RUNS, "data_server"), at_least=1.5
    ),
    Target(f"{IMAGES}: share of reading the bytes", reading(IMAGES, "ours"), reading(IMAGES, "the_bytes"), at_most=3),
    Target(
        f"{SMALL_RUNS}: times data-server", reading(SMALL_RUNS, "ours"), reading(SMALL_RUNS, "data_server"), at_least=1
    ),
    Target("the whole command on 1 M scalars: times tbparse", THE_COMMAND, reading(ONE_FILE, "tbparse"), at_least=10),
)
COMMAND = "import sys; from mlflow_diagnose.cli import main; main(sys.argv[1:])"


def ours(folder: Path, _: DataSet, *, verify: bool = False) -> int:
    """This project's reader."""
    reader = TensorBoardReader(folder, verify=verify)
    return sum(len(curve.values) for run in reader.run_ids() for curve in reader.read(run).curves)


def ours_verified(folder: Path, data: DataSet) -> int:
    """The same, each record checked."""
    return ours(folder, data, verify=True)


def data_server(folder: Path, _: DataSet) -> int:
    """TensorBoard's own server in Rust, from its start to the arrays."""
    server = pytest.importorskip("tensorboard_data_server")
    with TemporaryDirectory() as scratch:
        port = Path(scratch, "port")
        options = ["--reload=once", "--samples-per-plugin=scalars=all", "--port=0", f"--port-file={port}"]
        command = [server.server_binary(), f"--logdir={folder}", "--die-after-stdin", "--verbose", *options]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert any("Finished load cycle" in line for line in process.stderr)
            with grpc.insecure_channel(
                f"localhost:{port.read_text().strip()}", [("grpc.max_receive_message_length", -1)]
            ) as channel:
                request = ReadScalarsRequest()
                request.plugin_filter.plugin_name = "scalars"
                request.downsample.num_points = 2**62
                response = TensorBoardDataProviderStub(channel).ReadScalars(request)
            process.kill()
    series = [tag.data for run in response.runs for tag in run.tags]
    points = [(np.array(each.step), np.array(each.value), np.array(each.wall_time)) for each in series]
    return sum(len(steps) for steps, _, _ in points)


def event_accumulator(folder: Path, data: DataSet) -> int:
    """TensorBoard's reader in Python, nothing sampled."""
    count = 0
    for run in {path.parent for path in folder.rglob("*tfevents*")}:
        events = EventAccumulator(str(run), size_guidance={"scalars": 0, "tensors": 0, "images": 1}).Reload()
        for tag in events.Tags()["tensors" if data.tensors else "scalars"]:
            if data.tensors:
                tensors = events.Tensors(tag)
                points = [(each.step, make_ndarray(each.tensor_proto).item(), each.wall_time) for each in tensors]
            else:
                points = [(each.step, each.value, each.wall_time) for each in events.Scalars(tag)]
            count += len(np.array(points))
    return count


def tbparse(folder: Path, data: DataSet) -> int:
    """The reader most people use."""
    with catch_warnings():
        simplefilter("ignore", DeprecationWarning)  # it sorts in a way that pandas 3 wants changed
        kind = "tensors" if data.tensors else "scalars"
        reader = SummaryReader(str(folder), event_types={kind}, extra_columns={"wall_time", "dir_name"})
        return len(getattr(reader, kind))


def the_bytes(folder: Path, _: DataSet) -> int:
    """No reader at all: every byte, and no point."""
    return 0 * sum(len(path.read_bytes()) for path in folder.rglob("*tfevents*"))


READERS = {ours: 5, ours_verified: 3, the_bytes: 5, data_server: 3, event_accumulator: 1, tbparse: 1}


@pytest.fixture(scope="module", params=DATA_SETS, ids=lambda data: data.name)
def laid_down(request, tmp_path_factory):
    """A logdir and what it is."""
    folder = tmp_path_factory.mktemp("logdir")
    yield folder, request.param, request.param.lay_down(folder, request.config.getoption("share"))
    shutil.rmtree(folder)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
def test_reading(benchmark, laid_down, reader):
    """Each reader finds all points there are."""
    folder, data, points = laid_down
    benchmark.group = data.name
    found = benchmark.pedantic(reader, (folder, data), rounds=READERS[reader])
    assert found == (0 if reader is the_bytes else points)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("laid_down", DATA_SETS[:1], indirect=True, ids=[""])
def test_the_whole_command(benchmark, laid_down):
    """From the start of Python to the JSON report of the one large file."""
    folder, data, _ = laid_down
    benchmark.group, benchmark.name = data.name, "test_the_whole_command"
    words = [COMMAND, "--logdir", folder, "--no-write", "--format", "json"]
    command = [sys.executable, "-c", *words]
    done = benchmark.pedantic(
        subprocess.run, (command,), {"capture_output": True, "check": True}, rounds=5, warmup_rounds=1
    )
    assert b'"verdict"' in done.stdout
