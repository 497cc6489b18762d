"""The process of an engine: starts it once, then runs steps over clips, hundreds at a time, on its event loop.

The parent sends clips. Every completion is logged here as it comes, and the parent hears of it too. Frames are
decoded ahead, in fenced worker processes of this one. When the engine dies this process dies with it, children and all:
the parent starts another.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import os
import pickle
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from ...contract.clip import Clip, Row, Values
from ...contract.columns import required
from ...contract.engine import (
    Completion,
    Engine,
    EngineDied,
    EngineSpec,
    Layer,
    Request,
    Scores,
    TextLine,
    Vectors,
)
from ...contract.errors import ClipError, RunError
from ...contract.frames import Frames, Images, Sampling
from ...contract.limits import Decode
from ...contract.step import ClipStep, Measured
from ...store.completions import Answer, Answers, ClipLog, fitting
from .blame import Blame
from .child import follow
from .local import LocalExecutor
from .work import as_row, decoded, kept, plain, samplings_of

MAX_HELD_BYTES = 2**31
"""Decoded frames that wait for the engine, or are with it: enough for hundreds of clips of 16 frames of 360 x 420."""
_STARTUP_S = 300
_BEAT_S = 2
_CLIPS_A_SLOT = 1.25  # captioned at once: enough to refill a slot while a clip's next request is made; more would only
# put off each clip's next request, until the frames that it shares with the last are forgotten
_DECODED_AHEAD = 2  # clips a worker that are asked for at once, so that none of them waits for the next

Steps = Sequence[tuple[str, ClipStep]]


@dataclass(frozen=True, slots=True)
class Setup:
    """What the process is told first."""

    spec: EngineSpec
    limits: Decode
    media_folder: Path
    workers: int


@dataclass(slots=True)
class Meter:
    """How the engine is kept busy. Seconds; `starved_s`: with clips in hand, but no request at the engine."""

    up_s: float = 0.0
    starved_s: float = 0.0
    requests: int = 0
    embedded: int = 0
    looked_at: int = 0
    output_tokens: int = 0
    cost: float = 0.0
    _clips: int = 0
    _asked: int = 0
    _since: float = field(default_factory=time.monotonic)

    def count(self, *, clips: int = 0, asked: int = 0) -> None:
        """So many more clips in hand, so many more requests at the engine."""
        now = time.monotonic()
        self.up_s += now - self._since
        if self._clips and not self._asked:
            self.starved_s += now - self._since
        self._since = now
        self._clips += clips
        self._asked += asked

    @contextmanager
    def asking(self, *, embedded: int = 0, looked_at: int = 0) -> Iterator[None]:
        """While a request is at the engine. `embedded`: texts or pictures that it answers with vectors of; `looked_at`:
        pictures of which it says what they show.
        """
        self.count(asked=1)
        try:
            yield
        finally:
            self.count(asked=-1)
        self.requests += 1
        self.embedded += embedded
        self.looked_at += looked_at


def main(handle: int, parent: int) -> None:
    """Serve the parent until it closes the line. Ctrl-C is the parent's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    follow(parent, _end)  # nothing of its group goes on: an engine holds a GPU
    line = Connection(handle)
    setup: Setup = line.recv()
    asyncio.run(_serve(line, setup))


def _end() -> None:
    os.killpg(os.getpgrp(), signal.SIGKILL)


async def _serve(line: Connection, setup: Setup) -> None:
    with LocalExecutor(setup.workers) as workers:
        for _ in range(setup.workers):  # they start, and load what decoding needs, while the engine does
            workers.submit(plain, None, timeout_s=_STARTUP_S)
        try:
            engine = await setup.spec.start(lambda said: line.send(("news", said)))
        except RunError as error:
            line.send(("failed", error))
            return
        host = _Host(line, engine, setup, workers)
        line.send(("ready",))
        beating = asyncio.create_task(_beat(line))
        try:
            await asyncio.to_thread(_read, line, asyncio.get_running_loop(), host.take)
        finally:
            beating.cancel()


