"""One caption from the timed differential captions: the summary of ShareGPT4Video (arXiv 2406.04325), and its clip
summarizing, which captions any part of a clip from them without seeing it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from ..builder.contract.captions import INFO
from ..builder.contract.clip import Clip, Columns, Row, Values
from ..builder.contract.engine import Engine
from ..builder.contract.errors import ClipError, Reason
from ._ask import DIFF_CAPTIONS, Captioner
from ._prompt import Prompt

_UNFIT = frozenset({"refused", "repeated", "thinking"})


class Summarize(Captioner):
    """Adds one caption that a language model writes from `diff_captions`, of the whole clip or of a part of it.

    Captions that were kept though the model refused, repeated itself or only thought are passed over. A clip that has
    none to summarize is rejected as a bad caption (or its caption is null, where `bad` is keep).
    One that has none in the part asked for, because it ends before that, is kept: that caption is null.
    """

    fields: ClassVar[tuple[str, ...]] = ("captions",)

    use: Literal["summarize"] = "summarize"
    prompt: Prompt = Field(default="summarize", validate_default=True)
    """What it is asked: a prompt of the package by name (summarize where none is named, or summarize_range of a part
    of the clip), or a `.txt` file of your own with `{captions}`, where the differential captions go."""
    max_tokens: int = Field(default=1024, ge=1)
    """Tokens that an answer may have; one that needs more is cut off, which is found."""
    column: str = Field(default="caption", pattern=r"^[a-z][a-z0-9_]*$")
    """The column that the text goes to."""
    start_s: float | None = Field(default=None, ge=0)
    """Where the part begins, in seconds from the clip's start; left out, at the clip's start."""
    end_s: float | None = Field(default=None, gt=0)
    """Where it ends; left out, at the clip's end. The captions are those whose time overlaps the part."""

    @model_validator(mode="before")
    @classmethod
    def _prompt_of_part(cls, given: object) -> object:
        if not isinstance(given, dict):
            return given
        part = given.get("start_s") is not None or given.get("end_s") is not None
        return {"prompt": "summarize_range" if part else "summarize", **given}

    @model_validator(mode="after")
    def _check_part(self) -> Self:
        if self.start_s is not None and self.end_s is not None and self.start_s >= self.end_s:
            raise ValueError(
                f"start_s {self.start_s:g} is not before end_s {self.end_s:g}; give the earlier time first"
            )
        return self

    def reads(self) -> Columns:
        return {"diff_captions": DIFF_CAPTIONS}

    def adds(self) -> Columns:
        return {self.column: "string", f"{self.column}_info": INFO}

    async def make(self, clip: Clip, engine: Engine) -> Values:
        windows = [window for window in clip["diff_captions"] or [] if fit(window)]
        if not windows and self.bad == "reject":
            raise ClipError(Reason.BAD_CAPTION, "nothing to summarize: the clip has no differential captions")
        part = overlapping(windows, start_s=self.start_s, end_s=self.end_s)
        if not part:
            return {self.column: None, f"{self.column}_info": None}
        answer = await self.ask(engine, {"captions": "\n".join(line(window) for window in part)})
        return {self.column: answer.text, f"{self.column}_info": answer.info}


def fit(window: Row) -> bool:
    """Whether its caption says something of the clip."""
    return bool((window["caption"] or "").strip()) and (window["info"] or {}).get("status") not in _UNFIT


def overlapping(windows: Sequence[Row], *, start_s: float | None, end_s: float | None) -> list[Row]:
    """The windows that share time with [start_s, end_s); one of no length (a picture) that lies in it."""
    first, last = start_s or 0.0, float("inf") if end_s is None else end_s
    return [one for one in windows if one["start"] < last and (one["end"] > first or one["start"] >= first)]


def line(window: Row) -> str:
    """`0.0-2.0 s: what happens`; `0.0 s: what is there` for a picture."""
    start, end = f"{window['start']:.1f}", f"{window['end']:.1f}"
    when = start if window["start"] == window["end"] else f"{start}-{end}"
    return f"{when} s: {' '.join(window['caption'].split())}"
