from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from shotscribe.builder.contract.clip import Clip
from shotscribe.builder.contract.columns import hidden_by
from shotscribe.builder.contract.engine import NO_ENGINE, Engine, Layer, Vectors
from shotscribe.builder.contract.frames import Frames, Sampling
from shotscribe.filters._uniform import is_uniform
from shotscribe.filters.keyframes import Keyframes, keep

Scene = Callable[..., np.ndarray]
ClipOf = Callable[..., Clip]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def made(step: Keyframes, clip: Clip, engine: Engine = NO_ENGINE) -> dict[str, Any]:
    return asyncio.run(step.make(clip, engine))


def brute(vectors: np.ndarray, below: float) -> list[int]:
    """The rule as the paper says it, one sentence a line."""
    last = len(vectors) - 1
    kept = [0]
    for at in range(len(vectors)):
        is_new = float(vectors[at] @ vectors[kept[-1]]) < below
        if at not in kept and (is_new or at == last):
            kept.append(at)
    return kept


@given(
    seed=st.integers(0, 2**32 - 1), count=st.integers(1, 40), step=st.floats(0.01, 2), below=st.floats(0.05, 0.99)
)  # fmt: skip
def test_the_rule_of_the_paper(seed: int, count: int, step: float, below: float) -> None:
    walk = np.cumsum(np.random.default_rng(seed).normal(0, step, (count, 4)), axis=0) + 1
    vectors = walk / np.linalg.norm(walk, axis=1, keepdims=True)
    kept = keep(vectors, 2.0 * np.arange(count), shown=[True] * count, below=below, min_gap_s=1.0)
    assert kept == brute(vectors, below)
    assert (kept[0], kept[-1]) == (0, count - 1)
    assert kept == sorted(set(kept))
    for earlier, later in pairwise(kept):
        between = vectors[earlier + 1 : later] @ vectors[earlier]
        assert (between >= below - 1e-12).all()


def test_a_slow_drift_is_noticed() -> None:
    """Compared with the last keyframe, not with the frame before: small steps add up."""
    angles = np.linspace(0, 1.2, 13)
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert keep(vectors, 2.0 * np.arange(13), shown=[True] * 13, below=0.93, min_gap_s=1.0) == [0, 4, 8, 12]


@pytest.mark.parametrize(
    ("times", "min_gap_s", "kept"),
    [
        ([0.0, 2.0, 4.0, 4.3], 1.0, [0.0, 2.0, 4.3]),
        ([0.0, 2.0, 4.0, 4.3], 0.0, [0.0, 2.0, 4.0, 4.3]),  # the paper's
        ([0.0, 2.0, 4.0, 5.0], 1.0, [0.0, 2.0, 4.0, 5.0]),
        ([0.0, 0.3], 1.0, [0.0, 0.3]),  # never the opening
        ([0.0], 1.0, [0.0]),
    ],
)
def test_the_last_frame_takes_the_place_of_a_neighbour(times: list[float], min_gap_s: float, kept: list[float]) -> None:
    vectors = np.eye(len(times))  # all differ
    found = keep(vectors, np.array(times), shown=[True] * len(times), below=0.93, min_gap_s=min_gap_s)
    assert [times[at] for at in found] == kept


def test_no_window_is_shorter_than_half_of_an_interval(scene: Scene) -> None:
    times = np.array([0.0, 2.0, 4.0, 4.3])
    images = [scene(seed) for seed in range(4)]
    clip = Clip({}, lambda sampling: Frames(times, images))
    assert made(Keyframes(), clip)["keyframes"] == [0.0, 2.0, 4.3]
    assert made(Keyframes(min_gap_s=0), clip)["keyframes"] == [0.0, 2.0, 4.0, 4.3]
    assert made(Keyframes(min_gap_s=0.25), clip)["keyframes"] == [0.0, 2.0, 4.0, 4.3]


