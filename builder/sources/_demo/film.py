"""From a script to an mp4: the camera moves over its world, and each picture is finished as its kind wants it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from .brushes import HOURS
from .camera import Shot, View
from .lens import Image, blurred, look, with_balloon
from .scenes import PLACES, paint


def render(shot: Shot, path: Path, *, seed: tuple[int, int], again: bool) -> None:
    """`again`: a near-duplicate, brighter, cropped and coded anew."""
    options = {"preset": "ultrafast", "crf": "27" if again else "21"}
    with av.open(str(path), "w", format="mp4") as container:
        stream: Any = container.add_stream("libx264", rate=shot.fps, options=options)
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1  # the same bytes whatever the number of cores
        for number, image in enumerate(_images(shot, seed=seed, again=again)):
            if number == 0:
                stream.height, stream.width = image.shape[:2]
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, shot.fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _images(shot: Shot, *, seed: tuple[int, int], again: bool) -> Iterator[Image]:
    rng = np.random.default_rng([*seed, 1])
    total = round(shot.seconds * shot.fps)
    if shot.kind == "black":
        yield from [np.zeros((*shot.size, 3), np.uint8)] * total
        return
    world = paint(shot.place, shot.hour, rng)
    cut = round(total * float(rng.uniform(0.35, 0.65))) if shot.kind == "cut" else total
    finish = _finish(shot, rng, again=again)
    seen: tuple[View, Image] | None = None
    for number in range(total):
        if number == cut:
            seen, world = None, _elsewhere(shot, rng)
        view = shot.view(number / shot.fps)
        if seen is None or seen[0] != view:
            seen = view, look(world, view, size=shot.size)
        yield finish(seen[1], number / total)


def _elsewhere(shot: Shot, rng: np.random.Generator) -> Image:
    """Another place at another hour."""
    places, hours = [place for place in PLACES if place != shot.place], [hour for hour in HOURS if hour != shot.hour]
    return paint(places[rng.integers(len(places))], hours[rng.integers(len(hours))], rng)


def _finish(shot: Shot, rng: np.random.Generator, *, again: bool) -> Callable[[Image, float], Image]:
    """What is done to each picture after the camera, from the picture and the part of the clip that is over."""
    if again:
        return lambda image, _: np.minimum(image[4:-4, 6:-6] * 1.06, 255).astype(np.uint8)
    height = shot.size[0]
    if shot.kind == "dark":
        return lambda image, _: image // 12
    if shot.kind == "letterboxed":
        bar = round(0.13 * height)
        return lambda image, _: np.pad(image[bar:-bar], ((bar, bar), (0, 0), (0, 0)))
    if shot.kind == "blurred":
        return lambda image, _: blurred(image)
    if shot.kind == "moving_object":
        drift = float(rng.choice((-1, 1)) * rng.uniform(0.7, 1.0))
        return lambda image, part: with_balloon(image, part, drift=drift)
    return lambda image, _: image
