"""The demo corpus: clips rendered from a seed, with known truth.

A virtual camera moves over painted worlds; what it does, and what was done to the picture, is stored in the columns
`truth_*`, so that tests and benchmarks can score the filters. A clip depends on the seed and its number alone, so a
larger `count` adds clips to the same ones.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
from pydantic import Field

from ..clip import Columns, media_of
from ..source import Source, SourceClip
from ._demo_brushes import HOURS
from ._demo_camera import COPIED, KINDS, Shot, View, script
from ._demo_lens import Image, blurred, look, with_balloon
from ._demo_scenes import PLACES, paint

_RENDERING = "demo-1"  # the folder's name: a changed rendering takes another, and never reuses old files


class Demo(Source):
    """Clips that the command renders itself: nothing to download, and the right answers are known."""

    use: Literal["demo"] = "demo"
    license: str | None = "cc0-1.0"
    seed: int = Field(default=0, ge=0)
    """Another seed paints other worlds and moves otherwise."""
    count: int = Field(default=40, ge=1)
    """Number of clips; every kind appears once in each 20."""

    def adds(self) -> Columns:
        return {"truth_kind": "string", "truth_camera_motion": ["string"], "truth_duplicate_of": "string"}

    def clips(self, work: Path) -> Iterator[SourceClip]:
        """Renders what is not there yet; a file appears under its name only when it is whole."""
        for index in range(self.count):
            shot = self._script(index)
            truth = {
                "truth_kind": KINDS[index % len(KINDS)],
                "truth_camera_motion": list(shot.labels),
                "truth_duplicate_of": self._source_id(_original(index)) if _original(index) != index else None,
            }
            path = self._file(index, work)
            yield SourceClip(self._source_id(index), media_of(path), source_caption=shot.caption, extra=truth)

    def _source_id(self, index: int) -> str:
        return f"seed{self.seed}/{index:04d}-{KINDS[index % len(KINDS)].replace('_', '-')}.mp4"

    def _script(self, index: int) -> Shot:
        original = _original(index)
        return script(KINDS[original % len(KINDS)], np.random.default_rng([self.seed, original]))

    def _file(self, index: int, work: Path) -> Path:
        path = (work / _RENDERING / self._source_id(index)).absolute()
        if path.exists():
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            if KINDS[index % len(KINDS)] == "exact_duplicate":
                shutil.copyfile(self._file(_original(index), work), part)
            else:
                _render(self._script(index), part, seed=(self.seed, _original(index)), again=_original(index) != index)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        return path


def _original(index: int) -> int:
    """The number of the clip that a copy copies; of any other clip its own."""
    cycle, place = divmod(index, len(KINDS))
    kind = KINDS[place]
    return cycle * len(KINDS) + KINDS.index(COPIED.get(kind, kind))


def _render(shot: Shot, path: Path, *, seed: tuple[int, int], again: bool) -> None:
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
