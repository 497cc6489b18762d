"""Finds black or uniform bars around the picture, and drops clips that lose much of their area to them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ..builder.contract.clip import Clip, Columns, Row, Values
from ..builder.contract.engine import Engine
from ..builder.contract.errors import Rejection
from ..builder.contract.frames import SIGNAL_FRAMES, Sampling
from ..builder.contract.markers import Judges
from ..builder.contract.step import ClipStep, above
from ._bars import content_box


class Letterbox(ClipStep):
    """`content_box`: the picture without its bars, as fractions of width and height (0, 0, 1, 1 where there are none).
    `letterbox`: the share of the area that is bars.

    Both hold for the whole clip: a band that shows picture in any frame is no bar.
    """

    use: Literal["letterbox"] = "letterbox"
    max_bars: Judges[float | None] = Field(default=0.1, ge=0, le=1)
    """Largest share of the area that may be bars; null only measures. A 2.39:1 film in a 16:9 video loses 0.26."""

    def adds(self) -> Columns:
        box = {"left": "float64", "top": "float64", "right": "float64", "bottom": "float64"}
        return {"content_box": box, "letterbox": "float64"}

    def samplings(self, row: Row) -> tuple[Sampling, ...]:
        return (SIGNAL_FRAMES,)

    def make(self, clip: Clip, engine: Engine) -> Values:
        frames = clip.frames()
        height, width = frames.images[0].shape[:2]
        box = content_box(frames)
        area = (box.bottom - box.top) * (box.right - box.left)
        edges = {
            "left": round(box.left / width, 4),
            "top": round(box.top / height, 4),
            "right": round(box.right / width, 4),
            "bottom": round(box.bottom / height, 4),
        }
        return {"content_box": edges, "letterbox": round(1 - area / (height * width), 4)}

    def verdict(self, row: Row) -> Rejection | None:
        return above("letterbox", row["letterbox"], self.max_bars, option="max_bars")
