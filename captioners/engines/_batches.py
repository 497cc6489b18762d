"""What many clips ask of a model at the same time, put through it together."""

from __future__ import annotations

import asyncio
import math
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

from ...builder.contract.engine import EngineDied
from ...builder.contract.errors import RunError

T = TypeVar("T")
R = TypeVar("R")


class Batches(Generic[T, R]):
    """Items of any clips, in batches, in threads."""

    def __init__(
        self,
        run: Callable[[Sequence[T]], Iterable[R]],
        *,
        most: int,
        at_once: int,
        explained: Callable[[Exception], RunError | None] = lambda error: None,
    ) -> None:
        """`run`: the results of n items, at most `most`; called from `at_once` threads. `explained`: of an error that
        somebody can do something about; any other ends the engine.
        """
        self._run, self._most, self._at_once, self._explained = run, most, at_once, explained
        self._waiting: deque[tuple[T, asyncio.Future[R]]] = deque()
        self._work = set[asyncio.Task[None]]()

    async def results(self, items: Sequence[T]) -> list[R]:
        """One for each item. Raises RunError, EngineDied."""
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[R]] = [loop.create_future() for _ in items]
        self._waiting.extend(zip(items, futures, strict=True))
        for _ in range(min(self._at_once - len(self._work), math.ceil(len(items) / self._most))):
            task = loop.create_task(self._go())
            self._work.add(task)
            task.add_done_callback(self._work.discard)
        return list(await asyncio.gather(*futures))

    async def _go(self) -> None:
        while self._waiting:
            part = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
            try:
                made = await asyncio.to_thread(self._run, [item for item, _ in part])
            except Exception as error:  # noqa: BLE001  (raised where the results are awaited)
                for _, future in part:
                    if not future.done():
                        future.set_exception(self._told(error))
            else:
                for (_, future), result in zip(part, made, strict=True):
                    if not future.done():
                        future.set_result(result)

    def _told(self, error: Exception) -> Exception:
        if explained := self._explained(error):
            return explained
        traceback.print_exception(error)  # to the engine's log
        return EngineDied()
