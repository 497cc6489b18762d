"""Semantic dedup gives exactly what the plain loop over all pairs gives, whatever does the arithmetic."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import faiss
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pydantic import ValidationError
from shotscribe.builder.contract.clip import Clip
from shotscribe.builder.contract.columns import hidden_by
from shotscribe.builder.contract.engine import NO_ENGINE
from shotscribe.builder.contract.errors import Reason, RunError
from shotscribe.filters.embed.cosine import rounding, similarities, squares, unit
from shotscribe.filters.semantic_dedup import Duplicate, SemanticDedup, duplicates


def plain_loop(vectors: np.ndarray, threshold: float) -> list[Duplicate]:
    """The paper's rule: in order, nearest kept clip at or above the threshold, or join the pool."""
    squared = squares(vectors)
    kept: list[int] = []
    dropped = []
    for row in range(len(vectors)):
        best, of = -1.0, -1
        if kept:
            near = similarities(vectors, squared, np.full(len(kept), row), np.array(kept))
            best, of = float(near.max()), kept[int(near.argmax())]
        if best >= threshold:
            dropped.append(Duplicate(row, of, best))
        else:
            kept.append(row)
    return dropped


@st.composite
def tables(draw: st.DrawFn) -> tuple[np.ndarray, float]:
    """Vectors with ties, repeats and zeros, and a threshold that is often one of their similarities."""
    shape = draw(st.tuples(st.integers(0, 40), st.integers(1, 9)))
    few = st.integers(-2, 2).map(float)
    many = st.floats(width=32, allow_nan=False, allow_infinity=False)
    vectors = draw(arrays(np.float32, shape, elements=draw(st.sampled_from([few, many]))))
    threshold = draw(st.floats(0, 1, exclude_min=True))
    if len(vectors) > 1 and draw(st.booleans()):
        pair = draw(st.tuples(st.integers(0, len(vectors) - 1), st.integers(0, len(vectors) - 1)))
        at = float(similarities(vectors, squares(vectors), np.array(pair[:1]), np.array(pair[1:]))[0])
        threshold = at if draw(st.booleans()) else float(np.nextafter(at, draw(st.sampled_from([0.0, 2.0]))))
        threshold = min(max(threshold, 1e-9), 1.0)
    return vectors, threshold


@given(table=tables(), block=st.sampled_from([1, 2, 3, 8, 64]))
@settings(max_examples=200)
def test_is_the_plain_loop(table: tuple[np.ndarray, float], block: int) -> None:
    vectors, threshold = table
    assert list(duplicates(vectors, threshold=threshold, block=block)) == plain_loop(vectors, threshold)


@pytest.mark.parametrize("threshold", [0.3, 0.999, 1.0])
@pytest.mark.parametrize("dimension", [2, 64])
def test_is_the_plain_loop_over_tiles_and_crowds(threshold: float, dimension: int) -> None:
    # directions in 2-d lie so close that thousands of kept rows are equally near in float32
    rng = np.random.default_rng(dimension)
    vectors = rng.standard_normal((2000, dimension)).astype(np.float32)
    vectors[1500:1800] = vectors[:300]
    assert list(duplicates(vectors, threshold=threshold, block=1200)) == plain_loop(vectors, threshold)


@pytest.mark.parametrize("block", [64, 1000])
def test_finds_the_one_repeat_in_a_crowd_that_float32_cannot_tell_apart(block: int) -> None:
    angles = np.arange(500) * 1e-5
    crowd = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    crowd = np.unique(crowd, axis=0)
    repeats = [3, 250, 490]
    vectors = np.concatenate([crowd, 2 * crowd[repeats]])
    found = list(duplicates(vectors, threshold=1.0, block=block))
    assert found == [Duplicate(len(crowd) + at, of, 1.0) for at, of in enumerate(repeats)]


