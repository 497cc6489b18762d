from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from shotscribe.builder.contract.clip import Clip
from shotscribe.captioners.short import Short

Film = Callable[..., Clip]


def test_one_sentence_from_the_middles_of_four_parts(film: Film, Scripted: Any, palette: Any) -> None:
    step, engine = Short(engine="vlm"), Scripted(lambda _: "A cat sleeps on a chair.")
    made = asyncio.run(step.make(film(step, palette[:121], every_s=1 / 30), engine))
    assert engine.colors() == [palette[at] for at in (15, 45, 75, 105)]
    assert made["short_caption"] == "A cat sleeps on a chair."
    assert made["short_caption_info"]["frames"] == [image.hash for image in engine.images()]
    assert set(made) == set(step.adds())
    assert [turn.role for turn in engine.requests[0].messages] == ["system", "user"]


@pytest.mark.parametrize(("frames", "seen"), [(1, [50]), (2, [25, 75]), (64, None)])
def test_as_many_frames_as_asked(film: Film, Scripted: Any, palette: Any, frames: int, seen: list[int] | None) -> None:
    step, engine = Short(engine="vlm", frames=frames), Scripted(lambda _: "A cat sleeps.")
    asyncio.run(step.make(film(step, palette[:100], every_s=0.1), engine))
    assert len(engine.images()) == frames
    assert seen is None or engine.colors() == [palette[at] for at in seen]


def test_a_clip_of_one_frame(film: Film, Scripted: Any, palette: Any) -> None:
    step, engine = Short(engine="vlm"), Scripted(lambda _: "A cat sleeps.")
    asyncio.run(step.make(film(step, palette[:1]), engine))
    assert engine.colors() == [palette[0]]


def test_wrong_options(tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("In {words} words.")
    with pytest.raises(ValidationError, match=r"mine: nothing fills in \{words\}"):
        Short(engine="vlm", prompt=str(file))
    with pytest.raises(ValidationError, match="frames"):
        Short(engine="vlm", frames=0)
