"""What makes the values of clips: the workers of this machine, over one decode a clip, or an engine's processes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ..contract.clip import Row, Values
from ..contract.engine import engine_digest
from ..contract.errors import ClipError
from ..contract.step import ClipStep, Measured
from ..recipe.plan import PlannedStep, Stage
from ..store.completions import ClipLog
from .executors.work import as_row, measure_clip
from .state import Settings

Steps = tuple[tuple[str, ClipStep], ...]


@dataclass(frozen=True, slots=True)
class Todo:
    """A clip to work on: the steps that lack values for it, and what engines answered about it before."""

    row: Row
    missing: Sequence[PlannedStep]
    log: ClipLog


OnMade = Callable[[int, Measured], None]
"""Hears of each clip, by its place among those that were given, on the event loop."""


class Making:
    """Makes what the steps of a stage lack."""

    def __init__(self, stage: Stage, settings: Settings) -> None:
        self._settings = settings
        self._title = stage.title
        self._pool = settings.engines.pool(stage.engine) if stage.engine else None
        self.engine = engine_digest(self._pool.spec) if self._pool else None

    async def make(self, todo: Sequence[Todo], on_made: OnMade) -> None:
        """Make the values of all these clips. Raises what a step's bug raises."""
        await (self._measure(todo, on_made) if self._pool is None else self._ask(todo, on_made))

    async def _ask(self, todo: Sequence[Todo], on_made: OnMade) -> None:
        """All steps of the stage, one after another, in a process of their engine."""

        async def one(place: int, clip: Todo) -> None:
            assert self._pool
            on_made(place, await asyncio.wrap_future(self._pool.submit(clip.row, _steps(clip), clip.log)))

        await asyncio.gather(*(one(place, clip) for place, clip in enumerate(todo)))

    async def _measure(self, todo: Sequence[Todo], on_made: OnMade) -> None:
        """All steps over one decode; where the worker hangs or dies, one by one, to find the step that does it."""
        suspects: list[int] = []
        groups: dict[tuple[str, ...], list[int]] = {}  # of clips that lack the values of the same steps
        for place, clip in enumerate(todo):
            if (failure := self._settings.downloads.failure(clip.row["media"])) is not None:
                on_made(place, Measured({}, clip.missing[0].name, failure))
            else:
                groups.setdefault(tuple(planned.name for planned in clip.missing), []).append(place)
        for group in groups.values():
            steps = _steps(todo[group[0]])

            def on_done(index: int, outcome: Any, steps: Steps = steps, group: list[int] = group) -> None:
                if isinstance(outcome, ClipError) and len(steps) > 1:
                    suspects.append(group[index])
                elif isinstance(outcome, ClipError):
                    on_made(group[index], Measured({}, steps[0][0], outcome.rejection))
                elif isinstance(outcome, BaseException):
                    raise outcome
                else:
                    on_made(group[index], outcome)

            await self._each([todo[place].row for place in group], steps, on_done)
        for place in suspects:
            on_made(place, await self._one_by_one(todo[place].row, _steps(todo[place])))

    async def _each(self, rows: Sequence[Row], steps: Steps, on_done: Callable[[int, object], None]) -> None:
        """Measure rows in the workers; `on_done` hears of each on the event loop, as it comes."""
        loop = asyncio.get_running_loop()
        finished: asyncio.Future[None] = loop.create_future()
        arrived: list[tuple[int, Any]] = []
        lock, heard = threading.Lock(), 0

        def hear() -> None:
            nonlocal heard
            with lock:
                news = arrived.copy()
                arrived.clear()
            heard += len(news)
            try:
                for index, outcome in news:
                    on_done(index, outcome)
            except BaseException as error:  # noqa: BLE001  (raised where it is awaited)
                if not finished.done():
                    finished.set_exception(error)
            if heard == len(rows) and not finished.done():
                finished.set_result(None)

        def arrive(index: int, outcome: object) -> None:
            """One wake-up of the loop for all that has come since the last."""
            with lock:
                arrived.append((index, outcome))
                first = len(arrived) == 1
            if first:
                with suppress(RuntimeError):  # the loop is closed: the stage has failed
                    loop.call_soon_threadsafe(hear)

        self._settings.executor.each(
            measure_clip,
            rows,
            timeout_s=self._settings.decode.timeout_s,
            kind=self._title,
            on_done=arrive,
            steps=steps,
            limits=self._settings.decode,
            media_folder=self._settings.downloads.folder,
        )
        await finished

    async def _one_by_one(self, row: Row, steps: Steps) -> Measured:
        values: dict[str, Values] = {}
        for name, step in steps:
            task = self._settings.executor.submit(
                measure_clip,
                row,
                timeout_s=self._settings.decode.timeout_s,
                steps=((name, step),),
                limits=self._settings.decode,
                media_folder=self._settings.downloads.folder,
            )
            try:
                measured = await asyncio.wrap_future(task)
            except ClipError as error:
                return Measured(values, name, error.rejection)
            if measured.failed:
                return Measured(values, name, measured.rejection)
            values[name] = measured.values[name]
            row = {**row, **as_row(values[name])}
        return Measured(values)


def _steps(clip: Todo) -> Steps:
    return tuple((planned.name, planned.step) for planned in clip.missing if isinstance(planned.step, ClipStep))
