"""Drops clips that say or show what an earlier clip does: the semantic filter of ShareGPT4Video (arXiv 2406.04325)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, field_serializer, model_validator

from ..builder.contract.clip import Columns
from ..builder.contract.errors import Reason, Rejection, RunError
from ..builder.contract.identity import Json
from ..builder.contract.locations import RecipePath
from ..builder.contract.markers import Judges
from ..builder.contract.step import TableStep
from ._earlier import Earlier, earlier
from ._prefer import Preferred, best_first, preferred_columns, unfit
from .embed.cosine import Floats, Matrix, Positions, rounding, similarities, squares, unit
from .embed.hashing import hashed
from .embed.texts import HashingEmbed, TextEmbed, TextEmbedding
from .embed.vectors import as_lists, matrix

if TYPE_CHECKING:
    import faiss
    import pyarrow as pa

_BLOCK = 4096  # rows that are searched at once; FAISS holds at most a block by a block of products (64 MB)
_TILE = 1024  # rows of a block that are settled at once: at most a tile by a block of products (16 MB) is held
_NEIGHBOURS = 8  # costs what 1 does in FAISS, and nearly always shows where the nearest is alone
_TF32 = 2.0**-9  # faiss-gpu may multiply in TF32: a mantissa of 10 bits


class SemanticDedup(TableStep):
    """In the order of the recipe's sources, or the best by `prefer` first, a clip joins the pool only when its largest
    cosine similarity to the clips kept so far is below the threshold; otherwise it is rejected as a duplicate of the
    nearest of them.

    Exact: the result is that of the plain loop over all pairs, on any machine, and the same with and without a GPU. A
    clip with no text, no vector or a vector of zeros is nobody's duplicate and is kept.
    """

    use: Literal["semantic_dedup"] = "semantic_dedup"
    column: str
    """A text column (`embed` says how it becomes vectors), or a column of vectors, such as keyframe_embedding."""
    threshold: Judges[float] = Field(gt=0, le=1)
    """Cosine similarity from which on a clip is a duplicate. The paper states none: look at the rejects and choose."""
    embed: TextEmbed | None = None
    """How text becomes vectors; required for a text column, left out for a column of vectors."""
    prefer: Judges[tuple[Preferred, ...]] = ()
    """Which of two that are alike stays: columns of numbers, larger first (`{least: column}`: smaller first), or
    `resolution`; a later one decides between equals. Left out: the first in the order of the sources."""
    against: Judges[RecipePath | None] = None
    """The folder of a finished dataset: what it holds, or nearly holds, does not enter this one. With
    `embed: {use: hashing}` only: texts are published, other embeddings are not."""

    @model_validator(mode="after")
    def _comparable(self) -> Self:
        if self.against is not None and not isinstance(self.embed, HashingEmbed):
            raise ValueError(
                "against compares texts by their wording, as only these are published: name a text column, and say "
                "`embed: {use: hashing}`"
            )
        before = self._earlier
        if before is not None and before.columns.get(self.column) != "string":
            texts = ", ".join(name for name, kind in before.columns.items() if kind == "string")
            raise ValueError(f'against: {before.name} has no text column "{self.column}"; of texts it has {texts}')
        return self

    @field_serializer("against")
    def _content(self, against: Path | None) -> str | None:
        """What it holds, and no place."""
        before = self._earlier
        return None if before is None else f"{before.name} sha256:{before.digest()}"

    @cached_property
    def _earlier(self) -> Earlier | None:
        """Read once: what is compared is what the recipe was checked with. Raises ValueError."""
        return None if self.against is None else earlier(self.against)

    def reads(self) -> Columns:
        return {**preferred_columns(self.prefer), self._vectors: ["float32"]}

    def misfits(self, columns: Columns) -> Mapping[str, str]:
        return unfit(self.prefer, columns)

    def requires(self) -> Mapping[str, str]:
        return {"faiss": "cpu"}

    def before(self) -> tuple[TextEmbedding, ...]:
        return () if self.embed is None else (TextEmbedding(column=self.column, embed=self.embed),)

    def identity(self) -> Json:
        return {"version": self.version, "use": self.use, "column": self._vectors}

    @property
    def _vectors(self) -> str:
        """The column of vectors."""
        return next((step.embedding for step in self.before()), self.column)

    def settle(self, table: pa.Table) -> Iterator[tuple[int, Rejection]]:
        import pyarrow as pa
        import pyarrow.compute as pc

        ids, vectors, order = table.column("clip_id"), table.column(self._vectors), best_first(table, self.prefer)
        first, where = 0, ""
        if self._earlier is not None:
            held = self._earlier.read(["clip_id", self.column])
            first, where = held.num_rows, f" in {self._earlier.name}"
            same = pc.is_in(ids, value_set=held.column("clip_id")).to_numpy()
            for row in np.flatnonzero(same).tolist():
                detail = f"of {ids[row].as_py()}{where}, the same clip"
                yield row, Rejection(Reason.DUPLICATE, detail, "against")
            order = np.concatenate([np.arange(first), first + order[~same[order]]])
            ids = pa.chunked_array([*held.column("clip_id").chunks, *ids.chunks])
            vectors = pa.chunked_array([*as_lists(hashed(held.column(self.column).to_pylist())), *vectors.chunks])
        rows = matrix(vectors, ids, where=f"semantic_dedup: column {self.column}")
        for duplicate in duplicates(rows, threshold=self.threshold, order=order, first=first):
            of = f"{ids[duplicate.of].as_py()}{where if duplicate.of < first else ''}"
            detail = f"of {of}, similarity {duplicate.similarity:.3f} >= threshold {self.threshold:g}"
            yield duplicate.position - first, Rejection(Reason.DUPLICATE, detail, "threshold")


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Positions of a row and of the kept row that is nearest to it (the first of equally near ones); their cosine."""

    position: int
    of: int
    similarity: float


