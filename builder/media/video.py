"""Probing and decoding a clip: one pass over its media file, frames chosen by timestamp.

Zero of all times is the first timestamp of the file's video stream. The frame of a time is the one on screen: the last
whose timestamp is not later (2 ms of tolerance). Frames come as they are shown: upright, mirrored where the file says
so, with square pixels, one moment each, in the colours of an SDR screen (RGB, BT.709).

Media files are untrusted: call this in a worker process under a time limit (`executors`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ..contract.clip import Values
from ..contract.errors import ClipError, Reason
from ..contract.frames import Frames, Sampling
from ..contract.limits import Decode
from .container import check_pixels
from .copying import is_copied
from .frames import by_plan, check_lost, on_screen
from .images import collect
from .interlacing import is_interlaced, runs
from .moments import moments_at, wanted_times
from .packets import Span, media_end, scan
from .picture import even
from .reader import TOLERANCE_S, Reader
from .shown import Orientation, orientation_of, pixel_aspect, square_size
from .sound import best_sound, sound_of
from .timing import longest_s, timing
from .tones import check_matrix, transfer_of

OVERHANG_S = 0.5
"""How far a clip's end may lie beyond the end of its media: corpora round, and count the audio."""


def probe(path: str, *, start: float | None, end: float | None, limits: Decode) -> Values:
    """The PROBE_COLUMNS of a clip; None for start or end is the file's. A few of its frames are decoded.

    Durations and rates are counted from the packets that are there, never believed. An `end` up to OVERHANG_S beyond
    the media is clamped; start and end are moved to whole frames (`timing.py`). Raises ClipError: missing_file,
    unreadable, refused, not_a_video, decode_error, limit, out_of_range.
    """
    with Reader(path, max_pixels=limits.max_pixels) as reader:
        media = None if start is None and end is None else media_end(reader)
        begin, finish = (0.0, math.inf) if media is None else _range(start, end, media)
        span = scan(reader, start=begin, end=finish, ahead_s=longest_s(reader), max_frames=limits.max_frames)
        if media is None:
            media = finish = _end_of(span)
        whole = begin <= TOLERANCE_S and finish >= media - TOLERANCE_S
        clip = timing(reader, span, start=begin, end=finish)
        look = _look(reader, span, start=clip.start, end=clip.end, limits=limits)
        codec = reader.stream.codec_context.codec.canonical_name
        copied = is_copied(span, whole=whole, codec=codec)
        width, height = (look.width, look.height) if copied else (even(look.width), even(look.height))
        sound = sound_of(best_sound(reader.container), copied=copied)
        return {
            "start": round(clip.start, 6),
            "end": round(clip.end, 6),
            "duration": round(clip.duration, 6),
            "frames": clip.frames,
            "fps": round(float(clip.rate), 6),
            "fps_num": clip.rate.numerator,
            "fps_den": clip.rate.denominator,
            "variable_frame_rate": clip.variable,
            "width": width,
            "height": height,
            "rotation": look.orientation.turns * 90,
            "mirrored": look.orientation.mirrored,
            "pixel_aspect": _as_text(pixel_aspect(reader.stream)),
            "interlaced": look.interlaced,
            "color_transfer": look.transfer,
            "bit_depth": look.bit_depth,
            "codec": codec,
            "container": reader.container.format.name.split(",")[0],
            "has_audio": sound is not None,
            "audio_rate": sound and sound.rate,
            "audio_channels": sound and sound.channels,
            "media_duration": media,
            "whole": whole,
        }


