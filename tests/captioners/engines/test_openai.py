"""The openai engine against a real server on loopback, faults and all."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import logging
import os
import pickle
import re
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from email.utils import formatdate
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pictures
from pydantic import ValidationError
from shotscribe.builder.contract.engine import Completion, Engine, Image, Message, Request, Unable, Video
from shotscribe.builder.contract.errors import ClipError, Reason, RunError
from shotscribe.builder.contract.identity import pixel_hash
from shotscribe.captioners.engines import _data_urls, _limit
from shotscribe.captioners.engines import _openai_engine as _remote
from shotscribe.captioners.engines._data_urls import DataUrls
from shotscribe.captioners.engines._faults import Fault, Server, retry_after_s
from shotscribe.captioners.engines._outage import Outage
from shotscribe.captioners.engines.openai import Openai

KEY = "sk-proj-1234567890abcdefghij"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key is there, nothing of this machine's own settings is, and waits are a hundredth of what they are."""
    for name in [name for name in os.environ if name.startswith("OPENAI_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    for module, name in (
        (_remote, "_BACKOFF_S"),
        (_remote, "_LONGEST_BACKOFF_S"),
        (_remote, "_LONGEST_KNOCK_S"),
        (_limit, "_FIRST_REST_S"),
        (_limit, "_LONGEST_REST_S"),
    ):
        monkeypatch.setattr(module, name, getattr(module, name) / 100)


def picture(seed: int = 0, size: tuple[int, int] = (24, 32)) -> Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    return Image(pixels, pixel_hash(pixels))


def asking(*parts: Any, **sampling: Any) -> Request:
    return Request((Message("user", parts or ("What is seen?",)),), **{"max_tokens": 50, **sampling})


@asynccontextmanager
async def engine_of(chat: Any, **options: Any) -> AsyncIterator[Engine]:
    engine = await Openai(
        **{"model": "m", "base_url": chat.server.url, "tries": 3, "patience_s": 20, **options}
    ).start()
    yield engine
    await engine.close()


def ask(chat: Any, *requests: Request, **options: Any) -> list[Any]:
    """The outcomes of requests made at once: completions and errors."""

    async def work() -> list[Any]:
        async with engine_of(chat, **options) as engine:
            made = (engine.complete(request) for request in requests or (asking(),))
            return await asyncio.gather(*made, return_exceptions=True)

    return asyncio.run(work())


def fails(chat: Any, kind: type[Exception], *requests: Request, **options: Any) -> Any:
    (outcome,) = ask(chat, *requests, **options)
    assert isinstance(outcome, kind), outcome
    return outcome


# what a recipe says


def test_where_and_how_fast_is_no_part_of_the_identity() -> None:
    spec = Openai(model="gpt-4o")
    elsewhere = Openai(
        model="gpt-4o",
        base_url="http://localhost:8000/v1",
        key_env=None,
        max_in_flight=3,
        requests_per_minute=60,
        timeout_s=9,
        patience_s=9,
        tries=9,
        input_price=2.5,
        output_price=10,
        in_flight=7,
    )
    assert spec.identity() == elsewhere.identity()
    for changed in (
        {"model": "gpt-5"},
        {"revision": "a"},
        {"detail": "low"},
        {"image_format": "png"},
        {"omit": ["seed"]},
        {"chat_template_kwargs": {"enable_thinking": True}},
        {"extra_body": {"top_k": 1}},
        {"guided": "prompt"},
    ):
        assert Openai(**{"model": "gpt-4o", **changed}).identity() != spec.identity()
    one, other = Openai(model="m", omit=["top_p", "seed", "seed"]), Openai(model="m", omit=["seed", "top_p"])
    assert one.identity() == other.identity()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"base_url": "https://user:sk-proj-12345@host/v1"}, "environment variable"),
        ({"base_url": "https://host/v1?api-key=sk-proj-12345"}, "environment variable"),
        ({"base_url": "localhost:8000/v1"}, "no address such as"),
        ({"base_url": "http:///v1"}, "no address such as"),
        ({"key_env": "sk-proj-12345"}, "the name of an environment variable"),
        ({"key_env": "sk_proj_12345"}, "the name of an environment variable"),
        ({"input_price": 2.5}, "go together"),
        ({"extra_body": {"temperature": 1}}, "temperature is written by the engine"),
    ],
)
def test_wrong_options_are_explained_and_a_misplaced_key_is_not_repeated(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Openai(model="m", **options)
    assert told in str(caught.value)
    assert "12345" not in str(caught.value)


def test_a_path_is_published_as_its_last_part() -> None:
    assert Openai(model="/data/models/llava-1.6/").shown == "llava-1.6"
    assert Openai(model="Qwen/Qwen2.5-VL-7B-Instruct").shown == "Qwen/Qwen2.5-VL-7B-Instruct"


def test_a_recipe_is_checked_without_the_openai_package_and_a_run_says_how_to_get_it() -> None:
    script = """
import asyncio, sys
sys.modules["openai"] = None
from shotscribe.captioners.engines.openai import Openai
spec = Openai(model="m", key_env=None)
assert spec.requires() == {"openai": "openai"} and spec.identity()
try:
    asyncio.run(spec.start())
except Exception as error:
    print(type(error).__name__, error)
"""
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert told.startswith("RunError")
    assert 'pip install "shotscribe[openai]"' in told


# what is sent


def test_a_request_in_the_words_of_the_protocol(chat: Any) -> None:
    schema = {"type": "object", "properties": {"maxLength": {"type": "string", "maxLength": 9}}}
    messages = (Message("system", ("Be brief.",)), Message("user", ("Look:", picture(1), "Write.")))
    request = Request(messages, 50, temperature=0.3, top_p=0.9, seed=7, stop=("\n\n",), schema=schema)
    (made,) = ask(chat, request, image_format="png", detail="low", revision="r1")
    (seen,) = chat.server.seen
    assert seen.path == "/v1/chat/completions"
    assert seen.headers["authorization"] == f"Bearer {KEY}"
    url = seen.body["messages"][1]["content"][1]["image_url"].pop("url")
    assert seen.body == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Look:"},
                    {"type": "image_url", "image_url": {"detail": "low"}},
                    {"type": "text", "text": "Write."},
                ],
            },
        ],
        "max_tokens": 50,
        "temperature": 0.3,
        "top_p": 0.9,
        "seed": 7,
        "stop": ["\n\n"],
        "chat_template_kwargs": {"enable_thinking": False, "thinking": False},
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "caption", "schema": schema, "strict": True},
        },
    }
    kind, data = url.split(",")
    assert kind == "data:image/png;base64"
    assert (np.asarray(Pictures.open(io.BytesIO(base64.b64decode(data)))) == picture(1).pixels).all()
    assert made == Completion("A dog runs.", "stop", input_tokens=100, output_tokens=20)


