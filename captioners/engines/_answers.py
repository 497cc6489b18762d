"""What came back with status 200: a chat completion, or not one."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pydantic import BaseModel, ValidationError

from ...builder.contract.engine import Completion, Finish
from ...builder.contract.errors import Reason
from ...builder.contract.identity import Json
from ._faults import Fault

_FINISHES: dict[str, Finish] = {
    "": "stop",  # servers that say nothing of it; where the tokens are used up as well, "length" is meant
    **dict.fromkeys(
        ("stop", "eos", "eos_token", "stop_sequence", "end_turn", "stop_token", "complete", "finished"), "stop"
    ),
    **dict.fromkeys(("length", "max_tokens", "max_output_tokens", "model_length", "token_limit"), "length"),
    **dict.fromkeys(
        ("content_filter", "safety", "refusal", "sensitive", "recitation", "prohibited_content", "blocklist", "spii"),
        "refused",
    ),
}
"""Why an answer ended, as servers say it: OpenAI, Together, TGI, Mistral, Anthropic, Gemini, Zhipu. Case and a prefix
such as `FinishReason.` do not count. What is not here is a malformed answer."""


class _Message(BaseModel):
    """`content`: text, parts with text, or nothing; `reasoning_content`, `reasoning`: thoughts that are kept apart."""

    content: str | list[Json] | None = None
    refusal: str | None = None
    reasoning_content: object = None
    reasoning: object = None


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


def read(content: bytes, *, prices: Prices | None, max_tokens: int) -> Completion | Fault:
    """The completion in the body of a response to a request of so many tokens; a fault where there is none.

    Tokens are 0 where the server does not count them, and the cost is then unknown. Discounts on cached tokens are not
    counted: the cost is at most what is said.
    """
    try:
        reply = _Reply.model_validate_json(content)
    except ValidationError as error:
        return _no_reply(content, error)
    if len(reply.choices) != 1:
        return Fault("malformed", f"the answer has {len(reply.choices)} choices where one was asked for")
    message, said = reply.choices[0].message, reply.choices[0].finish_reason or ""
    used = reply.usage or _Usage()
    finish = _FINISHES.get(said.rpartition(".")[2].lower().removeprefix("finish_reason_"))
    if finish is None:
        return Fault("malformed", f"the answer ended for an unknown reason, {said!r:.50}")
    if not said and used.completion_tokens is not None and used.completion_tokens >= max_tokens:
        finish = "length"
    text, thought, refusal = _parts(message)
    if refusal:
        text, finish = refusal, "refused"
    if not text and finish == "length" and used.completion_tokens == 0:  # lmdeploy, where others answer 400
        return Fault("clip", "the prompt leaves no room for an answer", Reason.CONTEXT_OVERFLOW, too_long=True)
    tokens = (used.prompt_tokens or 0, used.completion_tokens or 0)
    cost = None
    if prices is not None and any(tokens):
        cost = (tokens[0] * prices[0] + tokens[1] * prices[1]) / 1e6
    return Completion(text, finish, input_tokens=tokens[0], output_tokens=tokens[1], cost=cost, thought=thought)


def _parts(message: _Message) -> tuple[str, bool, str]:
    """The text, whether there were thoughts beside it, and the words of a refusal."""
    thought, refusal = bool(message.reasoning_content or message.reasoning), message.refusal or ""
    if not isinstance(message.content, list):
        return message.content or "", thought, refusal
    texts = list[str]()
    for part in message.content:
        kind, text = part.get("type", "text"), part.get("text")
        if kind in ("text", "output_text") and isinstance(text, str):
            texts.append(text)
        elif kind == "refusal":
            refusal = str(part.get("refusal") or refusal)
        else:
            thought = thought or kind in ("thinking", "reasoning")
    return "".join(texts), thought, refusal


def _no_reply(content: bytes, error: ValidationError) -> Fault:
    """Why a body is no chat completion: a web page, an error with status 200, or something else."""
    start = content.lstrip()[:200].lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<head", b"<body")):
        return Fault("foreign", "the answer is a web page, not a chat completion")
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"]))
    return Fault("foreign", f"the answer is no chat completion: {where + ': ' if where else ''}{first['msg']}")


def error_in(content: bytes) -> tuple[int, Mapping[str, object]] | None:
    """The status and the error that a body with status 200 tells of, as brokers of other servers do."""
    try:
        error = json.loads(content)["error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if not isinstance(error, Mapping):
        return None
    code = error.get("code")
    return code if isinstance(code, int) and 400 <= code < 600 else 500, error
