"""Run a barrier: its costly values per clip are made and stored, then it settles over the whole table."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from ..contract.errors import Reason, Rejection
from ..contract.identity import canonical_json
from ..contract.step import Barrier
from ..recipe.plan import PlannedStep
from ..store.arrow import arrow_schema, read_or_drop, read_table, write_table
from ..store.values import ValueStore, clips_of, value_store
from .executors.blame import Blame

_DECISIONS = {"clip_id": "string", "reason": "string", "detail": "string", "option": "string"}
_BATCH = 1000


def settle(
    planned: PlannedStep,
    step: Barrier,
    tables: Sequence[Path],
    *,
    work: Path,
    on_prepared: Callable[[int, bool], None],
) -> Mapping[str, Rejection]:
    """The clips (by clip_id) that the barrier drops from the tables of all pieces.

    Kept under a digest of the step and of the rows that it saw, so that a run which finds the same rows has it at once.
    `on_prepared` hears of each batch: its rows, and whether they had been stored before.
    """
    store = value_store(work, planned.step, planned.key)
    decided = store.folder / f"decisions-{_digest(planned, step, tables)[:32]}.arrow"
    if read_or_drop(decided) is not None:
        for path in tables:
            on_prepared(read_table(path).num_rows, True)
    else:
        table = pa.concat_tables([_prepared(planned, step, path, store, on_prepared) for path in tables])
        ids = table.select(["clip_id"]).combine_chunks().column(0)  # a chunk a piece is slow to look up in
        table = table.set_column(0, "clip_id", ids)
        with Blame(step, name=planned.name, method="settle", about=f"{len(ids):,} clips"):
            rows = [(ids[at].as_py(), str(why.reason), why.detail, why.option) for at, why in step.settle(table)]
        store.folder.mkdir(parents=True, exist_ok=True)
        columns = zip(*rows, strict=True) if rows else [[] for _ in _DECISIONS]
        arrays = [pa.array(list(column), pa.string()) for column in columns]
        write_table(decided, pa.table(arrays, schema=arrow_schema(_DECISIONS)))
    names = (read_table(decided).column(name).to_pylist() for name in _DECISIONS)
    return {clip: Rejection(Reason(reason), *rest) for clip, reason, *rest in zip(*names, strict=True)}


def _digest(planned: PlannedStep, step: Barrier, tables: Sequence[Path]) -> str:
    """Names a settlement: the step with all its options, the clips that it sees, in order, and what is kept of it."""
    digest = hashlib.sha256(canonical_json([planned.key, step.model_dump(mode="json"), _DECISIONS]).encode())
    for path in tables:
        part = read_table(path)
        digest.update(json.dumps(clips_of(part, planned.step)).encode())
    return digest.hexdigest()


def _prepared(
    planned: PlannedStep, step: Barrier, path: Path, store: ValueStore, on_prepared: Callable[[int, bool], None]
) -> pa.Table:
    """The columns that the barrier sees, of one piece."""
    part = read_table(path)
    seen = part.select(["clip_id", *step.reads()])
    if not step.prepares():
        on_prepared(seen.num_rows, True)
        return seen
    clips = clips_of(part, planned.step)
    stored = store.read(path.stem)
    missing = [row for row, clip in enumerate(clips) if clip not in stored.position]
    on_prepared(len(clips) - len(missing), True)
    for start in range(0, len(missing), _BATCH):
        rows = missing[start : start + _BATCH]
        batch = part.take(pa.array(rows, type=pa.int64()))
        ids, versions = zip(*(clips[row] for row in rows), strict=True)
        about = f"{len(ids):,} clips, {ids[0]} to {ids[-1]}"
        with Blame(step, name=planned.name, method="prepare", about=about):
            made = step.prepare(batch.select(["clip_id", *step.reads()]).to_pydict())
        store.write(path.stem, batch.num_rows, {"clip_id": ids, "version": versions, **made})
        on_prepared(batch.num_rows, False)
    if missing:
        stored = store.read(path.stem)
    at = pa.array([stored.position[clip] for clip in clips], type=pa.int64())
    for column in arrow_schema(step.prepares()):
        seen = seen.append_column(column, stored.table.column(column.name).take(at))
    return seen
