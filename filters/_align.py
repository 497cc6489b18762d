"""Aligns two small pictures by a similarity: shift, zoom and roll.

The pictures are normalised for local contrast, so that light that changes is no movement. A correlation over all
shifts gives the start, so that fast pans are found; Gauss-Newton steps with robust weights refine it, coarse to fine,
so that a moving object does not pull it (inverse compositional: Baker and Matthews, "Lucas-Kanade 20 Years On",
IJCV 56(3), 2004). The result is judged block by block; blocks that do not follow are searched for on their own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.float32]

_WINDOW = 5  # pixels to each side that local contrast is taken from
_NOISE = 1.5  # grey levels: contrast well under this is not raised to texture
_TEXTURED = 0.04  # mean square of a normalised block with texture: a contrast of about a fourth of _NOISE
_FOLLOWS = 0.75  # correlation of a block that follows
_BLOCK_PX = 13  # side of a block, about
_OBJECT_PX = 12  # how far a block is searched for on its own
_STILL_PX = 0.05  # a step that moves no corner by more ends the refining
_OUTLIER = 0.6  # difference of normalised grey
_FAST_ZOOM = 1.25
_DIAGONAL = np.diag_indices(4)


class Similarity(NamedTuple):
    """The point z = x + iy, measured from the middle, goes to m*z + t. abs(m) is the magnification."""

    m: complex
    t: complex


STILL = Similarity(1, 0)


@dataclass(frozen=True, slots=True)
class Level:
    """A normalised picture at one resolution, with what it takes to align another to it."""

    image: Plane
    jacobian: Plane  # (4, pixels): change of the picture with a shift in x, in y, with zoom and roll
    counts: tuple[int, int]  # rows and columns of blocks


@dataclass(frozen=True, slots=True)
class Pyramid:
    """A picture prepared for `align`."""

    fine: Level
    coarse: Level  # half the size
    spectrum: npt.NDArray[np.complex64]  # of the coarse picture, padded to twice its size


@dataclass(frozen=True, slots=True)
class Match:
    """How two pictures go together."""

    move: Similarity
    fit: float
    """Share of the textured blocks that follow, 0 to 1; NaN where one of the two is flat."""
    way: float
    """Mean way of the blocks, in pixels."""


def pyramid(gray: Plane) -> Pyramid:
    """A grey picture, 0 to 255, prepared."""
    image = _normalised(gray)
    height, width = gray.shape[0] // 2, gray.shape[1] // 2
    even = image[: 2 * height, : 2 * width]
    half = (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4
    spectrum = np.fft.rfft2(half, s=(2 * height, 2 * width)).astype(np.complex64)
    counts = max(round(gray.shape[0] / _BLOCK_PX), 2), max(round(gray.shape[1] / _BLOCK_PX), 2)
    return Pyramid(_level(image, counts), _level(half, counts), spectrum)


def align(first: Pyramid, second: Pyramid, *, before: Similarity = STILL) -> Match:
    """`before`: the movement of the pair before, tried first: of two that fit, the steadier is likelier, and cheaper."""
    move, share = STILL, 0.0
    for start, wanted in _starts(first, second, before):
        if share >= wanted:
            break
        found, found_share = _refined(first.coarse, second.coarse.image, start, steps=6)
        if found_share > share:
            move, share = found, found_share
    move, _ = _refined(first.fine, second.fine.image, Similarity(move.m, move.t * 2), steps=2)
    return _match(first.fine, second.fine.image, move)


def _starts(first: Pyramid, second: Pyramid, before: Similarity) -> Iterator[tuple[Similarity, float]]:
    """Where to start from, in pixels of the coarse level, and the mean weight that makes the start needless.

    Unrelated pictures reach 0.5, well aligned ones 0.75; less where much moves on its own.
    """
    yield Similarity(before.m, before.t / 2), 1.0
    yield Similarity(1, _likeliest_shift(first, second)), 0.75
    yield Similarity(_FAST_ZOOM, 0), 0.6  # shifts alone do not match where all grows by a fifth
    yield Similarity(1 / _FAST_ZOOM, 0), 0.6


@lru_cache(maxsize=8)
def _grid(height: int, width: int) -> tuple[Plane, Plane]:
    """x and y of every pixel from the middle, flat."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    return (x - (width - 1) / 2).ravel(), (y - (height - 1) / 2).ravel()


