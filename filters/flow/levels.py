"""Small grey pictures made ready to be aligned: normalised for local contrast, at two resolutions, with gradients."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.float32]

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
        width = image.shape[1]
        flat = image.ravel()
        upper, lower = flat.take(self.corner), flat[width:].take(self.corner)
        upper += (flat[1:].take(self.corner) - upper) * self.right
        lower += (flat[width + 1 :].take(self.corner) - lower) * self.right
        lower -= upper
        lower *= self.down
        upper += lower
        upper *= self.inside
        return upper


def sight(shape: tuple[int, ...], move: Similarity) -> Sight:
    """How a picture of this shape sees another under a movement."""
    height, width = shape
    x, y = _grid(height, width)
    a, b = np.float32(move.m.real), np.float32(move.m.imag)
    at_x = a * x
    at_x -= b * y
    at_x += np.float32(move.t.real + (width - 1) / 2)
    at_y = b * x
    at_y += a * y
    at_y += np.float32(move.t.imag + (height - 1) / 2)
    in_x = np.minimum(np.maximum(at_x, 0), np.float32(width - 1.001))
    in_y = np.minimum(np.maximum(at_y, 0), np.float32(height - 1.001))
    inside = ((in_x == at_x) & (in_y == at_y)).astype(np.float32)
    left, top = in_x.astype(np.intp), in_y.astype(np.intp)
    in_x -= left
    in_y -= top
    top *= width
    top += left
    return Sight(inside, top, in_x, in_y)


def warped(image: Picture, move: Similarity) -> tuple[Picture, Picture]:
    """The second picture as seen from the first (flat), and 1 where there is one to see, else 0."""
    view = sight(image.shape, move)
    return view.of(image), view.inside


@lru_cache(maxsize=8)
def _grid(height: int, width: int) -> tuple[Picture, Picture]:
    """x and y of every pixel from the middle, flat."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    return (x - (width - 1) / 2).ravel(), (y - (height - 1) / 2).ravel()


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
    size = plane.shape[axis]
    at = np.arange(size)
    low, high = np.maximum(at - _WINDOW, 0), np.minimum(at + _WINDOW + 1, size)
    total = np.zeros((plane.shape[0] + (axis == 0), plane.shape[1] + (axis == 1)), np.float32)
    plane.cumsum(axis=axis, out=total[1:] if axis == 0 else total[:, 1:])
    mean: Picture = total.take(high, axis=axis) - total.take(low, axis=axis)
    mean *= (1 / (high - low)).astype(np.float32).reshape((-1, 1) if axis == 0 else (1, -1))
    return np.maximum(mean, 0)


def _level(image: Picture, counts: tuple[int, int]) -> Level:
    right, down = np.zeros_like(image), np.zeros_like(image)
    np.subtract(image[:, 2:], image[:, :-2], out=right[:, 1:-1])
    np.subtract(image[2:], image[:-2], out=down[1:-1])
    gx, gy = right.ravel() / 2, down.ravel() / 2
    x, y = _grid(*image.shape)
    return Level(image, np.stack([gx, gy, gx * x + gy * y, gy * x - gx * y]), counts)


def fast_size(size: int) -> int:
    """The next size that Fourier transforms are quick at: for 37, a prime, that is half of the time."""
    return -(-size // 8) * 8
