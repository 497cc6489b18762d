"""The table of clips: its columns, its ids, and one clip as a step sees it.

A clip is a time range of a media file. Zero is the first timestamp of the media file's video stream (`video.py` says
which stream), so a clip's times never depend on where a container starts its clock. A corpus asks for a range, which
its id is made of; probing moves it to whole frames (`timing.py`), and from then on `start` and `end` are those.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_from_bytes, unquote_to_bytes

import numpy as np
import numpy.typing as npt

Columns = Mapping[str, Any]
"""Column name to type as `datasets.Features` spells it: "float64", a list ["float64"], a struct {"x": "float64"}."""

Row = Mapping[str, Any]

SOURCE_COLUMNS: Columns = {
    "clip_id": "string",
    "source": "string",
    "source_id": "string",
    "source_url": "string",
    "license": "string",
    "media": "string",  # never published
    "media_version": "string",  # size and mtime: a replaced file is a new clip to every cache; never published
    "start": "float64",
    "end": "float64",
    "source_caption": "string",
}
"""What every source gives. `start` and `end` may be null (the whole file) until the clip is probed."""

PROBE_COLUMNS: Columns = {
    "start": "float64",  # of the published clip: the edge between two frames that is nearest to what was asked for
    "end": "float64",
    "duration": "float64",  # seconds, end - start: frames / fps
    "frames": "int64",  # of the published clip
    "fps": "float64",  # frames / duration
    "fps_num": "int64",  # the same as an exact fraction: 24000 / 1001
    "fps_den": "int64",
    "variable_frame_rate": "bool",
    "width": "int64",  # as shown: upright, with square pixels
    "height": "int64",
    "rotation": "int64",  # degrees clockwise that a player turns the picture by
    "mirrored": "bool",  # and whether it then swaps left and right
    "pixel_aspect": "string",  # width to height of a pixel as the file has it: "1:1", "16:15"
    "interlaced": "bool",  # its frames hold two moments each: so flagged or seen, and not seen to be progressive
    "color_transfer": "string",  # by FFmpeg's name, such as bt709, smpte2084 (PQ), arib-std-b67 (HLG); null: unknown
    "bit_depth": "int64",  # of the coded picture
    "codec": "string",
    "container": "string",
    "has_audio": "bool",
    "audio_rate": "int64",  # samples a second as published; null without sound
    "audio_channels": "int64",
    "media_duration": "float64",  # seconds of the whole file's video stream
    "whole": "bool",  # the clip is the whole file
}
"""What probing at ingest adds."""

PRIVATE_COLUMNS = frozenset({"media", "media_version"})

REJECT_COLUMNS: Columns = {
    "clip_id": "string",
    "source": "string",
    "source_id": "string",
    "step": "string",
    "reason": "string",
    "option": "string",  # of the step or the source, where one of its options asked for it
    "detail": "string",
}

Images = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Sampling:
    """Which frames of a clip to decode, and how large.

    Frames are the ones on screen at 0, every_s, 2*every_s, ... seconds from the clip's start, or at the `fractions` of
    the clip's duration where those are given (0.0 the first frame, 1.0 the last), or at the `times`, in seconds from
    the clip's start; before it is the first frame, after its end the last. `with_last` adds the clip's last frame.
    `loose`: about every_s apart. Where fewer than two of five frames are referred to by others, only such frames are
    taken, unless the next is twice every_s away or more: most of the decoding is left out then. It depends on the clip
    alone. (`decord` decodes everything: there it changes nothing.)
    Downscaled until no limit is exceeded that is given (long side, short side, width times height), but for the
    rounding of sides to whole pixels; aspect ratio kept; never upscaled.
    """

    every_s: float | None = None
    fractions: tuple[float, ...] = ()
    times: tuple[float, ...] = ()
    with_last: bool = False
    loose: bool = False
    long_side_px: int | None = 320
    short_side_px: int | None = None
    area_px: int | None = None

    def scale(self, width: int, height: int) -> float:
        """What the sides of a frame of this size are multiplied by; at most 1."""
        limits = [1.0]
        if self.long_side_px is not None:
            limits.append(self.long_side_px / max(width, height))
        if self.short_side_px is not None:
            limits.append(self.short_side_px / min(width, height))
        if self.area_px is not None:
            limits.append(math.sqrt(self.area_px / (width * height)))
        return min(limits)


SIGNAL_FRAMES = Sampling(every_s=0.5, long_side_px=320)
"""The frames that the signals share: 2 a second."""


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class Frames:
    """Decoded frames in time order.

    `times`: float64 (n,), true timestamps in seconds from the clip's start. `images`: n arrays, uint8 (h, w, 3) RGB as
    shown on an SDR screen (`video.py`), all of one size. `hashes`: of `engine.pixel_hash`, one an image; made for
    captioners only.
    """

    times: npt.NDArray[np.float64]
    images: list[Images]
    hashes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Clip:
    """One clip as a step sees it: its row, and its frames on demand."""

    row: Row
    decode: Callable[[Sampling], Frames] = field(repr=False)
    fetch: Callable[[], str] | None = field(default=None, repr=False)

    def __getitem__(self, column: str) -> Any:
        return self.row[column]

    def frames(self, sampling: Sampling = SIGNAL_FRAMES) -> Frames:
        """The frames of a sampling: decoded in one pass with every other sampling of the stage, and cached.

        Raises ClipError (decode_error, limit, ...).
        """
        return self.decode(sampling)

    def path(self) -> str:
        """The local media file; what an address names is there already, or could not be fetched."""
        return self.fetch() if self.fetch else path_of(self.row["media"])


def clip_id(source: str, source_id: str, start: float | None, end: float | None) -> str:
    """A stable id, `[a-z0-9_-]+`: readable words of the source's id, then 16 hex digits of a hash of all four.

    Never a dot: a WebDataset key ends at the first one.
    """
    stem = re.sub(r"\.[A-Za-z0-9]{1,5}$", "", source_id.rsplit("/", 1)[-1])
    words = re.sub(r"[^a-z0-9_]+", "-", stem.lower()).strip("-")[:40].rstrip("-") or "clip"
    exact = "\0".join([source, source_id, repr(start), repr(end)])
    return f"{words}-{hashlib.sha256(exact.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


_ESCAPED = "fsencoded:"


def media_of(path: str | os.PathLike[str]) -> str:
    """A local path as a `media` value: itself, or escaped where it is not valid UTF-8 (Arrow strings must be)."""
    name = os.fsdecode(path)
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return _ESCAPED + quote_from_bytes(os.fsencode(name), safe="/")
    return name


def path_of(media: str) -> str:
    """The local path of a `media` value; the inverse of `media_of`."""
    return os.fsdecode(unquote_to_bytes(media.removeprefix(_ESCAPED))) if media.startswith(_ESCAPED) else media


def printable(path: str | os.PathLike[str]) -> str:
    """A path as text for an id or a message: valid UTF-8 always, bytes that are not shown as \\xNN."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def media_version(path: str | os.PathLike[str]) -> str:
    """Size and mtime of a local file: what tells a replaced file from the one that was measured. Raises OSError."""
    stat = os.stat(path)  # noqa: PTH116  (a path of undecodable bytes is no pathlib matter)
    return f"{stat.st_size}-{stat.st_mtime_ns}"


def rows_of(columns: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """A batch (column -> values) as rows."""
    names = list(columns)
    return [dict(zip(names, values, strict=True)) for values in zip(*columns.values(), strict=True)]
