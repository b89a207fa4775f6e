"""MLflow file stores, read from their files: what MLflow gives where it can read them, and more where it cannot."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curve_analyzers.findings import Report
from curve_analyzers.model import RawCurve, RawRun
from curve_analyzers.settle import prepare
from mlflow_diagnose.errors import BadInputError, ReadError, RunNotFoundError, WriteError
from mlflow_diagnose.readers import open_source
from mlflow_diagnose.readers.mlflow import MlflowReader
from mlflow_diagnose.readers.mlflow_files import MlflowFilesReader, folder_of
from mlflow_diagnose.readers.tracking import metric_files
from mlflow_diagnose.readers.tracking.metric_files import parse
from mlflow_diagnose.writers.mlflow_artifacts import MlflowArtifacts
from mlflow_diagnose.writers.mlflow_tags import MlflowTags
from rawruns import LOGGED, assert_same, client_at, lay_down

ALLOW = "MLFLOW_ALLOW_FILE_STORE"


@pytest.fixture(scope="module")
def laid_down(tmp_path_factory):
    """A store as MLflow makes it, with one run in it, and the run's id."""
    folder = tmp_path_factory.mktemp("store") / "mlruns"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(ALLOW, "true")
        return folder, lay_down(str(folder))


@pytest.fixture
def store(laid_down, tmp_path, monkeypatch):
    """A copy of that store to harm, the folder of its run, and MLflow not told that it may open it."""
    monkeypatch.delenv(ALLOW, raising=False)
    folder, run_id = laid_down
    shutil.copytree(folder, tmp_path / "mlruns")
    return tmp_path / "mlruns", tmp_path / "mlruns" / "0" / run_id


def report(run_id):
    """The report of a healthy run."""
    run = prepare(RawRun("mlflow", run_id, "a run", [RawCurve("val_loss", np.arange(3), np.array([3.0, 1.0, 2.0]))]))
    return Report(run, "healthy", "healthy", (), (), {}, (), "f1")


def everything_in(folder):
    """Every path below a folder with what is in it and when it changed."""
    return {path: (path.stat().st_mtime_ns, path.is_file() and path.read_bytes()) for path in folder.rglob("*")}


def points(*contents):
    """The steps, values and wall times of metric files, and what is told of each."""
    return [
        (each.steps.tolist(), each.values.tolist(), each.wall_times.tolist(), each.trouble) for each in parse(contents)
    ]


class TestReading:
    """What MLflow can read is read alike."""

    @pytest.mark.parametrize("many", [False, True])
    def test_as_mlflow_gives_it(self, store, monkeypatch, many):
        """Every point in its order, names, params, tags and state."""
        folder, run = store
        reader = MlflowFilesReader(folder)
        ours = next(iter(reader.read_many([run.name]))) if many else reader.read(run.name)
        monkeypatch.setenv(ALLOW, "true")
        assert_same(ours, MlflowReader(str(folder)).read(run.name))
        assert [curve.name for curve in ours.curves] == sorted(LOGGED)
        assert dict(ours.tags) == {"team": "vision", "a b": "é"}

    def test_nothing_changes_and_no_mlflow_is_loaded(self, store):
        """Opening a store with MLflow adds `.trash`; reading it takes no second either."""
        folder, run = store
        (folder / ".trash").rmdir()
        before = everything_in(folder)
        program = (
            "import sys; from mlflow_diagnose.readers import open_source; "
            f"open_source({str(folder)!r}).read({run.name!r}); print(*sys.modules)"
        )
        loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
        assert everything_in(folder) == before
        assert not {"mlflow", "pandas", "pyarrow", "scipy"} & set(loaded.split())

    def test_the_uris_of_a_store(self, store, monkeypatch):
        """A path, a relative one, one with blanks as a URI, and MLflow's default."""
        folder, run = store
        monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
        monkeypatch.chdir(folder.parent)
        spaced = folder.parent / "my runs"
        shutil.copytree(folder, spaced)
        for uri in (str(folder), f"{folder}/", "mlruns", "./mlruns", folder.as_uri(), spaced.as_uri(), None):
            assert open_source(uri).run_ids() == [run.name]
        for other in ("databricks", "databricks://profile", "sqlite:///mlflow.db", "http://host"):
            assert folder_of(other) is None

    def test_the_newest_run_comes_first(self, store, monkeypatch):
        """As MLflow lists them."""
        folder, _ = store
        monkeypatch.setenv(ALLOW, "true")
        lay_down(str(folder), {}, "second")
        assert open_source(str(folder)).run_ids() == MlflowReader(str(folder)).run_ids()

    def test_deleted_runs(self, store, monkeypatch):
        """They are read with MLflow's note and not listed, also where the whole experiment is deleted."""
        folder, _ = store
        monkeypatch.setenv(ALLOW, "true")
        client = client_at(str(folder))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            experiment = client.create_experiment("to go")
            gone = [client.create_run(experiment).info.run_id, lay_down(str(folder))]
        client.delete_experiment(experiment)
        client.delete_run(gone[1])
        reader = open_source(str(folder))
        for run_id in gone:
            assert run_id not in reader.run_ids()
            assert_same(reader.read(run_id), MlflowReader(str(folder)).read(run_id))
            assert "deleted" in reader.read(run_id).notes[0]

    def test_many_runs_and_the_errors_between_them(self, store):
        """In the order asked for; one that is not there costs the others nothing."""
        folder, run = store
        first, missing, last = open_source(str(folder)).read_many([run.name, "nosuchrun", run.name])
        assert isinstance(missing, RunNotFoundError)
        assert_same(first, last)