def duplicates(
    vectors: Matrix, *, threshold: float, order: Positions | None = None, first: int = 0, block: int = _BLOCK
) -> Iterator[Duplicate]:
    """The rows that the greedy rule drops, in order. `vectors`: float32 (n, d), finite. `order`: the positions of the
    rows as they are looked at, if not all as they stand; of them the `first` are in the pool as they are.

    Memory beyond `vectors`: the kept rows in FAISS (on a GPU, there; up to three times their size while it grows), 16
    bytes a row, and some 120 MB of products; a few hundred MB more where thousands of kept rows are equally near.
    """
    order = np.arange(len(vectors)) if order is None else order
    pool = _Pool(vectors, order, threshold=threshold)
    for start in range(0, first, block):
        pool.admit(start, min(start + block, first))
    for start in range(first, len(order), block):
        yield from pool.take(start, min(start + block, len(order)))


class _Pool:
    """The rows kept so far, and a FAISS index over them. Rows go by their places in `order` until they are told."""

    def __init__(self, vectors: Matrix, order: Positions, *, threshold: float) -> None:
        self._vectors, self._order = vectors, order
        self._squares = squares(vectors)
        self._threshold = threshold
        self._index, self._error = _index(vectors.shape[1])
        self._floor = threshold - self._error  # a product below it is below the threshold, however it was rounded
        self._kept: Positions = np.empty(len(vectors), np.int64)
        self._count = 0

    def take(self, start: int, stop: int) -> Iterator[Duplicate]:
        """Settle the next rows: first against the pool, then in order among themselves."""
        units = self._units(self._order[start:stop])
        similarity = np.full(len(units), -1.0)
        of: Positions = np.full(len(units), -1, np.int64)
        for rows, kept in self._near(units):
            self._improve(similarity, of, start, rows, kept)
        dropped = self._settle(units, similarity, of, start)
        for row in np.flatnonzero(dropped):
            yield Duplicate(int(self._order[start + row]), int(self._order[of[row]]), float(similarity[row]))
        joined = np.flatnonzero(~dropped)
        self._join(start + joined, units[joined])

    def admit(self, start: int, stop: int) -> None:
        """Take the next rows as they are."""
        self._join(np.arange(start, stop), self._units(self._order[start:stop]))

    def _join(self, rows: Positions, units: Matrix) -> None:
        self._kept[self._count : self._count + len(rows)] = rows
        self._count += len(rows)
        self._index.add(units)

    def _units(self, at: Positions) -> Matrix:
        return unit(self._vectors[at], self._squares[at])

    def _near(self, units: Matrix) -> Iterator[tuple[Positions, Positions]]:
        """Pairs (row of the block, kept position) among which is every row's nearest that reaches the threshold."""
        if not self._count:
            return
        near, at = self._index.search(units, min(_NEIGHBOURS, self._count))
        lowest = np.maximum(near[:, :1] - 2 * self._error, self._floor)  # below it, not the nearest or no duplicate
        close = near >= lowest
        crowded = close[:, -1] & (near.shape[1] < self._count)  # there may be more as near as these
        rows, column = np.nonzero(close & ~crowded[:, None])
        yield rows, self._kept[at[rows, column]]
        if (rest := np.flatnonzero(crowded)).size:
            for start in range(0, self._count, _TILE):
                kept = self._kept[start : min(start + _TILE, self._count)]
                products = units[rest] @ self._units(self._order[kept]).T
                rows, column = np.nonzero(products >= lowest[rest])
                yield rest[rows], kept[column]

    def _improve(self, similarity: Floats, of: Positions, start: int, rows: Positions, kept: Positions) -> None:
        """Take over the nearest kept row of each row of the block, where it is nearer than what is known."""
        left, right = self._order[start + rows], self._order[kept]
        found = similarities(self._vectors, self._squares, left, right)
        order = np.lexsort((kept, -found, rows))
        first = order[np.diff(rows[order], prepend=-1) != 0]
        first = first[found[first] > similarity[rows[first]]]
        similarity[rows[first]], of[rows[first]] = found[first], kept[first]

    def _settle(self, units: Matrix, similarity: Floats, of: Positions, start: int) -> npt.NDArray[np.bool_]:
        """Which rows of the block are dropped; completes `similarity` and `of` with the rows kept inside the block."""
        dropped = similarity >= self._threshold
        for tile in range(0, len(units), _TILE):
            stop = min(tile + _TILE, len(units))
            free = np.flatnonzero(~dropped[:stop])  # only these can be, or become, a part of the pool
            products = units[tile:stop] @ units[free].T
            products[free >= np.arange(tile, stop)[:, None]] = -2.0  # a row looks at earlier ones only
            for row in tile + np.flatnonzero(products.max(axis=1, initial=-2.0) >= self._floor):
                near = products[row - tile]
                column = np.flatnonzero(near >= self._floor)
                column = column[~dropped[free[column]]]
                if column.size:
                    column = column[near[column] >= near[column].max() - 2 * self._error]
                    self._improve(similarity, of, start, np.full(len(column), row), start + free[column])
                    dropped[row] = similarity[row] >= self._threshold
        return dropped


def _index(dimension: int) -> tuple[faiss.Index, float]:
    """An exact inner-product index, on the GPUs where faiss-gpu finds some, and how far its products may be off."""
    try:
        import faiss
    except ImportError as error:
        raise RunError(
            'semantic_dedup: FAISS is not installed; pip install "shotscribe[cpu]" (or [gpu] for NVIDIA GPUs)'
        ) from error
    # tiles of products as wide as a block: 1.6 times the speed of FAISS's own 1024 (2 cores, 30,000 x 384)
    faiss.cvar.distance_compute_blas_database_bs = _BLOCK
    index = faiss.IndexFlatIP(dimension)
    if faiss.get_num_gpus() > 0:
        return faiss.index_cpu_to_all_gpus(index), rounding(dimension) + _TF32
    return index, rounding(dimension)
