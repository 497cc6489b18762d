"""A caption from the clip as native video input, as Qwen2.5-VL and its like take it: frames with their times."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

from pydantic import Field

from ..builder.contract.captions import INFO
from ..builder.contract.clip import Clip, Columns, Row, Values
from ..builder.contract.engine import Engine
from ..builder.contract.engine import Video as Moving
from ..builder.contract.frames import Sampling
from ._ask import Captioner
from ._pictures import FrameSize, images_of, spread
from ._prompt import Prompt


class Video(Captioner):
    """Adds a caption of the whole clip, seen as video: frames at equal distances, its first and last among them, each
    with the time at which it truly is on screen. At least 2, as models look at frames in pairs.
    """

    without_video: ClassVar[str] = "use fast with layout: images, or frames"

    use: Literal["video"] = "video"
    prompt: Prompt = Field(default="video", validate_default=True)
    """What it is asked: a prompt of the package by name, or a `.txt` file of your own."""
    column: str = Field(default="caption", pattern=r"^[a-z][a-z0-9_]*$")
    """The column that the caption goes to."""
    fps: float = Field(default=2.0, gt=0, le=60)
    """Frames that are shown of a second."""
    max_frames: int = Field(default=64, ge=2, le=768)
    """Frames that are shown of a clip; of a longer one, fewer of a second."""
    size: FrameSize = FrameSize(short_side_px=336)
    """How large they are."""

    def reads(self) -> Columns:
        return {"duration": "float64"}

    def adds(self) -> Columns:
        return {self.column: "string", f"{self.column}_info": INFO}

    def samplings(self, row: Row) -> tuple[Sampling, ...]:
        count = min(self.max_frames, max(2, 1 + math.floor(row["duration"] * self.fps)))
        return (self.size.sampling(fractions=spread(count)),)

    async def make(self, clip: Clip, engine: Engine) -> Values:
        times, images = images_of(clip, *self.samplings(clip.row))
        answer = await self.ask(engine, media=[Moving(tuple(images), tuple(times), clip["duration"])])
        return {self.column: answer.text, f"{self.column}_info": answer.info}
