"""Worker processes on this machine: the fence around untrusted files.

Each task runs alone in a process with its own line to the parent, under a hard time limit; a process that hangs is
killed, one that dies is replaced, and only the task that it held is affected. Why not a library's pool: in those that
were tried (concurrent.futures, pebble) the workers share a queue and its lock, and one that is killed with the lock in
its hand breaks the pool or hangs it.
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self, TypeVar

from ...contract.errors import ClipError, Reason
from . import child, worker

T = TypeVar("T")

_TRIES = 2  # a worker may die of another's doing (the out-of-memory killer): a task is innocent until it kills twice


@dataclass(frozen=True, slots=True)
class _Task:
    outcome: Future[Any]
    call: tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]
    timeout_s: float


class LocalExecutor:
    """Processes that start with the first task; use as a context manager. Closing it ends what is still running."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._threads: list[_Worker] = []
        self._stopped = False
        self._lock = threading.Lock()

    def submit(self, function: Callable[..., T], /, *args: object, timeout_s: float, **kwargs: object) -> Future[T]:
        """Run an importable function in a worker.

        The future raises what the function raises, and ClipError for a timeout or a death.
        """
        outcome: Future[T] = Future()
        with self._lock:
            if self._stopped:
                outcome.cancel()
                return outcome
            if not self._threads:
                self._threads = [_Worker(self._tasks) for _ in range(self.workers)]
            self._tasks.put(_Task(outcome, (function, args, kwargs), timeout_s))
        return outcome

    def stop(self) -> None:
        """End what is running and cancel what waits; what is submitted afterwards is cancelled at once."""
        with self._lock:
            self._stopped = True
            for task in self._waiting():
                task.outcome.cancel()
            for host in self._threads:
                self._tasks.put(None)
                host.stop()

    def _waiting(self) -> Iterator[_Task]:
        """Take out what no host has taken yet. They go on taking meanwhile: never wait for a task that was there."""
        while True:
            try:
                task = self._tasks.get_nowait()
            except queue.Empty:
                return
            if task is not None:
                yield task

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        for host in self._threads:
            host.join()


class _Worker(threading.Thread):
    """The thread that feeds one worker process, and replaces it when it is gone."""

    def __init__(self, tasks: queue.SimpleQueue[_Task | None]) -> None:
        super().__init__(daemon=True)
        self._tasks = tasks
        self._process: subprocess.Popen[bytes] | None = None
        self._line: Connection | None = None
        self._stopped = False
        self._lock = threading.Lock()  # of the process: it is not started once the host is stopped
        self.start()

    def run(self) -> None:
        while (task := self._tasks.get()) is not None:
            if task.outcome.set_running_or_notify_cancel():
                try:
                    task.outcome.set_result(self._run(task))
                except BaseException as error:  # noqa: BLE001  (it is raised where the result is awaited)
                    task.outcome.set_exception(error)
        self._end()

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            if self._process is not None:
                self._process.kill()

    def _run(self, task: _Task) -> Any:
        for last in range(1 - _TRIES, 1):
            line = self._hand_over(task)
            if not line.poll(task.timeout_s):
                self._end()
                raise ClipError(Reason.TIMEOUT, f"not done after {task.timeout_s:g} s")
            try:
                succeeded, value = line.recv()
            except (EOFError, OSError):  # the process is gone
                code = self._end()
                if self._stopped:
                    raise CancelledError from None
                if last == 0:
                    raise ClipError(Reason.WORKER_DIED, _obituary(code)) from None
                continue
            if succeeded:
                return value
            raise value
        raise AssertionError("unreachable: the last try returns or raises")

    def _hand_over(self, task: _Task) -> Connection:
        """Give the task to the process; one that died while it was idle is replaced."""
        while True:
            line = self._start() if self._line is None else self._line
            try:
                line.send(task.call)
            except (BrokenPipeError, ConnectionResetError):
                self._end()
            else:
                return line

    def _start(self) -> Connection:
        with self._lock:
            if self._stopped:
                raise CancelledError
            self._process, self._line = child.start(
                worker.__name__,
                output=2,  # what a step prints is for the log
                variables={**os.environ, "OMP_NUM_THREADS": "1"},  # a worker is a core
            )
        return self._line

    def _end(self) -> int:
        """Make sure that the process is gone; its exit code."""
        if self._line is not None:
            self._line.close()
            self._line = None
        with self._lock:
            if self._process is None:
                return 0
            self._process.kill()
            code = self._process.wait()
            self._process = None
        return code


def _obituary(code: int) -> str:
    if code < 0:
        return f"worker process killed by {signal.Signals(-code).name}, {_TRIES} times"
    return f"worker process exited with {code}, {_TRIES} times"
