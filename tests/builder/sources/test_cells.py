from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shotscribe.builder.contract.clip import clip_id
from shotscribe.builder.contract.errors import ClipError
from shotscribe.builder.contract.source import SourceClip
from shotscribe.builder.sources._tables.cells import captions, number, seconds, text, time_pair, time_range, words


@given(st.integers(0, 999), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999))
def test_clock_times(hours: int, minutes: int, whole: int, milli: int) -> None:
    total = (hours * 3600 + minutes * 60 + whole) * 1000 + milli
    assert seconds(f"{hours}:{minutes:02d}:{whole:02d}.{milli:03d}", name="start") == total / 1000
    assert seconds(f" {total / 1000} ", name="start") == total / 1000


@given(st.one_of(st.text(), st.floats(), st.integers(), st.booleans(), st.none(), st.lists(st.integers())))
def test_any_cell_gives_a_value_or_a_reason(cell: object) -> None:
    said = text(cell)
    assert said is None or said.strip() == said != ""
    if words(said) is None:
        assert time_range(said, said) == (None, None)
    else:
        with pytest.raises(ClipError) as raised:  # no value is both a start and an end
            time_range(cell, cell)
        assert len(str(raised.value)) < 120


@pytest.mark.parametrize("cell", [None, "", " ", float("nan"), "nan", "None", "NULL", "n/a", "-"])
def test_missing(cell: object) -> None:
    assert number(cell, name="x") is None


@pytest.mark.parametrize(
    "cell", ["1e999", float("-inf"), True, "0x10", 10**400, "1:2:3:4", [], b"1", "12_5", "1,500", "\u0661"]
)
def test_no_number(cell: object) -> None:
    with pytest.raises(ClipError, match=r"bad_row: x: .* is no finite number"):
        seconds(cell, name="x")


def test_one_time_is_one_number() -> None:
    for value in (np.float64(1.5), np.float32(1.5), "1.5", 1.5):
        assert repr(number(value, name="x")) == "1.5"
    assert repr(number(np.int64(3), name="x")) == repr(number("3", name="x")) == "3.0"
    assert repr(number("-0.0", name="x")) == "0.0"
    ids = {
        clip_id("table", "a.mp4", clip.start, clip.end)
        for zero, two in ((0, 2), (-0.0, 2.0), (np.float64(0), np.int64(2)))
        for clip in [SourceClip("a.mp4", "/a.mp4", zero, two)]
    }
    assert len(ids) == 1


def test_a_decimal_comma() -> None:
    assert number("1,5", name="x", decimal_comma=True) == 1.5
    assert seconds("00:00:01,500", name="x") == 1.5


@pytest.mark.parametrize("cell", [[1, "00:02"], (1.0, 2.0), "[1, 2]", "['0:00:01', '0:00:02']", '["00:01", "00:02"]'])
def test_a_pair_of_times(cell: object) -> None:
    assert time_range(*time_pair(cell, name="timestamp")) == (1.0, 2.0)


@pytest.mark.parametrize("cell", ["2020-01-01", "[1, 2, 3]", [[1, 2], [3, 4]], 7, "[1]"])
def test_no_pair_of_times(cell: object) -> None:
    with pytest.raises(ClipError, match="is no pair of times, as in"):
        time_pair(cell, name="timestamp")


@pytest.mark.parametrize(
    ("cell", "first", "every"),
    [
        (["one", None, " two ", "nan"], "one", ["one", "two"]),
        ("['one', 'two']", "one", ["one", "two"]),
        ('["one", "it\'s"]', "one", ["one", "it's"]),
        ("[Music]", "[Music]", []),
        ("plain", "plain", []),
        ("N/A", None, []),
        ([], None, []),
        ([{"idx": "1", "content": "a frame"}, {"idx": "-1", "content": "all"}], "all", ["a frame", "all"]),
        ([{"idx": "1", "content": "a frame"}], None, ["a frame"]),
    ],
)
def test_captions(cell: object, first: str | None, every: list[str]) -> None:
    assert captions(cell) == (first, every)


def test_no_caption_is_the_text_of_an_object() -> None:
    with pytest.raises(ClipError, match="no list of texts"):
        captions([{"a": 1}])
