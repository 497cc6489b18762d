"""A column of vectors as a matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ...builder.contract.errors import RunError
from .cosine import Matrix

if TYPE_CHECKING:
    import pyarrow as pa


_CHUNK = 1 << 16  # rows


def matrix(column: pa.ChunkedArray, ids: pa.ChunkedArray, *, where: str) -> Matrix:
    """A chunked Arrow column of lists as float32 rows (n, d); null and empty lists become zeros.

    RunError names the first clip (`ids` is a column too) whose vector has another length or is not finite.
    """
    lengths = np.concatenate([np.zeros(0, np.int64), *(_lengths(chunk) for chunk in column.chunks)])
    filled = lengths > 0
    first = int(filled.argmax()) if filled.any() else None
    dimension = 1 if first is None else int(lengths[first])
    if (odd := np.flatnonzero(filled & (lengths != dimension))).size:
        raise RunError(
            f"{where}: clip {ids[int(odd[0])].as_py()} has {lengths[odd[0]]} numbers where clip {ids[first].as_py()} "
            f"has {dimension}; give every clip a vector of one model"
        )
    vectors = np.zeros((len(lengths), dimension), np.float32)
    start = 0
    for chunk in column.chunks:
        stop = start + len(chunk)
        flat = chunk.flatten().to_numpy(zero_copy_only=False)  # without what null lists hide; a null number is a NaN
        vectors[start:stop][filled[start:stop]] = flat.reshape(-1, dimension)
        start = stop
    # one finite number a row where all are: float32 values cannot overflow a float64 sum
    if (bad := np.flatnonzero(~np.isfinite(vectors.sum(axis=1, dtype=np.float64)))).size:
        raise RunError(
            f"{where}: the vector of clip {ids[int(bad[0])].as_py()} holds NaN or infinity ({len(bad)} such clips); "
            "look at what made it"
        )
    return vectors


def as_lists(vectors: Matrix) -> list[pa.Array]:
    """The rows as Arrow lists, in chunks whose numbers Arrow can count."""
    import pyarrow as pa

    width = vectors.shape[1]
    return [
        pa.ListArray.from_arrays(pa.array(np.arange(len(part) + 1, dtype=np.int32) * width), pa.array(part.ravel()))
        for part in (vectors[start : start + _CHUNK] for start in range(0, len(vectors), _CHUNK))
    ]


def _lengths(chunk: pa.ListArray) -> npt.NDArray[np.int64]:
    """The number of values of each list of an Arrow array; 0 where it is null."""
    return np.asarray(chunk.value_lengths().fill_null(0).to_numpy(zero_copy_only=False), np.int64)
