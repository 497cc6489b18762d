"""Which frames a sampling by times gives, and how large they are."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shotscribe.builder.contract.frames import Sampling
from shotscribe.builder.contract.limits import Decode
from shotscribe.builder.media.images import Resizer
from shotscribe.builder.media.moments import wanted_times
from shotscribe.builder.media.video import decode

FPS = 25
FRAMES = 40
START, END = 0.32, 1.28  # the frames 8 to 31
LIMITS = {"pyav": Decode(), "decord": Decode(decoder="decord")}

limits = st.none() | st.integers(16, 2000)
sides = st.integers(2, 2000)


@given(width=sides, height=sides, long_px=limits, short_px=limits, area=st.none() | st.integers(256, 2_000_000))
def test_a_frame_is_scaled_to_the_tightest_limit_and_no_further(
    width: int, height: int, long_px: int | None, short_px: int | None, area: int | None
) -> None:
    sampling = Sampling(long_side_px=long_px, short_side_px=short_px, area_px=area)
    scale = sampling.scale(width, height)
    over = [
        max(width, height) * scale / (long_px or math.inf),
        min(width, height) * scale / (short_px or math.inf),
        math.sqrt(width * height * scale**2 / (area or math.inf)),
    ]
    assert 0 < scale <= 1
    assert max(over) <= 1 + 1e-9
    assert scale == 1 or max(over) == pytest.approx(1)


@given(width=sides, height=sides, long_px=limits, short_px=limits, area=st.none() | st.integers(256, 2_000_000))
def test_no_side_is_more_than_a_pixel_off(
    width: int, height: int, long_px: int | None, short_px: int | None, area: int | None
) -> None:
    sampling = Sampling(long_side_px=long_px, short_side_px=short_px, area_px=area)
    got = Resizer(Fraction(1)).size(av.VideoFrame(width, height, "gray"), sampling)
    scale = sampling.scale(width, height)
    assert all(1 <= side <= full for side, full in zip(got, (width, height), strict=True))
    assert abs(got[0] - width * scale) < 1
    assert abs(got[1] - height * scale) < 1
    assert max(got) - 1 < (long_px or math.inf)
    assert min(got) - 1 < (short_px or math.inf)
    assert (got[0] - 1) * (got[1] - 1) < (area or math.inf)
    if sampling == Sampling(long_side_px=None):
        assert got == (width, height)


@given(
    times=st.lists(st.floats(-5, 15), min_size=1, max_size=8),
    fractions=st.lists(st.floats(0, 1), max_size=3),
    with_last=st.booleans(),
)
def test_times_are_in_order_and_within_the_clip(times: list[float], fractions: list[float], with_last: bool) -> None:
    chosen = Sampling(every_s=0.1, times=tuple(times), fractions=tuple(fractions), with_last=with_last)
    got = wanted_times(chosen, 10.0).tolist()
    wanted = [min(max(time, 0.0), 10.0) for time in times] + [10 * fraction for fraction in fractions]
    assert got == pytest.approx(sorted([*wanted, *([10.0] if with_last else [])]))


@pytest.fixture(scope="module")
def media(
    tmp_path_factory: pytest.TempPathFactory,
    encode: Callable[..., Path],
    moving: Callable[..., Iterable[np.ndarray]],
) -> dict[str, Path]:
    """The same pictures where packets say when each is shown, and where they do not."""
    folder = tmp_path_factory.mktemp("sampling")
    options = {"options": {"preset": "fast", "x264-params": "keyint=12:scenecut=0:bframes=3"}}
    return {
        name: encode(folder / name, moving(FRAMES, size=(64, 96), dx=3), fps=FPS, **options)
        for name in ("timed.mp4", "untimed.avi")
    }


@pytest.fixture(scope="module")
def pictures(media: dict[str, Path]) -> dict[str, list[np.ndarray]]:
    """Every frame of the files, decoded in turn."""
    found = {}
    for name, path in media.items():
        with av.open(str(path)) as container:
            found[name] = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        assert len(found[name]) == FRAMES
    return found


def on_screen(times: Iterable[float]) -> list[int]:
    """Brute force: which of the clip's frames are on screen at its times."""
    first, last = round(START * FPS), round(END * FPS) - 1
    begun = (math.floor((START + time) * FPS + 0.05) for time in times)
    return sorted({min(max(index, first), last) for index in begun})