def test_a_video_is_its_frames_after_their_times_and_jpegs_are_close(chat: Any) -> None:
    smooth = np.add.outer(np.arange(48), np.arange(64))[..., None].repeat(3, 2).astype(np.uint8)
    frames = (Image(smooth, pixel_hash(smooth)), picture(2))
    ask(chat, asking(Video(frames, (0.0, 2.04), 4.0), "Tell."))
    content = chat.server.seen[0].body["messages"][0]["content"]
    assert [part.get("text") for part in content] == ["At 0.0 s:", None, "At 2.0 s:", None, "Tell."]
    kind, data = content[1]["image_url"]["url"].split(",")
    assert kind == "data:image/jpeg;base64"
    sent = np.asarray(Pictures.open(io.BytesIO(base64.b64decode(data)))).astype(int)
    assert np.abs(sent - smooth).mean() < 2


def test_what_is_omitted_and_what_is_not_asked_for_is_not_sent(chat: Any) -> None:
    ask(chat, omit=["temperature", "top_p", "seed"])
    assert set(chat.server.seen[0].body) == {"model", "messages", "max_tokens", "chat_template_kwargs"}


def test_a_server_without_a_key_never_sees_the_one_of_openai(chat: Any) -> None:
    ask(chat, key_env=None)
    assert KEY not in str(chat.server.seen[0].headers)


def test_a_frame_of_two_windows_is_encoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    encoded, real = [], _data_urls._encoded
    monkeypatch.setattr(_data_urls, "_encoded", lambda *given: encoded.append(1) or real(*given))
    frames = [picture(seed) for seed in range(10)]

    async def work(urls: DataUrls, *wanted: Image) -> list[str]:
        return [await urls.of(image) for image in wanted]

    urls = DataUrls("png")
    for first, second in pairwise(frames):
        assert len(set(asyncio.run(work(urls, first, second)))) == 2
    assert len(encoded) == 10
    small = DataUrls("png", max_chars=2 * len(asyncio.run(work(urls, frames[0]))[0]) + 100)
    asyncio.run(work(small, *frames[:2], frames[0], frames[2], frames[0], frames[1]))
    assert len(encoded) == 10 + 4  # the third pushed out the second, which had not been used for longest


# what comes back


@pytest.mark.parametrize(
    ("answer", "text", "finish"),
    [
        ({"finish": "length"}, "A dog runs.", "length"),
        ({"text": None, "finish": "length"}, "", "length"),  # a reasoning model whose tokens were used up
        ({"text": "", "finish": "stop"}, "", "stop"),
        ({"finish": "content_filter"}, "A dog runs.", "refused"),
        ({"text": None, "finish": "content_filter"}, "", "refused"),
        ({"text": None, "refusal": "I can't help with that."}, "I can't help with that.", "refused"),
        ({"text": None, "finish": "stop"}, "", "stop"),
        *(
            ({"finish": said}, "A dog runs.", "stop")
            for said in (None, "", "STOP", "eos", "end_turn", "FinishReason.STOP")
        ),
        *(({"finish": said}, "A dog runs.", "length") for said in ("MAX_TOKENS", "model_length", "max_output_tokens")),
        *(({"finish": said}, "A dog runs.", "refused") for said in ("SAFETY", "sensitive", "FINISH_REASON_SAFETY")),
        ({"text": [{"type": "text", "text": "A dog"}, {"type": "text", "text": " runs."}]}, "A dog runs.", "stop"),
        ({"text": [{"type": "thinking", "thinking": []}, {"text": "A dog runs."}]}, "A dog runs.", "stop"),
        ({"text": [{"type": "refusal", "refusal": "No."}]}, "No.", "refused"),
        ({"text": []}, "", "stop"),
    ],
)
def test_why_an_answer_ended(chat: Any, answer: dict[str, Any], text: str, finish: str) -> None:
    chat.server.replies(chat.Reply(chat.said(**answer)))
    (made,) = ask(chat)
    assert (made.text, made.finish) == (text, finish)


