"""A running sentence-transformers model."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ...builder.contract.engine import Engine, Vectors
from ._torch import TextEncoder, loaded, place
from .sentence import Sentence


async def started(spec: Sentence, say: Callable[[str], None]) -> Engine:
    """Load the model. Raises RunError."""
    return await loaded(spec, lambda: _Running(spec))


class _Running(TextEncoder):
    def __init__(self, spec: Sentence) -> None:
        from sentence_transformers import SentenceTransformer

        super().__init__(spec)
        where = place(spec)
        self._encoder = SentenceTransformer(spec.model, **spec.load_arguments()).eval().to(**where)
        self._batch = spec.batch

    def _encoded(self, texts: Sequence[str]) -> Vectors:
        made = self._encoder.encode(list(texts), batch_size=self._batch, show_progress_bar=False, convert_to_numpy=True)
        return np.array(made, np.float32)
