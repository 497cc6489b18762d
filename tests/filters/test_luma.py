from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from shotscribe.builder.contract.clip import Clip
from shotscribe.builder.contract.engine import NO_ENGINE
from shotscribe.filters._planes import luma as gray
from shotscribe.filters.luma import Luma

Scene = Callable[..., np.ndarray]
ClipOf = Callable[..., Clip]


def flat(level: int) -> np.ndarray:
    return np.full((180, 320, 3), level, np.uint8)


def judged(clip: Clip, step: Luma | None = None) -> str | None:
    step = step or Luma()
    rejection = step.verdict(step.make(clip, NO_ENGINE))
    if rejection is None:
        return None
    assert rejection.option in step.judging()
    assert f" {rejection.option} " in rejection.detail
    return rejection.detail


def test_gray_has_the_extremes_and_the_weights_of_bt601(clip_of: ClipOf) -> None:
    image = np.array([[[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
    assert gray(clip_of([image]).frames())[0].tolist() == [[0, 255, 77, 149, 29]]


def test_measured_values(clip_of: ClipOf) -> None:
    half = flat(0)
    half[:, :160] = 255
    values = Luma().make(clip_of([flat(0), flat(255), flat(128), half]), NO_ENGINE)
    assert values == {"luma": 0.5005, "black": 0.25, "underexposed": 0.375, "overexposed": 0.375}
    assert set(values) == set(Luma().adds())


def test_black_and_blown_out_clips_are_dropped(clip_of: ClipOf, scene: Scene) -> None:
    picture = scene(1)
    assert judged(clip_of([flat(3)] * 4)) == "black 1 > max_black 0.5"
    assert judged(clip_of([flat(3)] * 3 + [picture] * 2)) == "black 0.6 > max_black 0.5"
    assert judged(clip_of([flat(23)] * 4)) == "underexposed 1 > max_under 0.95"
    assert judged(clip_of([flat(254)] * 4)) == "overexposed 1 > max_over 0.95"


def test_ordinary_dark_and_bright_clips_stay(clip_of: ClipOf, scene: Scene) -> None:
    picture = scene(1)
    night = picture // 4
    slide = np.where(picture < 60, picture, 255).astype(np.uint8)
    for images in ([picture] * 4, [night] * 4, [slide] * 4, [flat(0), *[picture] * 4, flat(0)]):
        assert judged(clip_of(images)) is None


def test_bars_are_no_darkness(clip_of: ClipOf, scene: Scene) -> None:
    picture = scene(2)
    boxed = np.zeros((320, 320, 3), np.uint8)
    boxed[70:250] = picture
    inside, alone = (Luma().make(clip_of([image] * 2), NO_ENGINE) for image in (boxed, picture))
    assert inside == pytest.approx(alone, abs=0.01)


def test_limits_on_the_mean(clip_of: ClipOf) -> None:
    clip = clip_of([flat(51)])
    assert judged(clip, Luma(min_luma=0.3)) == "luma 0.2 < min_luma 0.3"
    assert judged(clip, Luma(max_luma=0.1)) == "luma 0.2 > max_luma 0.1"
    assert judged(clip_of([flat(0)]), Luma(max_black=None, max_under=None)) is None


def test_limits_change_nothing_that_is_stored() -> None:
    assert (
        Luma().identity()
        == Luma(max_black=0.1, max_over=None, min_luma=0.2).identity()
        == {"version": 1, "use": "luma"}
    )


@pytest.mark.parametrize("wrong", [{"max_black": 1.5}, {"min_luma": 0.6, "max_luma": 0.4}, {"maximum": 1}])
def test_wrong_options(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Luma(**wrong)
