from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from shotscribe.builder.contract.clip import Clip
from shotscribe.builder.contract.engine import Video as Moving
from shotscribe.captioners.video import Video

Film = Callable[..., Clip]


def shown(step: Video, clip: Clip, engine: Any) -> Moving:
    """The one video that the model is given."""
    made = asyncio.run(step.make(clip, engine))
    (request,) = engine.requests
    (video,) = [part for turn in request.messages for part in turn.parts if isinstance(part, Moving)]
    assert engine.images() == []
    assert made[step.column] == "A wave breaks."
    assert made[f"{step.column}_info"]["frames"] == [image.hash for image in video.frames]
    assert set(made) == set(step.adds())
    return video


def colors(video: Moving) -> list[tuple[int, ...]]:
    return [tuple(image.pixels[0, 0].tolist()) for image in video.frames]


def test_two_frames_a_second_with_their_true_times(film: Film, Scripted: Any, palette: Any) -> None:
    step, engine = Video(engine="vlm"), Scripted(lambda _: "A wave breaks.")
    video = shown(step, film(step, palette[:100], every_s=0.1), engine)
    assert len(video.frames) == len(video.times) == 21
    assert video.times == pytest.approx([*np.arange(20) * 0.5, 9.9])  # the clip's last frame, at its own time
    assert colors(video) == [palette[round(time * 10)] for time in video.times]
    assert video.duration == 10.0


def test_a_long_clip_is_seen_at_equal_distances(film: Film, Scripted: Any, palette: Any) -> None:
    step, engine = Video(engine="vlm", max_frames=5, column="seen"), Scripted(lambda _: "A wave breaks.")
    video = shown(step, film(step, palette, every_s=0.5), engine)
    assert video.times == (0.0, 37.5, 75.0, 112.5, 149.5)
    assert colors(video) == [palette[at] for at in (0, 75, 150, 225, 299)]
    assert video.duration == 150.0


def test_a_short_clip_is_seen_by_its_two_ends(film: Film, Scripted: Any, palette: Any) -> None:
    step, engine = Video(engine="vlm"), Scripted(lambda _: "A wave breaks.")
    video = shown(step, film(step, palette[:3], every_s=0.1), engine)
    assert video.times == (0.0, 0.2)


def test_a_clip_of_one_frame(film: Film, Scripted: Any, palette: Any) -> None:
    step, engine = Video(engine="vlm"), Scripted(lambda _: "A wave breaks.")
    video = shown(step, film(step, palette[:1], every_s=0.04), engine)
    assert (video.times, colors(video)) == ((0.0,), [palette[0]])


def test_a_slow_clip_has_no_frame_twice(film: Film, Scripted: Any, palette: Any) -> None:
    step, engine = Video(engine="vlm", fps=10), Scripted(lambda _: "A wave breaks.")
    video = shown(step, film(step, [palette[3]] * 4, every_s=1.0), engine)
    assert video.times == (0.0, 1.0, 2.0, 3.0)
    assert colors(video) == [palette[3]] * 4  # though they look alike


def test_wrong_options(tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("{duration} seconds")
    with pytest.raises(ValidationError, match=r"mine: nothing fills in \{duration\}"):
        Video(engine="vlm", prompt=str(file))
    for wrong in ({"fps": 0}, {"max_frames": 1}, {"column": "1st"}):
        with pytest.raises(ValidationError, match=next(iter(wrong))):
            Video(engine="vlm", **wrong)
