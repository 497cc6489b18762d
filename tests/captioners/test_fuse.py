from __future__ import annotations

import asyncio
import json
from typing import Any

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
from shotscribe.captioners.fuse import Fuse
from shotscribe.captioners.structural import Structural
from shotscribe.captioners.structure.fusion import camera_sentence, dropout, told_of


def subject(kind: str = "Human", name: str = "Woman", **texts: Any) -> dict[str, Any]:
    blank = dict.fromkeys(("appearance", "action", "expression", "position"), "")
    return {"type": kind, "sub_type": name, **blank, "is_main_subject": True, **texts}


WOMAN = subject(appearance="a blue coat", action="walks", expression="smiling", position="on the left")
TREE = subject("Plant", "Tree", appearance="bare", expression="sad", position="behind her")
SHOT: dict[str, Any] = {
    "subjects": [WOMAN, TREE],
    "shot_type": "close_up",
    "shot_angle": "eye_level",
    "shot_position": "over_the_shoulder",
    "camera_motion": "the camera pans left",
    "environment": "a park",
    "lighting": "soft light",
}
EMPTY: dict[str, Any] = {
    "subjects": [],
    **dict.fromkeys(("shot_type", "shot_angle", "shot_position"), "other"),
    **dict.fromkeys(("camera_motion", "environment", "lighting"), ""),
}


def undecoded(sampling: Sampling) -> Frames:
    raise AssertionError("frames were asked for")


def made(step: Fuse, structure: Any, engine: Any, clip_id: str = "clip-1") -> dict[str, Any]:
    return asyncio.run(step.make(Clip({"clip_id": clip_id, "structure": structure}, undecoded), engine))


def told(engine: Any, at: int = -1) -> Any:
    """The form that the model was given by a request."""
    return json.loads(engine.requests[at].messages[-1].parts[-1])


def nothing(place: str) -> bool:
    return False


def test_t2v(Scripted: Any) -> None:
    step, engine = Fuse(engine="llm"), Scripted(lambda _: "A close-up of a woman who walks in a park.")
    columns = made(step, SHOT, engine)
    assert columns["caption"] == "A close-up of a woman who walks in a park. The camera pans left."

    (request,) = engine.requests
    assert (request.max_tokens, request.temperature, request.stop) == (512, 0.1, ("\n\n",))
    assert request.schema is None
    form = told(engine)
    assert form == {
        "shot_type": "close up",
        "shot_angle": "eye level",
        "shot_position": "over the shoulder",
        "subjects": [
            {
                "name": "Woman",
                "action": "walks",
                "appearance": "a blue coat",
                "expression": "smiling",
                "position": "on the left",
            },
            {"name": "Tree", "appearance": "bare", "position": "behind her"},
        ],
        "environment": "a park",
        "lighting": "soft light",
    }
    assert list(form) == ["shot_type", "shot_angle", "shot_position", "subjects", "environment", "lighting"]
    assert list(form["subjects"][0]) == ["name", "action", "appearance", "expression", "position"]
    assert "pans" not in engine.told()
    assert step.prompt.name == "fuse_t2v"
    assert columns["caption_info"]["prompt"] == step.prompt.hash


def test_i2v(Scripted: Any) -> None:
    step, engine = Fuse(engine="llm", mode="i2v", column="i2v_caption"), Scripted(lambda _: "She walks, smiling.")
    smiling = subject("Animal", "Dog", expression="curious")
    columns = made(step, {**SHOT, "subjects": [WOMAN, TREE, smiling]}, engine)
    assert columns["i2v_caption"] == "She walks, smiling. The camera pans left."
    assert told(engine) == {
        "subjects": [
            {"name": "Woman", "action": "walks", "expression": "smiling"},
            {"name": "Dog", "expression": "curious"},
        ]
    }
    assert step.prompt.name == "fuse_i2v"
    assert set(columns) == set(step.adds()) == {"i2v_caption", "i2v_caption_info"}


def test_i2v_of_a_shot_in_which_nobody_does_anything_tells_the_scene(Scripted: Any) -> None:
    engine = Scripted(lambda _: "A park in soft light.")
    assert made(Fuse(engine="llm", mode="i2v"), {**SHOT, "subjects": [TREE]}, engine)["caption"]
    assert told(engine) == {
        "shot_type": "close up",
        "shot_angle": "eye level",
        "shot_position": "over the shoulder",
        "environment": "a park",
        "lighting": "soft light",
    }


