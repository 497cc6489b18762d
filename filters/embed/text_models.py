"""Text encoders on torch, each loaded once a process; on a GPU where torch finds one, in float32 everywhere."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from ...builder.contract.errors import RunError
from ...builder.contract.model import ModelRef
from .cosine import Matrix


def sentence_vectors(ref: ModelRef, texts: Sequence[str], *, batch: int) -> Matrix:
    """Vectors (n, d) of a sentence-transformers model."""
    model = _sentence_model(ref)
    made = model.encode(list(texts), batch_size=batch, show_progress_bar=False, convert_to_numpy=True)
    return np.array(made, np.float32)


def encoder_vectors(
    ref: ModelRef, texts: Sequence[str], *, pooling: Literal["cls", "mean"], max_length: int, batch: int
) -> Matrix:
    """Vectors (n, d): the last hidden layer at the first token, or its mean over the text's tokens."""
    tokenizer, model = _encoder(ref)
    import torch

    longest = min(max_length, tokenizer.model_max_length)
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


@functools.lru_cache(maxsize=2)
def _sentence_model(ref: ModelRef) -> Any:
    _quiet()
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise RunError(_INSTALL) from error
    try:
        return SentenceTransformer(ref.model, **ref.load_arguments()).float().eval()
    except _CANNOT_LOAD as error:
        raise _not_loaded(ref, error) from error


@functools.lru_cache(maxsize=2)
def _encoder(ref: ModelRef) -> tuple[Any, Any]:
    _quiet()
    import torch
    from transformers import AutoModel, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(ref.model, padding_side="right", **ref.load_arguments())
        model, found = AutoModel.from_pretrained(ref.model, output_loading_info=True, **ref.load_arguments())
        config = model.config
        if config.is_encoder_decoder or tokenizer.pad_token is None or not hasattr(config, "hidden_size"):
            raise ValueError("it is no text encoder; name one, such as google-bert/bert-base-uncased")
        # a pooler is not used, and masked language models come without; any other weight would be random
        if lacking := [name for name in found["missing_keys"] if not name.startswith("pooler.")]:
            raise ValueError(f"it lacks weights, such as {min(lacking)}")
    except _CANNOT_LOAD as error:
        raise _not_loaded(ref, error) from error
    return tokenizer, model.float().eval().to("cuda" if torch.cuda.is_available() else "cpu")


_INSTALL = 'semantic_dedup: this `embed` needs torch and its libraries; pip install "shotscribe[models]"'
_CANNOT_LOAD = (ImportError, OSError, RuntimeError, ValueError)


def _quiet() -> None:
    """No progress bar a weight. RunError where the libraries are missing."""
    try:
        import torch  # noqa: F401
        import transformers
    except ImportError as error:
        raise RunError(_INSTALL) from error
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()


def _not_loaded(ref: ModelRef, error: Exception) -> RunError:
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return RunError(f"semantic_dedup: cannot load the model {ref.model}: {reason}")
