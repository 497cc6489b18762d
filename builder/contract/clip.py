"""The table of clips: its columns, its ids, and one clip as a step sees it.

A clip is a time range of a media file. Zero is the first timestamp of the media file's video stream (which of its
streams that is, `media/container.py` says), so a clip's times never depend on where a container starts its clock. A
corpus asks for a range, which its id is made of; probing moves it to whole frames (`media/timing.py`), and from then on
`start` and `end` are those.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .frames import SIGNAL_FRAMES, Frames, Sampling
from .locations import path_of
from .sound import NATIVE_SOUND, SoundSampling, Waveform

Columns = Mapping[str, Any]
"""Column name to type as `datasets.Features` spells it: "float64", a list ["float64"], a struct {"x": "float64"}."""

Row = Mapping[str, Any]
"""A clip's values by column, as Arrow gives them: numbers, texts, lists, dicts; None where there is none."""

Values = dict[str, Any]
"""What a step makes of a clip, by column; or a row that is being made."""

SOURCE_COLUMNS: Columns = {
    "clip_id": "string",
    "source": "string",
    "source_id": "string",
    "source_url": "string",
    "license": "string",
    "media": "string",  # never published
    "media_version": "string",  # of its content: another file is a new clip to every cache; never published
    "media_stat": "string",  # its size and time: while they stand, so does the content; never published
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

PRIVATE_COLUMNS = frozenset({"media", "media_version", "media_stat"})

CLIP_NAMES = frozenset({"clip_id", "source", "source_id", *PRIVATE_COLUMNS})
"""The columns that say which clip it is, and where it lies."""

REJECT_COLUMNS: Columns = {
    "clip_id": "string",
    "source": "string",
    "source_id": "string",
    "step": "string",
    "reason": "string",
    "option": "string",  # of the step or the source, where one of its options asked for it
    "detail": "string",
    "passing": "bool",  # the doing of the surroundings: the same command tries the clip again
}


@dataclass(frozen=True, slots=True)
class Clip:
    """One clip as a step sees it: its row, and its frames and its sound on demand."""

    row: Row
    decode: Callable[[Sampling], Frames] = field(repr=False)
    fetch: Callable[[], str] | None = field(default=None, repr=False)
    examine: Callable[[], Values] | None = field(default=None, repr=False)
    listen: Callable[[SoundSampling], Waveform | None] | None = field(default=None, repr=False)

    def __getitem__(self, column: str) -> Any:
        return self.row[column]

    def frames(self, sampling: Sampling = SIGNAL_FRAMES) -> Frames:
        """The frames of a sampling: decoded in one pass with every other sampling of the stage, and cached.

        Raises ClipError (decode_error, limit, ...).
        """
        return self.decode(sampling)

    def sound(self, sampling: SoundSampling = NATIVE_SOUND) -> Waveform | None:
        """The clip's own sound, in step with its frames: decoded in one pass for every sampling of the stage, and
        cached; None where it has none. Raises ClipError (decode_error, limit, ...).

        Frames alone, such as an engine's process has, have no sound: ValueError.
        """
        if self.listen is None:
            raise ValueError("there is no media file at hand to hear: measure sound in a step that asks no engine")
        return self.listen(sampling)

    def path(self) -> str:
        """The local media file; what an address names is there already, or could not be fetched."""
        return self.fetch() if self.fetch else path_of(self.row["media"])

    def probe(self) -> Values:
        """The PROBE_COLUMNS, read from the media file. Raises ClipError (missing_file, unreadable, not_a_video, ...).

        Frames alone, such as an engine's process has, cannot be probed: ValueError.
        """
        if self.examine is None:
            raise ValueError("there is no media file at hand to probe")
        return self.examine()


def clip_id(source: str, source_id: str, start: float | None, end: float | None) -> str:
    """A stable id, `[a-z0-9_-]+`: readable words of the source's id, then 16 hex digits of a hash of all four.

    Never a dot: a WebDataset key ends at the first one.
    """
    stem = re.sub(r"\.[A-Za-z0-9]{1,5}$", "", source_id.rsplit("/", 1)[-1])
    words = re.sub(r"[^a-z0-9_]+", "-", stem.lower()).strip("-")[:40].rstrip("-") or "clip"
    exact = "\0".join([source, source_id, repr(start), repr(end)])
    return f"{words}-{hashlib.sha256(exact.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


def rows_of(columns: Mapping[str, Sequence[Any]]) -> list[Values]:
    """A batch (column -> values) as rows."""
    names = list(columns)
    return [dict(zip(names, values, strict=True)) for values in zip(*columns.values(), strict=True)]


HDR = frozenset({"smpte2084", "arib-std-b67"})
"""What `color_transfer` is where a clip is HDR."""