@pytest.mark.parametrize("mode", ["t2v", "i2v"])
def test_a_shot_without_subjects(mode: Any, Scripted: Any) -> None:
    engine = Scripted(lambda _: "A park.")
    structure = {**EMPTY, "environment": "a park"}
    assert made(Fuse(engine="llm", mode=mode), structure, engine)["caption"] == "A park."
    assert told(engine) == {"environment": "a park"}


@pytest.mark.parametrize("mode", ["t2v", "i2v"])
@pytest.mark.parametrize(
    "structure",
    [
        None,
        EMPTY,
        {**EMPTY, "camera_motion": "pans left"},
        {**EMPTY, "subjects": [subject(name=" ")]},
        {**EMPTY, "subjects": [subject("Plant", "Other", expression="sad")]},
        dict.fromkeys(EMPTY),
    ],
)
def test_nothing_to_fuse(mode: Any, structure: Any, Scripted: Any) -> None:
    engine = Scripted(lambda _: "never asked")
    with pytest.raises(ClipError, match="nothing to fuse") as failed:
        made(Fuse(engine="llm", mode=mode), structure, engine)
    assert failed.value.rejection.reason == Reason.BAD_CAPTION
    kept = made(Fuse(engine="llm", mode=mode, bad="keep"), structure, engine)
    assert kept == {"caption": None, "caption_info": None}
    assert engine.requests == []


@pytest.mark.parametrize(
    ("motion", "sentence"),
    [
        ("the camera moves toward zooms in", "The camera moves toward zooms in."),
        ("Static.", "Static."),
        (" follows  the NASA rover! ", "Follows the NASA rover!"),
        ("", ""),
        (None, ""),
        ("other", ""),
    ],
)
def test_the_camera_in_a_sentence(motion: str | None, sentence: str, Scripted: Any) -> None:
    assert camera_sentence({"camera_motion": motion}) == sentence
    caption = made(Fuse(engine="llm"), {**SHOT, "camera_motion": motion}, Scripted(lambda _: "A park."))["caption"]
    assert caption == f"A park. {sentence}".strip()


def test_a_bad_answer_that_is_kept_gets_no_camera(Scripted: Any) -> None:
    engine = Scripted(lambda _: Completion("", "stop", 10, 0))
    columns = made(Fuse(engine="llm", bad="keep", retries=0), SHOT, engine)
    assert columns["caption"] == ""
    assert columns["caption_info"]["status"] == "empty"


TEXT = st.none() | st.sampled_from(["", " ", "other", "Other"]) | st.text("ab \n", max_size=8)
SUBJECT = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["Human", "Animal", "Plant", ""]),
        "sub_type": TEXT,
        **dict.fromkeys(("appearance", "action", "expression", "position"), TEXT),
        "is_main_subject": st.booleans(),
    }
)
STRUCTURE = st.fixed_dictionaries(
    {
        "subjects": st.lists(SUBJECT, max_size=4),
        **dict.fromkeys(("shot_type", "shot_angle", "shot_position"), st.sampled_from(["close_up", "other", ""])),
        **dict.fromkeys(("camera_motion", "environment", "lighting"), TEXT),
    }
)
ORDER = {
    "t2v": ["name", "action", "appearance", "expression", "position"],
    "i2v": ["name", "action", "expression"],
}


def says(text: str | None) -> str:
    line = " ".join((text or "").split())
    return "" if line.lower() == "other" else line


@given(structure=STRUCTURE, mode=st.sampled_from(["t2v", "i2v"]))
def test_what_is_told(structure: dict[str, Any], mode: Any) -> None:
    form = told_of(structure, mode=mode, drops=nothing)
    order = ["shot_type", "shot_angle", "shot_position", "subjects", "environment", "lighting"]
    assert list(form) == [name for name in order if name in form]
    assert all(form.values())
    expected = []
    for one in structure["subjects"]:
        fields = {"name": one["sub_type"], **one}
        if one["type"] not in ("Human", "Animal"):
            fields["expression"] = ""
        kept = {name: says(fields[name]) for name in ORDER[mode] if says(fields[name])}
        if kept and (mode == "t2v" or kept.keys() & {"action", "expression"}):
            expected.append(kept)
    assert form.get("subjects", []) == expected
    assert [list(one) for one in form.get("subjects", [])] == [list(one) for one in expected]
    if mode == "t2v" or not expected:
        for name in ("environment", "lighting"):
            assert form.get(name, "") == says(structure[name])
        assert ("shot_type" in form) == (structure["shot_type"] == "close_up")
    else:
        assert set(form) == {"subjects"}
    assert "camera_motion" not in json.dumps(form)