def grainy(level: int | tuple[int, int, int], *, dots: int = 0) -> np.ndarray:
    """One colour with the grain of a coded film, and a few dots."""
    grain = np.random.default_rng(1).normal(0, 2, (180, 320, 3))
    image = np.clip(np.array(level) + grain, 0, 255).astype(np.uint8)
    image[: dots // 8, :8] = 200
    return image


@pytest.mark.parametrize("lead", [0, 255, (20, 60, 140)])
def test_a_frame_of_one_colour_is_no_keyframe(lead: Any, scene: Scene, clip_of: ClipOf, recoded: Any) -> None:
    empty, first, second = grainy(lead, dots=160), scene(1), scene(2)
    images = recoded([empty, empty, first, empty, second, empty], crf=28)
    assert made(Keyframes(), clip_of(images, every_s=2.0))["keyframes"] == [4.0, 8.0]


def test_a_clip_that_shows_nothing_but_colours_keeps_frames_of_them(clip_of: ClipOf) -> None:
    colours = [grainy((200, 40, 40))] * 2 + [grainy((40, 40, 200))] * 2
    assert made(Keyframes(), clip_of(colours, every_s=2.0))["keyframes"] == [0.0, 4.0, 6.0]
    values = made(Keyframes(), clip_of([grainy(0)] * 4, every_s=2.0))
    assert values["keyframes"] == [0.0, 6.0]
    assert np.linalg.norm(values["keyframe_embedding"]) == pytest.approx(1, abs=1e-6)


def test_a_dark_scene_and_a_title_show_something(scene: Scene) -> None:
    title = grainy(0)
    title[80:100, 60:260] = 230
    assert not any(map(is_uniform, (title, scene(1) // 6, scene(2))))


def test_keyframes_of_a_clip(scene: Scene, clip_of: ClipOf) -> None:
    first, second = scene(1), scene(2)
    clip = clip_of([first, first, second, second, second], every_s=2.0)
    values = made(Keyframes(), clip)
    assert values["keyframes"] == [0.0, 4.0, 8.0]
    embedding = np.array(values["keyframe_embedding"])
    assert np.linalg.norm(embedding) == pytest.approx(1, abs=1e-6)
    assert set(values) == set(Keyframes().adds())
    assert hidden_by(Keyframes()) == {"keyframe_embedding"}


def test_one_frame_is_one_keyframe(scene: Scene, clip_of: ClipOf) -> None:
    assert made(Keyframes(), clip_of([scene(1)]))["keyframes"] == [0.0]


def test_what_is_asked_of_the_decoder(scene: Scene) -> None:
    asked: list[Sampling] = []

    def decode(sampling: Sampling) -> Frames:
        asked.append(sampling)
        return Frames(np.array([0.0, 0.37]), [scene(1), scene(2)])

    step = Keyframes(interval_s=1.5)
    assert made(step, Clip({}, decode))["keyframes"] == [0.0, 0.37]  # the frames' own times
    assert tuple(asked) == step.samplings({}) == (Sampling(every_s=1.5, with_last=True, long_side_px=320),)


def alike(clip_of: ClipOf, one: list[np.ndarray], other: list[np.ndarray]) -> float:
    first, second = (np.array(made(Keyframes(), clip_of(images))["keyframe_embedding"]) for images in (one, other))
    return float(first @ second)


def test_copies_are_alike_and_other_scenes_are_not(
    scene: Scene, clip_of: ClipOf, recoded: Callable[..., list[np.ndarray]]
) -> None:
    images = [scene(3)] * 3
    for copy in (
        recoded(images, crf=35),
        [np.minimum(images[0].astype(int) + 20, 255).astype(np.uint8)] * 3,
        [(images[0] * 0.8).astype(np.uint8)] * 3,
        [images[0][3:-3, 5:-5]] * 3,
        [images[0][::2, ::2]] * 3,
    ):
        assert alike(clip_of, images, copy) > 0.98
    assert max(alike(clip_of, images, [scene(seed)] * 3) for seed in range(10, 40)) < 0.9
    assert alike(clip_of, images, [images[0][:, ::-1]] * 3) < 0.9
    assert alike(clip_of, images, [images[0][..., ::-1]] * 3) < 0.98  # blue for red


def test_bars_make_no_difference(scene: Scene, clip_of: ClipOf) -> None:
    boxed = np.zeros((240, 320, 3), np.uint8)
    boxed[30:210] = scene(4)
    assert alike(clip_of, [scene(4)], [boxed]) > 0.999


def test_noise_in_the_dark_is_no_difference(clip_of: ClipOf) -> None:
    rng = np.random.default_rng(0)
    dark = [rng.integers(0, 4, (180, 320, 3), dtype=np.uint8) for _ in range(5)]
    assert made(Keyframes(), clip_of(dark, every_s=2.0))["keyframes"] == [0.0, 8.0]


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (3, 5), (33, 31), (64, 2)])
def test_frames_of_any_size(size: tuple[int, int], scene: Scene, clip_of: ClipOf) -> None:
    values = made(Keyframes(), clip_of([scene(1, size=size), scene(2, size=size)]))
    assert np.isfinite(values["keyframe_embedding"]).all()
    assert len(values["keyframe_embedding"]) == 113


class Sees(Engine):
    """A picture's vector is its mean colour, five times as long as it should be."""

    def __init__(self) -> None:
        self.asked = list[tuple[int, str]]()

    async def embed_images(self, images: Sequence[np.ndarray], *, layer: Layer) -> Vectors:
        self.asked.append((len(images), layer))
        return 5 * np.array([image.mean(axis=(0, 1)) for image in images], np.float32)


def test_an_engine_embeds_the_frames(clip_of: ClipOf) -> None:
    colors = [(255, 0, 0), (250, 0, 0), (0, 255, 0), (0, 0, 255)]
    images = [grainy(color, dots=4000) for color in colors]
    step, engine = Keyframes.model_validate({"embed": {"engine": "clip", "layer": "projected"}}), Sees()
    values = made(step, clip_of(images, every_s=2.0), engine)
    assert engine.asked == [(4, "projected")]
    assert (step.engine_name(), step.asks) == ("clip", "embed_images")
    assert step.samplings({})[0].long_side_px == 640
    assert values["keyframes"] == [0.0, 4.0, 6.0]
    assert np.linalg.norm(values["keyframe_embedding"]) == pytest.approx(1, abs=1e-6)
    assert Keyframes().engine_name() is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"below": 1.0}, "less than 1"),
        ({"interval_s": 0}, "greater than 0"),
        ({"interval_s": 1, "min_gap_s": 1.5}, "min_gap_s 1.5 is above interval_s 1; give at most that"),
        ({"embed": {"use": "dino"}}, "should be {use: layout}, or name an engine of the recipe, as in {engine: clip}"),
        ({"embed": {"engine": "clip", "layer": "last"}}, "'cls' or 'projected'"),
        ({"embed": {"engine": "clip", "model": "a/b"}}, "model"),
    ],
)
def test_wrong_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Keyframes.model_validate(options)