def test_threads_change_nothing() -> None:
    rng = np.random.default_rng(3)
    vectors = rng.integers(-3, 4, (2000, 6)).astype(np.float32)
    found = []
    threads = faiss.omp_get_max_threads()
    try:
        for count in (1, 2):
            faiss.omp_set_num_threads(count)
            found.append(list(duplicates(vectors, threshold=0.9, block=256)))
    finally:
        faiss.omp_set_num_threads(threads)
    assert found[0] == found[1] == plain_loop(vectors, 0.9)


class RoughIndex:
    """An index whose products are off by as much as a GPU's may be, and which breaks ties its own way."""

    def __init__(self, index: Any) -> None:
        self._index, self._rng = index, np.random.default_rng(0)

    def add(self, vectors: np.ndarray) -> None:
        self._index.add(vectors)

    def search(self, vectors: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        near, at = self._index.search(vectors, self._index.ntotal)
        near = (near + self._rng.uniform(-1e-3, 1e-3, near.shape)).astype(np.float32)
        order = np.argsort(-near, axis=1)[:, :k]
        return np.take_along_axis(near, order, 1), np.take_along_axis(at, order, 1)


def test_a_gpu_that_rounds_coarsely_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faiss, "get_num_gpus", lambda: 1)
    monkeypatch.setattr(faiss, "index_cpu_to_all_gpus", RoughIndex, raising=False)
    rng = np.random.default_rng(5)
    for vectors in (rng.integers(-3, 4, (600, 4)), rng.standard_normal((600, 3))):
        vectors = vectors.astype(np.float32)
        assert list(duplicates(vectors, threshold=0.95, block=50)) == plain_loop(vectors, 0.95)


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_float32_products_stay_within_the_bound(scale: float) -> None:
    rng = np.random.default_rng(7)
    for dimension in (1, 3, 384, 1024):
        vectors = (rng.random((300, dimension)) * scale).astype(np.float32)  # all of one sign: the worst for rounding
        squared = squares(vectors)
        left, right = (index.ravel() for index in np.indices((300, 300)))
        exact = similarities(vectors, squared, left, right).reshape(300, 300)
        rows = unit(vectors, squared)
        assert np.abs(rows @ rows.T - exact).max() <= rounding(dimension)
        assert (np.diag(exact) == 1.0).all()


def table(column: Any, name: str = "vector") -> pa.Table:
    return pa.table({"clip_id": [f"clip-{at}" for at in range(len(column))], name: column})


def vector_column(*chunks: list[Any]) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(chunk, pa.list_(pa.float32())) for chunk in chunks], pa.list_(pa.float32()))


def settled(step: SemanticDedup, clips: pa.Table) -> list[tuple[int, str]]:
    found = list(step.settle(clips))
    assert all((why.reason, why.option) == (Reason.DUPLICATE, "threshold") for _, why in found)
    assert all(why.detail.endswith(f" >= threshold {step.threshold:g}") for _, why in found)
    return [(at, why.detail.removesuffix(f" >= threshold {step.threshold:g}")) for at, why in found]


def test_a_reject_names_the_nearest_kept_clip() -> None:
    step = SemanticDedup(column="vector", threshold=0.9)
    clips = table(vector_column([[1, 0], [0, 1]], [[3, 1], [0.1, 1], [4, 1]]))
    # clip-4 is nearest to clip-2, which is kept under the higher threshold only
    assert settled(step, clips) == [
        (2, "of clip-0, similarity 0.949"),
        (3, "of clip-1, similarity 0.995"),
        (4, "of clip-0, similarity 0.970"),
    ]
    later = step.model_copy(update={"threshold": 0.96})
    assert settled(later, clips) == [(3, "of clip-1, similarity 0.995"), (4, "of clip-2, similarity 0.997")]


