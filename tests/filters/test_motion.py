from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from pydantic import ValidationError
from shotscribe.builder.contract.clip import Clip
from shotscribe.builder.contract.engine import NO_ENGINE
from shotscribe.builder.contract.errors import Reason
from shotscribe.builder.contract.frames import Frames
from shotscribe.filters.camera_motion import CameraMotion
from shotscribe.filters.flow import flow as _flow
from shotscribe.filters.motion import Motion

Scene = Callable[..., np.ndarray]
ClipOf = Callable[..., Clip]

DIAGONAL = float(np.hypot(180, 320))


def motion(images: Sequence[np.ndarray], clip_of: ClipOf) -> float:
    value = Motion().make(clip_of(images), NO_ENGINE)["motion"]
    assert value is not None
    return float(value)


def panned(world: np.ndarray, pixels: int, *, frames: int = 6) -> list[np.ndarray]:
    return [world[:180, pixels * k : pixels * k + 320] for k in range(frames)]


@pytest.fixture(scope="module")
def world(scene: Scene) -> np.ndarray:
    return scene(9, size=(180, 1400))


@pytest.mark.parametrize("pixels", [0, 1, 4, 16, 64, 128])
def test_a_pan_is_measured_in_diagonals_a_second(pixels: int, world: np.ndarray, clip_of: ClipOf) -> None:
    expected = 2 * pixels / DIAGONAL  # a frame every half second
    assert motion(panned(world, pixels), clip_of) == pytest.approx(expected, rel=0.03, abs=0.001)


def test_what_moves_on_its_own_counts_by_its_area_and_way(world: np.ndarray, scene: Scene, clip_of: ClipOf) -> None:
    thing = scene(4, size=(84, 80))

    def passing(pixels: int) -> list[np.ndarray]:
        images = []
        for k in range(6):
            image = world[:180, :320].copy()
            image[48:132, 60 + pixels * k : 140 + pixels * k] = thing
            images.append(image)
        return images

    still, slow, fast = (motion(passing(pixels), clip_of) for pixels in (0, 8, 24))
    assert still == pytest.approx(0, abs=1e-4)
    share = thing.size / (180 * 320 * 3)
    for got, pixels in ((slow, 8), (fast, 24)):
        expected = share * 2 * pixels / DIAGONAL
        assert expected * 0.6 < got < expected * 2.5
    assert slow < 0.6 * fast


def test_the_scale_runs_from_static_to_violent(world: np.ndarray, scene: Scene, clip_of: ClipOf) -> None:
    rng = np.random.default_rng(0)
    handheld = [world[:180, 600 + x : 920 + x] for x in rng.integers(-4, 5, 8)]
    violent = [scene(seed) for seed in range(8)]  # nothing of one frame is in the next
    scores = [
        motion(images, clip_of)
        for images in (panned(world, 0), handheld, panned(world, 12), panned(world, 64), violent)
    ]
    assert scores == sorted(scores)
    assert scores[0] < 0.001 < scores[1] < 0.03
    assert scores[-1] >= 0.8


def test_a_cut_is_no_movement(scene: Scene, clip_of: ClipOf) -> None:
    one, other = scene(1), scene(2)
    assert motion([one] * 4 + [other] * 4, clip_of) == pytest.approx(0, abs=0.001)


def test_flat_frames_do_not_move_and_one_frame_says_nothing(scene: Scene, clip_of: ClipOf) -> None:
    black = np.zeros((180, 320, 3), np.uint8)
    assert motion([black] * 4, clip_of) == 0
    assert Motion().make(clip_of([scene(1)]), NO_ENGINE) == {"motion": None}
    assert Motion(min=0.1).verdict({"motion": None}) is None


def test_the_time_between_frames_counts(world: np.ndarray, clip_of: ClipOf) -> None:
    images = panned(world, 16)
    half, whole = (Motion().make(clip_of(images, every_s=every_s), NO_ENGINE)["motion"] for every_s in (0.5, 1.0))
    assert half == pytest.approx(2 * whole, rel=0.01)


def test_limits() -> None:
    step = Motion(min=0.002, max=0.5)
    assert step.verdict({"motion": 0.1}) is None
    low, high = step.verdict({"motion": 0.001}), step.verdict({"motion": 0.6})
    assert low is not None
    assert low.reason is Reason.BELOW_MIN
    assert high is not None
    assert high.reason is Reason.ABOVE_MAX
    assert step.identity() == Motion().identity()
    with pytest.raises(ValidationError, match=r"min 0\.5 is above max 0\.1"):
        Motion(min=0.5, max=0.1)


def test_both_signals_share_one_measurement(
    world: np.ndarray, clip_of: ClipOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = []
    align = _flow.align
    monkeypatch.setattr(_flow, "align", lambda *args, **options: pairs.append(1) or align(*args, **options))
    clip = clip_of(panned(world, 4))
    Motion().make(clip, NO_ENGINE)
    CameraMotion().make(clip, NO_ENGINE)
    assert len(pairs) == 5
    again = Frames(clip.frames().times, clip.frames().images)
    Motion().make(Clip({}, lambda _: again), NO_ENGINE)
    assert len(pairs) == 10
