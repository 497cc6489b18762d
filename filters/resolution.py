"""Drops clips that are too small, too large, or of an unwanted shape."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from ..builder.contract.clip import Columns, Row
from ..builder.contract.errors import Rejection
from ..builder.contract.markers import Judges
from ..builder.contract.step import Step, above, below
from ._bounds import check_bounds


class Resolution(Step):
    """Keeps clips by their size and shape as shown, after rotation."""

    use: Literal["resolution"] = "resolution"
    min_short_px: Judges[int | None] = Field(default=None, ge=1)
    """Smallest short side that is kept: 720 keeps HD, upright or not."""
    max_short_px: Judges[int | None] = Field(default=None, ge=1)
    """Largest short side that is kept."""
    min_aspect: Judges[float | None] = Field(default=None, gt=0)
    """Smallest width divided by height: 1 drops upright clips."""
    max_aspect: Judges[float | None] = Field(default=None, gt=0)
    """Largest width divided by height: 2.4 drops what is wider than a film, 1 drops landscape clips."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        check_bounds(self, ("min_short_px", "max_short_px"), ("min_aspect", "max_aspect"))
        return self

    def reads(self) -> Columns:
        return {"width": "int64", "height": "int64"}

    def verdict(self, row: Row) -> Rejection | None:
        short, aspect = min(row["width"], row["height"]), row["width"] / row["height"]
        return (
            below("short side", short, self.min_short_px, option="min_short_px")
            or above("short side", short, self.max_short_px, option="max_short_px")
            or below("aspect ratio", aspect, self.min_aspect, option="min_aspect")
            or above("aspect ratio", aspect, self.max_aspect, option="max_aspect")
        )