def test_what_has_no_vector_is_kept() -> None:
    step = SemanticDedup(column="vector", threshold=0.5)
    clips = table(vector_column([None, [1, 1], []], [], [[0, 0], [1, 1], None, [0, 0]]))
    assert settled(step, clips) == [(4, "of clip-1, similarity 1.000")]
    assert settled(step, clips.slice(1, 4)) == [(3, "of clip-1, similarity 1.000")]
    assert settled(step, table(vector_column([None, []]))) == []
    assert settled(step, table(vector_column())) == []


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None])
def test_a_vector_that_is_not_finite_names_its_clip(value: float | None) -> None:
    clips = table(vector_column([[1, 2], [3, 4]], [[1, value]]))
    with pytest.raises(RunError, match=r"column vector: the vector of clip clip-2 holds NaN or infinity"):
        list(SemanticDedup(column="vector", threshold=0.9).settle(clips))


def test_huge_values_are_no_infinity() -> None:
    clips = table(vector_column([[3e38, 3e38], [3e38, 3e38], [1e-45, 1e-45]]))
    found = settled(SemanticDedup(column="vector", threshold=1.0), clips)
    assert [at for at, _ in found] == [1, 2]


def test_vectors_of_two_lengths_name_both_clips() -> None:
    clips = table(vector_column([None, [1, 2]], [[1, 2, 3]]))
    with pytest.raises(RunError, match="clip clip-2 has 3 numbers where clip clip-1 has 2"):
        list(SemanticDedup(column="vector", threshold=0.9).settle(clips))


def test_text_is_embedded_by_a_step_before_it() -> None:
    step = SemanticDedup.model_validate(
        {"use": "semantic_dedup", "column": "caption", "threshold": 0.8, "embed": {"use": "hashing"}}
    )
    (embedding,) = step.before()
    assert embedding.reads() == {"caption": "string"}
    assert step.reads() == {"caption_hashing": ["float32"]}
    assert hidden_by(embedding) == set(step.reads())
    captions = ["A dog runs over a green lawn.", None, "a dog runs over  a green lawn", "", "Rain on a window.", "  "]
    made = [
        asyncio.run(embedding.make(Clip({"caption": text}, lambda _: pytest.fail("it looks at no frame")), NO_ENGINE))
        for text in captions
    ]
    vectors = [one["caption_hashing"] for one in made]
    assert [vector is None for vector in vectors] == [False, True, False, True, False, True]
    listed = [None if vector is None else vector.tolist() for vector in vectors]
    assert [at for at, _ in settled(step, table(vector_column(listed), "caption_hashing"))] == [2]


def test_the_name_of_an_engine_is_no_part_of_what_is_stored() -> None:
    one, other = (
        SemanticDedup(column="caption", threshold=0.9, embed={"engine": name}).before()[0] for name in ("bert", "text")
    )
    assert one.engine_name() != other.engine_name()
    assert one.identity() == other.identity()
    assert one.adds() == other.adds()


def test_a_vector_column_is_read_as_it_is() -> None:
    step = SemanticDedup(column="keyframe_embedding", threshold=0.9)
    assert step.reads() == {"keyframe_embedding": ["float32"]}
    assert step.before() == ()


def test_the_threshold_is_no_part_of_what_is_stored() -> None:
    steps = [SemanticDedup(column="vector", threshold=threshold) for threshold in (0.8, 0.9)]
    assert steps[0].identity() == steps[1].identity()
    assert steps[0].identity() != SemanticDedup(column="other", threshold=0.8).identity()


@pytest.mark.parametrize("threshold", [0, -0.5, 1.01, float("nan"), None])
def test_a_threshold_that_is_no_cosine_is_refused(threshold: float | None) -> None:
    with pytest.raises(ValidationError, match="threshold"):
        SemanticDedup.model_validate({"use": "semantic_dedup", "column": "vector", "threshold": threshold})


def test_a_missing_faiss_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(RunError, match=r'pip install "shotscribe\[cpu\]"'):
        list(duplicates(np.ones((2, 2), np.float32), threshold=0.9))
