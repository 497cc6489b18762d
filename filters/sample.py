"""A seeded choice of clips: so many of all, so many of each value of a column, or evenly over what they show."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from ..builder.contract.clip import Columns
from ..builder.contract.columns import type_name
from ..builder.contract.conditions import family, kind_at, read_at, shown, value_at
from ..builder.contract.errors import Reason, Rejection
from ..builder.contract.markers import Judges
from ..builder.contract.step import TableStep
from .embed.cosine import Matrix, Positions, squares, unit
from .embed.vectors import matrix

if TYPE_CHECKING:
    import pyarrow as pa

Draws = npt.NDArray[np.uint64]

_ROUNDS = 20  # of k-means
_SEEN = 256  # clips a cluster that k-means looks at, at most


class Sample(TableStep):
    """Keeps a choice of the clips, drawn by a hash of their ids and the seed. So neither their order nor their number
    matters to a draw: a clip that comes or goes moves one other, or one a group.

    A clip without a value, or without a vector, is in a group of such. `by` groups clips by k-means over the vectors
    (FAISS), which a clip that comes or goes can move.
    """

    use: Literal["sample"] = "sample"
    rows: Judges[int | None] = Field(default=None, ge=1)
    """How many clips are kept: in all, or with `per` of each value. May be left out with `balance`."""
    per: Judges[str | None] = None
    """A column, or a field in one: `rows` are kept of each of its values."""
    balance: Judges[str | None] = None
    """A column, or a field in one: of each of its values as many are kept as of the rarest. With `rows`, that many in
    all, as evenly as can be: what a rare value lacks, the others share."""
    by: Judges[str | None] = None
    """A column of vectors, such as keyframe_embedding: `rows` are kept in all, evenly over `concepts` of them."""
    concepts: Judges[int | None] = Field(default=None, ge=2)
    """With `by`: how many clusters of clips that are alike."""
    seed: Judges[int] = Field(default=0, ge=0)
    """Another one draws others."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = [name for name in ("per", "balance", "by") if getattr(self, name) is not None]
        if len(ways) > 1:
            raise ValueError(f"{' and '.join(ways)} are two ways to choose; leave one, or make it two steps")
        if self.rows is None and self.balance is None:
            raise ValueError("option rows is missing: how many clips are kept")
        if (self.by is None) != (self.concepts is None):
            raise ValueError("by and concepts go together, as in `by: keyframe_embedding, concepts: 100`")
        return self

    @property
    def _column(self) -> str | None:
        """Whose values are groups."""
        return self.per if self.balance is None else self.balance

    def reads(self) -> Columns:
        if self.by is not None:
            return {self.by: ["float32"]}
        return {} if self._column is None else read_at(self._column)

    def misfits(self, columns: Columns) -> Mapping[str, str]:
        if self._column is None:
            return {}
        option = "balance" if self.per is None else "per"
        try:
            kind = kind_at(self._column, columns)
        except ValueError as error:
            return {option: str(error)}
        item = kind[0] if isinstance(kind, list | tuple) else kind
        if family(item) == "other" or (item is not kind and family(item) == "number"):  # a list of these is a vector
            return {option: f"cannot group by {type_name(kind)}; name a column of texts, numbers or lists of texts"}
        return {}

    def requires(self) -> Mapping[str, str]:
        return {} if self.by is None else {"faiss": "cpu"}

    def settle(self, table: pa.Table) -> Iterator[tuple[int, Rejection]]:
        draws = drawn(table.column("clip_id"), seed=self.seed)
        groups, names = self._groups(table, draws)
        kept = chosen(draws, groups, rows=self.rows, evenly=self.per is None)
        of, kept_of = (np.bincount(some, minlength=len(names)) for some in (groups, groups[kept]))
        option = "balance" if self.rows is None else "rows"
        for row in np.flatnonzero(~kept):
            group = groups[row]
            said = f"seed {self.seed} draws {kept_of[group]} of the {of[group]} clips{names[group]}: {option}"
            said += "" if self.rows is None else f" {self.rows}"
            yield int(row), Rejection(Reason.NOT_SAMPLED, said, option)

    def _groups(self, table: pa.Table, draws: Draws) -> tuple[Positions, list[str]]:
        """The group of each row, and what clips of each are called."""
        if self.by is not None and self.concepts is not None:
            vectors = matrix(table.column(self.by), table.column("clip_id"), where=f"sample: column {self.by}")
            groups = concepts_of(vectors, draws, concepts=self.concepts, seed=self.seed)
            return groups, [*(f" of concept {number}" for number in range(self.concepts)), " without a vector"]
        if self._column is None:
            return np.zeros(len(draws), np.int64), [""]
        known: dict[object, int] = {}
        names, groups = list[str](), np.empty(len(draws), np.int64)
        values = (
            value_at(self._column, row)
            for batch in table.select([name for name in self.reads() if name in table.column_names]).to_batches()
            for row in batch.to_pylist()
        )
        for at, value in enumerate(values):
            groups[at] = known.setdefault(tuple(value) if isinstance(value, list) else value, len(known))
            if len(known) > len(names):
                names.append(f" with {self._column} {'missing' if value is None else shown(value)}")
        return groups, names


