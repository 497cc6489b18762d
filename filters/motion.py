"""How much moves, from static to violent: one number for the camera's movement and that of things before it."""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from ..builder.contract.clip import Clip, Columns, Row, Values
from ..builder.contract.engine import Engine
from ..builder.contract.errors import Rejection
from ..builder.contract.frames import SIGNAL_FRAMES, Sampling
from ..builder.contract.markers import Judges
from ..builder.contract.step import ClipStep, above, below
from ._bounds import check_order
from .flow.flow import TRUSTED_FIT, flow_of

_LOST = 0.5  # diagonals from one frame to the next: movement that is too fast to follow counts as this


class Motion(ClipStep):
    """How far the parts of the picture move on average, in diagonals of the frame a second.

    0 is a still picture, 0.015 a camera that is held by hand, 0.1 a calm pan, 0.4 one as fast as a frame's width in two
    seconds, 0.5 and more a camera that is thrown about. Cuts do not count as movement.
    """

    use: Literal["motion"] = "motion"
    min: Judges[float | None] = Field(default=None, ge=0)
    """Drop clips that move less."""
    max: Judges[float | None] = Field(default=None, ge=0)
    """Drop clips that move more."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        check_order(self, ("min", "max"))
        return self

    def adds(self) -> Columns:
        return {"motion": "float64"}

    def samplings(self, row: Row) -> tuple[Sampling, ...]:
        return (SIGNAL_FRAMES,)

    def make(self, clip: Clip, engine: Engine) -> Values:
        """Null where there are not two frames."""
        flow = flow_of(clip.frames(SIGNAL_FRAMES))
        if not len(flow.way):
            return {"motion": None}
        lost = flow.fit < TRUSTED_FIT
        if lost.mean() < 0.5:  # cuts
            speed = flow.way[~lost] / flow.seconds[~lost]
        else:
            speed = np.where(lost, _LOST, flow.way) / flow.seconds
        return {"motion": round(float(speed.mean()), 5)}

    def verdict(self, row: Row) -> Rejection | None:
        return below("motion", row["motion"], self.min, option="min") or above(
            "motion", row["motion"], self.max, option="max"
        )
