"""Picks the frames that show something new: the keyframes of ShareGPT4Video (arXiv 2406.04325)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from ..builder.clip import Clip, Columns, Sampling
from ..builder.step import Signal
from ._image_embed import ImageEmbed, LayoutEmbed


class Keyframes(Signal):
    """`keyframes`: seconds from the clip's start. Frames are sampled at an interval, and one is kept when its cosine
    similarity to the last keyframe kept is below `below`; the first and the last sampled frame always are.
    `keyframe_embedding`, for dedup: the mean of the keyframes' embeddings, of length 1.

    `below` takes part in the identity of the keyframes, unlike the thresholds of other steps: choosing anew would need
    the embedding of every sampled frame, kilobytes a clip. Changing it decodes and embeds again.
    """

    internal: ClassVar[frozenset[str]] = frozenset({"keyframe_embedding"})

    use: Literal["keyframes"] = "keyframes"
    interval_s: float = Field(default=2.0, gt=0)
    """Seconds between the sampled frames."""
    below: float = Field(default=0.93, gt=0, lt=1)
    """A frame is kept when it is less similar than this to the last keyframe. Higher keeps more."""
    embed: ImageEmbed = LayoutEmbed()
    """What similarity is measured on: `layout` (no model) or `clip`."""

    def adds(self) -> Columns:
        return {"keyframes": ["float64"], "keyframe_embedding": ["float32"]}

    def samplings(self) -> tuple[Sampling, ...]:
        return (Sampling(every_s=self.interval_s, with_last=True, long_side_px=self.embed.long_side_px),)

    def requires(self) -> Mapping[str, str]:
        return self.embed.requires

    def startup_s(self) -> float:
        return self.embed.startup_s

    def measure(self, clip: Clip) -> dict[str, Any]:
        frames = clip.frames(self.samplings()[0])
        vectors = self.embed.vectors(frames)
        kept = keep(vectors, below=self.below)
        mean = vectors[kept].mean(axis=0)
        length = float(np.sqrt((mean * mean).sum()))
        embedding = (mean / length if length else mean).astype(np.float32)
        return {"keyframes": frames.times[kept].tolist(), "keyframe_embedding": embedding.tolist()}

    def identity(self) -> dict[str, Any]:
        return {
            "version": self.version,
            "use": self.use,
            "interval_s": self.interval_s,
            "below": self.below,
            "embed": self.embed.identity(),
        }


def keep(vectors: npt.NDArray[np.float64], *, below: float) -> list[int]:
    """The positions of the keyframes among rows of length 1, in time order: the first, those that differ, the last."""
    kept = [0]
    for at in range(1, len(vectors)):
        if at == len(vectors) - 1 or (vectors[at] * vectors[kept[-1]]).sum() < below:
            kept.append(at)
    return kept
