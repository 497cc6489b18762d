"""A short prompt as a dense caption, and back: the prompt re-captioning of ShareCaptioner-Video (arXiv 2406.04325)."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from ..builder.contract.captions import INFO
from ..builder.contract.clip import Clip, Columns, Values
from ..builder.contract.engine import Engine
from ._ask import Captioner
from ._prompt import Prompt


class Rewrite(Captioner):
    """Adds a text that a language model makes of another text, without seeing the clip. Captions made short beside the
    captions themselves are the pairs that a re-captioner is trained on.

    A clip without the text is kept, with a null: not every clip of a corpus comes with one.
    """

    fields: ClassVar[tuple[str, ...]] = ("text",)

    use: Literal["rewrite"] = "rewrite"
    from_column: str
    """The column of the text, such as source_caption."""
    to: Literal["dense", "short"] = "dense"
    """dense: a detailed caption of the kind that the dataset has. short: what a user might type to get the clip."""
    prompt: Prompt = Field(default="rewrite", validate_default=True)
    """What it is asked: a prompt of the package by name (where none is named, rewrite, or rewrite_short for
    `to: short`), or a `.txt` file of your own with `{text}`, where the text goes."""
    column: str = Field(default="caption", pattern=r"^[a-z][a-z0-9_]*$")
    """The column that the new text goes to."""

    @model_validator(mode="before")
    @classmethod
    def _prompt_of_direction(cls, given: object) -> object:
        if not isinstance(given, dict):
            return given
        return {"prompt": "rewrite_short" if given.get("to") == "short" else "rewrite", **given}

    @model_validator(mode="after")
    def _check_columns(self) -> Self:
        if self.column == self.from_column:
            raise ValueError(
                f'the new text cannot go to the column "{self.column}", where the old one is; name another, such as '
                f"column: {self.from_column}_{self.to}"
            )
        return self

    def reads(self) -> Columns:
        return {self.from_column: "string"}

    def adds(self) -> Columns:
        return {self.column: "string", f"{self.column}_info": INFO}

    async def make(self, clip: Clip, engine: Engine) -> Values:
        text = (clip[self.from_column] or "").strip()
        if not text:
            return {self.column: None, f"{self.column}_info": None}
        answer = await self.ask(engine, {"text": text})
        return {self.column: answer.text, f"{self.column}_info": answer.info}