class TestWhatMlflowDoesNotRead:
    """Lost and damaged parts cost only themselves."""

    @pytest.mark.parametrize("lost", ["metrics", "params", "artifacts", "tags"])
    def test_a_lost_folder(self, store, lost):
        """A git checkout loses empty folders, and with them MLflow the run."""
        folder, run = store
        shutil.rmtree(run / lost, ignore_errors=True)
        read = open_source(str(folder)).read(run.name)
        assert len(read.curves) == (0 if lost == "metrics" else len(LOGGED))
        assert open_source(str(folder)).run_ids() == [run.name]

    @pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"- a\n- list\n", b"[" * 5000])
    def test_a_damaged_meta_yaml(self, store, content):
        """The run's curves are there, its state and name are unknown."""
        folder, run = store
        (run / "meta.yaml").write_bytes(content)
        read = open_source(str(folder)).read(run.name)
        assert len(read.curves) == len(LOGGED)
        assert read.status == ""
        assert read.notes == ("meta.yaml: damaged, so the run's name and state are unknown",)
        assert open_source(str(folder)).run_ids() == [run.name]

    def test_what_is_no_run(self, store):
        """Registered models, copies, artifacts and stray folders have a meta.yaml, or a name, that says so."""
        folder, run = store
        registered = folder / "models" / "classifier" / "version-1"
        registered.mkdir(parents=True)
        for place in (registered, registered.parent):
            (place / "meta.yaml").write_text("name: classifier\nversion: 1\nrun_id: x\n")
        shutil.copytree(run, run.with_name("copy"))
        shutil.copytree(run.parent, folder / "backup")
        shutil.copytree(registered.parent, run / "artifacts" / run.name)
        (folder / "0" / "empty").mkdir()
        (folder / "malformed").mkdir()
        (folder / "README").write_text("no experiment")
        reader = open_source(str(folder))
        assert reader.run_ids() == [run.name]
        for other in ("copy", "empty", "version-1", "tags", "meta.yaml", "..", ".", "", "../0/" + run.name, "a/b"):
            with pytest.raises(RunNotFoundError):
                reader.read(other)

    def test_an_experiment_without_its_meta_yaml(self, store):
        """Its runs are runs."""
        folder, run = store
        (folder / "0" / "meta.yaml").unlink()
        assert open_source(str(folder)).run_ids() == [run.name]

    def test_links_and_pipes(self, store, tmp_path):
        """What leads out of the store is not followed, what would wait for ever is not opened, and both are told."""
        folder, run = store
        secret = tmp_path / "secret"
        secret.write_text("1 2.0 3\n")
        (run / "params" / "stolen").symlink_to(secret)
        (run / "metrics" / "within").symlink_to(run / "metrics" / "one")
        shutil.copytree(run, tmp_path / "elsewhere" / "linked")
        os.mkfifo(run / "metrics" / "pipe")
        (folder / "0" / "linked").symlink_to(tmp_path / "elsewhere" / "linked")
        read = open_source(str(folder)).read(run.name)
        assert "stolen" not in read.params
        assert "within" in {curve.name for curve in read.curves}
        assert list(read.notes) == [
            "metrics/pipe: left out, no regular file",
            "params/stolen: left out, a link that leads out of the store",
        ]
        assert open_source(str(folder)).run_ids() == [run.name]

    def test_a_file_without_end(self, store):
        """Sparse, so that it costs this test nothing."""
        folder, run = store
        with (run / "metrics" / "endless").open("wb") as file:
            file.truncate(1 << 40)
        (note,) = open_source(str(folder)).read(run.name).notes
        assert note.startswith("metrics/endless: left out, more than")

    def test_no_store(self, tmp_path):
        """One line says what is wrong."""
        with pytest.raises(BadInputError, match="there is no MLflow store at"):
            open_source(str(tmp_path / "typo")).run_ids()
        (tmp_path / "file").touch()
        with pytest.raises(BadInputError, match="is a file"):
            open_source(str(tmp_path / "file")).read("r")

    def test_a_folder_that_cannot_be_read(self, store, monkeypatch):
        """It is told, and no traceback."""
        folder, _ = store

        def refuse(_):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(os, "scandir", refuse)
        with pytest.raises(ReadError, match="could not be read: Permission denied"):
            open_source(str(folder)).run_ids()


