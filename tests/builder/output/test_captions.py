"""How captions were made, found in any columns and counted."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shotscribe.builder.contract.captions import INFO, info_places
from shotscribe.builder.output import captions
from shotscribe.builder.output.captions import caption_records
from shotscribe.builder.store.arrow import arrow_schema
from shotscribe.captioners._ask import DIFF_CAPTIONS

COLUMNS: dict[str, Any] = {
    "clip_id": "string",
    "short_caption": "string",
    "short_caption_info": INFO,
    "diff_captions": DIFF_CAPTIONS,
    "shots": {"about": "string", "parts": [{"takes": [{"how": INFO}]}]},
    "camera_info": {"make": "string"},
}

infos = st.none() | st.fixed_dictionaries(
    {
        "status": st.sampled_from(["ok", "truncated", "repeated"]),
        "model": st.sampled_from(["acme/sees", "acme/reads"]),
        "revision": st.sampled_from(["abc", "def", None]),
        "prompt": st.just("5" * 32),
        "frames": st.just(["6" * 32]),
        "seed": st.just(0),
        "input_tokens": st.integers(0, 2**40),
        "output_tokens": st.integers(0, 100) | st.none(),
        "tries": st.just(1),
    }
)
rows = st.fixed_dictionaries(
    {
        "clip_id": st.just("a"),
        "short_caption": st.just("text"),
        "short_caption_info": infos,
        "diff_captions": st.none()
        | st.lists(st.fixed_dictionaries({"start": st.just(0.0), "end": st.just(1.0), "info": infos}), max_size=3),
        "shots": st.none()
        | st.fixed_dictionaries(
            {
                "parts": st.lists(
                    st.fixed_dictionaries({"takes": st.none() | st.lists(st.fixed_dictionaries({"how": infos}))}),
                    max_size=2,
                )
            }
        ),
    }
)


def test_they_are_known_by_their_fields_wherever_they_stand() -> None:
    assert [(place.captions, place.column, place.path) for place in info_places(COLUMNS)] == [
        (("short_caption",), "short_caption_info", ()),
        (("diff_captions",), "diff_captions", (None, "info")),
        (("shots",), "shots", ("parts", None, "takes", None, "how")),
    ]


def test_one_answer_may_become_several_columns() -> None:
    (place,) = info_places({"objects": ["string"], "actions": ["string"], "tags_info": INFO})
    assert (place.captions, place.column) == (("objects", "actions"), "tags_info")


@settings(max_examples=50)
@given(files=st.lists(st.lists(rows, max_size=6), min_size=1, max_size=3))
def test_every_caption_of_a_dataset_is_counted_once(tmp_path_factory: pytest.TempPathFactory, files: Any) -> None:
    """Against a count of Python objects; more rows than are read at once, in several files."""
    folder = tmp_path_factory.mktemp("captions")
    paths = [folder / f"{number}.parquet" for number in range(len(files))]
    for path, part in zip(paths, files, strict=True):
        pq.write_table(pa.Table.from_pylist(part, schema=arrow_schema(COLUMNS)), path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(captions, "_ROWS_AT_ONCE", 4)
        records = caption_records(paths, COLUMNS)

    counted = Counter[tuple[Any, ...]]()
    tokens = Counter[tuple[Any, ...]]()
    for place in info_places(COLUMNS):
        for info in (info for part in files for row in part for info in place.of(row)):
            made = (place.captions, place.column, info["model"], info["revision"])
            counted[*made, info["status"]] += 1
            tokens[*made, "in"] += info["input_tokens"]
            tokens[*made, "out"] += info["output_tokens"] or 0
    got = {(tuple(one["columns"]), one["info"], one["model"], one["revision"]): one for one in records}
    assert len(got) == len(records)
    assert {(*made, status): n for made, one in got.items() for status, n in one["statuses"].items()} == counted
    assert all(one["input_tokens"] == tokens[*made, "in"] for made, one in got.items())
    assert all(one["output_tokens"] == tokens[*made, "out"] for made, one in got.items())
    order = [place.column for place in info_places(COLUMNS)]
    assert [one["info"] for one in records] == sorted((one["info"] for one in records), key=order.index)


def test_neither_texts_nor_hashes_of_frames_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "one.parquet"
    pq.write_table(pa.Table.from_pylist([{"clip_id": "a"}], schema=arrow_schema(COLUMNS)), path)
    read: list[str] = []

    class Watched(pq.ParquetFile):
        def iter_batches(self, **options: Any) -> Any:
            read.extend(options["columns"])
            return super().iter_batches(**options)

    monkeypatch.setattr(pq, "ParquetFile", Watched)
    assert caption_records([path], COLUMNS) == []
    assert {name.rsplit(".", 1)[1] for name in read} == {"status", "model", "revision", "input_tokens", "output_tokens"}
    schema = pq.read_metadata(path).schema
    leaves = [schema.column(at).path for at in range(len(schema))]
    assert set(read) <= set(leaves)
