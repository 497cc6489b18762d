"""Semantic dedup against the plain loop, and against the machine's own matrix product.

    python benchmarks/bench_dedup.py loop       20,000 x 384: times faster than two plain loops (about 2 minutes)
    python benchmarks/bench_dedup.py product    100,000 x 384: share of a bare float32 product's speed (about 4 minutes)

Both sides run in one process and take turns; medians. The same results as the loop's are asserted.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from statistics import median

import numpy as np
from shotscribe.filters.embed.cosine import Matrix, squares, unit
from shotscribe.filters.semantic_dedup import duplicates

DIMENSION = 384
THRESHOLD = 0.9
BLOCK = 4096


def clips(rows: int, *, repeated: float) -> Matrix:
    """Unit vectors in random directions, of which a share repeats an earlier one with a little noise (cosine 0.995)."""
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((rows, DIMENSION), dtype=np.float32)
    for row in np.flatnonzero(rng.random(rows) < repeated):
        if row:
            vectors[row] = vectors[rng.integers(row)] + 0.1 * vectors[row]
    return unit(vectors, squares(vectors))


def stacking_loop(vectors: Matrix) -> list[int]:
    """The rule as it is read: compare with every vector of the list kept so far."""
    kept: list[int] = []
    pool: list[Matrix] = []
    for row, vector in enumerate(vectors):
        if not pool or (np.array(pool) @ vector).max() < THRESHOLD:
            kept.append(row)
            pool.append(vector)
    return kept


def buffered_loop(vectors: Matrix) -> list[int]:
    """The same with the kept vectors in one buffer: the fastest that one clip at a time can be."""
    kept: list[int] = []
    pool = np.empty_like(vectors)
    for row, vector in enumerate(vectors):
        if not kept or (pool[: len(kept)] @ vector).max() < THRESHOLD:
            pool[len(kept)] = vector
            kept.append(row)
    return kept


def blocks(vectors: Matrix) -> list[int]:
    dropped = {duplicate.position for duplicate in duplicates(vectors, threshold=THRESHOLD)}
    return [row for row in range(len(vectors)) if row not in dropped]


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def against_loops() -> None:
    vectors = clips(20_000, repeated=0.05)
    assert blocks(vectors) == buffered_loop(vectors)
    ours, buffered = [], []
    for _ in range(5):
        ours.append(seconds(lambda: blocks(vectors)))
        buffered.append(seconds(lambda: buffered_loop(vectors)))
    stacking = seconds(lambda: stacking_loop(vectors))
    size = f"{len(vectors):,} x {DIMENSION}"
    print(f"{size}: {stacking / median(ours):.1f}x as fast as the plain loop ({stacking:.1f} s, {median(ours):.2f} s)")
    print(
        f"{size}: {median(buffered) / median(ours):.1f}x as fast as the loop over a buffer ({median(buffered):.1f} s)"
    )


def against_product() -> None:
    rng = np.random.default_rng(1)
    left = rng.standard_normal((BLOCK, DIMENSION), dtype=np.float32)
    right = rng.standard_normal((4 * BLOCK, DIMENSION), dtype=np.float32)
    out = np.empty((len(left), len(right)), np.float32)
    for repeated in (0.05, 0.9):
        vectors = clips(100_000, repeated=repeated)
        shares, kept = [], np.array(blocks(vectors[:BLOCK]))
        for _ in range(3):
            bare = [seconds(lambda: np.matmul(left, right.T, out=out)) for _ in range(5)]
            start = time.perf_counter()
            kept = np.array(blocks(vectors))
            took = time.perf_counter() - start
            bare += [seconds(lambda: np.matmul(left, right.T, out=out)) for _ in range(5)]
            # what the rule needs: each row times the rows kept before it
            needed = np.searchsorted(kept, np.arange(len(vectors))).sum() * DIMENSION
            shares.append((needed / took) / (out.size * DIMENSION / median(bare)))
        print(
            f"{len(vectors):,} x {DIMENSION}, {len(kept):,} kept: {median(shares):.2f} of the bare product's speed "
            f"({took:.1f} s; product {2e-9 * out.size * DIMENSION / median(bare):.0f} GFLOP/s)"
        )


if __name__ == "__main__":
    for name in sys.argv[1:] or ["loop", "product"]:
        {"loop": against_loops, "product": against_product}[name]()
