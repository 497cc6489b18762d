"""Measures how much moves by VMAF's feature, and drops clips that are too still or too violent."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from ..builder.contract.clip import Clip, Columns, Row, Values
from ..builder.contract.engine import Engine
from ..builder.contract.errors import Rejection
from ..builder.contract.frames import Sampling
from ..builder.contract.markers import Judges
from ..builder.contract.step import ClipStep, above, below
from ._bounds import check_order
from ._picture_change import CHANGES


class VmafMotion(ClipStep):
    """`vmaf_motion`: by how many levels of 255 the blurred brightness of a pixel changes from frame to frame, the mean
    over all frames of the clip: FFmpeg's `vmafmotion`, of the frames in full size. 0 for a clip of one frame.

    It looks at every frame, where `motion` takes two a second, and a camera that pans counts as well.
    """

    use: Literal["vmaf_motion"] = "vmaf_motion"
    min: Judges[float | None] = Field(default=None, ge=0)
    """Smallest motion; SpatialVID keeps 2 to 14."""
    max: Judges[float | None] = Field(default=None, ge=0)
    """Largest motion."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        check_order(self, ("min", "max"))
        return self

    def adds(self) -> Columns:
        return {"vmaf_motion": "float64"}

    def samplings(self, row: Row) -> tuple[Sampling, ...]:
        return (CHANGES,)

    def make(self, clip: Clip, engine: Engine) -> Values:
        return {"vmaf_motion": round(float(clip.frames(CHANGES).numbers[:, 0].mean()), 3)}

    def verdict(self, row: Row) -> Rejection | None:
        motion = row["vmaf_motion"]
        return below("vmaf_motion", motion, self.min, option="min") or above(
            "vmaf_motion", motion, self.max, option="max"
        )
