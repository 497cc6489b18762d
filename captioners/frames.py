"""A caption from a few frames and a prompt of one's choice: how Open-Sora's tools ask LLaVA, PLLaVA and GPT-4V."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ..builder.contract.captions import INFO
from ..builder.contract.clip import Clip, Columns, Row, Values
from ..builder.contract.engine import Engine
from ..builder.contract.frames import Sampling
from ._ask import Captioner
from ._pictures import FrameSize, images_of, places
from ._prompt import Prompt


class Frames(Captioner):
    """Adds a caption of the frames `at` fractions of the clip, or at the `centres` of equal parts of it.

    With `improve`, a clip that comes with a source_caption has that one improved; the others are captioned by `prompt`.
    Which of the two it was is told by the hash of the prompt in the caption's info.
    """

    one_picture: ClassVar[str] = "at: [0.5]"

    use: Literal["frames"] = "frames"
    improve: Prompt | None = None
    """The prompt for clips that have a source_caption, which it takes at `{source_caption}`."""
    column: str = Field(default="caption", pattern=r"^[a-z][a-z0-9_]*$")
    """The column that the caption goes to."""
    at: tuple[Annotated[float, Field(ge=0, le=1)], ...] = Field(default=(), max_length=64)
    """Fractions of the clip, from 0 (its first frame) to 1 (its last): [0.1, 0.5, 0.9]."""
    centres: int | None = Field(default=None, ge=1, le=64)
    """How many frames, of the middles of so many equal parts of the clip. One of `at` and `centres`."""
    size: FrameSize = FrameSize(short_side_px=336)
    """How large they are."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        places(self.at, self.centres)
        if self.improve and (problem := self.improve.lacking(("source_caption",))):
            raise ValueError(f"improve: {problem}")
        if self.improve and self.improve.name == self.prompt.name:
            raise ValueError(f"prompt and improve are both called {self.prompt.name}; rename one of the files")
        return self

    def reads(self) -> Columns:
        return {"source_caption": "string"} if self.improve else {}

    def adds(self) -> Columns:
        return {self.column: "string", f"{self.column}_info": INFO}

    def samplings(self, row: Row) -> tuple[Sampling, ...]:
        return (self.size.sampling(fractions=places(self.at, self.centres)),)

    async def make(self, clip: Clip, engine: Engine) -> Values:
        _, images = images_of(clip, *self.samplings(clip.row))
        known = (clip["source_caption"] or "").strip() if self.improve else ""
        if known:
            answer = await self.ask(engine, {"source_caption": known}, images, prompt=self.improve)
        else:
            answer = await self.ask(engine, media=images)
        return {self.column: answer.text, f"{self.column}_info": answer.info}
