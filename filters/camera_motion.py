"""Camera movement from the picture alone: pans, tilts and zooms, as Open-Sora's tools name them.

Content moves against the camera: content that goes left is a pan to the right, content that goes down a tilt up. What
counts is how far the middle of the picture went over the whole clip, so that what trembles in a hand is static.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from ..builder.contract.clip import Clip, Columns, Row, Values
from ..builder.contract.columns import Derived, stored_by
from ..builder.contract.engine import Engine
from ..builder.contract.errors import Reason, Rejection
from ..builder.contract.frames import Sampling
from ..builder.contract.markers import Judges
from ..builder.contract.step import ClipStep
from .flow.camera_path import EDGE, PATH_FRAMES, path_of

Label = Literal[
    "pan_left", "pan_right", "tilt_up", "tilt_down", "zoom_in", "zoom_out", "static", "unclassified"
]  # in the order that they are given in

_LOST = 0.2  # share of the pairs of frames that may be lost (blur, a flash, a hand before the lens): one in five


class CameraMotion(ClipStep):
    """How the camera moves: pan, tilt and zoom (which combine), or static, or unclassified.

    Unclassified, for a reason that stands in a column: `cut`, `lost` (too fast or too much in the way to follow, or
    nothing to follow, as in black), `returns` (moves and comes back), `rolls`.
    """

    version: ClassVar[int] = 3

    use: Literal["camera_motion"] = "camera_motion"
    threshold: Judges[float] = Field(default=0.25, gt=0)
    """How far the picture must travel over the clip to count, in short sides of the frame; zoom counts at the edge."""
    keep: Judges[tuple[Label, ...] | None] = None
    """Keep only clips with at least one of these labels."""
    drop: Judges[tuple[Label, ...]] = ()
    """Drop clips with any of these labels."""

    def adds(self) -> Columns:
        return {
            "camera_motion": Derived(["string"]),
            "camera_unclassified": Derived("string"),
            "camera_dx": "float64",  # short sides that the camera looks further right
            "camera_dy": "float64",  # and further up, over the whole clip
            "camera_zoom": "float64",  # natural logarithm of the magnification
            "camera_roll": "float64",  # radians that the picture turns clockwise
            "camera_reach": "float64",  # short sides: the furthest from the start at any time, by the largest of
            # shift right, shift up, zoom and roll, the last two at the edge
            "camera_lost": "float64",  # share of the pairs of frames, about ten a second, that could not be followed
            "camera_cuts": "int64",
        }

    def samplings(self, row: Row) -> tuple[Sampling, ...]:
        return (PATH_FRAMES,)

    def make(self, clip: Clip, engine: Engine) -> Values:
        """Nulls where fewer than half of the pairs of frames have anything to follow."""
        path = path_of(clip.frames(PATH_FRAMES))
        if path is None:
            return dict.fromkeys(stored_by(self))
        reach = np.abs(path.places * (1, 1, EDGE, EDGE)).max()
        values = (round(float(value), 4) for value in (*path.places[-1], reach, path.lost))
        return dict(zip(stored_by(self), (*values, path.cuts), strict=True))

    def derive(self, row: Row) -> Values:
        reason, labels = self._reason(row), self._moves(row)
        return {
            "camera_motion": ["unclassified"] if reason else labels or ["static"],
            "camera_unclassified": reason,
        }

    def _reason(self, row: Row) -> str | None:
        """Why it cannot be classified; None where it can."""
        if row["camera_lost"] is None or (row["camera_lost"] > _LOST and not row["camera_cuts"]):
            return "lost"
        if row["camera_cuts"]:
            return "cut"
        roll = EDGE * abs(row["camera_roll"])
        if roll > self.threshold and roll >= max(abs(way) for way, _, _ in _axes(row)):
            return "rolls"
        return "returns" if row["camera_reach"] > self.threshold and not self._moves(row) else None

    def _moves(self, row: Row) -> list[Label]:
        if row["camera_lost"] is None:
            return []
        return [less if way < 0 else more for way, less, more in _axes(row) if abs(way) > self.threshold]

    def verdict(self, row: Row) -> Rejection | None:
        labels = row["camera_motion"]
        said = "camera_motion " + "+".join(labels)
        if unwanted := [label for label in labels if label in self.drop]:
            return Rejection(Reason.EXCLUDED, f"{said}: {unwanted[0]} is dropped", "drop")
        if self.keep is not None and not any(label in self.keep for label in labels):
            return Rejection(Reason.EXCLUDED, f"{said}: not in keep ({', '.join(self.keep)})", "keep")
        return None


def _axes(row: Row) -> tuple[tuple[float, Label, Label], ...]:
    return (
        (row["camera_dx"], "pan_left", "pan_right"),
        (-row["camera_dy"], "tilt_up", "tilt_down"),
        (-row["camera_zoom"] * EDGE, "zoom_in", "zoom_out"),
    )
