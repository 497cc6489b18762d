"""Make the values that a piece of the clip table lacks, through `datasets.map`.

The rows that lack values go through `Dataset.map` with an async function, in batches: hundreds are in flight over the
worker processes or over an engine, results come back in order and land in an Arrow file. Every finished clip is in the
journal before it counts, so that a kill costs no more than what was in flight.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ..contract.clip import PROBE_COLUMNS, SOURCE_COLUMNS, Row
from ..contract.step import Measured, stored_columns
from ..recipe.plan import PlannedStep
from ..store.arrow import arrow_schema
from ..store.journal import ClipLog, Journal
from ..store.values import Stored, ValueStore, clips_of
from .making import OnMade, Todo

Make = Callable[[Sequence[Todo], OnMade], Awaitable[None]]
"""Makes the values of clips, as `making.Making.make` does."""

_BATCH = 128  # rows: `map` looks at all that it waits for whenever one ends, which costs more than the rows themselves


def fill(
    piece: str,
    table: pa.Table,
    steps: Sequence[PlannedStep],
    *,
    stores: Mapping[str, ValueStore],
    stored: Mapping[str, Stored],
    make: Make,
    log: str,
    scratch: Path,
    retry: Collection[str],
    on_clip: Callable[[Row, Measured], None],
) -> bool:
    """Make and store what is missing for the rows of `table`; true if anything was. `on_clip` hears of each new clip.

    `log`: hex digits that name the journal: of what stays the same when a step of the stage changes, where it can.

    A clip that failed at one step is not tried with the steps after it.
    """
    without = lacking(table, steps, stored)
    if not without:
        return False
    import datasets

    datasets.disable_progress_bars()  # the run shows its own progress
    rows = table.select(_seen(table, steps)).take(pa.array(list(without), type=pa.int64()))
    missing = list(without.values())
    clips = {planned.name: clips_of(rows, planned.given) for planned in steps}
    path = scratch / "journal" / f"{piece}.{log[:16]}.jsonl"
    with Journal(path, clips=rows.column("clip_id").to_pylist()) as journal, ended_loops() as inside_loop:

        def todo_of(row: dict[str, Any], index: int) -> Todo:
            at = {name: of[index] for name, of in clips.items()}
            log = ClipLog(
                journal.completions(row["clip_id"], retry=retry),
                functools.partial(journal.append_completion, row["clip_id"]),
            )
            return Todo({**row, **_known(at, steps, missing[index], stored)}, missing[index], log)

        async def batch(columns: dict[str, list[Any]], indices: list[int]) -> dict[str, list[Any]]:
            inside_loop()
            batch_rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
            keys = [
                {planned.name: f"{planned.key} {clips[planned.name][index][1]}" for planned in missing[index]}
                for index in indices
            ]
            made = [journal.find(row["clip_id"], of, retry=retry) for row, of in zip(batch_rows, keys, strict=True)]
            places = [place for place, measured in enumerate(made) if measured is None]
            for row, measured in zip(batch_rows, made, strict=True):
                if measured is not None:
                    on_clip(row, measured)

            def on_made(number: int, measured: Measured) -> None:
                place = places[number]
                journal.append(batch_rows[place]["clip_id"], keys[place], measured)
                made[place] = measured
                on_clip(batch_rows[place], measured)

            await make([todo_of(batch_rows[place], indices[place]) for place in places], on_made)
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
        _store(piece, done.data.table, clips, steps, stores)
        del done
        cache.unlink()
    return True


def _seen(table: pa.Table, steps: Sequence[PlannedStep]) -> list[str]:
    """The columns that a worker or an engine's process is sent: what every clip has, and what the steps read."""
    read = {name for planned in steps for name in (*planned.step.reads(), *planned.step.may_read(), *planned.given)}
    return [name for name in table.column_names if name in read or name in SOURCE_COLUMNS or name in PROBE_COLUMNS]


