from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shotscribe.builder.contract.clip import Clip
from shotscribe.builder.contract.engine import NO_ENGINE
from shotscribe.filters.letterbox import Letterbox

Scene = Callable[..., np.ndarray]
ClipOf = Callable[..., Clip]
WHOLE = {"left": 0.0, "top": 0.0, "right": 1.0, "bottom": 1.0}


def barred(
    image: np.ndarray, *, top: int = 0, bottom: int = 0, left: int = 0, right: int = 0, level: int = 0
) -> np.ndarray:
    """The picture with its edges painted over."""
    out = image.copy()
    height, width = image.shape[:2]
    out[:top] = out[height - bottom :] = level
    out[:, :left] = out[:, width - right :] = level
    return out


def pan(scene: Scene, *, frames: int = 4, seed: int = 3) -> list[np.ndarray]:
    wide = scene(seed, size=(180, 400))
    return [wide[:, 20 * at : 20 * at + 320] for at in range(frames)]


@pytest.mark.parametrize(
    "bars",
    [
        {"top": 23, "bottom": 23},
        {"left": 40, "right": 40},
        {"left": 110, "right": 109},  # 9:16 inside 16:9
        {"top": 22, "bottom": 20, "left": 40, "right": 42},
        {"bottom": 30},
        {"right": 12},
    ],
)
def test_black_bars_are_found(bars: dict[str, int], scene: Scene, clip_of: ClipOf) -> None:
    clip = clip_of([barred(image, **bars) for image in pan(scene)])
    values = Letterbox().make(clip, NO_ENGINE)
    assert values["content_box"] == pytest.approx(
        {
            "left": bars.get("left", 0) / 320,
            "top": bars.get("top", 0) / 180,
            "right": 1 - bars.get("right", 0) / 320,
            "bottom": 1 - bars.get("bottom", 0) / 180,
        },
        abs=1e-4,
    )
    box = values["content_box"]
    area = (box["right"] - box["left"]) * (box["bottom"] - box["top"])
    assert values["letterbox"] == pytest.approx(1 - area, abs=1e-3)


@pytest.mark.parametrize("crf", [23, 40])
def test_bars_survive_coding(crf: int, scene: Scene, clip_of: ClipOf, recoded: Callable[..., list[np.ndarray]]) -> None:
    images = recoded([barred(image, top=23, bottom=23) for image in pan(scene)], crf=crf)
    box = Letterbox().make(clip_of(images), NO_ENGINE)["content_box"]
    assert box == pytest.approx({**WHOLE, "top": 23 / 180, "bottom": 157 / 180}, abs=0.012)  # two lines


def test_bars_of_a_colour_count_in_pairs(scene: Scene, clip_of: ClipOf) -> None:
    images = pan(scene)
    pair = Letterbox().make(clip_of([barred(image, top=30, bottom=30, level=240) for image in images]), NO_ENGINE)
    assert pair["letterbox"] == pytest.approx(1 / 3, abs=1e-3)
    sky = Letterbox().make(clip_of([barred(image, top=30, level=240) for image in images]), NO_ENGINE)
    assert sky["content_box"] == WHOLE


def test_a_speck_in_a_bar_is_no_picture(scene: Scene, clip_of: ClipOf) -> None:
    image = barred(scene(4), top=25, bottom=25)
    image[5:7, 300:304] = 255
    assert Letterbox().make(clip_of([image] * 3), NO_ENGINE)["content_box"]["top"] == pytest.approx(25 / 180, abs=1e-3)


def test_a_band_that_ever_shows_picture_is_no_bar(scene: Scene, clip_of: ClipOf) -> None:
    images = pan(scene)
    clip = clip_of([*(barred(image, top=23, bottom=23) for image in images), images[0]])
    assert Letterbox().make(clip, NO_ENGINE) == {"content_box": WHOLE, "letterbox": 0.0}


def test_dark_scenes_have_no_bars(scene: Scene, clip_of: ClipOf) -> None:
    night = [image // 12 for image in pan(scene)]
    y, x = np.mgrid[0:180, 0:320]
    hills = np.where((y > 90 + 30 * np.sin(x / 40))[..., None], scene(5), 0).astype(np.uint8)
    moon = np.where((np.hypot(y - 90, x - 160) < 60)[..., None], 230, np.zeros((180, 320, 3))).astype(np.uint8)
    window = np.zeros((180, 320, 3), np.uint8)
    window[60:100, 140:180] = 200
    black = np.zeros((180, 320, 3), np.uint8)
    for images in (night, [hills] * 3, [moon] * 3, [window] * 3, [black] * 3):
        assert Letterbox().make(clip_of(images), NO_ENGINE) == {"content_box": WHOLE, "letterbox": 0.0}


def test_a_blue_screen_is_not_black(scene: Scene, clip_of: ClipOf) -> None:
    image = scene(6)
    image[:60] = (0, 0, 255)
    assert Letterbox().make(clip_of([image] * 3), NO_ENGINE)["content_box"] == WHOLE


@settings(max_examples=60)
@given(
    top=st.integers(0, 60), bottom=st.integers(0, 60), left=st.integers(0, 100), right=st.integers(0, 100),
    seed=st.integers(0, 50),
)  # fmt: skip
def test_whatever_the_bars_the_picture_is_never_cut(
    top: int, bottom: int, left: int, right: int, seed: int, scene: Scene, clip_of: ClipOf
) -> None:
    image = np.maximum(scene(seed), 40)
    clip = clip_of([barred(image, top=top, bottom=bottom, left=left, right=right)] * 2)
    box = Letterbox().make(clip, NO_ENGINE)["content_box"]
    assert box["top"] * 180 == pytest.approx(top, abs=0.02)
    assert box["bottom"] * 180 == pytest.approx(180 - bottom, abs=0.02)
    assert box["left"] * 320 == pytest.approx(left, abs=0.02)
    assert box["right"] * 320 == pytest.approx(320 - right, abs=0.02)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (2, 2), (5, 200)])
def test_tiny_frames(size: tuple[int, int], scene: Scene, clip_of: ClipOf) -> None:
    values = Letterbox().make(clip_of([scene(7, size=size)]), NO_ENGINE)
    assert 0 <= values["letterbox"] <= 1


def test_verdict_and_identity(scene: Scene, clip_of: ClipOf) -> None:
    values = Letterbox().make(clip_of([barred(image, top=23, bottom=23) for image in pan(scene)]), NO_ENGINE)
    rejection = Letterbox().verdict(values)
    assert rejection is not None
    assert rejection.detail == "letterbox 0.2556 > max_bars 0.1"
    assert Letterbox(max_bars=0.3).verdict(values) is None
    assert Letterbox(max_bars=None).verdict(values) is None
    assert Letterbox().identity() == Letterbox(max_bars=None).identity()
