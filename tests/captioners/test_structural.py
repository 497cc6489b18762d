from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import jsonschema
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from shotscribe.builder.contract.clip import Clip
from shotscribe.builder.contract.engine import Completion, Image, Video
from shotscribe.builder.contract.errors import ClipError, Reason
from shotscribe.builder.store.arrow import arrow_schema
from shotscribe.captioners.structural import Structural
from shotscribe.captioners.structure.schema import whole
from shotscribe.captioners.structure.shots import STRUCTURE, structure_of, structure_schema

Film = Callable[..., Clip]

ANSWER: dict[str, Any] = {
    "subjects": [
        {
            "TYPES": {"type": "Human", "sub_type": "Woman"},
            "appearance": "Short gray hair, a blue apron over a white shirt.",
            "action": "She kneads dough on a table, then looks up and laughs.",
            "expression": "Calm, then cheerful.",
            "position": "In the middle of the picture, behind the table.",
            "is_main_subject": True,
        },
        {
            "TYPES": {"type": "Food", "sub_type": "Dough"},
            "appearance": "Pale and dusted with flour.",
            "action": "It is folded and pressed.",
            "expression": "delicious",
            "position": "On the table.",
            "is_main_subject": False,
        },
    ],
    "shot_type": "medium_shot",
    "shot_angle": "eye_level",
    "shot_position": "front_view",
    "camera_motion": "the camera slowly moves in",
    "environment": "A small bakery with shelves of bread.",
    "lighting": "Warm light from a window on the left.",
}
SCHEMA = structure_schema(max_subjects=8, max_chars=600)
ENUMS = {
    "shot_type": ["long_shot", "full_shot", "medium_shot", "close_up", "extreme_close_up", "other"],
    "shot_angle": ["eye_level", "high_angle", "low_angle", "other"],
    "shot_position": [
        "front_view",
        "back_view",
        "side_view",
        "over_the_shoulder",
        "overhead_view",
        "point_of_view",
        "aerial_view",
        "overlooking_view",
        "other",
    ],
}


def fits(answer: Any, schema: dict[str, Any] = SCHEMA) -> bool:
    return not list(jsonschema.Draft202012Validator(schema).iter_errors(answer))


def made(step: Structural, clip: Clip, engine: Any) -> dict[str, Any]:
    return asyncio.run(step.make(clip, engine))


def test_what_is_asked(film: Film, Scripted: Any, palette: Any) -> None:
    step, engine = Structural(engine="vlm"), Scripted(lambda _: json.dumps(ANSWER))
    columns = made(step, film(step, palette[:31], size=(720, 1280)), engine)

    (request,) = engine.requests
    assert (request.max_tokens, request.temperature, request.seed) == (2048, 0.05, 0)
    assert request.schema == SCHEMA
    assert [message.role for message in request.messages] == ["system", "user"]
    (video,) = [part for message in request.messages for part in message.parts if isinstance(part, Video)]
    assert video.times == tuple(float(at) for at in range(0, 31, 2))  # at k/15 of 31 s; the last frame is one of them
    assert video.duration == 31.0
    assert len(video.frames) == 16
    height, width, _ = video.frames[0].pixels.shape
    assert 0.97 * 360 * 420 <= height * width <= 1.01 * 360 * 420
    assert width / height == pytest.approx(16 / 9, rel=0.01)
    assert columns["structure_info"]["frames"] == [image.hash for image in video.frames]
    assert columns["structure_info"]["status"] == "ok"
    assert columns["structure_info"]["prompt"] == step.prompt.hash


def test_pictures_for_models_that_take_no_video(film: Film, Scripted: Any, palette: Any) -> None:
    step, engine = Structural(engine="vlm", input="images", frames=4), Scripted(lambda _: json.dumps(ANSWER))
    made(step, film(step, palette[:31]), engine)
    assert engine.colors() == [palette[0], palette[10], palette[20], palette[30]]
    assert not any(isinstance(part, Video) for message in engine.requests[0].messages for part in message.parts)
    assert all(isinstance(image, Image) for image in engine.images())


