"""Where many runs are worked on: in this process, in others beside it, or on a cluster that is there already."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, redirect_stdout
from dataclasses import dataclass, field
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any, TypeVar

from mlflow_diagnose.errors import BadInputError, DiagnoseError, ReadError
from mlflow_diagnose.readers.tracking.uri import first_line, shown

__all__ = ["ENGINES", "Engine"]

Item = TypeVar("Item")
Result = TypeVar("Result")

ENGINES = ("local", "dask", "ray", "spark")
PACKAGES = {"dask": "distributed", "ray": "ray", "spark": "joblibspark"}  # what each is imported from
IDLE = 20  # seconds after which a process without work ends, as it does where the call that started it was killed
LET_GO = 5  # seconds for a thread to end at the end of the program
DEATHS = 3  # workers that may die over one chunk before it counts as what kills them
AHEAD = 2  # chunks for each worker that are on their way to it; loky cannot end in peace while more wait than that
IN_ROUNDS = {"ray", "spark"}  # whose backends give results only when all are there
ROUND = 16  # chunks for each of their workers, some of which start with each round
WORTH = 40  # runs, from which other processes make up for the seconds that each takes to start
CHEAP, DEAR = 50, 16  # runs in a chunk, without and with drawing artifacts
CHUNKS = 8  # for each worker at least, so that all of them end together


@dataclass(frozen=True)
class Engine:
    """An engine of joblib's.

    Attributes:
        name: One of `ENGINES`.
        address: Of the scheduler, `tcp://10.0.0.5:8786`; empty for the engine's own default. Never shown whole.
        jobs: Processes on this machine, or chunks at a time on a cluster; None for as many as there are cores.
    """

    name: str = "local"
    address: str = field(default="", repr=False)
    jobs: int | None = None

    @classmethod
    def of(cls, text: str, jobs: int | None = None) -> Engine:
        """The engine of a name, perhaps with an address behind it, `dask:tcp://10.0.0.5:8786`.

        Raises:
            BadInputError: There is no such engine, or it is not installed.
        """
        name, _, address = text.partition(":")
        if name not in ENGINES:
            raise BadInputError(f"there is no engine {name!r}: it is one of {', '.join(ENGINES)}")
        if name in PACKAGES:
            try:
                __import__(PACKAGES[name])
            except ImportError as error:
                raise BadInputError(
                    f"the engine {name} is not installed: pip install 'mlflow-diagnose[{name}]'"
                ) from error
        return cls(name, address, jobs)

    def chunks(self, items: Sequence[Item], *, dear: bool) -> list[list[Item]]:
        """Runs, or what else there is one of for each run, in pieces as they are handed to workers.

        Args:
            items: What is to be worked on.
            dear: Whether one takes long, as a run does with artifacts.
        """
        size = min(DEAR if dear else CHEAP, -(-len(items) // (self._workers(len(items)) * CHUNKS)) or 1)
        return [list(items[first : first + size]) for first in range(0, len(items), size)]

    def is_here(self, runs: int) -> bool:
        """Whether the work on so many runs is done in this very process."""
        return self.name == "local" and self._workers(runs) == 1

    def spread(
        self, work: Callable[[list[Item]], Result], chunks: Sequence[list[Item]]
    ) -> Iterator[Result | DiagnoseError]:
        """What `work` makes of each chunk, in their order; in place of one that no worker survives, an error.

        Where a worker dies, what it had is given to another.

        Raises:
            BadInputError: The engine could not be reached.
        """
        place, deaths = 0, 0
        with self._connected() as options:
            while place < len(chunks):
                try:
                    for result in self._round(work, chunks[place:], options):
                        yield result
                        place, deaths = place + 1, 0
                except DiagnoseError:
                    raise
                except Exception as error:  # noqa: BLE001 - each engine tells the death of a worker in its own way
                    deaths += 1
                    if deaths >= DEATHS:
                        yield ReadError(f"the workers that had these runs ended: {first_line(error)}")
                        place, deaths = place + 1, 0

    def _round(
        self, work: Callable[[list[Item]], Result], chunks: Sequence[list[Item]], options: dict[str, Any]
    ) -> Iterator[Result]:
        """What `work` makes of each chunk until a worker dies."""
        from joblib import Parallel, delayed, parallel_config  # noqa: PLC0415 - for many runs alone

        jobs = self._workers(sum(map(len, chunks)))
        with parallel_config(**options, n_jobs=jobs):
            if self.name in IN_ROUNDS:
                for first in range(0, len(chunks), ROUND * jobs):
                    yield from Parallel(batch_size=1)(map(delayed(work), chunks[first : first + ROUND * jobs]))
                return
            parallel = Parallel(batch_size=1, pre_dispatch=AHEAD * jobs, return_as="generator")
            with _uninterrupted() if self.name == "local" else nullcontext():
                results = parallel(map(delayed(work), chunks))  # starts the workers, and does not wait for them
            try:
                for result in results:  # noqa: UP028 - what ends this must not end that by itself
                    yield result
            finally:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # that tasks are cancelled, where nobody wants the rest
                    results.close()

    def _workers(self, runs: int) -> int:
        if self.jobs:
            return self.jobs
        if self.name == "local" and runs < WORTH:
            return 1
        from joblib import cpu_count  # noqa: PLC0415 - as above

        return int(cpu_count())

    @contextmanager
    def _connected(self) -> Iterator[dict[str, Any]]:
        """What joblib is told of the engine, for as long as the connection to it lasts."""
        with ExitStack() as stack:
            try:
                options = CONNECT[self.name](self.address, stack)
            except Exception as error:
                where = f" at {shown(self.address)}" if self.address else ""
                raise BadInputError(f"the engine {self.name}{where} cannot be used: {first_line(error)}") from error
            yield options


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Processes and threads that are started here never see a Ctrl-C, which reaches all of a terminal's processes.

    It is for the caller, who ends them; by themselves they would tell of it with tracebacks.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # which would let it through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _let_go() -> None:
    """Let the threads end that handed work to other processes, which loky does not wait for.

    With them go the semaphores they shared. Where Python ends first, it stops them in the midst of that, and loky
    tells of semaphores that leaked.
    """
    for thread in threading.enumerate():
        if thread.name == "QueueFeederThread":
            thread.join(LET_GO)


def _local(_: str, __: ExitStack) -> dict[str, Any]:
    atexit.unregister(_let_go)
    atexit.register(_let_go)  # after loky's own, which has told them to end, and before its semaphores are taken down
    # A worker that had one thread of OpenBLAS for each core would fight the other workers for them.
    return {"backend": "loky", "inner_max_num_threads": 1, "idle_worker_timeout": IDLE}


def _dask(address: str, stack: ExitStack) -> dict[str, Any]:
    from distributed import Client  # noqa: PLC0415 - an extra

    stack.enter_context(Client(address or None, set_as_default=True))
    return {"backend": "dask"}


def _ray(address: str, stack: ExitStack) -> dict[str, Any]:
    import ray  # noqa: PLC0415 - an extra
    from ray.util.joblib import register_ray  # noqa: PLC0415 - the same

    # Ray tells on stdout of workers that died, in the midst of what is printed there.
    nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - the stack closes it
    stack.enter_context(redirect_stdout(stack.enter_context(nowhere)))
    if not ray.is_initialized():
        ray.init(address=address or None, log_to_driver=False, logging_level="ERROR")
        stack.callback(ray.shutdown)
    register_ray()
    return {"backend": "ray"}


def _spark(address: str, stack: ExitStack) -> dict[str, Any]:
    from joblibspark import register_spark  # noqa: PLC0415 - an extra
    from pyspark.sql import SparkSession  # noqa: PLC0415 - the same

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # else the path's `python3`, which may be another
    known = SparkSession.getActiveSession()
    quiet = SparkSession.builder.config("spark.ui.showConsoleProgress", "false")
    session = known or (quiet.master(address) if address else quiet).getOrCreate()
    if known is None:
        stack.callback(session.stop)
        session.sparkContext.setLogLevel("ERROR")
    register_spark()
    return {"backend": "spark"}


CONNECT: dict[str, Callable[[str, ExitStack], dict[str, Any]]] = {
    "local": _local,
    "dask": _dask,
    "ray": _ray,
    "spark": _spark,
}
