"""Make the values that a piece of the clip table lacks, through `datasets.map`.

The rows that lack values go through `Dataset.map` with an async function, in batches: hundreds are in flight over the
worker processes or over an engine, results come back in order and land in an Arrow file. Every finished clip is in the
journal before it counts, so that a kill costs no more than what was in flight.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ..contract.clip import PROBE_COLUMNS, SOURCE_COLUMNS, Row, Values
from ..contract.columns import read_by, stored_by
from ..contract.step import Measured
from ..recipe.plan import PlannedStep
from ..store.arrow import arrow_schema
from ..store.completions import ClipLog, completions_path, read_completions
from ..store.journal import Journal
from ..store.values import Stored, ValueStore
from .lookup import Lookup, flat, known_columns
from .making import OnMade, Todo

Make = Callable[[Sequence[Todo], OnMade], Awaitable[None]]
"""Makes the values of clips, as `making.Making.make` does."""

Batch = dict[str, list[Any]]
"""Rows as `datasets.map` gives and takes them: column -> values."""

_BATCH = 128  # rows: `map` looks at all that it waits for whenever one ends, which costs more than the rows themselves


def fill(
    piece: str,
    lookup: Lookup,
    *,
    stores: Mapping[str, ValueStore],
    stored: Mapping[str, Stored],
    make: Make,
    work: Path,
    engine: str | None,
    retry: Collection[str],
    on_clip: Callable[[Row, Measured], None],
) -> bool:
    """Make and store what a piece lacks; true if it lacked anything. `on_clip` hears of each new clip.

    `engine`: the digest of the identity of the one that is asked, if one is. What it answered about a clip that is to
    be tried again (`retry`) does not count: it would have it fail once more.

    A clip that failed at one step is not tried with the steps after it.
    """
    if not lookup.missing:
        return False
    import datasets

    datasets.disable_progress_bars()  # the run shows its own progress
    steps, places = lookup.steps, list(lookup.missing)
    rows = lookup.table.select(_seen(lookup.table, steps)).take(pa.array(places, type=pa.int64()))
    scratch = work / "filling"
    path = scratch / "journal" / f"{piece}.{steps[0].key[:16]}.jsonl"
    answers = None if engine is None else completions_path(work, engine, piece)
    known = {} if answers is None else read_completions(answers)
    if answers is not None:
        answers.parent.mkdir(parents=True, exist_ok=True)
    with Journal(path, clips=rows.column("clip_id").to_pylist()) as journal, ended_loops() as inside_loop:
        for clip in journal.failed(retry) | _failed(piece, stores, retry):
            known.pop(clip, None)

        async def batch(columns: Batch, indices: list[int]) -> Batch:
            inside_loop()
            clips = [
                _Clip(dict(zip(columns, values, strict=True)), lookup, places[index], stored)
                for index, *values in zip(indices, *columns.values(), strict=True)
            ]
            made = [journal.find(clip.id, clip.names, clip.key, retry=retry) for clip in clips]
            for clip, measured in zip(clips, made, strict=True):
                if measured is not None:
                    on_clip(clip.row, measured)
            todo = [at for at, measured in enumerate(made) if measured is None]

            def on_made(number: int, measured: Measured) -> None:
                clip = clips[todo[number]]
                journal.append(clip.id, clip.keys(measured), measured)
                made[todo[number]] = measured
                on_clip(clip.row, measured)

            logs = [ClipLog(clips[at].id, known.get(clips[at].id, {}), answers) for at in todo]
            await make(
                [Todo(clips[at].row, clips[at].missing, log) for at, log in zip(todo, logs, strict=True)], on_made
            )
            return _columns(made, steps)

        cache = scratch / "map" / f"{piece}.arrow"
        cache.parent.mkdir(parents=True, exist_ok=True)
        done = datasets.Dataset(rows).map(
            batch,
            batched=True,
            batch_size=_BATCH,
            with_indices=True,
            remove_columns=[name for name in rows.column_names if name != "clip_id"],
            features=_features(steps),
            cache_file_name=str(cache),
            load_from_cache_file=False,
            new_fingerprint=f"{steps[0].key[:32]}{piece[-16:]}",
        )
        _store(piece, done.data.table, lookup, stored, stores)
        del done
        cache.unlink()
    return True


class _Clip:
    """A clip that lacks values: its row, with what the steps that lack one read of the stage's others."""

    def __init__(self, row: Row, lookup: Lookup, place: int, stored: Mapping[str, Stored]) -> None:
        self.id: str = row["clip_id"]
        self.missing = lookup.missing[place]
        self.names = [planned.name for planned in self.missing]
        self._known = known_columns(lookup, place, stored)
        self.row = {**row, **self._known}
        self._lookup, self._place = lookup, place

    def key(self, name: str, made: Mapping[str, Row]) -> str:
        """What the value of a step is known by, where those before it have made these values."""
        planned = self.missing[self.names.index(name)]
        return f"{planned.key} {self._lookup.version(planned, self._place, self._known | flat(made))}"

    def keys(self, measured: Measured) -> dict[str, str]:
        """The keys of all that was made, and of what failed."""
        keys: dict[str, str] = {}
        for name in self.names:
            if name in measured.values or name == measured.failed:
                keys[name] = self.key(name, {before: measured.values[before] for before in keys})
        return keys


