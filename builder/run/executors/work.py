"""What a worker process does with one clip: probe it, or measure it with every signal of a stage over one decode."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ...contract.captions import bind, info_places
from ...contract.clip import Clip, Row
from ...contract.engine import NO_ENGINE
from ...contract.errors import ClipError
from ...contract.frames import Frames, Sampling
from ...contract.identity import pixel_hash
from ...contract.limits import Decode
from ...contract.step import Captioner, Measured, Signal, Step, stored_columns
from ...media.local import blamed, media_file
from ...media.video import decode, probe
from ...store.arrow import arrow_schema
from .blame import Blame, checked


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
                values[name] = made_by(step, made, clip_id=row["clip_id"])
        except ClipError as error:
            return Measured(values, name, blamed(error.rejection, media_file(row["media"], media_folder)))
        clip = replace(clip, row={**clip.row, **values[name]})
    return Measured(values)


def decoded(row: Row, samplings: Sequence[Sampling], *, limits: Decode, media_folder: Path) -> dict[Sampling, Frames]:
    """The frames of a clip for a captioner, each named by its content. Runs in a worker process. Raises ClipError."""
    path = media_file(row["media"], media_folder)
    try:
        found = decode(
            path, start=row["start"], end=row["end"], samplings=samplings, limits=limits, interlaced=row["interlaced"]
        )
    except ClipError as error:
        raise ClipError.of(blamed(error.rejection, path)) from None
    return {
        sampling: replace(frames, hashes=tuple(pixel_hash(image) for image in frames.images))
        for sampling, frames in found.items()
    }


def made_by(step: Step, made: Mapping[str, Any], *, clip_id: str) -> dict[str, Any]:
    """What a step returned for a clip, as it is kept: captions are bound to the clip. Raises TypeError where it is not
    what the step declares.
    """
    columns = stored_columns(step)
    values = checked({column: plain(value) for column, value in made.items()}, columns)
    if info_places(columns):  # a hash is of the values as they will be read
        values = pa.Table.from_pylist([values], schema=arrow_schema(columns)).to_pylist()[0]
        bind(clip_id, values, columns)
    return values


def open_clip(row: Row, steps: Sequence[Step], *, limits: Decode, media_folder: Path) -> Clip:
    """A clip whose frames are decoded once for all samplings of the steps, when the first is asked for."""
    wanted = list(
        dict.fromkeys(sampling for step in steps if isinstance(step, Signal) for sampling in step.samplings())
    )
    cache: dict[Sampling, Frames] = {}

    def path() -> str:
        return media_file(row["media"], media_folder)

    def examined() -> dict[str, Any]:
        return probe(path(), start=row["start"], end=row["end"], limits=limits)

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

    return Clip(row, frames, path, examined)


def plain(value: Any) -> Any:
    """Numpy values as Python's own: what goes into the log and into Arrow alike."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
