"""Small grey pictures made ready to be aligned: normalised for local contrast, at two resolutions, with gradients."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.float32]
Pairs = npt.NDArray[np.complex64]

_WINDOW = 5  # pixels to each side that local contrast is taken from
_NOISE = 1.5  # grey levels: contrast well under this is not raised to texture
_BLOCK_PX = 13  # side of a block, about


class Similarity(NamedTuple):
    """The point z = x + iy, measured from the middle, goes to m*z + t. abs(m) is the magnification."""

    m: complex
    t: complex


STILL = Similarity(1, 0)


@dataclass(frozen=True, slots=True)
class Level:
    """A normalised picture at one resolution, with what it takes to align another to it."""

    image: Picture
    pairs: Pairs  # of `pairs_of`
    jacobian: Picture  # (4, pixels): change of the picture with a shift in x, in y, with zoom and roll
    counts: tuple[int, int]  # rows and columns of blocks


@dataclass(frozen=True, slots=True)
class Pyramid:
    """A picture prepared for `align`."""

    fine: Level
    coarse: Level  # half the size


def pyramid(gray: Picture) -> Pyramid:
    """A grey picture, 0 to 255, prepared."""
    image = _normalised(gray)
    height, width = gray.shape[0] // 2, gray.shape[1] // 2
    even = image[: 2 * height, : 2 * width]
    half = (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) * np.float32(0.25)
    counts = counts_of(gray)
    return Pyramid(_level(image, counts), _level(half, counts))


def counts_of(gray: Picture) -> tuple[int, int]:
    """Rows and columns of the blocks that a picture is judged by."""
    return max(round(gray.shape[0] / _BLOCK_PX), 2), max(round(gray.shape[1] / _BLOCK_PX), 2)


class Sight(NamedTuple):
    """Where the pixels of the first picture are in the second one. All flat."""

    inside: Picture  # 1 where there is one to see, else 0
    corner: npt.NDArray[np.intp]  # the pixel up and to the left, and what is to go from there
    right: Picture
    down: Picture

    def of(self, image: Picture) -> Picture:
        """The second picture as seen from the first; 0 where there is none."""
        return self.of_pairs(pairs_of(image))

    def of_pairs(self, pairs: Pairs) -> Picture:
        """The same of a picture whose `pairs_of` are known. Few calls: on so small pictures they cost most."""
        seen = pairs.take(self.corner)
        seen += (pairs[1:].take(self.corner) - seen) * self.right
        upper: Picture = (seen.imag - seen.real) * self.down
        upper += seen.real
        upper *= self.inside
        return upper


def pairs_of(image: Picture) -> Pairs:
    """Each pixel with the one below it, as a complex number; flat."""
    flat, width = image.ravel(), image.shape[1]
    pairs = np.zeros(flat.size, np.complex64)
    pairs.real = flat
    pairs.imag[:-width] = flat[width:]
    return pairs


def sight(shape: tuple[int, ...], move: Similarity) -> Sight:
    """How a picture of this shape sees another under a movement."""
    height, width = shape
    at = _grid(height, width) * np.complex64(move.m)
    at += np.complex64(move.t + complex((width - 1) / 2, (height - 1) / 2))
    at_x, at_y = at.real, at.imag
    in_x, in_y = np.maximum(at_x, 0), np.maximum(at_y, 0)
    np.minimum(in_x, np.float32(width - 1.001), out=in_x)
    np.minimum(in_y, np.float32(height - 1.001), out=in_y)
    inside = ((in_x == at_x) & (in_y == at_y)).astype(np.float32)
    left, top = np.floor(in_x), np.floor(in_y)
    in_x -= left
    in_y -= top
    top *= width
    top += left
    return Sight(inside, top.astype(np.intp), in_x, in_y)


def warped(level: Level, move: Similarity) -> tuple[Picture, Picture]:
    """The second picture as seen from the first (flat), and 1 where there is one to see, else 0."""
    view = sight(level.image.shape, move)
    return view.of_pairs(level.pairs), view.inside


@lru_cache(maxsize=8)
def _grid(height: int, width: int) -> Pairs:
    """x + iy of every pixel from the middle, flat."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    grid: Pairs = ((x - (width - 1) / 2) + 1j * (y - (height - 1) / 2)).ravel().astype(np.complex64)
    return grid


def _normalised(gray: Picture) -> Picture:
    """Less the local mean, over the local contrast."""
    centred = gray - _window_mean(_window_mean(gray, axis=0), axis=1)
    contrast: Picture = np.sqrt(_window_mean(_window_mean(centred * centred, axis=0), axis=1))
    contrast += np.float32(_NOISE)
    centred /= contrast
    return centred


def _window_mean(plane: Picture, *, axis: int) -> Picture:
    """Mean over a window along one axis, cut off at the ends.

    Running sums: a product with a band matrix is no slower, but wakes all of BLAS's threads, for 20 times the CPU time.
    """
    low, high, share = _windows(plane.shape[axis])
    total = np.zeros((plane.shape[0] + (axis == 0), plane.shape[1] + (axis == 1)), np.float32)
    plane.cumsum(axis=axis, out=total[1:] if axis == 0 else total[:, 1:])
    mean: Picture = total.take(high, axis=axis)
    mean -= total.take(low, axis=axis)
    mean *= share[:, None] if axis == 0 else share
    return np.maximum(mean, 0, out=mean)


@lru_cache(maxsize=16)
def _windows(size: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Picture]:
    """For each place along a side where its window begins and ends, and one over its length."""
    at = np.arange(size)
    low, high = np.maximum(at - _WINDOW, 0), np.minimum(at + _WINDOW + 1, size)
    return low, high, (1 / (high - low)).astype(np.float32)


def _level(image: Picture, counts: tuple[int, int]) -> Level:
    jacobian = np.zeros((4, *image.shape), np.float32)
    right, down, grow, roll = jacobian
    np.subtract(image[:, 2:], image[:, :-2], out=right[:, 1:-1])
    np.subtract(image[2:], image[:-2], out=down[1:-1])
    jacobian[:2] *= np.float32(0.5)
    x, y = _sides(*image.shape)
    np.multiply(right, x, out=grow)
    grow += down * y
    np.multiply(down, x, out=roll)
    roll -= right * y
    return Level(image, pairs_of(image), jacobian.reshape(4, -1), counts)


@lru_cache(maxsize=8)
def _sides(height: int, width: int) -> tuple[Picture, Picture]:
    """x of every column and y of every row, from the middle: (1, w) and (h, 1)."""
    grid = _grid(height, width).reshape(height, width)
    return grid.real[:1].copy(), grid.imag[:, :1].copy()


def fast_size(size: int) -> int:
    """The next size that Fourier transforms are quick at: for 37, a prime, that is half of the time."""
    return -(-size // 8) * 8
