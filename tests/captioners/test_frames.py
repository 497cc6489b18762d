from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from shotscribe.builder.contract.clip import Clip
from shotscribe.captioners.frames import Frames

Film = Callable[..., Clip]
IMPROVED = {"at": [0.1, 0.5, 0.9], "prompt": "open_sora_llava_3frames", "improve": "open_sora_llava_improve"}


def caption(step: Frames, clip: Clip, engine: Any) -> dict[str, Any]:
    return asyncio.run(step.make(clip, engine))


@pytest.mark.parametrize(
    ("options", "frames"),
    [
        ({"at": [0.5]}, [60]),
        ({"at": [0.25, 0.75]}, [30, 90]),
        ({"at": [0.1, 0.5, 0.9]}, [12, 60, 108]),
        ({"at": [0, 1]}, [0, 120]),
        ({"centres": 4}, [15, 45, 75, 105]),
    ],
)
def test_which_frames(film: Film, Scripted: Any, palette: Any, options: dict[str, Any], frames: list[int]) -> None:
    step = Frames(engine="vlm", prompt="open_sora_pllava_long", **options)
    engine = Scripted(lambda _: "A dog runs.")
    made = caption(step, film(step, palette[:121], every_s=1 / 30), engine)
    assert engine.colors() == [palette[at] for at in frames]
    assert made["caption"] == "A dog runs."
    assert made["caption_info"]["frames"] == [image.hash for image in engine.images()]
    assert made["caption_info"]["prompt"] == step.prompt.hash
    assert set(made) == set(step.adds())


@pytest.mark.parametrize("side", [336, 672])
def test_how_large(film: Film, Scripted: Any, palette: Any, side: int) -> None:
    step = Frames(engine="vlm", prompt="open_sora_pllava_long", at=[0.5], size={"short_side_px": side})
    engine = Scripted(lambda _: "A dog runs.")
    caption(step, film(step, palette[:3], size=(1080, 1920)), engine)
    assert engine.images()[0].pixels.shape == (side, round(side * 16 / 9), 3)


def test_a_source_caption_is_improved(film: Film, Scripted: Any, palette: Any) -> None:
    step, engine = Frames(engine="vlm", **IMPROVED), Scripted(lambda _: "A brown dog runs.")
    made = caption(step, film(step, palette[:10], source_caption="  a dog {frames} \n"), engine)
    assert "\na dog {frames}\n" in engine.told()
    assert len(engine.images()) == 3
    assert made["caption_info"]["prompt"] == step.improve.hash
    assert step.reads() == {"source_caption": "string"}


@pytest.mark.parametrize("empty", [None, "", "  \n"])
def test_where_there_is_none_the_clip_is_captioned(film: Film, Scripted: Any, palette: Any, empty: str | None) -> None:
    step, engine = Frames(engine="vlm", **IMPROVED), Scripted(lambda _: "A brown dog runs.")
    made = caption(step, film(step, palette[:10], source_caption=empty), engine)
    asked = "\n".join(part for turn in engine.requests[0].messages for part in turn.parts if isinstance(part, str))
    assert asked.split() == step.prompt.text.replace("---", "").replace("{frames}", "").split()
    assert made["caption_info"]["prompt"] == step.prompt.hash


def test_a_source_caption_is_not_shown_unasked(film: Film, Scripted: Any, palette: Any) -> None:
    step = Frames(engine="vlm", prompt="open_sora_gpt4v", at=[0.1, 0.5, 0.9], column="gpt")
    engine = Scripted(lambda _: "A dog runs.")
    made = caption(step, film(step, palette[:10], source_caption="a cat"), engine)
    assert "a cat" not in engine.told()
    assert made["gpt"] == "A dog runs."
    assert step.reads() == {}


def test_a_clip_of_one_frame_is_seen_once(film: Film, Scripted: Any, palette: Any) -> None:
    step, engine = Frames(engine="vlm", prompt="open_sora_pllava_short", centres=4), Scripted(lambda _: "A dog.")
    caption(step, film(step, palette[:1]), engine)
    assert engine.colors() == [palette[0]]


def test_prompts_and_identity(tmp_path: Path) -> None:
    step = Frames(engine="vlm", **IMPROVED)
    assert set(step.prompts()) == {"open_sora_llava_3frames", "open_sora_llava_improve"}
    file = tmp_path / "open_sora_llava_improve.txt"
    file.write_text("{source_caption}? Do better.")
    changed = Frames(engine="vlm", **{**IMPROVED, "improve": str(file)})
    without = Frames(engine="vlm", **{**IMPROVED, "improve": None})
    assert len({str(one.identity()) for one in (step, changed, without)}) == 3
    file.write_text(step.improve.text)
    assert Frames(engine="x", **{**IMPROVED, "improve": str(file)}).identity() == step.identity()


PROMPTS = {
    "open_sora_llava_1frame": "at most five sentences",
    "open_sora_llava_2frames": "at most five sentences",
    "open_sora_llava_3frames": "at most five sentences",
    "open_sora_llava_examples": "at most five sentences",
    "open_sora_pllava_long": "at most six sentences",
    "open_sora_pllava_short": "at most three sentences",
    "open_sora_gpt4v": "60 to 120 words",
}


@pytest.mark.parametrize("name", PROMPTS)
def test_the_prompts_of_open_sora_limit_the_length(name: str) -> None:
    told = Frames(engine="vlm", prompt=name, at=[0.5]).prompt.text
    assert PROMPTS[name] in told


@pytest.mark.parametrize("options", [{}, {"at": []}, {"at": [0.5], "centres": 4}])
def test_one_of_at_and_centres(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="give one of at"):
        Frames(engine="vlm", prompt="open_sora_gpt4v", **options)


def test_wrong_options(tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("Make it better.")
    with pytest.raises(ValidationError, match=r"improve: mine: the prompt lacks \{source_caption\}"):
        Frames(engine="vlm", prompt=str(file), at=[0.5], improve=str(file))
    better = tmp_path / "better" / "mine.txt"
    better.parent.mkdir()
    better.write_text("Improve {source_caption}.")
    with pytest.raises(ValidationError, match="both called mine"):  # in the card one would hide the other
        Frames(engine="vlm", prompt=str(file), at=[0.5], improve=str(better))
    with pytest.raises(ValidationError, match=r"nothing fills in \{source_caption\}"):
        Frames(engine="vlm", prompt="open_sora_llava_improve", at=[0.5])
    with pytest.raises(ValidationError, match="less than or equal to 1"):
        Frames(engine="vlm", prompt="open_sora_gpt4v", at=[15])
    with pytest.raises(ValidationError, match="prompt"):
        Frames(engine="vlm", at=[0.5])
