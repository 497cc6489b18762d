"""A running sentence-transformers model."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ...builder.contract.engine import Engine, Vectors
from ._torch import Batches, loaded, place
from .sentence import Sentence

_TOGETHER = 16  # batches that are sorted by length together, so that little of each is padding


async def started(spec: Sentence, say: Callable[[str], None]) -> Engine:
    """Load the model. Raises RunError."""
    return await loaded(spec, lambda: _Running(spec))


class _Running(Engine):
    def __init__(self, spec: Sentence) -> None:
        from sentence_transformers import SentenceTransformer

        self.model, self.revision, self.slots = spec.model, spec.revision, None
        where = place(spec)
        self._encoder = SentenceTransformer(spec.model, **spec.load_arguments()).eval().to(**where)
        self._batch = spec.batch
        self._batches = Batches[str](spec, self._run, most=_TOGETHER * spec.batch)

    async def embed_texts(self, texts: Sequence[str]) -> Vectors:
        return np.stack(await self._batches.vectors(texts))

    def _run(self, texts: Sequence[str]) -> Vectors:
        made = self._encoder.encode(list(texts), batch_size=self._batch, show_progress_bar=False, convert_to_numpy=True)
        return np.array(made, np.float32)
