"""Frames of a clip: which ones a step asks for, and what it gets."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

DECODING = 2
"""Raised when the same clip gives other pixels, so that nothing is kept that was seen in the old ones."""

Images = npt.NDArray[np.uint8]


class Reducer(Protocol):
    """Sees the frames of one clip in order, and gives numbers for them at the end."""

    def add(self, image: Images) -> None: ...

    def end(self) -> npt.NDArray[np.float64]:
        """(frames, numbers), a row a frame."""


class Reduction(Protocol):
    """What is made of each frame while it is decoded, so that none has to be kept. Hashable, and sent to workers."""

    def begin(self) -> Reducer: ...


@dataclass(frozen=True, slots=True)
class Sampling:
    """Which frames of a clip to decode, and how large.

    Frames are the ones on screen at 0, every_s, 2*every_s, ... seconds from the clip's start, or at the `fractions` of
    the clip's duration where those are given (0.0 the first frame, 1.0 the last), or at the `times`, in seconds from
    the clip's start; before it is the first frame, after its end the last. `with_last` adds the clip's last frame.
    `every_frame`: all that the clip has.
    `loose`: about every_s apart. Where fewer than two of five frames are referred to by others, only such frames are
    taken, unless the next is twice every_s away or more: most of the decoding is left out then. It depends on the clip
    alone. (`decord` decodes everything: there it changes nothing.)
    Downscaled until no limit is exceeded that is given (long side, short side, width times height), but for the
    rounding of sides to whole pixels; aspect ratio kept; never upscaled. `reduce`: what is made of them at once.
    """

    every_s: float | None = None
    every_frame: bool = False
    fractions: tuple[float, ...] = ()
    times: tuple[float, ...] = ()
    with_last: bool = False
    loose: bool = False
    long_side_px: int | None = 320
    short_side_px: int | None = None
    area_px: int | None = None
    reduce: Reduction | None = None

    def scale(self, width: int, height: int) -> float:
        """What the sides of a frame of this size are multiplied by; at most 1."""
        limits = [1.0]
        if self.long_side_px is not None:
            limits.append(self.long_side_px / max(width, height))
        if self.short_side_px is not None:
            limits.append(self.short_side_px / min(width, height))
        if self.area_px is not None:
            limits.append(math.sqrt(self.area_px / (width * height)))
        return min(limits)


SIGNAL_FRAMES = Sampling(every_s=0.5, long_side_px=320)
"""The frames that the signals share: 2 a second."""


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class Frames:
    """Decoded frames in time order.

    `times`: float64 (n,), true timestamps in seconds from the clip's start. `images`: n arrays, uint8 (h, w, 3) RGB as
    shown on an SDR screen (`media/video.py`), all of one size. `hashes`: of `pixel_hash`, one an image; made for
    captioners only. Where the sampling reduces its frames, there are no images, and `numbers` is float64 (n, k).
    """

    times: npt.NDArray[np.float64]
    images: list[Images]
    hashes: tuple[str, ...] = ()
    numbers: npt.NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0)))
