"""Aligns two small pictures by a similarity: shift, zoom and roll.

A correlation over all shifts gives the start, so that fast pans are found; Gauss-Newton steps with robust weights
refine it, coarse to fine, so that a moving object does not pull it (inverse compositional: Baker and Matthews,
"Lucas-Kanade 20 Years On", IJCV 56(3), 2004).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from .levels import STILL, Level, Picture, Pyramid, Similarity, fast_size, warped

_OUTLIER = 0.6  # difference of normalised grey
_STILL_PX = 0.05  # a step that moves no corner by more ends the refining
_FAST_ZOOM = 1.25
_PATIENCE, _HOPELESS = 3, 0.45  # a mean weight this low after so many steps will not rise any more
_FRAME, _MIDDLE = 0.2, 0.3  # the surroundings: breadth in sides, and the weight of what they enclose


def align(first: Pyramid, second: Pyramid, *, before: Similarity = STILL, surroundings: bool = False) -> Similarity:
    """How the first picture moves to the second, in pixels of the fine level.

    `before`: the movement of the pair before, tried first: of two that fit, the steadier is likelier and cheaper.
    `surroundings`: the edges of the picture weigh more than its middle, where people and things are.
    """
    move, share = STILL, 0.0
    for needless, start_of in _STARTS:
        if share >= needless:
            break
        start = start_of(first, second, before)
        found, found_share = _refined(first.coarse, second.coarse, start, steps=6, surroundings=surroundings)
        if found_share > share:
            move, share = found, found_share
    start = Similarity(move.m, move.t * 2)
    return _refined(first.fine, second.fine, start, steps=2, surroundings=surroundings)[0]


def _likeliest_shift(first: Pyramid, second: Pyramid) -> complex:
    """In pixels of the coarse level."""
    height, width = first.coarse.image.shape
    padded = fast_size(2 * height), fast_size(2 * width)
    spectrum = np.conj(np.fft.rfft2(first.coarse.image, s=padded)) * np.fft.rfft2(second.coarse.image, s=padded)
    match = np.fft.irfft2(spectrum, s=padded) * _fairness(height, width)
    y, x = divmod(int(match.argmax()), padded[1])
    return complex(x - padded[1] * (2 * x >= padded[1]), y - padded[0] * (2 * y >= padded[0]))


# Where to start from, in pixels of the coarse level, and the mean weight that makes the start needless. Unrelated
# pictures reach 0.5, well aligned ones 0.75; less where much moves on its own.
_STARTS: tuple[tuple[float, Callable[[Pyramid, Pyramid, Similarity], Similarity]], ...] = (
    (1.0, lambda first, second, before: Similarity(before.m, before.t / 2)),
    (0.75, lambda first, second, before: Similarity(1, _likeliest_shift(first, second))),
    (0.6, lambda first, second, before: Similarity(_FAST_ZOOM, 0)),  # shifts do not match where all grows by a fifth
    (0.6, lambda first, second, before: Similarity(1 / _FAST_ZOOM, 0)),
)


@lru_cache(maxsize=8)
def _fairness(height: int, width: int) -> Picture:
    """What makes sums over overlaps of different sizes comparable; 0 where less than a fifth overlaps.

    By the root: of two shifts that match equally well, as in a repeated pattern, the one with more overlap wins.
    """
    parts = [
        np.maximum(1 - np.abs(np.fft.fftfreq(size, 1 / size)) / side, 0)
        for side, size in ((height, fast_size(2 * height)), (width, fast_size(2 * width)))
    ]
    overlap = np.outer(*parts)
    return np.where(overlap >= 0.2, 1 / np.sqrt(np.maximum(overlap, 0.2)), 0).astype(np.float32)


@lru_cache(maxsize=8)
def _edge_weights(height: int, width: int) -> Picture:
    """1 in a frame as broad as a fifth of the picture, `_MIDDLE` inside it. Flat."""
    y, x = (np.abs(2 * (np.arange(size) + 0.5) / size - 1) for size in (height, width))
    return np.where(np.maximum.outer(y, x) > 1 - 2 * _FRAME, 1, _MIDDLE).astype(np.float32).ravel()


def _refined(
    first: Level, second: Level, start: Similarity, *, steps: int, surroundings: bool
) -> tuple[Similarity, float]:
    """Gauss-Newton steps; a difference of `_OUTLIER` has a fourth of the weight of none.

    With the mean weight of the pixels that are in both pictures: 1 where all follow.
    """
    m, t = start
    share, flat = 0.0, first.image.ravel()
    for number in range(steps):
        off, inside = warped(second, Similarity(m, t))
        if surroundings:
            inside *= _edge_weights(*second.image.shape)
        off -= flat
        weight = off * np.float32(1 / _OUTLIER)
        weight *= weight
        weight += 1
        weight *= weight
        np.divide(inside, weight, out=weight)
        share = float(np.add.reduce(weight) / max(np.add.reduce(inside), 1))
        if number == _PATIENCE and share < _HOPELESS:
            break
        weighted = first.jacobian * weight
        dx, dy, grow, roll = _solved((weighted @ first.jacobian.T).tolist(), (weighted @ off).tolist())
        step = complex(1 + grow, roll)
        m, t = m / step, t - m * complex(dx, dy) / step
        if not (0.5 < abs(m) < 2 and abs(t) < max(second.image.shape)):  # lost
            return start, 0.0
        if abs(step - 1) * len(flat) ** 0.5 + abs(complex(dx, dy)) < _STILL_PX:
            break
    return Similarity(m, t), share


def _solved(normal: list[list[float]], wanted: list[float]) -> tuple[float, float, float, float]:
    """The solution of four equations, symmetric and made positive: by hand, in a fifth of NumPy's time."""
    (a, _, _, _), (b, c, _, _), (d, e, f, _), (g, h, k, n) = normal
    a, c, f, n = (value * 1.001 + 1e-3 for value in (a, c, f, n))
    # L D L^T: L has ones on its diagonal
    l10, l20, l30 = b / a, d / a, g / a
    c -= l10 * b
    e -= l20 * b
    h -= l30 * b
    l21, l31 = e / c, h / c
    f -= l20 * d + l21 * e
    k -= l30 * d + l31 * e
    l32 = k / f
    n -= l30 * g + l31 * h + l32 * k
    p, q, r, s = wanted
    q -= l10 * p
    r -= l20 * p + l21 * q
    s -= l30 * p + l31 * q + l32 * r
    s /= n
    r = r / f - l32 * s
    q = q / c - l21 * r - l31 * s
    p = p / a - l10 * q - l20 * r - l30 * s
    return p, q, r, s
