"""A request in the words of vLLM: its turns, its videos and how it samples."""

from __future__ import annotations

import numpy as np
from PIL import Image as Pictures
from vllm import SamplingParams
from vllm.sampling_params import StructuredOutputsParams

from ...builder.contract.engine import Image, Message, Request, Video
from ...builder.contract.identity import Json


def turn(message: Message) -> Json:
    """A message in the form of vLLM's chat; frames by their hash, so that each is processed and encoded once."""
    parts: list[Json] = []
    for part in message.parts:
        if isinstance(part, str):
            parts.append({"type": "text", "text": part})
        elif isinstance(part, Image):
            parts.append({"type": "image_pil", "image_pil": Pictures.fromarray(part.pixels), "uuid": part.hash})
        else:
            parts.append({"type": "video_url", "video_url": None, "uuid": part.hash})
    return {"role": message.role, "content": parts}


def video_of(video: Video) -> tuple[object, Json]:
    """Frames (n, h, w, 3) and what vLLM wants to know of them: as if a video had been sampled at their true times.

    The model's processor makes timestamps of `frames_indices / fps`, whole numbers of a made-up rate of 1000 a second.
    """
    milliseconds = [round(1000 * at) for at in video.times]
    return np.stack([image.pixels for image in video.frames]), {
        "fps": 1000.0,
        "duration": video.duration,
        "total_num_frames": max(round(1000 * video.duration), milliseconds[-1] + 1),
        "frames_indices": milliseconds,
        "video_backend": "shotscribe",
        "do_sample_frames": False,
    }


def sampling_of(request: Request, *, marks: bool) -> object:
    """`marks`: whether the answer keeps special tokens, by which a parser knows where thoughts end."""
    schema = request.schema
    return SamplingParams(
        max_tokens=request.max_tokens,
        temperature=request.temperature,
        top_p=request.top_p,
        seed=request.seed,
        stop=list(request.stop) or None,
        skip_special_tokens=not marks,
        structured_outputs=None if schema is None else StructuredOutputsParams(json=dict(schema)),
    )
