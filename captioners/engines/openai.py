"""A model behind an OpenAI-compatible server: `vllm serve`, lmdeploy, GPT-4o and what else speaks that protocol."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, JsonValue, field_validator, model_validator

from ...builder.contract.engine import EngineSpec
from ...builder.contract.errors import RunError
from ...builder.contract.markers import Placement

_OURS = frozenset(
    {
        *("model", "messages", "max_tokens", "max_completion_tokens", "temperature", "top_p", "seed", "stop", "n"),
        *("response_format", "stream", "chat_template_kwargs"),
    }
)
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")

Omittable = Literal["seed", "stop", "temperature", "top_p"]
"""Parameters that some servers or models do not take."""


class Openai(EngineSpec):
    """Chat completions from a server. Frames travel as JPEG or PNG data URLs; a video, which the protocol has no form
    for, as its frames, each after a line with its time such as "At 2.0 s:".

    The number of requests at the server follows the server: it grows while that brings throughput, and shrinks when the
    server is in trouble. What goes wrong for a moment is tried again; a bad key or an unknown model ends the run. A
    server that answers nobody is waited for, and no clip is rejected for it.

    Thinking is off: the arguments of chat templates that say so are sent to every server, and are left out for one that
    refuses them, unless the recipe names some itself. Where the model knows no system turn, its text is put before the
    user's. A server that cannot do what a step asks (several pictures, a JSON schema) ends the run before any clip is
    rejected.

    What a request does not name is the server's own choice: `vllm serve` takes top_k and a repetition penalty from the
    model, unless it is started with `--generation-config vllm`.
    """

    model_config = ConfigDict(hide_input_in_errors=True)  # a key that was put in the wrong place is not repeated

    version: ClassVar[int] = 2
    runtime: ClassVar[str] = "_openai_engine"
    use: Literal["openai"] = "openai"
    model: str = Field(min_length=1)
    """The model, by the name that the server knows it by."""
    revision: str | None = Field(default=None, min_length=1)
    """What pins the model's content, in your own words: the commit that the server loads. It is published with each
    caption, and captions are made again when it changes."""
    base_url: Placement[str | None] = None
    """Where the server is, such as http://localhost:8000/v1; OPENAI_BASE_URL or OpenAI itself, if left out."""
    key_env: Placement[str | None] = "OPENAI_API_KEY"
    """The environment variable that holds the server's key, which is sent to `base_url` and never stored. `null` for a
    server that needs none."""
    detail: Literal["auto", "low", "high"] = "auto"
    """How closely the model looks at a frame, where the server knows the difference."""
    image_format: Literal["jpeg", "png"] = "jpeg"
    """How frames are sent: jpeg at quality 95, or png, exact and some five times as large."""
    chat_template_kwargs: dict[str, JsonValue] = Field(default={})
    """Arguments of the model's chat template, for servers that have one (vLLM, SGLang, lmdeploy, llama.cpp). Thinking
    is off, by the names enable_thinking and thinking, unless they are given here: {enable_thinking: true}."""
    extra_body: dict[str, JsonValue] = Field(default={})
    """Further fields of each request, by the server's own names, such as {top_k: 20} or {reasoning_effort: low}."""
    guided: Literal["json_schema", "json_object", "prompt"] = "json_schema"
    """How structured answers are asked for. json_schema: decoded under the step's schema. json_object: decoded as JSON,
    with the schema in the prompt. prompt: the schema is in the prompt alone. An answer is checked against the schema in
    any case."""
    omit: tuple[Omittable, ...] = ()
    """Parameters that the server or the model does not take: they are left out, and the server's own values hold."""
    max_in_flight: Placement[int] = Field(default=256, ge=1, le=1000)
    """The most requests that are at the server at once."""
    requests_per_minute: Placement[float | None] = Field(default=None, gt=0)
    """The most requests that are sent in a minute, evenly spread."""
    timeout_s: Placement[float] = Field(default=300, gt=0)
    """Seconds after which a request is given up and tried again."""
    tries: Placement[int] = Field(default=5, ge=1, le=20)
    """How often a request is sent to a server that answers others before its clip is rejected."""
    patience_s: Placement[float] = Field(default=600, ge=0)
    """Seconds that a server which answers nothing, or cannot be reached, is waited for before the run ends."""
    input_price: Placement[float | None] = Field(default=None, ge=0)
    """Dollars for a million input tokens, so that the cost can be counted."""
    output_price: Placement[float | None] = Field(default=None, ge=0)
    """Dollars for a million output tokens."""

    @field_validator("base_url", mode="after")
    @classmethod
    def _check_url(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        if "@" in parts.netloc or parts.query or parts.fragment:
            raise ValueError(
                "base_url holds more than an address; a key is not written in a recipe: put it in an environment "
                "variable, and the variable's name in key_env"
            )
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"base_url {url!r} is no address such as http://localhost:8000/v1")
        return url

    @field_validator("key_env", mode="after")
    @classmethod
    def _check_name(cls, name: str | None) -> str | None:
        if name is not None and not _VARIABLE.fullmatch(name):
            raise ValueError(
                "key_env is the name of an environment variable, in capitals, such as OPENAI_API_KEY, and never the "
                "key itself"
            )
        return name

    @field_validator("extra_body", mode="after")
    @classmethod
    def _check_body(cls, fields: dict[str, JsonValue]) -> dict[str, JsonValue]:
        for name in fields:
            if name in _OURS:
                raise ValueError(f"extra_body: {name} is written by the engine and the steps that use it: set it there")
        return fields

    @field_validator("omit", mode="after")
    @classmethod
    def _in_order(cls, names: tuple[Omittable, ...]) -> tuple[Omittable, ...]:
        return tuple(sorted(set(names)))

    @model_validator(mode="after")
    def _check_prices(self) -> Self:
        if (self.input_price is None) != (self.output_price is None):
            raise ValueError("input_price and output_price go together: give both, or neither")
        return self

    @property
    def shown(self) -> str:
        """The model's name as published: of a folder that the server has loaded, its last part."""
        return self.model.rstrip("/").rpartition("/")[2] if self.model.startswith(("/", ".", "~")) else self.model

    def requires(self) -> Mapping[str, str]:
        return {"openai": "openai"}

    def check(self) -> None:
        key_in(self.key_env)


def key_in(variable: str | None) -> str | None:
    """The key. No error says what it is: a header that cannot be sent would be repeated in the client's own error."""
    if variable is None:
        return None
    key = os.environ.get(variable, "").strip()
    if not key:
        raise RunError(
            f"the engine openai: the environment variable {variable} is not set; put the server's key there, or write "
            "`key_env: null` for a server that needs none"
        )
    if not (key.isascii() and key.isprintable()):
        raise RunError(
            f"the engine openai: the environment variable {variable} holds something other than printable ASCII "
            "characters, which is no key; was more than the key pasted?"
        )
    return key