@pytest.mark.parametrize(
    ("answer", "thought"),
    [
        ({"reasoning_content": "A dog, I think."}, True),
        ({"reasoning": "A dog, I think."}, True),
        ({"text": None, "reasoning": "A dog, I think."}, True),
        ({"text": [{"type": "thinking", "thinking": "A dog?"}, {"type": "text", "text": "A dog."}]}, True),
        ({"reasoning_content": ""}, False),
        ({"reasoning": None}, False),
    ],
)
def test_thoughts_that_a_server_keeps_apart_are_no_part_of_the_text(
    chat: Any, answer: dict[str, Any], thought: bool
) -> None:
    chat.server.replies(chat.Reply(chat.said(**answer)))
    (made,) = ask(chat)
    assert made.thought == thought
    assert "think" not in made.text


def test_where_a_server_does_not_say_why_it_ended_the_tokens_do(chat: Any) -> None:
    chat.server.replies(chat.Reply(chat.said(finish=None)))
    assert ask(chat, asking(max_tokens=20))[0].finish == "length"
    assert ask(chat, asking(max_tokens=21))[0].finish == "stop"


def test_an_error_with_status_200_is_an_error(chat: Any) -> None:
    body = {"error": {"message": "Provider returned error", "code": 502}, "user_id": "u"}
    chat.server.replies(chat.Reply(body), chat.Reply(chat.said()))
    assert ask(chat)[0].text == "A dog runs."
    chat.server.replies(chat.Reply(body))
    detail = fails(chat, ClipError).rejection.detail
    assert detail == "the server answered 502: Provider returned error (tries: 3)"
    chat.server.replies(chat.Reply({"error": {"message": "No such key.", "code": 401}}))
    assert "OPENAI_API_KEY" in str(fails(chat, RunError))


def test_a_prompt_that_the_filter_stops_is_refused(chat: Any) -> None:
    chat.server.replies(chat.Reply(chat.error("The prompt triggered the filter.", code="content_filter"), status=400))
    assert ask(chat) == [Completion("", "refused", 0, 0)]


def test_tokens_and_money(chat: Any) -> None:
    prices = {"input_price": 2.5, "output_price": 10.0}
    (made,) = ask(chat, **prices)
    assert made.cost == pytest.approx((100 * 2.5 + 20 * 10) / 1e6)
    assert ask(chat)[0].cost is None
    chat.server.replies(chat.Reply({**chat.said(), "usage": None}))
    assert ask(chat, **prices)[0] == Completion("A dog runs.", "stop", input_tokens=0, output_tokens=0, cost=None)


MALFORMED: list[tuple[Callable[[Any], Any], str]] = [
    (lambda chat: {**chat.said(), "choices": []}, "0 choices"),
    (lambda chat: {**chat.said(), "choices": chat.said()["choices"] * 2}, "2 choices"),
    (lambda chat: chat.said(finish="error"), "'error'"),
    (lambda chat: chat.said(finish="tool_calls"), "'tool_calls'"),
]
FOREIGN: list[tuple[Callable[[Any], Any], str]] = [
    (lambda chat: b'{"choices": [{"mess', "no chat completion"),
    (lambda chat: b"<html>Welcome to nginx!</html>", "a web page"),
    (lambda chat: b"\n<!DOCTYPE html><html>Log in</html>", "a web page"),
    (lambda chat: b"", "no chat completion"),
    (lambda chat: [], "no chat completion"),
    (lambda chat: {"choices": None}, "choices"),
]


@pytest.mark.parametrize(("body", "told"), MALFORMED)
def test_a_malformed_answer_is_asked_for_again_then_rejected(chat: Any, body: Callable[[Any], Any], told: str) -> None:
    chat.server.replies(chat.Reply(body(chat)), chat.Reply(chat.said()))
    assert ask(chat)[0].text == "A dog runs."
    chat.server.replies(chat.Reply(body(chat)))
    rejection = fails(chat, ClipError).rejection
    assert rejection.reason == Reason.ENGINE_ERROR
    assert told in rejection.detail
    assert len(chat.server.seen) == 2 + 3


@pytest.mark.parametrize(("body", "told"), FOREIGN)
def test_what_is_no_chat_server_ends_the_run_unless_it_has_answered(
    chat: Any, body: Callable[[Any], Any], told: str
) -> None:
    chat.server.replies(chat.Reply(body(chat)), chat.Reply(chat.said()))
    assert ask(chat)[0].text == "A dog runs."
    chat.server.replies(chat.Reply(body(chat)))
    message = str(fails(chat, RunError))
    assert told in message
    assert "is base_url the address of an OpenAI-compatible API" in message
    assert len(chat.server.seen) == 2 + 3

    async def later() -> None:
        async with engine_of(chat) as engine:
            chat.server.replies(chat.Reply(chat.said()))
            await engine.complete(asking())
            chat.server.replies(chat.Reply(body(chat)))
            with pytest.raises(ClipError, match=told):
                await engine.complete(asking())

    asyncio.run(later())


