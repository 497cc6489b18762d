from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from shotscribe.builder.contract.clip import Clip
from shotscribe.builder.contract.engine import NO_ENGINE
from shotscribe.filters.blur import Blur

Scene = Callable[..., np.ndarray]
ClipOf = Callable[..., Clip]


def gaussian(image: np.ndarray, sigma: float, *, axes: tuple[int, ...] = (0, 1)) -> np.ndarray:
    reach = int(4 * sigma) + 1
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    out = image.astype(float)
    for axis in axes:
        pad = [(reach, reach) if a == axis else (0, 0) for a in range(3)]
        out = np.apply_along_axis(np.convolve, axis, np.pad(out, pad, mode="edge"), kernel, mode="valid")
    return np.clip(out.round(), 0, 255).astype(np.uint8)


def sharpness(clip: Clip) -> float | None:
    value: float | None = Blur().make(clip, NO_ENGINE)["sharpness"]
    return value


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_out_of_focus_fails_and_sharp_passes(seed: int, scene: Scene, clip_of: ClipOf) -> None:
    picture = scene(seed)
    scores = [sharpness(clip_of([image])) for image in (picture, *(gaussian(picture, s) for s in (1, 2, 3, 5)))]
    assert None not in scores
    assert scores == sorted(scores, reverse=True)
    sharp, _, soft, softer, _ = scores
    assert sharp > 0.75
    assert soft < 0.65
    assert softer < 0.4
    assert Blur().verdict({"sharpness": sharp}) is None
    rejection = Blur().verdict({"sharpness": softer})
    assert rejection is not None
    assert rejection.detail == f"sharpness {softer:.4g} < min_sharpness 0.5"


def test_size_contrast_and_coding_hardly_matter(
    scene: Scene, clip_of: ClipOf, recoded: Callable[..., list[np.ndarray]]
) -> None:
    picture = scene(4)
    sharp = sharpness(clip_of([picture]))
    faint = (96 + picture * 0.3).astype(np.uint8)
    upright = np.ascontiguousarray(np.rot90(picture))
    for images in ([faint], [upright], [picture[:120, :160]], recoded([picture], crf=28)):
        assert sharpness(clip_of(images)) == pytest.approx(sharp, abs=0.08)


def test_rounding_and_coding_do_not_sharpen_a_blurred_clip(
    scene: Scene, clip_of: ClipOf, recoded: Callable[..., list[np.ndarray]]
) -> None:
    blurred = [gaussian(scene(5), 6)] * 4
    for crf in (18, 23, 28):
        assert sharpness(clip_of(recoded(blurred, crf=crf))) < 0.4


def test_a_sharp_subject_before_a_blurred_background_is_sharp(scene: Scene, clip_of: ClipOf) -> None:
    image = gaussian(scene(6), 5)
    image[60:120, 120:200] = scene(6)[60:120, 120:200]
    assert sharpness(clip_of([image])) > 0.5


def test_streaks_of_a_pan_are_not_blur(scene: Scene, clip_of: ClipOf) -> None:
    assert sharpness(clip_of([gaussian(scene(7), 3, axes=(1,))])) > 0.5


def test_bars_do_not_sharpen(scene: Scene, clip_of: ClipOf) -> None:
    image = gaussian(scene(8), 4)
    alone = sharpness(clip_of([image]))
    boxed = np.zeros((240, 320, 3), np.uint8)
    boxed[30:210] = image
    assert sharpness(clip_of([boxed])) == pytest.approx(alone, abs=0.02)


def test_the_median_of_the_frames_that_show_anything(scene: Scene, clip_of: ClipOf) -> None:
    sharp, blurred, black = scene(9), gaussian(scene(9), 4), np.zeros((180, 320, 3), np.uint8)
    assert sharpness(clip_of([sharp, sharp, blurred])) == sharpness(clip_of([sharp]))
    assert sharpness(clip_of([black, black, black, sharp])) == sharpness(clip_of([sharp]))


def test_null_where_nothing_is_shown(clip_of: ClipOf) -> None:
    for image in (np.zeros((180, 320, 3), np.uint8), np.full((4, 5, 3), 7, np.uint8), np.zeros((1, 1, 3), np.uint8)):
        assert Blur().make(clip_of([image]), NO_ENGINE) == {"sharpness": None}
    assert Blur().verdict({"sharpness": None}) is None


def test_the_limit_changes_nothing_that_is_stored() -> None:
    assert Blur().identity() == Blur(min_sharpness=None).identity()
