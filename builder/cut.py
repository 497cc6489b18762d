"""The mp4 of a clip: copied where the clip is a whole file, encoded anew where it is a part of one.

A whole file in another container than mp4 gives its packets to an mp4, where that can hold them. A copy keeps what the
file has: rotation flag, 10 bits, HDR data, odd sizes. A part is decoded and encoded (`picture.py`, `sound.py`), exactly
from the frame on screen at its start to the last before its end, upright, timestamps kept. Either way times start at
zero, the index comes first (faststart), and the same file gives the same bytes: one thread, no dates, no version tags.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from .clip import path_of
from .errors import ClipError, Reason
from .extent import OUTPUT_ERRORS
from .frames import check_lost, moments_at, on_screen
from .packets import Origin, Reader, Span, scan
from .picture import Timed, encode_picture
from .sound import copy_sound, encode_sound, is_copied, open_sound
from .video import Decode

_Packet: TypeAlias = "Packet[VideoStream] | Packet[AudioStream]"

VERSION = 1
"""To be raised when the same clip gives other bytes."""

_REORDERED = 16  # frames: as far as H.264 and HEVC go
_FINE_S = 1e-4  # the longest tick of an encoded clip: one of the source may be as long as a frame
_COPIED = frozenset({"h264", "hevc", "av1", "vp9", "mpeg4", "mpeg2video", "mpeg1video"})


class _NoCopyError(Exception):
    """A packet lacks a timestamp."""


def is_file_itself(*, whole: bool, container: str) -> bool:
    """Whether the clip's mp4 is its media file, byte by byte: then there is nothing to cut."""
    return whole and container == "mov"  # FFmpeg's name for mp4 and its kin


def cut(
    media: str, target: str, *, start: float, end: float, whole: bool, container: str, codec: str, limits: Decode
) -> int:
    """Write the mp4 of a clip to `target`; returns its size in bytes. Runs in a worker process.

    Raises ClipError: decode_error where no frame comes out or a stretch of the clip cannot be decoded, and what opening
    the media raises; OSError if `target` cannot be written.
    """
    path = path_of(media)
    with _errors():
        copied = whole and codec in _COPIED and _copy(path, target, start=start, end=end, limits=limits)
        if not copied:
            _encode(path, target, start=start, end=end, limits=limits)
    return Path(target).stat().st_size


def _copy(path: str, target: str, *, start: float, end: float, limits: Decode) -> bool:
    """False if the packets cannot go into an mp4 as they are."""
    with ExitStack() as stack:
        reader = stack.enter_context(Reader(path, max_pixels=limits.max_pixels))
        span = scan(reader, start=start, end=end, max_frames=limits.max_frames)
        if not span.complete:
            return False
        sound = stack.enter_context(open_sound(path))
        output = stack.enter_context(_mp4(target))
        begin_s = span.zero * span.time_base
        tracks: list[Iterator[_Packet]] = [_copy_picture(output, reader, span)]
        if sound is not None and is_copied(sound):
            tracks.append(copy_sound(output, sound, begin_s=begin_s))
        elif sound is not None:
            tracks.append(encode_sound(output, sound, begin_s=begin_s, seconds=end - start, seek=False))
        try:
            _mux(output, tracks)
        except (_NoCopyError, av.FFmpegError) as error:
            if isinstance(error, OSError):
                raise
            return False
    return True


def _copy_picture(output: OutputContainer, reader: Reader, span: Span) -> Iterator[Packet[VideoStream]]:
    packets = reader.packets(Origin())
    copy = output.add_stream_from_template(reader.stream, opaque=True)  # after packets(): it may open the file anew
    for packet in _with_dts(packets, step=max(1, round(reader.frame_s() / reader.time_base))):
        packet.pts, packet.dts = (packet.pts or 0) - span.zero, (packet.dts or 0) - span.zero
        packet.stream = copy
        yield packet


def _with_dts(packets: Iterator[Packet[VideoStream]], *, step: int) -> Iterator[Packet[VideoStream]]:
    """Matroska stores no decoding times, and FFmpeg leaves the first ones open where frames are reordered."""
    head: list[Packet[VideoStream]] = []
    dated = False
    for packet in packets:
        if packet.pts is None or (packet.dts is None and (dated or len(head) == _REORDERED)):
            raise _NoCopyError
        if packet.dts is None:
            head.append(packet)
            continue
        for back, early in zip(range(len(head), 0, -1), head, strict=True):
            early.dts = packet.dts - back * step
            yield early
        head, dated = [], True
        yield packet
    if head:
        raise _NoCopyError


def _encode(path: str, target: str, *, start: float, end: float, limits: Decode) -> None:
    with ExitStack() as stack:
        reader = stack.enter_context(Reader(path, max_pixels=limits.max_pixels))
        span = scan(reader, start=start, end=end, max_frames=limits.max_frames)
        sound = stack.enter_context(open_sound(path))
        output = stack.enter_context(_mp4(target))
        scale = math.ceil(span.time_base / _FINE_S)
        time_base = (reader.stream.time_base or Fraction(1, 1000)) / scale
        rate = Fraction(1 / reader.frame_s()).limit_denominator(1001)
        frames = _frames(reader, span, start=start, end=end, scale=scale)
        tracks: list[Iterator[_Packet]] = [encode_picture(output, frames, time_base=time_base, rate=rate)]
        if sound is not None:
            begin_s = span.zero * span.time_base + start
            tracks.append(encode_sound(output, sound, begin_s=begin_s, seconds=end - start, seek=reader.indexed))
        _mux(output, tracks)


def _frames(reader: Reader, span: Span, *, start: float, end: float, scale: int) -> Iterator[Timed]:
    """All frames on screen in the range; each until the next comes, the last until the end. `scale` ticks for one."""
    seconds = end - start
    if span.complete:
        edges = moments_at(span, np.array([0.0, seconds]), start=start, end=end)
        screen = span.screen()
        moments = screen[(screen >= edges[0]) & (screen <= edges[-1])].tolist()
    else:
        grid = np.arange(0, seconds, reader.frame_s() / 2).astype(np.float64)
        moments = moments_at(span, grid, start=start, end=end).tolist()
    zero = span.zero * scale
    begin, stop = (round(time / span.time_base * scale) for time in (start, end))
    reached, held = 0, None
    for first, last, pts, frame in on_screen(reader, span, moments):
        for moment in (moments[first], moments[last - 1]):
            check_lost(
                (moment - span.zero) * span.time_base - start,
                (pts - span.zero) * span.time_base - start,
                seconds=seconds,
                frame_s=reader.frame_s(),
            )
        at = 0
        if held is not None:
            at = max(pts * scale - zero - begin, held[0] + 1)
            yield Timed(held[0], at - held[0], held[1])
        reached, held = last, (at, frame)
    if held is None or reached < len(moments):
        raise ClipError(Reason.DECODE_ERROR, "no frame can be decoded")
    yield Timed(held[0], max(1, stop - begin - held[0]), held[1])


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
