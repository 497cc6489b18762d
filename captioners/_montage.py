"""Several frames as one picture: a tall stack (ShareCaptioner) or a grid (IG-VLM)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..builder.contract.engine import Image
from ..builder.contract.errors import ClipError, Reason
from ..builder.contract.frames import Images, Sampling
from ..builder.contract.identity import pixel_hash
from ._pictures import spoken

MAX_PX = 2**24
"""Pixels of a montage. The largest that open models look at is 12.8 million (Qwen2.5-VL), then they scale down."""
MAX_SIDE_PX = 2**16 - 1
"""The longest side that a JPEG can have."""
_BAR = 0.1  # height of a label's bar, of its frame's
_MIN_BAR_PX = 16


def fitted(sampling: Sampling, count: int) -> Sampling:
    """The sampling with its frames made so small that a montage of `count` has at most MAX_PX pixels, labels included.

    Of frames less than 64 pixels high the labels may need more; then the montage raises.
    """
    share = int(MAX_PX * 0.75) // count  # a bar takes at most a quarter of the height of such a frame
    return replace(sampling, area_px=min(share, sampling.area_px or share))


def stack(images: Sequence[Image], times: Sequence[float]) -> Image:
    """The frames (n, all of one size) from top to bottom, each under a white bar with its time in seconds.

    Raises ClipError (limit) for more than MAX_PX pixels, or a side of more than MAX_SIDE_PX.
    """
    height, width, _ = images[0].pixels.shape
    bar = max(_MIN_BAR_PX, round(height * _BAR))
    pixels = _blank(len(images) * (bar + height), width, fill=255)
    for at, (image, time) in enumerate(zip(images, times, strict=True)):
        top = at * (bar + height)
        pixels[top : top + bar] = _label(spoken(time), width=width, height=bar)
        pixels[top + bar : top + bar + height] = image.pixels
    return Image(pixels, pixel_hash(pixels))


def grid(images: Sequence[Image], columns: int) -> Image:
    """The frames (n, all of one size) row by row, from left to right; what is left of the last row is black.

    Fewer frames than columns make one row. Raises as `stack`.
    """
    height, width, _ = images[0].pixels.shape
    columns = min(columns, len(images))
    pixels = _blank(-(-len(images) // columns) * height, columns * width, fill=0)
    for at, image in enumerate(images):
        top, left = at // columns * height, at % columns * width
        pixels[top : top + height, left : left + width] = image.pixels
    return Image(pixels, pixel_hash(pixels))


def _blank(height: int, width: int, *, fill: int) -> Images:
    if height * width > MAX_PX or max(height, width) > MAX_SIDE_PX:
        raise ClipError(
            Reason.LIMIT,
            f"a picture of all frames would have {width}x{height} pixels, more than {MAX_PX} or a side of more than "
            f"{MAX_SIDE_PX}; give fewer max_frames or a smaller size",
        )
    return np.full((height, width, 3), fill, np.uint8)


def _label(text: str, *, width: int, height: int) -> Images:
    from PIL import Image as Picture
    from PIL import ImageDraw, ImageFont

    bar = Picture.new("RGB", (width, height), "white")
    font = ImageFont.load_default(size=height * 0.75)
    ImageDraw.Draw(bar).text((height * 0.25, height / 2), text, fill="black", font=font, anchor="lm")
    return np.asarray(bar)
