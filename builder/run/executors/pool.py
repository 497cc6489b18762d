"""One engine's processes, and the clips that wait for them: each process takes the next as soon as it has room."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, Future

from ...contract.clip import Row
from ...contract.errors import RunError
from ...contract.step import ClipStep, Measured
from ...store.completions import ClipLog
from .gpus import gpus_to_use
from .process import ClipTask, EngineHost, EngineProcess


class EnginePool:
    """One engine's processes, and the clips that wait for them."""

    def __init__(self, name: str, host: EngineHost) -> None:
        self.name, self.host, self.spec = name, host, host.specs[name]
        self.lock = threading.RLock()
        self.stopped = False
        self.failure: BaseException | None = None
        self._waiting: deque[ClipTask] = deque()
        self._processes: list[EngineProcess] = []

    @property
    def wanted(self) -> int:
        """How many clips it can have in hand at once, all processes together."""
        gpus = len(gpus_to_use(self.host.gpus)) if self.spec.gpus_each() else 0
        return self.spec.in_flight * self.spec.processes(gpus)

    def submit(self, row: Row, steps: Sequence[tuple[str, ClipStep]], log: ClipLog) -> Future[Measured]:
        """Work on one clip. The future raises what a step raises, but ClipErrors, which are in what it returns."""
        task = ClipTask(row, steps, log, known={key: list(answers) for key, answers in log.known.items()})
        with self.lock:
            if self.failure is not None:
                task.outcome.set_exception(self.failure)
            elif self.stopped:
                task.outcome.cancel()
            else:
                self._waiting.append(task)
                if not self._processes:
                    self._processes = list(self._start())
                self.feed()
        return task.outcome

    def hungry(self) -> bool:
        """Whether no clip waits."""
        return not self._waiting

    def summary(self) -> str | None:
        """What it did and how busy it was, in a line; None where it did nothing."""
        meters = [process.meter for process in self._processes if process.meter]
        if not meters:
            return None
        total = {name: sum(meter[name] for meter in meters) for name in meters[0]}
        rate = sum(meter["output_tokens"] / meter["up_s"] for meter in meters)
        cost = f" for ${total['cost']:,.2f}" if total["cost"] else ""
        did = f"{total['requests']:,.0f} requests answered, {total['output_tokens']:,.0f} tokens{cost}"
        for counted, unit in (("embedded", "vectors"), ("looked_at", "pictures")):
            if total[counted]:
                did, rate = f"{total[counted]:,.0f} {unit}", sum(meter[counted] / meter["up_s"] for meter in meters)
        waited = total["starved_s"] / total["up_s"]
        return f"engine {self.name}: {did}, {rate:,.0f} a second; waited for frames {waited:.1%} of the time"

    def _start(self) -> Iterator[EngineProcess]:
        gpus = gpus_to_use(self.host.gpus) if self.spec.gpus_each() else []
        count = self.spec.processes(len(gpus))
        each = self.spec.gpus_each() if gpus else 0
        if each > len(gpus) > 0:
            raise RunError(f"the engine {self.name} needs {each} GPUs for a process, there are {len(gpus)} to use")
        workers = max(1, self.host.workers // count)
        for number in range(count):
            own = gpus[number * each : (number + 1) * each]
            yield EngineProcess(self, number, of=count, gpus=own, workers=workers)

    def feed(self) -> None:
        """Hand clips to the processes that have room, the emptiest first. Call with the lock held."""
        while self._waiting:
            free = [process for process in self._processes if process.room() and not process.suspects]
            if not free:
                break
            task = self._waiting.popleft()
            if task.outcome.set_running_or_notify_cancel():
                min(free, key=lambda process: len(process.held)).hand_over(task)
        for process in self._processes:
            process.try_suspects()

    def fail(self, error: BaseException) -> None:
        """No process can be had: everything ends with this error. Called by the threads of processes."""
        with self.lock:
            self.failure = self.failure or error
        self._end(self.failure)

    def stop(self) -> None:
        """End all processes; what is in hand or waits is cancelled."""
        self.stopped = True
        self._end(CancelledError())
        for process in self._processes:
            process.join()

    def _end(self, error: BaseException) -> None:
        for (
            process
        ) in self._processes:  # first of all: a process that does not listen may be sent to with the lock held
            process.kill()
        with self.lock:
            tasks = list(self._waiting)
            self._waiting.clear()
            for process in self._processes:
                tasks += [*process.held.values(), *process.suspects]
                process.held.clear()
                process.suspects.clear()
                process.kill()
        for task in tasks:
            if task.outcome.running() or task.outcome.set_running_or_notify_cancel():
                task.outcome.set_exception(error)
