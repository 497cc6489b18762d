"""Frames that show nothing: black, white or of one colour, as at the start of a film or between its parts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..builder.contract.frames import Images

_EVERY_PX = 4  # pixels between those that are looked at, each way
_LEVELS = 10  # of 255, by which a pixel may differ from the middle: grain and coding do, up to here
_SPECKS = 0.01  # share of the pixels that may differ by more: a dot, a clock


def is_uniform(image: Images) -> bool:
    """Whether a frame (h, w, 3) is of one colour all over."""
    pixels = image[::_EVERY_PX, ::_EVERY_PX].reshape(-1, 3)
    apart = np.zeros(len(pixels), bool)
    for channel in pixels.T:
        middle = _median(channel)
        least, most = max(0, int(np.ceil(middle - _LEVELS))), min(255, int(np.floor(middle + _LEVELS)))
        apart |= (channel < least) | (channel > most)
    return bool(np.count_nonzero(apart) <= _SPECKS * len(pixels))


def _median(channel: npt.NDArray[np.uint8]) -> float:
    """By counting: a tenth of the time that sorting takes."""
    until = np.cumsum(np.bincount(channel, minlength=256))
    middle = np.searchsorted(until, [(len(channel) - 1) // 2 + 1, len(channel) // 2 + 1])
    return float(middle.mean())
