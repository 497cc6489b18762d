"""Long videos to clips: one row becomes many, shot by shot or in windows of a fixed length."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Literal, Self

from pydantic import Field, model_validator

from ..builder.contract.clip import Columns, Row
from ..builder.contract.errors import Rejection
from ..builder.contract.markers import Judges
from ..builder.contract.step import Range, SplitStep, above, below
from ._bounds import check_order
from .shots import Detector, Shots

_NEAR_S = 1e-6  # what floats are off by


class Split(SplitStep):
    """Makes clips of a video: its shots (`by: scenes` or `transnet`), or windows of a fixed length (`by: windows`).

    `parent_id`: the clip that it was cut from. `part`: its number there, from 0 on in the order of time, those that
    are left out counted with the others.
    """

    use: Literal["split"] = "split"
    by: Literal["scenes", "transnet", "windows"]
    """`scenes`, `transnet`: where the step `shots` finds cuts, with the three options below."""
    detector: Detector | None = None
    """Of `scenes`: `content` or `adaptive`."""
    threshold: float | None = None
    """From which score on a frame begins a shot."""
    min_shot_s: float | None = Field(default=None, ge=0)
    """A cut that comes sooner than this after the one before is none."""
    window_s: float | None = Field(default=None, gt=0)
    """Of `windows`: how long each is. The last is shorter."""
    overlap_s: float = Field(default=0.0, ge=0)
    """Of `windows`: how much of a window the next one has as well."""
    force_cut_s: float | None = Field(default=None, gt=0)
    """A shot that is longer is cut into parts of equal length, none longer than this."""
    trim: float = Field(default=0.0, ge=0, lt=0.5)
    """What share of each part is left out at either end: frames of a dissolve, or of a cut that was found late."""
    min_s: Judges[float | None] = Field(default=None, gt=0)
    """Leave out parts that are shorter."""
    max_s: Judges[float | None] = Field(default=None, gt=0)
    """Leave out parts that are longer."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        check_order(self, ("min_s", "max_s"))
        if (self.by == "windows") != (self.window_s is not None):
            raise ValueError("give window_s with `by: windows`, and only there")
        if self.by == "windows" and (self.detector or self.threshold or self.min_shot_s):
            raise ValueError("detector, threshold and min_shot_s are for shots; leave them out with `by: windows`")
        if self.window_s is not None and self.overlap_s >= self.window_s:
            raise ValueError(f"overlap_s {self.overlap_s:g} is not below window_s {self.window_s:g}")
        self.before()  # whose own options must fit
        return self

    def before(self) -> tuple[Shots, ...]:
        if self.by == "windows":
            return ()
        return (Shots(by=self.by, detector=self.detector, threshold=self.threshold, min_shot_s=self.min_shot_s),)

    def reads(self) -> Columns:
        shots = {"shot_starts": ["float64"], "shot_ends": ["float64"]} if self.before() else {}
        return {"clip_id": "string", "duration": "float64", **shots}

    def adds(self) -> Columns:
        return {"parent_id": "string", "part": "int64"}

    def split(self, row: Row) -> Sequence[Range]:
        return [
            Range(start, end, {"parent_id": row["clip_id"], "part": number}, self._rejection(start, end))
            for number, (start, end) in enumerate(self._trimmed(row))
        ]

    def _trimmed(self, row: Row) -> Iterator[tuple[float, float]]:
        parts = self._windows(row["duration"]) if self.window_s else self._shots(row)
        for start, end in parts:
            off = self.trim * (end - start)
            yield start + off, end - off

    def _windows(self, duration: float) -> Iterator[tuple[float, float]]:
        assert self.window_s is not None
        step = self.window_s - self.overlap_s
        for number in range(max(1, math.ceil((duration - self.overlap_s) / step - _NEAR_S))):
            yield number * step, min(number * step + self.window_s, duration)

    def _shots(self, row: Row) -> Iterator[tuple[float, float]]:
        for start, end in zip(row["shot_starts"], row["shot_ends"], strict=True):
            parts = 1 if self.force_cut_s is None else math.ceil((end - start) / self.force_cut_s - _NEAR_S)
            edges = [start + (end - start) * number / parts for number in range(parts)]
            yield from zip(edges, [*edges[1:], end], strict=True)

    def _rejection(self, start: float, end: float) -> Rejection | None:
        name, seconds = f"seconds of the part from {start:.2f} to {end:.2f}:", end - start
        return below(name, seconds, self.min_s, option="min_s") or above(name, seconds, self.max_s, option="max_s")
