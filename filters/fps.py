"""Drops clips of an unwanted frame rate."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from ..builder.contract.clip import Columns, Row
from ..builder.contract.errors import Rejection
from ..builder.contract.markers import Judges
from ..builder.contract.step import Step, above, below
from ._bounds import check_bounds


class Fps(Step):
    """Keeps clips by their average number of frames a second."""

    use: Literal["fps"] = "fps"
    min: Judges[float | None] = Field(default=None, gt=0)
    """Lowest rate that is kept. Write 23.9 rather than 24 to keep films at 24000/1001."""
    max: Judges[float | None] = Field(default=None, gt=0)
    """Highest rate that is kept."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        check_bounds(self, ("min", "max"))
        return self

    def reads(self) -> Columns:
        return {"fps": "float64"}

    def verdict(self, row: Row) -> Rejection | None:
        return below("fps", row["fps"], self.min, option="min") or above("fps", row["fps"], self.max, option="max")
