"""How a recipe says that text becomes vectors: `embed: {use: hashing}`, or `embed: {engine: sentence}`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Tag

from ...builder.contract.clip import Clip, Columns, Values
from ...builder.contract.columns import Hidden
from ...builder.contract.engine import Ask, Engine, Vectors
from ...builder.contract.identity import Json
from ...builder.contract.step import ClipStep
from .chosen import by_engine
from .hashing import hashed


class HashingEmbed(BaseModel):
    """No model: the wording alone. Finds repeated and lightly edited texts, not paraphrases."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    engine: ClassVar[None] = None

    use: Literal["hashing"]

    async def vector(self, text: str, engine: Engine) -> Vectors:
        """Of a text that is not blank."""
        vector: Vectors = hashed([text])[0]
        return vector

    def identity(self) -> Json:
        return {"use": self.use, "version": 1}


class EngineEmbed(BaseModel):
    """An engine of the recipe that embeds texts, such as `sentence` or `transformers`: their meaning."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    engine: str
    """The engine, by its name in the recipe's `engines`."""

    async def vector(self, text: str, engine: Engine) -> Vectors:
        """Of a text that is not blank."""
        vector: Vectors = (await engine.embed_texts([text]))[0]
        return vector

    def identity(self) -> Json:
        return {"version": 1}


TextEmbed = Annotated[
    Annotated[HashingEmbed, Tag("hashing")] | Annotated[EngineEmbed, Tag("model")], by_engine("hashing", "sentence")
]


class TextEmbedding(ClipStep):
    """The vector of a text column, for a step that sees all clips and brings this one with it. Null where the text is
    null or blank.
    """

    asks: ClassVar[Ask] = "embed_texts"

    use: Literal["text_embedding"] = "text_embedding"
    column: str
    embed: TextEmbed

    @property
    def embedding(self) -> str:
        """The column of vectors."""
        return f"{self.column}_{'embedding' if self.embed.engine else 'hashing'}"

    def engine_name(self) -> str | None:
        return self.embed.engine

    def reads(self) -> Columns:
        return {self.column: "string"}

    def adds(self) -> Columns:
        return {self.embedding: Hidden(["float32"])}

    async def make(self, clip: Clip, engine: Engine) -> Values:
        text = clip[self.column] or ""
        return {self.embedding: await self.embed.vector(text, engine) if text.strip() else None}

    def identity(self) -> Json:
        return {"version": self.version, "use": self.use, "column": self.column, "embed": self.embed.identity()}
