from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from shotscribe.builder.contract.clip import Clip
from shotscribe.builder.contract.engine import Completion, Image, Request
from shotscribe.builder.contract.errors import ClipError, Reason
from shotscribe.builder.contract.identity import pixel_hash
from shotscribe.builder.store.arrow import arrow_schema
from shotscribe.captioners.sliding import Sliding

Film = Callable[..., Clip]


def numbered(said: str = "Said") -> Callable[[Request], str]:
    """Said 1., Said 2., ..."""
    count = iter(range(1, 1000))
    return lambda _: f"{said} {next(count)}."


def made(step: Sliding, clip: Clip, engine: Any) -> list[dict[str, Any]]:
    return asyncio.run(step.make(clip, engine))["diff_captions"]


def test_windows_of_two_keyframes_and_the_caption_before(film: Film, Scripted: Any, palette: Any) -> None:
    step, engine = Sliding(engine="vlm"), Scripted(numbered())
    captions = made(step, film(step, palette[:10], keyframes=[0.0, 4.0, 9.0]), engine)

    assert [engine.colors(at) for at in range(3)] == [
        [palette[0]],
        [palette[0], palette[4]],
        [palette[4], palette[9]],
    ]
    for turn in engine.requests:  # what is the same for all clips comes first, in a message of its own
        assert [message.role for message in turn.messages] == ["system", "user"]
    assert len({engine.requests[at].messages[0].parts for at in (1, 2)}) == 1
    parts = engine.requests[2].messages[1].parts
    assert [part.strip() if isinstance(part, str) else type(part) for part in parts[:4]] == [
        "Previous keyframe, number 2, at 4.0 s:",
        Image,
        "Current keyframe, number 3, at 9.0 s:",
        Image,
    ]
    assert "Said 2." in parts[4]
    assert "Said 1." not in engine.told(2)
    assert "Said 1." in engine.told(1)
    assert "keyframe" not in engine.told(0)

    assert [(entry["start"], entry["end"], entry["caption"]) for entry in captions] == [
        (0.0, 0.0, "Said 1."),
        (0.0, 4.0, "Said 2."),
        (4.0, 9.0, "Said 3."),
    ]
    hashes = [engine.images(at)[-1].hash for at in range(3)]
    assert [entry["info"]["frames"] for entry in captions] == [hashes[:1], hashes[:2], hashes[1:]]
    assert hashes[2] == pixel_hash(engine.images(2)[1].pixels)
    assert captions[0]["info"]["prompt"] == step.first_prompt.hash
    assert captions[1]["info"]["prompt"] == captions[2]["info"]["prompt"] == step.prompt.hash


def test_the_column_is_what_is_written(film: Film, Scripted: Any, palette: Any) -> None:
    import pyarrow as pa

    step = Sliding(engine="vlm")
    captions = made(step, film(step, palette[:3], keyframes=[0.0, 2.0]), Scripted(numbered()))
    table = pa.table({"diff_captions": [captions]}, schema=arrow_schema(step.adds()))
    assert table.column("diff_captions").to_pylist() == [captions]


def test_one_keyframe_makes_one_caption(film: Film, Scripted: Any, palette: Any) -> None:
    step, engine = Sliding(engine="vlm"), Scripted(numbered())
    (entry,) = made(step, film(step, palette[:1], keyframes=[0.0]), engine)
    assert (entry["start"], entry["end"], entry["caption"]) == (0.0, 0.0, "Said 1.")
    assert len(engine.requests) == 1


def test_frames_that_look_alike_are_still_a_window(film: Film, Scripted: Any, palette: Any) -> None:
    step, engine = Sliding(engine="vlm"), Scripted(numbered())
    captions = made(step, film(step, [palette[7]] * 3, keyframes=[0.0, 2.0]), engine)
    assert engine.colors(1) == [palette[7], palette[7]]
    assert [(entry["start"], entry["end"]) for entry in captions] == [(0.0, 0.0), (0.0, 2.0)]


def test_times_on_one_frame_are_one_keyframe_at_its_own_time(film: Film, Scripted: Any, palette: Any) -> None:
    step, engine = Sliding(engine="vlm"), Scripted(numbered())
    captions = made(step, film(step, palette[:5], keyframes=[0.0, 2.0, 2.0, 2.7, 4.2]), engine)
    assert [(entry["start"], entry["end"]) for entry in captions] == [(0.0, 0.0), (0.0, 2.0), (2.0, 4.0)]
    assert engine.colors(2) == [palette[2], palette[4]]


