"""Captions what changes from keyframe to keyframe: DiffSW, the sliding window of ShareGPT4Video (arXiv 2406.04325)."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from ..builder.contract.clip import Clip, Columns, Row, Values
from ..builder.contract.engine import Engine, Part
from ..builder.contract.errors import ClipError
from ..builder.contract.frames import Sampling
from ._ask import DIFF_CAPTIONS, Answer, Captioner
from ._pictures import FrameSize, keyframes_of, spoken
from ._prompt import Prompt

_NOTHING = "(none)"


class Sliding(Captioner):
    """Adds `diff_captions`, one a keyframe: of the first what is there (its `start` and `end` are the keyframe's time),
    of each other what changes from the keyframe before it to it. The model sees both, and the caption before.

    A clip's windows are asked for one after another. One that cannot be captioned rejects the clip, or is kept with its
    status (`bad: keep`), and the next goes on from it.
    """

    fields: ClassVar[tuple[str, ...]] = ("previous",)

    use: Literal["sliding"] = "sliding"
    prompt: Prompt = Field(default="sliding", validate_default=True)
    """What is asked of two keyframes; `{previous}` is where the caption before them goes."""
    first_prompt: Prompt = Field(default="sliding_first", validate_default=True)
    """What is asked of the first keyframe."""
    size: FrameSize = FrameSize(short_side_px=336)
    """How large the keyframes are."""

    @model_validator(mode="after")
    def _check_first_prompt(self) -> Self:
        if problem := self.first_prompt.lacking(()):
            raise ValueError(f"first_prompt: {problem}")
        if self.first_prompt.name == self.prompt.name:
            raise ValueError(f"prompt and first_prompt are both called {self.prompt.name}; rename one of the files")
        return self

    def reads(self) -> Columns:
        return {"keyframes": ["float64"]}

    def adds(self) -> Columns:
        return {"diff_captions": DIFF_CAPTIONS}

    def samplings(self, row: Row) -> tuple[Sampling, ...]:
        keyframes = row["keyframes"]
        return (self.size.sampling(times=tuple(keyframes)),) if keyframes else ()

    async def make(self, clip: Clip, engine: Engine) -> Values:
        times, images = keyframes_of(clip, self.samplings(clip.row))
        made: list[Values] = []
        try:
            answer = await self.ask(engine, media=images[:1], prompt=self.first_prompt)
            made.append(_entry(times[0], times[0], answer))
            for (start, before), (end, now) in pairwise(zip(times, images, strict=True)):
                number = len(made)
                window: tuple[Part, ...] = (
                    f"Previous keyframe, number {number}, at {spoken(start)}:\n",
                    before,
                    f"\nCurrent keyframe, number {number + 1}, at {spoken(end)}:\n",
                    now,
                )
                answer = await self.ask(engine, {"previous": answer.text or _NOTHING}, window)
                made.append(_entry(start, end, answer))
        except ClipError as error:
            reason, detail = error.rejection.reason, error.rejection.detail
            raise ClipError(reason, f"keyframe {len(made) + 1} of {len(times)}: {detail}") from error
        return {"diff_captions": made}


def _entry(start: float, end: float, answer: Answer) -> Values:
    return {"start": start, "end": end, "caption": answer.text, "info": answer.info}
