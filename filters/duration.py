"""Drops clips that are too short or too long."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from ..builder.contract.clip import Columns, Row
from ..builder.contract.errors import Rejection
from ..builder.contract.markers import Judges
from ..builder.contract.step import Step, above, below
from ._bounds import check_bounds


class Duration(Step):
    """Keeps clips by how long they are, in seconds."""

    use: Literal["duration"] = "duration"
    min_s: Judges[float | None] = Field(default=None, ge=0)
    """Shortest clip that is kept, in seconds."""
    max_s: Judges[float | None] = Field(default=None, gt=0)
    """Longest clip that is kept, in seconds."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        check_bounds(self, ("min_s", "max_s"))
        return self

    def reads(self) -> Columns:
        return {"duration": "float64"}

    def verdict(self, row: Row) -> Rejection | None:
        return below("duration", row["duration"], self.min_s, option="min_s") or above(
            "duration", row["duration"], self.max_s, option="max_s"
        )
