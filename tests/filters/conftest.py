"""Pictures and clips for the filters' tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from shotscribe.builder.contract.clip import Clip
from shotscribe.builder.contract.frames import Frames, Sampling
from shotscribe.builder.contract.limits import Decode
from shotscribe.builder.media.video import decode


def scene(seed: int, *, size: tuple[int, int] = (180, 320)) -> np.ndarray:
    """A sharp coloured picture, uint8 (h, w, 3): patches of many sizes, as large in contrast as they are in size."""
    rng = np.random.default_rng(seed)
    height, width = size
    picture = np.zeros((height, width, 3))
    for cell, contrast in ((90, 60.0), (45, 45.0), (20, 30.0), (9, 18.0), (4, 10.0)):
        patches = rng.uniform(-contrast, contrast, (height // cell + 2, width // cell + 2, 3))
        patches[..., 1:] = 0.5 * patches[..., 1:] + 0.5 * patches[..., :1]
        down, right = rng.integers(0, cell, 2)
        picture += np.kron(patches, np.ones((cell, cell, 1)))[down : down + height, right : right + width]
    return np.clip(128 + picture, 0, 255).astype(np.uint8)


def clip_of(images: Sequence[np.ndarray], *, every_s: float = 0.5, row: dict[str, Any] | None = None) -> Clip:
    """A clip whose frames are these, whatever sampling is asked for."""
    frames = Frames(np.arange(len(images)) * every_s, list(images))
    return Clip(row or {}, lambda sampling: frames)


def part_of(path: Path, *, duration: float, sampling: Sampling, start: float = 0.0) -> Clip:
    """A part of a file, decoded as a worker does it."""
    frames = decode(str(path), start=start, end=start + duration, samplings=(sampling,), limits=Decode())
    return Clip({"duration": duration}, frames.__getitem__)


@pytest.fixture(name="part_of", scope="session")
def part_of_fixture() -> Callable[..., Clip]:
    return part_of


@pytest.fixture(name="scene", scope="session")
def scene_fixture() -> Callable[..., np.ndarray]:
    return scene


@pytest.fixture(name="clip_of", scope="session")
def clip_of_fixture() -> Callable[..., Clip]:
    return clip_of


@pytest.fixture(scope="session")
def recoded(encode: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., list[np.ndarray]]:
    """The pictures after x264 at a quality (crf: 18 fine, 40 very coarse)."""

    def through(images: Sequence[np.ndarray], *, crf: int) -> list[np.ndarray]:
        path = tmp_path_factory.mktemp("recoded") / "clip.mp4"
        encode(path, images, fps=2, options={"preset": "ultrafast", "crf": str(crf)})
        with av.open(str(path)) as container:
            return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]

    return through
