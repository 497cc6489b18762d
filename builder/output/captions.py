"""How the captions of a dataset were made, counted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ...cards.record import CaptionRecord
from ..contract.captions import InfoPlace, info_places
from ..contract.clip import Columns, Values

_NAMED = ("status", "model", "revision")
_SUMMED = ("input_tokens", "output_tokens")
_ROWS_AT_ONCE = 16_384


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


def _counts(files: Sequence[Path], place: InfoPlace) -> Iterator[Values]:
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
