"""A request in the words of the chat protocol, and the two words in which servers differ."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ...builder.contract.engine import Image, Message, Part, Request
from ...builder.contract.identity import Json
from ._data_urls import DataUrls
from ._template import template_arguments

if TYPE_CHECKING:
    from .openai import Openai

_BOUNDS = frozenset({"minLength", "maxLength", "minItems", "maxItems"})
_NO_TEMPLATE = re.compile(r"chat_template|enable_thinking", re.IGNORECASE)
_NOT_PERMITTED = re.compile(rf"\b({'|'.join(sorted(_BOUNDS))})\b.{{0,200}}? not permitted")


class Chat:
    """Writes the bodies of requests for one server, and remembers how it wants them.

    Newer models of OpenAI want the limit of tokens by another name, and its strict schemas did not always take bounds
    of lengths. Neither changes what a model is asked or how it samples: without those bounds, the limit of tokens is
    what ends an answer. OpenAI and others know no arguments of a chat template: where the recipe names none, they are
    left out there. All of that is learned from the server's first error.
    """

    def __init__(self, spec: Openai) -> None:
        self._spec = spec
        self._urls = DataUrls(spec.image_format)
        self._limit = "max_tokens"
        self._bounds = True
        self._template = True
        self._folds = False
        self.form = 0
        """How often it has learned something: a request of an earlier form is worth sending again."""

    def fold(self) -> None:
        """The model knows no system turn: from now on its text stands before that of the user's first turn."""
        self._folds = True
        self.form += 1

    async def body(self, request: Request) -> Json:
        """The JSON of a chat completion. `top_p` is always there: a server's own default is that of the model."""
        sampling = {
            "temperature": request.temperature,
            "top_p": request.top_p,
            "seed": request.seed,
            **({"stop": list(request.stop)} if request.stop else {}),
        }
        messages = request.messages if self._spec.guided == "json_schema" else _with_schema(request)
        messages = folded(messages) if self._folds else messages
        body = {
            "model": self._spec.model,
            "messages": [await self._turn(message) for message in messages],
            self._limit: request.max_tokens,
            **{name: value for name, value in sampling.items() if name not in self._spec.omit},
            **({"chat_template_kwargs": template_arguments(self._spec.chat_template_kwargs)} if self._template else {}),
            **self._spec.extra_body,
        }
        if request.schema is not None and self._spec.guided == "json_object":
            body["response_format"] = {"type": "json_object"}
        if request.schema is not None and self._spec.guided == "json_schema":
            schema = dict(request.schema) if self._bounds else _unbounded(request.schema)
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "caption", "schema": schema, "strict": True},
            }
        return body

    def learn(self, body: Json, complaint: str) -> bool:
        """Whether another form of this body, which the server has refused so, is worth trying."""
        learned = self._learned(body, complaint)
        self.form += learned
        return learned

    def _learned(self, body: Json, complaint: str) -> bool:
        if "max_tokens" in body and "max_completion_tokens" in complaint:
            self._limit = "max_completion_tokens"
            return True
        if "chat_template_kwargs" in body and not self._spec.chat_template_kwargs and _NO_TEMPLATE.search(complaint):
            self._template = False
            return True
        if "json_schema" in body.get("response_format", {}) and _NOT_PERMITTED.search(complaint):
            self._bounds = False
            schema = body["response_format"]["json_schema"]["schema"]
            return bool(_unbounded(schema) != schema)
        return False

    async def _turn(self, message: Message) -> Json:
        match message.parts:
            case (str() as text,):  # the form that every server and every chat template knows
                return {"role": message.role, "content": text}
        content = [written for part in message.parts for written in await self._written(part)]
        return {"role": message.role, "content": content}

    async def _written(self, part: Part) -> list[Json]:
        if isinstance(part, str):
            return [{"type": "text", "text": part}]
        if isinstance(part, Image):
            url = {"url": await self._urls.of(part), "detail": self._spec.detail}
            return [{"type": "image_url", "image_url": url}]
        written = []
        for frame, time in zip(part.frames, part.times, strict=True):
            written += [{"type": "text", "text": f"At {time:.1f} s:"}, *await self._written(frame)]
        return written


def folded(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The conversation without a system turn: its text begins the user's first turn, with a blank line after it."""
    system = [part for message in messages if message.role == "system" for part in message.parts]
    first, *others = [message for message in messages if message.role != "system"]
    if not system:
        return tuple(messages)
    if isinstance(first.parts[0], str):
        parts: tuple[Part, ...] = (*system[:-1], f"{system[-1]}\n\n{first.parts[0]}", *first.parts[1:])
    else:
        parts = (*system[:-1], f"{system[-1]}\n\n", *first.parts)
    return (replace(first, parts=parts), *others)


def _with_schema(request: Request) -> tuple[Message, ...]:
    """The conversation with the schema at the end of its last turn, for a server that does not decode under it."""
    if request.schema is None:
        return request.messages
    *before, last = request.messages
    told = (
        f"\n\nAnswer with one JSON object that fits this JSON Schema, and nothing else:\n{json.dumps(request.schema)}"
    )
    return (*before, replace(last, parts=(*last.parts, told)))


def _unbounded(schema: object) -> object:
    """A schema without bounds of lengths. Names of properties are kept, whatever they are."""
    if isinstance(schema, Mapping):
        return {
            name: {key: _unbounded(inner) for key, inner in value.items()}
            if name == "properties"
            else _unbounded(value)
            for name, value in schema.items()
            if name not in _BOUNDS
        }
    return [_unbounded(inner) for inner in schema] if isinstance(schema, list) else schema
