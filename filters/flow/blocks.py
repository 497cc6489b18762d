"""Judges an alignment block by block: which blocks follow it, and how far the others go on their own."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .levels import Level, Picture, Sight, Similarity, fast_size, sight

_TEXTURED = 0.04  # mean square of a normalised block with texture
_FLAT = 0.1  # share of the blocks: a picture with fewer textured ones is flat
_FOLLOWS = 0.7  # correlation of a block that follows
_OWN_PX = 12  # how far a block is searched for on its own


@dataclass(frozen=True, slots=True)
class Match:
    """How two pictures go together."""

    fit: float
    """Share of the textured blocks that follow, 0 to 1; NaN where one of the two is flat."""
    way: float
    """Mean way of the blocks, in pixels."""


def judge(first: Level, second: Picture, move: Similarity) -> Match:
    """How well `move` brings the first picture to the second, and how far its parts went."""
    blocks = compared(first, second, move)
    strays = blocks.measured & ~blocks.follows()
    (rows, columns), (high, wide) = first.counts, _block_size(first.image, first.counts)
    y = (np.arange(rows) + 0.5) * high - first.image.shape[0] / 2
    x = (np.arange(columns) + 0.5) * wide - first.image.shape[1] / 2
    middle = x + 1j * y[:, None]
    ways = (move.m - 1) * middle + move.t
    if strays.any():
        ways[strays] += move.m * _own_ways(first.image, blocks.seen, strays, high, wide)
    return Match(blocks.fit, float(np.abs(ways).mean()))


def per_block(plane: Picture, counts: tuple[int, int]) -> Picture:
    """Sums over the blocks, (rows, columns)."""
    (rows, columns), high, wide = counts, *_block_size(plane, counts)
    bands = plane[: rows * high, : columns * wide].reshape(rows, high, columns * wide).sum(axis=1)
    sums: Picture = bands.reshape(rows, columns, wide).sum(axis=2)
    return sums


def _block_size(plane: Picture, counts: tuple[int, int]) -> tuple[int, int]:
    return plane.shape[0] // counts[0], plane.shape[1] // counts[1]


class Blocks(NamedTuple):
    """How each block of the first picture is found in the second: (rows, columns)."""

    both: Picture  # product of the two pictures, and that of two alike: what correlation is the quotient of
    alike: Picture
    measured: npt.NDArray[np.bool_]  # in both pictures, with texture in one of them
    flat: bool  # one of the pictures has next to no texture
    sight: Sight
    seen: Picture  # the second picture as seen from the first
    covered: Picture  # pixels of each block that are in both pictures

    def follows(self, *, least: float = _FOLLOWS) -> npt.NDArray[np.bool_]:
        """Which blocks go with the movement: `least` is their correlation."""
        return self.measured & (self.both > least * self.alike)

    @property
    def fit(self) -> float:
        """Share of the blocks that follow; NaN where a picture is flat."""
        return math.nan if self.flat else float(self.follows().sum() / self.measured.sum())


def compared(first: Level, second: Picture, move: Similarity) -> Blocks:
    """The blocks under a movement."""
    view = sight(second.shape, move)
    inside, seen = view.inside.reshape(second.shape), view.of(second).reshape(second.shape)
    image, counts = first.image * inside, first.counts
    covered, both = per_block(inside, counts), per_block(image * seen, counts)
    own, other = per_block(image * image, counts), per_block(seen * seen, counts)
    shown, textures = covered > 0.5 * covered.max(), (own > _TEXTURED * covered, other > _TEXTURED * covered)
    flat = min((shown & texture).sum() for texture in textures) < _FLAT * covered.size
    measured = shown & (textures[0] | textures[1])
    return Blocks(both, np.sqrt(own * other), measured, bool(flat), view, seen, covered)


def is_flat(level: Level) -> bool:
    """Whether a picture has next to no texture."""
    high, wide = _block_size(level.image, level.counts)
    power = per_block(level.image * level.image, level.counts)
    return bool((power > _TEXTURED * high * wide).sum() < _FLAT * power.size)


def _own_ways(
    first: Picture, seen: Picture, strays: npt.NDArray[np.bool_], high: int, wide: int
) -> npt.NDArray[np.complex128]:
    """How far each stray went beside the picture's own movement: the best match within reach.

    A block that matches nowhere gets the best of bad matches, about half of the reach: it changed beyond recognition.
    """
    rows, columns = np.nonzero(strays)
    reach = _OWN_PX
    around = np.pad(seen, reach)
    windows = np.lib.stride_tricks.sliding_window_view(around, (high + 2 * reach, wide + 2 * reach))
    patches = np.lib.stride_tricks.sliding_window_view(first, (high, wide))
    shape = fast_size(high + 2 * reach), fast_size(wide + 2 * reach)
    there = np.fft.rfft2(windows[rows * high, columns * wide], s=shape)
    here = np.fft.rfft2(patches[rows * high, columns * wide], s=shape)
    match = np.fft.irfft2(there * np.conj(here), s=shape)[:, : 2 * reach + 1, : 2 * reach + 1]
    best = match.reshape(len(rows), -1).argmax(axis=1)
    down, right = np.divmod(best, 2 * reach + 1)
    ways: npt.NDArray[np.complex128] = (right - reach) + 1j * (down - reach)
    return ways