async def _beat(line: Connection) -> None:
    """Tell the parent that this process runs: one that is stopped, or stuck, holds its clips for ever."""
    while True:
        await asyncio.sleep(_BEAT_S)
        line.send(("beat",))


def _read(
    line: Connection,
    loop: asyncio.AbstractEventLoop,
    take: Callable[[int, Row, Steps, ClipLog], None],
) -> None:
    """Take in clips until the parent has closed the line or is gone: from then on nothing is asked, and so not paid."""
    while True:
        try:
            message = line.recv()
        except (EOFError, OSError):
            _end()  # an engine may take minutes to leave by itself
            return
        loop.call_soon_threadsafe(take, *message)


class _Host:
    """The clips in hand."""

    def __init__(self, line: Connection, engine: Engine, setup: Setup, workers: LocalExecutor) -> None:
        self._line, self._engine, self._setup, self._workers = line, engine, setup, workers
        self._meter = Meter()
        self._tasks = set[asyncio.Task[None]]()
        self._held, self._freed = 0, asyncio.Condition()
        self._decoding = asyncio.Semaphore(workers.workers * _DECODED_AHEAD)
        at_once = setup.spec.in_flight if engine.slots is None else math.ceil(_CLIPS_A_SLOT * engine.slots)
        self._working = asyncio.Semaphore(at_once)

    def take(self, number: int, row: Row, steps: Steps, log: ClipLog) -> None:
        task = asyncio.get_running_loop().create_task(self._answer(number, row, steps, log))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, number: int, row: Row, steps: Steps, log: ClipLog) -> None:
        def report(request: str, answer: Row) -> None:
            log.append(request, answer)
            self._line.send(("completion", number, request, answer))

        self._meter.count(clips=1)
        try:
            measured = await self._make(row, steps, Logged(self._engine, log.known, report, self._meter))
        except EngineDied:
            _end()
        except asyncio.CancelledError:  # nobody cancels it: a library's own, gone astray
            self._send(number, "error", RuntimeError(f"clip {row['clip_id']}: CancelledError in a step"))
        except Exception as error:  # noqa: BLE001  (it is raised where the result is awaited)
            error.add_note(f"in an engine's process, clip {row['clip_id']}")
            self._send(number, "error", error)
        else:
            self._send(number, "done", measured)
        finally:
            self._meter.count(clips=-1)

    def _send(self, number: int, kind: str, value: object) -> None:
        """Say what came of a clip, in words where it cannot be sent as it is: else its clip would be waited for."""
        meter = {name: value for name, value in asdict(self._meter).items() if not name.startswith("_")}
        try:
            pickle.loads(pickle.dumps(value))  # noqa: S301  (our own)
        except (AttributeError, TypeError, pickle.PicklingError) as error:
            what = f"{type(value).__name__}: {value}" if isinstance(value, BaseException) else f"its values: {error}"
            kind, value = "error", RuntimeError(f"in an engine's process: {what}")
        self._line.send((kind, number, value, meter))

    async def _make(self, row: Row, steps: Steps, engine: Engine) -> Measured:
        """All steps in their order; frames are decoded before the first that sees any, once for all that can tell them
        by then.
        """
        values: dict[str, Values] = {}
        try:
            while rest := steps[len(values) :]:
                seen = {**row, **_together(values)}
                part = _tellable(seen, rest)
                if blind := _blind(seen, part):
                    async with self._working:
                        await _run(blind, seen, values, {}, engine)
                else:
                    async with self._frames(seen, part) as frames, self._working:
                        await _run(part, seen, values, frames, engine)
        except ClipError as error:
            return Measured(values, steps[len(values)][0], error.rejection)
        return Measured(values)

    @asynccontextmanager
    async def _frames(self, row: Row, steps: Steps) -> AsyncIterator[Mapping[Sampling, Frames]]:
        """The frames of a clip, while they are needed; clips wait for each other's memory."""
        wanted = samplings_of(row, steps)
        size = 0
        try:
            async with self._decoding:
                async with self._freed:
                    await self._freed.wait_for(lambda: self._held < MAX_HELD_BYTES)
                    size = sum(_bytes(sampling, row) for sampling in wanted)
                    self._held += size
                task = self._workers.submit(
                    decoded,
                    row,
                    wanted,
                    limits=self._setup.limits,
                    media_folder=self._setup.media_folder,
                    timeout_s=self._setup.limits.timeout_s,
                )
                frames = await asyncio.wrap_future(task)
            yield frames
        finally:
            self._held -= size
            async with self._freed:
                self._freed.notify_all()


