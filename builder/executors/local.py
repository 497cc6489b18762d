"""Worker processes on this machine: the fence around untrusted files.

Each task runs alone in a spawned process under a hard time limit; a process that hangs is killed, one that dies is
replaced, and only the task that it held is affected. Why pebble: `concurrent.futures` cannot kill a task, and one dead
worker breaks its whole pool.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

from pebble import ProcessExpired, ProcessPool

from ..errors import ClipError, Reason

P = ParamSpec("P")
T = TypeVar("T")

_TRIES = 2  # a worker may die of another's doing (the out-of-memory killer): a task is innocent until it kills twice


class LocalExecutor:
    """A pool of spawned processes; use as a context manager. Closing it ends what is still running."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._pool = ProcessPool(
            max_workers=workers,
            context=multiprocessing.get_context("spawn"),
            initializer=_start_worker,
            initargs=(os.getpid(),),
        )

    def submit(self, function: Callable[P, T], /, *args: P.args, timeout_s: float, **kwargs: P.kwargs) -> Future[T]:
        """Run an importable function in a worker. The future raises what it raises; ClipError for a timeout or a death."""
        outcome: Future[T] = Future()
        self._schedule(outcome, function, args, kwargs, timeout_s, tries=_TRIES)
        return outcome

    def _schedule(
        self,
        outcome: Future[T],
        function: Callable[..., T],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        timeout_s: float,
        *,
        tries: int,
    ) -> None:
        def settle(task: Future[T]) -> None:
            try:
                outcome.set_result(task.result())
            except ProcessExpired as death:
                if tries > 1:
                    self._schedule(outcome, function, args, kwargs, timeout_s, tries=tries - 1)
                else:
                    outcome.set_exception(ClipError(Reason.WORKER_DIED, _obituary(death)))
            except TimeoutError:
                outcome.set_exception(ClipError(Reason.TIMEOUT, f"not done after {timeout_s:g} s"))
            except CancelledError:
                outcome.cancel()
            except BaseException as error:
                outcome.set_exception(error)

        task = self._pool.schedule(function, args=list(args), kwargs=kwargs, timeout=timeout_s)
        task.add_done_callback(settle)

    def __enter__(self) -> Self:
        return self

    def stop(self) -> None:
        """End what is running and cancel what waits; nothing can be submitted afterwards."""
        self._pool.stop()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._pool.join()


def _obituary(death: ProcessExpired) -> str:
    code = death.exitcode
    if code is not None and code < 0:
        return f"worker process killed by {signal.Signals(-code).name} {_TRIES} times"
    return f"worker process exited with {code} {_TRIES} times"


def _start_worker(parent: int) -> None:
    """Leave Ctrl-C to the parent, and follow it when it is killed: no orphan goes on decoding.

    One thread a process, said before numpy or torch are imported: a worker is a core's worth.
    """
    os.environ["OMP_NUM_THREADS"] = "1"
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def follow() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