def check(path: Path, truth: list[np.ndarray], times: tuple[float, ...], limits: Decode) -> None:
    sampling = Sampling(times=times, long_side_px=None)
    got = decode(str(path), start=START, end=END, samplings=[sampling], limits=limits)[sampling]
    wanted = on_screen(times)
    np.testing.assert_allclose(got.times, [index / FPS - START for index in wanted], atol=1e-3)
    for index, image in zip(wanted, got.images, strict=True):
        np.testing.assert_array_equal(image, truth[index])


ways = pytest.mark.parametrize(
    ("name", "decoder"), [("timed.mp4", "pyav"), ("untimed.avi", "pyav"), ("timed.mp4", "decord")]
)


@ways
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.lists(st.integers(-30, 60), min_size=1, max_size=6))
def test_times_give_exactly_the_frames_on_screen(media: Any, pictures: Any, name: str, decoder: str, at: Any) -> None:
    """Times at 0.3 of a frame; some before the clip's start, some after its end."""
    times = tuple((index + 0.3) / FPS for index in at)
    check(media[name], pictures[name], times, LIMITS[decoder])


@ways
def test_a_time_on_a_frames_own_timestamp_is_that_frame(media: Any, pictures: Any, name: str, decoder: str) -> None:
    check(media[name], pictures[name], tuple(index / FPS for index in range(24)), LIMITS[decoder])


@ways
def test_times_out_of_the_clip_are_its_first_and_last_frame(media: Any, pictures: Any, name: str, decoder: str) -> None:
    """Though the file has other frames there."""
    check(media[name], pictures[name], (-0.2,), LIMITS[decoder])
    check(media[name], pictures[name], (-100.0, 0.5, 1.2, 100.0), LIMITS[decoder])


@ways
def test_two_times_on_one_frame_give_it_once(media: Any, pictures: Any, name: str, decoder: str) -> None:
    check(media[name], pictures[name], (0.5, 0.41, 0.50, 0.515), LIMITS[decoder])


@ways
def test_the_times_of_frames_give_these_frames_again(media: Any, name: str, decoder: str) -> None:
    """What a step stores (keyframes), the next one asks by."""
    first = Sampling(every_s=0.13, with_last=True, area_px=1500, long_side_px=None)
    there = {"start": START, "end": END, "limits": LIMITS[decoder]}
    frames = decode(str(media[name]), samplings=[first], **there)[first]
    again = Sampling(times=tuple(frames.times.tolist()), area_px=1500, long_side_px=None)
    got = decode(str(media[name]), samplings=[again], **there)[again]
    assert got.times.tolist() == frames.times.tolist()
    assert got.images[0].shape == (32, 47, 3)
    for one, other in zip(frames.images, got.images, strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_a_sampling_gives_does_not_depend_on_the_others(
    tmp_path: Path, encode: Callable[..., Path], moving: Callable[..., Iterable[np.ndarray]]
) -> None:
    """In a file whose picture changes its size on the way."""
    options = {"options": {"preset": "fast", "x264-params": "keyint=12:scenecut=0"}}
    wide = encode(tmp_path / "wide.ts", moving(25, size=(64, 96)), fps=FPS, **options)
    times = [1 + index / FPS for index in range(25)]
    tall = encode(tmp_path / "tall.ts", moving(25, size=(96, 64)), fps=FPS, times=times, **options)
    both = tmp_path / "both.ts"
    both.write_bytes(wide.read_bytes() + tall.read_bytes())
    samplings = [
        Sampling(times=(0.5, 1.5), long_side_px=48),
        Sampling(times=(1.5,), long_side_px=48),
        Sampling(times=(0.5,), long_side_px=48),
    ]

    def decoded(*wanted: Sampling) -> dict[Sampling, Any]:
        return decode(str(both), start=0.0, end=1.9, samplings=wanted, limits=LIMITS["pyav"])

    together = decoded(*samplings)
    assert [[image.shape[:2] for image in together[one].images] for one in samplings] == [
        [(32, 48), (32, 48)],  # all images of a sampling are of one size
        [(48, 32)],
        [(32, 48)],
    ]
    for one in samplings:
        for alone, image in zip(decoded(one)[one].images, together[one].images, strict=True):
            np.testing.assert_array_equal(alone, image)


def test_no_times_give_no_frames(media: Any) -> None:
    none = Sampling()
    for limits in LIMITS.values():
        got = decode(str(media["timed.mp4"]), start=START, end=END, samplings=[none], limits=limits)[none]
        assert (len(got.times), got.images) == (0, [])
