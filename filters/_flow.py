"""How the whole picture moves between consecutive sampled frames, and what moves in it: measured once a clip.

A pair of frames, reduced to about 100 pixels and normalised for local contrast, is aligned by a similarity (shift, zoom,
roll). A correlation over all shifts gives the start, so that fast pans are found; Gauss-Newton steps with robust
weights refine it, coarse to fine, so that a moving object does not pull it. Then the picture is judged block by block:
the share of blocks that follow says how far the alignment can be trusted, and the others are searched for on their own.
Inverse compositional alignment: Baker and Matthews, Lucas-Kanade 20 Years On, IJCV 56(3), 2004.
"""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from ..builder.clip import Frames
from ._align import Level, align, blocks, levels_of, shifts

Floats = npt.NDArray[np.float64]

_WORK_PX = 107  # long side that frames are reduced to, at most
_LEAST_PX = 16  # a picture with a shorter side, or with less left between its bars, is not measured
_FLAT_BORDER = 12  # grey levels: rows and columns at the border that vary less, over all frames, are bars
_GOOD = 0.5  # a start whose blocks follow to this share needs no other start


@dataclass(frozen=True, slots=True)
class Flow:
    """Movement between n consecutive frames: arrays of n - 1 pairs.

    Content that goes right and down is positive; `dx`, `dy` at the middle of the picture, in short sides of the frame.
    """

    seconds: Floats
    """From one frame to the next."""
    dx: Floats
    dy: Floats
    zoom: Floats
    """Natural logarithm of the magnification."""
    fit: Floats
    """Share of the textured blocks that follow, 0 to 1; NaN where there is no texture to follow."""
    travel: Floats
    """Mean way of all blocks, those that move on their own too, in diagonals of the frame; NaN as `fit`."""


_measured: WeakKeyDictionary[Frames, Flow] = WeakKeyDictionary()


def flow_of(frames: Frames) -> Flow:
    """The flow of a clip's frames; steps of a stage that share frames share the measurement."""
    flow = _measured.get(frames)
    if flow is None:
        flow = _measured[frames] = _measure(frames)
    return flow


def _measure(frames: Frames) -> Flow:
    seconds = np.diff(frames.times)
    pairs = np.full((len(seconds), 5), np.nan)
    pairs[:, :3] = 0.0
    stack = _reduced(frames.images) if len(seconds) else None
    if stack is not None:
        shown = frames.images[0].shape
        pixel = max(shown[:2]) / _WORK_PX if max(shown[:2]) > _WORK_PX else 1.0
