"""Finds stretches in which the picture stands still altogether, and drops clips with too much of them."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from ..builder.contract.clip import Clip, Columns, Row, Values
from ..builder.contract.columns import Derived, Hidden
from ..builder.contract.engine import Engine
from ..builder.contract.errors import Rejection
from ..builder.contract.frames import Sampling
from ..builder.contract.markers import Judges
from ..builder.contract.step import ClipStep, above
from ._picture_change import CHANGES


class Freeze(ClipStep):
    """Frozen stretches by FFmpeg's `freezedetect` at -60 dB, over every frame: `frozen_longest_s`, and `frozen`, the
    share of the clip's time that all of them have together.
    """

    use: Literal["freeze"] = "freeze"
    min_s: Judges[float] = Field(default=0.5, gt=0)
    """Seconds from which on a picture that stands is frozen; films of few drawings a second hold each for 0.2."""
    max_s: Judges[float | None] = Field(default=None, ge=0)
    """Longest stretch."""
    max: Judges[float | None] = Field(default=None, ge=0, le=1)
    """Largest share."""

    def reads(self) -> Columns:
        return {"duration": "float64"}

    def adds(self) -> Columns:
        return {
            "frozen": Derived("float64"),
            "frozen_longest_s": Derived("float64"),
            "still_stretches": Hidden(["float64"]),  # seconds of each, however short
        }

    def samplings(self, row: Row) -> tuple[Sampling, ...]:
        return (CHANGES,)

    def make(self, clip: Clip, engine: Engine) -> Values:
        frames = clip.frames(CHANGES)
        edges = np.append(frames.times, clip["duration"])
        lasted = frames.numbers[:, 1].astype(np.int64)
        starts = np.flatnonzero(lasted)
        return {"still_stretches": (edges[starts + lasted[starts]] - edges[starts]).round(6).tolist()}

    def derive(self, row: Row) -> Values:
        frozen = [seconds for seconds in row["still_stretches"] if seconds >= self.min_s]
        share = min(1.0, sum(frozen) / row["duration"])
        return {"frozen": round(share, 4), "frozen_longest_s": max(frozen, default=0.0)}

    def verdict(self, row: Row) -> Rejection | None:
        return above("frozen_longest_s", row["frozen_longest_s"], self.max_s, option="max_s") or above(
            "frozen", row["frozen"], self.max, option="max"
        )
