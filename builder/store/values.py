"""Where the values that a step made are kept: by step key, piece and clip, so that nothing is ever measured twice.

    .work/values/<step>-<key>/<piece>.<part>.arrow     clip_id, version, reason, detail, the stored columns

`version` is the media's, and a digest of the values of all columns that the step reads: what was made from a caption
is made again when the caption is another, whatever made it so. A part holds the clips that an earlier part lacked:
after a change of a filter before the step only newly admitted clips are measured. A clip that failed is a row with its
reason. Where a clip is in two parts, the later one counts.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from ..contract.clip import CLIP_NAMES, Columns, Row
from ..contract.columns import read_by, stored_by
from ..contract.errors import Reason, Rejection
from ..contract.step import ClipStep, Step
from .arrow import arrow_schema, read_or_drop, write_table
from .digests import row_digests

_DECODED_BY = ("start", "end", "interlaced")  # decide which frames a step sees
_FAILURE: Columns = {"reason": "string", "detail": "string", "passing": "bool"}
_KEYS: Columns = {"clip_id": "string", "version": "string", **_FAILURE}


@dataclass(frozen=True, slots=True)
class Stored:
    """The values of one step for one piece: `table` and, for a clip and its version, the row it stands in.

    `failed`: the clips among them that have a reason instead of values.
    """

    table: pa.Table
    position: Mapping[tuple[str, str], int]
    failed: frozenset[tuple[str, str]]


def value_store(work: Path, step: Step, key: str) -> ValueStore:
    """Where a step of this key keeps what it makes clip by clip."""
    return ValueStore(work / "values" / f"{step.use}-{key[:16]}", stored_by(step))


def read_columns(step: Step, there: Collection[str]) -> list[str]:
    """The columns whose values decide what a step makes, of those that are there; which clip it is, is known anyway."""
    seen = _DECODED_BY if isinstance(step, ClipStep) else ()
    names = dict.fromkeys([*seen, *read_by(step)])
    return [name for name in names if name in there and name not in CLIP_NAMES]


def clips_of(table: pa.Table, step: Step) -> list[tuple[str, str]]:
    """For each row the clip and the version under which the step's values for it are stored."""
    ids, versions = (table.column(name).to_pylist() for name in ("clip_id", "media_version"))
    if names := read_columns(step, table.column_names):
        digests = row_digests(table.select(names))
        versions = [f"{version}-{digest}" for version, digest in zip(versions, digests, strict=True)]
    return list(zip(ids, versions, strict=True))


def rejections_of(table: pa.Table) -> list[Rejection | None]:
    """For each stored row why it failed, or None."""
    rows = zip(*(table.column(name).to_pylist() for name in _FAILURE), strict=True)
    return [
        None if why is None else Rejection(Reason(why), detail, passing=bool(passes)) for why, detail, passes in rows
    ]


@dataclass(frozen=True, slots=True)
class ValueStore:
    """The stored values of one step."""

    folder: Path
    columns: Columns

    def read(self, piece: str, *, retry: Collection[str] = (), passing: bool = True) -> Stored:
        """What is there for a piece; clips that failed for a reason in `retry` count as not there, and so do those that
        failed by the doing of the surroundings, unless `passing`.
        """
        schema = arrow_schema({**_KEYS, **self.columns})
        table = pa.concat_tables([schema.empty_table(), *(self._part(path, schema) for path in self._parts(piece))])
        names = zip(
            *(table.column(name).to_pylist() for name in ("clip_id", "version", "reason", "passing")), strict=True
        )
        latest = {(clip, version): (at, reason, passes) for at, (clip, version, reason, passes) in enumerate(names)}
        kept = {
            clip: (at, reason)
            for clip, (at, reason, passes) in latest.items()
            if reason not in retry and (passing or not passes)
        }
        failed = frozenset(clip for clip, (_, reason) in kept.items() if reason is not None)
        return Stored(table, {clip: at for clip, (at, _) in kept.items()}, failed)

    def write(self, piece: str, rows: int, columns: Row) -> None:
        """Add a part: `clip_id` and `version`, and the values or the reasons; a column not given is null."""
        self.folder.mkdir(parents=True, exist_ok=True)
        schema = arrow_schema({**_KEYS, **self.columns})
        arrays = [_array(columns.get(field.name), rows, field.type) for field in schema]
        write_table(self.folder / f"{piece}.{len(self._parts(piece)):04}.arrow", pa.table(arrays, schema=schema))

    def _part(self, path: Path, schema: pa.Schema) -> pa.Table:
        """One that was damaged leaves an empty one in its place: those after it still count."""
        table = read_or_drop(path)
        if table is None:
            table = schema.empty_table()
            write_table(path, table)
        return table

    def _parts(self, piece: str) -> list[Path]:
        """By trying names: to list a folder of 10,000 pieces, once a piece, takes longer than to read them."""
        names = (self.folder / f"{piece}.{number:04}.arrow" for number in itertools.count())
        return list(itertools.takewhile(Path.exists, names))


def _array(values: object, rows: int, kind: pa.DataType) -> pa.Array | pa.ChunkedArray:
    if values is None:
        return pa.nulls(rows, kind)
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return values
    if isinstance(values, np.ndarray) and values.ndim == 2:  # vectors: no Python object a number
        lengths = np.arange(0, values.size + 1, values.shape[1], dtype=np.int32)
        return pa.ListArray.from_arrays(lengths, pa.array(values.reshape(-1), kind.value_type))
    return pa.array(values, type=kind)
