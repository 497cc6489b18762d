"""What a worker process does with one clip: probe it, or measure it with every signal of a stage over one decode."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ...contract.captions import bind, info_places
from ...contract.clip import Clip, Row, Values
from ...contract.columns import required, stored_by
from ...contract.engine import NO_ENGINE
from ...contract.errors import ClipError
from ...contract.frames import Frames, Sampling
from ...contract.identity import pixel_hash
from ...contract.limits import Decode
from ...contract.sound import SoundSampling, Waveform
from ...contract.step import ClipStep, Measured
from ...media.local import blamed, media_file
from ...media.video import decode, probe
from ...media.waveform import hear
from ...store.arrow import arrow_schema
from .blame import Blame, checked, kinds_of


def measure_clip(row: Row, steps: Sequence[tuple[str, ClipStep]], *, limits: Decode, media_folder: Path) -> Measured:
    """Run the named steps over one clip; its frames are decoded once for all of them. Runs in a worker process."""
    clip = open_clip(row, steps, limits=limits, media_folder=media_folder)
    values: dict[str, Values] = {}
    for name, step in steps:
        try:
            with Blame(step, name=name, method="make", about=f"clip {row['clip_id']}"):
                made = step.make(clip, NO_ENGINE)
                made = made if isinstance(made, dict) else asyncio.run(_awaited(made))
                values[name] = kept(step, made, clip_id=row["clip_id"])
        except ClipError as error:
            return Measured(values, name, blamed(error.rejection, media_file(row["media"], media_folder)))
        clip = replace(clip, row={**clip.row, **as_row(values[name])})
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


async def _awaited(made: Awaitable[Values]) -> Values:
    return await made


def kept(step: ClipStep, made: Row, *, clip_id: str) -> Values:
    """What a step returned for a clip, as it is kept: captions are bound to the clip. Raises TypeError where it is not
    what the step declares.
    """
    columns = stored_by(step)
    kinds = kinds_of(columns)
    values = checked({column: _compact(value, kinds.get(column)) for column, value in made.items()}, kinds)
    if info_places(columns):  # a hash is of the values as they will be read
        values = pa.Table.from_pylist([values], schema=arrow_schema(columns)).to_pylist()[0]
        bind(clip_id, values, columns)
    return values


def open_clip(row: Row, steps: Sequence[tuple[str, ClipStep]], *, limits: Decode, media_folder: Path) -> Clip:
    """A clip whose frames, and whose sound, are decoded once for all samplings of the steps, when first asked for."""
    wanted = samplings_of(row, steps)
    cache: dict[Sampling, Frames] = {}
    heard: dict[SoundSampling, Waveform | None] = {}

    def path() -> str:
        return media_file(row["media"], media_folder)

    def examined() -> Values:
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

    def sound(sampling: SoundSampling) -> Waveform | None:
        if sampling not in heard:
            forms = [other for other in dict.fromkeys([*sounds_of(row, steps), sampling]) if other not in heard]
            found = row["has_audio"] and hear(
                path(), start=row["start"], end=row["end"], samplings=forms, limits=limits
            )
            heard.update(found or dict.fromkeys(forms))
        return heard[sampling]

    return Clip(row, frames, path, examined, sound)


def samplings_of(row: Row, steps: Sequence[tuple[str, ClipStep]]) -> list[Sampling]:
    """The samplings of all steps that can tell them: those of one that reads what is yet to be made are for later."""
    wanted: dict[Sampling, None] = {}
    for name, step in steps:
        if required(step).keys() <= row.keys():
            with Blame(step, name=name, method="samplings", about=f"clip {row['clip_id']}"):
                wanted.update(dict.fromkeys(step.samplings(row)))
    return list(wanted)


def sounds_of(row: Row, steps: Sequence[tuple[str, ClipStep]]) -> list[SoundSampling]:
    """The forms of the sound that all steps ask for, as `samplings_of`."""
    wanted: dict[SoundSampling, None] = {}
    for name, step in steps:
        if required(step).keys() <= row.keys():
            with Blame(step, name=name, method="sounds", about=f"clip {row['clip_id']}"):
                wanted.update(dict.fromkeys(step.sounds(row)))
    return list(wanted)


def plain(value: object) -> object:
    """Numpy values as Python's own: as the next step sees them, whether they were made now or stored."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def as_row(values: Row) -> Values:
    """What a step made, as columns of the row that the next one sees."""
    return {name: plain(value) for name, value in values.items()}


def _compact(value: Any, kind: pa.DataType | None) -> Any:
    """Numpy values as Python's own, but for a vector: a thousand numbers travel and are logged as their bytes."""
    vector = isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind == "f"
    if vector and kind is not None and pa.types.is_list(kind) and pa.types.is_floating(kind.value_type):
        return value.astype(kind.value_type.to_pandas_dtype(), copy=False)
    return plain(value)
