"""Digests of rows: the same for the same values however they lie in memory, another for any other value."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shotscribe.builder.store.digests import row_digests

NUMBER = st.none() | st.integers(-3, 3)
TEXT = st.none() | st.text("ab\0", max_size=2)
INFO = pa.struct({"finish": pa.string(), "frames": pa.list_(pa.string()), "n": pa.int64()})
KINDS: list[tuple[pa.DataType, st.SearchStrategy[Any]]] = [
    (pa.int64(), NUMBER),
    (pa.float64(), st.none() | st.sampled_from([0.0, 1.5, math.inf, -2.0])),
    (pa.float32(), NUMBER),
    (pa.bool_(), st.none() | st.booleans()),
    (pa.string(), TEXT),
    (pa.list_(pa.float32()), st.none() | st.lists(NUMBER, max_size=2)),
    (pa.list_(pa.list_(pa.float32())), st.none() | st.lists(st.none() | st.lists(NUMBER, max_size=2), max_size=2)),
    (pa.list_(pa.string()), st.none() | st.lists(TEXT, max_size=2)),
    (
        pa.list_(INFO),
        st.none()
        | st.lists(
            st.none() | st.fixed_dictionaries({"finish": TEXT, "frames": st.none() | st.lists(TEXT), "n": NUMBER}),
            max_size=2,
        ),
    ),
    (pa.timestamp("s"), st.none() | st.integers(0, 2)),
]


@pytest.mark.parametrize(("kind", "values"), KINDS, ids=[str(kind) for kind, _ in KINDS])
def test_two_rows_have_one_digest_where_their_values_are_the_same(
    kind: pa.DataType, values: st.SearchStrategy[Any]
) -> None:
    @given(st.lists(values, max_size=6), st.integers(0, 3), st.integers(0, 6))
    def check(rows: list[Any], before: int, cut: int) -> None:
        column = pa.array(rows, kind)
        rows = column.to_pylist()
        digests = row_digests(pa.table({"x": column}))
        for one, other in zip(rows, digests, strict=True):
            for two, another in zip(rows, digests, strict=True):
                assert (one == two) is (other == another)
        padded = pa.concat_arrays([pa.array(rows[:1] * before, kind), column])
        sliced = padded.slice(len(rows[:1]) * before)
        assert row_digests(pa.table({"x": sliced})) == digests
        chunks = pa.chunked_array([sliced.slice(0, cut), sliced.slice(cut)], kind)
        assert row_digests(pa.table({"x": chunks})) == digests
        order = pa.array(list(range(len(rows)))[::-1], pa.int64())
        assert row_digests(pa.table({"x": column}).take(order)) == digests[::-1]

    check()


def test_values_do_not_run_into_one_another() -> None:
    table = pa.table({"a": ["ab", "a", "", None], "b": ["", "b", "ab", "ab"]})
    assert len(set(row_digests(table))) == 4


def test_the_names_count_and_their_order_does_not() -> None:
    assert row_digests(pa.table({"a": [1], "b": [2]})) == row_digests(pa.table({"b": [2], "a": [1]}))
    assert row_digests(pa.table({"a": [1], "b": [2]})) != row_digests(pa.table({"a": [2], "b": [1]}))
    assert row_digests(pa.table({"a": [1]})) != row_digests(pa.table({"c": [1]}))
