"""How the whole picture moves from one sampled frame to the next, and how much moves in it: measured once a clip."""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...builder.contract.frames import Frames
from .._bars import content
from .._planes import Plane, once_per_frames
from .align import align
from .blocks import judge
from .levels import STILL, Picture, pyramid

TRUSTED_FIT = 0.35
"""A pair of frames of which less follows has no common movement: a cut, or movement too fast to follow."""

WORK_PX = 80
"""Long side that frames are reduced to, about."""

_LEAST_PX = 16  # a picture with less, reduced and without its bars, is not measured

Floats = npt.NDArray[np.float64]


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
    """Share of the textured blocks of the picture that follow, 0 to 1; NaN where one of the two frames is flat."""
    way: Floats
    """Mean way of all blocks, those too that move on their own, in diagonals of the frame.

    Without meaning where the fit is not trusted.
    """


@once_per_frames
def flow_of(frames: Frames) -> Flow:
    """The flow of a clip's frames; bars around the picture do not count."""
    count = max(len(frames.images) - 1, 0)
    dx, dy, zoom, roll, way = np.zeros((5, count))
    fit = np.full(count, np.nan)
    pictures, factor = small_pictures(frames)
    if pictures:
        height, width = frames.images[0].shape[:2]
        before, first = STILL, pyramid(pictures[0])
        for pair, picture in enumerate(pictures[1:]):
            second = pyramid(picture)
            move = align(first, second, before=before)
            match = judge(first.fine, second.fine.image, move)
            halfway = move.t / cmath.sqrt(move.m) * factor
            dx[pair], dy[pair] = halfway.real / min(height, width), halfway.imag / min(height, width)
            zoom[pair], roll[pair] = math.log(abs(move.m)), cmath.phase(move.m)
            fit[pair], way[pair] = match.fit, match.way * factor / math.hypot(height, width)
            before, first = (move if match.fit >= TRUSTED_FIT else STILL), second
    return Flow(np.diff(frames.times), dx, dy, zoom, roll, fit, way)


def small_pictures(frames: Frames) -> tuple[list[Picture], int]:
    """The gray frames without bars, reduced, and by what factor; none where fewer than two or too small to measure."""
    if len(frames.images) < 2:
        return [], 1
    factor = max(round(max(frames.images[0].shape[:2]) / WORK_PX), 1)
    pictures = [_reduced(plane, factor) for plane in content(frames)]
    return (pictures if min(pictures[0].shape) >= _LEAST_PX else []), factor


def _reduced(plane: Plane, factor: int) -> Picture:
    """Means over squares; where those are large, over every other pixel of them each way: a fourth of the work."""
    height, width = (side // factor * factor for side in plane.shape)
    picks = range(0, factor, 2 if factor > 2 else 1)
    total = np.zeros((height // factor, width // factor), np.uint32)
    for row in picks:
        for column in picks:
            total += plane[row:height:factor, column:width:factor]
    return total.astype(np.float32) / np.float32(len(picks) ** 2)
