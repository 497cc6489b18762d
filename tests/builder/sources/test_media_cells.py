"""Media that a table holds itself, as Hugging Face's `Video` is stored: by its path, or as bytes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from shotscribe.builder.contract.errors import RunError
from shotscribe.builder.sources.table import Table
from shotscribe.builder.store.clips import row_of

Split = Callable[[Any], tuple[list[Any], list[Any]]]
Put = Callable[..., None]

MP4 = b"\0\0\0\x18ftypisom and so on"
VIDEO = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def parquet(folder: Path, cells: list[Any], name: str = "video", **options: Any) -> Table:
    rows = {name: pa.array(cells, VIDEO), "caption": [f"clip {index}" for index in range(len(cells))]}
    pq.write_table(pa.table(rows), folder / "t.parquet", **options)
    return Table(path=folder / "t.parquet", columns={} if name == "video" else {"media": name})


def test_a_path_without_bytes_is_a_path(tmp_path: Path, split: Split, put: Put) -> None:
    put(tmp_path, "v/a.mp4")
    cells = [{"bytes": None, "path": "v/a.mp4"}, {"bytes": b"", "path": "v/a.mp4"}, {"bytes": None, "path": None}]
    clips, rejects = split(parquet(tmp_path, [*cells, None, {"bytes": None, "path": "../../etc/passwd"}]))
    assert [(clip.source_id, clip.source_caption) for clip in clips] == [("v/a.mp4", "clip 0"), ("v/a.mp4", "clip 1")]
    assert [reject.rejection.detail for reject in rejects[:2]] == ["'video': no path"] * 2
    assert str(rejects[2].rejection.reason) == "refused"


def test_bytes_become_files_named_by_their_content(tmp_path: Path) -> None:
    other = b"\x1a\x45\xdf\xa3 matroska"
    cells = [
        {"bytes": MP4, "path": "/home/me/a.mp4"},
        {"bytes": other, "path": "a.mp4"},
        {"bytes": MP4, "path": "C:\\v\\b.webm"},
        {"bytes": other, "path": None},
        {"bytes": b"what", "path": "../../x\0.sh"},
    ]
    source, work = parquet(tmp_path, cells, "mp4"), tmp_path / "work"
    clips: list[Any] = list(source.clips(work))
    assert clips == list(source.clips(work))
    files = [Path(clip.media) for clip in clips]
    assert [file.read_bytes() for file in files] == [cell["bytes"] for cell in cells]
    assert [file.suffix for file in files] == [".mp4", ".mp4", ".webm", ".mkv", ""]
    assert {file.parent for file in files} == {(work / "table-media").absolute()}
    assert sorted(file.name for file in files[0].parent.iterdir()) == sorted(file.name for file in files)
    assert [clip.source_id.partition("/")[2] for clip in clips] == ["a.mp4", "a.mp4", "b.webm", "", "x\0.sh"]
    assert len({row_of(source, clip)["clip_id"] for clip in clips}) == 5


def test_many_large_files_are_read_one_by_one(tmp_path: Path) -> None:
    cells = [{"bytes": MP4 + bytes([index]) * (9 << 20), "path": f"{index}.mp4"} for index in range(20)]
    source = parquet(tmp_path, cells, row_group_size=2, compression="none")
    pool = pa.default_memory_pool()
    before, most = pool.bytes_allocated(), 0
    for index, clip in enumerate(source.clips(tmp_path / "work")):
        most = max(most, pool.bytes_allocated() - before)
        assert Path(clip.media).stat().st_size == len(cells[index]["bytes"])  # type: ignore[union-attr]
    assert most < 100 << 20  # 180 MiB in all


def test_a_row_group_of_too_much_media_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shotscribe.builder.sources._tables.parquet_rows._MAX_MEDIA", 100)
    source = parquet(tmp_path, [{"bytes": MP4 * 10, "path": "a.mp4"}])
    with pytest.raises(RunError, match=r"row group 1 holds \d+ bytes of media in 'video'.* row_group_size of 10"):
        list(source.clips(tmp_path))


def test_the_object_in_json_and_in_csv(tmp_path: Path, split: Split, put: Put) -> None:
    put(tmp_path, "a.mp4")
    rows = [{"video": {"path": "a.mp4", "bytes": None}}, {"video": {"path": "a.mp4", "bytes": "AAAA"}}, {"video": {}}]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    clips, rejects = split(Table(path=tmp_path / "t.jsonl"))
    assert [clip.source_id for clip in clips] == ["a.mp4"]
    assert [reject.rejection.detail for reject in rejects] == [
        "'video': bytes in text are not read; give the path, or write parquet",
        "'video': no path",
    ]
    (tmp_path / "t.csv").write_text("video,text\n\"{'bytes': None, 'path': 'a.mp4'}\",x\n{a}.mp4,y\n")
    put(tmp_path, "{a}.mp4")
    clips, rejects = split(Table(path=tmp_path / "t.csv"))
    assert [clip.source_id for clip in clips] == ["{a}.mp4"]
    assert "an object as text, no path" in rejects[0].rejection.detail
