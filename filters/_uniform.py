"""Frames that show nothing: black, white or of one colour, as at the start of a film or between its parts."""

from __future__ import annotations

import numpy as np

from ..builder.contract.frames import Images

_EVERY_PX = 4  # pixels between those that are looked at, each way
_LEVELS = 10  # of 255, by which a pixel may differ from the middle: grain and coding do, up to here
_SPECKS = 0.01  # share of the pixels that may differ by more: a dot, a clock


def is_uniform(image: Images) -> bool:
    """Whether a frame (h, w, 3) is of one colour all over."""
    pixels = image[::_EVERY_PX, ::_EVERY_PX].reshape(-1, 3).astype(np.int16)
    apart = np.abs(pixels - np.median(pixels, axis=0)).max(axis=1)
    return bool(np.count_nonzero(apart > _LEVELS) <= _SPECKS * len(pixels))
