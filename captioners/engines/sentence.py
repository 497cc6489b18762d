"""A sentence-transformers model: the meaning of a text as a vector."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from ...builder.contract.engine import Ask
from ...builder.contract.markers import Placement
from ._torch import TorchEngine


class Sentence(TorchEngine):
    """A sentence-transformers model of the Hub or a local folder."""

    runtime: ClassVar[str] = "_sentence_engine"
    answers: ClassVar[frozenset[Ask]] = frozenset({"embed_texts"})
    modules: ClassVar[tuple[str, ...]] = ("torch", "sentence_transformers")

    use: Literal["sentence"] = "sentence"
    in_flight: Placement[int] = Field(default=1024, ge=1)
    """Clips that a process of the engine works on at once."""