def test_three_hundred_keyframes(film: Film, Scripted: Any, palette: Any) -> None:
    step, engine = Sliding(engine="vlm", size={"long_side_px": 16}), Scripted(numbered())
    clip = film(step, palette, keyframes=[float(at) for at in range(300)])
    captions = made(step, clip, engine)
    assert [entry["caption"] for entry in captions] == [f"Said {at}." for at in range(1, 301)]
    assert [entry["end"] for entry in captions] == clip["keyframes"]
    for at in range(1, 300):
        assert engine.colors(at) == [palette[at - 1], palette[at]]
        assert f"Said {at}." in engine.told(at)


@pytest.mark.parametrize(("text", "next_sees"), [("It stops in the mid", "It stops in the mid"), ("", "(none)")])
def test_a_bad_caption_that_is_kept_is_gone_on_from(
    film: Film, Scripted: Any, palette: Any, text: str, next_sees: str
) -> None:
    step = Sliding(engine="vlm", bad="keep", retries=0)
    answers = iter(
        [Completion("A door.", "stop", 9, 9), Completion(text, "length", 9, 9), Completion("Ok.", "stop", 9, 9)]
    )
    engine = Scripted(lambda _: next(answers))
    captions = made(step, film(step, palette[:3], keyframes=[0.0, 1.0, 2.0]), engine)
    assert [entry["info"]["status"] == "ok" for entry in captions] == [True, False, True]
    assert captions[1]["caption"] == text
    assert f"\n{next_sees}\n" in engine.told(2)


def test_a_bad_caption_rejects_the_clip_and_names_the_keyframe(film: Film, Scripted: Any, palette: Any) -> None:
    step = Sliding(engine="vlm", retries=0)
    answers = iter(["A door.", ""])
    engine = Scripted(lambda _: next(answers))
    with pytest.raises(ClipError) as caught:
        made(step, film(step, palette[:3], keyframes=[0.0, 1.0, 2.0]), engine)
    assert caught.value.rejection.reason == Reason.BAD_CAPTION
    assert caught.value.rejection.detail.startswith("keyframe 2 of 3: ")
    assert len(engine.requests) == 2


@pytest.mark.parametrize("keyframes", [None, []])
def test_a_clip_without_keyframes_is_rejected(film: Film, Scripted: Any, palette: Any, keyframes: Any) -> None:
    step, engine = Sliding(engine="vlm"), Scripted(numbered())
    with pytest.raises(ClipError, match="bad_row: keyframes"):
        made(step, film(step, palette[:3], keyframes=keyframes), engine)
    assert engine.requests == []


def test_braces_in_a_caption_are_text(film: Film, Scripted: Any, palette: Any) -> None:
    step, engine = Sliding(engine="vlm", mentions="keep"), Scripted(lambda _: "A sign says {previous} {frames}.")
    made(step, film(step, palette[:3], keyframes=[0.0, 1.0, 2.0]), engine)
    assert "A sign says {previous} {frames}." in engine.told(2)
    assert len(engine.images(2)) == 2


def test_both_prompts_are_printed_and_bear_identity(tmp_path: Path) -> None:
    step = Sliding(engine="vlm")
    assert set(step.prompts()) == {"sliding", "sliding_first"}
    one, other = tmp_path / "one.txt", tmp_path / "other.txt"
    one.write_text("Look.")
    other.write_text("Look closely.")
    identities = [Sliding(engine="vlm", first_prompt=str(path)).identity() for path in (one, other)]
    assert identities[0] != identities[1]
    one.rename(tmp_path / "renamed.txt")
    assert Sliding(engine="other", first_prompt=str(tmp_path / "renamed.txt")).identity() == identities[0]


def test_a_prompt_without_its_field_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("What changes?")
    with pytest.raises(ValidationError, match=r"mine: the prompt lacks \{previous\}"):
        Sliding(engine="vlm", prompt=str(file))
    file.write_text("What changes after {previous}?")
    assert Sliding(engine="vlm", prompt=str(file)).prompt.name == "mine"
    with pytest.raises(ValidationError, match=r"first_prompt: mine: nothing fills in \{previous\}"):
        Sliding(engine="vlm", first_prompt=str(file))
    first = tmp_path / "first" / "mine.txt"
    first.parent.mkdir()
    first.write_text("Look.")
    with pytest.raises(ValidationError, match="both called mine"):  # in the card one would hide the other
        Sliding(engine="vlm", prompt=str(file), first_prompt=str(first))
