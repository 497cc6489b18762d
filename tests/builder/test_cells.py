from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shotscribe.builder.cells import number, seconds, text, time_range
from shotscribe.builder.errors import ClipError


@given(st.integers(0, 999), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999))
def test_clock_times(hours: int, minutes: int, whole: int, milli: int) -> None:
    total = (hours * 3600 + minutes * 60 + whole) * 1000 + milli
    assert seconds(f"{hours}:{minutes:02d}:{whole:02d}.{milli:03d}", name="start") == total / 1000
    assert seconds(f" {total / 1000} ", name="start") == total / 1000


@given(st.one_of(st.text(), st.floats(), st.integers(), st.booleans(), st.none(), st.lists(st.integers())))
def test_any_cell_gives_a_value_or_a_reason(cell: object) -> None:
    if (words := text(cell)) is not None:
        assert words.encode("utf-8").strip() == words.encode("utf-8") != b""
        assert "\0" not in words
    if words is None:
        assert time_range(cell, cell) == (None, None)
    else:
        with pytest.raises(ClipError) as raised:  # no value is both a start and an end
            time_range(cell, cell)
        assert len(str(raised.value)) < 120


@pytest.mark.parametrize("cell", [None, "", " ", float("nan"), "nan"])
def test_missing(cell: object) -> None:
    assert number(cell, name="x") is None


@pytest.mark.parametrize("cell", ["1e999", float("-inf"), True, "0x10", 10**400, "1:2:3:4", [], b"1"])
def test_no_number(cell: object) -> None:
    with pytest.raises(ClipError, match=r"bad_row: x: .* is no finite number"):
        seconds(cell, name="x")
