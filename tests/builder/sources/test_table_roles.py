"""What the columns of people's tables are read as, and what is asked where that is not certain."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from shotscribe.builder.contract.errors import ClipError, RunError
from shotscribe.builder.sources._tables import column_types
from shotscribe.builder.sources.table import Table
from shotscribe.builder.store.clips import row_of

Split = Callable[[Any], tuple[list[Any], list[Any]]]
Put = Callable[..., None]


def table(folder: Path, text: str, name: str = "t.csv", **options: Any) -> Table:
    (folder / name).write_text(text, "utf-8", newline="")
    return Table(path=folder / name, **options)


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("video_path,start_time,end_time,caption", "a.mp4,1,2.5,hi"),
        ("Path,Start_timestamp,End_timestamp,Caption", "a.mp4,0:00:01,0:00:02.500,hi"),
        ("file_name,start_sec,end_sec,text", "a.mp4,1,2.5,hi"),
        ("media_path,begin,duration,prompt", "a.mp4,1,1.5,hi"),
        ("video,Start Seconds,End Seconds,cap", "a.mp4,1,2.5,hi"),
        ("file_path,start_ms,end_ms,sentence", "a.mp4,1000,2500,hi"),
        ("path,startTime,duration_ms,text", "a.mp4,1,1500,hi"),
        ("path,timestamp,text", """a.mp4,"['00:01', '00:02.5']",hi"""),
        ("path,start,end,text", 'a.mp4,"00:00:01,000","00:00:02,500",hi'),
        ("path,start_us,end_us,text", "a.mp4,1000000,2500000,hi"),
        ("path,start_time_ns,duration_ns,text", "a.mp4,1000000000,1500000000,hi"),
        ("\u200bpath,start_seconds,end_minutes,te\u200bxt", "a.mp4,1,0.0416666666667,hi"),
        ("path,start,end,duration,text", "a.mp4,1,2.5,600,hi"),
        ("path;start;end;text", "a.mp4;1,0;2,5;hi"),
        ("path\tstart\tstop\ttext", "a.mp4\t1\t2.5\thi"),
    ],
)
def test_usual_names(tmp_path: Path, split: Split, put: Put, header: str, row: str) -> None:
    put(tmp_path, "a.mp4")
    (clip,), rejects = split(table(tmp_path, f"{header}\n{row}\n"))
    assert (clip.source_id, clip.start, clip.end, clip.source_caption) == ("a.mp4", 1.0, 2.5, "hi")
    assert rejects == []


@pytest.mark.parametrize(
    ("header", "message", "options"),
    [
        ("path,t_start", "'t_start' looks like the start of the clips", {"columns": {"start": "t_start"}}),
        ("path,clip_begin", "looks like the start of the clips", {"ignore": ["clip_begin"]}),
        ("path,start,t_end", "looks like the end of the clips", {"columns": {"end": "t_end"}}),
        ("path,vid_caption", "looks like the caption of the clips", {"columns": {"caption": "vid_caption"}}),
        ("path,start_frame", "counted in frames, which is not read", {"ignore": ["start_frame"]}),
        ("path,frame_start", "counted in frames, which is not read", {"ignore": ["frame_start"]}),
        ("path,start_min", "looks like the start of the clips", {"columns": {"start": "start_min"}}),
        ("path,text,prompt", "text, prompt could each be the caption", {"columns": {"caption": "text"}}),
        ("path,start,begin_s", "could each be the start", {"columns": {"start": "begin_s"}}),
        ("where,text", "no column of paths or addresses; the table has where;", {"columns": {"media": "where"}}),
        ("path,image_licence", "looks like the license", {"columns": {"license": None}}),
    ],
)
def test_what_is_not_certain_is_asked_and_the_answer_works(
    tmp_path: Path, put: Put, header: str, message: str, options: dict[str, Any]
) -> None:
    put(tmp_path, "a.mp4")
    cells = ["a.mp4", *["1"] * header.count(",")]
    text = f"{header}\n{','.join(cells)}\n"
    with pytest.raises(RunError, match=message):
        table(tmp_path, text).described()
    table(tmp_path, text, **options).described()
    assert len(list(table(tmp_path, text, **options).clips(tmp_path))) == 1


def advised(message: str) -> list[str]:
    """The columns that an error says to leave out, as YAML reads them."""
    found: list[str] = yaml.safe_load("{" + re.findall(r"`(ignore: .*?\])`", message)[-1] + "}")["ignore"]
    return found


@pytest.mark.parametrize("name", ["t start", "t_start🎬", "no", "t,start", "t:start", "t'start\"", "t\x07start", ""])
def test_a_column_of_any_name_is_left_out_as_the_error_says(tmp_path: Path, put: Put, name: str) -> None:
    put(tmp_path, "a.mp4")
    rows = [{"path": "a.mp4", name: 1, f"{name}\0": 2}]
    text = json.dumps(rows)
    options = {"columns": {"start": None}}
    with pytest.raises(RunError, match="would both be published as") as refused:
        table(tmp_path, text, "t.json", **options).adds()
    assert advised(str(refused.value)) == [f"{name}\0"]
    (left,) = table(tmp_path, text, "t.json", ignore=advised(str(refused.value)), **options).adds()
    assert left == (name.replace("\x07", "") or "unnamed")
    kept = {name: "int64", f"{name}\0": "int64"}
    with pytest.raises(RunError, match="and no such name in `keep`, or the other"):
        table(tmp_path, text, "t.json", keep=kept, **options).adds()


def test_a_column_that_comes_late_in_a_large_table(tmp_path: Path, put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "a.mp4")
    monkeypatch.setattr(column_types, "READ_WHOLE", 0)
    text = "\n".join([*[json.dumps({"path": "a.mp4"})] * 200, json.dumps({"path": "a.mp4", "the start": 1})])
    with pytest.raises(RunError, match="line 201 has 'the start', which no row before has") as refused:
        list(table(tmp_path, text, "t.jsonl").clips(tmp_path))
    source = table(tmp_path, text, "t.jsonl", ignore=advised(str(refused.value)))
    assert len(list(source.clips(tmp_path))) == 201
    assert dict(source.described())["leaves out"] == "the start (ignored)"


def test_check_says_what_every_column_is(tmp_path: Path) -> None:
    source = table(tmp_path, "# mine\n,path,begin_ms,fps,ID,note\n0,a.mp4,5,30,007,\n", ignore=("note",))
    told = dict(source.described())
    assert told["reads"] == "CSV with commas, in UTF-8, below lines of comment (1)"
    assert (told["media"], told["start"]) == ("path", "begin_ms, in milliseconds")
    assert told["carries along"] == "fps as source_fps (int64), ID (string)"
    assert told["leaves out"] == "note (ignored), Unnamed: 0 (has no name)"
    with pytest.raises(RunError, match="is not a folder"):
        table(tmp_path, "path\n", root=tmp_path / "nowhere").described()


def test_a_unit_is_read_where_the_name_says_it(tmp_path: Path, split: Split, put: Put) -> None:
    put(tmp_path, "a.mp4")
    source = table(tmp_path, "path,t_min,t_us\na.mp4,0.5,31000000\n", columns={"start": "t_min", "end": "t_us"})
    assert dict(source.described())["start"] == "t_min, in minutes"
    assert [(clip.start, clip.end) for clip in split(source)[0]] == [(30.0, 31.0)]
    for name in ("start_frame", "frame", "frame_idx", "begin frame number"):
        with pytest.raises(RunError, match=f"'{name}' is counted in frames, which is not read as start"):
            table(tmp_path, f"path,{name}\na.mp4,7\n", columns={"start": name}).described()
    table(tmp_path, "path,first_frame_s\na.mp4,7\n", columns={"start": "first_frame_s"}).described()


@pytest.mark.parametrize(
    ("header", "row", "times"),
    [
        ("path,timestamp,duration", "a.mp4,1.5,2", (1.5, 3.5)),
        ("path,timestamp,end", "a.mp4,1.5,4", (1.5, 4.0)),
        ("path,Timestamps,end_time", "a.mp4,0:01.5,0:04", (1.5, 4.0)),
        ("path,timestamp,end", "a.mp4,,4", (0.0, 4.0)),
        ("path,timestamp,end", "a.mp4,nan,4", (0.0, 4.0)),
        ("path,timestamp,duration", 'a.mp4,"[1.5, 4]",600', (1.5, 4.0)),
        ("path,timestamp,duration", 'a.mp4,"[1.5, 4]",', (1.5, 4.0)),
        ("path,timestamp,end", 'a.mp4,"[1.5, 4]",4', (1.5, 4.0)),
        ("path,start,timestamp,end", "a.mp4,1.5,7,4", (1.5, 4.0)),
        ("path,segment,end", "a.mp4,3,4", (0.0, 4.0)),
    ],
)
def test_a_timestamp_of_one_time_is_a_start(
    tmp_path: Path, split: Split, put: Put, header: str, row: str, times: tuple[float, float]
) -> None:
    put(tmp_path, "a.mp4")
    (clip,), rejects = split(table(tmp_path, f"{header}\n{row}\n"))
    assert (clip.start, clip.end, rejects) == (*times, [])


@pytest.mark.parametrize(
    ("header", "row", "message"),
    [
        ("path,timestamp", "a.mp4,1.5", "one number, no pair of times, .* say `columns: {start: timestamp}`, if no"),
        ("path,segment,duration", "a.mp4,3,2", "one number, no pair of times, .* `columns: {start: segment}`"),
        ("path,timestamp,duration", "a.mp4,1612345678,2", "1612345678 is a date; say `columns: {timestamp: null}`"),
        ("path,timestamp,duration", "a.mp4,2020-01-01,2", "no pair of times, .* `columns: {timestamp: null}`"),
    ],
)
def test_a_timestamp_that_is_no_start_says_what_would_be(
    tmp_path: Path, split: Split, put: Put, header: str, row: str, message: str
) -> None:
    put(tmp_path, "a.mp4")
    clips, (reject,) = split(table(tmp_path, f"{header}\n{row}\n"))
    assert clips == []
    assert re.search(message, reject.rejection.detail)
    for role in ("start", "timestamp"):
        columns: Any = {"start": header.split(",")[1]} if role == "start" else {"timestamp": None}
        assert table(tmp_path, f"{header}\n{row}\n", columns=columns).described()


def test_what_is_no_text_is_no_caption(tmp_path: Path, split: Split, put: Put) -> None:
    put(tmp_path, "a.mp4")
    cells: list[Any] = [{"en": "x"}, {}, True, '{"en": "x"}', "{'en': 'x'}", {"text": ["x"]}]
    rows = [json.dumps({"path": "a.mp4", "caption": cell}) for cell in cells]
    clips, rejects = split(
        table(tmp_path, "\n".join([*rows, json.dumps({"path": "a.mp4", "caption": "{x} y"})]), "t.jsonl")
    )
    assert [clip.source_caption for clip in clips] == ["{x} y"]
    assert [reject.rejection.detail.endswith("is no text") for reject in rejects] == [True] * len(cells)


def test_a_name_that_differs_by_case_alone_is_taken_too(tmp_path: Path) -> None:
    """Spark and DuckDB see one column in fps and FPS."""
    source = table(tmp_path, "path,FPS,Width,note\na.mp4,30,64,x\n")
    assert list(source.adds()) == ["source_FPS", "source_Width", "note"]


def test_values_as_they_were(tmp_path: Path, split: Split, put: Put) -> None:
    """A column of one kind is typed; one whose values differ in kind is text, and nothing is lost."""
    put(tmp_path, "a.mp4", "b.mp4")
    rows: list[dict[str, Any]] = [
        {"path": "a.mp4", "n": 1, "f": 1, "mixed": 1, "flag": True, "tags": ["x", 1], "late": None},
        {"path": "b.mp4", "n": None, "f": 0.5, "mixed": "two", "flag": None, "more": 2**70},
    ]
    source = table(tmp_path, "\n".join(map(json.dumps, rows)), "t.jsonl")
    kinds = {"n": "int64", "f": "float64", "mixed": "string", "flag": "bool"}
    assert source.adds() == {**kinds, **dict.fromkeys(("tags", "late", "more"), "string")}
    first, second = (clip.extra for clip in split(source)[0])
    assert first == {"n": 1, "f": 1.0, "mixed": "1", "flag": True, "tags": '["x", 1]', "late": None, "more": None}
    assert second == {"n": None, "f": 0.5, "mixed": "two", "flag": None, "tags": None, "late": None, "more": str(2**70)}
    ids = table(tmp_path, "path,id,x\na.mp4,007,1.5\n")
    assert (ids.adds(), split(ids)[0][0].extra) == ({"id": "string", "x": "float64"}, {"id": "007", "x": 1.5})


def test_several_captions(tmp_path: Path, split: Split, put: Put) -> None:
    put(tmp_path, "a.mp4")
    rows = [{"path": "a.mp4", "text": ["one", "two"]}]
    (tmp_path / "t.jsonl").write_text(json.dumps(rows[0]))
    (tmp_path / "t.json").write_text(json.dumps(rows, indent=1))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "t.parquet")
    (tmp_path / "t.csv").write_text("path,text\na.mp4,\"['one', 'two']\"\n")
    pq.write_table(pa.Table.from_pylist([{"path": "a.mp4", "text": "['one', 'two']"}]), tmp_path / "u.parquet")
    for name in ("t.jsonl", "t.json", "t.parquet", "t.csv", "u.parquet"):
        source = Table(path=tmp_path / name)
        (clip,), _ = split(source)
        assert clip.source_caption == "one", name
        assert clip.extra == {"source_captions": ["one", "two"]}, name
        assert source.adds() == {"source_captions": ["string"]}, name


@pytest.mark.parametrize("word", ["nan", "NaN", "None", "null", "N/A", "-", ""])
def test_words_for_no_caption(tmp_path: Path, split: Split, put: Put, word: str) -> None:
    put(tmp_path, "a.mp4")
    (clip,), _ = split(table(tmp_path, f"path,text\na.mp4,{word}\n"))
    assert clip.source_caption is None


def test_spellings_of_a_path(tmp_path: Path, split: Split, put: Put) -> None:
    put(tmp_path, "v/a.mp4", "back\\slash.mp4", "v/cafe\u0301.mp4", "xyz.webm", "outside.mp4")
    paths = [
        "v\\a.mp4",
        " v/a.mp4 ",
        "back\\slash.mp4",
        "v/caf\u00e9.mp4",
        "xyz",
        "C:\\v\\a.mp4",
        "..\\..\\etc\\passwd",
    ]
    (tmp_path / "t.jsonl").write_text("\n".join(json.dumps({"path": path}) for path in paths))
    clips, rejects = split(Table(path=tmp_path / "t.jsonl"))
    assert [clip.source_id for clip in clips] == [
        *("v/a.mp4", "v/a.mp4", "back\\slash.mp4", "v/cafe\u0301.mp4", "xyz.webm"),
    ]
    assert [str(reject.rejection.reason) for reject in rejects] == ["refused", "refused"]
    assert "a path of a Windows drive" in rejects[0].rejection.detail


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.json"])
def test_packed_tables(tmp_path: Path, split: Split, put: Put, name: str) -> None:
    put(tmp_path, "a.mp4")
    row = json.dumps({"path": "a.mp4", "text": "caf\xe9"})
    text = {"t.csv": "path,text\na.mp4,caf\xe9\n", "t.jsonl": row, "t.json": f"[\n{row}\n]"}[name]
    for encoding in ("utf-8", "utf-16"):
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(text.encode(encoding)))
        (clip,), _ = split(Table(path=tmp_path / f"{name}.gz"))
        assert clip.source_caption == "caf\xe9"
    (tmp_path / f"{name}.gz").write_bytes(gzip.compress(text.encode())[:-12])
    with pytest.raises(RunError, match="damaged, or no gzip file"):
        list(Table(path=tmp_path / f"{name}.gz").clips(tmp_path))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("t.csv", "PK\3\4 ", "is a zip file or a spreadsheet"),
        ("t.jsonl", "PAR1", "is parquet; let its name end in .parquet"),
        ("t.json", '{"videos": [{"path": "a.mp4"}]}', r"take it out: jq \.videos t\.json > rows\.json"),
        ("t.json", '[{"path": "a.mp4"},\n {"path": "b.mp4"', "line 2: not JSON"),
        ("t.txt", "a.mp4\n", r"\(echo path; cat t\.txt\) > clips\.csv"),
        ("t.csv", "a.mp4,a dog\nb.mp4,a cat\n", "a file without a header line needs one"),
        ("t.csv", "p\0a\0t\0h\0\n", "if it is UTF-16, say"),
        ("t.csv", "path,,path\n", "named twice"),
    ],
)
def test_what_is_no_table_says_what_to_do(tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(RunError, match=message):
        list(table(tmp_path, text, name).clips(tmp_path))


def test_a_list_of_objects_in_pieces(tmp_path: Path, split: Split, put: Put) -> None:
    """Longer than what is read at once, with objects of every length."""
    put(tmp_path, "a.mp4")
    rows = [{"path": "a.mp4", "start": index, "text": "]}, {" * (index * 50)} for index in range(150)]
    (tmp_path / "t.json").write_text(
        json.dumps([*rows, 7, {"path": "a.mp4", "text": "x" * (9 << 20)}, rows[0]], indent=2)
    )
    clips, rejects = split(Table(path=tmp_path / "t.json"))
    assert [clip.source_caption or "" for clip in clips[:150]] == [row["text"].strip() for row in rows]
    assert len(clips) == 151
    assert [reject.rejection.detail for reject in rejects] == ["not a JSON object", "a row of more than 8 MiB"]


def test_texts_of_a_published_row_are_one_clean_line(tmp_path: Path, split: Split, put: Put) -> None:
    put(tmp_path, "a\u202e.mp4")
    cells = {"path": "a\u202e.mp4", "text": "\x1b[31mred\x1b[0m\ndog\ud800", "no\x1b[1mte": "\x9b1mx", "l": ["\0"]}
    source = table(tmp_path, json.dumps(cells), "t.jsonl")
    (clip,), _ = split(source)
    row = row_of(source, clip)
    assert (row["source_id"], row["source_caption"], row["note"]) == ("a.mp4", "red dog", "x")
    long = table(tmp_path, json.dumps({"path": "a\u202e.mp4", "other": "y" * 300_000}), "u.jsonl")
    with pytest.raises(ClipError, match="limit: other: 300000 characters"):
        row_of(long, split(long)[0][0])