# errors that end the run


@pytest.mark.parametrize(
    ("status", "error", "options", "told"),
    [
        (401, {"message": "Incorrect API key provided."}, {}, "environment variable OPENAI_API_KEY"),
        (401, {"message": "No key."}, {"key_env": None}, "the variable's name in key_env"),
        (403, {"message": "Country not supported."}, {}, "Country not supported"),
        (403, {"message": "No."}, {"key_env": None}, "key_env: null"),
        (404, {"message": "The model `m` does not exist.", "code": "model_not_found"}, {}, "is m the name"),
        (404, {"message": "Not Found"}, {}, "mostly ends in /v1"),
        (429, {"message": "You exceeded your quota.", "code": "insufficient_quota"}, {}, "no credit left"),
        (
            400,
            {
                "message": "'temperature' does not support 0 with this model.",
                "code": "unsupported_value",
                "param": "temperature",
            },
            {},
            "omit: [temperature]",
        ),
        (400, {"message": "No.", "code": "unsupported_parameter", "param": "response_format"}, {}, "another model"),
    ],
)
def test_what_no_request_can_do_without_ends_the_run_at_once(
    chat: Any, status: int, error: dict[str, Any], options: dict[str, Any], told: str
) -> None:
    chat.server.replies(chat.Reply(chat.error(**error), status=status))
    message = str(fails(chat, RunError, **options))
    assert told in message
    assert chat.server.url in message
    assert len(chat.server.seen) == 1


def test_after_the_run_has_ended_nothing_is_sent(chat: Any) -> None:
    chat.server.replies(chat.Reply(chat.error("No."), status=401))
    outcomes = ask(chat, *[asking(seed=seed) for seed in range(50)], max_in_flight=2)
    assert all(isinstance(outcome, RunError) for outcome in outcomes)
    assert len(chat.server.seen) <= 2


@pytest.mark.parametrize("key", [None, "", "  "])
def test_without_a_key_the_run_says_where_to_put_it(monkeypatch: pytest.MonkeyPatch, key: str | None) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    if key is not None:
        monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(RunError, match=r"OPENAI_API_KEY is not set.*key_env: null"):
        asyncio.run(Openai(model="m").start())


def test_a_server_that_is_not_there_ends_the_run_within_a_bounded_time(chat: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and not listening
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        started = time.monotonic()
        outcomes = ask(chat, asking(seed=1), asking(seed=2), base_url=url, patience_s=0.3, tries=1)
    assert 0.3 <= time.monotonic() - started < 3
    for outcome in outcomes:
        assert isinstance(outcome, RunError)
        assert url in str(outcome)
        assert "correct base_url" in str(outcome)


def test_a_server_that_comes_late_is_waited_for(chat: Any) -> None:
    """Clients that knock at a closed door use up none of their tries."""

    async def work() -> Completion:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
            engine = await Openai(model="m", base_url=f"http://127.0.0.1:{port}/v1", tries=1).start()
            waiting = asyncio.create_task(engine.complete(asking()))
            await asyncio.sleep(0.3)
            assert not waiting.done()
        late = type(chat.server)(port)
        try:
            return await waiting
        finally:
            await engine.close()
            late.close()

    assert asyncio.run(work()).text == "A dog runs."


# faults that pass


def test_retry_after_is_obeyed_by_everybody(chat: Any) -> None:
    chat.server.replies(
        chat.Reply(chat.error("Slow."), status=429, headers={"Retry-After": "0.5"}), chat.Reply(chat.said())
    )
    outcomes = ask(chat, *[asking(seed=seed) for seed in range(4)], max_in_flight=1)
    assert [outcome.text for outcome in outcomes] == ["A dog runs."] * 4
    first, *later = (seen.at for seen in chat.server.seen)
    assert min(later) - first >= 0.5


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": formatdate(1_000_030, usegmt=True)}, 30.0),
        ({"retry-after": formatdate(999_000, usegmt=True)}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "1e999"}, None),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"retry-after-ms": "x", "retry-after": "1"}, 1.0),
    ],
)
def test_retry_after_in_all_its_forms(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers, now=1_000_000.0) == seconds


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 529])
def test_a_fault_that_passes_is_tried_again_with_backoff(chat: Any, status: int) -> None:
    chat.server.replies(*[chat.Reply(b"oops", status=status)] * 2, chat.Reply(chat.said()))
    assert ask(chat)[0].text == "A dog runs."
    chat.server.replies(chat.Reply(chat.error("Overloaded."), status=status))
    rejection = fails(chat, ClipError).rejection
    assert rejection.reason == Reason.ENGINE_ERROR
    assert rejection.detail == f"the server answered {status}: Overloaded. (tries: 3)"
    assert len(chat.server.seen) == 3 + 3


