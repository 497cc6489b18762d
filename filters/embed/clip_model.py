"""The image half of a CLIP model on torch, loaded once a process; on a GPU where torch finds one, in float32."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ...builder.contract.errors import RunError
from ...builder.contract.frames import Images
from ...builder.contract.model import ModelRef

Layer = Literal["cls", "projected"]


def clip_vectors(ref: ModelRef, images: Sequence[Images], *, layer: Layer, batch: int) -> npt.NDArray[np.float64]:
    """Vectors (n, d) of uint8 RGB images (h, w, 3), of length 1. RunError: cannot be loaded.

    `cls`: what the last layer gives at the first token. `projected`: that, normalised (`post_layernorm`, which makes
    transformers' `pooler_output`) and projected to where texts are. The two are spaces of their own: a threshold found
    in one means nothing in the other.
    """
    processor, model = _load(ref, layer)
    import torch

    made = []
    for start in range(0, len(images), batch):
        part = list(images[start : start + batch])
        # said outright: a picture of 3 rows would be taken for one of 3 channels
        pixels = processor(part, input_data_format="channels_last", return_tensors="pt")["pixel_values"]
        with torch.inference_mode():
            output = model(pixel_values=pixels.to(model.device))
            part_vectors = output.last_hidden_state[:, 0] if layer == "cls" else output.image_embeds
            made.append(part_vectors.cpu().numpy())
    vectors = np.concatenate(made).astype(np.float64)
    unit: npt.NDArray[np.float64] = vectors / np.sqrt((vectors * vectors).sum(axis=1, keepdims=True))
    return unit


@functools.lru_cache(maxsize=2)
def _load(ref: ModelRef, layer: Layer) -> tuple[Any, Any]:
    try:
        import torch
        import transformers
    except ImportError as error:
        raise RunError(
            'keyframes: `embed: clip` needs torch and transformers; pip install "shotscribe[models]"'
        ) from error
    # without torchvision, whose resizing gives other values: a dataset must not depend on whether it is installed
    processors = getattr(transformers, "CLIPImageProcessorPil", None) or transformers.CLIPImageProcessor
    transformers.logging.set_verbosity_error()  # else it lists the weights of the text half, one by one
    transformers.logging.disable_progress_bar()
    try:
        config = transformers.AutoConfig.from_pretrained(ref.model, **ref.load_arguments())
        if config.model_type not in ("clip", "clip_vision_model"):
            raise ValueError(f"it is a {config.model_type} model, not CLIP; name a CLIP checkpoint, or use layout")
        if config.model_type == "clip":  # the size of the projection may be said for both halves together only
            config.vision_config.projection_dim = config.projection_dim
            config = config.vision_config
        processor = processors.from_pretrained(ref.model, **ref.load_arguments())
        model, found = transformers.CLIPVisionModelWithProjection.from_pretrained(
            ref.model, config=config, output_loading_info=True, **ref.load_arguments()
        )
        unused = "visual_projection" if layer == "cls" else None  # what the library fills with random numbers
        if missing := [name for name in found["missing_keys"] if not unused or not name.startswith(unused)]:
            raise ValueError(f"it lacks weights, such as {min(missing)}")
    except (OSError, ValueError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise RunError(f"keyframes: cannot load the model {ref.model}: {reason}") from error
    return processor, model.float().eval().to("cuda" if torch.cuda.is_available() else "cpu")
