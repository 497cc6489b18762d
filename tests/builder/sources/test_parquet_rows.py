"""Parquet that unpacks to more than there is memory for is read in pieces, or not at all."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from shotscribe.builder.contract.errors import RunError
from shotscribe.builder.sources._tables.parquet_rows import parquet_rows

LONG = 9 << 20


def shared(texts: list[str], rows: int) -> Any:
    """Every row the last of the texts, which stands once in the file."""
    indices = pa.array(np.full(rows, len(texts) - 1, np.int32))
    return pa.DictionaryArray.from_arrays(indices, pa.array(texts))


@pytest.mark.parametrize("nested", [False, True])
def test_a_long_text_that_many_rows_share(tmp_path: Path, nested: bool) -> None:
    rows = 100
    texts = shared(["x" * LONG], rows)
    if nested:
        texts = pa.ListArray.from_arrays(pa.array(range(rows + 1), pa.int32()), texts)
    pq.write_table(pa.table({"path": ["a.mp4"] * rows, "text": texts}), tmp_path / "t.parquet", store_schema=False)
    assert (tmp_path / "t.parquet").stat().st_size < 1 << 20
    pool = pa.default_memory_pool()
    before = pool.max_memory()
    tracemalloc.start()
    got = list(parquet_rows(tmp_path / "t.parquet", ["path", "text"]))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert got == [(f"row {index}", "'text': a cell of more than 8 MiB") for index in range(1, rows + 1)]
    assert peak < 64 << 20
    assert pool.max_memory() - before < 256 << 20  # 0.9 GB, written out


def test_a_column_that_expands_without_measure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "shotscribe.builder.sources._tables.parquet_rows._MAX_CHUNK", 16 << 20
    )  # a smaller file for the test
    rows = pa.table({"path": ["a.mp4"] * 3, "text": pa.array(["x" * LONG] * 3)})
    pq.write_table(rows, tmp_path / "t.parquet", compression="zstd", use_dictionary=False)
    with pytest.raises(RunError, match="the column 'text' unpacks from"):
        list(parquet_rows(tmp_path / "t.parquet", ["path", "text"]))
    assert len(list(parquet_rows(tmp_path / "t.parquet", ["path"]))) == 3


def test_values_of_every_kind(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"path": "a.mp4", "tags": ["x", None], "s": {"a": "b", "n": 1}, "n": 2, "t": None},
        {"path": None, "tags": None, "s": None, "n": None, "t": "z"},
    ] * 1500
    table = pa.Table.from_pylist(rows).append_column(
        "m", pa.array([[("k", "v")], None] * 1500, pa.map_("string", "string"))
    )
    pq.write_table(table, tmp_path / "t.parquet")
    got = list(parquet_rows(tmp_path / "t.parquet", table.column_names))
    assert [cells for _, cells in got] == table.to_pylist()
    assert got[-1][0] == "row 3000"
