"""JSON that is a map of rows is read where it can be nothing else; what holds no rows says how to make some."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from shotscribe.builder.contract.errors import RunError
from shotscribe.builder.sources.table import Table

Split = Callable[[Any], tuple[list[Any], list[Any]]]
Put = Callable[..., None]


def table(folder: Path, text: str, name: str = "t.json") -> Table:
    (folder / name).write_text(text)
    return Table(path=folder / name)


@pytest.mark.parametrize("indent", [None, 1])
def test_ids_to_rows(tmp_path: Path, split: Split, put: Put, indent: int | None) -> None:
    put(tmp_path, "a.mp4", "b.mp4")
    rows = {"clip1": {"path": "a.mp4", "caption": "one"}, "7": {"path": "b.mp4", "caption": "two", "start": 1}}
    source = table(tmp_path, json.dumps(rows, indent=indent))
    clips, rejects = split(source)
    assert rejects == []
    assert [(clip.source_id, clip.source_caption, clip.start, clip.extra["id"]) for clip in clips] == [
        ("a.mp4", "one", None, "clip1"),
        ("b.mp4", "two", 1.0, "7"),
    ]
    assert dict(source.described())["reads"] == "a map in JSON, its keys as id, in UTF-8"


def test_an_id_of_the_rows_own_stays(tmp_path: Path, split: Split, put: Put) -> None:
    put(tmp_path, "a.mp4")
    (clip,), _ = split(table(tmp_path, json.dumps({"clip1": {"path": "a.mp4", "id": "x"}})))
    assert clip.extra == {"id": "x", "key": "clip1"}


def test_media_names_to_captions_or_rows(tmp_path: Path, split: Split, put: Put) -> None:
    put(tmp_path, "v/a.mp4", "b.webm")
    for value in ("one", {"text": "one"}):
        clips, rejects = split(table(tmp_path, json.dumps({"v/a.mp4": value, "b.webm": value})))
        assert [(clip.source_id, clip.source_caption) for clip in clips] == [("v/a.mp4", "one"), ("b.webm", "one")]
        assert rejects == []
    (clip,), _ = split(table(tmp_path, json.dumps({"b.webm": {"path": "v/a.mp4"}})))
    assert (clip.source_id, clip.extra) == ("v/a.mp4", {"id": "b.webm"})


def test_a_later_value_that_is_no_row_is_a_reject(tmp_path: Path, split: Split, put: Put) -> None:
    put(tmp_path, "a.mp4")
    rows = {f"clip{index}": {"path": "a.mp4", "start": index} for index in range(150)}
    clips, rejects = split(table(tmp_path, json.dumps({**rows, "last": 7})))
    assert len(clips) == 150
    assert [(reject.source_id, reject.rejection.detail) for reject in rejects] == [("row 151", "not a JSON object")]


@pytest.mark.parametrize(
    "text",
    [
        '{"path": "a.mp4", "caption": "x"}\n{"path": "a.mp4", "caption": "y"}',
        '{"path": "a.mp4"}',
        '{"video": {"path": "a.mp4", "bytes": null}}',
        '{"path": "a.mp4", "meta": {"x": 1}}',
    ],
)
def test_rows_are_no_map(tmp_path: Path, split: Split, put: Put, text: str) -> None:
    put(tmp_path, "a.mp4")
    source = table(tmp_path, text)
    clips, rejects = split(source)
    assert [clip.source_id for clip in clips] == ["a.mp4"] * (text.count("\n") + 1)
    assert rejects == []
    assert dict(source.described())["reads"] == "JSON, an object a line, in UTF-8"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("t.json", '["a.mp4", "b.mp4"]', r"a row is an object, .* jq '\[\.\[\] \| {path: \.}\]' t\.json > rows\.json"),
        ("t.json", '[["a.mp4", "x"]]', r"jq '\[\.\[\] \| {path: \.\[0\], caption: \.\[1\]}\]' t\.json > rows\.json"),
        ("t.jsonl", '"a.mp4"\n"b.mp4"', r"a row is an object, .* jq -c '{path: \.}' t\.jsonl > rows\.jsonl"),
        (
            "t.jsonl",
            '{"a.mp4": "x"}\n{"b.mp4": "y"}',
            r"jq -c 'to_entries\[\] \| {path: \.key, caption: \.value}' t\.jsonl > rows\.jsonl",
        ),
        (
            "t.json",
            '{"c1": {"path": "a.mp4"}}\n{"c2": {"path": "b.mp4"}}',
            r"jq -c 'to_entries\[\] \| {id: \.key} \+ \.value' t\.json > rows\.jsonl",
        ),
        ("t.json", '{"c1": {"caption": "x"}}', "no column of paths or addresses; the table has id; name it"),
        ("t.json", '{\n"c1": "x",\n"c2": "y"}', "or a map of ids or media names to objects"),
    ],
)
def test_what_holds_no_rows_says_how_to_make_some(tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(RunError, match=message):
        table(tmp_path, text, name).described()
