"""Which tar each clip is published in.

A clip belongs to a tar by the hash of its id, over a number of tars that each *generation* of clips settles. So rows
are shuffled, a clip that comes or goes touches one tar, and any number of readers finds a tar of its own. A push closes
a generation (`generations.py`): clips that come later form the next one, and no published tar changes for them.
With `publish.order: source` clips stay in the order of their sources instead; a tar then ends where a piece of the clip
table does, at the latest.

Nothing here depends on timing or on how large a cut turned out: the same rows over the same state give the same tars.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

MULTIPLE = 8
"""Of so many tars there is a multiple, where there are more than one: each of 2, 4 or 8 readers gets as many."""
_FEW, _SOME = 64, 256  # clips: of fewer there is one tar; MULTIPLE; else twice that at least
_DRIFT = 2.0  # a settled number stands until the one that would be right is this much larger or smaller

Hashes = npt.NDArray[np.uint64]
Sizes = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Generation:
    """How many tars its clips are spread over, settled for tars of `shard_bytes` and for the `clips` that a digest of
    their ids names. `clip_bytes`: a clip's in the tars that were last made of it. `closed`: pushed; it takes no clip
    that it did not have then.
    """

    tars: int
    shard_bytes: int
    clips: str
    clip_bytes: float | None = None
    closed: bool = False


@dataclass(frozen=True, slots=True)
class TarRange:
    """A tar: its path below the output folder, and from where to where (exclusive) its clips stand in the order."""

    path: str
    first: int
    last: int
    generation: int


@dataclass(frozen=True, slots=True)
class Layout:
    """`order`: the numbers of the rows, as they stand in the tars one after another."""

    order: npt.NDArray[np.int64]
    tars: Sequence[TarRange]
    generations: Sequence[Generation]


def shuffled(
    hashes: Hashes, sizes: Sizes, *, shard_bytes: int, settled: Sequence[Generation], members: Sequence[Hashes]
) -> Layout:
    """Rows by the hashes of their ids. `sizes`: about how many bytes each will take up.

    `settled`: the generations so far; `members`: the hashes of those that are closed, which come first.
    """
    generation = np.full(len(hashes), len(members), np.int64)
    for number, hashes_of in enumerate(members):
        generation[np.isin(hashes, hashes_of)] = number
    order = np.lexsort((hashes, generation))
    borders = np.searchsorted(generation[order], np.arange(len(members) + 2))
    tars: list[TarRange] = []
    generations: list[Generation] = []
    for number, (first, last) in enumerate(pairwise(borders)):
        before = settled[number] if number < len(settled) else None
        rows = order[first:last]
        if not len(rows):  # a closed one keeps its number
            generations += [before] if before is not None and before.closed else []
            continue
        now = _settled(hashes[rows], float(sizes[rows].sum()), shard_bytes=shard_bytes, before=before)
        generations.append(now)
        ends = first + np.cumsum(_clips_a_tar(hashes[rows], now.tars))
        starts = [first, *ends[:-1]]
        tars += [
            TarRange(_path(at, now.tars, number), int(start), int(end), number)
            for at, (start, end) in enumerate(zip(starts, ends, strict=True))
        ]
    return Layout(order, tars, generations)


def in_source_order(pieces: npt.NDArray[np.int64], sizes: Sizes, *, shard_bytes: int) -> Layout:
    """Rows as they come. `pieces`: the number of the piece of the clip table that each is in, ascending."""
    borders: list[int] = []
    for start, end in pairwise([*np.flatnonzero(np.diff(pieces, prepend=-1)), len(pieces)]):
        before = np.cumsum(sizes[start:end]) - sizes[start:end]
        borders += (start + np.flatnonzero(np.diff(before // shard_bytes, prepend=-1))).tolist()
    tars = [
        TarRange(_path(at, len(borders), 0), start, end, 0)
        for at, (start, end) in enumerate(pairwise([*borders, len(pieces)]))
    ]
    return Layout(np.arange(len(pieces)), tars, [])


def _settled(hashes: Hashes, size: float, *, shard_bytes: int, before: Generation | None) -> Generation:
    """How many tars these clips are spread over: as before, while that is about right. For the very same clips it is
    right whatever size they turned out to have: a run that goes on after its last step must find what it published.
    """
    clips = hashlib.blake2b(hashes.tobytes(), digest_size=16).hexdigest()
    if before is None or before.shard_bytes != shard_bytes:
        before = Generation(0, shard_bytes, "", None, before is not None and before.closed)
    if before.clip_bytes is not None:
        size = before.clip_bytes * len(hashes)
    right = _right(len(hashes), size, shard_bytes)
    fixed = before.closed or before.clips == clips
    stands = before.tars and (fixed or right / _DRIFT <= before.tars <= right * _DRIFT)
    tars = before.tars if stands else right
    while tars > 1 and not _clips_a_tar(hashes, tars).all():  # none is empty
        tars //= 2
        tars -= tars % MULTIPLE if tars > MULTIPLE else 0
    return replace(before, tars=tars, clips=clips)


def _right(clips: int, size: float, shard_bytes: int) -> int:
    least = 1 if clips < _FEW else MULTIPLE if clips < _SOME else 2 * MULTIPLE
    needed = math.ceil(size / shard_bytes)
    return max(least, needed if needed <= 1 else MULTIPLE * math.ceil(needed / MULTIPLE))


def _clips_a_tar(hashes: Hashes, tars: int) -> npt.NDArray[np.int64]:
    """How many of the clips are in each tar: a tar has the same share of all hashes, in their order."""
    return np.bincount((hashes >> np.uint64(32)) * np.uint64(tars) >> np.uint64(32), minlength=tars)


def _path(at: int, tars: int, generation: int) -> str:
    later = f"-g{generation + 1}" if generation else ""
    return f"data/train{later}-{at:05}-of-{tars:05}.tar"
