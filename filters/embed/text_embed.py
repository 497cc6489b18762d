"""How a recipe says that text becomes vectors: `embed: {use: hashing | sentence | transformers, ...}`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from ...builder.contract.model import ModelRef
from .cosine import Matrix
from .hashing import hashed


class HashingEmbed(BaseModel):
    """No model: the wording alone. Finds repeated and lightly edited texts, not paraphrases."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    requires: ClassVar[Mapping[str, str]] = {}

    use: Literal["hashing"]

    def vectors(self, texts: Sequence[str | None]) -> Matrix:
        """One row a text; zeros for a null or blank one."""
        return hashed(texts)

    def identity(self) -> dict[str, Any]:
        return {"use": self.use, "version": 1}


class SentenceEmbed(ModelRef):
    """A sentence-transformers model: the meaning of a text."""

    requires: ClassVar[Mapping[str, str]] = {"sentence_transformers": "models"}

    use: Literal["sentence"]
    batch: int = Field(64, gt=0)
    """Texts that go through the model at once."""

    def vectors(self, texts: Sequence[str | None]) -> Matrix:
        """One row a text; zeros for a null or blank one. RunError where the model cannot be loaded."""
        from .text_models import sentence_vectors

        return _blanked(texts, sentence_vectors(self, _given(texts), batch=self.batch))

    def identity(self) -> dict[str, Any]:
        return {"use": self.use, **super().identity()}


class TransformersEmbed(ModelRef):
    """An encoder of the transformers library; the paper's is google-bert/bert-base-uncased with `pooling: cls`."""

    requires: ClassVar[Mapping[str, str]] = {"torch": "models", "transformers": "models"}

    use: Literal["transformers"]
    pooling: Literal["cls", "mean"] = "cls"
    """The last layer's vector of the first token, or the mean of those of all tokens."""
    max_length: int = Field(512, gt=1)
    """Tokens after which a text is cut; the model's own limit where that is lower."""
    batch: int = Field(64, gt=0)
    """Texts that go through the model at once."""

    def vectors(self, texts: Sequence[str | None]) -> Matrix:
        """One row a text; zeros for a null or blank one. RunError where the model cannot be loaded."""
        from .text_models import encoder_vectors

        made = encoder_vectors(self, _given(texts), pooling=self.pooling, max_length=self.max_length, batch=self.batch)
        return _blanked(texts, made)

    def identity(self) -> dict[str, Any]:
        return {"use": self.use, "pooling": self.pooling, "max_length": self.max_length, **super().identity()}


TextEmbed = Annotated[HashingEmbed | SentenceEmbed | TransformersEmbed, Field(discriminator="use")]


def _given(texts: Sequence[str | None]) -> list[str]:
    return [text or "" for text in texts]


def _blanked(texts: Sequence[str | None], vectors: Matrix) -> Matrix:
    """Zeros where there is no text: a model has a vector for it, and all such clips would be duplicates of one."""
    vectors[[not (text or "").strip() for text in texts]] = 0
    return vectors