def test_identity() -> None:
    """What changes the values changes it; speed and place do not."""

    def identity(**options: Any) -> str:
        return json.dumps(Keyframes.model_validate(options).identity(), sort_keys=True)

    different = [identity(), identity(below=0.9), identity(interval_s=1), identity(embed={"engine": "clip"})]
    different += [identity(min_gap_s=0), identity(embed={"engine": "clip", "layer": "projected"})]
    assert len(set(different)) == len(different)
    assert identity(embed={"engine": "another", "layer": "cls"}) == identity(embed={"engine": "clip"})
    assert identity(embed={"use": "layout"}) == identity(min_gap_s=1) == identity()


def test_a_recipe_is_read_and_layout_is_measured_without_torch() -> None:
    code = f"""
import asyncio, sys, numpy as np
from shotscribe.builder.contract.clip import Clip
from shotscribe.builder.contract.columns import hidden_by
from shotscribe.builder.contract.engine import NO_ENGINE, Engine, Layer, Vectors
from shotscribe.captioners.engines.clip import ClipModel
from shotscribe.builder.contract.frames import Frames
from shotscribe.filters.keyframes import Keyframes
ClipModel(model="a/b", revision="{COMMIT}").identity()
Keyframes.model_validate({{"embed": {{"engine": "clip"}}}}).identity()
asyncio.run(Keyframes().make(Clip({{}}, lambda _: Frames(np.zeros(1), [np.zeros((9, 9, 3), np.uint8)])), NO_ENGINE))
sys.exit(any(name in sys.modules for name in ("torch", "transformers")))
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
