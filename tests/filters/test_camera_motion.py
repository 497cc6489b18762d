from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from shotscribe.builder.contract.clip import Clip
from shotscribe.builder.contract.columns import stored_by
from shotscribe.builder.contract.engine import NO_ENGINE
from shotscribe.builder.contract.errors import Reason
from shotscribe.builder.contract.frames import Frames
from shotscribe.builder.contract.limits import Decode
from shotscribe.builder.contract.locations import path_of
from shotscribe.builder.contract.source import SourceClip
from shotscribe.builder.media.video import decode, probe
from shotscribe.builder.sources.demo import Demo
from shotscribe.filters.camera_motion import CameraMotion
from shotscribe.filters.flow import camera_path as _camera_path
from shotscribe.filters.flow.cuts import Pair, View, pair_of
from shotscribe.filters.flow.levels import Similarity

Scene = Callable[..., np.ndarray]
ClipOf = Callable[..., Clip]

SIZE = (180, 320)
WORLD = (560, 1200)


def view(world: np.ndarray, x: float, y: float, *, zoom: float = 1.0, roll: float = 0.0) -> np.ndarray:
    """What a camera over (x, y) sees; `zoom` magnifies, `roll` in radians turns the camera."""
    down, right = np.mgrid[0 : SIZE[0], 0 : SIZE[1]] - np.reshape((SIZE[0] / 2, SIZE[1] / 2), (2, 1, 1))
    across = (right * np.cos(roll) - down * np.sin(roll)) / zoom + x
    along = (right * np.sin(roll) + down * np.cos(roll)) / zoom + y
    rows, columns = np.clip(along, 0, world.shape[0] - 1), np.clip(across, 0, world.shape[1] - 1)
    return world[rows.round().astype(int), columns.round().astype(int)]


def measured(clip: Clip, **options: Any) -> dict[str, Any]:
    step = CameraMotion.model_validate(options)
    values = step.make(clip, NO_ENGINE)
    assert set(values) == set(stored_by(step))
    row = {**values, **step.derive(values)}
    assert set(row) == set(step.adds())
    return row


def labels(images: Sequence[np.ndarray], clip_of: ClipOf, **options: Any) -> list[str]:
    found: list[str] = measured(clip_of(images), **options)["camera_motion"]
    return found


@pytest.fixture(scope="module")
def world(scene: Scene) -> np.ndarray:
    return scene(5, size=WORLD)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ((12, 0), ["pan_right"]),
        ((-12, 0), ["pan_left"]),
        ((0, -10), ["tilt_up"]),
        ((0, 10), ["tilt_down"]),
        ((12, -10), ["pan_right", "tilt_up"]),
        ((-12, 10), ["pan_left", "tilt_down"]),
        ((0, 0), ["static"]),
        ((6, 5), ["static"]),
        ((80, 0), ["pan_right"]),
    ],
)
def test_the_label_is_where_the_camera_goes(
    step: tuple[int, int], expected: list[str], world: np.ndarray, clip_of: ClipOf
) -> None:
    images = [view(world, 420 + step[0] * k, 280 + step[1] * k) for k in range(7)]
    assert labels(images, clip_of) == expected


@pytest.mark.parametrize("pace", [1.1, 1.25, 1 / 1.1, 1 / 1.25])
def test_zooms_slow_and_fast(pace: float, world: np.ndarray, clip_of: ClipOf) -> None:
    first = 1.0 if pace > 1 else pace**-4
    row = measured(clip_of([view(world, 600, 280, zoom=first * pace**k) for k in range(5)]))
    assert row["camera_motion"] == ["zoom_in" if pace > 1 else "zoom_out"]
    assert row["camera_zoom"] == pytest.approx(4 * np.log(pace), abs=0.05)


def test_a_pan_with_a_zoom_has_both(world: np.ndarray, clip_of: ClipOf) -> None:
    images = [view(world, 420 + 20 * k, 280, zoom=1.12**k) for k in range(6)]
    assert labels(images, clip_of) == ["pan_right", "zoom_in"]


@settings(max_examples=25)
@given(x=st.integers(-128, 128), y=st.integers(-72, 72))
def test_any_shift_of_two_fifths_of_the_frame_is_measured(x: int, y: int, world: np.ndarray, clip_of: ClipOf) -> None:
    row = measured(clip_of([view(world, 600, 280), view(world, 600 + x, 280 + y)]))
    assert row["camera_dx"] == pytest.approx(x / 180, abs=0.02)
    assert row["camera_dy"] == pytest.approx(-y / 180, abs=0.02)


