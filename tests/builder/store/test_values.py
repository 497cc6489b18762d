"""Stored values: a value is found by clip and version or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shotscribe.builder.contract.clip import Clip, Columns
from shotscribe.builder.contract.columns import Optional
from shotscribe.builder.contract.engine import Engine
from shotscribe.builder.contract.errors import Reason, Rejection
from shotscribe.builder.contract.markers import Judges
from shotscribe.builder.contract.step import ClipStep
from shotscribe.builder.store.values import ValueStore, clips_of, rejections_of, value_store

COLUMNS: Columns = {"score": "float64", "vector": ["float32"]}


class Score(ClipStep):
    use: Literal["score"] = "score"
    min: Judges[float | None] = None

    def adds(self) -> Columns:
        return COLUMNS

    def make(self, clip: Clip, engine: Engine) -> dict[str, Any]:
        raise NotImplementedError


class Length(Score):
    def reads(self) -> Columns:
        return {"source_caption": "string"}


def store(folder: Path) -> ValueStore:
    return ValueStore(folder / "score-0123", COLUMNS)


def add(to: ValueStore, shard: str, clips: list[tuple[str, str]], **columns: Any) -> None:
    ids, versions = zip(*clips, strict=True)
    to.write(shard, len(clips), {"clip_id": ids, "version": versions, **columns})


def test_later_parts_add_and_replace(tmp_path: Path) -> None:
    values = store(tmp_path)
    assert values.read("head").position == {}
    add(values, "head", [("a", "1"), ("b", "1")], score=[1.0, None], reason=[None, "timeout"], detail=[None, "late"])
    add(values, "head", [("b", "1"), ("a", "2")], score=[2.0, 3.0])
    add(values, "head-2", [("a", "1")], score=[9.0])
    stored = values.read("head")
    scores = stored.table.column("score").to_pylist()
    assert {clip: scores[at] for clip, at in stored.position.items()} == {
        ("a", "1"): 1.0,
        ("b", "1"): 2.0,
        ("a", "2"): 3.0,
    }
    assert stored.failed == frozenset()


def test_failures_are_there_until_they_are_tried_again(tmp_path: Path) -> None:
    values = store(tmp_path)
    add(values, "head", [("a", "1"), ("b", "1")], reason=["timeout", "decode_error"], detail=["late", "bad"])
    stored = values.read("head")
    assert stored.failed == {("a", "1"), ("b", "1")}
    assert rejections_of(stored.table) == [Rejection(Reason.TIMEOUT, "late"), Rejection(Reason.DECODE_ERROR, "bad")]
    again = values.read("head", retry=[Reason.TIMEOUT])
    assert set(again.position) == again.failed == {("b", "1")}


def test_what_the_surroundings_did_is_no_verdict(tmp_path: Path) -> None:
    values = store(tmp_path)
    gone = {"reason": ["missing_file"] * 2, "detail": ["no such file"] * 2, "passing": [True, False]}
    add(values, "head", [("a", "1"), ("b", "1")], **gone)
    assert rejections_of(values.read("head").table)[0] == Rejection(Reason.MISSING_FILE, "no such file", passing=True)
    assert set(values.read("head").position) == {("a", "1"), ("b", "1")}
    assert set(values.read("head", passing=False).position) == {("b", "1")}
    add(values, "head", [("a", "1")], score=[1.0])
    assert set(values.read("head", passing=False).position) == {("a", "1"), ("b", "1")}


def test_a_damaged_part_costs_its_clips_and_no_others(tmp_path: Path) -> None:
    values = store(tmp_path)
    for at, clip in enumerate("abc"):
        add(values, "head", [(clip, "1")], score=[float(at)])
    (values.folder / "head.0001.arrow").write_bytes(b"ARROW1")
    assert ("b", "1") not in values.read("head").position
    missing = [clip for clip in "abc" if (clip, "1") not in values.read("head").position]
    for clip in missing:
        add(values, "head", [(clip, "1")], score=[float("abc".index(clip))])
    stored = values.read("head")
    scores = stored.table.column("score").to_pylist()
    assert {clip: scores[at] for (clip, _), at in stored.position.items()} == {"a": 0.0, "b": 1.0, "c": 2.0}


def test_vectors_of_every_kind(tmp_path: Path) -> None:
    values = store(tmp_path)
    matrix = np.arange(6, dtype=np.float32).reshape(2, 3)
    add(values, "head", [("a", "1"), ("b", "1")], vector=matrix)
    add(values, "head", [("c", "1")], vector=[[7.0]])
    add(values, "head", [("d", "1")], vector=pa.array([None], pa.list_(pa.float32())))
    assert values.read("head").table.column("vector").to_pylist() == [[0, 1, 2], [3, 4, 5], [7], None]


texts = st.none() | st.text(max_size=5)


@given(st.lists(texts, min_size=2, max_size=6))
def test_clips_are_told_apart_by_what_their_values_come_from(captions: list[str | None]) -> None:
    table = pa.table(
        {
            "clip_id": pa.array(["same"] * len(captions), pa.string()),
            "media_version": pa.array(["1-2"] * len(captions), pa.string()),
            "source_caption": pa.array(captions, pa.string()),
        }
    )
    assert set(clips_of(table, Score())) == {("same", "1-2")}
    assert len(set(clips_of(table, Length()))) == len(set(captions))


@pytest.mark.parametrize("name", ["start", "end", "interlaced"])
def test_what_decides_which_frames_a_step_sees_is_part_of_the_version(name: str) -> None:
    row = {"clip_id": "a", "media_version": "1", "start": 0.0, "end": 1.0, "interlaced": 0, "fps": 25.0}
    versions = {clips_of(pa.Table.from_pylist([other]), Score())[0] for other in (row, {**row, name: row[name] + 1})}
    assert len(versions) == 2
    assert len({clips_of(pa.Table.from_pylist([other]), Score())[0] for other in (row, {**row, "fps": 30.0})}) == 1


def test_a_step_keeps_its_values_when_another_of_its_kind_comes_before_it(tmp_path: Path) -> None:
    assert value_store(tmp_path, Score(), "ab" * 32) == value_store(tmp_path, Score(), "ab" * 32)


def test_a_step_that_may_read_a_column_depends_on_whether_it_is_there() -> None:
    class Perhaps(Score):
        def reads(self) -> Columns:
            return {**super().reads(), "luma": Optional("float64")}

    row = {"clip_id": "a", "media_version": "1"}
    rows = [row, {**row, "luma": 0.5}, {**row, "luma": 0.25}, {**row, "blur": 0.5}]
    versions = [clips_of(pa.Table.from_pylist([other]), Perhaps())[0] for other in rows]
    assert len(set(versions)) == 3
    assert versions[0] == versions[3]