def drawn(ids: pa.ChunkedArray, *, seed: int) -> Draws:
    """A number for each clip, from its id and the seed alone: those with the smallest are drawn first."""
    hashes = (
        hashlib.blake2b(f"{seed} {clip}".encode(), digest_size=8).digest()
        for chunk in ids.chunks
        for clip in chunk.to_pylist()
    )
    return np.frombuffer(b"".join(hashes), np.dtype("<u8")).astype(np.uint64)


def chosen(draws: Draws, groups: Positions, *, rows: int | None, evenly: bool) -> npt.NDArray[np.bool_]:
    """Which are kept: `rows` of each group, or in all and `evenly` over the groups; without `rows`, of each as many as
    the smallest has.
    """
    counts = np.bincount(groups)
    order = np.lexsort((draws, groups))
    rank = np.empty(len(draws), np.int64)  # of each among its group
    rank[order] = np.arange(len(draws)) - np.repeat(np.cumsum(counts) - counts, counts)
    if evenly and rows is not None:
        kept = np.zeros(len(draws), np.bool_)
        kept[np.lexsort((draws, rank))[:rows]] = True
        return kept
    return rank < (counts.min(initial=len(draws)) if rows is None else rows)


def concepts_of(vectors: Matrix, draws: Draws, *, concepts: int, seed: int) -> Positions:
    """The cluster of each row of a float32 matrix (n, d), by its direction; rows of zeros are one more, the last.
    The order of rows is of no account. Memory: twice that of `vectors`.
    """
    import faiss

    squared = squares(vectors)
    order = np.argsort(draws)
    order = order[squared[order] > 0]
    clusters = min(concepts, len(order))
    groups = np.full(len(vectors), concepts, np.int64)
    if clusters:
        units = unit(vectors[order], squared[order])
        seen = units[: clusters * _SEEN]  # in the order of the draw: any of them
        kmeans = faiss.Kmeans(units.shape[1], clusters, niter=_ROUNDS, spherical=True, min_points_per_centroid=1)
        kmeans.train(seen, init_centroids=_spread(seen, clusters, seed=seed))
        groups[order] = kmeans.index.search(units, 1)[1][:, 0]
    return groups


def _spread(units: Matrix, clusters: int, *, seed: int) -> Matrix:
    """Where k-means starts (k-means++, Arthur and Vassilvitskii 2007): a row is the likelier the further it is from
    those before it. Of rows at random most would be of the largest crowd, and rare concepts would share one cluster.
    """
    rng = np.random.default_rng(seed)
    starts = [0]
    far = np.ones(len(units))
    while len(starts) < clusters:
        far = np.minimum(far, np.maximum(1 - units @ units[starts[-1]], 0))
        far[starts[-1]] = 0
        reach = np.cumsum(far)
        starts.append(int(np.searchsorted(reach, rng.random() * reach[-1], side="right").clip(0, len(units) - 1)))
    return units[starts]
