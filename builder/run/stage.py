"""One stage of a run over all shards of the clip table.

A stage goes shard by shard: what its steps have not yet made for the shard's clips is made and stored (`fill.py`);
then the steps judge the rows (`judge.py`). The rows that are left go to a scratch table, which the next stage reads; it
holds nothing that the stores do not, and is made anew by every run. So a run that finds everything stored only judges.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa

from ..contract.clip import Row
from ..contract.errors import ClipError, Rejection
from ..contract.limits import Decode
from ..contract.step import Barrier, Captioner, Measured, Signal
from ..contract.urls import is_url
from ..recipe.plan import PlannedStep, Stage
from ..store.arrow import read_table, write_scratch
from ..store.journal import ClipLog
from ..store.rejects import reject_of, rejects_table
from ..store.values import clips_of, value_store
from .barrier import settle
from .download import ANEW
from .executors.work import measure_clip
from .fill import fill, lacking
from .judge import StepCount, judge
from .state import Outcome, Settings, too_many_errors

_SHARDS_AT_ONCE = 2  # a shard's end drains the workers: the next one is under way by then
_MOST_SHARDS_AT_ONCE = 32
_STOP_EARLY = 1000  # a stage of so many clips stops once it must fail; a smaller one ends first, to count all reasons


class RunningStage:
    """One stage over all shards: `rows` clips, of the `of` that its errors are counted against."""

    def __init__(self, stage: Stage, settings: Settings, decode: Decode, scratch: Path, rows: int, *, of: int) -> None:
        self.steps = list(stage.steps)
        first = next((at for at, planned in enumerate(self.steps) if _makes(planned)), len(self.steps))
        self.lead, self.rest = self.steps[:first], self.steps[first:]
        self.making = [planned for planned in self.rest if _makes(planned)]
        self.stores = {planned.name: value_store(settings.work, planned.step, planned.key) for planned in self.making}
        self.settings, self.decode, self.scratch, self.rows, self.of = settings, decode, scratch, rows, of
        self.errors = Counter[str]()
        starts = (planned.step.startup_s() for planned in self.making if isinstance(planned.step, Signal))
        self.timeout_s = decode.timeout_s + max(starts, default=0)
        self.decisions: dict[str, Mapping[str, Rejection]] = {}
        self.title = " + ".join(planned.name for planned in self.steps)
        self.engine = settings.engines.pool(stage.engine) if stage.engine else None
        # completions are known by their requests: they outlive a change of any step that asked others
        self.log = self.engine.digest() if self.engine else self.steps[0].key
        self.failure: BaseException | None = None

    def run(self, outcome: Outcome) -> None:
        """Take the outcome's tables one stage further, in place."""
        self.scratch.mkdir(parents=True)
        self._download(outcome.tables)
        self.progress = self.settings.progress.stage(self.title, total=self.rows)
        for planned in self.steps:
            if isinstance(planned.step, Barrier):
                self.decisions[planned.name] = settle(
                    planned, planned.step, outcome.tables, work=self.settings.work, on_prepared=self._prepared
                )
        tables = outcome.tables
        outcome.tables, outcome.rows = [], 0
        try:
            for path, counts in zip(tables, self._shards(tables), strict=True):
                outcome.tables.append(self.scratch / path.name)
                for name, count in counts.items():
                    outcome.counts.setdefault(name, StepCount()).add(count)
                outcome.rows += counts[self.steps[-1].name].rows_out
        finally:  # of a stage that ends early too: the error tells the user to look at them
            outcome.rejects.extend(path for path in map(self._rejects, tables) if path.exists())
        self.progress.finish()

    def _download(self, tables: Sequence[Path]) -> None:
        """Fetch what the clips need that lack values, once an address; what is stored needs no media."""
        downloads, retry = self.settings.downloads, self.settings.retry
        wanted, anew = set[str](), set[str]()
        for path in tables if self.making else []:
            table = read_table(path)
            addresses = filter(is_url, table.column("media").unique().to_pylist())
            if not any(retry or downloads.is_missing(address) for address in addresses):
                continue
            table = judge(table, self.lead, stored={}, decisions=self.decisions).table
            media = table.column("media").to_pylist()
            stored = {name: store.read(path.stem, retry=retry) for name, store in self.stores.items()}
            wanted.update(media[row] for row in lacking(table, self.making, stored))
            for planned in self.making:
                store = self.stores[planned.name]
                again = store.read(path.stem).failed - store.read(path.stem, retry=ANEW.intersection(retry)).failed
                clips = clips_of(table, planned.given) if again else []
                anew.update(media[row] for row, clip in enumerate(clips) if clip in again)
        downloads.fetch(sorted(wanted), anew=frozenset(filter(is_url, anew)))

    def _rejects(self, table: Path) -> Path:
        return self.scratch / f"{table.stem}.rejects.arrow"

    def _prepared(self, rows: int, stored: bool) -> None:
        self.progress.advance(cached=rows if stored else 0, kept=0 if stored else rows)

    def _shards(self, tables: Sequence[Path]) -> Iterator[dict[str, StepCount]]:
        """Results in shard order, a few shards in flight; the first error ends the stage."""
        at_once = self._shards_at_once(tables)
        with ThreadPoolExecutor(at_once) as threads:
            pending: list[Future[dict[str, StepCount]]] = []
            try:
                for path in tables:
                    pending.append(threads.submit(self._shard, path))
                    if len(pending) > at_once:
                        yield pending.pop(0).result()
                while pending:
                    yield pending.pop(0).result()
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  (raised again, or what it came of)
                self._end()  # cancelled: a shard that waited for what another one's failure has ended
                raise (self.failure or error) from None
            except BaseException:
                self._end()
                raise
            finally:
                for future in pending:
                    future.cancel()

    def _end(self) -> None:
        """What is in flight ends at once; the journal has what is done."""
        self.settings.executor.stop()
        if self.engine:
            self.engine.stop()

    def _shards_at_once(self, tables: Sequence[Path]) -> int:
        """Enough for an engine to have all the clips it can take, and as many waiting, when a shard is at its end."""
        if not self.engine or not tables:
            return _SHARDS_AT_ONCE
        wanted = 1 + math.ceil(2 * self.engine.wanted * len(tables) / max(1, self.rows))
        return min(max(_SHARDS_AT_ONCE, wanted), _MOST_SHARDS_AT_ONCE)

    def _shard(self, path: Path) -> dict[str, StepCount]:
        table = read_table(path)
        led = judge(table, self.lead, stored={}, decisions=self.decisions)
        fresh, failed = 0, list[dict[str, Any]]()

        def on_clip(row: Row, measured: Measured) -> None:
            nonlocal fresh
            fresh += 1
            if measured.failed is not None and measured.rejection is not None:
                failed.append(reject_of(row, measured.failed, measured.rejection))
            self._count_clip(measured)

        retry = self.settings.retry
        stored = {name: store.read(path.stem, retry=retry) for name, store in self.stores.items()}
        try:
            if self.making and fill(
                path.stem,
                led.table,
                self.making,
                stores=self.stores,
                stored=stored,
                work=self._ask if self.engine else self._work,
                scratch=self.settings.work / "filling",
                log=self.log,
                retry=retry,
                on_clip=on_clip,
            ):
                stored = {name: store.read(path.stem) for name, store in self.stores.items()}
        except BaseException as error:
            self.failure = self.failure or error  # other shards fail after it, as what they wait for is ended
            self._end()
            self._write_rejects(table, path, [*led.rejects, *failed])
            raise
        judged = judge(led.table, self.rest, stored=stored, decisions=self.decisions)
        write_scratch(self.scratch / path.name, judged.table)
        rejects = [*led.rejects, *judged.rejects]
        dropped = Counter[str](row["reason"] for row in rejects) - Counter(row["reason"] for row in failed)
        came = 0 if self.decisions else led.table.num_rows - fresh + len(led.rejects)
        self.progress.advance(cached=came, kept=-dropped.total(), rejected=dropped)
        self._write_rejects(table, path, rejects)
        return {**led.counts, **judged.counts}

    def _write_rejects(self, table: pa.Table, path: Path, rejects: list[dict[str, Any]]) -> None:
        """In the order of the clips: step by step, it would show where the borders of shards are."""
        if rejects:
            place = {clip: at for at, clip in enumerate(table.column("clip_id").to_pylist())}
            rejects.sort(key=lambda row: place[row["clip_id"]])
            write_scratch(self._rejects(path), rejects_table(rejects))

    async def _ask(self, row: Row, missing: Sequence[PlannedStep], log: ClipLog) -> Measured:
        """All captioners of the stage, one after another, in a process of their engine."""
        assert self.engine
        steps = [(planned.name, planned.step) for planned in missing if isinstance(planned.step, Captioner)]
        return await asyncio.wrap_future(self.engine.submit(row, steps, log))

    async def _work(self, row: Row, missing: Sequence[PlannedStep], log: ClipLog) -> Measured:
        """All steps over one decode; where the worker hangs or dies, one by one, to find the step that does it."""
        steps = [(planned.name, planned.step) for planned in missing if isinstance(planned.step, Signal | Captioner)]
        if (failure := self.settings.downloads.failure(row["media"])) is not None:
            return Measured({}, steps[0][0], failure)
        try:
            return await self._measure(row, steps)
        except ClipError as error:
            if len(steps) == 1:
                return Measured({}, steps[0][0], error.rejection)
        values: dict[str, dict[str, Any]] = {}
        for name, step in steps:
            try:
                measured = await self._measure(row, [(name, step)])
            except ClipError as error:
                return Measured(values, name, error.rejection)
            if measured.failed:
                return Measured(values, name, measured.rejection)
            values[name] = measured.values[name]
            row = {**row, **values[name]}
        return Measured(values)

    async def _measure(self, row: Row, steps: Sequence[tuple[str, Signal | Captioner]]) -> Measured:
        task = self.settings.executor.submit(
            measure_clip,
            row,
            steps,
            limits=self.decode,
            media_folder=self.settings.downloads.folder,
            timeout_s=self.timeout_s,
        )
        return await asyncio.wrap_future(task)

    def _count_clip(self, measured: Measured) -> None:
        if measured.rejection is None:
            self.progress.advance(kept=1)
            return
        self.progress.advance(rejected={str(measured.rejection.reason): 1})
        if measured.rejection.reason.is_error:
            self.errors[measured.rejection.reason] += 1
        if self.rows >= _STOP_EARLY and self.errors.total() > self.settings.max_reject_rate * self.of:
            limit = self.settings.max_reject_rate
            raise too_many_errors(self.title, self.errors, self.of, limit, work=self.settings.work)


def _makes(planned: PlannedStep) -> bool:
    return isinstance(planned.step, Signal | Captioner)