def _columns(made: Sequence[Measured | None], steps: Sequence[PlannedStep]) -> dict[str, list[Any]]:
    """What came of a batch, as the columns of `_features` but for the clip's id."""
    whole = [measured for measured in made if measured is not None]
    assert len(whole) == len(made)
    return {
        "failed": [measured.failed for measured in whole],
        "reason": [measured.rejection and str(measured.rejection.reason) for measured in whole],
        "detail": [measured.rejection and measured.rejection.detail for measured in whole],
        **{planned.name: [measured.values.get(planned.name) for measured in whole] for planned in steps},
    }


def lacking(
    table: pa.Table, steps: Sequence[PlannedStep], stored: Mapping[str, Stored]
) -> dict[int, list[PlannedStep]]:
    """Row -> the steps that have nothing for it, in order; empty rows left out, as are rows that failed before."""
    steps_of: dict[int, list[PlannedStep]] = {}
    clips = {planned.name: clips_of(table, planned.given) for planned in steps}
    for row in range(table.num_rows):
        for planned in steps:
            clip = clips[planned.name][row]
            if clip not in stored[planned.name].position:
                steps_of.setdefault(row, []).append(planned)
            elif clip in stored[planned.name].failed:
                break
    return steps_of


def _known(
    clips: Mapping[str, tuple[str, str]],
    steps: Sequence[PlannedStep],
    missing: Sequence[PlannedStep],
    stored: Mapping[str, Stored],
) -> Row:
    """What steps of the stage made for the clip in an earlier run, for a step that was added and reads it."""
    if len(missing) == len(steps):
        return {}
    wanted = {name for planned in missing for name in (*planned.step.reads(), *planned.step.may_read())}
    known: dict[str, Any] = {}
    for planned in steps:
        names = [name for name in stored_columns(planned.step) if name in wanted]
        if names and planned not in missing:
            values = stored[planned.name]
            known.update(values.table.slice(values.position[clips[planned.name]], 1).select(names).to_pylist()[0])
    return known


def _features(steps: Sequence[PlannedStep]) -> Any:
    import datasets

    texts = dict.fromkeys(("clip_id", "failed", "reason", "detail"), "string")
    return datasets.Features.from_arrow_schema(
        arrow_schema({**texts, **{planned.name: dict(stored_columns(planned.step)) for planned in steps}})
    )


def _store(
    piece: str,
    done: pa.Table,
    clips: Mapping[str, Sequence[tuple[str, str]]],
    steps: Sequence[PlannedStep],
    stores: Mapping[str, ValueStore],
) -> None:
    """Split the map's result by step: a step's part has the clips that it made values for, and those it failed on."""
    failed, ids = done.column("failed"), done.column("clip_id").to_pylist()
    for planned in steps:
        mine = pc.or_kleene(pc.fill_null(pc.equal(failed, planned.name), False), pc.is_valid(done.column(planned.name)))
        version_of = dict(clips[planned.name])  # by id, not by place: a value must never come to another clip
        versions = pa.array([version_of[clip] for clip in ids], pa.string())
        part = done.append_column("version", versions).filter(mine)
        if not part.num_rows:
            continue
        values = part.column(planned.name).combine_chunks()
        fields = {name: values.field(name) for name in stored_columns(planned.step)}
        here = pc.is_null(values)  # a failure of this step; where it did not fail there is no reason to keep
        nothing = pa.scalar(None, pa.string())
        reasons = {name: pc.if_else(here, part.column(name), nothing) for name in ("reason", "detail")}
        who = {name: part.column(name) for name in ("clip_id", "version")}
        stores[planned.name].write(piece, part.num_rows, {**who, **reasons, **fields})


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
        raise _before(error) or error from None
    finally:
        for loop in loops:
            # a second clip that failed as the first did, of which `map` never asked: the first is what is raised
            loop.set_exception_handler(lambda loop, context: None)
            if pending := asyncio.all_tasks(loop):
                for task in pending:
                    task.cancel()
                loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
            loop.close()


def _before(error: BaseException) -> OSError | None:
    """The OSError while handling which an error came up."""
    before = error.__context__
    while before is not None and not isinstance(before, OSError):
        before = before.__context__
    return before
