"""Logdirs behind a URL: on fsspec's own file system in memory, and on S3's protocol, spoken by a real server."""

from __future__ import annotations

import sys
from pathlib import Path

import fsspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary

import eventlogs
from eventlogs import curve, flipped, hparams, record, restart, version
from mlflow_diagnose.errors import BadInputError, ReadError
from mlflow_diagnose.readers import open_source, remote
from randomlogs import consistent_logs

BUCKET = "bucket"
NAME = "events.out.tfevents.1700000000.host.1.0"


@pytest.fixture
def memory():
    """An empty file system."""
    files = fsspec.filesystem("memory")
    yield files
    files.rm("/", recursive=True)


@pytest.fixture(scope="module")
def s3_endpoint():
    """The address of a server that speaks S3's protocol."""
    moto = pytest.importorskip("moto.server")
    pytest.importorskip("s3fs")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_endpoint, monkeypatch):
    """The file system of an empty bucket."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "me",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_endpoint)
    files = fsspec.filesystem("s3", skip_instance_cache=True)
    files.mkdir(BUCKET)
    yield files
    files.rm(BUCKET, recursive=True)


@pytest.fixture(params=["memory", "s3"])
def place(request):
    """A file system and the URL of a folder in it."""
    return request.getfixturevalue(request.param), f"{request.param}://{BUCKET}/runs"


def upload(files, folder: Path, to: str):
    """Copy a local folder there."""
    for path in folder.rglob("*"):
        if path.is_file():
            files.pipe(f"{to}/{path.relative_to(folder).as_posix()}", path.read_bytes())


def as_read(run):
    """A run as it can be compared, the arrays to the bit."""
    curves = {
        each.name: (each.steps.tobytes(), each.values.tobytes(), each.wall_times.tobytes()) for each in run.curves
    }
    return run.run_id, run.name, curves, dict(run.params), list(run.notes)


def assert_same(url, folder, **options):
    """All that is behind the URL is read as it is from the folder; the ids of its runs."""
    there, here = open_source(logdir=url, **options), open_source(logdir=folder, **options)
    assert list(there.run_ids()) == list(here.run_ids())
    for run_id in here.run_ids():
        assert as_read(there.read(run_id)) == as_read(here.read(run_id))
    return list(here.run_ids())


def test_a_remote_logdir_is_read_as_a_local_one(place, tmp_path):
    """The same runs, curves and points; halves in sub-directories join; what is damaged is told; a large file too."""
    files, url = place
    folder = tmp_path / "runs"
    for half, shift in (("train", 0.0), ("validation", 0.5)):
        eventlogs.write(folder / "a" / half, curve("loss", [3.0 + shift, 2.0, 1.0]))
    eventlogs.write(folder / "b c" / "é", [hparams({"lr": 0.1}), *curve("loss", [1.0, 0.5])])
    eventlogs.write_bytes(folder / "damaged", [version(), flipped(record(curve("loss", [1])[0]), 12), b"cut"])
    eventlogs.write_bytes(folder / "empty", [])
    (folder / "a" / "checkpoint.pt").write_bytes(b"not ours to read")
    upload(files, folder, f"{BUCKET}/runs")
    assert assert_same(url, folder) == ["a", "b c/é", "damaged", "empty"]
    assert assert_same(url, folder, verify=True)
    assert assert_same(f"{url}/b c/é", folder / "b c" / "é") == ["."]


@given(consistent_logs(), st.integers(40, 400), st.booleans(), st.integers(0, 5000))
@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
def test_random_logs_in_small_pieces(memory, tmp_path_factory, logged, piece, verify, damage):
    """However small the pieces that are fetched, and wherever a byte is wrong, it is what reading at once gives."""
    folder = tmp_path_factory.mktemp("log") / "runs"
    for number, events in enumerate(logged):
        data = b"".join([version(), *map(record, events)])
        if damage < len(data):
            data = flipped(data, damage)
        eventlogs.write_bytes(folder, [data], f"events.out.tfevents.170000000{number}.host.1.0")
    memory.rm("/", recursive=True)
    upload(memory, folder, f"/{BUCKET}/runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(remote, "CHUNK_BYTES", piece)
        assert_same(f"memory://{BUCKET}/runs", folder, verify=verify)


def test_pictures_larger_than_a_piece(memory, monkeypatch):
    """They are fetched whole up to a size, for a number may stand beside one, and left out above it, which is told."""
    monkeypatch.setattr(remote, "CHUNK_BYTES", 100)
    monkeypatch.setattr(remote, "MOST_RECORD_BYTES", 4000)

    def picture(size, step):
        image = Summary.Image(encoded_image_string=bytes(size))
        values = [Summary.Value(tag="p", image=image), Summary.Value(tag="beside", simple_value=step)]
        return record(Event(step=step, summary=Summary(value=values)))

    frames = [version(), picture(1000, 1), *map(record, curve("loss", [3, 2])), picture(9000, 2), picture(1000, 3)]
    memory.pipe(f"/{BUCKET}/{NAME}", b"".join(frames))
    run = open_source(logdir=f"memory://{BUCKET}").read(".")
    assert {each.name: each.values.tolist() for each in run.curves} == {"beside": [1, 3], "loss": [3, 2]}
    at = sum(map(len, frames[:4]))
    assert list(run.notes) == [f"{NAME}: a record of {len(frames[4])} bytes at byte {at} was left out"]
    memory.pipe(f"/{BUCKET}/{NAME}", b"".join(frames[:5])[:-1])
    assert list(open_source(logdir=f"memory://{BUCKET}").read(".").notes) == [f"{NAME}: the last record is cut off"]


def test_a_large_file_that_is_none(memory, monkeypatch):
    """It is given up before all of it is in memory."""
    monkeypatch.setattr(remote, "CHUNK_BYTES", 100)
    monkeypatch.setattr(remote, "MOST_RECORD_BYTES", 400)
    memory.pipe(f"/{BUCKET}/{NAME}", b"x" * 10_000)
    fetched = []
    fetch = remote.RemoteFolder._fetch  # noqa: SLF001 - how much is fetched shows nowhere else

    def noted(self, wanted):
        fetched.extend(stop - start for _, start, stop in wanted)
        return fetch(self, wanted)

    monkeypatch.setattr(remote.RemoteFolder, "_fetch", noted)
    assert list(open_source(logdir=f"memory://{BUCKET}").read(".").notes) == [f"{NAME}: not an event file"]
    assert fetched == [100, 200, 400, 800]


def test_a_remote_logdir_that_grows(place, tmp_path):
    """Of what was uploaded anew only the end is fetched; a run that did not change is not named."""
    files, url = place
    frames = [
        version(),
        *map(record, curve("loss", [4, 3, 2])),
        record(restart(1)),
        *map(record, curve("loss", [9], first=1)),
    ]
    reader = open_source(logdir=url)
    for count in range(2, len(frames) + 1):
        eventlogs.write_bytes(tmp_path / "runs" / "a", frames[:count])
        eventlogs.write_bytes(tmp_path / "runs" / "b", frames[:2])
        if count > 2:
            files.pipe(f"{BUCKET}/runs/a/{NAME}", b"".join(frames[:count]))
        else:
            upload(files, tmp_path / "runs", f"{BUCKET}/runs")
        assert reader.grown() == (["a", "b"] if count == 2 else ["a"])
        assert as_read(reader.read("a")) == as_read(open_source(logdir=tmp_path / "runs").read("a"))
    files.pipe(f"{BUCKET}/runs/a/{NAME}", b"".join(map(record, curve("loss", [7, 6], start=eventlogs.START + 60))))
    assert reader.grown() == ["a"]
    assert reader.read("a").curves[0].values.tolist() == [7, 6]


def test_nothing_there_is_told(place):
    """With the URL, and not with a folder of this machine."""
    files, url = place
    files.pipe(f"{BUCKET}/runs/notes.txt", b"x")
    with pytest.raises(BadInputError, match=rf"^logdir {url} holds no TensorBoard event file"):
        open_source(logdir=url).run_ids()


@pytest.mark.parametrize(
    ("url", "told"), [("nosuch://x/y", "Protocol not known"), ("s3://x/y", r"mlflow-diagnose\[s3\]")]
)
def test_an_unknown_file_system_is_told(url, told, monkeypatch):
    """A scheme nobody knows, and one whose driver is an extra."""
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, "s3", raising=False)  # noqa: SLF001 - it remembers
    with pytest.raises(BadInputError, match=told):
        open_source(logdir=url).run_ids()


def test_a_store_that_fails_is_told_without_its_password(monkeypatch):
    """One line, of the class that exits with 3."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("denied for https://me:secret@host/x\nstack of layers")

    monkeypatch.setattr(fsspec.filesystem("memory"), "find", refuse)
    with pytest.raises(ReadError, match=r"^memory://bucket could not be read: denied for https://host/x$"):
        open_source(logdir="memory://bucket").run_ids()


def test_a_file_that_cannot_be_fetched_costs_itself(memory, monkeypatch):
    """Its neighbours are read, and a note tells why it is not."""
    for name in "ab":
        memory.pipe(f"/{BUCKET}/runs/{name}/{NAME}", b"".join(map(record, curve("loss", [4, 3]))))
    cat_file = type(memory).cat_file

    def refuse(self, path, *args, **kwargs):
        if "/a/" in path:
            raise PermissionError(f"no access to s3://me:secret@{path}")
        return cat_file(self, path, *args, **kwargs)

    monkeypatch.setattr(type(memory), "cat_file", refuse)
    one, other = open_source(logdir=f"memory://{BUCKET}/runs").read_many(["a", "b"])
    assert (list(one.curves), len(other.curves[0].values)) == ([], 2)
    assert list(one.notes) == [f"a/{NAME}: could not be read: no access to s3:///bucket/runs/a/{NAME}"]


def test_a_place_that_is_not_there(place):
    """No such folder, and no such bucket."""
    _, url = place
    for missing in (f"{url}/nosuch", url.replace(BUCKET, "nosuchbucket")):
        with pytest.raises(BadInputError, match=rf"^logdir {missing} does not exist$"):
            open_source(logdir=missing).run_ids()