def test_a_clip_of_few_frames_shows_each_once(film: Film, Scripted: Any, palette: Any) -> None:
    step, engine = Structural(engine="vlm"), Scripted(lambda _: json.dumps(ANSWER))
    made(step, film(step, palette[:3]), engine)
    (video,) = [part for part in engine.requests[0].messages[1].parts if isinstance(part, Video)]
    assert video.times == (0.0, 1.0, 2.0)


def test_the_column(film: Film, Scripted: Any, palette: Any) -> None:
    step = Structural(engine="vlm")
    columns = made(step, film(step, palette[:4]), Scripted(lambda _: json.dumps(ANSWER)))
    structure = columns["structure"]
    woman, dough = structure["subjects"]
    assert woman == {
        "type": "Human",
        "sub_type": "Woman",
        **{name: ANSWER["subjects"][0][name] for name in ("appearance", "action", "expression", "position")},
        "is_main_subject": True,
    }
    assert dough["expression"] == ""
    assert dough["is_main_subject"] is False
    assert {name: structure[name] for name in structure if name != "subjects"} == {
        name: ANSWER[name] for name in ANSWER if name != "subjects"
    }
    schema = arrow_schema(step.adds())
    assert set(schema.names) == set(columns) == {"structure", "structure_info"}
    stored = pa.array([structure, None], type=schema.field("structure").type)
    assert stored.to_pylist() == [structure, None]
    assert str(stored.type.field("subjects").type.value_type.field("is_main_subject").type) == "bool"


@pytest.mark.parametrize(
    ("kind", "kept"), [("Human", True), ("animal", True), (" Human ", True), ("Plant", False), ("", False)]
)
def test_only_people_and_animals_have_an_expression(kind: str, kept: bool) -> None:
    answer = copy.deepcopy(ANSWER)
    answer["subjects"][0]["TYPES"]["type"] = kind
    assert structure_of(answer, max_chars=600)["subjects"][0]["expression"] == ("Calm, then cheerful." if kept else "")


def test_a_clip_with_nobody_in_it() -> None:
    answer = {**ANSWER, "subjects": []}
    assert fits(answer)
    assert structure_of(answer, max_chars=600)["subjects"] == []


def test_the_schema_takes_what_is_asked_for_and_nothing_else() -> None:
    assert fits(ANSWER)
    for name in ANSWER:
        assert not fits({key: value for key, value in ANSWER.items() if key != name}), name
    for name in ANSWER["subjects"][0]:
        subject = {key: value for key, value in ANSWER["subjects"][0].items() if key != name}
        assert not fits({**ANSWER, "subjects": [subject]}), name
    assert not fits({**ANSWER, "mood": "good"})
    assert not fits({**ANSWER, "subjects": [{**ANSWER["subjects"][0], "types": {}}]})
    assert not fits({**ANSWER, "subjects": [{**ANSWER["subjects"][0], "is_main_subject": "yes"}]})
    assert not fits({**ANSWER, "subjects": None})
    assert not fits({**ANSWER, "lighting": None})
    assert fits({**ANSWER, "lighting": "x" * 600})
    assert not fits({**ANSWER, "lighting": "x" * 601})
    assert fits({**ANSWER, "subjects": ANSWER["subjects"][:1] * 8})
    assert not fits({**ANSWER, "subjects": ANSWER["subjects"][:1] * 9})


@pytest.mark.parametrize("name", ENUMS)
def test_the_enums(name: str) -> None:
    assert all(fits({**ANSWER, name: value}) for value in ENUMS[name])
    others = {value for values in ENUMS.values() for value in values} - set(ENUMS[name])
    for value in (*others, "", "Close_Up", "close-up", "wide_shot", "birds_eye", None, 1):
        assert not fits({**ANSWER, name: value}), value


def parts(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield schema
    for inner in [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]:
        yield from parts(inner)


@given(max_subjects=st.integers(1, 64), max_chars=st.integers(20, 4000))
def test_the_schema_is_bounded_everywhere(max_subjects: int, max_chars: int) -> None:
    known = {"type", "properties", "required", "enum", "maxLength", "maxItems", "items", "additionalProperties"}
    schema = structure_schema(max_subjects=max_subjects, max_chars=max_chars)
    jsonschema.Draft202012Validator.check_schema(schema)
    for part in parts(schema):
        assert set(part) <= known  # what the grammar backends of engines all know
        match part["type"]:
            case "object":
                assert part["additionalProperties"] is False
                assert part["required"] == list(part["properties"])
            case "array":
                assert part["maxItems"] == max_subjects
            case "string":
                assert "enum" in part or 1 <= part["maxLength"] <= max_chars
            case other:
                assert other == "boolean"


TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)


