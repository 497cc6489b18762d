from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from shotscribe.builder.contract.errors import ClipError, RunError
from shotscribe.builder.sources.table import Table
from shotscribe.builder.store.clips import row_of

Split = Callable[[Any], tuple[list[Any], list[Any]]]
Put = Callable[..., None]
Reasons = Callable[..., list[tuple[str, str]]]


def table(path: Path, text: str, **options: Any) -> Table:
    path.write_text(text, encoding="utf-8", newline="")
    return Table(path=path, **options)


def test_open_sora_csv_as_it_is(tmp_path: Path, split: Split, put: Put) -> None:
    put(tmp_path, "v/a.mp4")
    source = table(
        tmp_path / "meta.csv",
        "path,text,num_frames,height,width,aspect_ratio,resolution,fps,text_len,aes,flow,match,cmotion\n"
        'v/a.mp4,"A cat, and\na dog.",48,720,1280,0.5625,921600,24.0,12,5.31,0.9,,pan_left\n'
        f"{tmp_path}/v/a.mp4,,48,720,1280,0.5625,921600,24.0,0,,,nan,\n",
    )
    own = {name: f"source_{name}" for name in ("height", "width", "fps")}  # every clip has these, as measured
    assert source.adds() == {
        **dict.fromkeys(("num_frames", own["height"], own["width"], "resolution", "text_len"), "int64"),
        **dict.fromkeys(("aspect_ratio", own["fps"], "aes", "flow", "match"), "float64"),
        "cmotion": "string",
    }
    (first, second), rejects = split(source)
    assert rejects == []
    assert first.source_id == second.source_id == "v/a.mp4"
    assert first.media == str(tmp_path / "v" / "a.mp4")
    assert first.source_caption == "A cat, and\na dog."
    assert second.source_caption is None
    scores = ("aes", "flow", "match", "cmotion", "num_frames", "source_fps")
    assert [first.extra[name] for name in scores] == [5.31, 0.9, None, "pan_left", 48, 24.0]
    assert [second.extra[name] for name in scores] == [None, None, None, None, 48, 24.0]


def test_one_listing_in_three_formats(tmp_path: Path, split: Split, put: Put) -> None:
    put(tmp_path, "a.mp4", "b.mp4")
    rows = [
        {"video_path": "a.mp4", "start": 0, "end": 2.5, "caption": "one"},
        {"video_path": "b.mp4", "start": None, "end": None, "caption": None},
    ]
    (tmp_path / "t.jsonl").write_text("\n".join(json.dumps(row) for row in rows) + "\n\n")
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "t.parquet")
    (tmp_path / "t.csv").write_text("video_path,start,end,caption\na.mp4,0,2.5,one\nb.mp4,,,\n")
    listings = [split(Table(path=tmp_path / f"t.{kind}")) for kind in ("jsonl", "parquet", "csv")]
    assert listings[0] == listings[1] == listings[2]
    clips, _ = listings[0]
    assert [(clip.start, clip.end, clip.source_caption) for clip in clips] == [(0.0, 2.5, "one"), (None, None, None)]


@pytest.mark.parametrize(
    "path",
    [
        "../../etc/passwd",
        "/etc/passwd",
        "sub/../../outside.mp4",
        "link/outside.mp4",
        "file:///etc/passwd",
        "file:a.mp4",
        "concat:a.mp4|b.mp4",
        "pipe:0",
        "hls+http://example.com/a.m3u8",
        "subfile,,start,0,end,0,,:a.mp4/../../x",
        "ftp://example.com/a.mp4",
        "http://169.254.169.254/latest/meta-data",
        "HTTP://169.254.169.254/",
        "http://[::ffff:169.254.169.254]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://2852039166/",
        "http://0xa9.0xfe.0xa9.0xfe/",
        "http://127.1/",
        "http://localhost:8000/a.mp4",
        "http://db.internal./a.mp4",
        "http:///a.mp4",
        "http://exa mple.com/a.mp4",
        "http://[::1/a.mp4",
        "http://example.com:99999/",
        "http://127.0.0%2e1/",
    ],
)
def test_refused_and_not_opened(tmp_path: Path, split: Split, put: Put, reasons: Reasons, path: str) -> None:
    root = tmp_path / "root"
    put(root, "a.mp4")
    put(tmp_path, "outside.mp4")
    (root / "link").symlink_to(tmp_path)
    (tmp_path / "t.jsonl").write_text(json.dumps({"path": path}) + "\n" + json.dumps({"path": "a.mp4"}))
    clips, rejects = split(Table(path=tmp_path / "t.jsonl", root=root))
    assert [clip.source_id for clip in clips] == ["a.mp4"]
    assert reasons(rejects) == [("line 1", "refused")]
    assert str(tmp_path) not in rejects[0].rejection.detail


def test_addresses(tmp_path: Path, split: Split) -> None:
    source = table(
        tmp_path / "t.csv", "url,caption\nhttps://example.com/v/1.mp4?x=1,hello\n http://93.184.216.34/a.mp4 ,\n"
    )
    clips, rejects = split(source)
    assert rejects == []
    assert [clip.media for clip in clips] == ["https://example.com/v/1.mp4?x=1", "http://93.184.216.34/a.mp4"]
    assert clips[0].source_url == clips[0].media
    assert row_of(source, clips[0])["media_version"] != row_of(source, clips[1])["media_version"]


