"""A running text encoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...builder.contract.engine import Engine, Vectors
from ._torch import TextEncoder, loaded, place
from .transformers import Transformers

if TYPE_CHECKING:
    import torch


async def started(spec: Transformers, say: Callable[[str], None]) -> Engine:
    """Load the model. Raises RunError."""
    return await loaded(spec, lambda: _Running(spec))


class _Running(TextEncoder):
    def __init__(self, spec: Transformers) -> None:
        super().__init__(spec)
        self._spec, where = spec, place(spec)
        self._tokenizer, model = _load(spec)
        self._model = model.eval().to(**where)

    def _encoded(self, texts: Sequence[str]) -> Vectors:
        import torch

        vectors = np.empty((len(texts), self._model.config.hidden_size), np.float32)
        order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
        parts = [order[start : start + self._spec.batch] for start in range(0, len(texts), self._spec.batch)]
        # taken from the GPU at the end: it works on one part while the next is made into tokens
        made = [self._pooled([texts[number] for number in part]) for part in parts]
        vectors[order] = torch.cat(made).float().cpu().numpy()
        return vectors

    def _pooled(self, texts: Sequence[str]) -> torch.Tensor:
        import torch

        longest = min(self._spec.max_length, self._tokenizer.model_max_length)
        tokens = self._tokenizer(
            list(texts), padding=True, truncation=True, max_length=longest, return_tensors="pt"
        ).to(self._model.device)
        with torch.inference_mode():
            states: torch.Tensor = self._model(**tokens).last_hidden_state
        if self._spec.pooling == "cls":
            return states[:, 0]
        mask: torch.Tensor = tokens["attention_mask"].unsqueeze(-1)
        return (states * mask).sum(1) / mask.sum(1)


def _load(spec: Transformers) -> tuple[Any, Any]:
    """The tokenizer and the model."""
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(spec.model, padding_side="right", **spec.load_arguments())
    model, found = AutoModel.from_pretrained(spec.model, output_loading_info=True, **spec.load_arguments())
    config = model.config
    if config.is_encoder_decoder or tokenizer.pad_token is None or not hasattr(config, "hidden_size"):
        raise ValueError("it is no text encoder; name one, such as google-bert/bert-base-uncased")
    # a pooler is not used, and masked language models come without; any other weight would be random
    if lacking := [name for name in found["missing_keys"] if not name.startswith("pooler.")]:
        raise ValueError(f"it lacks weights, such as {min(lacking)}")
    return tokenizer, model
