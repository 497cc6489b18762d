"""Where a clip has cuts, and how many shots it is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from ..builder.contract.clip import Clip, Columns, Row, Values
from ..builder.contract.columns import Derived, Hidden
from ..builder.contract.engine import Engine
from ..builder.contract.errors import Rejection
from ..builder.contract.frames import Sampling
from ..builder.contract.markers import Judges
from ..builder.contract.step import ClipStep, above, below
from ._bounds import check_order
from ._scenes import LEAST_CONTENT, SCENE_FRAMES

Detector = Literal["content", "adaptive"]

THRESHOLDS: Mapping[str, float] = {"content": 27.0, "adaptive": 3.0}
"""PySceneDetect's own."""
_LEAST = {"content": 5.0, "adaptive": 1.0}  # of a frame that changes less nothing is kept


class Shots(ClipStep):
    """Counts the shots of a clip, by PySceneDetect's content or adaptive detector, over every frame of it.

    What each frame scored is kept, where it may be a cut: another detector or threshold decodes nothing.
    """

    use: Literal["shots"] = "shots"
    by: Literal["scenes"] = "scenes"
    """How cuts are found."""
    detector: Judges[Detector] = "content"
    """`content`: a frame that differs from the one before it; `adaptive`: one that differs more than its neighbours
    do, so that a fast camera is no cut."""
    threshold: Judges[float | None] = None
    """From which score on a frame begins a shot; left out: 27 for `content`, 3 for `adaptive`."""
    min_shot_s: Judges[float] = Field(default=0.5, ge=0)
    """A cut that comes sooner than this after the one before is none: a flash, or a film that is thrown about."""
    min: Judges[int | None] = Field(default=None, ge=1)
    """Drop clips of fewer shots."""
    max: Judges[int | None] = Field(default=None, ge=1)
    """Drop clips of more shots; 1 keeps those that have no cut."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        check_order(self, ("min", "max"))
        least = _LEAST[self.detector]
        if self.threshold is not None and self.threshold < least:
            raise ValueError(
                f"threshold {self.threshold:g}: scores of the {self.detector} detector are kept from {least:g} on"
            )
        return self

    def adds(self) -> Columns:
        return {
            "shots": Derived("int64"),
            "shot_starts": Derived(["float64"]),  # seconds from the clip's start
            "shot_ends": Derived(["float64"]),
            "cut_times": Hidden(["float64"]),  # of the frames that may begin a shot
            "cut_scores": Hidden(["float32"]),
            "cut_ratios": Hidden(["float32"]),
        }

    def reads(self) -> Columns:
        return {"duration": "float64"}

    def requires(self) -> Mapping[str, str]:
        return {"scenedetect": "shots"}

    def samplings(self, row: Row) -> tuple[Sampling, ...]:
        return (SCENE_FRAMES,)

    def make(self, clip: Clip, engine: Engine) -> Values:
        frames = clip.frames(SCENE_FRAMES)
        scores, ratios = frames.numbers[:, 0], frames.numbers[:, 1]
        kept = np.flatnonzero(scores >= _LEAST["content"])
        return {
            "cut_times": frames.times[kept].round(6),
            "cut_scores": scores[kept].astype(np.float32),
            "cut_ratios": ratios[kept].astype(np.float32),
        }

    def derive(self, row: Row) -> Values:
        cuts = self._cuts(row)
        return {"shots": len(cuts) + 1, "shot_starts": [0.0, *cuts], "shot_ends": [*cuts, row["duration"]]}

    def _cuts(self, row: Row) -> Sequence[float]:
        threshold = THRESHOLDS[self.detector] if self.threshold is None else self.threshold
        cuts: list[float] = []
        for time, score, ratio in zip(row["cut_times"], row["cut_scores"], row["cut_ratios"], strict=True):
            is_cut = score >= threshold if self.detector == "content" else ratio >= threshold and score >= LEAST_CONTENT
            if is_cut and 0 < time < row["duration"] and time - (cuts[-1] if cuts else 0.0) >= self.min_shot_s:
                cuts.append(time)
        return cuts

    def verdict(self, row: Row) -> Rejection | None:
        shots = row["shots"]
        return below("shots", shots, self.min, option="min") or above("shots", shots, self.max, option="max")
