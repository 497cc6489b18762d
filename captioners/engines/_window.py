"""The window that requests pass through to a server: how many at once, how many a minute, and not now."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

from ._limit import Limit

MAX_PAUSE_S = 120.0
"""The longest that a server's Retry-After is obeyed for."""


@dataclass(slots=True)
class Place:
    """A request's place at the server. Who holds it says how it ended; `other` tells nothing about the server."""

    sent: float
    sent_after: int
    ended: Literal["done", "busy", "failed", "other"] = "other"
    retry_after_s: float | None = None


class Window:
    """Lets requests through in the order in which they came. On one event loop, whose clock is the only one used."""

    def __init__(self, *, most: int, per_minute: float | None = None) -> None:
        self.limit = Limit(most)
        self._gap_s = 60 / per_minute if per_minute else 0.0
        self._inside = 0
        self._waiting = deque[asyncio.Future[None]]()
        self._next = 0.0  # the loop's time before which no request is sent: for the rate, and for a pause
        self._paused_until = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def place(self) -> AsyncIterator[Place]:
        """Wait for a place, and hold it until the request has ended."""
        await self._enter()
        place = Place(asyncio.get_running_loop().time(), self.limit.decreases)
        try:
            yield place
        finally:
            self._leave(place)

    async def _enter(self) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._admit()
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # let in, and cancelled before it knew: its place is another's
                self._inside -= 1
                self._admit()
            raise

    def _leave(self, place: Place) -> None:
        now = asyncio.get_running_loop().time()
        if place.ended == "done":
            self.limit.done(now, sent=place.sent, full=self._inside >= self.limit.value)
        elif place.ended != "other":
            rest_s = self.limit.trouble(now, busy=place.ended == "busy", sent_after=place.sent_after)
            asked_s = min(place.retry_after_s or 0.0, MAX_PAUSE_S)
            self._paused_until = max(self._paused_until, now + max(rest_s or 0.0, asked_s))
        self._inside -= 1
        self._admit()

    def _admit(self) -> None:
        """Let in whoever may; where only time is in the way, come back then."""
        loop = asyncio.get_running_loop()
        while self._waiting and self._inside < self.limit.value:
            now, due = loop.time(), max(self._next, self._paused_until)
            if now < due:
                self._timer = self._timer or loop.call_at(due, self._on_time)
                break
            turn = self._waiting.popleft()
            if not turn.cancelled():
                turn.set_result(None)
                self._inside += 1
                self._next = now + self._gap_s

    def _on_time(self) -> None:
        self._timer = None
        self._admit()
