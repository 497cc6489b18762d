"""Which of two clips that are alike stays."""

from __future__ import annotations

from functools import cmp_to_key

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shotscribe.filters._prefer import Least, best_first, preferred_columns, unfit
from shotscribe.filters.semantic_dedup import SemanticDedup, duplicates

VALUES = st.one_of(st.none(), st.integers(-2, 2))


@given(rows=st.lists(st.tuples(VALUES, VALUES), max_size=12), least=st.booleans())
@settings(max_examples=100)
def test_is_sorting_by_hand(rows: list[tuple[int | None, int | None]], least: bool) -> None:
    table = pa.table({"a": pa.array([a for a, _ in rows], pa.int64()), "b": pa.array([b for _, b in rows], pa.int64())})

    def compare(one: int, other: int) -> int:
        for column, sign in ((0, 1 if least else -1), (1, -1)):
            left, right = rows[one][column], rows[other][column]
            if left != right:
                return 1 if left is None else -1 if right is None else sign * (left - right)
        return one - other

    prefer = (Least(least="a") if least else "a", "b")
    assert best_first(table, prefer).tolist() == sorted(range(len(rows)), key=cmp_to_key(compare))


def test_resolution_is_width_times_height() -> None:
    table = pa.table({"width": [100, 300, 640], "height": [900, 200, 360], "duration": [1.0, 2.0, 3.0]})
    assert best_first(table, ("resolution",)).tolist() == [2, 0, 1]
    assert best_first(table, (Least(least="resolution"),)).tolist() == [1, 0, 2]
    assert best_first(table, ()).tolist() == [0, 1, 2]
    assert set(preferred_columns(("resolution", "duration"))) == {"width", "height", "duration"}


def test_a_text_is_nothing_to_prefer_by() -> None:
    columns = {"codec": "string", "duration": "float64"}
    assert unfit(("duration", Least(least="codec")), columns) == {
        "prefer": '"codec" is string; name a column of numbers, or resolution'
    }
    assert unfit(("duration", "resolution"), columns) == {}


@pytest.mark.parametrize("block", [1, 3, 64])
def test_order_is_as_if_the_rows_stood_so(block: int) -> None:
    rng = np.random.default_rng(2)
    vectors = rng.integers(-2, 3, (60, 3)).astype(np.float32)
    order = rng.permutation(60)
    moved = [
        (int(order[one.position]), int(order[one.of]), one.similarity)
        for one in duplicates(vectors[order], threshold=0.9, block=block)
    ]
    found = duplicates(vectors, threshold=0.9, order=order, block=block)
    assert [(one.position, one.of, one.similarity) for one in found] == moved


def test_the_better_of_two_duplicates_stays() -> None:
    vectors = pa.array([[1, 0], [1, 0], [0, 1]], pa.list_(pa.float32()))
    table = pa.table({"clip_id": ["a", "b", "c"], "vector": vectors, "width": [1, 2, 1], "height": [1, 2, 1]})
    plain = SemanticDedup(column="vector", threshold=0.9)
    assert [at for at, _ in plain.settle(table)] == [1]
    ((at, why),) = SemanticDedup(column="vector", threshold=0.9, prefer=("resolution",)).settle(table)
    assert (at, why.detail) == (0, "of b, similarity 1.000 >= threshold 0.9")
