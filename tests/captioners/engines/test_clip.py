"""The engine clip: a tiny checkpoint with random weights, through the real code."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from shotscribe.builder.contract.engine import Vectors
from shotscribe.builder.contract.errors import RunError
from shotscribe.captioners.engines.clip import ClipModel

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def scene(seed: int, *, size: tuple[int, int] = (180, 320)) -> np.ndarray:
    """A picture of coloured patches, uint8 (h, w, 3)."""
    rows, columns = (side // 20 + 1 for side in size)
    patches = np.random.default_rng(seed).integers(0, 256, (rows, columns, 3), np.uint8)
    return np.kron(patches, np.ones((20, 20, 1), np.uint8))[: size[0], : size[1]]


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


def vectors(
    folder: Path,
    *clips: Sequence[np.ndarray],
    layer: Literal["cls", "projected"] = "cls",
    **options: Any,
) -> Vectors:
    """Of the pictures of all clips, which ask at the same time."""

    async def ask() -> Vectors:
        engine = await ClipModel(model=str(folder), **options).start()
        return np.concatenate(await asyncio.gather(*(engine.embed_images(images, layer=layer) for images in clips)))

    return asyncio.run(ask())


@pytest.mark.parametrize(("layer", "size"), [("cls", 32), ("projected", 24)])
def test_it_says_what_the_model_says(layer: Literal["cls", "projected"], size: int, checkpoint: Path) -> None:
    import torch
    import transformers

    images = [scene(seed) for seed in (1, 1, 2, 3)]
    made = vectors(checkpoint, images, layer=layer)
    assert made.shape == (4, size)
    assert made.dtype == np.float32
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
    np.testing.assert_allclose(made, expected, atol=1e-4)


def test_batches_and_neighbours_change_nothing(checkpoint: Path) -> None:
    images = [scene(seed) for seed in range(5)]
    whole = vectors(checkpoint, images)
    np.testing.assert_allclose(vectors(checkpoint, images, batch=2), whole, atol=1e-5)
    np.testing.assert_allclose(vectors(checkpoint, images[:2], images[2:3], images[3:]), whole, atol=1e-5)


def test_pictures_of_many_clips_share_batches(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from shotscribe.captioners.engines import _clip_engine

    run, sizes = _clip_engine._Running._run, list[int]()

    def counted(self: Any, pixels: Sequence[Any], **options: Any) -> Any:
        sizes.append(len(pixels))
        return run(self, pixels, **options)

    monkeypatch.setattr(_clip_engine._Running, "_run", counted)
    clips = [[scene(seed)] * 3 for seed in range(40)]
    made = vectors(checkpoint, *clips, batch=16)
    assert len(made) == 120
    assert len(sizes) <= 40 / 2  # alone each clip would be a batch
    assert max(sizes) == 16


def test_a_picture_of_three_rows_is_none_of_three_channels(checkpoint: Path) -> None:
    assert np.isfinite(vectors(checkpoint, [scene(1, size=(3, 40))])).all()


def test_what_is_no_clip_model_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    with pytest.raises(RunError, match="the engine clip: cannot load the model"):
        vectors(tmp_path, [scene(1)])
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(RunError, match="it is a bert model, not CLIP"):
        vectors(tmp_path, [scene(1)])


@pytest.mark.parametrize("lacking", ["visual_projection.weight", "vision_model.post_layernorm.weight"])
def test_a_checkpoint_that_lacks_weights_is_refused(lacking: str, checkpoint: Path, tmp_path: Path) -> None:
    """The library would fill them with random numbers. The projection is missed where it is asked for."""
    from safetensors.torch import load_file, save_file

    for name in ("config.json", "preprocessor_config.json"):
        (tmp_path / name).write_bytes((checkpoint / name).read_bytes())
    weights = load_file(checkpoint / "model.safetensors")
    del weights[lacking]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(RunError, match=r"has no projection; set `layer: cls`|it lacks weights, such as vision_model"):
        vectors(tmp_path, [scene(1)], layer="projected")
    if "projection" in lacking:
        assert vectors(tmp_path, [scene(1)]).shape == (1, 32)


def test_only_what_changes_the_vectors_is_identity() -> None:
    fields = {"model": "a/b", "revision": COMMIT}
    same = ClipModel(**fields).identity()
    assert ClipModel(**fields, batch=1, in_flight=8, gpu_memory_utilization=0.2).identity() == same
    assert ClipModel(**fields, dtype="bfloat16").identity() != same
    assert ClipModel(**{**fields, "revision": COMMIT[::-1]}).identity() != same
    assert json.dumps(same)
