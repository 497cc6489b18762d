from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from shotscribe.builder.contract.clip import Clip
from shotscribe.builder.contract.errors import RunError
from shotscribe.builder.contract.frames import Frames, Sampling
from shotscribe.filters._uniform import is_uniform
from shotscribe.filters.keyframes import Keyframes, keep

Scene = Callable[..., np.ndarray]
ClipOf = Callable[..., Clip]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


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
    assert Keyframes().measure(clip)["keyframes"] == [0.0, 2.0, 4.3]
    assert Keyframes(min_gap_s=0).measure(clip)["keyframes"] == [0.0, 2.0, 4.0, 4.3]
    assert Keyframes(min_gap_s=0.25).measure(clip)["keyframes"] == [0.0, 2.0, 4.0, 4.3]


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
    assert Keyframes().measure(clip_of(images, every_s=2.0))["keyframes"] == [4.0, 8.0]


def test_a_clip_that_shows_nothing_but_colours_keeps_frames_of_them(clip_of: ClipOf) -> None:
    colours = [grainy((200, 40, 40))] * 2 + [grainy((40, 40, 200))] * 2
    assert Keyframes().measure(clip_of(colours, every_s=2.0))["keyframes"] == [0.0, 4.0, 6.0]
    values = Keyframes().measure(clip_of([grainy(0)] * 4, every_s=2.0))
    assert values["keyframes"] == [0.0, 6.0]
    assert np.linalg.norm(values["keyframe_embedding"]) == pytest.approx(1, abs=1e-6)


def test_a_dark_scene_and_a_title_show_something(scene: Scene) -> None:
    title = grainy(0)
    title[80:100, 60:260] = 230
    assert not any(map(is_uniform, (title, scene(1) // 6, scene(2))))


def test_keyframes_of_a_clip(scene: Scene, clip_of: ClipOf) -> None:
    first, second = scene(1), scene(2)
    clip = clip_of([first, first, second, second, second], every_s=2.0)
    values = Keyframes().measure(clip)
    assert values["keyframes"] == [0.0, 4.0, 8.0]
    embedding = np.array(values["keyframe_embedding"])
    assert np.linalg.norm(embedding) == pytest.approx(1, abs=1e-6)
    assert set(values) == set(Keyframes().adds())
    assert Keyframes.internal == {"keyframe_embedding"}


def test_one_frame_is_one_keyframe(scene: Scene, clip_of: ClipOf) -> None:
    assert Keyframes().measure(clip_of([scene(1)]))["keyframes"] == [0.0]


def test_what_is_asked_of_the_decoder(scene: Scene) -> None:
    asked: list[Sampling] = []

    def decode(sampling: Sampling) -> Frames:
        asked.append(sampling)
        return Frames(np.array([0.0, 0.37]), [scene(1), scene(2)])

    step = Keyframes(interval_s=1.5)
    assert step.measure(Clip({}, decode))["keyframes"] == [0.0, 0.37]  # the frames' own times
    assert tuple(asked) == step.samplings() == (Sampling(every_s=1.5, with_last=True, long_side_px=320),)


def alike(clip_of: ClipOf, one: list[np.ndarray], other: list[np.ndarray]) -> float:
    first, second = (np.array(Keyframes().measure(clip_of(images))["keyframe_embedding"]) for images in (one, other))
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
    assert Keyframes().measure(clip_of(dark, every_s=2.0))["keyframes"] == [0.0, 8.0]


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (3, 5), (33, 31), (64, 2)])
def test_frames_of_any_size(size: tuple[int, int], scene: Scene, clip_of: ClipOf) -> None:
    values = Keyframes().measure(clip_of([scene(1, size=size), scene(2, size=size)]))
    assert np.isfinite(values["keyframe_embedding"]).all()
    assert len(values["keyframe_embedding"]) == 113


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"below": 1.0}, "less than 1"),
        ({"interval_s": 0}, "greater than 0"),
        ({"interval_s": 1, "min_gap_s": 1.5}, "min_gap_s 1.5 is above interval_s 1; give at most that"),
        ({"embed": {"use": "dino"}}, "'layout', 'clip'"),
        ({"embed": {"use": "clip", "model": "openai/clip-vit-large-patch14-336"}}, "revision: is required"),
        ({"embed": {"use": "clip", "model": "a/b", "revision": COMMIT, "batch": 0}}, "greater than 0"),
    ],
)
def test_wrong_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Keyframes.model_validate(options)


def test_identity() -> None:
    """What changes the values changes it; speed and place do not."""

    def identity(**options: Any) -> str:
        return json.dumps(Keyframes.model_validate(options).identity(), sort_keys=True)

    model = {"use": "clip", "model": "a/b", "revision": COMMIT}
    different = [identity(), identity(below=0.9), identity(interval_s=1), identity(embed=model)]
    different.append(identity(embed={**model, "revision": COMMIT[::-1]}))
    different += [identity(min_gap_s=0), identity(embed={**model, "layer": "projected"})]
    assert len(set(different)) == len(different)
    assert identity(embed={**model, "batch": 1}) == identity(embed=model)
    assert identity(embed={**model, "layer": "cls"}) == identity(embed=model)
    assert identity(embed={"use": "layout"}) == identity(min_gap_s=1) == identity()