def _normalised(gray: Plane) -> Plane:
    """Less the local mean, over the local contrast."""
    centred = gray - _window_mean(_window_mean(gray, axis=0), axis=1)
    contrast = np.sqrt(_window_mean(_window_mean(centred * centred, axis=0), axis=1))
    normalised: Plane = centred / (contrast + np.float32(_NOISE))
    return normalised


def _window_mean(plane: Plane, *, axis: int) -> Plane:
    """Mean over a window along one axis, cut off at the ends. Sums, as a product of matrices this small wakes up all of
    BLAS's threads: twenty times the CPU time."""
    size = plane.shape[axis]
    at = np.arange(size)
    low, high = np.maximum(at - _WINDOW, 0), np.minimum(at + _WINDOW + 1, size)
    total = np.zeros((plane.shape[0] + (axis == 0), plane.shape[1] + (axis == 1)), np.float32)
    plane.cumsum(axis=axis, out=total[1:] if axis == 0 else total[:, 1:])
    mean: Plane = total.take(high, axis=axis) - total.take(low, axis=axis)
    mean *= (1 / (high - low)).astype(np.float32).reshape((-1, 1) if axis == 0 else (1, -1))
    return np.maximum(mean, 0)


def _level(image: Plane, counts: tuple[int, int]) -> Level:
    right, down = np.zeros_like(image), np.zeros_like(image)
    np.subtract(image[:, 2:], image[:, :-2], out=right[:, 1:-1])
    np.subtract(image[2:], image[:-2], out=down[1:-1])
    gx, gy = right.ravel() / 2, down.ravel() / 2
    x, y = _grid(*image.shape)
    return Level(image, np.stack([gx, gy, gx * x + gy * y, gy * x - gx * y]), counts)


def _likeliest_shift(first: Pyramid, second: Pyramid) -> complex:
    """In pixels of the coarse level."""
    height, width = first.coarse.image.shape
    match = np.fft.irfft2(np.conj(first.spectrum) * second.spectrum, s=(2 * height, 2 * width))
    y, x = divmod(int((match * _fairness(height, width)).argmax()), 2 * width)
    return complex(x - 2 * width * (x >= width), y - 2 * height * (y >= height))


@lru_cache(maxsize=8)
def _fairness(height: int, width: int) -> Plane:
    """What makes sums over overlaps of different sizes comparable; 0 where less than a fifth overlaps.

    By the root: of two shifts that match equally well, as in a repeated pattern, the one with more overlap wins.
    """
    rows, columns = np.abs(np.fft.fftfreq(2 * height) * 2), np.abs(np.fft.fftfreq(2 * width) * 2)
    overlap = np.outer(1 - rows, 1 - columns)
    return np.where(overlap >= 0.2, 1 / np.sqrt(np.maximum(overlap, 0.2)), 0).astype(np.float32)


def _warped(image: Plane, move: Similarity) -> tuple[Plane, Plane]:
    """The second picture as seen from the first (flat), and 1 where there is one to see, else 0."""
    height, width = image.shape
    x, y = _grid(height, width)
    a, b = np.float32(move.m.real), np.float32(move.m.imag)
    at_x = a * x - b * y + np.float32(move.t.real + (width - 1) / 2)
    at_y = b * x + a * y + np.float32(move.t.imag + (height - 1) / 2)
    in_x = np.clip(at_x, 0, width - 1.001)
    in_y = np.clip(at_y, 0, height - 1.001)
    inside = ((in_x == at_x) & (in_y == at_y)).astype(np.float32)
    left, top = in_x.astype(np.int32), in_y.astype(np.int32)
    right, down = in_x - left, in_y - top
    flat, index = image.ravel(), top * np.int32(width) + left
    upper, lower = flat.take(index), flat.take(index + width)
    upper += (flat.take(index + 1) - upper) * right
    lower += (flat.take(index + (width + 1)) - lower) * right
    upper += (lower - upper) * down
    return upper * inside, inside


