"""Frames as data URLs. Neighbouring windows share a frame: it is encoded once while requests with it are near."""

from __future__ import annotations

import asyncio
import base64
import io
from collections import OrderedDict
from typing import Literal

from ...builder.contract.engine import Image
from ...builder.contract.frames import Images

_JPEG_QUALITY = 95
_MAX_CHARS = 2**26
"""Of the URLs that are kept: some 1000 JPEGs of 360 x 640 pixels."""


class DataUrls:
    """Encodes off the event loop, and keeps what was used last."""

    def __init__(self, image_format: Literal["jpeg", "png"], *, max_chars: int = _MAX_CHARS) -> None:
        self._format, self._max_chars = image_format, max_chars
        self._kept: OrderedDict[str, str] = OrderedDict()
        self._chars = 0

    async def of(self, image: Image) -> str:
        """The image as `data:image/...;base64,...`."""
        if (known := self._kept.get(image.hash)) is not None:
            self._kept.move_to_end(image.hash)
            return known
        url = await asyncio.to_thread(_encoded, image.pixels, self._format)
        if image.hash not in self._kept:  # else another request was quicker
            self._kept[image.hash] = url
            self._chars += len(url)
            while self._chars > self._max_chars:
                _, oldest = self._kept.popitem(last=False)
                self._chars -= len(oldest)
        return url


def _encoded(pixels: Images, image_format: Literal["jpeg", "png"]) -> str:
    from PIL import Image as Pictures

    data = io.BytesIO()
    if image_format == "jpeg":
        Pictures.fromarray(pixels).save(data, "JPEG", quality=_JPEG_QUALITY)
    else:
        Pictures.fromarray(pixels).save(data, "PNG", compress_level=1)
    return f"data:image/{image_format};base64,{base64.b64encode(data.getvalue()).decode()}"
