"""Camera movement of known amount over real footage that stands still: a window goes over it and zooms in it.

What moves in the footage moves on; only the window is the camera. A third of the windows shake as in a hand. Labels:
each single one, each pair of a pan, a tilt and a zoom, and `unclassified` (there and back, a roll, a cut).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import numpy.typing as npt


class Still(NamedTuple):
    """Footage in which neither the camera nor, but for small things, the scene moves."""

    name: str
    start: float  # seconds
    end: float
    bottom: float = 1.0  # share of the height, from the top, that is used: below it subtitles come and go


STILL = (
    Still("panda/3-u9uaSNUcg.30.mp4", 0.0, 19.0),
    Still("panda/8xyy2RyDhFY.18.mp4", 0.0, 7.5),
    Still("panda/Mzl-wJTRtBg.16.mp4", 29.4, 33.6),
    Still("panda/bpA7IQ_g9IQ.36.mp4", 0.0, 2.5),
    Still("real/dj_video3.mp4", 4.0, 45.0, 0.6),
)
SIZE = (144, 256)
FPS = 20

PANS = {"pan_left": (-1, 0, 0), "pan_right": (1, 0, 0)}
TILTS = {"tilt_up": (0, -1, 0), "tilt_down": (0, 1, 0)}
ZOOMS = {"zoom_in": (0, 0, 1), "zoom_out": (0, 0, -1)}
PAIRS = [*product(PANS, TILTS), *product(PANS, ZOOMS), *product(TILTS, ZOOMS)]
LABELS: list[tuple[str, ...]] = [
    ("static",),
    ("unclassified",),
    *((name,) for name in {**PANS, **TILTS, **ZOOMS}),
    *PAIRS,
]

Images = npt.NDArray[np.uint8]
Ways = npt.NDArray[np.float64]  # (n, 4): short sides right, down; natural logarithm of the magnification; radians


class Window(NamedTuple):
    """A rendered clip and its truth."""

    path: Path
    labels: tuple[str, ...]
    told: str


def windows(folder: Path, work: Path, *, each: int, seed: int = 0) -> Iterator[Window]:
    """`each` clips of each label, from the clips of the folder; rendered into `work`."""
    rng = np.random.default_rng(seed)
    for label in LABELS:
        for number in range(each):
            still = STILL[int(rng.integers(len(STILL)))]
            seconds = float(min(np.exp(rng.uniform(np.log(0.8), np.log(5))), still.end - still.start))
            begin = float(rng.uniform(still.start, still.end - seconds))
            footage = _footage(folder, still, begin, seconds)
            ways, kind = _ways(label, len(footage), rng)
            images = _seen(footage, ways, rng)
            if kind.startswith("cut"):
                half = len(images) // 2
                other = STILL[(STILL.index(still) + 1) % len(STILL)]
                images[half:] = _seen(_footage(folder, other, other.start, seconds / 2), ways[half:], rng)
            path = work / f"{'+'.join(label)}-{number:02}.mp4"
            _encode(path, images)
            yield Window(path, label, f"{still.name} at {begin:.1f} s, {seconds:.1f} s, {kind}")


def _ways(label: tuple[str, ...], count: int, rng: np.random.Generator) -> tuple[Ways, str]:
    """Where the window looks from frame to frame, and in words how."""
    ease = np.linspace(0, 1, count) if rng.random() < 0.5 else (1 - np.cos(np.linspace(0, np.pi, count))) / 2
    ways, kind = np.zeros((count, 4)), "steady"
    drift = rng.uniform(-0.08, 0.08, 3)
    amounts = np.zeros(4)
    if label == ("unclassified",):
        kind = str(rng.choice(["back", "roll", "cut"]))
        if kind == "back":
            amounts[int(rng.integers(2))] = rng.choice([-1, 1]) * rng.uniform(0.4, 0.6)
            ease = np.sin(np.linspace(0, np.pi, count))
        elif kind == "roll":
            amounts[3] = rng.choice([-1, 1]) * rng.uniform(0.4, 0.7)
    elif label != ("static",):
        for name in label:
            sign = np.array({**PANS, **TILTS, **ZOOMS}[name])
            largest = (1.0, 0.5, 0.8)[int(np.abs(sign).argmax())]
            amounts[:3] += sign * np.exp(rng.uniform(np.log(0.36), np.log(largest)))
    amounts[:3] += np.where(amounts[:3] == 0, drift, 0)
    ways += ease[:, None] * amounts
    if rng.random() < 1 / 3:
        kind += ", shakes"
        ways += _shake(count, rng)
    return ways, kind


def _shake(count: int, rng: np.random.Generator) -> Ways:
    """As in a hand: a few slow waves each way, that begin and end at nothing."""
    t = np.arange(count) / FPS
    waves = sum(
        np.sin(2 * np.pi * rng.uniform(0.5, 4, 4) * t[:, None] + rng.uniform(0, 6, 4)) * rng.uniform(0.2, 1, 4)
        for _ in range(3)
    )
    shake: Ways = np.asarray(waves) * (0.012, 0.012, 0.005, 0.008) * np.sin(np.linspace(0, np.pi, count))[:, None]
    return shake


def _seen(footage: Sequence[Images], ways: Ways, rng: np.random.Generator) -> list[Images]:
    """The window's pictures. It is as large, and begins where, it has room for the whole way."""
    height, width = footage[0].shape[:2]
    zooms = np.exp(ways[:, 2] - ways[:, 2].min())  # the widest view has the window's full size
    side = min(height, width * SIZE[0] / SIZE[1]) * 0.6
    for _ in range(60):  # the largest window with room
        shorts = side / zooms
        steps = np.diff(ways[:, :2], axis=0) * ((shorts[1:] + shorts[:-1]) / 2)[:, None]
        at = np.vstack([np.zeros(2), steps.cumsum(axis=0)])
        turn = np.abs(ways[:, 3])[:, None]
        half = shorts[:, None] / 2 * np.array([SIZE[1] / SIZE[0], 1.0])
        half = half * np.cos(turn) + half[:, ::-1] * np.sin(turn)
        low, high = (half - at).max(axis=0), (np.array([width, height]) - 1 - half - at).min(axis=0)
        if (high >= low).all():
            break
        side *= 0.97
    start = rng.uniform(low, high)
    return [_view(image, start + at[k], shorts[k], ways[k, 3]) for k, image in enumerate(footage)]


