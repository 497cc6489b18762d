"""A CLIP model's image half: pictures as vectors that tell what they show."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from ...builder.contract.engine import Ask
from ...builder.contract.markers import Placement
from ._torch import TorchEngine


class ClipModel(TorchEngine):
    """A CLIP model of the Hub or a local folder; the paper's is openai/clip-vit-large-patch14-336. The model's own
    processor crops the pictures.
    """

    version: ClassVar[int] = 2
    runtime: ClassVar[str] = "_clip_engine"
    answers: ClassVar[frozenset[Ask]] = frozenset({"embed_images"})

    use: Literal["clip"] = "clip"
    batch: Placement[int] = Field(default=64, ge=1)
    """Pictures that go through the model at once, of however many clips."""
