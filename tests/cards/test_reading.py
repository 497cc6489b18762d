"""What the card's head is for: `datasets` reads the folder beside it, with one schema, without guessing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import webdataset
from shotscribe.builder.store.arrow import arrow_schema
from shotscribe.cards.card import card
from shotscribe.cards.schema import features

INFO = {"status": "string", "revision": "string", "frames": ["string"], "tries": "int64"}
COLUMNS = {
    "clip_id": "string",
    "scores": ["float64"],
    "cut": {"start": "int64"},
    "note": "string",
    "nothing": "string",
    "short_info": INFO,
    "windows": [{"start": "float64", "end": "float64", "info": INFO}],
    "boxes": [["float64"]],
    "raw": "json",
}


def rows() -> list[dict[str, Any]]:
    """Fourteen clips. A guess from the first would get columns wrong: some are null in all of the first tar."""
    info = {"status": "ok", "revision": None, "frames": ["0a" * 16, "0b" * 16], "tries": 1}
    made = [
        dict.fromkeys(COLUMNS) | {"clip_id": f"c{at}", "scores": [0.5] * at, "cut": {"start": at}} for at in range(14)
    ]
    for row in made[7:]:  # how captions were made: a struct, and one in each item of a list
        row |= {"short_info": info, "windows": [{"start": 0.0, "end": 2.0, "info": {**info, "frames": []}}]}
        row |= {"note": "only here", "boxes": [[1.0, 0.123456789012345], []], "raw": '{"mood": "calm"}'}
    return made


def _publish(out: Path, record: Any, video: bytes) -> None:
    """Two shards; an early sample has no caption."""
    record["columns"] = COLUMNS
    (out / "metadata").mkdir(parents=True)
    (out / "data").mkdir()
    (out / "README.md").write_text(card(record), "utf-8")
    table = pa.Table.from_pylist(rows(), schema=arrow_schema(COLUMNS))
    pq.write_table(table, out / "metadata/train-00000-of-00001.parquet")
    pq.write_table(pa.table({"clip_id": ["bad"], "reason": ["limit"]}), out / "rejects.parquet")
    for shard in range(2):
        with webdataset.TarWriter(str(out / f"data/train-{shard:05d}-of-00002.tar"), mtime=0) as tar:
            for row in rows()[shard * 7 : shard * 7 + 7]:
                sample = {"__key__": row["clip_id"], "json": json.dumps(row).encode()}
                if record["media"] == "embed":
                    sample["mp4"] = video
                if record["caption"] and row["clip_id"] != "c1":
                    sample["txt"] = f"says {row['clip_id']}"
                tar.write(sample)


@pytest.fixture(scope="module")
def video(encode: Callable[..., Path], moving: Callable[..., Iterable[Any]], tmp_path_factory: Any) -> bytes:
    path = encode(tmp_path_factory.mktemp("video") / "clip.mp4", moving(6, size=(48, 64)))
    return bytes(path.read_bytes())


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize(("media", "caption"), [("embed", "caption"), ("reference", "caption"), ("embed", None)])
def test_the_shards_read_with_one_schema(
    record: Any, video: bytes, tmp_path: Path, media: str, caption: str | None, streaming: bool
) -> None:
    from datasets import load_dataset

    record |= {"media": media, "caption": caption}
    _publish(tmp_path / "out", record, video)

    clips = load_dataset(str(tmp_path / "out"), split="train", streaming=streaming, cache_dir=str(tmp_path / "cache"))
    read = list(clips)

    expected = (
        {"json", "__key__", "__url__"} | ({"mp4"} if media == "embed" else set()) | ({"txt"} if caption else set())
    )
    assert set(clips.features) == expected
    assert [row["__key__"] for row in read] == [f"c{at}" for at in range(14)]
    assert [row["json"] for row in read] == rows()
    if caption:
        assert [row["txt"] for row in read] == ["says c0", None, *(f"says c{at}" for at in range(2, 14))]
    if media == "embed":
        assert all(row["mp4"]["bytes"] == video for row in read)


def test_the_tables_beside_them_read_as_the_card_says(record: Any, video: bytes, tmp_path: Path) -> None:
    from datasets import load_dataset

    _publish(tmp_path / "out", record, video)
    out, cache = str(tmp_path / "out"), str(tmp_path / "cache")
    table = load_dataset("parquet", data_files=f"{out}/metadata/*.parquet", split="train", cache_dir=cache)
    rejects = load_dataset("parquet", data_files=f"{out}/rejects.parquet", split="train", cache_dir=cache)

    assert table["clip_id"][:] == [f"c{at}" for at in range(14)]
    assert table["scores"][3] == [0.5] * 3
    assert table[0]["short_info"] is None
    assert table[13]["short_info"]["frames"] == ["0a" * 16, "0b" * 16]
    assert table[13]["windows"][0]["info"]["status"] == "ok"
    assert rejects[0] == {"clip_id": "bad", "reason": "limit"}


def test_nested_columns_are_spelled_as_datasets_does(captioned: Any) -> None:
    from datasets import Features

    kinds = captioned["columns"] | {"nested": [[{"at": ["float64"]}]]}
    spelled = features(kinds)
    assert spelled == Features.from_arrow_schema(arrow_schema(kinds))._to_yaml_list()
    assert list(Features._from_yaml_list(spelled)) == list(kinds)


def test_the_cards_own_lines_run(record: Any, video: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The two blocks that load it, as a reader would paste them, from beside the folder that they name."""
    del record["recipe"]["publish"]
    record["shards"] = [
        {**shard, "path": f"data/train-{at:05}-of-00002.tar"} for at, shard in enumerate(record["shards"][:2])
    ]
    _publish(tmp_path / "out/street-life", record, video)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    blocks = [block.split("```")[0] for block in card(record).split("```python\n")[1:3]]

    first: dict[str, Any] = {}
    exec(blocks[0], first)
    assert first["row"]["__key__"] == "c0"
    assert [row["json"] for row in first["some"]] == rows()[:7]
    assert first["table"].num_rows == 14
    assert first["rejects"].num_rows == 1
    second: dict[str, Any] = {}
    exec(blocks[1], second)
    assert second["sample"]["mp4"] == video
