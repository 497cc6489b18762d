"""How a recipe says that frames become vectors: `embed: {use: layout}`, or `embed: {engine: clip, layer: cls}`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Tag

from ...builder.contract.engine import Engine, Layer
from ...builder.contract.frames import SIGNAL_FRAMES, Frames
from ...builder.contract.identity import Json
from .._bars import content_box
from .chosen import by_engine
from .layout import layout


class LayoutEmbed(BaseModel):
    """No model: light, colours and edges, and where they are, inside the bars if there are any. Tells pictures apart,
    not what they show.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    engine: ClassVar[None] = None
    long_side_px: ClassVar[int | None] = SIGNAL_FRAMES.long_side_px

    use: Literal["layout"] = "layout"

    async def vectors(self, frames: Frames, engine: Engine) -> npt.NDArray[np.float64]:
        """One row of length 1 a frame."""
        box = content_box(frames)
        return np.stack([layout(image[box.top : box.bottom, box.left : box.right]) for image in frames.images])

    def identity(self) -> Json:
        return {"use": self.use, "version": 1}


class EngineEmbed(BaseModel):
    """An engine of the recipe that embeds pictures, such as `clip`."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    long_side_px: ClassVar[int | None] = 640  # of 16:9, a short side of 360: enough for the 336 of the largest CLIP

    engine: str
    """The engine, by its name in the recipe's `engines`."""
    layer: Layer = "cls"
    """`cls`: the last hidden state of the first token, before normalisation and projection (1,024 numbers of CLIP-L):
    the space of ShareGPT4Video and of its 0.93. `projected`: the embedding that texts are compared with (768)."""

    async def vectors(self, frames: Frames, engine: Engine) -> npt.NDArray[np.float64]:
        """One row of length 1 a frame. RunError where the model has no such layer."""
        made = (await engine.embed_images(frames.images, layer=self.layer)).astype(np.float64)
        unit: npt.NDArray[np.float64] = made / np.sqrt((made * made).sum(axis=1, keepdims=True))
        return unit

    def identity(self) -> Json:
        return {"layer": self.layer, "version": 1}


ImageEmbed = Annotated[
    Annotated[LayoutEmbed, Tag("layout")] | Annotated[EngineEmbed, Tag("model")], by_engine("layout", "clip")
]
