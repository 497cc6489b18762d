"""Clips that the tests make themselves: every test runs on any machine, with nothing to download."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import settings
from PIL import Image, ImageDraw, ImageFilter

# How long an example takes says more of what else runs on the machine than of the code: the time limit of the whole
# test stands.
settings.register_profile("shotscribe", deadline=None)
settings.load_profile("shotscribe")

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
    # SVT-AV1 under root leaves its process real-time, and so all that it starts: two engines then starve each other
    if hasattr(os, "sched_setscheduler"):
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    return path


def with_sound(
    path: Path,
    wave: np.ndarray,
    *,
    rate: int = 48000,
    layout: str = "stereo",
    codec: str = "pcm_s16le",
    seconds: float | None = None,
    sound_at_s: float = 0.0,
    picture_at_s: float = 0.0,
) -> Path:
    """A picture of 32 x 32 pixels at 10 frames a second, as long as the sound or `seconds`, and a sound, float32
    (channels, n). Each begins on the container's clock where it is said to.
    """
    count = round(10 * (wave.shape[1] / rate if seconds is None else seconds))
    with av.open(str(path), "w") as container:
        picture: Any = container.add_stream("mpeg4", rate=10)
        picture.height = picture.width = 32
        sound: Any = container.add_stream(codec, rate=rate, layout=layout)
        for index in range(count):
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), index % 256, np.uint8), format="rgb24")
            frame.pts, frame.time_base = index + round(10 * picture_at_s), Fraction(1, 10)
            container.mux(picture.encode(frame))
        container.mux(picture.encode(None))
        for at in range(0, wave.shape[1], rate):
            part = np.ascontiguousarray(wave[:, at : at + rate].T.astype(np.float32)).reshape(1, -1)
            block = av.AudioFrame.from_ndarray(part, format="flt", layout=layout)
            block.sample_rate, block.time_base = rate, Fraction(1, rate)
            block.pts = at + round(rate * sound_at_s)
            container.mux(sound.encode(block))
        container.mux(sound.encode(None))
    return path


SOAK = int(os.environ.get("SOAK", "1"))


@pytest.fixture(name="soak", scope="session")
def soak_fixture() -> int:
    """How many times as long a campaign of kills and faults is: `make soak` says 10."""
    return SOAK


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("soak"):
            item.add_marker(pytest.mark.timeout(600 * SOAK))


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


@pytest.fixture(name="with_sound", scope="session")
def with_sound_fixture() -> Callable[..., Path]:
    return with_sound


@pytest.fixture(name="moving", scope="session")
def moving_fixture() -> Callable[..., Iterable[np.ndarray]]:
    return moving


@pytest.fixture(name="skin", scope="session")
def skin_fixture() -> np.ndarray:
    """Round shapes of the colour of skin, uint8 (180, 320, 3): a picture that OpenNSFW gives 0.88."""
    chance = np.random.default_rng(105)
    picture = Image.new("RGB", (320, 180), tuple(chance.integers(0, 255, 3).tolist()))
    for _ in range(chance.integers(2, 12)):
        (width, height), (left, top) = (
            chance.integers(30, (200, 160)).tolist(),
            chance.integers(-40, (280, 150)).tolist(),
        )
        light = chance.uniform(0.6, 1)
        color = (int(235 * light), int(185 * light), int(160 * light))
        ImageDraw.Draw(picture).ellipse((left, top, left + width, top + height), fill=color)
    return np.asarray(picture.filter(ImageFilter.GaussianBlur(chance.uniform(0, 12))))


os.environ["VLLM_CPU_KVCACHE_SPACE"] = "1"  # GB

COLORS = {
    "red": (220, 40, 40),
    "green": (40, 180, 60),
    "blue": (50, 80, 220),
    "yellow": (235, 215, 50),
    "white": (240, 240, 240),
    "black": (15, 15, 15),
    "orange": (240, 140, 40),
    "purple": (150, 60, 180),
}
"""What the truthful model of truth_vlm/ knows."""

VLLM_ON_CPU = (
    "dtype: float32, max_model_len: 2048, enforce_eager: true, gpu_memory_utilization: 0.2, "
    "arguments: {distributed_executor_backend: uni}"  # a process less to start
)
"""Options of the engine vllm for a tiny model without a GPU."""


@pytest.fixture(name="entry", scope="session")
def entry_fixture() -> list[str]:
    """How a test starts the command itself."""
    return [sys.executable, "-c", "from shotscribe.builder.cli import main; main()"]


@pytest.fixture(name="vllm_on_cpu", scope="session")
def vllm_on_cpu_fixture() -> str:
    """Options of the engine vllm, in a recipe, for a tiny model without a GPU."""
    return VLLM_ON_CPU


@pytest.fixture(name="colors", scope="session")
def colors_fixture() -> list[str]:
    """The colours that the truthful model knows."""
    return list(COLORS)


@pytest.fixture(name="truth_vlm", scope="session")
def truth_vlm_fixture() -> Path:
    """A 1.5M-parameter Qwen2.5-VL that answers with the dominant colour of each of its images, in order; without images
    with the colour words of its text, in order, neighbours merged. Up to four images of 112 x 112 and short prompts.
    """
    return Path(__file__).parent / "truth_vlm"


@pytest.fixture(name="vlm_server", scope="session")
def vlm_server_fixture(truth_vlm: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of vLLM's own OpenAI-compatible server, which serves the truthful model as `truth`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = {
        "--model": truth_vlm,
        "--served-model-name": "truth",
        "--dtype": "float32",
        "--max-model-len": "2048",
        "--gpu-memory-utilization": "0.2",
        "--limit-mm-per-prompt": '{"image": 16}',
        "--structured-outputs-config": '{"backend": "xgrammar", "disable_any_whitespace": true}',
        "--host": "127.0.0.1",
        "--port": port,
    }
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--enforce-eager"]
    log = tmp_path_factory.mktemp("server") / "log"
    with log.open("wb") as out:
        server = subprocess.Popen(
            [*command, *(str(word) for pair in options.items() for word in pair)],
            stdout=out,
            stderr=out,
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
            process_group=0,
        )
    # a test run that is killed ends no fixture: its server would hold gigabytes for ever
    orphaned = f"while kill -0 {os.getpid()}; do sleep 2; done 2>/dev/null; kill -KILL -{server.pid}"
    watch = subprocess.Popen(["sh", "-c", orphaned])
    try:
        deadline = time.monotonic() + 600
        while not _answers(port):
            assert server.poll() is None, log.read_text()[-2000:]
            assert time.monotonic() < deadline, log.read_text()[-2000:]
            time.sleep(0.5)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        watch.kill()
        watch.wait()
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as response:
            return response.status == 200
    except OSError:
        return False


def film(path: Path, colors: Iterable[str], *, seconds_each: float = 1.0) -> Path:
    """A clip of 10 frames a second and 112 x 112 pixels that shows each colour for so long."""
    frames = [np.full((112, 112, 3), COLORS[color], np.uint8) for color in colors]
    return encode(path, (frame for frame in frames for _ in range(round(10 * seconds_each))), fps=10)


@pytest.fixture(name="film", scope="session")
def film_fixture() -> Callable[..., Path]:
    return film