def test_what_trembles_in_a_hand_is_static(world: np.ndarray, clip_of: ClipOf) -> None:
    rng = np.random.default_rng(1)
    images = [
        view(world, 600 + rng.normal(0, 5), 280 + rng.normal(0, 5), roll=rng.normal(0, 0.02), zoom=rng.normal(1, 0.01))
        for _ in range(12)
    ]
    assert labels(images, clip_of) == ["static"]


def test_a_camera_that_comes_back_or_rolls_is_not_static(world: np.ndarray, clip_of: ClipOf) -> None:
    assert labels([view(world, 600 + x, 280) for x in (0, 40, 80, 40, 0)], clip_of) == ["unclassified"]
    assert labels([view(world, 600, 280, roll=0.1 * k) for k in range(6)], clip_of) == ["unclassified"]


def test_cuts_are_unclassified(scene: Scene, clip_of: ClipOf) -> None:
    for seed in range(8):
        one, other = scene(seed), scene(seed + 100)
        assert labels([one, one, one, other, other], clip_of) == ["unclassified"], seed


def test_a_thing_that_moves_before_a_still_background_is_no_pan(
    world: np.ndarray, scene: Scene, clip_of: ClipOf
) -> None:
    thing = scene(77, size=(90, 100))
    images = []
    for k in range(7):
        image = view(world, 600, 280).copy()
        image[45:135, 10 + 30 * k : 110 + 30 * k] = thing
        images.append(image)
    assert labels(images, clip_of) == ["static"]


def test_light_that_changes_is_no_movement(world: np.ndarray, clip_of: ClipOf) -> None:
    still = view(world, 600, 280)
    images = [(still * light).astype(np.uint8) for light in (1, 0.6, 0.9, 0.4, 1)]
    assert labels(images, clip_of) == ["static"]


def test_bars_and_logos_stand_still_before_a_pan(world: np.ndarray, clip_of: ClipOf) -> None:
    images = []
    for k in range(6):
        image = view(world, 420 + 15 * k, 280).copy()
        image[:24] = image[-24:] = 0
        image[30:50, 20:70] = (255, 255, 255)
        images.append(image)
    assert labels(images, clip_of) == ["pan_right"]


def test_nothing_is_claimed_where_nothing_can_be_followed(scene: Scene, clip_of: ClipOf) -> None:
    black, gray = np.zeros((*SIZE, 3), np.uint8), np.full((*SIZE, 3), 128, np.uint8)
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 256, (*SIZE, 3)).astype(np.uint8) for _ in range(5)]
    assert labels([black] * 5, clip_of) == ["unclassified"]
    assert labels([gray] * 5, clip_of) == ["unclassified"]
    assert labels([black, gray, black], clip_of) == ["unclassified"]
    assert labels(noise, clip_of) == ["unclassified"]
    assert labels([scene(1)], clip_of) == ["unclassified"]
    assert measured(clip_of([black] * 5))["camera_dx"] is None


def test_black_at_the_ends_is_left_out_and_black_between_scenes_is_a_cut(scene: Scene, clip_of: ClipOf) -> None:
    black, still, other = np.zeros((*SIZE, 3), np.uint8), scene(2), scene(3)
    fading = [(still * light).astype(np.uint8) for light in (0, 0.05, 0.2, 0.5)]
    assert labels([black, *fading, still, still, *fading[::-1], black], clip_of) == ["static"]
    assert labels([*[still] * 6, black, *[still] * 6], clip_of) == ["static"]
    row = measured(clip_of([*[still] * 8, black, *[other] * 8]))
    assert (row["camera_motion"], row["camera_unclassified"]) == (["unclassified"], "cut")


def panned(world: np.ndarray, count: int, *, pace: float = 9) -> list[np.ndarray]:
    return [view(world, 420 + pace * k, 280) for k in range(count)]


def test_a_cut_is_found_however_long_the_clip_is(world: np.ndarray, scene: Scene, clip_of: ClipOf) -> None:
    other = scene(6, size=WORLD)
    row = measured(clip_of([*panned(world, 20), *panned(other, 20)], every_s=0.1))
    assert (row["camera_motion"], row["camera_unclassified"]) == (["unclassified"], "cut")
    assert row["camera_cuts"] == 1
    assert row["camera_lost"] < 0.1


