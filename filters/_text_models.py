"""Text encoders on torch, each loaded once a process; on a GPU where torch finds one, in float32 everywhere."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType
from typing import Any, Literal

import numpy as np

from ..builder.errors import RunError
from ..builder.model import ModelRef
from ._cosine import Matrix


def sentence_vectors(ref: ModelRef, texts: Sequence[str], *, batch: int) -> Matrix:
    """Vectors (n, d) of a sentence-transformers model."""
    made = _sentence_model(ref.model, ref.revision).encode(
        list(texts), batch_size=batch, show_progress_bar=False, convert_to_numpy=True
    )
    return np.array(made, np.float32)


def encoder_vectors(
    ref: ModelRef, texts: Sequence[str], *, pooling: Literal["cls", "mean"], max_length: int, batch: int
) -> Matrix:
    """Vectors (n, d): the last hidden layer at the first token, or its mean over the text's tokens."""
    tokenizer, model = _encoder(ref.model, ref.revision)
    torch = _library("torch")
    longest = min(max_length, tokenizer.model_max_length, model.config.max_position_embeddings)
    vectors = np.empty((len(texts), model.config.hidden_size), np.float32)
    # neighbours of like length share a batch: padding is most of the work otherwise
    order = sorted(range(len(texts)), key=lambda at: len(texts[at]))
    for start in range(0, len(texts), batch):
        part = order[start : start + batch]
        tokens = tokenizer(
            [texts[at] for at in part], padding=True, truncation=True, max_length=longest, return_tensors="pt"
        ).to(model.device)
        with torch.inference_mode():
            states = model(**tokens).last_hidden_state
        if pooling == "cls":
            pooled = states[:, 0]
        else:
            mask = tokens["attention_mask"].unsqueeze(-1)
            pooled = (states * mask).sum(1) / mask.sum(1)
        vectors[part] = pooled.cpu().numpy()
    return vectors