def decode(
    path: str, *, start: float, end: float, samplings: Sequence[Sampling], limits: Decode, interlaced: bool = False
) -> dict[Sampling, Frames]:
    """The frames of all samplings of a clip, in one forward pass.

    A frame that several times of a sampling fall on is given once. A frame that was on screen before the clip began has
    the time 0. Of `interlaced` frames one field is taken. Raises ClipError: what `probe` raises, and decode_error where
    a stretch of the clip, longer than `frames.LOST_S`, cannot be decoded, limit where the frames would be more than
    `images.MAX_BYTES`.
    """
    if limits.decoder == "decord":
        from .decord import decode as by_decord

        sizes = {"max_pixels": limits.max_pixels, "max_frames": limits.max_frames}
        return by_decord(path, start=start, end=end, samplings=samplings, interlaced=interlaced, **sizes)
    seconds = end - start
    times = {sampling: wanted_times(sampling, seconds) for sampling in samplings}
    with Reader(path, max_pixels=limits.max_pixels) as reader:
        span = scan(reader, start=start, end=end, max_frames=limits.max_frames)
        if span.media_end is not None and span.media_end < end - OVERHANG_S:
            raise ClipError(Reason.DECODE_ERROR, f"the media ends at {span.media_end:.2f} s, the clip at {end:.2f} s")
        grid = None if span.complete else np.arange(0.0, seconds, reader.frame_s(), dtype=np.float64)  # of all frames
        at = {
            sampling: moments_at(
                span,
                grid if of is None else of,
                start=start,
                end=end,
                apart_s=sampling.every_s if sampling.loose else None,
            )
            for sampling, of in times.items()
        }
        moments = np.unique(np.concatenate([*at.values(), np.empty(0, np.int64)]))
        return collect(
            (
                (first, stop, span.seconds_at(pts) - start, frame)
                for first, stop, pts, frame in on_screen(reader, span, moments.tolist())
            ),
            moments=(span.seconds(moments) - start).tolist(),
            members={sampling: np.searchsorted(moments, of) for sampling, of in at.items()},
            seconds=seconds,
            frame_s=reader.frame_s(),
            aspect=pixel_aspect(reader.stream),
            interlaced=interlaced,
        )


def _range(start: float | None, end: float | None, media: float) -> tuple[float, float]:
    begin, finish = 0.0 if start is None else start, media if end is None else end
    if not (math.isfinite(begin) and math.isfinite(finish) and finish > begin):
        raise ClipError(Reason.OUT_OF_RANGE, f"end {finish:g} s is not after start {begin:g} s")
    if begin < -TOLERANCE_S:
        raise ClipError(Reason.OUT_OF_RANGE, f"start {begin:g} s < 0")
    if begin >= media - TOLERANCE_S:
        raise ClipError(Reason.OUT_OF_RANGE, f"start {begin:g} s is not before the end of the media at {media:.3f} s")
    if finish > media + OVERHANG_S:
        raise ClipError(Reason.OUT_OF_RANGE, f"end {finish:g} s is beyond the end of the media at {media:.3f} s")
    return max(0.0, begin), min(finish, media)


def _end_of(span: Span) -> float:
    if span.media_end is None or not span.media_end > 0:
        raise ClipError(Reason.DECODE_ERROR, "its video has no duration")
    return span.media_end


@dataclass(frozen=True, slots=True)
class _Look:
    """What the first frame shows, and some after it."""

    width: int  # as shown
    height: int
    orientation: Orientation
    interlaced: bool
    transfer: str | None
    bit_depth: int


def _look(reader: Reader, span: Span, *, start: float, end: float, limits: Decode) -> _Look:
    first = int(moments_at(span, np.zeros(1), start=start, end=end)[0])
    places = runs(span, start=start, end=end) if span.complete else []
    moments = sorted({first, *itertools.chain(*places)})
    frames = iter(zip(moments, by_plan(reader, span, moments), strict=False)) if span.complete else iter(())
    opening = next(frames, None) or next(((pts, frame) for *_, pts, frame in on_screen(reader, span, [first])), None)
    if opening is None:
        raise ClipError(Reason.DECODE_ERROR, "no frame can be decoded")
    pts, frame = opening
    check_matrix(frame)
    width, height = square_size(frame.width, frame.height, pixel_aspect(reader.stream))
    check_pixels(width, height, max_pixels=limits.max_pixels)
    wanted, got = span.seconds_at(first) - start, span.seconds_at(pts) - start
    check_lost(wanted, got, seconds=end - start, frame_s=reader.frame_s())
    orientation = orientation_of(frame)
    return _Look(
        *((height, width) if orientation.sideways else (width, height)),
        orientation,
        interlaced=is_interlaced(reader, itertools.chain([opening], frames), places),
        transfer=transfer_of(frame),
        bit_depth=max(component.bits for component in frame.format.components),
    )


def _as_text(aspect: Fraction) -> str:
    return f"{aspect.numerator}:{aspect.denominator}"
