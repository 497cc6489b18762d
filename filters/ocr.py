"""Finds text: how much of the picture it covers, what it says, and which of it was laid over the picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field

from ..builder.contract.clip import Clip, Columns, Row, Values
from ..builder.contract.engine import Ask, Engine, TextLine
from ..builder.contract.errors import Rejection
from ..builder.contract.frames import Sampling
from ..builder.contract.identity import Json
from ..builder.contract.markers import Judges
from ..builder.contract.step import ClipStep, above
from ._drift import Drift
from ._planes import luma
from ._tracks import Box, Track, letters, tracked

_APART_S = 1.0  # between the two frames of a moment: a subtitle stays, most pictures have moved
_EDGE = 0.1  # of the picture's width and height: how near to both edges a corner's text is
_MIDDLE = 0.15  # how far from the middle of the picture's width a subtitle's middle may be
_LOWER = 2 / 3  # of the picture's height, from which on a centred text is a subtitle
_LARGE = 0.25  # of the picture's width and height

Kind = Literal["overlay", "scene", "unclear"]
Place = Literal["subtitle", "corner", "other"]

TEXT = {
    "text": "string",
    "score": "float64",
    "kind": "string",
    "place": "string",
    "box": {"left": "float64", "top": "float64", "right": "float64", "bottom": "float64"},
    "first": "float64",
    "last": "float64",
}


class Ocr(ClipStep):
    """`text_area`: the share of the picture that text covers, in the frame where it covers most. `overlay_area`: the
    same of text that was laid over the picture: subtitles, watermarks, logos, tickers.

    `texts`: each text with how sure the reader was, where it stands (fractions of width and height, the median of the
    frames that show it), the seconds between which it was seen, and its `kind`:
    `overlay`: it stands still while the picture moves, or comes or goes while what is around it stays;
    `scene`: it moves; `unclear`: it stands still in a still picture, or was seen once.
    `place` of an overlay: `subtitle` (centred, in the lower third), `corner` (near two edges: watermarks, logos) or
    `other`.
    """

    asks: ClassVar[Ask] = "read_text"

    use: Literal["ocr"] = "ocr"
    engine: str
    """The engine that reads texts, by its name in the recipe's `engines`."""
    moments: int = Field(default=6, ge=1, le=256)
    """Moments that are looked at, the middles of as many equal parts of the clip: two frames each, a second apart, or
    evenly where the clip is too short for that. Clips with more subtitles want more."""
    long_side_px: int = Field(default=640, ge=64, le=2000)
    """Longer side of the frames that are read. More finds smaller text, and costs by the area."""
    max_text_area: Judges[float | None] = Field(default=None, ge=0, le=1)
    """Largest `text_area`. SpatialVID drops clips above 0.3."""
    max_overlay_area: Judges[float | None] = Field(default=None, ge=0, le=1)
    """Largest `overlay_area`; 0 drops every clip that has an overlay. A line of subtitles covers 0.02 to 0.05."""

    def adds(self) -> Columns:
        return {"text_area": "float64", "overlay_area": "float64", "texts": [TEXT]}

    def engine_name(self) -> str | None:
        return self.engine

    def samplings(self, row: Row) -> tuple[Sampling, ...]:
        part = row["duration"] / self.moments
        beside = min(_APART_S, part / 2) / 2
        middles = [(number + 0.5) * part for number in range(self.moments)]
        times = tuple(middle + side for middle in middles for side in (-beside, beside))
        return (Sampling(times=times, long_side_px=self.long_side_px),)

    async def make(self, clip: Clip, engine: Engine) -> Values:
        frames = clip.frames(self.samplings(clip.row)[0])
        lines = [list(filter(_is_text, found)) for found in await engine.read_text(frames.images)]
        height, width = frames.images[0].shape[:2]
        tracks = tracked(lines, width=width, height=height)
        drift = Drift(luma(frames), _boxes(tracks, len(lines)))
        kinds = [_kind(track, drift) for track in tracks]
        overlaid: list[list[TextLine]] = [[] for _ in lines]
        for track, kind in zip(tracks, kinds, strict=True):
            for one in track.seen if kind == "overlay" else ():
                overlaid[one.frame].append(one.line)
        return {
            "text_area": _largest(lines),
            "overlay_area": _largest(overlaid),
            "texts": [
                {
                    "text": track.text,
                    "score": round(max(one.line.score for one in track.seen), 4),
                    "kind": kind,
                    "place": _place(box) if kind == "overlay" else None,
                    "box": {name: round(getattr(box, name), 4) for name in ("left", "top", "right", "bottom")},
                    "first": round(float(frames.times[track.seen[0].frame]), 6),
                    "last": round(float(frames.times[track.seen[-1].frame]), 6),
                }
                for track, kind in zip(tracks, kinds, strict=True)
                for box in (track.box.scaled(1 / width, 1 / height),)
            ],
        }

    def verdict(self, row: Row) -> Rejection | None:
        return above("text_area", row["text_area"], self.max_text_area, option="max_text_area") or above(
            "overlay_area", row["overlay_area"], self.max_overlay_area, option="max_overlay_area"
        )

    def identity(self) -> Json:
        """The engine by what it is (the plan adds that), not by its name in the recipe."""
        return {name: value for name, value in super().identity().items() if name != "engine"}


def _is_text(line: TextLine) -> bool:
    """Textures are read as strokes and dots, and large ones as a letter."""
    across, down = zip(*line.corners, strict=True)
    large = min(max(across) - min(across), max(down) - min(down)) >= _LARGE
    return len(letters(line.text)) >= (2 if large else 1)


def _boxes(tracks: Sequence[Track], frames: int) -> list[list[Box]]:
    """Of the lines of each frame."""
    boxes: list[list[Box]] = [[] for _ in range(frames)]
    for track in tracks:
        for one in track.seen:
            boxes[one.frame].append(one.box)
    return boxes


def _kind(track: Track, drift: Drift) -> Kind:
    steady = track.steady()
    if len(track.seen) < 2:
        return "unclear"
    if not steady:
        return "scene"
    if drift.moves(steady) or drift.appears(track.seen):
        return "overlay"
    return "unclear"


def _place(box: Box) -> Place:
    """Of a box in fractions of the picture."""
    if (box.top + box.bottom) / 2 >= _LOWER and abs((box.left + box.right) / 2 - 0.5) <= _MIDDLE:
        return "subtitle"
    if min(box.left, 1 - box.right) <= _EDGE and min(box.top, 1 - box.bottom) <= _EDGE:
        return "corner"
    return "other"


def _largest(lines: Sequence[Sequence[TextLine]]) -> float:
    """The share of a frame that text covers, of the frame where it is the largest."""
    return round(min(1.0, max((sum(line.area for line in shown) for shown in lines), default=0.0)), 4)
