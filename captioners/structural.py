"""The structured caption of SkyCaptioner-V1 (SkyReels-V2, arXiv 2504.13074): a shot as fields, not as prose."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from ..builder.contract.captions import INFO
from ..builder.contract.clip import Clip, Columns, Row, Values
from ..builder.contract.engine import Engine, Part, Video
from ..builder.contract.frames import Sampling
from ._ask import Captioner
from ._pictures import FrameSize, images_of
from ._prompt import Prompt
from .structure.shots import STRUCTURE, structure_of, structure_schema


class Structural(Captioner):
    """Adds `structure`: the subjects with their type, appearance, action, expression and position, the type, angle and
    position of the shot, the movement of the camera, environment and lighting. Null where a bad answer is kept that
    is no such structure.

    Decoded under a JSON schema, so that every answer can be read. `fuse` makes prose of it.
    """

    without_video: ClassVar[str] = "set input: images"

    use: Literal["structural"] = "structural"
    prompt: Prompt = Field(default="structural", validate_default=True)
    """What it is asked: a prompt of the package by name, or a `.txt` file of your own."""
    max_tokens: int = Field(default=2048, ge=1)
    """Tokens that an answer may have; one that needs more is cut off, which is found."""
    temperature: float = Field(default=0.05, ge=0, le=2)
    """As published."""
    mentions: Literal["clean", "retry", "keep"] = "keep"
    """As for other captioners, but kept: "in the centre of the frame" is a position."""
    frames: int = Field(default=16, ge=2, le=256)
    """How many the model sees at most: at equal distances, the first and the last of the clip among them."""
    size: FrameSize = FrameSize(area_px=360 * 420)
    """How large they are."""
    input: Literal["video", "images"] = "video"
    """As one video with its times, or as pictures, for a model that takes no video."""
    max_subjects: int = Field(default=8, ge=1, le=64)
    """How many subjects there may be."""
    max_chars: int = Field(default=600, ge=20, le=4000)
    """Characters that a text may have: four of each subject, and three of the shot. Lower both where answers are cut
    off: the longest that there can be is then one that fits `max_tokens`."""

    def reads(self) -> Columns:
        return {"duration": "float64"}

    def adds(self) -> Columns:
        return {"structure": STRUCTURE, "structure_info": INFO}

    def samplings(self, row: Row) -> tuple[Sampling, ...]:
        return (self.size.sampling(fractions=tuple(at / (self.frames - 1) for at in range(self.frames))),)

    async def make(self, clip: Clip, engine: Engine) -> Values:
        times, images = images_of(clip, *self.samplings(clip.row))
        media: list[Part] = [*images]
        if self.input == "video":
            media = [Video(tuple(images), tuple(times), clip["duration"])]
        schema = structure_schema(max_subjects=self.max_subjects, max_chars=self.max_chars)
        answer = await self.ask(engine, media=media, schema=schema)
        structure = None if answer.value is None else structure_of(answer.value, max_chars=self.max_chars)
        return {"structure": structure, "structure_info": answer.info}