def test_a_storm_of_errors_uses_up_few_tries_and_loses_nothing(chat: Any) -> None:
    until = time.monotonic() + 1.0
    chat.server.answer = lambda seen: chat.Reply(chat.said()) if seen.at > until else chat.Reply(b"", status=500)
    outcomes = ask(chat, *[asking(seed=seed) for seed in range(100)], tries=5)
    assert [type(outcome) for outcome in outcomes] == [Completion] * 100
    assert len(chat.server.seen) < 100 + 80


FAULTS = {
    "500": {"body": b"oops", "status": 500},
    "503": {"body": b"loading", "status": 503},
    "429": {"body": b"slow down", "status": 429},
    "hang": {"hang": True},
    "reset": {"reset": True},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_an_outage_uses_up_nobody_s_tries(chat: Any, fault: str) -> None:
    """All that are under way fail again and again, and so does the plainest request. Only the last failure may count,
    when the server is found to answer again.
    """
    chat.server.up = False
    until = time.monotonic() + 2
    chat.server.answer = lambda seen: chat.Reply(**(FAULTS[fault] if seen.at < until else {"body": chat.said()}))
    outcomes = ask(chat, *[asking(seed=seed) for seed in range(20)], tries=2, timeout_s=0.7)
    assert [type(outcome) for outcome in outcomes] == [Completion] * 20


@pytest.mark.parametrize("answered", [False, True])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_server_that_answers_nobody_ends_the_run_and_rejects_no_clip(chat: Any, fault: str, answered: bool) -> None:
    chat.server.up = False
    broken = chat.Reply(**FAULTS[fault])
    chat.server.answer = lambda seen: chat.Reply(chat.said()) if answered and not seen.body["seed"] else broken
    started = time.monotonic()
    outcomes = ask(chat, *[asking(seed=seed) for seed in range(20)], tries=2, timeout_s=0.7, patience_s=2)
    assert time.monotonic() - started < 12
    assert [type(outcome) for outcome in outcomes] == [Completion] * answered + [RunError] * (20 - answered)
    for outcome in outcomes[1:]:
        assert "nothing was answered for" in str(outcome)
        assert "no clip was rejected for it" in str(outcome)


def test_one_request_that_always_fails_is_rejected_though_nobody_else_asks(chat: Any) -> None:
    chat.server.replies(chat.Reply(b"oops", status=500))
    assert fails(chat, ClipError, tries=2).rejection.detail.endswith("(tries: 2)")


def test_what_was_sent_before_a_failure_tells_nothing_of_what_came_after() -> None:
    outage = Outage(Server("http://host/v1", "m", None, None), patience_s=600, say=lambda line: None)
    outage.answered(sent=10, now=30)
    assert outage.is_over(since=20) is None
    outage.found_down(25)
    assert outage.is_over(since=20) is False
    outage.answered(sent=40, now=41)
    outage.answered(sent=5, now=42)
    assert outage.is_over(since=35) is True


def test_an_outage_is_told_once_and_its_end_too() -> None:
    said: list[str] = []
    outage = Outage(Server("http://host/v1", "m", None, None), patience_s=600, say=said.append)
    fault = Fault("busy", "the server answered 503: Loading.")
    outage.answered(sent=99, now=100)
    for now in (105, 130, 159, 161, 300):
        assert outage.failed(fault, sent=now - 5.0, now=now) is None
    assert said == [
        "http://host/v1 has answered nothing for 61 s: the server answered 503: Loading.; "
        "waiting for it, 539 s more at most (patience_s)"
    ]
    outage.answered(sent=399, now=400)
    assert said[1:] == ["the server answers again, after 300 s"]
    assert outage.failed(fault, sent=990, now=1000) is None
    assert outage.failed(fault, sent=1500, now=1589) is None
    end = outage.failed(fault, sent=1588, now=1591)
    assert end is not None
    assert "nothing was answered for 601 s (patience_s); at last: the server answered 503: Loading." in end


def test_a_server_that_was_never_there_is_told_soon() -> None:
    said: list[str] = []
    outage = Outage(Server("http://host/v1", "m", None, None), patience_s=600, say=said.append)
    assert outage.failed(Fault("unreachable", "no connection can be made"), sent=0, now=1) is None
    assert said == []
    assert outage.failed(Fault("unreachable", "no connection can be made"), sent=5, now=6) is None
    assert len(said) == 1


def test_a_hang_ends_in_a_timeout(chat: Any) -> None:
    chat.server.replies(chat.Reply(hang=True), chat.Reply(chat.said()))
    assert ask(chat, timeout_s=0.5)[0].text == "A dog runs."
    chat.server.replies(chat.Reply(hang=True))
    rejection = fails(chat, ClipError, timeout_s=0.5, tries=2).rejection
    assert rejection.reason == Reason.TIMEOUT
    assert rejection.detail == "no answer after 0.5 s (tries: 2)"


def test_a_connection_that_breaks(chat: Any) -> None:
    chat.server.replies(chat.Reply(reset=True), chat.Reply(chat.said()))
    assert ask(chat)[0].text == "A dog runs."
    chat.server.replies(chat.Reply(reset=True))
    rejection = fails(chat, ClipError).rejection
    assert rejection.reason == Reason.ENGINE_ERROR
    assert "the connection broke" in rejection.detail


# errors of one request


@pytest.mark.parametrize(
    "error",
    [
        {"message": "Too long.", "code": "context_length_exceeded"},
        {"message": "This model's maximum context length is 8192 tokens. However, ...", "code": 400},
        {"message": "Input is not right.", "code": 400, "param": "input_tokens"},
        {"message": "max_tokens is too large: 20000. This model supports at most 16384.", "param": "max_tokens"},
        {"message": "request (4476 tokens) exceeds the available context size (4096 tokens)", "code": 400},
    ],
)
def test_a_prompt_that_does_not_fit(chat: Any, error: dict[str, Any]) -> None:
    chat.server.replies(chat.Reply(chat.error(**error), status=400))
    rejection = fails(chat, ClipError).rejection
    assert rejection.reason == Reason.CONTEXT_OVERFLOW
    assert error["message"] in rejection.detail
    assert len(chat.server.seen) == 1


def test_a_prompt_that_leaves_no_room_for_an_answer(chat: Any) -> None:
    answer = chat.said(text="", finish="length")
    answer["usage"]["completion_tokens"] = 0
    chat.server.replies(chat.Reply(answer))
    assert fails(chat, ClipError).rejection.reason == Reason.CONTEXT_OVERFLOW


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"error": {"message": "Invalid\nimage.", "code": "invalid_image"}}, "the server answered 422: Invalid image."),
        ({"detail": "Unprocessable."}, "the server answered 422: Unprocessable."),
        ({"detail": [{"loc": ["body", "seed"]}]}, 'the server answered 422: [{"loc": ["body", "seed"]}]'),
        (b"plain words", "the server answered 422: plain words"),
        (b"", "the server answered 422"),
        ({"error": {"message": "x" * 5000}}, f"the server answered 422: {'x' * 300}..."),
    ],
)
def test_a_request_that_the_server_refuses_is_rejected_in_its_words(chat: Any, body: Any, told: str) -> None:
    chat.server.up = False
    refusal, own = chat.Reply(body, status=422), "What is seen?"
    chat.server.answer = lambda seen: refusal if own in str(seen.body["messages"]) else chat.Reply(chat.said())
    rejection = fails(chat, ClipError).rejection
    assert (rejection.reason, rejection.detail) == (Reason.ENGINE_ERROR, told)
    assert len(chat.server.seen) == 2, "and one small request tells that it is this one's own fault"


