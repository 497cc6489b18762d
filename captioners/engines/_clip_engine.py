"""A running CLIP model."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ...builder.contract.engine import Engine, Layer, Vectors
from ...builder.contract.errors import RunError
from ...builder.contract.frames import Images
from ._torch import batches, loaded, place
from .clip import ClipModel

if TYPE_CHECKING:
    import torch

_PROJECTION = "visual_projection"  # what the library fills with random numbers where a checkpoint lacks it


async def started(spec: ClipModel, say: Callable[[str], None]) -> Engine:
    """Load the model. Raises RunError."""
    return await loaded(spec, lambda: _Running(spec))


class _Running(Engine):
    def __init__(self, spec: ClipModel) -> None:
        self.model, self.revision, self.slots = spec.model, spec.revision, None
        self._where = place(spec)
        self._processor, model, self._projects = _load(spec)
        self._model = model.eval().to(**self._where)
        rescales, normalizes = self._processor.do_rescale, self._processor.do_normalize
        self._scale = self._processor.rescale_factor if rescales else 1.0
        self._mean = self._channels(self._processor.image_mean if normalizes else [0.0] * 3)
        self._std = self._channels(self._processor.image_std if normalizes else [1.0] * 3)
        self._batches = {layer: batches(spec, partial(self._run, layer=layer), most=spec.batch) for layer in _LAYERS}

    def _channels(self, values: Sequence[float]) -> torch.Tensor:
        """A number a channel, to be taken from pictures (n, 3, h, w) on the model's device."""
        import torch

        return torch.tensor(list(values), device=self._where["device"]).reshape(1, 3, 1, 1)

    async def embed_images(self, images: Sequence[Images], *, layer: Layer) -> Vectors:
        """`cls`: what the last layer gives at the first token. `projected`: that, normalised (`post_layernorm`, which
        makes transformers' `pooler_output`) and projected to where texts are. The two are spaces of their own: a
        threshold found in one means nothing in the other.
        """
        if layer == "projected" and not self._projects:
            raise RunError(f"the engine clip: {self.model} has no projection; set `layer: cls`, or name another model")
        pixels = await asyncio.to_thread(self._prepared, images)
        return np.stack(await self._batches[layer].results(list(pixels)))

    def _prepared(self, images: Sequence[Images]) -> torch.Tensor:
        """The pictures resized and cropped: uint8 (n, 3, side, side)."""
        pixels: torch.Tensor = self._processor(
            list(images),
            do_rescale=False,
            do_normalize=False,
            input_data_format="channels_last",  # said outright: a picture of 3 rows would be one of 3 channels
            return_tensors="pt",
        )["pixel_values"]
        return pixels

    def _run(self, pixels: Sequence[torch.Tensor], *, layer: Layer) -> Vectors:
        import torch

        with torch.inference_mode():
            colors = torch.stack(list(pixels)).to(self._where["device"]).float()
            # here and not by the processor: a GPU takes bytes in a quarter of the time, and has done it at once
            output = self._model(pixel_values=((colors * self._scale - self._mean) / self._std).to(**self._where))
            made = output.last_hidden_state[:, 0] if layer == "cls" else output.image_embeds
            vectors: Vectors = made.float().cpu().numpy()
        return vectors


_LAYERS: tuple[Layer, ...] = ("cls", "projected")


def _load(spec: ClipModel) -> tuple[Any, Any, bool]:
    """The processor, the model, and whether it has a projection."""
    import transformers

    # without torchvision, whose resizing gives other values: a dataset must not depend on whether it is installed
    processors = getattr(transformers, "CLIPImageProcessorPil", None) or transformers.CLIPImageProcessor
    config = transformers.AutoConfig.from_pretrained(spec.model, **spec.load_arguments())
    if config.model_type not in ("clip", "clip_vision_model"):
        raise ValueError(f"it is a {config.model_type} model, not CLIP; name a CLIP checkpoint")
    if config.model_type == "clip":  # the size of the projection may be said for both halves together only
        config.vision_config.projection_dim = config.projection_dim
        config = config.vision_config
    processor = processors.from_pretrained(spec.model, **spec.load_arguments())
    model, found = transformers.CLIPVisionModelWithProjection.from_pretrained(
        spec.model, config=config, output_loading_info=True, **spec.load_arguments()
    )
    missing = {name for name in found["missing_keys"] if not name.startswith(_PROJECTION)}
    if missing:
        raise ValueError(f"it lacks weights, such as {min(missing)}")
    return processor, model, len(found["missing_keys"]) == 0
