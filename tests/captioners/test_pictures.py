from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from shotscribe.builder.contract.clip import Clip
from shotscribe.builder.contract.errors import ClipError
from shotscribe.builder.contract.frames import Frames, Sampling
from shotscribe.builder.media.moments import positions, wanted_times
from shotscribe.captioners._pictures import FrameSize, centres, images_of, keyframes_of, spoken, spread, thinned


def test_centres_are_the_frames_that_pllava_takes() -> None:
    seconds = np.arange(121) / 30
    at = positions(seconds, wanted_times(Sampling(fractions=centres(4)), 121 / 30), start=0.0, end=121 / 30)
    assert at.tolist() == [15, 45, 75, 105]


def test_spread_takes_the_first_and_the_last() -> None:
    assert spread(2) == (0.0, 1.0)
    assert spread(5) == (0.0, 0.25, 0.5, 0.75, 1.0)


@given(times=st.lists(st.floats(0, 1000), max_size=300, unique=True).map(sorted), most=st.integers(2, 64))
def test_thinned_keeps_both_ends_and_goes_evenly(times: list[float], most: int) -> None:
    kept = thinned(times, most=most)
    assert len(kept) == min(len(times), most)
    at = [times.index(time) for time in kept]
    assert at == sorted(at)
    if len(times) > most:
        assert (at[0], at[-1]) == (0, len(times) - 1)
        steps = np.diff(at)
        assert steps.max() - steps.min() <= 2  # positions are whole numbers
        assert steps.min() >= 1


def test_thinned_of_seven() -> None:
    assert thinned([0, 1, 2, 3, 4, 5, 6], most=3) == (0, 3, 6)
    assert thinned([0, 1, 2], most=3) == (0, 1, 2)


@pytest.mark.parametrize(("time", "text"), [(0.0, "0.0 s"), (2.0, "2.0 s"), (4.0666667, "4.07 s"), (118.5, "118.5 s")])
def test_times_are_read_in_seconds(time: float, text: str) -> None:
    assert spoken(time) == text


def test_a_size_is_one_limit() -> None:
    for wrong in ({}, {"long_side_px": 100, "area_px": 1000}):
        with pytest.raises(ValidationError, match="give one of long_side_px, short_side_px, area_px"):
            FrameSize(**wrong)
    sampling = FrameSize(short_side_px=336).sampling(times=(1.0,))
    assert (sampling.times, sampling.long_side_px, sampling.short_side_px, sampling.area_px) == (
        (1.0,),
        None,
        336,
        None,
    )
    assert sampling.scale(1920, 1080) == pytest.approx(336 / 1080)
    assert sampling.scale(100, 50) == 1  # never enlarged


def test_a_frame_that_is_on_screen_twice_comes_once_with_its_time() -> None:
    picture = np.zeros((4, 4, 3), np.uint8)
    clip = Clip({}, lambda _: Frames(np.array([0.0, 2.0]), [picture, picture], ("a", "b")))
    times, images = images_of(clip, Sampling(times=(0.0, 1.9, 2.0)))
    assert times == [0.0, 2.0]
    assert [image.hash for image in images] == ["a", "b"]
    assert images[0].pixels is picture


def test_no_keyframes_is_a_bad_row() -> None:
    clip = Clip({}, lambda _: pytest.fail("nothing is decoded"))
    with pytest.raises(ClipError, match="bad_row: keyframes: there is none"):
        keyframes_of(clip, ())
