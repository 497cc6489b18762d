"""A plain feature tracker to compare camera_motion with: corners, pyramidal optical flow, a similarity by RANSAC.

Ten frames a second; the pairs' similarities are chained over the clip, and Open-Sora's rule judges where the middles of
the four edges end up. Needs OpenCV (`pip install opencv-python-headless`), which the package does not.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from shotscribe.builder.contract.frames import Sampling
from shotscribe.builder.contract.limits import Decode
from shotscribe.builder.media.video import decode, probe

SAMPLING = Sampling(every_s=0.1, long_side_px=640)
THRESHOLD = 0.25  # short sides

Matrix = npt.NDArray[np.float64]
NAMES = {
    ("left", "left"): "pan_right",
    ("right", "right"): "pan_left",
    ("down", "down"): "tilt_up",
    ("up", "up"): "tilt_down",
    ("up", "down"): "zoom_in",
    ("left", "right"): "zoom_in",
    ("down", "up"): "zoom_out",
    ("right", "left"): "zoom_out",
}


def tracked_labels(path: Path) -> set[str]:
    end = probe(str(path), start=None, end=None, limits=Decode())["end"]
    frames = decode(str(path), start=0.0, end=end, samplings=[SAMPLING], limits=Decode())[SAMPLING]
    grays = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in frames.images]
    whole = np.eye(3)
    for first, second in pairwise(grays):
        whole = _similarity(first, second) @ whole
    return _judged(whole, *grays[0].shape)


def _similarity(first: npt.NDArray[np.uint8], second: npt.NDArray[np.uint8]) -> Matrix:
    """Between two frames; the identity where nothing can be tracked."""
    corners = cv2.goodFeaturesToTrack(first, maxCorners=400, qualityLevel=0.01, minDistance=8)
    if corners is None:
        return np.eye(3)
    moved, status, _ = cv2.calcOpticalFlowPyrLK(first, second, corners, None, winSize=(21, 21), maxLevel=3)
    kept = status.ravel() == 1
    if kept.sum() < 8:
        return np.eye(3)
    matrix, _ = cv2.estimateAffinePartial2D(corners[kept], moved[kept], ransacReprojThreshold=2.0)
    return np.eye(3) if matrix is None else np.vstack([matrix, (0, 0, 1)])


def _judged(whole: Matrix, height: int, width: int) -> set[str]:
    ways = []
    for x, y in ((width / 2, 0), (width / 2, height), (0, height / 2), (width, height / 2)):
        right, down, _ = (whole @ (x, y, 1) - (x, y, 1)) / min(height, width)
        ways.append({name for name, far in _far(right, down) if far} or {"static"})
    named = {
        "static" if pair == ("static", "static") else NAMES.get(pair)
        for one, other in ((ways[0], ways[1]), (ways[2], ways[3]))
        for pair in ((a, b) for a in one for b in other)
    }
    labels = {name for name in named if name is not None}
    return (labels - {"static"}) or labels or {"unclassified"}


def _far(right: float, down: float) -> tuple[tuple[str, bool], ...]:
    return (
        ("right", right > THRESHOLD),
        ("left", right < -THRESHOLD),
        ("down", down > THRESHOLD),
        ("up", down < -THRESHOLD),
    )
