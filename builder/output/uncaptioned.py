"""Clips whose published caption is missing or shows nothing: what a text-to-video model learns from an empty text."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow.parquet as pq

from ..contract.errors import Reason, Rejection
from ..store.arrow import read_table

_ROWS_AT_ONCE = 16_384


def is_blank(caption: str | None) -> bool:
    """Whether a reader would see nothing: null, or spaces, control characters and marks of no width alone."""
    return caption is None or not any(unicodedata.category(char)[0] not in "ZC" for char in caption)


def uncaptioned(tables: Sequence[Path], column: str) -> dict[str, Rejection]:
    """The clips of the tables that have no caption in the column that is published."""
    return {
        row["clip_id"]: Rejection(Reason.NO_CAPTION, f"{column} is {'null' if row[column] is None else 'blank'}")
        for path in tables
        for row in read_table(path).select(["clip_id", column]).to_pylist()
        if is_blank(row[column])
    }


def count_captioned(files: Sequence[Path], column: str) -> int:
    """How many rows of parquet files have a caption in a column."""
    return sum(not is_blank(caption) for path in files for caption in _values(path, column))


def _values(path: Path, column: str) -> Iterator[str | None]:
    for batch in pq.ParquetFile(path).iter_batches(batch_size=_ROWS_AT_ONCE, columns=[column]):
        yield from batch.column(column).to_pylist()
