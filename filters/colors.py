"""Names the colours that fill the picture, and measures how colourful it is."""

from __future__ import annotations

import colorsys
from functools import cache
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from ..builder.contract.clip import Clip, Columns, Row, Values
from ..builder.contract.engine import Engine
from ..builder.contract.errors import Rejection
from ..builder.contract.frames import SIGNAL_FRAMES, Frames, Sampling
from ..builder.contract.markers import Judges
from ..builder.contract.step import ClipStep, below
from ._bars import content_box

NAMES = (
    "black",
    "gray",
    "white",
    "red",
    "orange",
    "brown",
    "beige",
    "yellow",
    "green",
    "cyan",
    "blue",
    "purple",
    "pink",
)
"""The whole vocabulary."""

_EVERY_PX = 4  # one pixel in 16 tells the shares well enough
_LEAST = 0.1  # share of the pixels from which on a colour is named


class Colors(ClipStep):
    """`colors`: the names of the colours that fill a tenth of the picture or more, the largest first, and at least one.
    `color_shares`: their shares of the pixels. `colorfulness`: about 0 gray, 15 slightly, 33 moderately, 59 quite,
    109 extremely colourful (Hasler and Suesstrunk, "Measuring colourfulness in natural images", 2003).
    Bars around the picture are left out.
    """

    use: Literal["colors"] = "colors"
    min_colorfulness: Judges[float | None] = Field(default=None, ge=0)
    """Lowest colourfulness: 5 drops black-and-white footage."""

    def adds(self) -> Columns:
        return {"colors": ["string"], "color_shares": ["float64"], "colorfulness": "float64"}

    def samplings(self, row: Row) -> tuple[Sampling, ...]:
        return (SIGNAL_FRAMES,)

    def make(self, clip: Clip, engine: Engine) -> Values:
        pixels = _some_pixels(clip.frames())
        counts = np.bincount(_names()[_cells(pixels)].ravel(), minlength=len(NAMES))
        shares = counts / counts.sum()
        largest = np.argsort(-shares, kind="stable")
        named = [index for index in largest if shares[index] >= _LEAST] or [largest[0]]
        return {
            "colors": [NAMES[index] for index in named],
            "color_shares": [round(float(shares[index]), 4) for index in named],
            "colorfulness": round(float(np.mean([_colorfulness(frame) for frame in pixels])), 2),
        }

    def verdict(self, row: Row) -> Rejection | None:
        return below("colorfulness", row["colorfulness"], self.min_colorfulness, option="min_colorfulness")


def _some_pixels(frames: Frames) -> npt.NDArray[np.uint8]:
    """uint8 (frames, n, 3) from inside the bars."""
    box = content_box(frames)
    area = slice(box.top, box.bottom, _EVERY_PX), slice(box.left, box.right, _EVERY_PX)
    return np.stack([image[area].reshape(-1, 3) for image in frames.images])


def _colorfulness(pixels: npt.NDArray[np.uint8]) -> float:
    red, green, blue = pixels.T.astype(np.float32)
    across = red - green, (red + green) / 2 - blue
    spread = np.hypot(across[0].std(), across[1].std())
    offset = np.hypot(across[0].mean(), across[1].mean())
    return float(spread + 0.3 * offset)


def _cells(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint16]:
    """Each colour's cell among 16 x 16 x 16."""
    red, green, blue = np.moveaxis(pixels >> 4, -1, 0).astype(np.uint16)
    cells: npt.NDArray[np.uint16] = (red << 8) | (green << 4) | blue
    return cells


@cache
def _names() -> npt.NDArray[np.uint8]:
    """The index of the name of each of the 4096 cells."""
    centers = [(16 * level + 8) / 256 for level in range(16)]
    return np.array([NAMES.index(_name(r, g, b)) for r in centers for g in centers for b in centers], np.uint8)


def _name(red: float, green: float, blue: float) -> str:
    """The name of a colour of 0 to 1. The borders are where most people change the word."""
    hue, saturation, value = colorsys.rgb_to_hsv(red, green, blue)
    chroma, degrees = saturation * value, hue * 360
    if value < 0.16:
        return "black"
    if saturation < 0.15 or chroma < 0.1:
        return "white" if value > 0.82 else "black" if value < 0.22 else "gray"
    if degrees < 14 or degrees >= 345:
        return "pink" if value > 0.75 and saturation < 0.55 else "brown" if saturation < 0.6 and value < 0.6 else "red"
    if degrees < 68 and saturation < 0.5 and value > 0.6:
        return "beige"
    if degrees < 45:
        return "orange" if value > 0.7 else "brown"
    if degrees < 68 and value < 0.6:
        return "brown" if degrees < 56 else "green"
    for end, name in ((68, "yellow"), (165, "green"), (195, "cyan"), (260, "blue"), (300, "purple")):
        if degrees < end:
            return name
    return "pink" if value > 0.55 else "purple"
