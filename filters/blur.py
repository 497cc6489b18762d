"""Measures sharpness, and drops clips that are out of focus."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from ..builder.clip import SIGNAL_FRAMES, Clip, Columns, Row, Sampling
from ..builder.errors import Rejection
from ..builder.step import Signal, below
from ._bars import content
from ._planes import Plane

_WINDOW = 9  # pixels of the averaging filter
_NOISE = 2  # levels: smaller steps are grain, or a smooth slope that was rounded


class Blur(Signal):
    """`sharpness`, 0 blurred to 1 sharp: how much of the frame's steps between neighbouring pixels an averaging filter
    takes away. A sharp picture loses most of them, a blurred one has little to lose. After Crete and others, "The blur
    effect: perception and estimation with a new no-reference perceptual blur metric", 2007.

    A ratio, so that it hardly depends on contrast and content; taken in both directions together, so that the streaks of
    a fast pan do not count as blur; the median over the frames, at one size for all clips.
    """

    decides: ClassVar[frozenset[str]] = frozenset({"min_sharpness"})

    use: Literal["blur"] = "blur"
    min_sharpness: float | None = Field(default=0.4, ge=0, le=1)
    """Lowest sharpness; null only measures. Ordinary clips have 0.55 to 0.9, the same out of focus 0.1 to 0.35."""

    def adds(self) -> Columns:
        return {"sharpness": "float64"}

    def samplings(self) -> tuple[Sampling, ...]:
        return (SIGNAL_FRAMES,)

    def measure(self, clip: Clip) -> dict[str, Any]:
        return {"sharpness": float(np.median([_sharpness(plane) for plane in content(clip.frames())]))}

    def verdict(self, row: Row) -> Rejection | None:
        return below("sharpness", row["sharpness"], self.min_sharpness)


def _sharpness(plane: Plane) -> float:
    """The share of the steps that averaging removes; 0 for a frame that has no steps, as it shows no detail."""
    levels = plane.astype(np.int16)
    steps = lost = 0
    for image in (levels, levels.T):
        if len(image) > _WINDOW:
            before, after = _steps(image)
            steps += before
            lost += after
    return lost / steps if steps else 0.0


def _steps(image: np.ndarray[Any, np.dtype[np.int16]]) -> tuple[int, int]:
    """The sum of the steps from row to row, and the part of it that averaging over rows removes; both times 9."""
    half = _WINDOW // 2
    step = np.abs(image[half + 1 : -half] - image[half : -half - 1])
    step[step <= _NOISE] = 0
    # a step of a running average is the difference of what enters the window and what leaves it: no filter is needed
    averaged = np.abs(image[_WINDOW:] - image[:-_WINDOW])
    step *= _WINDOW
    return int(step.sum(dtype=np.int64)), int(np.maximum(step - averaged, 0).sum(dtype=np.int64))
