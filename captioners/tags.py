"""The objects and the actions of a caption as lists: the Llama 3 tags of Open-Sora."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Literal

from pydantic import Field

from ..builder.contract.captions import INFO
from ..builder.contract.clip import Clip, Columns, Values
from ..builder.contract.engine import Engine
from ._ask import Captioner
from ._prompt import Prompt
from .structure.schema import a_list, a_text, an_object

_TAG_CHARS = 48  # a few words; what fills it is no tag


class Tags(Captioner):
    """Adds `objects` and `actions`: what a caption names, each once, in its order, in lower case.

    A clip without the caption is kept, with nulls. So is one whose bad answer is kept that holds no such lists.
    """

    fields: ClassVar[tuple[str, ...]] = ("caption",)

    use: Literal["tags"] = "tags"
    from_column: str = "caption"
    """The column of the caption."""
    prompt: Prompt = Field(default="tags", validate_default=True)
    """What it is asked: a prompt of the package by name, or a `.txt` file of your own with `{caption}`, where the
    caption goes."""
    mentions: Literal["clean", "retry", "keep"] = "keep"
    """As for other captioners, but kept: a frame may well be an object."""
    max_tags: int = Field(default=12, ge=1, le=100)
    """How many objects there may be, and how many actions."""

    def reads(self) -> Columns:
        return {self.from_column: "string"}

    def adds(self) -> Columns:
        return {"objects": ["string"], "actions": ["string"], "tags_info": INFO}

    async def make(self, clip: Clip, engine: Engine) -> Values:
        caption = (clip[self.from_column] or "").strip()
        if not caption:
            return {"objects": None, "actions": None, "tags_info": None}
        tags = a_list(a_text(_TAG_CHARS), at_most=self.max_tags)
        answer = await self.ask(engine, {"caption": caption}, schema=an_object({"objects": tags, "actions": tags}))
        lists = {name: answer.value and tidy(answer.value[name]) for name in ("objects", "actions")}
        return {**lists, "tags_info": answer.info}


def tidy(tags: Iterable[str]) -> list[str]:
    """In lower case, on one line, without blanks, repetitions, and what the schema cut off."""
    lines = (" ".join(tag.lower().split()).strip(" .,;") for tag in tags if len(tag) < _TAG_CHARS)
    return list(dict.fromkeys(line for line in lines if line))
