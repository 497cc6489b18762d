from __future__ import annotations

import colorsys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shotscribe.builder.contract.clip import Clip
from shotscribe.builder.contract.engine import NO_ENGINE
from shotscribe.filters.colors import NAMES, Colors

ClipOf = Callable[..., Clip]


def flat(*color: int) -> np.ndarray:
    return np.full((180, 320, 3), color, np.uint8)


def measured(clip: Clip) -> dict[str, Any]:
    return Colors().make(clip, NO_ENGINE)


@pytest.mark.parametrize(
    ("color", "name"),
    [
        ((0, 0, 0), "black"),
        ((255, 255, 255), "white"),
        ((128, 128, 128), "gray"),
        ((220, 20, 30), "red"),
        ((255, 140, 0), "orange"),
        ((139, 69, 19), "brown"),
        ((210, 180, 140), "beige"),
        ((255, 225, 30), "yellow"),
        ((34, 139, 34), "green"),
        ((107, 142, 35), "green"),  # olive
        ((0, 200, 200), "cyan"),
        ((30, 60, 200), "blue"),
        ((135, 206, 235), "blue"),  # the sky
        ((16, 24, 64), "blue"),  # the sky at night
        ((128, 0, 128), "purple"),
        ((255, 105, 180), "pink"),
        ((255, 182, 193), "pink"),
    ],
)
def test_names_that_people_give(color: tuple[int, int, int], name: str, clip_of: ClipOf) -> None:
    values = measured(clip_of([flat(*color)]))
    assert (values["colors"], values["color_shares"]) == ([name], [1.0])


def test_shares_are_of_the_pixels_of_all_frames_largest_first(clip_of: ClipOf) -> None:
    image = flat(30, 60, 200)
    image[:, :96] = (220, 20, 30)
    image[:, 310:] = (255, 225, 30)  # too little to be named
    values = measured(clip_of([image, image, image, flat(30, 60, 200)]))
    assert values["colors"] == ["blue", "red"]
    assert values["color_shares"] == pytest.approx([1 - 0.225 - 0.75 * 10 / 320, 0.225], abs=0.01)


def test_a_picture_of_everything_has_at_least_one_colour(clip_of: ClipOf) -> None:
    hues = np.linspace(0, 1, 320, endpoint=False)
    rainbow = np.array([colorsys.hsv_to_rgb(hue, 1, value) for value in np.linspace(0, 1, 180) for hue in hues])
    values = measured(clip_of([(rainbow.reshape(180, 320, 3) * 255).astype(np.uint8)]))
    assert len(values["colors"]) == len(set(values["colors"])) == len(values["color_shares"]) >= 1


def test_bars_are_no_colour(clip_of: ClipOf) -> None:
    image = flat(34, 139, 34)
    image[:40] = image[140:] = 0
    assert measured(clip_of([image]))["colors"] == ["green"]


def test_colorfulness_is_that_of_the_paper(clip_of: ClipOf) -> None:
    assert measured(clip_of([flat(90, 90, 90)]))["colorfulness"] == 0
    checks = flat(255, 0, 0)
    checks[:, 160:] = (0, 0, 255)
    # rg: 255 and 0; yb: 127.5 and -255. Deviations 127.5 and 191.25, means 127.5 and -63.75
    assert measured(clip_of([checks]))["colorfulness"] == pytest.approx(
        np.hypot(127.5, 191.25) + 0.3 * np.hypot(127.5, 63.75), abs=0.01
    )


@given(color=st.tuples(*[st.integers(0, 255)] * 3))
def test_every_colour_has_a_name_of_the_vocabulary(color: tuple[int, int, int], clip_of: ClipOf) -> None:
    values = measured(clip_of([np.full((8, 8, 3), color, np.uint8)]))
    assert values["colors"][0] in NAMES
    assert values["color_shares"] == [1.0]


def test_gray_footage_can_be_dropped(clip_of: ClipOf) -> None:
    step = Colors(min_colorfulness=5)
    rejection = step.verdict(step.make(clip_of([flat(90, 91, 90)]), NO_ENGINE))
    assert rejection is not None
    assert rejection.detail.startswith("colorfulness 0.")
    assert rejection.detail.endswith("< min_colorfulness 5")
    assert step.verdict(step.make(clip_of([flat(34, 139, 34)]), NO_ENGINE)) is None
    assert step.identity() == Colors().identity()
