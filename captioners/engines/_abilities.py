"""What a server can do, found out when a request of a kind fails that it has never answered: is it this request, or can
the server not do such a thing at all? Then no clip is rejected for it: the run ends with the option to change, or the
request is written in another form. Small requests tell, each with one thing more than the plainest; a server that
answers is never asked for them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from ...builder.contract.engine import Completion, Image, Message, Part, Request, Unable, Video
from ...builder.contract.identity import pixel_hash
from ._chat import Chat
from ._faults import Fault

if TYPE_CHECKING:
    from .openai import Openai

_TOKENS = 16  # the fewest that all servers take
_SIDE_PX = 64

Send = Callable[[Request], Awaitable[Completion | Fault]]


@dataclass(frozen=True, slots=True)
class Kind:
    """What a request asks of a server. `pictures`: how many; `several`: whether more than one."""

    system: bool
    schema: bool
    pictures: int

    @property
    def several(self) -> tuple[bool, bool, int]:
        """What is the same for a request with more or fewer of several pictures."""
        return self.system, self.schema, min(self.pictures, 2)


_PLAIN = Kind(system=False, schema=False, pictures=0)


def kind_of(request: Request) -> Kind:
    parts = [part for message in request.messages for part in message.parts]
    pictures = sum(len(part.frames) if isinstance(part, Video) else isinstance(part, Image) for part in parts)
    return Kind(any(message.role == "system" for message in request.messages), request.schema is not None, pictures)


class Abilities:
    """Of one server. `send`: sends a request once, in any form that is learned on the way."""

    def __init__(self, chat: Chat, send: Send, spec: Openai, address: str) -> None:
        self._chat, self._send, self._spec = chat, send, spec
        self._server = f"the engine openai, {address}: {spec.model}"
        self._answered = set[tuple[bool, bool, int]]()
        self._unable = dict[tuple[bool, bool, int], Unable]()
        self._asking = asyncio.Lock()

    def answered(self, request: Request) -> None:
        """The server has answered a request of this kind."""
        self._answered.add(kind_of(request).several)

    def has_answered(self, *, pictures: bool = False) -> bool:
        """Whether it has answered anything, or anything with pictures."""
        return any(count >= pictures for _, _, count in self._answered)

    async def cause(self, request: Request, fault: Fault, *, form: int) -> Fault:
        """What a fault of a request is due to: itself, where it is the request's own; `again` where another form than
        the one that was sent may be answered; `run` where the server answers nothing.

        Raises Unable where the server cannot do what is asked, whatever the clip.
        """
        kind = kind_of(request)
        async with self._asking:
            if self._chat.form != form:
                return Fault("again", fault.said)
            if kind.several in self._unable:
                raise self._unable[kind.several]
            if kind.several in self._answered:
                return fault
            try:
                return await self._looked_for(request, kind, fault)
            except Unable as error:
                self._unable[kind.several] = error
                raise

    async def _looked_for(self, request: Request, kind: Kind, fault: Fault) -> Fault:
        if refused := await self._refusal(request, _PLAIN):
            if refused.kind not in ("clip", "run"):
                return fault
            said = f"{self._server} answers not even the plainest request: {refused.said}"
            return Fault("run", f"{said}; see which of the engine's options it does not take (omit, extra_body)")
        folded = kind.system and await self._refusal(request, replace(_PLAIN, system=True)) is not None
        if folded:
            self._chat.fold()
        for pictures in sorted({min(kind.pictures, 1), kind.pictures} - {0}):
            if refused := await self._refusal(request, replace(_PLAIN, pictures=pictures)):
                many = f"{pictures} pictures in one request" if pictures > 1 else "pictures"
                raise Unable(f"{self._server} takes no {many}: {refused.said}", "several" if pictures > 1 else "one")
        if kind.schema and (refused := await self._refusal(request, replace(_PLAIN, schema=True))):
            other = "json_object, or prompt," if self._spec.guided == "json_schema" else "prompt"
            said = f"{self._server} does not answer under guided: {self._spec.guided}: {refused.said}"
            raise Unable(f"{said}; set guided: {other} in the engine", "schema")
        self._answered.add(kind.several)
        return Fault("again", fault.said) if folded else fault

    async def _refusal(self, request: Request, kind: Kind) -> Fault | None:
        """Why the server does not answer a small request of a kind; a failure that may pass is tried twice."""
        small = _small(request, kind)
        if isinstance(first := await self._send(small), Completion):
            return None
        if first.kind == "clip":
            return first
        again = await self._send(small)
        return None if isinstance(again, Completion) else again


def plainest(request: Request) -> Request:
    """A request that samples as another does, and that any server which answers at all can answer."""
    return _small(request, _PLAIN)


def _small(request: Request, kind: Kind) -> Request:
    """A request that samples as another does, of a kind."""
    parts: list[Part] = [_picture(number) for number in range(kind.pictures)]
    turns = (Message("user", (*parts, "Answer with a JSON object." if kind.schema else "Say yes.")),)
    system = (Message("system", ("You answer briefly.",)),) if kind.system else ()
    return replace(
        request, messages=(*system, *turns), max_tokens=_TOKENS, schema=request.schema if kind.schema else None
    )


@cache
def _picture(number: int) -> Image:
    pixels = np.full((_SIDE_PX, _SIDE_PX, 3), 64 + number % 128, np.uint8)
    return Image(pixels, pixel_hash(pixels))
