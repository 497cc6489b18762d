"""Clips that the tests make themselves: every test runs on any machine, with nothing to download."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

Encode = Callable[..., Path]


def encode(
    path: Path,
    images: Iterable[np.ndarray],
    *,
    fps: int | Fraction = 30,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    times: Iterable[float] | None = None,
    audio: bool = False,
) -> Path:
    """Encode RGB uint8 (h, w, 3) images into a file whose container follows the suffix.

    `times`: seconds of each image where the rate varies or the start is not zero.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=fps)
        stream.pix_fmt = pix_fmt
        stream.options = options or ({"preset": "ultrafast", "crf": "18"} if codec == "libx264" else {})
        stream.codec_context.thread_count = 1
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        sound: Any = container.add_stream("aac", rate=48000) if audio else None
        when = iter(times) if times is not None else None
        last = 0.0
        for index, image in enumerate(images):
            if index == 0:
                stream.height, stream.width = image.shape[:2]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            if when is not None:
                last = next(when)
                frame.pts, frame.time_base = round(last * 1000), Fraction(1, 1000)
            else:
                frame.pts, frame.time_base = index, 1 / Fraction(fps)
                last = index / float(fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound is not None:
            for start in range(0, int((last + 1 / float(fps)) * 48000), 1024):
                wave = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
                wave.rate, wave.pts = 48000, start
                container.mux(sound.encode(wave))
            container.mux(sound.encode(None))
    return path


def moving(frames: int, *, size: tuple[int, int] = (96, 160), dx: float = 2.0, seed: int = 0) -> Iterable[np.ndarray]:
    """A textured picture (h, w) that slides `dx` pixels a frame to the left."""
    rng = np.random.default_rng(seed)
    height, width = size
    wide = int(width + abs(dx) * frames + 16)
    coarse = rng.integers(0, 256, (height // 8 + 1, wide // 8 + 1, 3))
    picture = np.kron(coarse, np.ones((8, 8, 1)))[:height, :wide].astype(np.uint8)
    for index in range(frames):
        at = round(dx * index)
        yield picture[:, at : at + width]


@pytest.fixture(name="encode", scope="session")
def encode_fixture() -> Encode:
    return encode


@pytest.fixture(name="moving", scope="session")
def moving_fixture() -> Callable[..., Iterable[np.ndarray]]:
    return moving
