"""A running RapidOCR."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...builder.contract.engine import Engine, TextLine
from ...builder.contract.frames import Images
from ._batches import Batches
from ._onnx import cores, loaded, weights
from .rapidocr import RapidOcr

if TYPE_CHECKING:
    from rapidocr import RapidOCR as Reader

_LONGEST_PX = 2000


async def started(spec: RapidOcr, say: Callable[[str], None]) -> Engine:
    """Load the models. Raises RunError."""
    return await loaded(spec, lambda: _Running(spec))


class _Running(Engine):
    def __init__(self, spec: RapidOcr) -> None:
        revision = "+".join(digest[:12] for digest in spec.weights.values())
        self.model, self.revision, self.slots = spec.model, f"sha256:{revision}", None
        from rapidocr.utils.output import RapidOCROutput

        self._reader, self._found = _load(spec), RapidOCROutput
        # A picture a core: much of the work is finding outlines, which one thread does, and pictures differ in size.
        self._batches = Batches[Images, list[TextLine]](self._run, most=1, at_once=cores())

    async def read_text(self, images: Sequence[Images]) -> list[list[TextLine]]:
        return await self._batches.results(images)

    def _run(self, images: Sequence[Images]) -> list[list[TextLine]]:
        return [self._read(image) for image in images]

    def _read(self, image: Images) -> list[TextLine]:
        height, width = image.shape[:2]
        read = self._reader(np.ascontiguousarray(image[..., ::-1]), use_det=True)  # it takes BGR
        if not isinstance(read, self._found) or read.boxes is None:
            return []
        return [
            TextLine(text, float(score), tuple((float(x) / width, float(y) / height) for x, y in corners))
            for text, score, corners in zip(read.txts, read.scores, read.boxes, strict=True)
        ]


def _load(spec: RapidOcr) -> Reader:
    from rapidocr import RapidOCR

    find, read = (str(weights(spec, name)) for name in spec.weights)
    reader = RapidOCR(
        params={
            "Global.log_level": "error",
            "Global.use_cls": False,
            "Global.max_side_len": _LONGEST_PX,
            "Det.model_path": find,
            "Det.limit_type": "max",  # else pictures are enlarged to 736
            "Det.limit_side_len": _LONGEST_PX,
            "Rec.model_path": read,
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )
    for finds in (True, False):  # each model is loaded when it is first used
        reader(np.zeros((64, 64, 3), np.uint8), use_det=finds)
    return reader
