"""Bars around the picture (letterbox, pillarbox), found in the frames of a clip together.

A bar is a band along an edge that is flat in all frames, and that ends on a straight line. A dark scene has dark bands
too, but they are neither flat nor straight; a clear sky may be flat, but it has no twin of its colour at the bottom.
So: black bars count one by one, bars of another colour only in pairs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..builder.contract.frames import Frames
from ._planes import Plane, luma, once_per_frames

_FLAT = 3  # luma levels that a bar may vary by, up or down
_SPECKS = 0.02  # share of a line that may differ: a clock, a dot in a corner
_BLACK = 20  # levels up to which a bar is black: 16 too, where a player took limited range for full; pure blue has 29
_TWIN = 4  # levels that the two bars of a pair may differ by
_STEP = 16  # levels by which the picture must differ from the bar at its end
_STRAIGHT = 0.7  # share of the bar's length along which the picture must begin at once
_SOFT_PX = 2  # lines in which scaling may blur the end of a bar
_RINGING_PX = 8  # lines before the end in which coding may leave traces of the picture: a block
_LEAST = 0.3  # share of the height and width that a picture has at least: 9:16 inside 16:9 is 0.316


@dataclass(frozen=True, slots=True)
class Box:
    """The picture inside the bars, in pixels of the frames: rows `top:bottom`, columns `left:right`."""

    top: int
    bottom: int
    left: int
    right: int


@once_per_frames
def content_box(frames: Frames) -> Box:
    """The part of the frames that is picture in all of them; the whole where there are no bars."""
    planes = luma(frames)
    brightest, darkest = planes[0].copy(), planes[0].copy()
    for plane in planes[1:]:
        np.maximum(brightest, plane, out=brightest)
        np.minimum(darkest, plane, out=darkest)
    top, bottom = _pair(brightest, darkest)
    left, right = _pair(brightest[top:bottom].T, darkest[top:bottom].T)
    if not top and bottom == len(brightest):  # pillars first may bare what a window box hid
        top, bottom = _pair(brightest[:, left:right], darkest[:, left:right])
    return Box(top, bottom, left, right)


@once_per_frames
def content(frames: Frames) -> list[Plane]:
    """The gray frames without bars: what luma and sharpness are measured on."""
    box = content_box(frames)
    return [plane[box.top : box.bottom, box.left : box.right] for plane in luma(frames)]


def _pair(brightest: Plane, darkest: Plane) -> tuple[int, int]:
    """The first row of the picture and the row after its last, from the extremes of each pixel over time."""
    height = len(brightest)
    top, top_level = _bar(brightest, darkest)
    bottom, bottom_level = _bar(brightest[::-1], darkest[::-1])
    twins = bool(top and bottom) and abs(top_level - bottom_level) <= _TWIN
    if top_level > _BLACK and not twins:
        top = 0
    if bottom_level > _BLACK and not twins:
        bottom = 0
    return (top, height - bottom) if height - top - bottom >= _LEAST * height else (0, height)


def _bar(brightest: Plane, darkest: Plane) -> tuple[int, int]:
    """Height and level of the bar at the top; height 0 where there is none."""
    level = int(np.median(brightest[0]))
    off = (brightest > level + _FLAT) | (darkest < level - _FLAT)
    busy = np.flatnonzero(off.sum(axis=1) > _SPECKS * off.shape[1])
    flat = int(busy[0]) if busy.size else 0
    if flat == 0:
        return 0, level
    differs = (brightest[flat:] > level + _STEP) | (darkest[flat:] < level - _STEP)
    lit = np.count_nonzero(differs.any(axis=0))  # columns that show picture somewhere: the others are bars at the sides
    begun = np.count_nonzero(differs[: _RINGING_PX + _SOFT_PX], axis=1)
    lines = np.flatnonzero(begun >= _STRAIGHT * lit)
    if lit < _LEAST * off.shape[1] or not lines.size:
        return 0, level
    first = int(lines[0])
    straight = (begun[: max(first - _SOFT_PX, 0)] <= (1 - _STRAIGHT) * lit).all()
    return (flat + first if straight else 0), level
