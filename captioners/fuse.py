"""Prose from the structured caption: the caption fusion of SkyCaptioner-V1 (SkyReels-V2, arXiv 2504.13074)."""

from __future__ import annotations

import json
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from ..builder.contract.captions import INFO
from ..builder.contract.clip import Clip, Columns, Values
from ..builder.contract.engine import Engine
from ..builder.contract.errors import ClipError, Reason
from ._ask import Captioner
from ._prompt import Prompt
from .structure.fusion import Mode, camera_sentence, dropout, told_of
from .structure.shots import STRUCTURE


class Fuse(Captioner):
    """Adds a caption that a language model writes from `structure`, without seeing the clip. How the camera moves is
    not left to the model: it follows as a sentence of its own.

    A clip whose structure leaves nothing to write about is rejected as a bad caption (or its caption is null, where
    `bad` is keep).
    """

    fields: ClassVar[tuple[str, ...]] = ("structure",)

    use: Literal["fuse"] = "fuse"
    mode: Mode = "t2v"
    """t2v: everything, the shot first. i2v, for models that are given the first frame: what the subjects do and the
    looks on their faces; where none of them does anything, the shot, the environment and the lighting."""
    prompt: Prompt = Field(default="fuse_t2v", validate_default=True)
    """What it is asked: a prompt of the package by name (fuse_t2v or fuse_i2v where none is named, as the mode is), or
    a `.txt` file of your own with `{structure}`, where the fields go."""
    temperature: float = Field(default=0.1, ge=0, le=2)
    """As published."""
    column: str = Field(default="caption", pattern=r"^[a-z][a-z0-9_]*$")
    """The column that the text goes to."""
    field_dropout: float = Field(default=0.0, ge=0, le=1)
    """Share of the subjects' appearances and positions, and of the lightings, that the model is not told, for captions
    that do not always say everything (SkyReels-V2: 0.1). Which ones depends on the clip's id and on `seed` alone."""

    @model_validator(mode="before")
    @classmethod
    def _prompt_of_mode(cls, given: object) -> object:
        if not isinstance(given, dict):
            return given
        return {"prompt": "fuse_i2v" if given.get("mode") == "i2v" else "fuse_t2v", **given}

    def reads(self) -> Columns:
        return {"clip_id": "string", "structure": STRUCTURE}

    def adds(self) -> Columns:
        return {self.column: "string", f"{self.column}_info": INFO}

    async def make(self, clip: Clip, engine: Engine) -> Values:
        structure = clip["structure"] or {}
        drops = dropout(self.field_dropout, seed=self.seed, clip_id=clip["clip_id"])
        # what is dropped is never all that there is
        told = told_of(structure, mode=self.mode, drops=drops) or told_of(structure, mode=self.mode, drops=_nothing)
        if not told:
            if self.bad == "keep":
                return {self.column: None, f"{self.column}_info": None}
            raise ClipError(Reason.BAD_CAPTION, "nothing to fuse: structure has no subject, shot, environment or light")
        answer = await self.ask(engine, {"structure": json.dumps(told, indent=1, ensure_ascii=False)}, stop=("\n\n",))
        camera = camera_sentence(structure)
        text = f"{answer.text} {camera}" if answer.text and camera else answer.text
        return {self.column: text, f"{self.column}_info": answer.info}


def _nothing(place: str) -> bool:
    return False
