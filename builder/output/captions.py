"""What is kept of how captions were made: where it stands in the columns, and how much of it a dataset has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ...cards.captions import is_info
from ...cards.record import CaptionRecord
from ..contract.clip import Columns, Row

_NAMED = ("status", "model", "revision")
_SUMMED = ("input_tokens", "output_tokens")
_ROWS_AT_ONCE = 16_384


@dataclass(frozen=True, slots=True)
class InfoPlace:
    """Where the structs are that say how captions were made.

    `captions`: the columns that hold these: more than one where one answer became several. `column`: `<caption>_info`,
    or the caption itself where each of its items has a struct. `path`: the way in from there: names of fields, None for
    the items of a list.
    """

    captions: tuple[str, ...]
    column: str
    path: tuple[str | None, ...]

    def of(self, row: Row) -> list[Mapping[str, Any]]:
        """The structs of one row, in order; none where there is no caption."""
        return list(_inside(row.get(self.column), self.path))


def _inside(value: Any, path: tuple[str | None, ...]) -> Iterator[Mapping[str, Any]]:
    if value is None:
        return
    if not path:
        yield value
    elif path[0] is None:
        for item in value:
            yield from _inside(item, path[1:])
    else:
        yield from _inside(value[path[0]], path[1:])


def info_places(columns: Columns) -> list[InfoPlace]:
    """All of them among the columns that a step adds, in their order."""
    return [
        InfoPlace((column,) if path else _captions(column, columns), column, path)
        for column, kind in columns.items()
        for path in _paths(kind)
    ]


def _captions(info: str, columns: Columns) -> tuple[str, ...]:
    """What a column of structs is about: the one that it is named after, or else all that its step adds beside it."""
    named = info.removesuffix("_info")
    return (named,) if named in columns else tuple(name for name, kind in columns.items() if not is_info(kind))


def _paths(kind: Any) -> Iterator[tuple[str | None, ...]]:
    if is_info(kind):
        yield ()
    elif isinstance(kind, Mapping):
        yield from ((name, *path) for name, inner in kind.items() for path in _paths(inner))
    elif isinstance(kind, list | tuple):
        yield from ((None, *path) for path in _paths(kind[0]))


def caption_records(files: Sequence[Path], columns: Columns) -> list[CaptionRecord]:
    """What the captions that one step made were made with, counted in parquet files that have its columns.

    Column by column: no text and no frame's hash is read.
    """
    found: list[CaptionRecord] = []
    for place in info_places(columns):
        made: dict[tuple[str, str], CaptionRecord] = {}
        for row in _counts(files, place):
            model, revision, status = row["model"], row["revision"], row["status"]
            record = made.setdefault(
                (model or "", revision or ""),
                CaptionRecord(
                    columns=list(place.captions),
                    info=place.column,
                    model=model,
                    revision=revision,
                    statuses={},
                    input_tokens=0,
                    output_tokens=0,
                ),
            )
            record["statuses"][status] = record["statuses"].get(status, 0) + row["count_all"]
            record["input_tokens"] += row["input_tokens_sum"] or 0
            record["output_tokens"] += row["output_tokens_sum"] or 0
        for _, record in sorted(made.items()):
            found.append({**record, "statuses": dict(sorted(record["statuses"].items()))})
    return found


def _counts(files: Sequence[Path], place: InfoPlace) -> Iterator[dict[str, Any]]:
    """For some rows at a time, the captions and their tokens by status, model and revision."""
    inner = "".join(".list.element" if name is None else f".{name}" for name in place.path)
    leaves = [f"{place.column}{inner}.{name}" for name in (*_NAMED, *_SUMMED)]
    for path in files:
        for batch in pq.ParquetFile(path).iter_batches(batch_size=_ROWS_AT_ONCE, columns=leaves):
            infos = batch.column(place.column)
            for name in place.path:
                infos = pc.list_flatten(infos) if name is None else pc.struct_field(infos, name)
            table = pa.table({name: pc.struct_field(infos, name) for name in (*_NAMED, *_SUMMED)})
            table = table.filter(pc.is_valid(table.column("status")))
            sums = [*((name, "sum") for name in _SUMMED), ([], "count_all")]
            yield from table.group_by(list(_NAMED)).aggregate(sums).to_pylist()
