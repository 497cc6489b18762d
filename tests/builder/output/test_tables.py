from __future__ import annotations

import itertools
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shotscribe.builder.contract.clip import PROBE_COLUMNS, REJECT_COLUMNS
from shotscribe.builder.contract.errors import RunError
from shotscribe.builder.output.tables import write_rejects, write_tables
from shotscribe.builder.store.arrow import arrow_schema

COLUMNS = {"clip_id": "string", "score": "float64", "keyframes": ["float64"], "meta": {"a": "int64", "b": ["string"]}}
SHARDS = [("data/train-00000-of-00002.tar", 3), ("data/train-00001-of-00002.tar", 2)]


def rows(count: int) -> pa.Table:
    return pa.table(
        {
            "media": [f"/secret/{at}.mp4" for at in range(count)],
            "clip_id": [f"c{at}" for at in range(count)],
            "score": [at / 3 if at % 2 else None for at in range(count)],
            "keyframes": [[0.5] * at for at in range(count)],
            "meta": [{"a": at, "b": ["x"]} for at in range(count)],
        }
    )


def test_specs_become_arrow_types():
    schema = arrow_schema({**PROBE_COLUMNS, **COLUMNS, "extra": "json", "vector": ["float32"]})
    assert schema.field("whole").type == pa.bool_()
    assert schema.field("keyframes").type == pa.list_(pa.float64())
    assert schema.field("meta").type == pa.struct({"a": pa.int64(), "b": pa.list_(pa.string())})
    assert schema.field("extra").type == pa.string()
    assert schema.field("vector").type == pa.list_(pa.float32())


@pytest.mark.parametrize("spec", ["strnig", 3, None, ["string", "string"], {"a": ["nope"]}])
def test_a_wrong_spec_names_the_column(spec):
    with pytest.raises(ValueError, match="column odd"):
        arrow_schema({"odd": spec})


def test_one_file_for_each_shard_with_its_rows(tmp_path):
    names = write_tables([rows(5)], out=tmp_path, columns=COLUMNS, shards=SHARDS)
    assert names == ["metadata/train-00000-of-00002.parquet", "metadata/train-00001-of-00002.parquet"]
    first, second = (pq.read_table(tmp_path / name) for name in names)
    assert first.column_names == [*COLUMNS, "shard"]
    assert first.to_pylist() + second.to_pylist() == [
        {**{name: row[name] for name in COLUMNS}, "shard": SHARDS[at >= 3][0]}
        for at, row in enumerate(rows(5).to_pylist())
    ]
    assert pq.read_metadata(tmp_path / names[0]).row_group(0).column(0).compression == "ZSTD"


@settings(max_examples=25)
@given(st.lists(st.integers(0, 5), max_size=6))
def test_bytes_do_not_depend_on_how_rows_come(tmp_path_factory, borders):
    def written(tables: list[pa.Table]) -> list[bytes]:
        out: Path = tmp_path_factory.mktemp("out")
        return [(out / name).read_bytes() for name in write_tables(tables, out=out, columns=COLUMNS, shards=SHARDS)]

    table = rows(5)
    edges = [0, *sorted(borders), 5]
    sliced = [table.slice(begin, end - begin) for begin, end in itertools.pairwise(edges)]
    assert written(sliced) == written([table])


def test_files_of_an_earlier_build_go_when_the_new_ones_are_there(tmp_path):
    write_tables([rows(5)], out=tmp_path, columns=COLUMNS, shards=SHARDS)
    with pytest.raises(ValueError, match="only 1"):
        write_tables([rows(1)], out=tmp_path, columns=COLUMNS, shards=[("data/train-00000-of-00001.tar", 5)])
    assert len(list((tmp_path / "metadata").iterdir())) == 2
    write_tables([rows(5)], out=tmp_path, columns=COLUMNS, shards=[("data/train-00000-of-00001.tar", 5)])
    assert [path.name for path in (tmp_path / "metadata").iterdir()] == ["train-00000-of-00001.parquet"]


def test_rows_that_no_shard_holds_are_an_error(tmp_path):
    with pytest.raises(ValueError, match="more rows"):
        write_tables([rows(4), rows(4)], out=tmp_path, columns=COLUMNS, shards=SHARDS)


def rejects(count: int) -> pa.Table:
    texts = {name: [f"{name} {at}" for at in range(count)] for name in REJECT_COLUMNS if name != "passing"}
    return pa.table({**texts, "passing": [at % 2 == 0 for at in range(count)]})


@pytest.mark.parametrize("tables", [[], [rejects(0)], [rejects(3), rejects(0), rejects(2)]])
def test_rejects_are_written_even_if_there_are_none(tmp_path, tables):
    path = tmp_path / "rejects.parquet"
    write_rejects(tables, path=path)
    read = pq.read_table(path)
    assert read.column_names == list(REJECT_COLUMNS)
    assert read.to_pylist() == [row for table in tables for row in table.to_pylist()]


def test_a_place_that_cannot_be_written_stops_the_run(tmp_path):
    (tmp_path / "metadata").write_text("a file where the folder should be")
    with pytest.raises(RunError, match="cannot write"):
        write_tables([rows(5)], out=tmp_path, columns=COLUMNS, shards=SHARDS)