def _view(image: Images, centre: npt.NDArray[np.float64], short: float, roll: float) -> Images:
    """Bilinear, after shrinking what is shrunk."""
    scale = short / SIZE[0]  # pixels of the footage to one of the window
    down, right = np.mgrid[0 : SIZE[0], 0 : SIZE[1]].astype(np.float32)
    down, right = (down - (SIZE[0] - 1) / 2) * scale, (right - (SIZE[1] - 1) / 2) * scale
    x = right * np.cos(roll) - down * np.sin(roll) + centre[0]
    y = right * np.sin(roll) + down * np.cos(roll) + centre[1]
    x, y = np.clip(x, 0, image.shape[1] - 1.001), np.clip(y, 0, image.shape[0] - 1.001)
    left, top = x.astype(np.intp), y.astype(np.intp)
    a, b = ((away[..., None]).astype(np.float32) for away in (x - left, y - top))
    upper = image[top, left] * (1 - a) + image[top, left + 1] * a
    lower = image[top + 1, left] * (1 - a) + image[top + 1, left + 1] * a
    return np.asarray(upper * (1 - b) + lower * b + 0.5).astype(np.uint8)


def _footage(folder: Path, still: Still, start: float, seconds: float) -> list[Images]:
    """Frames at FPS, each the last that is shown by then."""
    wanted = iter(np.arange(start, start + seconds, 1 / FPS))
    due, before = next(wanted, None), None
    images: list[Images] = []
    with av.open(str(folder / still.name)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        container.seek(int(max(start - 1, 0) * av.time_base))
        for frame in container.decode(stream):
            while due is not None and frame.time > due and before is not None:
                image = before.to_ndarray(format="rgb24").astype(np.uint8)
                images.append(image[: round(still.bottom * len(image))])
                due = next(wanted, None)
            if due is None:
                break
            before = frame
    return images


def _encode(path: Path, images: Sequence[Images]) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "crf": "20"})
        stream.height, stream.width = SIZE
        stream.pix_fmt = "yuv420p"
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
