"""How the whole picture moves from one sampled frame to the next, and how much moves in it: measured once a clip."""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from ..builder.clip import Frames, Images
from ._align import STILL, Plane, align, pyramid

Floats = npt.NDArray[np.float64]

TRUSTED_FIT = 0.35
"""A pair of frames of which less follows has no common movement: a cut, or movement too fast to follow."""

_WORK_PX = 80  # long side that frames are reduced to, about
_LEAST_PX = 16  # a picture with less, reduced and without its bars, is not measured
_BAR = 4  # grey levels: border rows and columns that vary less, over all frames, are bars


@dataclass(frozen=True, slots=True)
class Flow:
    """Movement between n frames: n - 1 values each. Content that goes to the right and down is positive."""

    seconds: Floats
    """From one frame to the next."""
    dx: Floats
    """At the middle of the picture, in short sides of the frame."""
    dy: Floats
    zoom: Floats
    """Natural logarithm of the magnification."""
    roll: Floats
    """Radians, clockwise as seen."""
    fit: Floats
    """Share of the textured blocks of the picture that follow, 0 to 1; NaN where nearly nothing has texture."""
    way: Floats
    """Mean way of all blocks, those too that move on their own, in diagonals of the frame.

    Without meaning where the fit is not trusted.
    """


_measured: WeakKeyDictionary[Frames, Flow] = WeakKeyDictionary()


def flow_of(frames: Frames) -> Flow:
    """The flow of a clip's frames. Steps that are given the same `Frames` share one measurement, kept while those live."""
    flow = _measured.get(frames)
    if flow is None:
        flow = _measured[frames] = _measure(frames)
    return flow


def _measure(frames: Frames) -> Flow:
    count = max(len(frames.images) - 1, 0)
    dx, dy, zoom, roll, way = np.zeros((5, count))
    fit = np.full(count, np.nan)
    height, width = frames.images[0].shape[:2] if count else (0, 0)
    picture = _without_bars([_reduced(image) for image in frames.images]) if min(height, width) >= _LEAST_PX else []
    if picture:
        pixel = _factor(height, width)  # of the frame, to one of the picture
        before, first = STILL, pyramid(picture[0])
        for pair, gray in enumerate(picture[1:]):
            second = pyramid(gray)
            match = align(first, second, before=before)
            halfway = match.move.t / cmath.sqrt(match.move.m)
            dx[pair], dy[pair] = (part * pixel / min(height, width) for part in (halfway.real, halfway.imag))
            zoom[pair], roll[pair] = math.log(abs(match.move.m)), cmath.phase(match.move.m)
            fit[pair] = match.fit
            way[pair] = match.way * pixel / math.hypot(height, width)
            before, first = (match.move if match.fit >= TRUSTED_FIT else STILL), second
    return Flow(np.diff(frames.times), dx, dy, zoom, roll, fit, way)


def _factor(height: int, width: int) -> int:
    return max(round(max(height, width) / _WORK_PX), 1)


def _reduced(image: Images) -> Plane:
    """Grey, about `_WORK_PX` long: means over squares, of every other pixel each way where the squares are large.

    Blue, a fourteenth of brightness, is left out.
    """
    factor = _factor(*image.shape[:2])
    height, width = (side // factor * factor for side in image.shape[:2])
    picks = range(0, factor, 2 if factor > 2 else 1)
    total = np.zeros((height // factor, width // factor), np.uint16)
    for row in picks:
        for column in picks:
            square = image[row:height:factor, column:width:factor]
            total += square[..., 0]
            total += square[..., 1]
    return total.astype(np.float32) / np.float32(2 * len(picks) ** 2)


def _without_bars(stack: list[Plane]) -> list[Plane]:
    """The pictures without bars that never change (letterbox, pillarbox); nothing where too little is left."""
    low, high = np.minimum.reduce(stack), np.maximum.reduce(stack)
    if not low.size:
        return []
    top, bottom = _inner(low.min(axis=1), high.max(axis=1))
    left, right = _inner(low.min(axis=0), high.max(axis=0))
    if bottom - top < _LEAST_PX or right - left < _LEAST_PX:
        return []
    return [np.ascontiguousarray(gray[top:bottom, left:right]) for gray in stack]


def _inner(low: Plane, high: Plane) -> tuple[int, int]:
    """First and one past the last line inside the bars; the line at a bar's edge is half bar and goes too."""
    busy = np.flatnonzero(high - low > _BAR)
    if not busy.size:
        return 0, 0
    first, last = int(busy[0]), int(busy[-1]) + 1
    return first + (first > 0), last - (last < len(low))
