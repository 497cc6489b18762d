"""How a recipe says that frames become vectors: `embed: {use: layout | clip, ...}`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from ...builder.contract.frames import SIGNAL_FRAMES, Frames
from ...builder.contract.model import ModelRef
from .._bars import content_box
from .clip_model import Layer, clip_vectors
from .layout import layout


class LayoutEmbed(BaseModel):
    """No model: light, colours and edges, and where they are, inside the bars if there are any. Tells pictures apart,
    not what they show.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    long_side_px: ClassVar[int | None] = SIGNAL_FRAMES.long_side_px
    startup_s: ClassVar[float] = 0
    requires: ClassVar[Mapping[str, str]] = {}

    use: Literal["layout"] = "layout"

    def vectors(self, frames: Frames) -> npt.NDArray[np.float64]:
        """One row of length 1 a frame."""
        box = content_box(frames)
        return np.stack([layout(image[box.top : box.bottom, box.left : box.right]) for image in frames.images])

    def identity(self) -> dict[str, Any]:
        return {"use": self.use, "version": 1}


class ClipEmbed(ModelRef):
    """A CLIP model; the paper's is openai/clip-vit-large-patch14-336. The model's own processor crops the frames."""

    long_side_px: ClassVar[int] = 640  # of 16:9, a short side of 360: enough for the 336 of the largest CLIP
    requires: ClassVar[Mapping[str, str]] = {"torch": "models", "transformers": "models"}
    startup_s: ClassVar[float] = 900  # the first run fetches the weights, gigabytes, and the other workers wait for it

    use: Literal["clip"]
    layer: Layer = "cls"
    """`cls`: the last hidden state of the first token, before normalisation and projection (1,024 numbers of CLIP-L):
    the space of ShareGPT4Video and of its 0.93. `projected`: the embedding that texts are compared with (768)."""
    batch: int = Field(default=32, gt=0)
    """Frames that go through the model at once."""

    def vectors(self, frames: Frames) -> npt.NDArray[np.float64]:
        """One row of length 1 a frame. RunError where the model cannot be loaded."""
        return clip_vectors(self, frames.images, layer=self.layer, batch=self.batch)

    def identity(self) -> dict[str, Any]:
        return {"use": self.use, "version": 2, "layer": self.layer, **super().identity()}


ImageEmbed = Annotated[LayoutEmbed | ClipEmbed, Field(discriminator="use")]
