"""What came back with status 200: a chat completion, or not one."""

from __future__ import annotations

from pydantic import BaseModel, ValidationError

from ...builder.engine import Completion, Finish
from ...builder.errors import Reason
from ._faults import Fault

_FINISHES: dict[str | None, Finish] = {
    "stop": "stop",
    "length": "length",
    "content_filter": "refused",
    # of Together, and of TGI
    "eos": "stop",
    "eos_token": "stop",
    "stop_sequence": "stop",
}


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Usage(BaseModel):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Reply(BaseModel):
    choices: list[_Choice]
    usage: _Usage | None = None


Prices = tuple[float, float]
"""Dollars for a million input tokens and for a million output tokens."""


def read(content: bytes, *, prices: Prices | None) -> Completion | Fault:
    """The completion in the body of a response; a fault where there is none.

    Tokens are 0 where the server does not count them, and the cost is then unknown. Discounts on cached tokens are not
    counted: the cost is at most what is said.
    """
    try:
        reply = _Reply.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        return Fault("malformed", f"the answer is no chat completion: {where + ': ' if where else ''}{first['msg']}")
    if len(reply.choices) != 1:
        return Fault("malformed", f"the answer has {len(reply.choices)} choices where one was asked for")
    message, finish = reply.choices[0].message, _FINISHES.get(reply.choices[0].finish_reason)
    if finish is None:
        return Fault("malformed", f"the answer ended for an unknown reason, {reply.choices[0].finish_reason!r:.50}")
    if message.refusal:
        finish = "refused"
    if message.content is None and finish == "stop":
        return Fault("malformed", "the answer has no content")
    text = message.refusal or message.content or ""
    used = reply.usage or _Usage()
    if not text and finish == "length" and used.completion_tokens == 0:  # lmdeploy, where others answer 400
        return Fault("clip", "the prompt leaves no room for an answer", reason=Reason.CONTEXT_OVERFLOW)
    tokens = (used.prompt_tokens or 0, used.completion_tokens or 0)
    cost = None
    if prices is not None and any(tokens):
        cost = (tokens[0] * prices[0] + tokens[1] * prices[1]) / 1e6
    return Completion(text, finish, input_tokens=tokens[0], output_tokens=tokens[1], cost=cost)
