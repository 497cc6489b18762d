"""One process of an engine, as the run sees it: a thread listens to it, and starts another when it dies."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from ...contract.clip import Row
from ...contract.engine import EngineSpec
from ...contract.errors import Reason, Rejection, RunError
from ...contract.limits import Decode
from ...contract.step import ClipStep, Measured
from ...store.completions import Answer, ClipLog
from . import child, engine_process
from .engine_process import Setup

_SUSPECTS_AT_ONCE = 16  # after a death: to start an engine takes minutes, to caption 16 clips at once much less
_SILENT_S = 600  # it sends something every few seconds, unless it is stopped or stuck
_LOADING_S = 2 * 3600  # the first time, a large model comes over the network
_MOST_FRUITLESS = 5  # deaths without an answer in between: one clip, however many were in hand, needs 3 to be found
_MOST_FAILED_LOADS, _PAUSE_S = 4, 5
_LEAVING_S = 30
_TAIL = 2000  # bytes of an engine's log in an error


@dataclass(slots=True, eq=False)
class ClipTask:
    """A clip that waits for its captions, or is with a process; `known`: what was answered about it so far."""

    row: Row
    steps: Sequence[tuple[str, ClipStep]]
    log: ClipLog
    outcome: Future[Measured] = field(default_factory=Future)
    known: dict[str, list[Answer]] = field(default_factory=dict)
    deaths: int = 0


@dataclass(frozen=True, slots=True)
class EngineHost:
    """Where engines run, and with what."""

    specs: Mapping[str, EngineSpec]
    limits: Decode
    media_folder: Path
    workers: int
    gpus: int | str
    logs: Path
    on_news: Callable[[str], None]
    """Hears one line when an engine loads, is ready, or is gone."""


class Pool(Protocol):
    """What a process has of the pool that it belongs to."""

    name: str
    host: EngineHost
    spec: EngineSpec
    lock: threading.RLock
    stopped: bool
    failure: BaseException | None

    def feed(self) -> None:
        """Hand clips to the processes that have room. Call with the lock held."""

    def fail(self, error: BaseException) -> None:
        """No process can be had: everything ends with this error."""


class EngineProcess(threading.Thread):
    """The thread that listens to one process of an engine, and replaces it when it is gone."""

    def __init__(self, pool: Pool, number: int, *, of: int, gpus: Sequence[str], workers: int) -> None:
        super().__init__(daemon=True)
        self.held: dict[int, ClipTask] = {}
        self.suspects: deque[ClipTask] = deque()
        self.meter: Mapping[str, float] = {}
        self._pool, self._gpus, self._workers = pool, gpus, workers
        self._process: subprocess.Popen[bytes] | None = None
        self._line: child.Line | None = None
        self._ready = self._was_ready = False
        self._fruitless = self._failed_loads = 0
        self._sent = self._logged = 0
        self._title = f"engine {pool.name}" + (f", process {number + 1} of {of}" if of > 1 else "")
        self._log = pool.host.logs / f"{pool.name}-{number}.log"
        self.start()

    def room(self) -> bool:
        return self._ready and len(self.held) < self._pool.spec.in_flight

    def hand_over(self, task: ClipTask) -> None:
        """Give it a clip. Call with the pool's lock held."""
        self._sent += 1
        self.held[self._sent] = task
        assert self._line is not None
        with suppress(OSError):  # it is gone: the listening thread finds out, and has the task in `held`
            self._line.send((self._sent, task.row, task.steps, replace(task.log, known=task.known)))

    def try_suspects(self) -> None:
        """Clips that were in hand when the process died: the more often, the more alone. Call with the lock held."""
        while self._ready and self.suspects:
            among = [self.suspects[0], *self.held.values()]
            if len(self.held) >= (1 if any(task.deaths > 1 for task in among) else _SUSPECTS_AT_ONCE):
                break
            self.hand_over(self.suspects.popleft())

    def kill(self) -> None:
        """End the process and all that it has started."""
        process = self._process
        if process is not None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def run(self) -> None:
        try:
            while self._start():
                self._listen()
                self._gone()
        except CancelledError:
            return
        except BaseException as error:  # noqa: BLE001  (it is raised where the clips are awaited)
            self._pool.fail(error)

    def _start(self) -> bool:
        """Start the process; false where the pool has ended."""
        where = f" on GPU {','.join(self._gpus)}" if self._gpus else ""
        variables = dict(os.environ)
        if self._gpus or self._pool.host.gpus == 0:
            variables["CUDA_VISIBLE_DEVICES"] = ",".join(self._gpus)
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._pool.lock, self._log.open("ab") as log:
            if self._pool.stopped or self._pool.failure is not None:
                return False
            self._logged = log.tell()
            self._pool.host.on_news(f"{self._title}: loading{where}")
            self._process, self._line = child.start(
                engine_process.__name__, output=log, errors=log, variables=variables
            )
        host = self._pool.host
        self._line.send(Setup(self._pool.spec, host.limits, host.media_folder, self._workers))
        return True

    def _listen(self) -> None:
        """Take in what the process says until it is gone."""
        assert self._line is not None
        while True:
            try:
                kind, *rest = self._line.receive(timeout_s=_SILENT_S if self._ready else _LOADING_S)
            except TimeoutError:
                if self._ready:
                    self._pool.host.on_news(f"{self._title}: gave no sign of life for {_SILENT_S} s, and is ended")
                    return
                raise RunError(
                    f"the engine {self._pool.name} was not ready after {_LOADING_S} s; {self._says()}"
                ) from None
            except (EOFError, OSError):
                return
            if kind == "failed":
                if self._was_ready:  # what it ended with may not have left its memory yet
                    return
                raise RunError(f"{rest[0]}{_cause(self._own_log())}") from rest[0]
            with self._pool.lock:
                if kind == "beat":
                    continue
                if kind == "ready":
                    self._ready = self._was_ready = True
                    self._failed_loads = 0
                    self._pool.host.on_news(f"{self._title}: ready")
                elif kind == "news":
                    self._pool.host.on_news(f"{self._title}: {rest[0]}")
                elif kind == "completion":
                    self._completed(*rest)
                else:
                    self._answered(*rest)
                self._pool.feed()

    def _completed(self, number: int, request: str, answer: Answer) -> None:
        task = self.held.get(number)
        if task is not None:
            self._fruitless = 0
            task.known.setdefault(request, []).append(answer)

    def _answered(self, number: int, value: Measured | BaseException, meter: Mapping[str, float]) -> None:
        self.meter = meter
        task = self.held.pop(number, None)
        if task is None:
            return
        if isinstance(value, Measured):
            task.outcome.set_result(value)
        else:
            task.outcome.set_exception(value)

    def _gone(self) -> None:
        """The process has died: what it held is tried again, and a clip that was alone with it twice is rejected."""
        pool = self._pool
        self.kill()
        assert self._process is not None
        code = self._process.wait()
        if self._ready and not pool.stopped:
            pool.host.on_news(f"{self._title}: died ({_how(code)}) with {len(self.held)} clips in hand; starts again")
        _wait_for_group(self._process.pid)
        with pool.lock:
            if self._line is not None:
                self._line.close()
            if pool.stopped or pool.failure is not None:
                raise CancelledError
            loaded, self._ready = self._ready, False
            lost = list(self.held.values())
            self.held.clear()
            for task in lost:
                task.deaths += 1
                if len(lost) == 1 and task.deaths > 1:
                    detail = f"the engine died {task.deaths} times ({_how(code)}) while it worked on this clip"
                    rejection = Rejection(Reason.ENGINE_ERROR, detail, passing=child.killed_from_outside(code))
                    task.outcome.set_result(Measured({}, task.steps[0][0], rejection))
                else:
                    self.suspects.append(task)
        if loaded:
            self._fruitless += 1
            if self._fruitless == _MOST_FRUITLESS:
                raise RunError(
                    f"the engine {pool.name} died {_MOST_FRUITLESS} times ({_how(code)}) without answering anything in "
                    f"between; {self._says()}"
                )
            return
        self._failed_loads += 1
        if not self._was_ready or self._failed_loads == _MOST_FAILED_LOADS:
            raise RunError(f"the engine {pool.name} ended while it was loading ({_how(code)}); {self._says()}")
        time.sleep(_PAUSE_S * self._failed_loads)

    def _own_log(self) -> str:
        """What the process that runs now, or ran last, has logged."""
        with self._log.open("rb") as file:
            file.seek(max(self._logged, self._log.stat().st_size - 50 * _TAIL))
            return file.read().decode("utf-8", "replace").strip()

    def _says(self) -> str:
        return f"the end of its log, {self._log.name}, says:\n{self._own_log()[-_TAIL:]}"


def _wait_for_group(group: int) -> None:
    """Until what a process had started is gone too, and with it what it held of a GPU; not for ever."""
    deadline = time.monotonic() + _LEAVING_S
    while time.monotonic() < deadline and any(_alive_in(group)):
        time.sleep(0.1)


def _alive_in(group: int) -> Iterator[int]:
    """The processes of a group that are more than an entry in the table; none where there is no /proc."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, its_group, *_ = stat.read_text().rpartition(")")[2].split()
            if int(its_group) == group and state not in "ZX":
                yield int(stat.parent.name)


def _how(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _cause(log: str) -> str:
    """The first error that the log names, where it names one: what an engine's own processes say is lost on the way."""
    found = re.search(r"\b[A-Z]\w*Error: .+", log)
    return f"; its log says: {found[0][:600]}" if found else ""
