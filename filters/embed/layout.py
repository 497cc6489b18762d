"""A picture as a vector, with no model: where it is light, which colours lie where, which way its edges run.

Two vectors are compared by their cosine. Levels are taken from their mean, so that brighter or darker is no difference,
and the cosine removes contrast. Measured on 10 real clips and 60 rendered ones: a clip coded anew (x264, crf 35 to 40),
20 levels brighter, or with 0.8 to 1.2 of its contrast 0.99 or more (white slides 0.96); the same shot 2 s later mostly
0.87 to 0.99; clips of other things 0.15 on average, 0.56 at most among the real ones and 0.94 among the rendered.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ...builder.contract.frames import Images

_FINE = 32  # cells a side for edges
_COARSE = 4  # cells a side for light and colour
_BLOCKS = 4  # blocks a side, with a histogram of edge directions each
_DIRECTIONS = 4  # bins of half a turn
_EDGES = 0.75  # weight of the edges against light and colour
_TINT = 0.7  # weight of a picture's mean colour against how colours are spread over it
_ALONE = 30.0  # a constant part: pictures that show nothing are alike, and a little noise in them is no difference

Vector = npt.NDArray[np.float64]


def layout(image: Images) -> Vector:
    """From uint8 RGB (h, w, 3) of any size: 113 numbers, of length 1. 0.5 ms for 320x180, on 2 noisy cores."""
    fine = _cells(image)
    coarse = fine.reshape(_COARSE, _FINE // _COARSE, _COARSE, _FINE // _COARSE, 3).mean(axis=(1, 3))
    light, red_green, yellow_blue = _opponents(coarse)
    parts = [light - light.mean()]
    parts += [plane - (1 - _TINT) * plane.mean() for plane in (red_green, yellow_blue)]
    parts += [_EDGES * _edges(_opponents(fine)[0]), np.array([_ALONE])]
    vector = np.concatenate([part.ravel() for part in parts])
    unit: Vector = vector / np.sqrt((vector * vector).sum())
    return unit


def _cells(image: Images) -> npt.NDArray[np.float64]:
    """The mean colour of 32 x 32 cells; a side of fewer pixels repeats some."""
    rows, columns = (np.arange(_FINE) * side // _FINE for side in image.shape[:2])
    sums = np.add.reduceat(np.add.reduceat(image, rows, axis=0, dtype=np.uint32), columns, axis=1)
    heights, widths = (
        np.maximum(np.diff(starts, append=side), 1)
        for starts, side in zip((rows, columns), image.shape[:2], strict=True)
    )
    means: npt.NDArray[np.float64] = sums / (heights[:, None] * widths)[..., None]
    return means


def _opponents(
    colors: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    red, green, blue = np.moveaxis(colors, -1, 0)
    return 0.299 * red + 0.587 * green + 0.114 * blue, red - green, (red + green) / 2 - blue


def _edges(light: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """How much edge runs each way in each block, from the mean of them all."""
    across = light[1:-1, 2:] - light[1:-1, :-2]
    down = light[2:, 1:-1] - light[:-2, 1:-1]
    strength = np.hypot(across, down)
    direction = np.minimum((np.arctan2(down, across) % np.pi * (_DIRECTIONS / np.pi)).astype(int), _DIRECTIONS - 1)
    inner = len(strength)
    block = np.arange(inner) * _BLOCKS // inner
    at = (block[:, None] * _BLOCKS + block) * _DIRECTIONS + direction
    sums = np.bincount(at.ravel(), weights=strength.ravel(), minlength=_BLOCKS * _BLOCKS * _DIRECTIONS)
    means = sums * (_BLOCKS / inner) ** 2
    centered: npt.NDArray[np.float64] = means - means.mean()
    return centered