@given(st.data())
def test_every_answer_that_fits_becomes_a_value_that_arrow_takes(data: st.DataObject) -> None:
    subject = st.fixed_dictionaries(
        {
            "TYPES": st.fixed_dictionaries({"type": st.sampled_from(["Human", "Plant"]) | TEXT, "sub_type": TEXT}),
            **dict.fromkeys(("appearance", "action", "expression", "position"), TEXT),
            "is_main_subject": st.booleans(),
        }
    )
    answer = data.draw(
        st.fixed_dictionaries(
            {
                "subjects": st.lists(subject, max_size=3),
                **{name: st.sampled_from(values) for name, values in ENUMS.items()},
                **dict.fromkeys(("camera_motion", "environment", "lighting"), TEXT),
            }
        )
    )
    assert fits(answer, structure_schema(max_subjects=3, max_chars=20))
    value = structure_of(answer, max_chars=20)
    (field,) = arrow_schema({"structure": STRUCTURE})
    assert pa.array([value], type=field.type).to_pylist() == [value]
    assert [one["sub_type"] for one in value["subjects"]] == [
        whole(one["TYPES"]["sub_type"], 20) for one in answer["subjects"]
    ]


@pytest.mark.parametrize(
    ("text", "max_chars", "kept"),
    [
        ("A red coat.", 600, "A red coat."),
        ("  A red\n coat ", 600, "A red coat"),
        ("A red coat. It is lo", 20, "A red coat."),
        ("A red coat, a blue h", 20, "A red coat, a blue"),
        ("A red coat, blue, ha", 20, "A red coat, blue"),
        ("A coat of 2.5 meters", 20, "A coat of 2.5"),
        ("A red coat of wool!!", 20, "A red coat of wool!!"),
        ("x" * 20, 20, "x" * 20),
        ("赤いコート。白い帽子。青い靴を履いて歩い", 20, "赤いコート。白い帽子。"),
    ],
)
def test_a_text_that_the_grammar_cut_off_ends_at_a_whole_one(text: str, max_chars: int, kept: str) -> None:
    assert whole(text, max_chars) == kept


@given(text=TEXT, max_chars=st.integers(20, 40))
def test_a_text_within_its_bound_loses_nothing_but_spaces(text: str, max_chars: int) -> None:
    if len(text) < max_chars:
        assert whole(text, max_chars).split() == text.split()


def test_a_bad_answer(film: Film, Scripted: Any, palette: Any) -> None:
    loop = Completion('{"subjects": [{"TYPES": {"type": "Hum', "length", 100, 2048)
    step, engine = Structural(engine="vlm", retries=1), Scripted(lambda _: loop)
    with pytest.raises(ClipError) as failed:
        made(step, film(step, palette[:4]), engine)
    assert failed.value.rejection.reason == Reason.BAD_CAPTION
    assert len(engine.requests) == 2

    step = Structural(engine="vlm", retries=0, bad="keep")
    columns = made(step, film(step, palette[:4]), Scripted(lambda _: loop))
    assert columns["structure"] is None
    assert columns["structure_info"]["status"] == "truncated"


@pytest.mark.parametrize(
    "options", [{"frames": 1}, {"max_subjects": 0}, {"max_chars": 5}, {"input": "gif"}, {"size": {}}, {"column": "a"}]
)
def test_wrong_options(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Structural(engine="vlm", **options)


def test_the_prompt_names_every_field_and_every_value() -> None:
    text = Structural(engine="vlm").prompt.text
    for name in (*ANSWER, *ANSWER["subjects"][0], *ANSWER["subjects"][0]["TYPES"]):
        assert f'"{name}": ' in text
    assert all(value in text for values in ENUMS.values() for value in values)
    assert "{frames}" in text
