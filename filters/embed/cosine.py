"""Cosine similarity that is the same number on every machine, whatever computes the candidates.

A matrix product in float32 rounds differently with the shape of its blocks, the threads and the processor. So it only
proposes pairs; `similarities` decides, in float64, with additions in one fixed order. `rounding` bounds how far apart
the two can be.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Positions = npt.NDArray[np.int64]

_SLAB = 1 << 20  # numbers that are in float64 at a time: 8 MB


def rounding(dimension: int) -> float:
    """The most by which a float32 dot product of two `unit` rows, summed in any order, misses the cosine.

    Each product and each addition rounds by 2^-24 at most, relative to a sum of magnitudes that is at most 1; the rest
    is room for the rounding of the rows and of the comparisons.
    """
    return (dimension + 16) * 2.0**-24


def squares(vectors: Matrix) -> Floats:
    """The squared length of each row. A float32 vector's never overflows or vanishes in float64."""
    every = np.arange(len(vectors))
    return _dots(vectors, every, every)


def unit(vectors: Matrix, squared: Floats) -> Matrix:
    """Rows (n, d) of length one; a row of zeros stays one."""
    lengths = np.sqrt(np.where(squared > 0, squared, 1.0))
    rows: Matrix = (vectors / lengths[:, None]).astype(np.float32)
    return rows


def similarities(vectors: Matrix, squared: Floats, left: Positions, right: Positions) -> Floats:
    """The cosine of row left[i] with row right[i]: 1 exactly for equal rows, 0 where one of them is all zeros."""
    scale = np.sqrt(squared[left] * squared[right])
    cosines: Floats = np.minimum(_dots(vectors, left, right) / np.where(scale > 0, scale, 1.0), 1.0)
    return cosines


def _dots(vectors: Matrix, left: Positions, right: Positions) -> Floats:
    dots = np.empty(len(left))
    step = max(1, _SLAB // vectors.shape[1])
    for start in range(0, len(left), step):
        part = slice(start, start + step)
        # the product of two float32 is exact in float64: only the additions round
        terms = np.multiply(vectors[left[part]], vectors[right[part]], dtype=np.float64)
        while (width := terms.shape[1]) > 1:  # halves added elementwise: an order that no library may change
            half = (width + 1) // 2
            terms[:, : width - half] += terms[:, half:]
            terms = terms[:, :half]
        dots[part] = terms[:, 0]
    return dots