@pytest.mark.parametrize("flash", [1, 2])
def test_a_flash_and_a_damaged_frame_are_no_cut(flash: int, world: np.ndarray, scene: Scene, clip_of: ClipOf) -> None:
    images = panned(world, 24)
    for k in range(flash):
        images[7 + k] = (255 - images[7 + k] // 8).astype(np.uint8)
    images[16] = scene(50)
    row = measured(clip_of(images, every_s=0.1))
    assert (row["camera_motion"], row["camera_cuts"]) == (["pan_right"], 0)
    assert row["camera_lost"] <= (0.1 if flash > 1 else 0)
    assert row["camera_dx"] == pytest.approx(23 * 9 / 180, abs=0.05)


def test_a_few_pairs_may_be_lost_and_the_movement_goes_on(
    world: np.ndarray, clip_of: ClipOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hard(share: float) -> Callable[..., Pair]:
        """Every so many pairs cannot be followed, as in blur: there the movement that comes out is nonsense."""
        rng = np.random.default_rng(0)

        def pair(first: View, second: View, move: Similarity) -> Pair:
            good = pair_of(first, second, move)
            return good._replace(move=Similarity(1, 30), fit=0.1) if rng.random() < share else good

        return pair

    images = panned(world, 50, pace=8)
    for share, kept in ((0.12, True), (0.4, False)):
        monkeypatch.setattr(_camera_path, "pair_of", hard(share))
        row = measured(clip_of(images, every_s=0.1))
        assert row["camera_cuts"] == 0
        assert (row["camera_motion"], row["camera_unclassified"]) == (
            (["pan_right"], None) if kept else (["unclassified"], "lost")
        )
        if kept:
            assert row["camera_lost"] > 0.05
            assert row["camera_dx"] == pytest.approx(49 * 8 / 180, abs=0.05)


def test_light_that_goes_on_and_a_thing_that_comes_in_are_no_cuts(
    world: np.ndarray, scene: Scene, clip_of: ClipOf
) -> None:
    still = view(world, 600, 280)
    dark = (still * 0.4).astype(np.uint8)
    held = still.copy()
    held[:, :130] = scene(9)[:, :130]
    for images in ([*[dark] * 8, *[still] * 8], [*[still] * 8, *[held] * 8]):
        row = measured(clip_of(images, every_s=0.1))
        assert (row["camera_motion"], row["camera_cuts"]) == (["static"], 0)


def test_a_thing_that_fills_the_picture_for_a_while_is_no_camera(
    world: np.ndarray, scene: Scene, clip_of: ClipOf
) -> None:
    """A lorry drives past; only the sky over it stands still, and what is there before and after it."""
    lorry = scene(77, size=(140, 700))
    images = []
    for k in range(40):
        image, left = view(world, 600, 280).copy(), 330 - 34 * k
        seen = lorry[:, max(-left, 0) : max(SIZE[1] - left, 0)]
        image[40:, max(left, 0) : max(left, 0) + seen.shape[1]] = seen[:, : SIZE[1] - max(left, 0)]
        images.append(image)
    assert labels(images, clip_of, threshold=0.25) == ["static"]


def test_someone_in_the_middle_does_not_move_the_camera(world: np.ndarray, scene: Scene, clip_of: ClipOf) -> None:
    """Half of the picture goes one way: the edges are what stands behind it."""
    person = scene(78, size=(150, 180))
    images = []
    for k in range(7):
        image = view(world, 600, 280).copy()
        image[30:, 35 + 9 * k : 215 + 9 * k] = person
        images.append(image)
    row = measured(clip_of(images, every_s=0.1))
    assert row["camera_motion"] == ["static"]
    assert abs(row["camera_dx"]) < 0.05


def test_what_comes_back_and_what_rolls_says_so(world: np.ndarray, clip_of: ClipOf) -> None:
    back = measured(clip_of([view(world, 600 + 60 * np.sin(np.pi * k / 12), 280) for k in range(13)]))
    assert (back["camera_motion"], back["camera_unclassified"]) == (["unclassified"], "returns")
    rolled = measured(clip_of([view(world, 600 + 7 * k, 280, roll=0.08 * k) for k in range(12)]))
    assert (rolled["camera_motion"], rolled["camera_unclassified"]) == (["unclassified"], "rolls")
    assert rolled["camera_roll"] == pytest.approx(-0.88, abs=0.05)
    tilted = measured(clip_of([view(world, 500 + 12 * k, 280, roll=0.02 * k) for k in range(12)]))
    assert (tilted["camera_motion"], tilted["camera_unclassified"]) == (["pan_right"], None)


def test_a_movement_too_slow_to_see_from_frame_to_frame_adds_up(world: np.ndarray, clip_of: ClipOf) -> None:
    small = [view(world, 420 + 0.5 * k, 280)[::2, ::2] for k in range(0, 120, 2)]  # half a pixel of 160 a frame
    row = measured(clip_of(small, every_s=0.1))
    assert row["camera_dx"] == pytest.approx(118 * 0.5 / 180, abs=0.03)
    assert row["camera_motion"] == ["pan_right"]


def test_uneven_times_make_no_difference(world: np.ndarray) -> None:
    times = np.cumsum(np.random.default_rng(3).uniform(0.02, 0.3, 24))
    images = [view(world, 420 + 100 * time, 280) for time in times]
    images[10] = np.zeros_like(images[10])
    frames = Frames(times - times[0], images)
    row = measured(Clip({}, lambda sampling: frames))
    assert row["camera_motion"] == ["pan_right"]
    assert row["camera_dx"] == pytest.approx((times[-1] - times[0]) * 100 / 180, abs=0.1)


def test_clips_of_one_to_three_frames(world: np.ndarray, clip_of: ClipOf) -> None:
    for count in (1, 2, 3):
        still = measured(clip_of([view(world, 600, 280)] * count))
        moved = measured(clip_of(panned(world, count, pace=60)))
        expected = (["unclassified"], "lost") if count == 1 else (["static"], None)
        assert (still["camera_motion"], still["camera_unclassified"]) == expected
        assert moved["camera_motion"] == (["unclassified"] if count == 1 else ["pan_right"])


@pytest.mark.parametrize("size", [(1, 1), (2, 300), (300, 2), (15, 15), (17, 33), (64, 48), (321, 181)])
def test_any_size_is_survived(size: tuple[int, int], scene: Scene, clip_of: ClipOf) -> None:
    picture = scene(3, size=size)
    assert labels([picture] * 4, clip_of) in (["static"], ["unclassified"])


def test_the_threshold_judges_stored_values(world: np.ndarray, clip_of: ClipOf) -> None:
    row = measured(clip_of([view(world, 420 + 18 * k, 280) for k in range(6)]))  # half a short side
    assert CameraMotion(threshold=0.4).derive(row)["camera_motion"] == ["pan_right"]
    assert CameraMotion(threshold=0.6).derive(row)["camera_motion"] == ["static"]
    assert CameraMotion(threshold=0.4, keep=("static",)).identity() == CameraMotion().identity()


def test_keep_and_drop() -> None:
    row = {"camera_motion": ["pan_right", "zoom_in"]}
    assert CameraMotion().verdict(row) is None
    assert CameraMotion(keep=("zoom_in", "static")).verdict(row) is None
    assert CameraMotion(drop=("static",)).verdict(row) is None
    for step, option in ((CameraMotion(keep=("static",)), "keep"), (CameraMotion(drop=("zoom_in",)), "drop")):
        rejection = step.verdict(row)
        assert rejection is not None
        assert (rejection.reason, rejection.option) == (Reason.EXCLUDED, option)
        assert "pan_right+zoom_in" in rejection.detail


@pytest.mark.parametrize("wrong", [{"threshold": 0}, {"keep": ["pan"]}, {"drop": ["still"]}, {"min": 1}])
def test_wrong_options_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CameraMotion.model_validate(wrong)


def test_labels_of_the_demo_are_right(tmp_path: Path) -> None:
    """As the run decodes them; benchmarks/bench_camera_motion.py does the same for many seeds."""
    confused: Counter[tuple[str, ...]] = Counter()
    for source in Demo(seed=11, count=20).clips(tmp_path):
        assert isinstance(source, SourceClip)
        path = path_of(source.media)
        end = probe(path, start=None, end=None, limits=Decode())["end"]
        frames = decode(path, start=0.0, end=end, samplings=CameraMotion().samplings({}), limits=Decode())
        row = measured(Clip({}, frames.__getitem__))
        if row["camera_motion"] != source.extra["truth_camera_motion"]:
            confused[source.extra["truth_kind"], *row["camera_motion"]] += 1
    assert confused.total() <= 1, confused
