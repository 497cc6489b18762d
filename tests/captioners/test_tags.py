from __future__ import annotations

import asyncio
import json
from typing import Any

import jsonschema
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from shotscribe.builder.contract.clip import Clip
from shotscribe.builder.contract.engine import Completion
from shotscribe.builder.contract.errors import ClipError, Reason
from shotscribe.builder.contract.frames import Frames, Sampling
from shotscribe.builder.store.arrow import arrow_schema
from shotscribe.captioners.tags import Tags, tidy

ANSWER = {"objects": ["dog", "Red car"], "actions": ["running"]}


def undecoded(sampling: Sampling) -> Frames:
    raise AssertionError("frames were asked for")


def made(step: Tags, engine: Any, caption: str | None = "A dog runs after a red car.") -> dict[str, Any]:
    return asyncio.run(step.make(Clip({step.from_column: caption}, undecoded), engine))


def answering(answer: Any, Scripted: Any) -> Any:
    return Scripted(lambda _: json.dumps(answer))


def test_lists_from_a_caption(Scripted: Any) -> None:
    step, engine = Tags(engine="llm", from_column="short_caption"), answering(ANSWER, Scripted)
    columns = made(step, engine)
    assert (columns["objects"], columns["actions"]) == (["dog", "red car"], ["running"])
    assert columns["tags_info"]["status"] == "ok"
    assert columns["tags_info"]["prompt"] == step.prompt.hash
    assert step.reads() == {"short_caption": "string"}
    assert engine.requests[0].messages[1].parts == ("A dog runs after a red car.",)
    schema = arrow_schema(step.adds())
    assert set(schema.names) == set(columns)
    assert pa.array([columns["objects"], None], type=schema.field("objects").type).to_pylist() == [
        ["dog", "red car"],
        None,
    ]


def test_the_schema(Scripted: Any) -> None:
    engine = answering(ANSWER, Scripted)
    made(Tags(engine="llm", max_tags=3), engine)
    schema: Any = engine.requests[0].schema
    jsonschema.Draft202012Validator.check_schema(schema)

    def fits(answer: Any) -> bool:
        return not list(jsonschema.Draft202012Validator(schema).iter_errors(answer))

    assert fits(ANSWER)
    assert fits({"objects": [], "actions": []})
    assert fits({"objects": ["a"] * 3, "actions": ["x" * 48]})
    for bad in (
        {"objects": ["dog"]},
        {**ANSWER, "places": []},
        {**ANSWER, "actions": "running"},
        {**ANSWER, "actions": [1]},
        {**ANSWER, "actions": ["a"] * 4},
        {**ANSWER, "actions": ["x" * 49]},
        ["dog"],
    ):
        assert not fits(bad), bad


@pytest.mark.parametrize("caption", [None, "", " \n"])
def test_a_clip_without_the_caption_is_kept_and_nothing_asked(caption: str | None, Scripted: Any) -> None:
    engine = answering(ANSWER, Scripted)
    assert made(Tags(engine="llm"), engine, caption) == {"objects": None, "actions": None, "tags_info": None}
    assert engine.requests == []


@pytest.mark.parametrize(
    ("tags", "tidied"),
    [
        ([], []),
        (["Dog", "dog ", "DOG."], ["dog"]),
        (["  red\n car,", "", " ", "."], ["red car"]),
        (["b", "a", "b"], ["b", "a"]),
        (["x" * 48, "x" * 47], ["x" * 47]),
    ],
)
def test_tidy(tags: list[str], tidied: list[str]) -> None:
    assert tidy(tags) == tidied


@given(st.lists(st.text(max_size=60), max_size=10))
def test_tidy_tags_are_tidy(tags: list[str]) -> None:
    tidied = tidy(tags)
    assert len(set(tidied)) == len(tidied)
    assert all(tag and tag == tag.strip() and "\n" not in tag for tag in tidied)
    assert len(tidied) <= len(tags)


def test_nothing_named_is_an_answer(Scripted: Any) -> None:
    columns = made(Tags(engine="llm"), answering({"objects": [], "actions": []}, Scripted))
    assert (columns["objects"], columns["actions"], columns["tags_info"]["status"]) == ([], [], "ok")


def test_a_bad_answer(Scripted: Any) -> None:
    def loops(_: Any) -> Completion:
        return Completion('{"objects": ["dog", "dog", "do', "length", 10, 512)

    with pytest.raises(ClipError) as failed:
        made(Tags(engine="llm", retries=0), Scripted(loops))
    assert failed.value.rejection.reason == Reason.BAD_CAPTION
    kept = made(Tags(engine="llm", retries=0, bad="keep"), Scripted(loops))
    assert (kept["objects"], kept["actions"], kept["tags_info"]["status"]) == (None, None, "truncated")


@pytest.mark.parametrize(
    ("options", "said"), [({"max_tags": 0}, "greater than"), ({"prompt": "rewrite"}, r"lacks \{caption\}")]
)
def test_wrong_options(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Tags(engine="llm", **options)