# clip: a tiny checkpoint with random weights, through the real code


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    vision = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = {**vision, "vocab_size": 99, "max_position_embeddings": 16}
    config = transformers.CLIPConfig(
        text_config=text, vision_config={**vision, "image_size": 32, "patch_size": 8}, projection_dim=24
    )
    folder = tmp_path_factory.mktemp("models") / "tiny-clip"
    transformers.CLIPModel(config).save_pretrained(folder)
    processor = {"image_processor_type": "CLIPImageProcessor", "do_resize": True, "size": {"shortest_edge": 32}}
    processor |= {"do_center_crop": True, "crop_size": {"height": 32, "width": 32}, "do_convert_rgb": True}
    processor |= {"do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True, "resample": 3}
    processor |= {"image_mean": [0.48, 0.46, 0.41], "image_std": [0.27, 0.26, 0.28]}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return folder


def with_clip(folder: Path, **options: Any) -> Keyframes:
    return Keyframes.model_validate({"embed": {"use": "clip", "model": str(folder), **options}})


@pytest.mark.parametrize(("layer", "size"), [("cls", 32), ("projected", 24)])
def test_clip_embeds_what_the_model_says(
    layer: str, size: int, checkpoint: Path, scene: Scene, clip_of: ClipOf
) -> None:
    import torch
    import transformers

    images = [scene(seed) for seed in (1, 1, 2, 3)]
    clip = clip_of(images, every_s=2.0)
    step = with_clip(checkpoint, layer=layer)
    vectors = step.embed.vectors(clip.frames())
    assert vectors.shape == (4, size)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1)
    model = transformers.CLIPModel.from_pretrained(checkpoint).eval()
    # by hand: short side to 32, the middle of it, the mean and deviation of the checkpoint
    from PIL import Image

    small = [
        Image.fromarray(image).resize((56, 32), Image.Resampling.BICUBIC).crop((12, 0, 44, 32)) for image in images
    ]
    pixels = (np.stack([np.asarray(image) for image in small]) / 255 - [0.48, 0.46, 0.41]) / [0.27, 0.26, 0.28]
    with torch.inference_mode():
        output = model.vision_model(torch.tensor(pixels.transpose(0, 3, 1, 2), dtype=torch.float32))
        first = output.last_hidden_state[:, 0]
        torch.testing.assert_close(model.vision_model.post_layernorm(first), output.pooler_output)
        expected = (first if layer == "cls" else model.visual_projection(output.pooler_output)).numpy()
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(vectors, expected, atol=1e-4)
    values = step.measure(clip)
    kept = brute(vectors, 0.93)
    assert values["keyframes"] == [2.0 * at for at in kept]
    mean = vectors[kept].mean(axis=0)
    np.testing.assert_allclose(values["keyframe_embedding"], mean / np.linalg.norm(mean), atol=1e-6)


def test_batches_change_nothing(checkpoint: Path, scene: Scene, clip_of: ClipOf) -> None:
    frames = clip_of([scene(seed) for seed in range(5)]).frames()
    whole = with_clip(checkpoint).embed.vectors(frames)
    np.testing.assert_allclose(with_clip(checkpoint, batch=2).embed.vectors(frames), whole, atol=1e-5)


def test_a_frame_of_three_rows_is_no_image_of_three_channels(checkpoint: Path, scene: Scene, clip_of: ClipOf) -> None:
    vectors = with_clip(checkpoint).embed.vectors(clip_of([scene(1, size=(3, 40))]).frames())
    assert np.isfinite(vectors).all()


def test_a_model_that_cannot_be_loaded_ends_the_run(tmp_path: Path, scene: Scene, clip_of: ClipOf) -> None:
    pytest.importorskip("transformers")
    with pytest.raises(RunError, match="keyframes: cannot load the model"):
        with_clip(tmp_path).measure(clip_of([scene(1)]))
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(RunError, match="it is a bert model, not CLIP"):
        with_clip(tmp_path).measure(clip_of([scene(1)]))


def test_a_checkpoint_without_its_projection_is_refused(
    checkpoint: Path, tmp_path: Path, scene: Scene, clip_of: ClipOf
) -> None:
    """The library would fill it with random numbers."""
    from safetensors.torch import load_file, save_file

    for name in ("config.json", "preprocessor_config.json"):
        (tmp_path / name).write_bytes((checkpoint / name).read_bytes())
    weights = load_file(checkpoint / "model.safetensors")
    del weights["visual_projection.weight"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(RunError, match=r"it lacks weights, such as visual_projection\.weight"):
        with_clip(tmp_path, layer="projected").measure(clip_of([scene(1)]))
    assert len(with_clip(tmp_path).measure(clip_of([scene(1)]))["keyframe_embedding"]) == 32  # which needs none


def test_a_recipe_is_read_and_layout_is_measured_without_torch() -> None:
    code = f"""
import sys, numpy as np
from shotscribe.builder.contract.clip import Clip
from shotscribe.builder.contract.frames import Frames
from shotscribe.filters.keyframes import Keyframes
Keyframes.model_validate({{"embed": {{"use": "clip", "model": "a/b", "revision": "{COMMIT}"}}}}).identity()
Keyframes().measure(Clip({{}}, lambda sampling: Frames(np.zeros(1), [np.zeros((9, 9, 3), np.uint8)])))
sys.exit(any(name in sys.modules for name in ("torch", "transformers")))
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
