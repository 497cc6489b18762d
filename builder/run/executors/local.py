"""Worker processes on this machine: the fence around untrusted files.

Each task runs alone in a process with its own line to the parent, under a hard time limit; a process that hangs is
killed, one that dies is replaced, and only the task that it held is affected. Why not a library's pool: in those that
were tried (concurrent.futures, pebble) the workers share a queue and its lock, and one that is killed with the lock in
its hand breaks the pool or hangs it.

Quick tasks of one kind are handed over several at a time: what it costs to send one, and the steps that it is sent
with, would else be most of their time. Each is answered by itself, so the limit and the blame are still each one's own.
"""

from __future__ import annotations

import itertools
import os
import pickle
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

from ...contract.errors import ClipError, Reason
from . import child, worker

T = TypeVar("T")
Item = tuple[int, Sequence[object]]
"""A place among the items of a batch, and the arguments of its call."""

_TRIES = 2  # a worker may die of another's doing (the out-of-memory killer): a task is innocent until it kills twice
_TOGETHER_S, _MOST_TOGETHER = 0.05, 16  # of work: what waits behind an item that turns out slow is worth no more
_AHEAD_S = 0.2  # quicker items are sent while the one before is worked on, so that the worker never waits
_NONE = object()
_LATEST = 0.3  # how much the latest item counts in how long those of its kind take


@dataclass(slots=True, eq=False)
class _Batch:
    function: Callable[..., Any]
    kwargs: dict[str, object]
    items: deque[Item]
    timeout_s: float
    kind: str
    on_done: Callable[[int, Any], None]
    begin: Callable[[], bool]
    """Called before the first item is handed over; false where nobody waits for it any more."""


@dataclass(slots=True, eq=False)
class _Task:
    batch: _Batch
    index: int
    arguments: Sequence[object]
    deaths: int = 0


