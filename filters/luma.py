"""Measures brightness, and drops clips that are black, nearly black, or blown out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from ..builder.contract.clip import Clip, Columns, Row, Values
from ..builder.contract.engine import Engine
from ..builder.contract.errors import Rejection
from ..builder.contract.frames import SIGNAL_FRAMES, Sampling
from ..builder.contract.markers import Judges
from ..builder.contract.step import ClipStep, above, below
from ._bars import content
from ._bounds import check_order

_BLACK = 0.08  # luma below which a pixel is black
_BLACK_FRAME = 0.98  # share of black pixels from which on a frame is black
_UNDER = 0.1  # luma below which a pixel shows next to nothing
_OVER = 0.98  # luma above which a pixel is clipped to white


class Luma(ClipStep):
    """`luma`: the mean brightness, 0 black to 1 white. `black`: the share of frames that are black. `underexposed` and
    `overexposed`: the share of pixels that are nearly black, or white. Bars around the picture are left out.
    """

    use: Literal["luma"] = "luma"
    min_luma: Judges[float | None] = Field(default=None, ge=0, le=1)
    """Lowest mean brightness."""
    max_luma: Judges[float | None] = Field(default=None, ge=0, le=1)
    """Highest mean brightness."""
    max_black: Judges[float | None] = Field(default=0.5, ge=0, le=1)
    """Largest share of black frames."""
    max_under: Judges[float | None] = Field(default=0.95, ge=0, le=1)
    """Largest share of pixels that are nearly black. A rocket at night has 0.8."""
    max_over: Judges[float | None] = Field(default=0.95, ge=0, le=1)
    """Largest share of pixels that are white. A slide with some text has 0.9."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        check_order(self, ("min_luma", "max_luma"))
        return self

    def adds(self) -> Columns:
        return {"luma": "float64", "black": "float64", "underexposed": "float64", "overexposed": "float64"}

    def samplings(self, row: Row) -> tuple[Sampling, ...]:
        return (SIGNAL_FRAMES,)

    def make(self, clip: Clip, engine: Engine) -> Values:
        planes = content(clip.frames())
        pixels = planes[0].size
        black = [bool(np.count_nonzero(plane < 255 * _BLACK) >= _BLACK_FRAME * pixels) for plane in planes]
        return {
            "luma": _mean([plane.mean() / 255 for plane in planes]),
            "black": _mean(black),
            "underexposed": _mean([np.count_nonzero(plane < 255 * _UNDER) / pixels for plane in planes]),
            "overexposed": _mean([np.count_nonzero(plane > 255 * _OVER) / pixels for plane in planes]),
        }

    def verdict(self, row: Row) -> Rejection | None:
        return (
            above("black", row["black"], self.max_black, option="max_black")
            or above("underexposed", row["underexposed"], self.max_under, option="max_under")
            or above("overexposed", row["overexposed"], self.max_over, option="max_over")
            or below("luma", row["luma"], self.min_luma, option="min_luma")
            or above("luma", row["luma"], self.max_luma, option="max_luma")
        )


def _mean(values: Sequence[float]) -> float:
    return round(float(np.mean(values)), 4)
