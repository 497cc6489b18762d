"""What a worker process does with one clip: probe it, or measure it with every signal of a stage over one decode."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from .address import identity
from .blame import Blame, checked
from .clip import PROBE_COLUMNS, Clip, Columns, Frames, Row, Sampling, path_of
from .engine import NO_ENGINE, pixel_hash
from .errors import ClipError, Rejection
from .places import is_url
from .step import Captioner, Signal, Step
from .video import Decode, decode, probe


class Probe(Signal):
    """The first stage of every plan: opens each clip and says what it is. Not written in a recipe."""

    version: ClassVar[int] = 2

    use: str = "probe"
    max_pixels: int
    max_frames: int

    def adds(self) -> Columns:
        return PROBE_COLUMNS

    def measure(self, clip: Clip) -> dict[str, Any]:
        limits = Decode(max_pixels=self.max_pixels, max_frames=self.max_frames)
        return probe(clip.path(), start=clip["start"], end=clip["end"], limits=limits)


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of one clip: the values of each step by its name, up to the one that failed, if one did."""

    values: dict[str, dict[str, Any]] = field(default_factory=dict)
    failed: str | None = None
    rejection: Rejection | None = None


def measure_clip(
    row: Row, steps: Sequence[tuple[str, Signal | Captioner]], *, limits: Decode, media_folder: Path
) -> Measured:
    """Run the named steps over one clip; its frames are decoded once for all of them. Runs in a worker process."""
    clip = open_clip(row, [step for _, step in steps], limits=limits, media_folder=media_folder)
    values: dict[str, dict[str, Any]] = {}
    for name, step in steps:
        method = "measure" if isinstance(step, Signal) else "caption"
        try:
            with Blame(step, name=name, method=method, about=f"clip {row['clip_id']}"):
                made = step.measure(clip) if isinstance(step, Signal) else asyncio.run(step.caption(clip, NO_ENGINE))
                values[name] = made_by(step, made)
        except ClipError as error:
            return Measured(values, name, error.rejection)
        clip = replace(clip, row={**clip.row, **values[name]})
    return Measured(values)


def decoded(row: Row, samplings: Sequence[Sampling], *, limits: Decode, media_folder: Path) -> dict[Sampling, Frames]:
    """The frames of a clip for a captioner, each named by its content. Runs in a worker process. Raises ClipError."""
    path = media_file(row["media"], media_folder)
    found = decode(
        path, start=row["start"], end=row["end"], samplings=samplings, limits=limits, interlaced=row["interlaced"]
    )
    return {
        sampling: replace(frames, hashes=tuple(pixel_hash(image) for image in frames.images))
        for sampling, frames in found.items()
    }


def made_by(step: Step, made: Mapping[str, Any]) -> dict[str, Any]:
    """What a step returned for a clip, as it is kept. Raises TypeError where it is not what the step declares."""
    return checked({column: plain(value) for column, value in made.items()}, stored_columns(step))


def stored_columns(step: Step) -> Columns:
    """The columns of a step that are made clip by clip and kept."""
    return step.stored() if isinstance(step, Signal) else step.adds()


def open_clip(row: Row, steps: Sequence[Step], *, limits: Decode, media_folder: Path) -> Clip:
    """A clip whose frames are decoded once for all samplings of the steps, when the first is asked for."""
    wanted = list(
        dict.fromkeys(sampling for step in steps if isinstance(step, Signal) for sampling in step.samplings())
    )
    cache: dict[Sampling, Frames] = {}

    def path() -> str:
        return media_file(row["media"], media_folder)

    def frames(sampling: Sampling) -> Frames:
        if sampling not in cache:
            missing = [other for other in dict.fromkeys([*wanted, sampling]) if other not in cache]
            interlaced = row["interlaced"]
            cache.update(
                decode(
                    path(), start=row["start"], end=row["end"], samplings=missing, limits=limits, interlaced=interlaced
                )
            )
        return cache[sampling]

    return Clip(row, frames, path)


def media_file(media: str, folder: Path) -> str:
    """The local file of a `media` value: what an address names is fetched into `folder` before a stage needs it."""
    if not is_url(media):
        return path_of(media)
    return str(folder / hashlib.sha256(identity(media).encode()).hexdigest()[:32])


def plain(value: Any) -> Any:
    """Numpy values as Python's own: what goes into the log and into Arrow alike."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
