"""The plugin as TensorBoard loads it; nothing that TensorBoard has not loaded itself is imported before a request."""

from __future__ import annotations

import json
import secrets
import threading
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from tensorboard import plugin_util
from tensorboard.backend import http_util
from tensorboard.plugins import base_plugin
from werkzeug import wrappers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mlflow_diagnose.tensorboard_plugin.board import Board
    from mlflow_diagnose.tensorboard_plugin.logs import Logs

__all__ = ["DiagnosePlugin"]

STATIC = {"index.js": "text/javascript", "api.js": "text/javascript", "dom.js": "text/javascript"}
STATIC |= {"list.js": "text/javascript", "run.js": "text/javascript", "diagnose.css": "text/css"}
SHARED = {"parts.css": "text/css"}  # with the report
PATIENCE = 8.0  # seconds that a request waits for a run to be judged, before it is told to ask again
MOST_BOARDS = 8  # experiments of a provider that are followed

Request = Any  # TensorBoard and werkzeug ship no types that would say more
Response = Any


class DiagnosePlugin(base_plugin.TBPlugin):  # type: ignore[misc] # TensorBoard ships no types
    """The tab "Diagnose": the runs under a logdir, and of each what is wrong and what to try first."""

    plugin_name = "diagnose"

    def __init__(self, context: Any) -> None:  # noqa: ANN401 - a `TBContext`
        self._context = context
        self._boards: dict[str, Board] = {}
        self._making = threading.Lock()
        self._boot = secrets.token_hex(4)  # so that no browser takes a version for one of an earlier TensorBoard

    def get_plugin_apps(self) -> dict[str, Callable[..., Iterable[bytes]]]:
        """What is served below `data/plugin/diagnose`."""
        files = {**STATIC, **SHARED}
        pages = {f"/{name}": wrappers.Request.application(_static(name, kind)) for name, kind in files.items()}
        data = {"/runs": self._runs, "/run": self._run, "/chart": self._chart}
        return {**pages, **{route: wrappers.Request.application(app) for route, app in data.items()}}

    def is_active(self) -> bool:
        """Whether there is anything to show; TensorBoard knows it by `data_plugin_names` already."""
        return False

    def data_plugin_names(self) -> tuple[str, ...]:
        """Whose data this plugin reads."""
        return ("scalars",)

    def frontend_metadata(self) -> Any:  # noqa: ANN401 - a `FrontendMetadata`
        """How the tab is shown: by a module of ours in a frame of TensorBoard's; it reloads by itself."""
        return base_plugin.FrontendMetadata(es_module_path="/index.js", tab_name="Diagnose", disable_reload=True)

    def _runs(self, request: Request) -> Response:
        """A page of the list of runs."""
        from mlflow_diagnose.tensorboard_plugin.rows import page_of  # noqa: PLC0415 - see the module

        board = self._board(request)
        listed = board.listed()
        tag = f"{self._boot}-{listed.version}"
        page = page_of(listed.rows, request.args)
        board.want([row["run_id"] for row in page["rows"]])
        if _has(request, tag):
            return _unchanged(request, tag)
        state = {"scanned": listed.scanned, "waiting": listed.waiting, "trouble": listed.trouble}
        return _answer(request, json.dumps({**page, **state}, allow_nan=False), "application/json", tag)

    def _run(self, request: Request) -> Response:
        """All about one run."""
        state, found = self._found(request)
        if found is None:
            return _answer(request, json.dumps(state), "application/json")
        _, answer = found
        if _has(request, answer.tag):
            return _unchanged(request, answer.tag)
        return _answer(request, answer.body, "application/json", answer.tag)

    def _chart(self, request: Request) -> Response:
        """The annotated curves of one run."""
        from mlflow_diagnose.tensorboard_plugin.answers import chart_of  # noqa: PLC0415 - see the module

        _, found = self._found(request)
        if found is None:
            return _answer(request, "", "image/svg+xml")
        report, answer = found
        return _answer(request, chart_of(report, answer, request.args.get("width", "wide")), "image/svg+xml")

    def _found(self, request: Request) -> tuple[Mapping[str, str], Any]:
        """A run's report and answer; in their place None, and beside it why."""
        from mlflow_diagnose.errors import DiagnoseError  # noqa: PLC0415 - see the module

        try:
            found = self._board(request).whole(request.args.get("id", ""), PATIENCE)
        except KeyError:
            return {"state": "gone"}, None
        except DiagnoseError as error:
            return {"state": "unreadable", "why": str(error)}, None
        return {"state": "waiting"}, found

    def _board(self, request: Request) -> Board:
        """The board of the logs that a request is about; TensorBoard's own logdirs are one, whatever it asks for."""
        from mlflow_diagnose.tensorboard_plugin.board import Board  # noqa: PLC0415 - see the module
        from mlflow_diagnose.tensorboard_plugin.judging import Judging  # noqa: PLC0415 - the same
        from mlflow_diagnose.tensorboard_plugin.logs import logdirs_of  # noqa: PLC0415 - the same

        logdirs = logdirs_of(self._context.flags)
        experiment = "" if logdirs else plugin_util.experiment_id(request.environ)
        with self._making:
            if experiment not in self._boards:
                logs = self._logs(logdirs, experiment, plugin_util.context(request.environ))
                while len(self._boards) >= MOST_BOARDS:
                    self._boards.pop(next(iter(self._boards)))
                self._boards[experiment] = Board(logs, Judging(logdirs.values()))
            return self._boards[experiment]

    def _logs(self, logdirs: Mapping[str, str], experiment: str, asking: Any) -> Logs:  # noqa: ANN401 - a `RequestContext`
        """The files of the logdirs where there are any and they can be read, else what the data provider has."""
        from mlflow_diagnose.tensorboard_plugin.logs import EitherLogs, FileLogs  # noqa: PLC0415 - see the module

        def provided() -> Logs:
            from mlflow_diagnose.tensorboard_plugin.provided import ProvidedLogs  # noqa: PLC0415 - the same

            sample = (self._context.sampling_hints or {}).get("scalars")
            return ProvidedLogs(self._context.data_provider, experiment, asking, sample)

        return EitherLogs(FileLogs(logdirs), provided) if logdirs else provided()


def _static(name: str, kind: str) -> Callable[[Request], Response]:
    """Serves a file of ours."""

    def serve(request: Request) -> Response:
        return http_util.Respond(request, _content(name), kind)

    return serve


@cache
def _content(name: str) -> bytes:
    folder = resources.files("mlflow_diagnose")
    folder = folder / "report" if name in SHARED else folder / "tensorboard_plugin" / "static"
    return (folder / name).read_bytes()


def _has(request: Request, tag: str) -> bool:
    """Whether the browser has the answer already."""
    return bool(request.if_none_match.contains(tag))


def _unchanged(request: Request, tag: str) -> Response:
    return http_util.Respond(request, "", "application/json", code=304, headers=[("ETag", f'"{tag}"')])


def _answer(request: Request, body: str, kind: str, tag: str = "") -> Response:
    return http_util.Respond(request, body, kind, headers=[("ETag", f'"{tag}"')] if tag else [])
