"""A running openai engine: the only module that imports openai."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from ...builder.contract.engine import Completion, Engine, Request
from ...builder.contract.errors import ClipError, Reason, RunError
from ...builder.contract.identity import Json
from . import _answers
from ._abilities import Abilities, kind_of, plainest
from ._chat import Chat
from ._faults import Fault, Server
from ._outage import Outage
from ._window import Window
from .openai import Openai, key_in

if TYPE_CHECKING:
    from openai import AsyncOpenAI


_DEALT_WITH = ("clip", "large", "refused", "again")  # the server is there, and has looked at the request
_NO_KEY = "none"  # the openai package wants one, and servers that need none ignore it
_CONNECT_S = 10.0
_BACKOFF_S, _LONGEST_BACKOFF_S, _LONGEST_KNOCK_S = 0.5, 30.0, 5.0


async def started(spec: Openai, say: Callable[[str], None]) -> Engine:
    """A client of the server, which is not asked for anything yet. Raises RunError."""
    try:
        from openai import AsyncOpenAI, Timeout
    except ImportError as error:
        raise RunError(f'the engine openai cannot be imported: {error}; pip install "shotscribe[openai]"') from error
    key = key_in(spec.key_env)
    client = AsyncOpenAI(
        api_key=key or _NO_KEY,
        base_url=spec.base_url,
        max_retries=0,  # tries are counted here, and the window hears of every fault
        timeout=Timeout(None, connect=min(_CONNECT_S, spec.timeout_s / 2)),
    )
    address = str(client.base_url.copy_with(userinfo=b"", query=None, fragment=None)).rstrip("/")
    return _Running(spec, client, Server(address, spec.model, spec.key_env, key), say)


class _Running(Engine):
    def __init__(self, spec: Openai, client: AsyncOpenAI, server: Server, say: Callable[[str], None]) -> None:
        self.model: str = spec.shown
        self.revision: str | None = spec.revision
        self.slots: int | None = None
        self._spec, self._client, self._server = spec, client, server
        self._chat = Chat(spec)
        self._abilities = Abilities(self._chat, self._tried, spec, server.address)
        self._window = Window(most=spec.max_in_flight, per_minute=spec.requests_per_minute)
        self._prices: _answers.Prices | None = None
        if spec.input_price is not None and spec.output_price is not None:
            self._prices = (spec.input_price, spec.output_price)
        self._outage = Outage(server, patience_s=spec.patience_s, say=say)
        self._asking = asyncio.Lock()
        self._over: str | None = None  # why no request can be served any more

    async def complete(self, request: Request) -> Completion:
        failures = knocks = 0
        waited = False  # for a server that answered nobody: what was sent to it meanwhile is no try
        while True:
            form = self._chat.form
            outcome = await self._once(request)
            if isinstance(outcome, Completion):
                self._abilities.answered(request)
                return outcome
            outcome = await self._understood(request, outcome, form, last=failures == self._spec.tries - 1)
            if outcome.kind == "run":
                self._over = outcome.said
                raise RunError(outcome.said)
            if outcome.kind == "clip":
                raise ClipError(outcome.reason, outcome.said)
            if outcome.kind == "again":
                continue
            foreign = outcome.kind == "foreign" and not self._abilities.has_answered()
            if outcome.kind == "unreachable" or not (foreign or await self._answers_others(request)):
                knocks, waited = knocks + 1, True
                await asyncio.sleep(_backoff(knocks, longest=_LONGEST_KNOCK_S))
                continue
            if waited:
                waited = False
                continue
            failures += 1
            if failures == self._spec.tries:
                if foreign:
                    raise RunError(self._server.foreign(outcome))
                raise ClipError(outcome.reason, f"{outcome.said} (tries: {failures})")
            if outcome.retry_after_s is None:  # else the window waits
                await asyncio.sleep(_backoff(failures, longest=_LONGEST_BACKOFF_S))

    async def _answers_others(self, request: Request) -> bool:
        """Whether the server answers at all, so that a failure is this request's own: where nobody is answered after
        it, the plainest request finds out, one for all that wait.
        """
        since = time.monotonic()
        async with self._asking:
            known = self._outage.is_over(since=since)
            if known is None:
                outcome = await self._tried(plainest(request))
                if isinstance(outcome, Fault) and outcome.kind not in _DEALT_WITH:
                    self._outage.found_down(time.monotonic())
                    return False
            return known is not False

    async def _understood(self, request: Request, fault: Fault, form: int, *, last: bool) -> Fault:
        """What a fault of a request that was written in this form is due to. `last`: no try is left. Raises Unable."""
        if fault.kind == "large":
            if self._abilities.has_answered(pictures=kind_of(request).pictures > 0):
                return replace(fault, kind="clip")
            return Fault("run", self._server.too_large(fault))
        if (fault.kind == "clip" and not fault.too_long) or (fault.status == 500 and last):
            return await self._abilities.cause(request, fault, form=form)
        return fault

    async def _tried(self, request: Request) -> Completion | Fault:
        """Send it once, in any form that is learned on the way."""
        while isinstance(outcome := await self._once(request), Fault) and outcome.kind == "again":
            pass
        return outcome

    async def close(self) -> None:
        await self._client.close()

    async def _once(self, request: Request) -> Completion | Fault:
        """Send it, when its turn has come. The fault of one that must be sent in another form has the kind `again`."""
        async with self._window.place() as place:
            if self._over is not None:
                return Fault("run", self._over)
            body, sent = await self._chat.body(request), time.monotonic()
            outcome = await self._sent(body)
            if isinstance(outcome, Completion) or outcome.kind in _DEALT_WITH:
                self._outage.answered(sent=sent, now=time.monotonic())
            elif outcome.kind != "run" and (end := self._outage.failed(outcome, sent=sent, now=time.monotonic())):
                return Fault("run", end)
            if isinstance(outcome, Completion):
                place.ended = "done"
            elif outcome.kind == "busy":
                place.ended = "busy"
            elif outcome.kind in ("failed", "timeout"):
                place.ended = "failed"
            if isinstance(outcome, Fault):
                place.retry_after_s = outcome.retry_after_s
                if outcome.kind == "large":
                    size = len(json.dumps(body)) / 1e3
                    return replace(outcome, said=f"{outcome.said} (a request of {size:,.0f} kB)")
                if outcome.kind in ("run", "clip") and self._chat.learn(body, outcome.said):
                    return Fault("again", outcome.said)
            return outcome

    async def _sent(self, body: Json) -> Completion | Fault:
        """Errors become values here, and are raised far from the client's own, which may hold what it sent."""
        import httpx2
        from openai import APIConnectionError, APIStatusError

        try:
            async with asyncio.timeout(self._spec.timeout_s):
                response = await self._client.post("/chat/completions", cast_to=httpx2.Response, body=body)
        except TimeoutError:
            return Fault("timeout", f"no answer after {self._spec.timeout_s:g} s", reason=Reason.TIMEOUT)
        except APIStatusError as error:
            fault = self._server.answered(error.status_code, error.body, error.response.headers, now=time.time())
            return Completion("", "refused", 0, 0) if fault.kind == "refused" else fault
        except APIConnectionError as error:
            cause = error.__cause__
            if isinstance(cause, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.ProxyError):
                said = f"no connection can be made ({self._server.line(str(cause) or type(cause).__name__)})"
                return Fault("unreachable", said)
            return Fault("failed", f"the connection broke: {self._server.line(str(cause) or type(cause).__name__)}")
        limit = body.get("max_tokens") or body.get("max_completion_tokens") or 0
        outcome = _answers.read(response.content, prices=self._prices, max_tokens=limit)
        if isinstance(outcome, Fault) and (told := _answers.error_in(response.content)):
            return self._server.answered(*told, response.headers, now=time.time())
        return outcome


def _backoff(times: int, *, longest: float) -> float:
    """Seconds: doubled each time, and spread, so that what failed together does not come back together."""
    return min(longest, _BACKOFF_S * 2.0 ** min(times - 1, 16)) * random.uniform(0.5, 1)
