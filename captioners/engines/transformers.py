"""A text encoder of the transformers library: a text as the vector of its first token, or of the mean of all."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from ...builder.contract.engine import Ask
from ...builder.contract.markers import Placement
from ._torch import TorchEngine


class Transformers(TorchEngine):
    """An encoder of the Hub or a local folder; the paper's is google-bert/bert-base-uncased with `pooling: cls`."""

    runtime: ClassVar[str] = "_transformers_engine"
    answers: ClassVar[frozenset[Ask]] = frozenset({"embed_texts"})

    use: Literal["transformers"] = "transformers"
    pooling: Literal["cls", "mean"] = "cls"
    """The last layer's vector of the first token, or the mean of those of all tokens."""
    max_length: int = Field(default=512, gt=1)
    """Tokens after which a text is cut; the model's own limit where that is lower."""
    in_flight: Placement[int] = Field(default=1024, ge=1)
    """Clips that a process of the engine works on at once."""
