"""The mp4 of a clip: copied where the clip is a whole file, encoded anew where it is a part of one.

A copy gives its packets to a new mp4, where that can hold them, and keeps what they have: rotation flag, aspect, 10
bits, HDR data, odd sizes. A part is decoded, its combs taken away, and
encoded (`picture.py`, `sound.py`), upright. Either way the mp4 holds
the stream that was measured and at most one sound, which ends with the picture; it has the frames, the duration and the
rate that its row says, whole frames from zero on (`timing.py`); nothing that a device or a person wrote into the file
is in it: no places, dates, names, titles, chapters, timecodes, attachments, data of users. The index comes first
(faststart), and the same file gives the same bytes: one thread, no dates, no version tags.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, fields
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from ..contract.clip import Row
from ..contract.errors import OUTPUT_ERRORS, ClipError, Reason
from ..contract.limits import Decode
from ..contract.locations import path_of
from .copying import copy_picture, is_copied
from .frames import check_lost, on_screen
from .interlacing import deinterlaced
from .packets import Span, scan
from .picture import Timed, encode_picture
from .reader import Reader
from .shown import pixel_aspect
from .sound import copy_sound, encode_sound, open_sound, sound_of
from .timing import Timing, screen_times

_Packet: TypeAlias = "Packet[VideoStream] | Packet[AudioStream]"

VERSION = 2
"""To be raised when the same clip gives other bytes."""

_FINE_S = 1e-4  # the longest tick of an encoded clip of variable rate: one of the source may be as long as a frame


@dataclass(frozen=True, slots=True)
class Form:
    """What a row says of its clip, and its mp4 must be."""

    start: float
    end: float
    frames: int
    fps_num: int
    fps_den: int
    variable_frame_rate: bool
    whole: bool
    codec: str
    interlaced: bool
    audio_rate: int | None
    audio_channels: int | None

    @classmethod
    def of(cls, row: Row) -> Form:
        return cls(**{field.name: row[field.name] for field in fields(cls)})

    @property
    def timing(self) -> Timing:
        rate = Fraction(self.fps_num, self.fps_den)
        return Timing(self.start, self.end, self.frames, rate, self.variable_frame_rate)


def cut(media: str, target: str, *, form: Form, limits: Decode) -> int:
    """Write the mp4 of a clip to `target`; returns its size in bytes. Runs in a worker process.

    Raises ClipError: decode_error where no frame comes out, a stretch of the clip cannot be decoded or the mp4 would
    not be what the row says, and what opening the media raises; OSError if `target` cannot be written.
    """
    path = path_of(media)
    with _errors(), ExitStack() as stack:
        reader = stack.enter_context(Reader(path, max_pixels=limits.max_pixels))
        span = scan(reader, start=form.start, end=form.end, max_frames=limits.max_frames)
        copied = is_copied(span, whole=form.whole, codec=form.codec)
        stream = stack.enter_context(open_sound(path))
        sound = sound_of(stream, copied=copied)
        if (sound and sound.rate, sound and sound.channels) != (form.audio_rate, form.audio_channels):
            raise ClipError(Reason.DECODE_ERROR, "its sound is not what it was when it was measured")
        output = stack.enter_context(_mp4(target))
        tracks: list[Iterator[_Packet]] = [
            copy_picture(output, reader, span, timing=form.timing, codec=form.codec)
            if copied
            else encode_picture(
                output,
                _frames(reader, span, form),
                time_base=_time_base(reader, form),
                rate=form.timing.rate,
                aspect=pixel_aspect(reader.stream),
            )
        ]
        if stream is not None and sound is not None:
            begin_s, seconds = span.zero * span.time_base + form.start, form.timing.duration
            tracks.append(
                copy_sound(output, stream, begin_s=begin_s, seconds=seconds)
                if sound.copied
                else encode_sound(output, stream, sound=sound, begin_s=begin_s, seconds=seconds, seek=reader.indexed)
            )
        _mux(output, tracks)
    return Path(target).stat().st_size


def _frames(reader: Reader, span: Span, form: Form) -> Iterator[Timed]:
    """The frames of the clip, each for its full duration; one that cannot be decoded is the one before it once more."""
    timing = form.timing
    moments = screen_times(span, timing)
    if len(moments) != form.frames:
        raise ClipError(Reason.DECODE_ERROR, f"{len(moments)} frames, measured were {form.frames}")
    times = _times(reader, span, moments, form)
    reached = 0
    shown = on_screen(reader, span, moments)
    for first, last, pts, frame in deinterlaced(shown) if form.interlaced else shown:
        for moment in (moments[first], moments[last - 1]):
            check_lost(
                span.seconds_at(moment) - form.start,
                span.seconds_at(pts) - form.start,
                seconds=timing.duration,
                frame_s=reader.frame_s(),
            )
        for index in range(first, last):
            yield Timed(times[index], times[index + 1] - times[index], frame)
        reached = last
    if reached < len(moments):
        raise ClipError(Reason.DECODE_ERROR, "no frame can be decoded")


def _time_base(reader: Reader, form: Form) -> Fraction:
    """The ticks of an encoded clip: a constant rate's own, else those of the source, split where they are long."""
    if not form.variable_frame_rate:
        return Fraction(1, form.fps_num)
    source = reader.stream.time_base or Fraction(1, 1000)
    return source / math.ceil(source / Fraction(_FINE_S))


def _times(reader: Reader, span: Span, moments: Sequence[int], form: Form) -> list[int]:
    """When each frame begins, and the last one ends."""
    if not form.variable_frame_rate:
        return [index * form.fps_den for index in range(form.frames + 1)]
    tick = float(_time_base(reader, form))
    begins = [max(0, round((span.seconds_at(pts) - form.start) / tick)) for pts in moments]
    return [*begins, max(begins[-1] + 1, round(form.timing.duration / tick))]


def _mux(output: OutputContainer, tracks: Iterable[Iterator[_Packet]]) -> None:
    for packet in heapq.merge(*tracks, key=_when):
        output.mux(packet)


def _when(packet: _Packet) -> float:
    return float((packet.dts or 0) * packet.time_base)


@contextmanager
def _mp4(target: str) -> Iterator[OutputContainer]:
    options = {"movflags": "+faststart", "fflags": "+bitexact"}
    output = av.open(f"file:{target}", "w", format="mp4", options=options)
    try:
        yield output
        output.close()
    except BaseException:
        with suppress(av.FFmpegError):
            output.close()
        raise


@contextmanager
def _errors() -> Iterator[None]:
    """FFmpeg's errors as ours: those of reading are ClipErrors already, so an OSError is one of the target."""
    try:
        yield
    except av.FFmpegError as error:
        if isinstance(error, OSError) or error.errno in OUTPUT_ERRORS:
            raise OSError(error.errno, error.strerror) from None
        raise ClipError(Reason.DECODE_ERROR, f"cannot be encoded: {error.strerror}") from None
