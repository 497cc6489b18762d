"""Camera movement from the picture alone: pans, tilts and zooms, as Open-Sora's tools name them.

Content moves against the camera: content that goes left is a pan to the right, content that goes down a tilt up. What
counts is how far the middle of the picture went over the whole clip, so that what trembles in a hand is static.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from ..builder.clip import SIGNAL_FRAMES, Clip, Columns, Row, Sampling
from ..builder.errors import Reason, Rejection
from ..builder.step import Signal
from ._flow import TRUSTED_FIT, flow_of

Label = Literal[
    "pan_left", "pan_right", "tilt_up", "tilt_down", "zoom_in", "zoom_out", "static", "unclassified"
]  # in the order that they are given in

_EDGE = 8 / 9  # short sides from the middle to the edge of a 16:9 picture: zoom counts by what it does there


class CameraMotion(Signal):
    """How the camera moves: pan, tilt and zoom (which combine), or static, or unclassified.

    Unclassified: a cut, a camera that moves and comes back or rolls, one too fast to follow, nothing to follow (black).
    """

    use: Literal["camera_motion"] = "camera_motion"
    threshold: float = Field(default=0.25, gt=0)
    """How far the picture must travel over the clip to count, in short sides of the frame; zoom counts at the edge."""
    keep: tuple[Label, ...] | None = None
    """Keep only clips with at least one of these labels."""
    drop: tuple[Label, ...] = ()
    """Drop clips with any of these labels."""

    decides: ClassVar[frozenset[str]] = frozenset({"threshold", "keep", "drop"})

    def stored(self) -> Columns:
        return {
            "camera_dx": "float64",  # short sides that the camera looks further right
            "camera_dy": "float64",  # and further up, over the whole clip
            "camera_zoom": "float64",  # natural logarithm of the magnification
            "camera_reach": "float64",  # short sides: the furthest from the start at any time, by the largest of
            # shift right, shift up, zoom and roll, the last two at the edge
            "camera_fit": "float64",  # share of the picture that follows, in the worst pair of frames
        }

    def adds(self) -> Columns:
        return {"camera_motion": ["string"], **self.stored()}

    def samplings(self) -> tuple[Sampling, ...]:
        return (SIGNAL_FRAMES,)

    def measure(self, clip: Clip) -> dict[str, Any]:
        """Nulls where fewer than half of the pairs of frames have anything to follow.

        Flat frames at the ends (fades from and to black) are left out; between others they break the movement off.
        """
        flow = flow_of(clip.frames(SIGNAL_FRAMES))
        seen = np.flatnonzero(~np.isnan(flow.fit))
        if len(seen) < max(0.5 * len(flow.fit), 1):
            return dict.fromkeys(self.stored())
        shown = slice(seen[0], seen[-1] + 1)
        right, up, zoom, roll = (np.cumsum(way[shown]) for way in (-flow.dx, flow.dy, flow.zoom, flow.roll))
        reach = max(np.abs(way).max() for way in (right, up, _EDGE * zoom, _EDGE * roll))
        values = (right[-1], up[-1], zoom[-1], reach, np.nan_to_num(flow.fit[shown], nan=0.0).min())
        return {name: round(float(value), 4) for name, value in zip(self.stored(), values, strict=True)}

    def derive(self, row: Row) -> dict[str, Any]:
        return {"camera_motion": self._labels(row)}

    def _labels(self, row: Row) -> list[Label]:
        if row["camera_fit"] is None or row["camera_fit"] < TRUSTED_FIT:
            return ["unclassified"]
        axes: tuple[tuple[float, Label, Label], ...] = (
            (row["camera_dx"], "pan_left", "pan_right"),
            (-row["camera_dy"], "tilt_up", "tilt_down"),
            (-row["camera_zoom"] * _EDGE, "zoom_in", "zoom_out"),
        )
        moves = [less if way < 0 else more for way, less, more in axes if abs(way) > self.threshold]
        if moves:
            return moves
        return ["static"] if row["camera_reach"] <= self.threshold else ["unclassified"]

    def verdict(self, row: Row) -> Rejection | None:
        labels = row["camera_motion"]
        said = "camera_motion " + "+".join(labels)
        if unwanted := [label for label in labels if label in self.drop]:
            return Rejection(Reason.EXCLUDED, f"{said}: {unwanted[0]} is dropped", "drop")
        if self.keep is not None and not any(label in self.keep for label in labels):
            return Rejection(Reason.EXCLUDED, f"{said}: not in keep ({', '.join(self.keep)})", "keep")
        return None
