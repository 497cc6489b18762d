"""What goes wrong between here and a server, sorted by who has to do something about it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Literal, get_args

from ...builder.contract.errors import Reason
from ...builder.contract.text import clean
from .openai import Omittable

Kind = Literal[
    "run", "clip", "large", "refused", "again", "busy", "failed", "timeout", "malformed", "foreign", "unreachable"
]
"""`run`: no request can be served. `clip`: this one cannot; `large`: because of its size. `refused`: by a content
filter. `again`: it must be written in another form. The others may pass: `busy` is a server that asks for less,
`malformed` an answer that is none, `foreign` what no such server says at all, `unreachable` one that no connection can
be made to."""

_FILTERED = ("content_filter", "content_policy_violation")
_PASSING = (408, 409, 425, 429, 499)
_BUSY = (429, 503, 529)
_UNFIT = (501, 505)
# the field of a prompt that does not fit, in vLLM's errors
_TOO_LONG = ("input_tokens", "input_text")
_TOO_MANY = ("image", "video")
_OVERFLOW = re.compile(
    r"context[ _-]?(length|window|size)|max_(completion_)?tokens is too large|prompt is too long|too many tokens"
    r"|maximum (model|sequence|input) length",
    re.IGNORECASE,
)
_MEDIA = re.compile(r"at most \d+ (image|video)", re.IGNORECASE)
_MASKED = re.compile(r"(?<![\w-])[\w-]*+(?:\*{3,}+[\w-]*+)+")  # a key of which a server repeats the ends
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class Fault:
    """Why there is no completion. `said`: one line; `reason`: what a clip is rejected for in the end; `too_long`: its
    prompt has more tokens than the model takes; `status`: of an error, 500 being what some servers answer to what
    they cannot do.
    """

    kind: Kind
    said: str
    reason: Reason = Reason.ENGINE_ERROR
    retry_after_s: float | None = None
    too_long: bool = False
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Server:
    """Which server it is: `address` without credentials. `key`: what must not be repeated, where there is one."""

    address: str
    model: str
    key_env: str | None
    key: str | None = field(repr=False)

    def line(self, text: str) -> str:
        """A server's words as one short line without its key."""
        hidden = text.replace(self.key, "<key>") if self.key else text
        line = clean(_MASKED.sub("<key>", " ".join(hidden.split())))
        return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."

    def answered(self, status: int, body: object, headers: Mapping[str, str], *, now: float) -> Fault:
        """The fault that an error status means. `body`: the parsed error, or text; `now`: seconds since the epoch."""
        error = body if isinstance(body, Mapping) else {}
        said = self.line(_message(body))
        code, param = str(error.get("code")), error.get("param")
        answer = f"the server answered {status}{': ' + said if said else ''}"
        if (fatal := self._fatal(status, code, answer)) or (fatal := self._unsupported(code, param, answer)):
            return Fault("run", f"the engine openai, {self.address}: {fatal}")
        if status == 413:
            return Fault("large", answer, reason=Reason.CONTEXT_OVERFLOW)
        if status in _PASSING or (status >= 500 and status not in _UNFIT):
            kind: Kind = "busy" if status in _BUSY else "failed"
            return Fault(kind, answer, retry_after_s=retry_after_s(headers, now=now), status=status)
        if code in _FILTERED:
            return Fault("refused", answer)
        if code == "context_length_exceeded" or param in _TOO_LONG or _OVERFLOW.search(said):
            return Fault("clip", answer, reason=Reason.CONTEXT_OVERFLOW, too_long=True)
        if param in _TOO_MANY or _MEDIA.search(said):
            return Fault("clip", answer, reason=Reason.CONTEXT_OVERFLOW)
        return Fault("clip", answer)

    def _fatal(self, status: int, code: str, answer: str) -> str | None:
        holder = f"the environment variable {self.key_env}"
        if status == 401 and self.key_env is None:
            return f"{answer}; it wants a key: put it in an environment variable, and the variable's name in key_env"
        if status == 401:
            return f"{answer}; put a key that this server accepts in {holder}, or correct base_url"
        if status == 403:
            key = f"the key in {holder}" if self.key_env else "a client without a key (key_env: null)"
            return f"{answer}; {key} may not use {self.model}: use another key or model"
        if status == 402 or code == "insufficient_quota":
            return f"{answer}; the account has no credit left: add some, and run again"
        if status in (404, 405) or code == "model_not_found":
            return (
                f"{answer}; is {self.model} the name by which the server knows its model (GET {self.address}/models "
                "lists them), and is base_url the address of an OpenAI-compatible API (it mostly ends in /v1)?"
            )
        return None

    def _unsupported(self, code: str, param: object, answer: str) -> str | None:
        """What a model does not take is never left out silently: it may be how the recipe wants it to sample."""
        if code not in ("unsupported_parameter", "unsupported_value"):
            return None
        if param in get_args(Omittable):
            return (
                f"{answer}; set `{param}` of the steps that use this engine to what {self.model} allows, or leave it "
                f"to the server with `omit: [{param}]` in the engine"
            )
        return f"{answer}; {self.model} cannot be used as the recipe asks: use another model"

    def too_large(self, fault: Fault) -> str:
        """The end of a run whose first requests were too large for the server."""
        return (
            f"the engine openai, {self.address}: {fault.said}; show smaller frames (size of the step) or fewer, or "
            "raise the server's limit (nginx: client_max_body_size)"
        )

    def foreign(self, fault: Fault) -> str:
        """The end of a run whose server has never given a chat completion."""
        return (
            f"the engine openai, {self.address}: {fault.said}; is base_url the address of an OpenAI-compatible API (it "
            "mostly ends in /v1), and does no login page or proxy stand before it?"
        )

    def silent(self, seconds: float, fault: Fault, *, ever: bool) -> str:
        """The end of a run whose server has answered nothing for so long. `ever`: it did before."""
        advice = "see what ails it" if ever else "start the server or correct base_url"
        return (
            f"the engine openai, {self.address}: nothing was answered for {seconds:.0f} s (patience_s); at last: "
            f"{self.line(fault.said)}; {advice}, and run the same command again: no clip was rejected for it"
        )


def _message(body: object) -> str:
    """The words in an error: `message` of the protocol, `detail` of FastAPI, or all there is."""
    if not isinstance(body, Mapping):
        return body if isinstance(body, str) else ""
    said = body.get("message") or body.get("detail") or body
    return said if isinstance(said, str) else json.dumps(said, default=str)


def retry_after_s(headers: Mapping[str, str], *, now: float) -> float | None:
    """Seconds to wait as the server asks: `Retry-After` in seconds or as an HTTP date, or OpenAI's `retry-after-ms`."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name, "").strip()
        try:
            seconds = float(value) * unit
        except ValueError:
            try:
                date = parsedate_to_datetime(value)
            except ValueError:
                continue
            seconds = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now
        if math.isfinite(seconds):
            return max(0.0, seconds)
    return None
