from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shotscribe.builder.contract.engine import Image
from shotscribe.builder.contract.errors import ClipError, Reason
from shotscribe.builder.contract.frames import Sampling
from shotscribe.builder.contract.identity import pixel_hash
from shotscribe.captioners._montage import MAX_PX, MAX_SIDE_PX, fitted, grid, stack

COLORS = [(250, 0, 0), (0, 250, 0), (0, 0, 250), (250, 250, 0), (0, 250, 250)]


def plain(color: tuple[int, int, int], *, size: tuple[int, int] = (200, 320)) -> Image:
    pixels = np.broadcast_to(np.array(color, np.uint8), (*size, 3))
    return Image(pixels, "not looked at")


def test_a_stack_has_each_frame_under_its_time() -> None:
    made = stack([plain(color) for color in COLORS], [0.0, 2.0, 2.0, 4.5, 100.25])
    assert made.pixels.shape == (5 * 220, 320, 3)
    assert made.pixels.dtype == np.uint8
    bars = [made.pixels[at * 220 : at * 220 + 20] for at in range(5)]
    for at, color in enumerate(COLORS):
        frame = made.pixels[at * 220 + 20 : (at + 1) * 220]
        assert (frame == color).all()
        assert (bars[at][0] == 255).all()  # white, and the time in black
        assert (bars[at] < 60).all(axis=2).sum() > 20
        assert (bars[at][:, 160:] == 255).all()  # on the left
    assert (bars[1] == bars[2]).all()
    assert [(bars[1] != other).any() for other in (bars[0], bars[3], bars[4])] == [True] * 3


def test_the_same_stack_has_the_same_name() -> None:
    made = [stack([plain(COLORS[0])], [time]) for time in (0.0, 0.0, 1.0)]
    assert made[0].hash == made[1].hash == pixel_hash(made[0].pixels)
    assert made[0].hash != made[2].hash


def test_a_grid_goes_row_by_row() -> None:
    made = grid([plain(color) for color in COLORS], columns=3)
    assert made.pixels.shape == (2 * 200, 3 * 320, 3)
    for at, color in enumerate([*COLORS, (0, 0, 0)]):  # the last cell stays empty
        top, left = at // 3 * 200, at % 3 * 320
        assert (made.pixels[top : top + 200, left : left + 320] == color).all()
    assert made.hash == pixel_hash(made.pixels)


def test_sixteen_frames_make_four_by_four_and_fewer_than_a_row_make_one() -> None:
    assert grid([plain((at, 0, 0), size=(9, 16)) for at in range(16)], columns=4).pixels.shape == (36, 64, 3)
    assert grid([plain((at, 0, 0), size=(9, 16)) for at in range(3)], columns=4).pixels.shape == (9, 48, 3)
    assert grid([plain((1, 0, 0), size=(9, 16))], columns=4).pixels.shape == (9, 16, 3)


def test_a_label_fits_into_the_narrowest_picture() -> None:
    made = stack([plain((0, 0, 0), size=(16, 4))], [1000.25])
    assert made.pixels.shape == (32, 4, 3)
    assert (made.pixels[16:] == 0).all()


@pytest.mark.parametrize("build", [lambda images: stack(images, [0.0] * 64), lambda images: grid(images, 8)])
@settings(max_examples=12)
@given(width=st.integers(200, 8000), ratio=st.floats(0.3, 3.0))
def test_of_fitted_frames_no_montage_is_too_large(build: object, width: int, ratio: float) -> None:
    height = round(width * ratio)
    scale = fitted(Sampling(times=(0.0,), long_side_px=None), 64).scale(width, height)
    size = round(height * scale), round(width * scale)
    made = build([plain((0, 0, 0), size=size)] * 64)
    height, width, _ = made.pixels.shape
    assert height * width <= MAX_PX
    assert max(height, width) <= MAX_SIDE_PX


def test_fitting_only_makes_smaller() -> None:
    sampling = Sampling(times=(0.0,), long_side_px=None, area_px=1000)
    assert fitted(sampling, 4).area_px == 1000
    short = Sampling(times=(0.0,), long_side_px=None, short_side_px=336)
    assert fitted(short, 16).scale(1920, 1080) == short.scale(1920, 1080)
    assert fitted(short, 64).scale(1920, 1080) < short.scale(1920, 1080)


@pytest.mark.parametrize(
    ("count", "size", "shape"),
    [(2, (3000, 3000), "3000x6600"), (64, (1000, 4), "4x70400"), (1, (4096, 4096), "4096x4506")],
)
def test_a_stack_that_is_too_large_is_refused(count: int, size: tuple[int, int], shape: str) -> None:
    with pytest.raises(ClipError, match=f"{shape} pixels.*fewer max_frames") as caught:
        stack([plain((0, 0, 0), size=size)] * count, [0.0] * count)
    assert caught.value.rejection.reason == Reason.LIMIT


def test_a_grid_that_is_too_large_is_refused() -> None:
    with pytest.raises(ClipError, match="9000x3000 pixels"):
        grid([plain((0, 0, 0), size=(3000, 3000))] * 3, columns=4)