async def _run(
    steps: Steps,
    row: Row,
    values: dict[str, Values],
    frames: Mapping[Sampling, Frames],
    engine: Engine,
) -> None:
    """Add the values of each step to `values`; the columns of the steps before are in its row."""
    for name, step in steps:
        clip = Clip({**row, **_together(values)}, frames.__getitem__)
        with Blame(step, name=name, method="make", about=f"clip {row['clip_id']}"):
            made = step.make(clip, engine)
            values[name] = kept(step, made if isinstance(made, dict) else await made, clip_id=row["clip_id"])


def _tellable(row: Row, steps: Steps) -> Steps:
    """The next steps, up to one that chooses its frames by what those before it are yet to make."""

    def waits(step: ClipStep) -> bool:
        return step.sees() and not required(step).keys() <= row.keys()

    return [steps[0], *itertools.takewhile(lambda one: not waits(one[1]), steps[1:])]


def _blind(row: Row, steps: Steps) -> Steps:
    """The first of them that ask for no frames."""
    return list(itertools.takewhile(lambda one: not samplings_of(row, [one]), steps))


def _bytes(sampling: Sampling, row: Row) -> int:
    """What the frames of a sampling will take."""
    count = len(sampling.fractions) + len(sampling.times) + sampling.with_last
    if sampling.every_s is not None and not sampling.fractions and not sampling.times:
        count += math.ceil(row["duration"] / sampling.every_s)
    width, height = row["width"], row["height"]
    size: float = 3 * count * width * height * sampling.scale(width, height) ** 2
    return round(size)


def _together(values: Mapping[str, Row]) -> Values:
    return {column: value for made in values.values() for column, value in as_row(made).items()}


class Logged(Engine):
    """An engine that answers from the log what it has completed for this clip before. What is new is in the log before
    the step hears of it: what it asks next is not sent earlier.
    """

    def __init__(self, engine: Engine, known: Answers, report: Callable[[str, Answer], None], meter: Meter) -> None:
        self.model, self.revision, self.slots = engine.model, engine.revision, engine.slots
        self._engine, self._known, self._report, self._meter = engine, known, report, meter

    async def complete(self, request: Request) -> Completion:
        key = request.key()
        if (known := fitting(self._known.get(key, ()), max_tokens=request.max_tokens)) is not None:
            return Completion(**{name: value for name, value in known.items() if name != "max_tokens"})
        with self._meter.asking():
            made = await self._engine.complete(request)
        self._meter.output_tokens += made.output_tokens
        self._meter.cost += made.cost or 0
        self._report(key, {**asdict(made), "max_tokens": request.max_tokens})
        return made

    async def embed_images(self, images: Sequence[Images], *, layer: Layer) -> Vectors:
        with self._meter.asking(embedded=len(images)):
            return await self._engine.embed_images(images, layer=layer)

    async def embed_texts(self, texts: Sequence[str]) -> Vectors:
        with self._meter.asking(embedded=len(texts)):
            return await self._engine.embed_texts(texts)

    async def classify(self, images: Sequence[Images]) -> list[Scores]:
        with self._meter.asking(looked_at=len(images)):
            return await self._engine.classify(images)

    async def read_text(self, images: Sequence[Images]) -> list[list[TextLine]]:
        with self._meter.asking(looked_at=len(images)):
            return await self._engine.read_text(images)

    async def close(self) -> None:
        await self._engine.close()
