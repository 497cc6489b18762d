"""Picks the frames that show something new: the keyframes of ShareGPT4Video (arXiv 2406.04325)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from ..builder.contract.clip import Clip, Columns, Row, Values
from ..builder.contract.columns import Hidden
from ..builder.contract.engine import Ask, Engine
from ..builder.contract.frames import Sampling
from ..builder.contract.identity import Json
from ..builder.contract.step import ClipStep
from ._uniform import is_uniform
from .embed.images import ImageEmbed, LayoutEmbed


class Keyframes(ClipStep):
    """`keyframes`: seconds from the clip's start. Frames are sampled at an interval, and one is kept when its cosine
    similarity to the last keyframe kept is below `below`; the first and the last always are. Frames of one colour
    (black or white before, between and after) are left out, unless the clip has no others.
    `keyframe_embedding`, for dedup: the mean of the keyframes' embeddings, of length 1.

    `below` takes part in the identity of the keyframes, unlike the thresholds of other steps: choosing anew would need
    the embedding of every sampled frame, kilobytes a clip. Changing it decodes and embeds again.
    """

    version: ClassVar[int] = 2
    asks: ClassVar[Ask] = "embed_images"

    use: Literal["keyframes"] = "keyframes"
    interval_s: float = Field(default=2.0, gt=0)
    """Seconds between the sampled frames."""
    below: float = Field(default=0.93, gt=0, lt=1)
    """A frame is kept when it is less similar than this to the last keyframe. Higher keeps more."""
    min_gap_s: float | None = Field(default=None, ge=0)
    """The last frame takes the place of the keyframe before it where that is nearer than this, but never of the first.
    Left out: half of `interval_s`, so that the last window is as near to the others' length as it can be. 0 keeps
    both, as the paper does, and windows of a few frames with them."""
    embed: ImageEmbed = LayoutEmbed()
    """What similarity is measured on: `{use: layout}` (no model), or an engine that embeds pictures."""

    @model_validator(mode="after")
    def _gap_within_interval(self) -> Self:
        if self.min_gap_s is not None and self.min_gap_s > self.interval_s:
            raise ValueError(f"min_gap_s {self.min_gap_s:g} is above interval_s {self.interval_s:g}; give at most that")
        return self

    def adds(self) -> Columns:
        return {"keyframes": ["float64"], "keyframe_embedding": Hidden(["float32"])}

    def samplings(self, row: Row) -> tuple[Sampling, ...]:
        return (Sampling(every_s=self.interval_s, with_last=True, long_side_px=self.embed.long_side_px),)

    def engine_name(self) -> str | None:
        return self.embed.engine

    async def make(self, clip: Clip, engine: Engine) -> Values:
        frames = clip.frames(self.samplings(clip.row)[0])
        vectors = await self.embed.vectors(frames, engine)
        shown = [not is_uniform(image) for image in frames.images]
        kept = keep(vectors, frames.times, shown=shown, below=self.below, min_gap_s=self._gap_s)
        mean = vectors[kept].mean(axis=0)
        length = float(np.sqrt((mean * mean).sum()))
        embedding = (mean / length if length else mean).astype(np.float32)
        return {"keyframes": frames.times[kept].tolist(), "keyframe_embedding": embedding}

    @property
    def _gap_s(self) -> float:
        return self.interval_s / 2 if self.min_gap_s is None else self.min_gap_s

    def identity(self) -> Json:
        return {
            "version": self.version,
            "use": self.use,
            "interval_s": self.interval_s,
            "below": self.below,
            "min_gap_s": self._gap_s,
            "embed": self.embed.identity(),
        }


def keep(
    vectors: npt.NDArray[np.float64],
    times: npt.NDArray[np.float64],
    *,
    shown: Sequence[bool],
    below: float,
    min_gap_s: float,
) -> list[int]:
    """The positions of the keyframes among frames in time order: the first that shows something, those that differ, and
    the last. `vectors`: rows of length 1; `shown`: whether each frame shows anything; where none does, all count.
    """
    seen = [at for at, shows in enumerate(shown) if shows] or list(range(len(shown)))
    kept = seen[:1]
    for at in seen[1:]:
        if at == seen[-1] or (vectors[at] * vectors[kept[-1]]).sum() < below:
            kept.append(at)
    if len(kept) > 2 and times[kept[-1]] - times[kept[-2]] < min_gap_s:
        del kept[-2]
    return kept