class LocalExecutor:
    """Processes that start with the first task; use as a context manager. Closing it ends what is still running."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._batches: deque[_Batch] = deque()
        self._threads: list[_Worker] = []
        self._paces: dict[str, float] = {}  # seconds an item of a kind
        self._stopped = False
        self._changed = threading.Condition()

    def submit(self, function: Callable[..., T], /, *args: object, timeout_s: float, **kwargs: object) -> Future[T]:
        """Run an importable function in a worker.

        The future raises what the function raises, and ClipError for a timeout or a death.
        """
        outcome: Future[T] = Future()

        def settle(_: int, value: T | BaseException) -> None:
            if isinstance(value, CancelledError) and not outcome.running():
                outcome.cancel()
            elif isinstance(value, BaseException):
                outcome.set_exception(value)
            else:
                outcome.set_result(value)

        items: deque[Item] = deque([(0, args)])
        self._add(_Batch(function, kwargs, items, timeout_s, "", settle, outcome.set_running_or_notify_cancel))
        return outcome

    def each(
        self,
        function: Callable[..., T],
        items: Sequence[object],
        /,
        *,
        timeout_s: float,
        kind: str,
        on_done: Callable[[int, T | BaseException], None],
        **kwargs: object,
    ) -> None:
        """Run `function(item, **kwargs)` for every item; see the contract."""
        placed: deque[Item] = deque((index, (item,)) for index, item in enumerate(items))
        if placed:
            self._add(_Batch(function, kwargs, placed, timeout_s, kind, on_done, lambda: True))

    def hungry(self) -> bool:
        """Whether nothing waits to be done."""
        with self._changed:
            return not self._batches

    def stop(self) -> None:
        """End what is running and cancel what waits; what is submitted afterwards is cancelled at once."""
        with self._changed:
            self._stopped = True
            waiting, self._batches = self._batches, deque()
            self._changed.notify_all()
            threads = list(self._threads)
        for thread in threads:
            thread.stop()
        for batch in waiting:
            self._cancel(batch)

    def take(self, *, wait: bool) -> list[_Task]:
        """The next tasks for a worker. None where there is nothing: for ever if it had to `wait`, as yet if not."""
        with self._changed:
            while True:
                while not self._batches:
                    if self._stopped or not wait:
                        return []
                    self._changed.wait()
                batch = self._batches[0]
                items = [batch.items.popleft() for _ in range(self._together(batch, wait=wait))]
                if not batch.items:
                    self._batches.popleft()
                elif not items:
                    return []
                if batch.begin():
                    return [_Task(batch, *item) for item in items]

    def _together(self, batch: _Batch, *, wait: bool) -> int:
        """How many items of a batch go to a worker at once; none where it has one in hand that may take long."""
        pace = self._paces.get(batch.kind)
        if pace is None:
            return int(wait)
        if pace > _AHEAD_S and not wait:
            return 0
        count = min(_MOST_TOGETHER, int(_TOGETHER_S / pace) or 1)
        if len(self._batches) == 1:  # what is left is shared by all workers
            count = min(count, -(-len(batch.items) // self.workers))
        return min(count, len(batch.items))

    def took(self, batch: _Batch, seconds: float) -> None:
        """Learn how long items of this kind take."""
        if batch.kind:
            before = self._paces.get(batch.kind, seconds)
            self._paces[batch.kind] = max(1e-6, before + _LATEST * (seconds - before))

    def _add(self, batch: _Batch) -> None:
        with self._changed:
            stopped = self._stopped
            if not stopped:
                if not self._threads:
                    self._threads = [_Worker(self) for _ in range(self.workers)]
                self._batches.append(batch)
                self._changed.notify(len(batch.items))
        if stopped:
            self._cancel(batch)

    def _cancel(self, batch: _Batch) -> None:
        for index, _ in batch.items:
            batch.on_done(index, CancelledError())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        for thread in self._threads:
            thread.join()


class _Worker(threading.Thread):
    """The thread that feeds one worker process, and replaces it when it is gone."""

    def __init__(self, executor: LocalExecutor) -> None:
        super().__init__(daemon=True)
        self._executor = executor
        self._sent = deque[_Task]()  # to the process, and not answered yet; it works on the first
        self._again = deque[_Task]()
        self._process: subprocess.Popen[bytes] | None = None
        self._line: child.Line | None = None
        self._stopped = False
        self._lock = threading.Lock()  # of the process: it is not started once the thread is stopped
        self.start()

    def run(self) -> None:
        """Have tasks done. Those that were with a process which hung or died go one by one afterwards: whose doing it
        was is found so.
        """
        try:
            while self._sent or self._fill():
                if len(self._sent) == 1 and not self._again:
                    self._send(self._executor.take(wait=False))
                began = time.monotonic()
                value = self._answer()
                if value is not _NONE:
                    task = self._sent.popleft()
                    self._executor.took(task.batch, time.monotonic() - began)
                    task.batch.on_done(task.index, value)
        except CancelledError as error:
            for task in (*self._sent, *self._again):
                task.batch.on_done(task.index, error)
        self._end()

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            if self._process is not None:
                self._process.kill()

    def _fill(self) -> bool:
        """Send the next tasks to a process that has none; false where there will be none."""
        while not self._sent:
            tasks = [self._again.popleft()] if self._again else self._executor.take(wait=True)
            if not tasks:
                return False
            self._send(tasks)
        return True

    def _send(self, tasks: Sequence[_Task]) -> None:
        """Give tasks of one batch to the process. One that died while it was idle is replaced; one that dies with tasks
        in hand is found out by `_answer`.
        """
        if not tasks:
            return
        batch = tasks[0].batch
        try:
            call = pickle.dumps((batch.function, [task.arguments for task in tasks], batch.kwargs))
        except Exception as error:  # noqa: BLE001  (raised where the results are awaited)
            for task in tasks:
                batch.on_done(task.index, error)
            return
        while True:
            line = self._start() if self._line is None else self._line
            try:
                line.send((len(tasks), call))
            except (BrokenPipeError, ConnectionResetError):
                if self._sent:
                    break
                self._end()
            else:
                break
        self._sent.extend(tasks)

    def _answer(self) -> object:
        """What came of the task that the process has in hand: what it returned or raised, or _NONE where it must be
        tried again.
        """
        task = self._sent[0]
        assert self._line is not None
        try:
            return self._line.receive(timeout_s=task.batch.timeout_s)
        except TimeoutError:
            self._end()
            self._again.extend(itertools.islice(self._sent, 1, None))
            self._sent = deque([task])
            return ClipError(Reason.TIMEOUT, f"not done after {task.batch.timeout_s:g} s")
        except (EOFError, OSError):  # the process is gone
            code = self._end()
            if self._stopped:
                raise CancelledError from None
            task.deaths += len(self._sent) == 1
            if task.deaths == _TRIES:
                return ClipError(Reason.WORKER_DIED, _obituary(code), passing=child.killed_from_outside(code))
            self._again.extend(self._sent)
            self._sent.clear()
            return _NONE
        except Exception as error:  # noqa: BLE001  (what came cannot be read here)
            return error

    def _start(self) -> child.Line:
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