@given(structure=STRUCTURE, seed=st.integers(0, 9), mode=st.sampled_from(["t2v", "i2v"]))
def test_only_appearance_position_and_lighting_are_dropped(structure: dict[str, Any], seed: int, mode: Any) -> None:
    whole = told_of(structure, mode=mode, drops=nothing)
    left = told_of(structure, mode=mode, drops=dropout(0.5, seed=seed, clip_id="a"))
    bare = told_of(structure, mode=mode, drops=lambda place: True)
    for one in bare.get("subjects", []):
        assert not one.keys() & {"appearance", "position"}
    assert "lighting" not in bare

    def flat(form: dict[str, Any]) -> set[tuple[str, str]]:
        inner = [pair for one in form.get("subjects", []) for pair in one.items()]
        return {*((name, value) for name, value in form.items() if name != "subjects"), *inner}

    assert flat(left) <= flat(whole)
    assert {name for name, _ in flat(whole) - flat(left)} <= {"appearance", "position", "lighting"}
    assert flat(bare) <= flat(left)


def test_the_rate_of_dropout() -> None:
    places = ("subjects.0.appearance", "subjects.0.position", "subjects.1.appearance", "lighting")
    for place in places:
        dropped = sum(dropout(0.1, seed=0, clip_id=f"clip-{at}")(place) for at in range(5000))
        assert 400 < dropped < 600, place
    both = sum(all(dropout(0.1, seed=0, clip_id=f"clip-{at}")(place) for place in places[:2]) for at in range(5000))
    assert 25 < both < 85  # a hundredth: they do not fall together


@given(clip_id=st.text("abc-1", min_size=1), seed=st.integers(0, 2**40), place=st.text("ab.", max_size=5))
def test_dropout_at_its_ends(clip_id: str, seed: int, place: str) -> None:
    assert not dropout(0.0, seed=seed, clip_id=clip_id)(place)
    assert dropout(1.0, seed=seed, clip_id=clip_id)(place)


def test_dropout_is_the_clips_own_and_the_same_in_every_run(Scripted: Any) -> None:
    def forms(seed: int) -> list[Any]:
        step, engine = Fuse(engine="llm", field_dropout=0.5, seed=seed), Scripted(lambda _: "A park.")
        for at in range(20):
            made(step, SHOT, engine, clip_id=f"clip-{at}")
        return [told(engine, at) for at in range(20)]

    first = forms(0)
    assert first == forms(0)
    assert first != forms(1)
    assert len({json.dumps(form) for form in first}) > 5
    places = [dropout(0.5, seed=0, clip_id=f"clip-{at}")("lighting") for at in range(8)]
    assert places == [False, True, False, False, True, True, False, False]  # of another process


def test_a_retry_tells_the_same(Scripted: Any) -> None:
    answers = iter(["", "A park."])
    engine = Scripted(lambda _: next(answers))
    columns = made(Fuse(engine="llm", field_dropout=0.5), SHOT, engine)
    assert told(engine, 0) == told(engine, 1)
    assert columns["caption_info"]["tries"] == 2


def test_dropout_never_leaves_nothing(Scripted: Any) -> None:
    engine = Scripted(lambda _: "Soft light.")
    assert made(Fuse(engine="llm", field_dropout=1), {**EMPTY, "lighting": "soft light"}, engine)["caption"]
    assert told(engine) == {"lighting": "soft light"}


def test_it_reads_what_structural_adds() -> None:
    assert Fuse(engine="llm").reads()["structure"] == Structural(engine="vlm").adds()["structure"]
    field = arrow_schema(Structural(engine="vlm").adds()).field("structure")
    (row,) = pa.array([SHOT], type=field.type).to_pylist()
    assert told_of(row, mode="t2v", drops=nothing) == told_of(SHOT, mode="t2v", drops=nothing)


def test_prompts_follow_the_mode_unless_one_is_named(tmp_path: Any) -> None:
    own = tmp_path / "mine.txt"
    own.write_text("Fuse {structure}")
    t2v, i2v = Fuse(engine="llm"), Fuse(engine="llm", mode="i2v")
    assert (t2v.prompt.name, i2v.prompt.name) == ("fuse_t2v", "fuse_i2v")
    assert t2v.identity() != i2v.identity()
    assert Fuse(engine="llm", mode="i2v", prompt=str(own)).prompts() == {"mine": "Fuse {structure}"}
    own.write_text("Fuse it")
    with pytest.raises(ValidationError, match=r"lacks \{structure\}"):
        Fuse(engine="llm", prompt=str(own))


@pytest.mark.parametrize("options", [{"mode": "v2v"}, {"mode": []}, {"field_dropout": 1.1}, {"column": "My caption"}])
def test_wrong_options(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as wrong:
        Fuse(engine="llm", **options)
    assert wrong.value.error_count() == 1
