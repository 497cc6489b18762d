"""A step that sees all clips at once settles over the whole table."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from ..contract.columns import read_by
from ..contract.errors import Reason, Rejection
from ..contract.identity import canonical_json
from ..contract.step import TableStep
from ..recipe.plan import PlannedStep
from ..store.arrow import arrow_schema, read_or_drop, read_table, write_table
from ..store.values import clips_of, value_store
from .executors.blame import Blame

_DECISIONS = {"clip_id": "string", "reason": "string", "detail": "string", "option": "string"}


def settle(
    planned: PlannedStep, step: TableStep, tables: Sequence[Path], *, work: Path, on_seen: Callable[[int], None]
) -> Mapping[str, Rejection]:
    """The clips (by clip_id) that the step drops from the tables of all pieces.

    Kept under a digest of the step and of the rows that it saw, so that a run which finds the same rows has it at once.
    `on_seen` hears of each piece's rows.
    """
    folder = value_store(work, planned.step, planned.key).folder
    decided = folder / f"decisions-{_digest(planned, step, tables)[:32]}.arrow"
    if read_or_drop(decided) is None:
        parts = [read_table(path) for path in tables]
        read = [name for name in dict.fromkeys(["clip_id", *read_by(step)]) if name in parts[0].column_names]
        table = pa.concat_tables([part.select(read) for part in parts])
        ids = table.select(["clip_id"]).combine_chunks().column(0)  # a chunk a piece is slow to look up in
        table = table.set_column(0, "clip_id", ids)
        with Blame(step, name=planned.name, method="settle", about=f"{len(ids):,} clips"):
            rows = [(ids[at].as_py(), str(why.reason), why.detail, why.option) for at, why in step.settle(table)]
        folder.mkdir(parents=True, exist_ok=True)
        columns = zip(*rows, strict=True) if rows else [[] for _ in _DECISIONS]
        arrays = [pa.array(list(column), pa.string()) for column in columns]
        write_table(decided, pa.table(arrays, schema=arrow_schema(_DECISIONS)))
    for path in tables:
        on_seen(read_table(path).num_rows)
    names = (read_table(decided).column(name).to_pylist() for name in _DECISIONS)
    return {clip: Rejection(Reason(reason), *rest) for clip, reason, *rest in zip(*names, strict=True)}


def _digest(planned: PlannedStep, step: TableStep, tables: Sequence[Path]) -> str:
    """Names a settlement: the step with all its options, the clips that it sees, in order, and what is kept of it."""
    digest = hashlib.sha256(canonical_json([planned.key, step.model_dump(mode="json"), _DECISIONS]).encode())
    for path in tables:
        part = read_table(path)
        digest.update(json.dumps(clips_of(part, planned.step)).encode())
    return digest.hexdigest()
