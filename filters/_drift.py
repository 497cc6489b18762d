"""Whether the picture behind a text moves: else nothing tells a text laid over it from one in it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ._tracks import Box, Sighting

Plane = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

_BLOCK_PX = 16  # of planes of half the frames' size, which blurs what a pixel of movement would change
_TEXTURE = 3.0  # levels by which a block's pixels differ, of 255: less shows nothing that could move
_SAME = 0.8  # correlation of a block in two frames from which on it shows the same; coding alone leaves 0.9
_LIKE = 0.5  # the same, where somebody may walk through
_NEAR = 2  # blocks around a text that tell what is behind it
_ENOUGH = 4  # blocks that are needed to tell
_MOVES = 0.5  # share of them that differ where the picture moves
_SHIFTS = range(-8, 9)  # pixels of the halved planes by which a text may have moved
_EDGE_PX = 4.0
_FITS = 0.3  # correlation of a text that stands: what is behind it moves
_FOUND = 0.5  # of one that has moved
_PARTS = 0.75  # share of a text's parts, each as wide as it is high, that must be gone where it goes
_RESTS = 0.45  # share of them that may differ where it does not: somebody walks through
_OTHER = 0.85  # correlation below which a text's place shows something else; what is behind the text stays


class Drift:
    """How the frames of a clip differ, block by block, where no text is."""

    def __init__(self, planes: Sequence[npt.NDArray[np.uint8]], texts: Sequence[Sequence[Box]]) -> None:
        """`planes`: the frames in gray; `texts`: the boxes of each frame's lines."""
        self._planes = [_halved(plane) for plane in planes]
        rows, columns = (side // _BLOCK_PX for side in self._planes[0].shape)
        self._covered = [_covered(boxes, rows, columns) for boxes in texts]

    def moves(self, seen: Sequence[Sighting]) -> bool:
        """Whether the picture moves from one to another of a text's sightings, and the text does not. Slow movement
        adds up to the last.
        """
        ends = (seen[0], seen[-1])
        return self._stands(*ends) and any(
            self._moved(*pair) and self._stands(*pair) for pair in (ends, *pairwise(seen))
        )

    def appears(self, seen: Sequence[Sighting]) -> bool:
        """Whether a text comes or goes before a picture that stays as it is: nothing in a scene does."""
        frames = [one.frame for one in seen]
        for inside, outside in ((frames[0], frames[0] - 1), (frames[-1], frames[-1] + 1)):
            if not 0 <= outside < len(self._planes):
                continue
            box = seen[frames.index(inside)].box
            if self._cut_off(box):
                continue
            share = self._share(inside, outside, same=_LIKE, near=box)
            if share is not None and share <= _RESTS and self._gone(inside, outside, box):
                return True
        return False

    def _cut_off(self, box: Box) -> bool:
        """Whether a text reaches the picture's edge, where what moves comes and goes."""
        height, width = (2 * side for side in self._planes[0].shape)
        return bool(min(box.left, box.top, width - box.right, height - box.bottom) < _EDGE_PX)

    def _share(self, first: int, second: int, *, same: float, near: Box | None = None) -> float | None:
        """Of the blocks that show something in one of two frames, those that differ; of all or those near a text. None
        where nothing shows anything.
        """
        one, other = (self._blocks(number) for number in (first, second))
        telling = (one.std(-1) >= _TEXTURE) | (other.std(-1) >= _TEXTURE)
        telling &= ~(self._covered[first] | self._covered[second])
        if near:
            telling &= _around(near, telling.shape, _NEAR)
        if np.count_nonzero(telling) < _ENOUGH:
            return None
        return float((_correlation(one, other) < same)[telling].mean())

    def _moved(self, one: Sighting, other: Sighting) -> bool:
        share = self._share(one.frame, other.frame, same=_SAME)
        return share is not None and share >= _MOVES

    def _stands(self, one: Sighting, other: Sighting) -> bool:
        """Whether the pixels of a text fit those of another sighting best where they are. Where they fit nowhere, as of
        a watermark that shines through, whether the two boxes are the same.
        """
        here, near = (fit(one.frame, other.frame, one.box) for fit in (self._fit, self._near))
        return (here >= near and here >= _FITS) or (near < _FOUND and one.box.same(other.box))

    def _gone(self, inside: int, outside: int, box: Box) -> bool:
        """Whether a text's pixels are nowhere near in another frame, in few of its parts: one that somebody walks past
        goes part by part.
        """
        count = min(12, max(1, round((box.right - box.left) / max(1.0, box.height))))
        edges = np.linspace(box.left, box.right, count + 1).tolist()
        parts = [Box(left, box.top, right, box.bottom) for left, right in pairwise(edges)]
        gone = [self._fit(inside, outside, part) < _OTHER for part in parts]
        return sum(gone) >= _PARTS * count and self._near(inside, outside, box) < _OTHER

    def _near(self, first: int, second: int, box: Box) -> float:
        """How well the pixels of a box fit those around its place in another frame, where they fit best."""
        shifts = [(down, right) for down in _SHIFTS for right in _SHIFTS if (down, right) != (0, 0)]
        return max(self._fit(first, second, box, down, right) for down, right in shifts)

    def _fit(self, first: int, second: int, box: Box, down: int = 0, right: int = 0) -> float:
        """The correlation of the pixels of a box with those of its place in another frame, or of a place so far from
        it; -1 where that is not within the picture.
        """
        rows, columns = slice(*_halves(box.top, box.bottom)), slice(*_halves(box.left, box.right))
        pixels, plane = self._planes[first][rows, columns], self._planes[second]
        top, left = rows.start + down, columns.start + right
        there = plane[max(0, top) : top + pixels.shape[0], max(0, left) : left + pixels.shape[1]]
        if there.shape != pixels.shape or not pixels.size:
            return -1.0
        return float(_correlation(pixels.reshape(-1), there.reshape(-1)))

    def _blocks(self, number: int) -> Plane:
        """(rows, columns, pixels)"""
        plane = self._planes[number]
        rows, columns = (side // _BLOCK_PX for side in plane.shape)
        cut = plane[: rows * _BLOCK_PX, : columns * _BLOCK_PX].reshape(rows, _BLOCK_PX, columns, _BLOCK_PX)
        return cut.swapaxes(1, 2).reshape(rows, columns, -1)


def _correlation(one: Plane, other: Plane) -> npt.NDArray[np.float32]:
    """Of the last axis; 0 where one of them shows nothing."""
    one, other = (values - values.mean(-1, keepdims=True) for values in (one, other))
    lengths = np.sqrt((one * one).sum(-1) * (other * other).sum(-1))
    made: npt.NDArray[np.float32] = (one * other).sum(-1) / np.maximum(lengths, 1e-6)
    return made


def _halved(plane: npt.NDArray[np.uint8]) -> Plane:
    rows, columns = (side // 2 * 2 for side in plane.shape)
    small: Plane = plane[:rows, :columns].reshape(rows // 2, 2, columns // 2, 2).mean((1, 3), dtype=np.float32)
    return small


def _halves(begin: float, end: float) -> tuple[int, int]:
    return int(begin // 2), int(-(-end // 2))


def _covered(boxes: Sequence[Box], rows: int, columns: int) -> Mask:
    """The blocks that a text touches."""
    mask = np.zeros((rows, columns), np.bool_)
    for box in boxes:
        mask |= _around(box, mask.shape, 0)
    return mask


def _around(box: Box, shape: tuple[int, ...], near: int) -> Mask:
    """The blocks that a box touches, and so many around them."""
    mask = np.zeros(shape, np.bool_)
    mask[_reach(box.top, box.bottom, near), _reach(box.left, box.right, near)] = True
    return mask


def _reach(begin: float, end: float, near: int) -> slice:
    side = 2 * _BLOCK_PX
    return slice(max(0, int(begin // side) - near), int(end // side) + 1 + near)