def test_the_other_name_of_max_tokens_is_learned_once(chat: Any) -> None:
    words = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
    refusal = chat.Reply(chat.error(words, code="unsupported_parameter", param="max_tokens"), status=400)
    chat.server.answer = lambda seen: refusal if "max_tokens" in seen.body else chat.Reply(chat.said())

    async def work() -> None:
        async with engine_of(chat, tries=1) as engine:
            await asyncio.gather(*(engine.complete(asking(seed=seed)) for seed in range(5)))
            await engine.complete(asking())

    asyncio.run(work())
    assert 1 <= sum("max_tokens" in seen.body for seen in chat.server.seen) <= 5
    assert [seen.body["max_completion_tokens"] for seen in chat.server.seen if "max_tokens" not in seen.body] == [
        50
    ] * 6
    chat.server.answer = lambda seen: refusal
    assert "another model" in str(fails(chat, RunError))  # it likes neither: no endless back and forth


def test_bounds_that_a_strict_schema_may_not_have_are_left_out(chat: Any) -> None:
    schema = {
        "type": "object",
        "properties": {"maxLength": {"type": "string", "maxLength": 9}, "of": {"type": "array", "maxItems": 3}},
    }
    words = (
        "Invalid schema for response_format 'caption': In context=('properties', 'of'), 'maxLength' is not permitted."
    )

    def answer(seen: Any) -> Any:
        bounded = '"maxLength": 9' in json.dumps(seen.body)
        return chat.Reply(chat.error(words), status=400) if bounded else chat.Reply(chat.said())

    chat.server.answer = answer
    assert ask(chat, asking(schema=schema))[0].text == "A dog runs."
    assert chat.server.seen[1].body["response_format"]["json_schema"]["schema"] == {
        "type": "object",
        "properties": {"maxLength": {"type": "string"}, "of": {"type": "array"}},
    }
    chat.server.answer = lambda seen: (
        chat.Reply(chat.error(words), status=400) if "response_format" in seen.body else chat.Reply(chat.said())
    )
    assert "set guided: json_object" in str(fails(chat, Unable, asking(schema=schema)))


# what a server cannot do


SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}
REQUEST = Request(
    (Message("system", ("Be brief.",)), Message("user", ("Look:", *map(picture, range(3)), "Write."))),
    50,
    schema=SCHEMA,
)


def pictures(body: dict[str, Any]) -> int:
    return str(body["messages"]).count("data:image")


def systems(body: dict[str, Any]) -> int:
    return sum(message["role"] == "system" for message in body["messages"])


