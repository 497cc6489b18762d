"""A scripted engine, and clips of plain colours, for what a captioner asks and what it makes of the answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from shotscribe.builder.contract.clip import Clip
from shotscribe.builder.contract.engine import Completion, Engine, Image, Request
from shotscribe.builder.contract.frames import Frames, Images, Sampling
from shotscribe.builder.contract.identity import pixel_hash
from shotscribe.builder.contract.step import ClipStep
from shotscribe.builder.media.moments import positions, wanted_times

Color = tuple[int, int, int]


class Scripted(Engine):
    """Answers by a function of the request, and keeps what it was asked."""

    model, revision, slots = "test/scripted", "r1", None

    def __init__(self, answer: Callable[[Request], str | Completion]) -> None:
        self.requests: list[Request] = []
        self._answer = answer

    async def complete(self, request: Request) -> Completion:
        self.requests.append(request)
        made = self._answer(request)
        return made if isinstance(made, Completion) else Completion(made, "stop", 100, 10)

    def told(self, at: int = -1) -> str:
        """All that the model was told by a request, pictures left out."""
        return "\n".join(part for turn in self.requests[at].messages for part in turn.parts if isinstance(part, str))

    def images(self, at: int = -1) -> list[Image]:
        """The pictures of a request, in order."""
        return [part for turn in self.requests[at].messages for part in turn.parts if isinstance(part, Image)]

    def colors(self, at: int = -1) -> list[Color]:
        """The colours of the pictures of a request, each of which is all of one colour."""
        return [color_of(image.pixels) for image in self.images(at)]


def color_of(pixels: Images) -> Color:
    assert (pixels == pixels[0, 0]).all()
    red, green, blue = pixels[0, 0].tolist()
    return red, green, blue


def film(
    step: ClipStep, colors: Sequence[Color], *, every_s: float = 1.0, size: tuple[int, int] = (90, 160), **row: Any
) -> Clip:
    """A clip of a frame of each colour, `every_s` apart, of a size (h, w). Only what `samplings` names can be decoded,
    as in a run.
    """
    seconds, duration = np.arange(len(colors)) * every_s, len(colors) * every_s
    row = {"duration": duration, "width": size[1], "height": size[0], "source_caption": None, **row}

    def decode(sampling: Sampling) -> Frames:
        at = positions(seconds, wanted_times(sampling, duration), start=0.0, end=duration)
        scale = sampling.scale(size[1], size[0])
        shape = (round(size[0] * scale), round(size[1] * scale), 3)
        images = [np.broadcast_to(np.array(colors[index], np.uint8), shape).copy() for index in at]
        return Frames(seconds[at], images, tuple(pixel_hash(image) for image in images))

    return Clip(row, {sampling: decode(sampling) for sampling in step.samplings(row)}.__getitem__)


@pytest.fixture(name="Scripted", scope="session")
def scripted_fixture() -> type[Scripted]:
    return Scripted


@pytest.fixture(name="film", scope="session")
def film_fixture() -> Callable[..., Clip]:
    return film


@pytest.fixture(name="palette", scope="session")
def palette_fixture() -> list[Color]:
    """300 colours that are all different."""
    return [(at % 10 * 25, at // 10 % 10 * 25, at // 100 * 60) for at in range(300)]