def _failed(piece: str, stores: Mapping[str, ValueStore], retry: Collection[str]) -> set[str]:
    """The clips of which is stored that they failed for a reason in `retry`."""
    failed = set[str]()
    for store in stores.values() if retry else ():
        failed.update(clip for clip, _ in store.read(piece).failed - store.read(piece, retry=retry).failed)
    return failed


def _seen(table: pa.Table, steps: Sequence[PlannedStep]) -> list[str]:
    """The columns that a worker or an engine's process is sent: what every clip has, and what the steps read."""
    read = {name for planned in steps for name in read_by(planned.step)}
    return [name for name in table.column_names if name in read or name in SOURCE_COLUMNS or name in PROBE_COLUMNS]


def _columns(made: Sequence[Measured | None], steps: Sequence[PlannedStep]) -> Batch:
    """What came of a batch, as the columns of `_features` but for the clip's id."""
    whole = [measured for measured in made if measured is not None]
    assert len(whole) == len(made)
    return {
        "failed": [measured.failed for measured in whole],
        "reason": [measured.rejection and str(measured.rejection.reason) for measured in whole],
        "detail": [measured.rejection and measured.rejection.detail for measured in whole],
        "passing": [measured.rejection and measured.rejection.passing for measured in whole],
        **{planned.name: [measured.values.get(planned.name) for measured in whole] for planned in steps},
    }


def _features(steps: Sequence[PlannedStep]) -> object:
    import datasets

    texts = dict.fromkeys(("clip_id", "failed", "reason", "detail"), "string")
    made = {planned.name: dict(stored_by(planned.step)) for planned in steps}
    return datasets.Features.from_arrow_schema(arrow_schema({**texts, "passing": "bool", **made}))


def _store(
    piece: str, done: pa.Table, lookup: Lookup, stored: Mapping[str, Stored], stores: Mapping[str, ValueStore]
) -> None:
    """Split the map's result by step: a step's part has the clips that it made values for, and those it failed on."""
    failed, places = done.column("failed"), list(lookup.missing)
    assert done.column("clip_id").to_pylist() == lookup.table.column("clip_id").take(places).to_pylist()
    for number, planned in enumerate(lookup.steps):
        mine = pc.or_kleene(pc.fill_null(pc.equal(failed, planned.name), False), pc.is_valid(done.column(planned.name)))
        part = done.append_column("row", pa.array(places, pa.int64())).filter(mine)
        if not part.num_rows:
            continue
        versions = [
            lookup.versions[planned.name][row]
            or lookup.version(planned, row, known_columns(lookup, row, stored) | made)
            for row, made in zip(part.column("row").to_pylist(), _made_before(part, lookup.steps[:number]), strict=True)
        ]
        values = part.column(planned.name).combine_chunks()
        fields = {name: values.field(name) for name in stored_by(planned.step)}
        here = pc.is_null(values)  # a failure of this step; where it did not fail there is no reason to keep
        reasons = {
            name: pc.if_else(here, part.column(name), pa.scalar(None, part.column(name).type))
            for name in ("reason", "detail", "passing")
        }
        who = {"clip_id": part.column("clip_id"), "version": pa.array(versions, pa.string())}
        stores[planned.name].write(piece, part.num_rows, {**who, **reasons, **fields})


def _made_before(part: pa.Table, steps: Sequence[PlannedStep]) -> Iterator[Values]:
    """For each row the columns that these steps made."""
    for made in part.select([planned.name for planned in steps]).to_pylist() if steps else repeat({}, part.num_rows):
        yield flat({name: values for name, values in made.items() if values is not None})


@contextmanager
def ended_loops() -> Iterator[Callable[[], None]]:
    """Ends the event loops that `map` opens within; the function given is to be called inside them.

    `map` leaves its loop open, and tasks pending where its writer fails on a full disk. It then closes the writer
    twice, which raises a ValueError: the OSError before it is raised in its place.
    """
    loops = set[asyncio.AbstractEventLoop]()
    try:
        yield lambda: loops.add(asyncio.get_running_loop())
    except ValueError as error:
        raise _first(error) or error from None
    finally:
        for loop in loops:
            # a second clip that failed as the first did, of which `map` never asked: the first is what is raised
            loop.set_exception_handler(lambda loop, context: None)
            if pending := asyncio.all_tasks(loop):
                for task in pending:
                    task.cancel()
                loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
            loop.close()


def _first(error: BaseException) -> OSError | None:
    """The OSError while handling which an error came up."""
    before = error.__context__
    while before is not None and not isinstance(before, OSError):
        before = before.__context__
    return before
