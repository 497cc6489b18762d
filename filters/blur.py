"""Measures sharpness, and drops clips that are out of focus."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from ..builder.contract.clip import Clip, Columns, Row, Values
from ..builder.contract.engine import Engine
from ..builder.contract.errors import Rejection
from ..builder.contract.frames import SIGNAL_FRAMES, Sampling
from ..builder.contract.markers import Judges
from ..builder.contract.step import ClipStep, below
from ._bars import content
from ._planes import Plane

_WINDOW = 9  # pixels of the averaging filter
_NOISE = 1.0  # mean square, in levels, of the steps that rounding and coding put into a smooth slope
_FLAT = 4.0  # mean square, in levels, of the differences over a window up to which a frame shows nothing


class Blur(ClipStep):
    """`sharpness`, 0 blurred to 1 sharp: how much of the energy of the steps between neighbouring pixels an averaging
    filter takes away. A sharp picture loses most of it, a blurred one has little to lose. The idea is that of Crete and
    others, "The blur effect: perception and estimation with a new no-reference perceptual blur metric", 2007.

    A ratio, so that it hardly depends on contrast and content; of energies, so that what is in focus counts for more
    than its background; over both directions together, so that the streaks of a fast pan do not count as blur. The
    median over the frames that show anything, at one size for all clips; null where none does.
    """

    use: Literal["blur"] = "blur"
    min_sharpness: Judges[float | None] = Field(default=0.5, ge=0, le=1)
    """Lowest sharpness; null only measures. Ordinary clips have 0.77 to 0.97; blurred by a Gaussian of 2 pixels at the
    320 of the frames 0.4 to 0.6, of 3 pixels less than 0.4."""

    def adds(self) -> Columns:
        return {"sharpness": "float64"}

    def samplings(self, row: Row) -> tuple[Sampling, ...]:
        return (SIGNAL_FRAMES,)

    def make(self, clip: Clip, engine: Engine) -> Values:
        scores = [score for plane in content(clip.frames()) if (score := _sharpness(plane)) is not None]
        return {"sharpness": round(float(np.median(scores)), 4) if scores else None}

    def verdict(self, row: Row) -> Rejection | None:
        return below("sharpness", row["sharpness"], self.min_sharpness, option="min_sharpness")


def _sharpness(plane: Plane) -> float | None:
    """The share of the steps' energy that averaging removes; None for a frame without contrast."""
    near = far = pixels = 0
    for lines in (plane[:, ::2], plane[::2].T):  # every other column, then row: half the work, the same ratio
        levels = lines.astype(np.int32)
        if len(levels) <= _WINDOW:
            continue
        step = levels[_WINDOW // 2 + 1 : -(_WINDOW // 2)] - levels[_WINDOW // 2 : -(_WINDOW // 2) - 1]
        # a step of a running mean is the difference of what enters and what leaves its window: no filter is needed
        across = levels[_WINDOW:] - levels[:-_WINDOW]
        near += int((step * step).sum(dtype=np.int64))
        far += int((across * across).sum(dtype=np.int64))
        pixels += step.size
    if far <= _FLAT * pixels:
        return None
    energy = near - _NOISE * pixels
    return max(0.0, 1 - far / _WINDOW**2 / energy) if energy > 0 else 0.0
