"""Parquet that unpacks to more than there is memory for is read in pieces, or not at all."""

from __future__ import annotations

import datetime as dt
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from shotscribe.builder.contract.errors import RunError
from shotscribe.builder.contract.source import SourceClip
from shotscribe.builder.sources._tables.parquet_rows import parquet_rows
from shotscribe.builder.sources.table import Table

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


def test_times_and_texts_as_parquet_has_them(tmp_path: Path) -> None:
    """Durations and times of day, numbers of 32 bits, texts that Spark wrote as bytes."""
    path = tmp_path / "t.parquet"
    starts = [
        (pa.array([dt.timedelta(milliseconds=100)]), pa.array([dt.timedelta(seconds=2)])),
        (pa.array([dt.time(0, 0, 0, 100_000)]), pa.array([dt.time(0, 0, 2)])),
        (pa.array([0.1], pa.float32()), pa.array([2], pa.uint8())),
        (pa.array(["0.1"]), pa.array([b"2"])),
    ]
    for start, end in starts:
        texts = {"path": pa.array([b"a.mp4"]), "text": pa.array([b"caf\xc3\xa9"]).dictionary_encode()}
        pq.write_table(pa.table({**texts, "start": start, "end": end}), path)
        (clip,) = Table(path=path).clips(tmp_path)
        assert isinstance(clip, SourceClip)
        assert (clip.start, clip.end, clip.source_caption) == (0.1, 2.0, "café")
    pq.write_table(pa.table({"path": ["a.mp4"], "timestamp": pa.array([[0.1, 2.2]], pa.list_(pa.float32()))}), path)
    assert [cells for _, cells in parquet_rows(path, ["timestamp"])] == [{"timestamp": [0.1, 2.2]}]
    pq.write_table(pa.table({"path": ["a.mp4"] * 2, "text": [b"caf\xe9", None]}), path)
    assert [cells for _, cells in parquet_rows(path, ["text"])] == ["bytes that are not UTF-8: 0xe9", {"text": None}]


def test_two_columns_of_one_name_are_no_column(tmp_path: Path) -> None:
    twice = pa.Table.from_arrays([pa.array(["a.mp4"]), pa.array(["b.mp4"])], names=["path", "path"])
    pq.write_table(twice, tmp_path / "t.parquet")
    with pytest.raises(RunError, match="the column 'path' is there twice"):
        Table(path=tmp_path / "t.parquet").described()