def test_rows_that_cannot_be(tmp_path: Path, split: Split, put: Put, reasons: Reasons) -> None:
    put(tmp_path, "a.mp4")
    source = table(
        tmp_path / "t.csv",
        "\ufeffpath,start,end,text\n"
        "a.mp4,one,2,\n"  # line 2
        "a.mp4,5,2,\n"
        'a.mp4,0,1,"two\nlines"\n'  # lines 4 and 5
        "a.mp4,-1,2,\n"
        "a.mp4,inf,,\n"
        "\n"
        "a.mp4,1\n"  # line 9
        ",0,1,\n"
        "a\0.mp4,0,1,\n"
        "a.mp4,0:00:01.5,1:00:00,nul\0\n"
        "a.mp4,,7,\n"
        'a.mp4,3,,"never closed\n',
    )
    clips, rejects = split(source)
    assert reasons(rejects) == [
        ("line 2", "bad_row"),
        ("line 3", "out_of_range"),
        ("line 6", "out_of_range"),
        ("line 7", "bad_row"),
        ("line 9", "bad_row"),
        ("line 10", "bad_row"),
        ("line 11", "bad_row"),
        ("line 14", "bad_row"),
    ]
    assert [(clip.start, clip.end) for clip in clips] == [(0, 1), (1.5, 3600), (0, 7)]
    assert [row_of(source, clip)["source_caption"] for clip in clips] == ["two lines", "nul", None]


def test_huge_cells(tmp_path: Path, split: Split, put: Put, reasons: Reasons) -> None:
    put(tmp_path, "a.mp4")
    long, endless = "w" * 1_000_000, "w" * (9 << 20)
    clips, rejects = split(table(tmp_path / "t.csv", f"path,text\na.mp4,{long}\na.mp4,{endless}\na.mp4,ok\n"))
    assert [clip.source_caption for clip in clips] == [long, "ok"]
    assert reasons(rejects) == [("line 3", "bad_row")]
    with pytest.raises(ClipError, match="limit: source_caption: 1000000 characters; there may be 262144"):
        row_of(Table(path=tmp_path / "t.csv"), clips[0])


def test_json_lines_that_are_none(tmp_path: Path, split: Split, put: Put, reasons: Reasons) -> None:
    put(tmp_path, "a.mp4")
    lines = [
        '{"path": "a.mp4", "text": "\\ud800 lone"}',
        "[1]",
        "{",
        "[" * 100_000,
        '{"path": 7}',
        '{"path": "\\ud800.mp4"}',
    ]
    source = table(tmp_path / "t.jsonl", "\n".join(lines))
    clips, rejects = split(source)
    assert [row_of(source, clip)["source_caption"] for clip in clips] == ["lone"]
    assert reasons(rejects) == [(f"line {index}", "bad_row") for index in range(2, 7)]


def test_columns_by_name(tmp_path: Path, split: Split, put: Put) -> None:
    put(tmp_path, "a.mp4")
    text = "where,from,to,said,score,count\na.mp4,00:01,00:02.5,hi,0.5,3\n"
    columns = {"media": "where", "start": "from", "end": "to", "caption": "said"}
    source = table(tmp_path / "t.csv", text, columns=columns, keep={"score": "float64", "count": "string"})
    (clip,), _ = split(source)
    assert (clip.start, clip.end, clip.source_caption) == (1.0, 2.5, "hi")
    assert source.adds() == {"score": "float64", "count": "string"}
    assert clip.extra == {"score": 0.5, "count": "3"}
    with pytest.raises(RunError, match=r"no column of paths .* the table has where, from, to"):
        list(Table(path=source.path).clips(tmp_path))
    with pytest.raises(RunError, match="no column 'nope'; the table has where, from, to"):
        list(Table(path=source.path, columns={"media": "nope"}).clips(tmp_path))
    plain = table(tmp_path / "u.csv", "path,fps,FPS\na.mp4,1,2\n", keep={"fps": "float64"})
    assert plain.adds() == {"source_fps": "float64"}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.csv", None, "no such table"),
        ("t.xlsx", b"", "a table is a file that ends in"),
        ("t.csv", b"", "no header line"),
        ("t.csv", b"path,path\n", "named twice"),
        ("t.parquet", b"PAR1 not really", "not a parquet file"),
    ],
)
def test_no_table(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(RunError, match=message):
        list(Table(path=tmp_path / name).clips(tmp_path))


def test_a_large_table_streams(tmp_path: Path, put: Put) -> None:
    put(tmp_path, "a.mp4")
    with (tmp_path / "t.csv").open("w") as file:
        file.write("path,text\n")
        file.writelines(f"a.mp4,{'x' * 10_000}\n" for _ in range(2000))  # 20 MB
    tracemalloc.start()
    count = sum(1 for _ in Table(path=tmp_path / "t.csv").clips(tmp_path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 2000
    assert peak < 2_000_000