class TestLines:
    """What a metric file may hold."""

    def test_two_three_and_five_fields(self):
        """A data set's name may have blanks. MLflow's own reader takes every line of five for step 0; it is not."""
        assert points(
            b"1500 0.5\n3000 0.25\n", b"1500 0.5 7\n", b"1500 0.5 7 iris 3af0\n", b"1500 0.5 7 my data 3af0\n3000 1 8\n"
        ) == [
            ([0, 0], [0.5, 0.25], [1.5, 3.0], ""),
            ([7], [0.5], [1.5], ""),
            ([7], [0.5], [1.5], ""),
            ([7, 8], [0.5, 1.0], [1.5, 3.0], ""),
        ]

    def test_numbers_at_the_edge(self):
        """All that Python takes for a number."""
        ((steps, values, _, trouble),) = points(
            b"1 inf 1\n2 -Infinity 2\n3 1e400 3\n4 5e-324 4\n5 -0.0 9007199254740993\n"
        )
        assert (steps, trouble) == ([1, 2, 3, 4, 2**53 + 1], "")
        assert [value.hex() for value in values] == [
            float(text).hex() for text in ("inf", "-inf", "inf", "5e-324", "-0.0")
        ]
        assert np.isnan(parse([b"1 NaN 1\n"])[0].values).all()

    @pytest.mark.parametrize(
        ("content", "kept", "trouble"),
        [
            (b"1 1.0 1\n2 2.0 2\n3 3.", 2, "the last line is cut off"),
            (b"1 1.0 1\n2 2.0 2\n3", 2, "the last line is cut off"),
            (b"1 1.0 1\n\0\0\0\0", 1, "the last line is cut off"),
            (b"1 1.0 1\n2 2.0 2", 2, ""),
            (b"1 1.0\r\n2 2.0\r\n", 2, ""),
            (b"1 1.0 1\nx\n2 2.0 2\n", 2, "1 malformed line left out, line 2"),
            (
                b"1 1.0 1 4\n\n1 1.0 99999999999999999999\n3 3.0 3\n",
                1,
                "3 malformed lines left out, the first of them line 1",
            ),
            (b"", 0, "the file is empty"),
            (b"version https://git-lfs.github.com/spec/v1\n", 0, "1 malformed line left out, line 1"),
        ],
    )
    def test_damaged_lines(self, content, kept, trouble):
        """Each costs only itself and is told."""
        ((_, values, _, told),) = points(content)
        assert (len(values), told) == (kept, trouble)

    def test_a_metric_without_a_point(self, store):
        """It is told, and no curve."""
        folder, run = store
        (run / "metrics" / "one").write_bytes(b"")
        read = open_source(str(folder)).read(run.name)
        assert "one" not in {curve.name for curve in read.curves}
        assert read.notes == ("metrics/one: the file is empty",)

    @settings(deadline=None)
    @given(
        st.lists(
            st.lists(
                st.one_of(
                    st.tuples(st.integers(0, 2**62), st.floats()),
                    st.tuples(st.integers(0, 2**62), st.floats(), st.integers(-(2**63), 2**63 - 1)),
                    st.tuples(st.integers(0, 2**62), st.floats(), st.integers(0, 9), st.just("é"), st.just("1f")),
                    st.tuples(st.sampled_from(["", "x", "1e3", "+5", '"1"', "1_0"]), st.floats(), st.integers(0, 9)),
                ),
                max_size=6,
            ),
            max_size=4,
        )
    )
    def test_many_at_once_are_what_each_is_line_by_line(self, files):
        """To the bit, whatever lines come together."""
        contents = ["".join(" ".join(map(str, line)) + "\n" for line in lines).encode() for lines in files]
        slowly = parse(contents)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(metric_files, "WORTH_IMPORT", 0)
            patch.setattr(metric_files, "WORTH_PYARROW", 0)
            at_once = parse(contents)
        for one, two in zip(slowly, at_once, strict=True):
            assert one.trouble == two.trouble
            for part in ("steps", "values", "wall_times"):
                np.testing.assert_array_equal(getattr(one, part), getattr(two, part))

    def test_a_metric_of_many_lines(self):
        """Long enough to go at once, with one odd file beside it."""
        long = "".join(f"{1_700_000_000_000 + index} {index / 7} {index}\n" for index in range(100_000)).encode()
        one, odd, two = parse([long, b"1 2 3\nodd\n", long])
        assert odd.trouble
        for many in (one, two):
            np.testing.assert_array_equal(many.values, np.arange(100_000) / 7)
            assert many.steps[-1] == 99_999