CANNOT: list[tuple[Callable[[Any], bool], str, str]] = [
    (lambda body: "json_schema" in str(body.get("response_format")), "guided: json_object, or prompt,", "schema"),
    (lambda body: pictures(body) > 0, "takes no pictures", "one"),
    (lambda body: pictures(body) > 1, "takes no 3 pictures in one request", "several"),
    (lambda body: pictures(body) > 2, "takes no 3 pictures in one request", "several"),
]


@pytest.mark.parametrize("status", [400, 422, 500])
@pytest.mark.parametrize(("cannot", "told", "what"), CANNOT)
def test_what_a_server_cannot_do_ends_the_run_before_a_clip_is_rejected(
    chat: Any, cannot: Callable[[Any], bool], told: str, what: str, status: int
) -> None:
    refusal = chat.Reply(chat.error("I do not do this."), status=status)
    chat.server.answer = lambda seen: refusal if cannot(seen.body) else chat.Reply(chat.said())
    outcomes = ask(chat, *[replace(REQUEST, seed=seed) for seed in range(12)], max_in_flight=4)
    for outcome in outcomes:
        assert isinstance(outcome, Unable)
        assert told in str(outcome)
        assert "I do not do this." in str(outcome)
        assert outcome.what == what
    small = [seen for seen in chat.server.seen if seen.body["max_tokens"] == 16]
    assert len(small) <= 6, "it is found out once"


def test_a_model_without_a_system_turn_is_told_in_the_user_s(chat: Any) -> None:
    chat.server.up = False
    refusal = chat.Reply(chat.error("Conversation roles must alternate user/assistant"), status=400)
    chat.server.answer = lambda seen: refusal if systems(seen.body) else chat.Reply(chat.said())
    outcomes = ask(chat, *[replace(REQUEST, seed=seed) for seed in range(12)], max_in_flight=4)
    assert [outcome.text for outcome in outcomes] == ["A dog runs."] * 12
    turns = chat.server.seen[-1].body["messages"]
    assert [turn["role"] for turn in turns] == ["user"]
    assert turns[0]["content"][0] == {"type": "text", "text": "Be brief.\n\nLook:"}
    assert len(chat.server.seen) <= 12 + 12 + 6


def test_a_clip_of_its_own_fault_is_rejected_and_a_server_that_answers_is_asked_for_nothing_else(chat: Any) -> None:
    refusal = chat.Reply(chat.error("Invalid image."), status=400)
    chat.server.answer = lambda seen: refusal if seen.body["seed"] == 3 else chat.Reply(chat.said())
    outcomes = ask(chat, *[replace(REQUEST, seed=seed) for seed in range(8)], max_in_flight=1)
    assert [isinstance(outcome, ClipError) for outcome in outcomes] == [seed == 3 for seed in range(8)]
    assert len(chat.server.seen) == 8


def test_a_server_that_refuses_everything_ends_the_run(chat: Any) -> None:
    chat.server.up = False
    chat.server.replies(chat.Reply(chat.error("Extra inputs are not permitted: top_k"), status=400))
    message = str(fails(chat, RunError, REQUEST))
    assert "not even the plainest request" in message
    assert "top_k" in message


def test_a_request_that_is_too_large_ends_the_run_unless_others_are_not(chat: Any) -> None:
    page = chat.Reply(b"<html><title>413 Request Entity Too Large</title></html>", status=413)
    chat.server.replies(page)
    message = str(fails(chat, RunError, REQUEST))
    assert re.search(r"a request of \d+ kB", message)
    assert "smaller frames" in message

    async def later() -> None:
        async with engine_of(chat) as engine:
            chat.server.replies(chat.Reply(chat.said()))
            await engine.complete(REQUEST)
            chat.server.replies(page)
            with pytest.raises(ClipError, match="kB"):
                await engine.complete(REQUEST)

    asyncio.run(later())


@pytest.mark.parametrize("guided", ["json_object", "prompt"])
def test_a_server_without_schemas_is_told_in_words(chat: Any, guided: str) -> None:
    ask(chat, REQUEST, asking(), guided=guided)
    asked, plain = (seen.body for seen in sorted(chat.server.seen, key=lambda seen: len(str(seen.body)), reverse=True))
    assert asked.get("response_format") == ({"type": "json_object"} if guided == "json_object" else None)
    words = asked["messages"][1]["content"][-1]["text"]
    assert words.startswith("\n\nAnswer with one JSON object")
    assert json.loads(words.rpartition("\n")[2]) == SCHEMA
    assert "JSON" not in str(plain)
    assert "response_format" not in plain


def test_arguments_of_the_template_are_left_out_for_a_server_that_has_none(chat: Any) -> None:
    chat.server.up = False
    words = "Unrecognized request argument supplied: chat_template_kwargs"
    refusal = chat.Reply(chat.error(words), status=400)
    chat.server.answer = lambda seen: refusal if "chat_template_kwargs" in seen.body else chat.Reply(chat.said())
    assert ask(chat, asking(), asking(seed=1), max_in_flight=1)[0].text == "A dog runs."
    assert ["chat_template_kwargs" in seen.body for seen in chat.server.seen] == [True, False, False]
    assert words in str(fails(chat, RunError, chat_template_kwargs={"enable_thinking": True}))


