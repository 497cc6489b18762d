"""Cuts between small frames of one clip: where the whole picture is another at once, and stays so.

A cut is a pair of frames that, aligned as well as can be, differ everywhere by several times as much as the pairs
around it. A hand that comes in changes a part of the picture, light changes no texture, fast movement makes the pairs
around it differ as well, and after a flash the scene is as it was before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .align import align
from .blocks import compared, is_flat, per_block
from .levels import STILL, Picture, Pyramid, Similarity, counts_of, pyramid

CLOSELY = 0.9
"""Correlation of a block that is the same, not only alike."""

_UNCHANGED = 0.7  # grey levels on average in any block: noise, not movement
_TIMES = 4.0  # a cut changes the picture by so many times what its neighbours do ...
_BASE = 1.0  # ... and by so many grey levels more
_FEWER = 0.8  # of the blocks that are the same from frame to frame around it, a cut has less than this share
_AROUND = 4  # pairs to each side that a pair is compared with
_LEAST_AROUND = 2
_FLASH = 2  # frames that a flash lasts at most
_THIRD = 1 / 3  # of the blocks: those that changed least must have changed as well

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class View:
    """One frame, small."""

    gray: Picture  # 0 to 255

    @cached_property
    def levels(self) -> Pyramid:
        """What it takes to align it."""
        return pyramid(self.gray)


class Pair(NamedTuple):
    """How one frame goes over into another."""

    move: Similarity
    fit: float  # share of the blocks that follow; NaN where a picture is flat
    same: float  # share of those that follow closely
    change: float  # grey levels, once aligned: in the median block
    least: float  # and in the third of the blocks that changed least


def pair_of(first: View, second: View, move: Similarity) -> Pair:
    """The pair under a movement."""
    fine = first.levels.fine
    blocks = compared(fine, second.levels.fine.image, move)
    if blocks.flat:
        return Pair(move, np.nan, np.nan, np.nan, np.nan)
    seen, inside = blocks.sight.of(second.gray).reshape(fine.image.shape), blocks.sight.inside
    off = np.abs(seen - first.gray * inside.reshape(fine.image.shape))
    shown = blocks.covered > 0.5 * blocks.covered.max()
    change = np.sort(per_block(off, fine.counts)[shown] / blocks.covered[shown])
    same = float(blocks.follows(least=CLOSELY).sum() / blocks.measured.sum())
    return Pair(move, blocks.fit, same, float(change[len(change) // 2]), float(change[int(_THIRD * len(change))]))


def unchanged(first: View, second: View) -> Pair | None:
    """The pair, if nothing at all moves in it: what costs next to nothing to see."""
    counts = counts_of(first.gray)
    size = first.gray.size // (counts[0] * counts[1])
    change = np.sort(per_block(np.abs(second.gray - first.gray), counts), axis=None) / size
    if change[-1] > _UNCHANGED:
        return None
    if is_flat(first.levels.fine):
        return Pair(STILL, np.nan, np.nan, np.nan, np.nan)
    return Pair(STILL, 1.0, 1.0, float(change[len(change) // 2]), float(change[int(_THIRD * len(change))]))


def breaks(views: Sequence[View], pairs: Sequence[Pair]) -> tuple[npt.NDArray[np.bool_], int]:
    """Which pairs a cut or a flash lies in, and how many of them are cuts."""
    same, change, least = (np.array([pair[field] for pair in pairs], np.float64) for field in (2, 3, 4))
    usual = _Usual(_around(same, 0.5), _around(change, 0.75), _around(least, 0.75))
    broken = np.array([usual.broken(pair, place) for place, pair in enumerate(pairs)], np.bool_)
    cuts = sum(not _returns(views, usual, int(place)) for place in np.flatnonzero(broken))
    return broken, cuts


class _Usual(NamedTuple):
    """What the pairs around each one are like; NaN where they are too few."""

    same: Floats
    change: Floats
    least: Floats

    def broken(self, pair: Pair, place: int) -> bool:
        return bool(
            pair.same < _FEWER * self.same[place]
            and pair.change > _TIMES * (self.change[place] + _BASE)
            and pair.least > _TIMES * (self.least[place] + _BASE)
        )


def _returns(views: Sequence[View], usual: _Usual, place: int) -> bool:
    """Whether the scene before the pair is there again after it, as after a flash."""
    ends = [(place, place + 1 + more) for more in range(1, _FLASH + 1)]
    ends += [(place - more, place + 1) for more in range(1, _FLASH + 1)]
    for first, second in ends:
        if first >= 0 and second < len(views):
            one, other = views[first], views[second]
            again = pair_of(one, other, align(one.levels, other.levels, surroundings=True))
            if again.same > 0 and not usual.broken(again, place):
                return True
    return False


def _around(values: Floats, share: float) -> Floats:
    """For each value a quantile of those around it, itself not among them."""
    padded = np.pad(values, _AROUND, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * _AROUND + 1)
    others = np.sort(np.delete(windows, _AROUND, axis=1), axis=1)  # NaN at the end
    counts = (~np.isnan(others)).sum(axis=1)
    place = np.maximum((share * (counts - 1)).astype(np.intp), 0)
    return np.where(counts >= _LEAST_AROUND, others[np.arange(len(values)), place], np.nan)
