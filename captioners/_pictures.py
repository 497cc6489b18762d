"""Which frames of a clip a model sees, and how large."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..builder.contract.clip import Clip
from ..builder.contract.engine import Image
from ..builder.contract.errors import ClipError, Reason
from ..builder.contract.frames import Sampling


class FrameSize(BaseModel):
    """How large the frames are that a model sees: at most; aspect ratio kept, never enlarged. One of the three."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    long_side_px: int | None = Field(default=None, ge=16)
    short_side_px: int | None = Field(default=None, ge=16)
    area_px: int | None = Field(default=None, ge=256)
    """Width times height."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(value is not None for value in (self.long_side_px, self.short_side_px, self.area_px)) != 1:
            raise ValueError("give one of long_side_px, short_side_px, area_px")
        return self

    def sampling(self, **times: Any) -> Sampling:
        """A sampling of frames of this size; `times` as Sampling has them."""
        return Sampling(**times, **self.model_dump())


def images_of(clip: Clip, sampling: Sampling) -> tuple[list[float], list[Image]]:
    """Times (seconds from the clip's start) and images of a sampling. Raises ClipError where it cannot be decoded.

    They may be fewer than were asked for: a frame comes once, however many of the sampling's times it is on screen at.
    """
    frames = clip.frames(sampling)
    images = [Image(pixels, name) for pixels, name in zip(frames.images, frames.hashes, strict=True)]
    return frames.times.tolist(), images


def keyframes_of(clip: Clip, samplings: Sequence[Sampling]) -> tuple[list[float], list[Image]]:
    """As `images_of`, of the sampling of a clip's keyframes. Raises ClipError (bad_row) where it has none."""
    if not samplings:
        raise ClipError(Reason.BAD_ROW, "keyframes: there is none; the step keyframes finds one in every clip")
    return images_of(clip, samplings[0])


def centres(count: int) -> tuple[float, ...]:
    """The middles of so many equal parts of a clip, as fractions of it: of 121 frames 4 give 15, 45, 75 and 105."""
    return tuple((at + 0.5) / count for at in range(count))


def places(at: tuple[float, ...], count: int | None) -> tuple[float, ...]:
    """The fractions of a clip that a step's options `at` and `centres` ask for. Raises ValueError where not one of them
    is given.
    """
    if bool(at) == (count is not None):
        raise ValueError("give one of at (as in [0.1, 0.5, 0.9]) and centres (as in 4)")
    return at if count is None else centres(count)


def spread(count: int) -> tuple[float, ...]:
    """So many (at least 2) fractions of a clip at equal distances, its first and last frame among them."""
    return tuple(at / (count - 1) for at in range(count))


def thinned(times: Sequence[float], *, most: int) -> tuple[float, ...]:
    """At most so many (at least 2) of the times, chosen evenly by position, the first and the last among them."""
    if len(times) <= most:
        return tuple(times)
    return tuple(times[round(at * (len(times) - 1))] for at in spread(most))


def spoken(time: float) -> str:
    """A time as a model reads it: `2.0 s`, `10.45 s`."""
    return f"{round(time, 2)} s"