def test_what_a_recipe_says_of_thinking_and_of_further_fields_is_sent(chat: Any) -> None:
    ask(chat, chat_template_kwargs={"enable_thinking": True, "budget": 9}, extra_body={"top_k": 5})
    body = chat.server.seen[0].body
    assert body["chat_template_kwargs"] == {"enable_thinking": True, "thinking": False, "budget": 9}
    assert body["top_k"] == 5


# the key


def test_the_key_is_nowhere_but_in_the_header(chat: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    spec = Openai(model="m", base_url=chat.server.url, tries=1)
    told = [repr(spec), spec.model_dump_json(), str(spec.identity()), str(pickle.dumps(spec))]

    async def work(status: int) -> None:
        engine = await spec.start()
        told.append(f"{engine!r} {vars(engine)!r}")
        echo = chat.error(f"You sent {KEY}, or sk-proj-********ghij, as {{'authorization': 'Bearer {KEY}'}}")
        chat.server.replies(chat.Reply(echo, status=status))
        with pytest.raises((ClipError, RunError)) as caught:
            await engine.complete(asking())
        told.extend([repr(caught.value), *traceback.format_exception(caught.value), str(caught.value.__context__)])
        await engine.close()

    for status in (200, 400, 401, 403, 404, 422, 429, 500):
        asyncio.run(work(status))
    assert any("You sent <key>, or <key>, as" in line for line in told)
    assert all(KEY in seen.headers["authorization"] for seen in chat.server.seen)
    everything = "\n".join([*told, caplog.text])
    assert caplog.text
    assert KEY not in everything
    assert "ghij" not in everything


@pytest.mark.parametrize("key", [f"{KEY}\nexport", f"{KEY}…", f"{KEY}\x00"])
def test_a_key_that_no_header_can_hold_is_not_repeated(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setattr(os, "environ", {**os.environ, "MY_KEY": key})
    with pytest.raises(RunError, match="MY_KEY holds something other") as caught:
        asyncio.run(Openai(model="m", key_env="MY_KEY").start())
    assert KEY not in "".join(traceback.format_exception(caught.value))


def test_credentials_in_the_address_of_the_environment_are_not_repeated(
    chat: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", chat.server.url.replace("http://", "http://user:secret@"))
    chat.server.replies(chat.Reply(chat.error("No."), status=404))
    message = str(fails(chat, RunError, base_url=None))
    assert chat.server.url in message
    assert "secret" not in message


# how many at once


def test_the_window_grows_to_what_the_server_can_do(chat: Any) -> None:
    room = threading.Semaphore(16)

    def answer(seen: Any) -> Any:
        with room:
            time.sleep(0.1)
        return chat.Reply(chat.said())

    chat.server.answer = answer
    outcomes = ask(chat, *[asking(seed=seed) for seed in range(400)], max_in_flight=400)
    assert all(isinstance(outcome, Completion) for outcome in outcomes)
    assert max(seen.inside for seen in chat.server.seen[:8]) <= 8
    assert 12 <= chat.server.peak <= 100  # how near it stays to the server's room is shown in virtual time


def test_the_window_backs_off_from_a_server_that_turns_requests_away(chat: Any) -> None:
    def answer(seen: Any) -> Any:
        if seen.inside > 4:
            return chat.Reply(chat.error("Too many."), status=429)
        time.sleep(0.02)
        return chat.Reply(chat.said())

    chat.server.answer = answer
    outcomes = ask(chat, *[asking(seed=seed) for seed in range(300)], tries=10)
    assert all(isinstance(outcome, Completion) for outcome in outcomes)
    turned_away = [seen for seen in chat.server.seen if seen.inside > 4]
    assert turned_away
    assert len(turned_away) < 60
    assert max(seen.inside for seen in chat.server.seen[-50:]) <= 8


def test_no_more_than_the_bound_and_no_faster_than_the_rate(chat: Any) -> None:
    chat.server.answer = lambda seen: time.sleep(0.02) or chat.Reply(chat.said())
    ask(chat, *[asking(seed=seed) for seed in range(40)], max_in_flight=3)
    assert chat.server.peak == 3
    chat.server.seen.clear()
    ask(chat, *[asking(seed=seed) for seed in range(10)], requests_per_minute=1200)
    assert chat.server.seen[-1].at - chat.server.seen[0].at >= 0.9 * 9 * 0.05


def test_a_request_that_is_cancelled_gives_its_place_back(chat: Any) -> None:
    async def work() -> Completion:
        async with engine_of(chat, max_in_flight=1) as engine:
            stuck = asyncio.create_task(engine.complete(asking(seed=1)))
            while not chat.server.seen:
                await asyncio.sleep(0.01)
            chat.server.replies(chat.Reply(chat.said()))
            stuck.cancel()
            with pytest.raises(asyncio.CancelledError):
                await stuck
            return await engine.complete(asking(seed=2))

    chat.server.replies(chat.Reply(hang=True))
    assert asyncio.run(work()).text == "A dog runs."


def test_a_key_that_is_not_there_is_missed_before_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOME_KEY", raising=False)
    with pytest.raises(RunError, match="SOME_KEY is not set"):
        Openai(model="m", key_env="SOME_KEY").check()
    Openai(model="m", key_env=None).check()
