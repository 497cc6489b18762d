"""A caption in one request that shows all keyframes: the fast role of ShareCaptioner-Video, and the grid of IG-VLM."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field

from ..builder.contract.captions import INFO
from ..builder.contract.clip import Clip, Columns, Row, Values
from ..builder.contract.engine import Engine, Image, Part
from ..builder.contract.frames import Sampling
from ._ask import Captioner
from ._montage import fitted, grid, stack
from ._pictures import FrameSize, keyframes_of, spoken, spread, thinned
from ._prompt import Prompt


class Fast(Captioner):
    """Adds a caption of what all keyframes show together. Its info names the single frames, however they were laid out.

    IG-VLM's way, and that of ShareGPT4Video-8B, is `layout: grid, pick: uniform`: 16 frames in 4 columns.
    """

    one_picture: ClassVar[str] = "layout: stack"

    use: Literal["fast"] = "fast"
    prompt: Prompt = Field(default="fast", validate_default=True)
    """What it is asked: a prompt of the package by name, or a `.txt` file of your own."""
    column: str = Field(default="caption", pattern=r"^[a-z][a-z0-9_]*$")
    """The column that the caption goes to."""
    layout: Literal["stack", "grid", "images"] = "stack"
    """How the model sees them: in one tall picture, each labelled with its time; in one picture, row by row; or each as
    a picture of its own. One picture has at most 16.7 million pixels: many frames become smaller."""
    columns: int = Field(default=4, ge=1, le=64)
    """Frames in a row of the grid. It has as many rows as the frames need."""
    pick: Literal["keyframes", "uniform"] = "keyframes"
    """The frames: those in the column keyframes, or `max_frames` at equal distances, the clip's first and last among
    them."""
    max_frames: int = Field(default=16, ge=2, le=64)
    """Of more keyframes, so many are taken evenly: the first, the last, and what lies at equal distances between."""
    size: FrameSize = FrameSize(short_side_px=336)
    """How large a frame is."""

    def reads(self) -> Columns:
        return {"keyframes": ["float64"]} if self.pick == "keyframes" else {}

    def adds(self) -> Columns:
        return {self.column: "string", f"{self.column}_info": INFO}

    def samplings(self, row: Row) -> tuple[Sampling, ...]:
        if self.pick == "uniform":
            sampling, count = self.size.sampling(fractions=spread(self.max_frames)), self.max_frames
        elif times := thinned(row["keyframes"] or (), most=self.max_frames):
            sampling, count = self.size.sampling(times=times), len(times)
        else:
            return ()
        return (sampling if self.layout == "images" else fitted(sampling, count),)

    async def make(self, clip: Clip, engine: Engine) -> Values:
        times, images = keyframes_of(clip, self.samplings(clip.row))
        answer = await self.ask(engine, media=await self._shown(times, images))
        info = {**answer.info, "frames": [image.hash for image in images]}
        return {self.column: answer.text, f"{self.column}_info": info}

    async def _shown(self, times: Sequence[float], images: Sequence[Image]) -> list[Part]:
        """Pictures are put together in a thread: some 20 ms, in which other clips' answers would wait."""
        if self.layout == "stack":
            told = "Frames of the clip in one picture, from top to bottom, each under its time:\n"
            return [told, await asyncio.to_thread(stack, images, times)]
        if self.layout == "grid":
            when = ", ".join(spoken(time) for time in times)
            told = f"Frames of the clip in one picture, row by row from left to right; their times are {when}:\n"
            return [told, await asyncio.to_thread(grid, images, self.columns)]
        return [part for time, image in zip(times, images, strict=True) for part in (f"\nAt {spoken(time)}:\n", image)]
