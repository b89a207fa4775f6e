"""Runs as TensorBoard's data provider gives them."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np
from tensorboard.data.provider import RunTagFilter
from tensorboard.plugins.hparams import metadata as hparams

from curve_analyzers.model import RawCurve, RawRun
from mlflow_diagnose.errors import ReadError, RunNotFoundError
from mlflow_diagnose.readers.logdir import added_scalar, is_half

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterator, Mapping

__all__ = ["ProvidedLogs"]

SCALARS = "scalars"
USUAL_SAMPLE = 1000  # points of a curve that TensorBoard keeps where nobody asked for another number
MOST_POINTS = 100_000  # of a curve that are asked for: a provider may keep them all


class ProvidedLogs:
    """The runs of an experiment of a data provider; TensorBoard's runs that are halves of one are joined.

    Args:
        provider: A `tensorboard.data.provider.DataProvider`.
        experiment: The experiment's id, empty in a TensorBoard of one's own.
        context: A `RequestContext`: of whom the provider thinks that he asks.
        sample: The points of a curve that `--samples_per_plugin` asks for: 0 for all, None for TensorBoard's usual.
    """

    rest = 0.0

    def __init__(
        self,
        provider: Any,  # noqa: ANN401 - TensorBoard ships no types
        experiment: str,
        context: Any,  # noqa: ANN401 - the same
        sample: int | None,
    ) -> None:
        self._provider = provider
        self._asked = {"ctx": context, "experiment_id": experiment}
        self._sample = USUAL_SAMPLE if sample is None else sample
        self._parts: dict[str, list[tuple[str, str, str]]] = {}
        self._hparams: Mapping[str, Mapping[str, Any]] = {}

    def scan(self) -> Mapping[str, Hashable]:
        """By the name of each run the last step and time of each of its curves."""
        listed = self._call("list_scalars", plugin_name=SCALARS)
        self._hparams = self._call("list_tensors", plugin_name=hparams.PLUGIN_NAME)
        self._parts = {}
        stamps: defaultdict[str, list[Hashable]] = defaultdict(list)
        for run, owner, prefix, suffix in _placed({run: set(tags) for run, tags in listed.items() if tags}):
            self._parts.setdefault(owner, []).append((run, prefix, suffix))
            stamps[owner] += [(run, tag, series.max_step, series.max_wall_time) for tag, series in listed[run].items()]
        return {run: tuple(stamps[run]) for run in sorted(stamps, key=lambda run: run.split("/"))}

    def read(self, run_id: str) -> RawRun:
        """A run, with the points that TensorBoard kept of it."""
        parts = self._parts.get(run_id, ())
        wanted = RunTagFilter(runs=[run for run, _, _ in parts])
        found = self._call("read_scalars", plugin_name=SCALARS, downsample=MOST_POINTS, run_tag_filter=wanted)
        if not any(found.get(run) for run, _, _ in parts):
            raise RunNotFoundError(f"TensorBoard has no scalars of a run {run_id!r}")
        curves = {}
        for run, prefix, suffix in parts:
            for tag, points in found.get(run, {}).items():
                name = f"{prefix}{tag}{suffix}"
                steps, values, times = ([getattr(each, what) for each in points] for what in _FIELDS)
                curves[name] = RawCurve(
                    name, np.array(steps, np.int64), np.array(values, float), np.array(times, float)
                )
        sampled = any(len(curve.steps) >= (self._sample or MOST_POINTS) for curve in curves.values())
        kept = f"judged on a sample: TensorBoard keeps {self._sample or MOST_POINTS:,} points of a curve"
        notes = (f"{kept}; more with --samples_per_plugin scalars=N",) if sampled else ()
        name = run_id if run_id != "." else "logdir"
        params = self._params(run_id, wanted.runs)
        return RawRun("tensorboard", run_id, name, tuple(curves.values()), params, notes=notes)

    def _params(self, run_id: str, runs: Collection[str]) -> dict[str, str]:
        """The hyper-parameters of a run, as TensorBoard's own plugin keeps them: in the metadata of a tensor."""
        found: dict[str, str] = {}
        for run, tags in self._hparams.items():
            # `add_hparams` writes them into a run of their own below the one they are of.
            if (run in runs or run.rpartition("/")[0] == run_id) and (
                start := tags.get(hparams.SESSION_START_INFO_TAG)
            ):
                info = hparams.parse_session_start_info_plugin_data(start.plugin_content)
                found |= {name: _text(value) for name, value in info.hparams.items()}
        return found

    def _call(self, method: str, **more: object) -> Mapping[str, Mapping[str, Any]]:
        try:
            answer: Mapping[str, Mapping[str, Any]] = getattr(self._provider, method)(**self._asked, **more)
        except Exception as error:  # each provider raises what its own transport does
            raise ReadError(f"TensorBoard's data provider could not be read: {error}") from error
        return answer


_FIELDS = ("step", "value", "wall_time")


def _text(value: Any) -> str:  # noqa: ANN401 - a protobuf value
    """A hyper-parameter as text, numbers without a trailing `.0`: the plugin keeps every number as a float."""
    kind = value.WhichOneof("kind")
    plain = getattr(value, kind) if kind else ""
    return str(plain).removesuffix(".0") if kind == "number_value" else str(plain)


def _placed(tags: Mapping[str, Collection[str]]) -> Iterator[tuple[str, str, str, str]]:
    """Each of TensorBoard's runs with the run it belongs to and what comes before and after its tags there.

    As `find_runs` does it with folders.
    """
    children: defaultdict[str, set[str]] = defaultdict(set)
    for run in tags:
        parent, _, name = run.rpartition("/")
        children[parent].add(name.lower())

    def owner(run: str) -> tuple[str, str]:
        """The run that a run belongs to, and what comes before its tags there."""
        parent, _, name = run.rpartition("/")
        if run != "." and is_half(run, tags, children[parent]):
            above, prefix = owner(parent) if parent else (".", "")
            return above, f"{prefix}{name}/"
        return run, ""

    for run in tags:
        parent, _, name = run.rpartition("/")
        added = added_scalar(name, tags[run]) if (parent or ".") in tags and run != "." else ""
        above, prefix = owner((parent or ".") if added else run)
        yield run, above, prefix, f"/{added}" if added else ""