def _refined(first: Level, second: Plane, start: Similarity, *, steps: int) -> tuple[Similarity, float]:
    """Gauss-Newton steps; a difference of `_OUTLIER` has a fourth of the weight of none.

    With the mean weight of the pixels that are in both pictures: 1 where all follow.
    """
    m, t = start
    share, flat = 0.0, first.image.ravel()
    for _ in range(steps):
        seen, inside = _warped(second, Similarity(m, t))
        off = seen - flat
        weight = inside / np.square(1 + np.square(off / np.float32(_OUTLIER)))
        share = float(weight.sum() / max(inside.sum(), 1))
        weighted = first.jacobian * weight
        normal = (weighted @ first.jacobian.T).astype(np.float64)
        normal[_DIAGONAL] = normal[_DIAGONAL] * 1.001 + 1e-3
        dx, dy, grow, roll = np.linalg.solve(normal, weighted @ off)
        step = complex(1 + grow, roll)
        m, t = m / step, t - m * complex(dx, dy) / step
        if not (0.5 < abs(m) < 2 and abs(t) < max(second.shape)):  # lost
            return start, 0.0
        if abs(step - 1) * len(flat) ** 0.5 + abs(complex(dx, dy)) < _STILL_PX:
            break
    return Similarity(m, t), share


def _per_block(plane: Plane, counts: tuple[int, int]) -> Plane:
    """Sums over the blocks, (rows, columns)."""
    (rows, columns), high, wide = counts, *_block_size(plane, counts)
    bands = plane[: rows * high, : columns * wide].reshape(rows, high, columns * wide).sum(axis=1)
    return bands.reshape(rows, columns, wide).sum(axis=2)


def _block_size(plane: Plane, counts: tuple[int, int]) -> tuple[int, int]:
    return plane.shape[0] // counts[0], plane.shape[1] // counts[1]


class _Blocks(NamedTuple):
    fit: float
    strays: npt.NDArray[np.bool_]  # (rows, columns): has texture and does not follow
    seen: Plane  # the second picture as seen from the first


def _judged(first: Level, second: Plane, move: Similarity) -> _Blocks:
    """How well each block of the first picture is found in the second."""
    seen, inside = _warped(second, move)
    inside, seen = inside.reshape(second.shape), seen.reshape(second.shape)
    image, counts = first.image * inside, first.counts
    covered, both = _per_block(inside, counts), _per_block(image * seen, counts)
    own, other = _per_block(image * image, counts), _per_block(seen * seen, counts)
    shown, textures = covered > 0.5 * covered.max(), (own > _TEXTURED * covered, other > _TEXTURED * covered)
    measured = shown & (textures[0] | textures[1])
    follows = both > _FOLLOWS * np.sqrt(own * other)
    flat = min((shown & texture).sum() for texture in textures) < 0.1 * covered.size
    fit = math.nan if flat else float((measured & follows).sum() / measured.sum())
    return _Blocks(fit, measured & ~follows, seen)


def _match(first: Level, second: Plane, move: Similarity) -> Match:
    blocks = _judged(first, second, move)
    (rows, columns), (high, wide) = first.counts, _block_size(first.image, first.counts)
    y = (np.arange(rows) + 0.5) * high - first.image.shape[0] / 2
    x = (np.arange(columns) + 0.5) * wide - first.image.shape[1] / 2
    middle = x + 1j * y[:, None]
    ways = (move.m - 1) * middle + move.t
    if blocks.strays.any():
        ways[blocks.strays] += move.m * _own_ways(first.image, blocks, high, wide)
    return Match(move, blocks.fit, float(np.abs(ways).mean()))


def _own_ways(first: Plane, blocks: _Blocks, high: int, wide: int) -> npt.NDArray[np.complex128]:
    """How far each stray went beside the picture's own movement: the best match within reach.

    A block that matches nowhere gets the best of bad matches, about half of the reach: it changed beyond recognition.
    """
    rows, columns = np.nonzero(blocks.strays)
    reach = _OBJECT_PX
    around = np.pad(blocks.seen, reach)
    windows = np.lib.stride_tricks.sliding_window_view(around, (high + 2 * reach, wide + 2 * reach))
    patches = np.lib.stride_tricks.sliding_window_view(first, (high, wide))
    shape = (high + 2 * reach, wide + 2 * reach)
    there = np.fft.rfft2(windows[rows * high, columns * wide])
    here = np.fft.rfft2(patches[rows * high, columns * wide], s=shape)
    match = np.fft.irfft2(there * np.conj(here), s=shape)[:, : 2 * reach + 1, : 2 * reach + 1]
    best = match.reshape(len(rows), -1).argmax(axis=1)
    down, right = np.divmod(best, 2 * reach + 1)
    ways: npt.NDArray[np.complex128] = (right - reach) + 1j * (down - reach)
    return ways
