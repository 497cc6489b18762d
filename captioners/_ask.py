"""What all captioners that ask a model share: their options, and asking until the answer is fit to be kept.

An answer is judged (`quality/judged.py`), and one that is not ok is asked for again: another seed, a temperature of at
least 0.3 (0 would say the same again), and twice the tokens where it was cut off. What is still bad after `retries` is
rejected, or kept with its status, as the recipe says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ..builder.contract.captions import INFO
from ..builder.contract.clip import Row, Values
from ..builder.contract.engine import Completion, Engine, Image, Part, Request, Unable, Video
from ..builder.contract.errors import ClipError, Reason, RunError
from ..builder.contract.identity import Json
from ..builder.contract.step import ClipStep
from ..builder.contract.text import clean, cleaned
from ._prompt import Prompt, PromptText
from .quality.judged import TALK, Policy, Status, judged
from .quality.languages import Language

_RETRY_TEMPERATURE = 0.3

_ADVICE: dict[Status, str] = {
    "thinking": "; chat_template_kwargs of the engine turn thinking off, by the words of the model's own template; "
    "where pieces of tokens are left, the server's tokenizer is not the model's",
    "language": "; the step's option language says which one is wanted, null lets any pass",
}

DIFF_CAPTIONS = [{"start": "float64", "end": "float64", "caption": "string", "info": {**INFO}}]
"""The column `diff_captions`: a caption a window, in time order. `start` and `end`: seconds from the clip's start, of
the window's frames; `caption`: what changes from the one to the other (of the first, what is there); `info`: how it was
made."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`text`: tidied, one clean line; `value`: the parsed answer where a schema was given, else None; `info`: the
    columns of INFO.
    """

    text: str
    value: Any
    info: Values

    @property
    def status(self) -> Status:
        status: Status = self.info["status"]
        return status


class Captioner(ClipStep):
    """Base of the captioners that ask a model. `fields`: what their prompt's text must have places for."""

    version: ClassVar[int] = 4
    fields: ClassVar[tuple[str, ...]] = ()
    one_picture: ClassVar[str] = ""
    """The option by which it shows one picture, where it has one."""
    without_video: ClassVar[str] = ""
    """The same of one that shows a video: what to do where the model takes none."""

    engine: str
    """The engine that answers, by its name in the recipe's `engines`."""
    prompt: Prompt
    """What it is asked: a prompt of the package by name, or a `.txt` file of your own."""
    max_tokens: int = Field(default=512, ge=1)
    """Tokens that an answer may have; one that needs more is cut off, which is found."""
    temperature: float = Field(default=0.0, ge=0, le=2)
    """How freely the answer's words are chosen; 0 takes the likeliest each time."""
    seed: int = Field(default=0, ge=0)
    """Where chance begins, the same for every clip; each try of a bad answer takes the next."""
    retries: int = Field(default=2, ge=0, le=10)
    """How often a bad answer is asked for again."""
    bad: Literal["reject", "keep"] = "reject"
    """What becomes of a clip whose caption is still bad: rejected, or kept with the caption's status."""
    mentions: Policy = "clean"
    """Openings such as "The video shows", talk of frames or timestamps, offers such as "Would you like me to ...", and
    lists. `clean`: taken out where that leaves a sentence; else the caption is asked for again, and at last kept with
    the status `mentions`, `chat` or `list`. `retry`: asked for again, and at last bad. `keep`: left alone."""
    language: Language | None = "en"
    """The language of the captions: en, zh, ja, de, fr, es or pt. One in another language, or that changes halfway, is
    asked for again, and at last bad (`language`). All prompts of the package ask in English. `null`: any, as long as
    it does not change."""

    @model_validator(mode="after")
    def _check_prompt(self) -> Self:
        if problem := self.prompt.lacking(self.fields):
            raise ValueError(problem)
        return self

    def engine_name(self) -> str | None:
        return self.engine

    def prompts(self) -> Mapping[str, str]:
        return {prompt.name: prompt.text for prompt in self._texts().values()}

    def identity(self) -> Json:
        """Prompts by their texts; the engine by what it is (the plan adds that), not by its name in the recipe."""
        texts = {name: prompt.text for name, prompt in self._texts().items()}
        made = {name: value for name, value in super().identity().items() if name != "engine" and name not in texts}
        return {**made, "prompts": texts}

    def _texts(self) -> dict[str, PromptText]:
        """The prompts among its options, by the names of the options."""
        given = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: value for name, value in given.items() if isinstance(value, PromptText)}

    async def ask(
        self,
        engine: Engine,
        values: Mapping[str, str] | None = None,
        media: Sequence[Part] = (),
        *,
        prompt: PromptText | None = None,
        schema: Row | None = None,
        stop: tuple[str, ...] = (),
    ) -> Answer:
        """Ask about one clip until the answer is good. `values`: of the prompt's fields; `media`: what the model sees.

        `prompt`: another than the captioner's own. Raises ClipError: bad_caption where `bad` is reject, and what the
        engine raises.
        """
        asked = prompt or self.prompt
        messages = asked.messages(values or {}, media)
        max_tokens, made = self.max_tokens, list[Completion]()
        for attempt in range(self.retries + 1):
            temperature = max(self.temperature, _RETRY_TEMPERATURE) if attempt else self.temperature
            request = Request(
                messages, max_tokens, temperature=temperature, seed=self.seed + attempt, stop=stop, schema=schema
            )
            try:
                made.append(await engine.complete(request))
            except Unable as error:
                raise RunError(f"{self.use}: {error}{self._instead(error.what)}") from error
            except ClipError as error:
                if not made or error.rejection.reason != Reason.CONTEXT_OVERFLOW:
                    raise
                break  # there is no room for more tokens: what was cut off is judged as it is
            text, value, status = judged(made[-1], schema=schema, mentions=self.mentions, language=self.language)
            if status == "ok":
                break
            if status == "truncated":
                max_tokens *= 2
        tolerated = status in TALK and self.mentions == "clean"
        if status != "ok" and not tolerated and self.bad == "reject":
            said = " ".join(made[-1].text.split())[:120]
            raise ClipError(Reason.BAD_CAPTION, f"{status} after {len(made)} tries: {said!r}{_ADVICE.get(status, '')}")
        info = {
            "status": status,
            "model": engine.model,
            "revision": engine.revision,
            "prompt": asked.hash,
            "frames": [image.hash for part in media for image in _images(part)],
            "seed": self.seed + len(made) - 1,
            "input_tokens": sum(one.input_tokens for one in made),
            "output_tokens": sum(one.output_tokens for one in made),
            "tries": len(made),
            "request": request.key(),
            "hash": "",  # the run binds it to the clip
        }
        return Answer(clean(text), cleaned(value), info)

    def _instead(self, what: str) -> str:
        """What to change where an engine cannot do what is asked of it."""
        if what == "video":
            return f"; {self.without_video}, or use another model"
        if what == "several":
            one = f"set {self.one_picture}, or " if self.one_picture else "no option of this step shows fewer: "
            limit = "limit_mm_per_prompt of the engine vllm, --limit-mm-per-prompt of vllm serve"
            return f"; {one}use a model that takes more, or raise the limit ({limit})"
        return "; use another model, or start the server with the model's vision part" if what == "one" else ""


def _images(part: Part) -> Sequence[Image]:
    if isinstance(part, Image):
        return [part]
    return part.frames if isinstance(part, Video) else []