class TestWritingBack:
    """Through MLflow, which is told that it may."""

    def test_tags_and_artifacts(self, store, caplog):
        """The setting stands in this process alone, and one line says so."""
        folder, run = store
        with caplog.at_level(logging.WARNING, "mlflow_diagnose"):
            MlflowTags(str(folder)).write(report(run.name))
            MlflowArtifacts(str(folder), artifact_dir=folder.parent / "kept").write(report(run.name), {"a.json": b"{}"})
        assert (run / "tags" / "diagnose.verdict").read_text() == "healthy"
        (line,) = caplog.messages
        assert line == f"{folder} is a file store: {ALLOW}=true is set for this process, to write to it"

    def test_a_user_who_forbids_it(self, store, monkeypatch):
        """Is obeyed."""
        folder, run = store
        monkeypatch.setenv(ALLOW, "false")
        with pytest.raises(BadInputError, match=f"{ALLOW} is set to false"):
            MlflowTags(str(folder)).write(report(run.name))

    def test_a_run_that_lost_its_empty_folders(self, store, caplog):
        """They are made anew, as MLflow finds no run without; a run that is not there is none."""
        folder, run = store
        shutil.rmtree(run / "artifacts", ignore_errors=True)
        shutil.rmtree(run / "params")
        MlflowTags(str(folder)).write(report(run.name))
        assert (run / "tags" / "diagnose.verdict").read_text() == "healthy"
        assert (
            f"run {run.name} lacked params and artifacts: made anew, as MLflow sees no run without" in caplog.messages
        )
        with pytest.raises(RunNotFoundError):
            MlflowTags(str(folder)).write(report("nosuchrun"))

    def test_artifacts_of_another_machine(self, store):
        """They go where the user says, and without that nowhere."""
        folder, run = store
        meta = run / "meta.yaml"
        lines = meta.read_text().splitlines()
        elsewhere = [f"artifact_uri: file:///C:/Users/me/mlruns/0/{run.name}/artifacts", *lines[1:]]
        meta.write_text("\n".join(elsewhere) + "\n")
        assert lines[0].startswith("artifact_uri: ")
        with pytest.raises(WriteError, match=r"not on this machine.*--artifact-dir"):
            MlflowArtifacts(str(folder)).write(report(run.name), {"findings.json": b"{}"})
        kept = folder.parent / "kept"
        for content in (b"[]", b"{}"):
            MlflowArtifacts(str(folder), artifact_dir=kept).write(report(run.name), {"findings.json": content})
        assert json.loads((kept / run.name / "diagnosis" / "findings.json").read_text()) == {}
