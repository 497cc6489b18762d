"""Any questions to any model that sees pictures, answered as typed columns: what a corpus is judged or sorted by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ..builder.contract.captions import INFO
from ..builder.contract.clip import Clip, Columns, Row, Values
from ..builder.contract.conditions import shown
from ..builder.contract.engine import Engine
from ..builder.contract.errors import Reason, Rejection
from ..builder.contract.frames import Sampling
from ..builder.contract.identity import Json
from ..builder.contract.markers import Judges
from ._answers_wanted import TEXT_CHARS, Answers, Kept, allowed
from ._ask import Captioner
from ._pictures import FrameSize, images_of, places
from ._prompt import Prompt, PromptText
from .quality.languages import Language
from .structure.schema import an_object, whole


class Ask(Captioner):
    """Adds a column for each of the `answers`, from one request about a few frames: true or false, one of the choices
    or several, a whole number, a text. Decoded under a schema, so that each can be read. Null where a bad answer is
    kept that does not fit.
    """

    fields: ClassVar[tuple[str, ...]] = ("questions",)
    one_picture: ClassVar[str] = "at: [0.5]"

    use: Literal["ask"] = "ask"
    name: str = Field(default="ask", pattern=r"^[a-z][a-z0-9_]*$")
    """How the answers were made stands in the column `<name>_info`."""
    prompt: Prompt = Field(default="ask", validate_default=True)
    """How it is asked: a prompt of the package by name, or a `.txt` file of your own with `{questions}`, where the
    questions go, a line each."""
    answers: Answers
    """The columns, each with its type, or with a question and a type: `watermark: bool`, `kind: [film, game, slides]`,
    `quality: {question: How good is the picture?, type: 1..5}`. They are answered in this order, so a text before the
    others is what these are thought through by."""
    keep: Judges[Mapping[str, Kept]] = Field(default={})
    """Answers of the clips that are kept, others are dropped: `{watermark: false, kind: [film, game], quality: 3..5}`.
    What is not here is judged by nothing. Another choice asks the model nothing again."""
    at: tuple[Annotated[float, Field(ge=0, le=1)], ...] = Field(default=(), max_length=64)
    """Fractions of the clip, from 0 (its first frame) to 1 (its last): [0.1, 0.5, 0.9]."""
    centres: int | None = Field(default=None, ge=1, le=64)
    """How many frames, of the middles of so many equal parts of the clip. One of `at` and `centres`."""
    size: FrameSize = FrameSize(short_side_px=336)
    """How large they are."""
    mentions: Literal["clean", "retry", "keep"] = "keep"
    """As for other captioners, but kept: an answer may well be about the video."""
    language: Language | None = None
    """The language of texts among the answers, as for other captioners; null: any."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        places(self.at, self.centres)
        if f"{self.name}_info" in self.answers:
            raise ValueError(f"{self.name}_info is the column that says how the answers were made; rename that answer")
        for name, kept in self.keep.items():
            if name not in self.answers:
                raise ValueError(f'keep: "{name}" is none of the answers, which are {", ".join(self.answers)}')
            if problem := self.answers[name].misfit(kept):
                raise ValueError(f"keep: {name}: {problem}")
        return self

    def adds(self) -> Columns:
        columns = {name: wanted.column() for name, wanted in self.answers.items()}
        return {**columns, f"{self.name}_info": INFO}

    def samplings(self, row: Row) -> tuple[Sampling, ...]:
        return (self.size.sampling(fractions=places(self.at, self.centres)),)

    async def make(self, clip: Clip, engine: Engine) -> Values:
        _, images = images_of(clip, *self.samplings(clip.row))
        schema = an_object({name: wanted.schema_of() for name, wanted in self.answers.items()})
        answer = await self.ask(engine, media=images, prompt=self._asked(), schema=schema)
        values = {name: answer.value and _tidy(answer.value[name]) for name in self.answers}
        return {**values, f"{self.name}_info": answer.info}

    def verdict(self, row: Row) -> Rejection | None:
        for name, kept in self.keep.items():
            if row[name] is not None and row[name] not in allowed(kept):
                said = f"{name} {shown(row[name])}: keep {shown(kept)}"
                return Rejection(Reason.EXCLUDED, said, f"keep.{name}")
        return None

    def identity(self) -> Json:
        """The questions as they are asked."""
        return {**super().identity(), "asked": self._asked().text}

    def prompts(self) -> dict[str, str]:
        asked = self._asked()
        return {asked.name: asked.text}

    def _asked(self) -> PromptText:
        """The prompt with the questions in it."""
        lines = "\n".join(wanted.told(name) for name, wanted in self.answers.items())
        return PromptText(f"{self.prompt.name}_{self.name}", self.prompt.text.replace("{questions}", lines))


def _tidy(value: bool | int | str | list[str]) -> bool | int | str | list[str]:
    if isinstance(value, list):
        return list(dict.fromkeys(value))
    return whole(value, TEXT_CHARS) if isinstance(value, str) else value
