"""One sentence about a clip, from a few frames: what ShareGPT4Video's semantic filter compares (arXiv 2406.04325)."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from ..builder.contract.captions import INFO
from ..builder.contract.clip import Clip, Columns, Row, Values
from ..builder.contract.engine import Engine
from ..builder.contract.frames import Sampling
from ._ask import Captioner
from ._pictures import FrameSize, centres, images_of
from ._prompt import Prompt


class Short(Captioner):
    """Adds `short_caption`: one sentence, from `frames` pictures at equal distances over the clip."""

    one_picture: ClassVar[str] = "frames: 1"

    use: Literal["short"] = "short"
    prompt: Prompt = Field(default="short", validate_default=True)
    """What it is asked: a prompt of the package by name, or a `.txt` file of your own."""
    max_tokens: int = Field(default=77, ge=1)
    """Tokens that an answer may have; one that needs more is cut off, which is found."""
    frames: int = Field(default=4, ge=1, le=64)
    """How many pictures the model sees: of the middles of so many equal parts of the clip."""
    size: FrameSize = FrameSize(short_side_px=336)
    """How large they are."""

    def adds(self) -> Columns:
        return {"short_caption": "string", "short_caption_info": INFO}

    def samplings(self, row: Row) -> tuple[Sampling, ...]:
        return (self.size.sampling(fractions=centres(self.frames)),)

    async def make(self, clip: Clip, engine: Engine) -> Values:
        _, images = images_of(clip, *self.samplings(clip.row))
        answer = await self.ask(engine, media=images)
        return {"short_caption": answer.text, "short_caption_info": answer.info}
