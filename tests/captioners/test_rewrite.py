from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import ValidationError
from shotscribe.builder.contract.clip import Clip
from shotscribe.builder.contract.engine import Completion
from shotscribe.builder.contract.errors import ClipError, Reason
from shotscribe.builder.contract.frames import Frames, Sampling
from shotscribe.captioners.rewrite import Rewrite


def undecoded(sampling: Sampling) -> Frames:
    raise AssertionError("frames were asked for")


def made(step: Rewrite, engine: Any, **row: Any) -> dict[str, Any]:
    return asyncio.run(step.make(Clip(row, undecoded), engine))


def test_a_prompt_becomes_a_dense_caption(Scripted: Any) -> None:
    step, engine = Rewrite(engine="llm", from_column="source_caption"), Scripted(lambda _: "A brown dog runs.")
    columns = made(step, engine, source_caption="  a dog {text} {frames}\n")
    assert columns["caption"] == "A brown dog runs."
    assert columns["caption_info"]["status"] == "ok"
    assert columns["caption_info"]["prompt"] == step.prompt.hash
    assert set(columns) == set(step.adds())
    assert step.reads() == {"source_caption": "string"}
    system, user = engine.requests[0].messages
    assert (system.role, user.role) == ("system", "user")
    assert user.parts == ("a dog {text} {frames}",)  # what a corpus says is never read as a field
    assert "{text}" not in system.parts[0]


def test_a_caption_becomes_a_prompt(Scripted: Any) -> None:
    step = Rewrite(engine="llm", from_column="caption", to="short", column="short_prompt")
    engine = Scripted(lambda _: "a dog running")
    columns = made(step, engine, caption="A brown dog runs over a lawn.")
    assert columns["short_prompt"] == "a dog running"
    assert columns["short_prompt_info"]["prompt"] == step.prompt.hash
    assert engine.requests[0].messages[1].parts == ("A brown dog runs over a lawn.",)


@pytest.mark.parametrize("to", ["dense", "short"])
@pytest.mark.parametrize("text", [None, "", " \n"])
def test_a_clip_without_the_text_is_kept_and_nothing_asked(to: Any, text: str | None, Scripted: Any) -> None:
    engine = Scripted(lambda _: "never asked")
    step = Rewrite(engine="llm", from_column="source_caption", to=to)
    assert made(step, engine, source_caption=text) == {"caption": None, "caption_info": None}
    assert engine.requests == []


def test_a_bad_answer(Scripted: Any) -> None:
    refused = Completion("I cannot.", "refused", 10, 3)
    step = Rewrite(engine="llm", from_column="source_caption", retries=0)
    with pytest.raises(ClipError) as failed:
        made(step, Scripted(lambda _: refused), source_caption="a dog")
    assert failed.value.rejection.reason == Reason.BAD_CAPTION
    kept = made(step.model_copy(update={"bad": "keep"}), Scripted(lambda _: refused), source_caption="a dog")
    assert kept["caption_info"]["status"] == "refused"


def test_prompts_follow_the_direction_unless_one_is_named() -> None:
    dense, short = (Rewrite(engine="llm", from_column="a", to=to) for to in ("dense", "short"))
    assert (dense.prompt.name, short.prompt.name) == ("rewrite", "rewrite_short")
    assert dense.identity() != short.identity()
    assert Rewrite(engine="llm", from_column="a", to="short", prompt="rewrite").prompt.name == "rewrite"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "from_column"),
        ({"from_column": "caption"}, 'cannot go to the column "caption".*column: caption_dense'),
        ({"from_column": "prompt", "column": "prompt", "to": "short"}, "column: prompt_short"),
        ({"from_column": "a", "to": "long"}, "'dense' or 'short'"),
        ({"from_column": "a", "column": "1st"}, "match pattern"),
        ({"from_column": "a", "prompt": "tags"}, r"lacks \{text\}"),
    ],
)
def test_wrong_options(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Rewrite(engine="llm", **options)
