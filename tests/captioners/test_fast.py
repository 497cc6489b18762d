from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from shotscribe.builder.contract.clip import Clip
from shotscribe.builder.contract.errors import ClipError
from shotscribe.builder.contract.identity import pixel_hash
from shotscribe.captioners.fast import Fast

Film = Callable[..., Clip]


def caption(step: Fast, clip: Clip, engine: Any) -> dict[str, Any]:
    return asyncio.run(step.make(clip, engine))


def test_a_stack_shows_all_keyframes_in_one_request(film: Film, Scripted: Any, palette: Any) -> None:
    step, engine = Fast(engine="vlm"), Scripted(lambda _: "A ball rolls.")
    made = caption(step, film(step, palette[:9], keyframes=[0.0, 3.0, 8.0]), engine)
    assert len(engine.requests) == 1
    (picture,) = engine.images()
    assert picture.pixels.shape == (3 * (16 + 90), 160, 3)
    for at, color in enumerate([palette[0], palette[3], palette[8]]):
        assert (picture.pixels[at * 106 + 16 : (at + 1) * 106] == color).all()
    assert "from top to bottom" in engine.told()
    assert made["caption"] == "A ball rolls."
    assert set(made) == set(step.adds()) == {"caption", "caption_info"}


@pytest.mark.parametrize("layout", ["stack", "grid", "images"])
def test_the_info_names_the_single_frames(film: Film, Scripted: Any, palette: Any, layout: str) -> None:
    step, engine = Fast(engine="vlm", layout=layout), Scripted(lambda _: "A ball rolls.")
    clip = film(step, palette[:9], keyframes=[0.0, 3.0, 8.0])
    made = caption(step, clip, engine)
    assert made["caption_info"]["frames"] == list(clip.frames(*step.samplings(clip.row)).hashes)
    assert [image.hash for image in engine.images()] == [pixel_hash(image.pixels) for image in engine.images()]


def test_a_grid_and_its_times(film: Film, Scripted: Any, palette: Any) -> None:
    step, engine = Fast(engine="vlm", layout="grid", columns=2), Scripted(lambda _: "A ball rolls.")
    caption(step, film(step, palette[:9], keyframes=[0.0, 3.0, 8.0]), engine)
    (picture,) = engine.images()
    assert picture.pixels.shape == (180, 320, 3)
    for at, color in enumerate([palette[0], palette[3], palette[8], (0, 0, 0)]):
        top, left = at // 2 * 90, at % 2 * 160
        assert (picture.pixels[top : top + 90, left : left + 160] == color).all()
    assert "row by row from left to right; their times are 0.0 s, 3.0 s, 8.0 s:" in engine.told()


def test_single_images_come_each_after_its_time(film: Film, Scripted: Any, palette: Any) -> None:
    step, engine = Fast(engine="vlm", layout="images"), Scripted(lambda _: "A ball rolls.")
    caption(step, film(step, palette[:9], keyframes=[0.0, 3.0, 8.0]), engine)
    parts = engine.requests[0].messages[1].parts
    assert [part.strip() for part in parts[0:6:2]] == ["At 0.0 s:", "At 3.0 s:", "At 8.0 s:"]
    assert [part.hash for part in parts[1:6:2]] == [image.hash for image in engine.images()]
    assert engine.colors() == [palette[0], palette[3], palette[8]]


def test_sixteen_uniform_frames_make_the_grid_of_ig_vlm(film: Film, Scripted: Any, palette: Any) -> None:
    step, engine = Fast(engine="vlm", layout="grid", pick="uniform"), Scripted(lambda _: "A ball rolls.")
    assert step.reads() == {}
    made = caption(step, film(step, palette[:160], every_s=0.1), engine)
    (picture,) = engine.images()
    assert picture.pixels.shape == (4 * 90, 4 * 160, 3)
    corner = [picture.pixels[top, left].tolist() for top, left in ((0, 0), (0, 480), (270, 0), (270, 480))]
    assert corner == [list(palette[at]) for at in (0, 32, 128, 159)]
    assert len(made["caption_info"]["frames"]) == 16


def test_of_many_keyframes_an_even_part_is_taken(film: Film, Scripted: Any, palette: Any) -> None:
    step, engine = Fast(engine="vlm", layout="images", max_frames=4), Scripted(lambda _: "A ball rolls.")
    keyframes = [float(at) for at in range(300)]
    caption(step, film(step, palette, keyframes=keyframes, size=(9, 16)), engine)
    assert engine.colors() == [palette[at] for at in (0, 100, 199, 299)]


def test_a_stack_of_many_large_frames_stays_within_its_pixels(film: Film, Scripted: Any, palette: Any) -> None:
    step = Fast(engine="vlm", max_frames=64, size={"long_side_px": 4000})
    engine = Scripted(lambda _: "A ball rolls.")
    clip = film(step, palette[:64], keyframes=[float(at) for at in range(64)], size=(720, 1280))
    caption(step, clip, engine)
    height, width, _ = engine.images()[0].pixels.shape
    assert 2**23 < height * width <= 2**24


@pytest.mark.parametrize("layout", ["stack", "grid", "images"])
def test_one_keyframe(film: Film, Scripted: Any, palette: Any, layout: str) -> None:
    step, engine = Fast(engine="vlm", layout=layout, column="dense"), Scripted(lambda _: "A ball.")
    made = caption(step, film(step, palette[:1], keyframes=[0.0]), engine)
    assert (engine.images()[0].pixels[-90:] == palette[0]).all()
    assert made["dense"] == "A ball."
    assert len(made["dense_info"]["frames"]) == 1


def test_frames_that_look_alike_are_all_shown(film: Film, Scripted: Any, palette: Any) -> None:
    step, engine = Fast(engine="vlm", layout="images"), Scripted(lambda _: "A ball.")
    made = caption(step, film(step, [palette[5]] * 3, keyframes=[0.0, 2.0]), engine)
    assert engine.colors() == [palette[5]] * 2
    assert len(made["caption_info"]["frames"]) == 2


@pytest.mark.parametrize("keyframes", [None, []])
def test_a_clip_without_keyframes_is_rejected(film: Film, Scripted: Any, palette: Any, keyframes: Any) -> None:
    step, engine = Fast(engine="vlm"), Scripted(lambda _: "A ball.")
    with pytest.raises(ClipError, match="bad_row: keyframes"):
        caption(step, film(step, palette[:3], keyframes=keyframes), engine)
    assert engine.requests == []


def test_wrong_options(tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("Describe it like this: {previous}")
    with pytest.raises(ValidationError, match=r"mine: nothing fills in \{previous\}"):
        Fast(engine="vlm", prompt=str(file))
    for wrong in ({"column": "My caption"}, {"max_frames": 1}, {"max_frames": 65}, {"layout": "circle"}):
        with pytest.raises(ValidationError, match=next(iter(wrong))):
            Fast(engine="vlm", **wrong)
