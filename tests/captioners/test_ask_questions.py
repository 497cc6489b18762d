"""The step `ask`: what it asks, the columns of its answers, and which of them are kept."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pyarrow as pa
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from shotscribe.builder.contract.clip import Clip
from shotscribe.builder.contract.errors import ClipError, Reason
from shotscribe.builder.store.arrow import arrow_schema
from shotscribe.captioners import Captioner
from shotscribe.captioners.ask import Ask

Film = Callable[..., Clip]

WRITTEN = """
watermark: bool
kind: [film, game, blank]
quality: {question: "How good is it?", type: 1..5}
styles: {type: [noir, warm, cold], several: true}
why: text
"""
ANSWERS = yaml.safe_load(WRITTEN)
SAID = {"watermark": True, "kind": "blank", "quality": 4, "styles": ["warm", "noir", "warm"], "why": "A logo is there."}


def asking(**options: Any) -> Ask:
    return Ask(**{"engine": "vlm", "centres": 2, "answers": ANSWERS, **options})


def made(step: Ask, clip: Clip, engine: Any) -> dict[str, Any]:
    return asyncio.run(step.make(clip, engine))


def test_one_request_gives_typed_columns(film: Film, Scripted: Any, palette: Any) -> None:
    step, engine = asking(name="look"), Scripted(lambda _: json.dumps(SAID))
    columns = made(step, film(step, palette[:4]), engine)
    assert columns | {"look_info": None} == {**SAID, "styles": ["warm", "noir"], "look_info": None}
    assert (columns["look_info"]["status"], columns["look_info"]["tries"]) == ("ok", 1)
    assert engine.colors() == [palette[1], palette[3]]
    schema = arrow_schema(step.adds())
    types = ["bool", "string", "int64", "list<item: string>", "string"]
    assert [str(schema.field(name).type) for name in SAID] == types
    row = pa.Table.from_pylist([columns], schema).to_pylist()[0]
    assert {name: row[name] for name in SAID} == {name: columns[name] for name in SAID}
    told = engine.told()
    assert '"watermark" (true or false)\n"kind" (one of "film", "game", "blank")\n' in told
    assert '"quality" (a whole number from 1 to 5): How good is it?\n' in told
    assert "{questions}" not in told
    assert columns["look_info"]["prompt"] in {step._asked().hash}
    assert step.prompts() == {"ask_look": step._asked().text}


@pytest.mark.parametrize(
    "wrong",
    [
        {"watermark": "yes"},
        {"watermark": None},
        {"kind": "slides"},
        {"quality": 6},
        {"quality": 2.5},
        {"styles": ["red"]},
        {"styles": "warm"},
        {"why": None},
        {"more": 1},
    ],
)
def test_an_answer_off_the_schema_is_asked_for_again(
    wrong: dict[str, Any], film: Film, Scripted: Any, palette: Any
) -> None:
    step, said = asking(retries=1), json.dumps(SAID | wrong)
    engine = Scripted(lambda request: said if request.seed == 0 else json.dumps(SAID))
    assert made(step, film(step, palette[:4]), engine)["ask_info"]["tries"] == 2
    with pytest.raises(ClipError) as failed:
        made(asking(retries=0), film(step, palette[:4]), Scripted(lambda _: said))
    assert failed.value.rejection.reason == Reason.BAD_CAPTION
    kept = made(asking(retries=0, bad="keep"), film(step, palette[:4]), Scripted(lambda _: said))
    assert {kept[name] for name in SAID} == {None}
    assert kept["ask_info"]["status"] == "off_schema"


@given(st.data())
def test_what_fits_the_schema_becomes_a_row(data: st.DataObject) -> None:
    step = asking()
    said = {
        name: data.draw(
            st.lists(st.sampled_from(wanted.choices or ("",)), max_size=3)
            if wanted.several
            else st.sampled_from([*(wanted.choices or wanted.numbers or (True, False))])
            if wanted.type != "text"
            else st.text(max_size=9)
        )
        for name, wanted in step.answers.items()
    }
    for name, wanted in step.answers.items():
        jsonschema.validate(said[name], wanted.schema_of())
    columns = {name: wanted.column() for name, wanted in step.answers.items()}
    table = pa.Table.from_pylist([said], arrow_schema(columns))
    assert table.to_pylist() == [said]


@pytest.mark.parametrize(
    ("keep", "option"),
    [
        ({}, None),
        ({"watermark": True, "kind": ["film", "blank"], "quality": "3..5"}, None),
        ({"quality": 4}, None),
        ({"watermark": False}, "keep.watermark"),
        ({"kind": "film"}, "keep.kind"),
        ({"quality": "0..3"}, None),
        ({"quality": "1..3"}, "keep.quality"),
    ],
)
def test_which_answers_are_kept(keep: dict[str, Any], option: str | None) -> None:
    if keep == {"quality": "0..3"}:
        with pytest.raises(ValidationError, match="0 is never the answer; it is a whole number from 1 to 5"):
            asking(keep=keep)
        return
    rejection = asking(keep=keep).verdict(SAID)
    assert (rejection.option if rejection else None) == option
    assert rejection is None or rejection.reason == Reason.EXCLUDED
    assert asking(keep=keep).verdict(dict.fromkeys(SAID)) is None
    assert asking(keep=keep).identity() == asking().identity()


def test_questions_are_what_it_is_known_by() -> None:
    one, other = (asking(answers={"a": {"question": question}}) for question in ("Is it?", "Was it?"))
    assert one.identity() != other.identity()
    assert one.identity() == asking(answers={"a": {"question": "Is it?"}}, engine="x").identity()
    assert Ask.version == Captioner.version, "how answers are judged is a part of what they are known by"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"answers": {}}, "at least 1 item"),
        ({"answers": {"Kind": "bool"}}, "pattern"),
        ({"answers": {"a": "float"}}, '"float" is no type; write bool, text'),
        ({"answers": {"a": "5..1"}}, "the lower first"),
        ({"answers": {"a": "1..500"}}, "is no type"),
        ({"answers": {"a": ["x"]}}, "two at least"),
        ({"answers": {"a": ["x", 2]}}, "2 is no choice"),
        ({"answers": {"a": ["x", "*y*"]}}, "is no choice"),
        ({"answers": {"a": ["x", "X"]}}, "twice"),
        ({"answers": {"a": {"several": True}}}, "several is for a list"),
        ({"answers": {"a": {"question": "Is {x} it?"}}}, "pattern"),
        ({"answers": {"ask_info": "bool"}}, "rename that answer"),
        ({"keep": {"watermak": True}}, '"watermak" is none of the answers'),
        ({"keep": {"watermark": 1}}, "1 is never the answer; it is true or false"),
        ({"keep": {"kind": ["film", "opera"]}}, "'opera' is never the answer"),
        ({"keep": {"styles": "warm"}}, "judged by a step where"),
        ({"at": [0.5]}, "give one of at"),
        ({"prompt": "short"}, r"lacks \{questions\}"),
    ],
)
def test_what_is_wrong_is_said(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        asking(**options)


def test_a_prompt_of_ones_own(tmp_path: Path, film: Film, Scripted: Any, palette: Any) -> None:
    (tmp_path / "mine.txt").write_text("Say:\n{questions}\n---\n{frames} Now.")
    step, engine = asking(prompt=str(tmp_path / "mine.txt")), Scripted(lambda _: json.dumps(SAID))
    made(step, film(step, palette[:4]), engine)
    assert engine.told().startswith('Say:\n"watermark" (true or false)')


def test_a_choice_is_no_wording_of_the_models(film: Film, Scripted: Any, palette: Any) -> None:
    step = asking(answers={"kind": ["film", "the video is blank"]}, retries=0)
    columns = made(step, film(step, palette[:4]), Scripted(lambda _: '{"kind": "the video is blank"}'))
    assert columns["kind"] == "the video is blank"
