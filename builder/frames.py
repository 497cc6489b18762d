"""From a clip's packets to the frames of its samplings.

A frame is wanted because it is on screen at a wanted time: the last one whose timestamp is not later. Which one that is
is known from the packets (`moments`, timestamps in the stream's time base) before anything is decoded.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import av
import numpy as np
import numpy.typing as npt
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from av.video.stream import VideoStream

from .clip import Frames, Images, Sampling
from .errors import ClipError, Reason
from .media import media_errors
from .packets import TOLERANCE_S, Origin, Reader, Span, may_skip, plan

MAX_BYTES = 2**30
"""Bytes of the sampled frames of one clip, all samplings together: 3 hours at 1 frame a second and 320x180 pixels."""

LOST_S = 0.5
"""A frame that cannot be decoded is replaced by the one before it if that is no older than this (or 1.5 frames)."""


def wanted_times(sampling: Sampling, seconds: float, *, max_frames: int) -> npt.NDArray[np.float64]:
    """The times of a sampling, in seconds from the clip's start, in order; the clip's last frame is at `seconds`."""
    times: list[float] = [fraction * seconds for fraction in sampling.fractions]
    if sampling.every_s is not None and not sampling.fractions:
        count = max(1, math.ceil(seconds / sampling.every_s - 1e-9))
        if count > max_frames:
            raise ClipError(Reason.LIMIT, f"max_frames: {count} times every {sampling.every_s:g} s > {max_frames}")
        times = [index * sampling.every_s for index in range(count)]
    if sampling.with_last:
        times.append(seconds)
    return np.sort(np.array(times, np.float64))


def positions(
    seconds: npt.NDArray[np.float64], times: npt.NDArray[np.float64], *, start: float, end: float
) -> npt.NDArray[np.intp]:
    """Which of the frames that begin at `seconds` are on screen at `times` of the clip from start to end, each once.

    A frame that begins at the clip's end is the next clip's.
    """
    first = max(0, int(np.searchsorted(seconds, start + TOLERANCE_S, "right")) - 1)
    last = max(first, int(np.searchsorted(seconds, end - TOLERANCE_S, "left")) - 1)
    index = np.searchsorted(seconds, start + times + TOLERANCE_S, "right") - 1
    return np.unique(np.clip(index, first, last))


def moments_at(span: Span, times: npt.NDArray[np.float64], *, start: float, end: float) -> npt.NDArray[np.int64]:
    """Timestamps of the frames on screen at these times."""
    if span.complete:
        screen = span.screen()
        return screen[positions(span.seconds(screen), times, start=start, end=end)]
    # Packets without timestamps: the decoded frames' own will decide. These are the latest that will do.
    at = np.minimum(start + times, max(start, end - 2 * TOLERANCE_S)) + TOLERANCE_S
    return np.unique(np.array([span.pts_at(t) for t in at], np.int64))


def on_screen(reader: Reader, span: Span, moments: Sequence[int]) -> Iterator[tuple[int, int, int, VideoFrame]]:
    """(first, stop, timestamp, frame): what is on screen at moments[first:stop], in order; each frame once.

    By the plan as far as that goes, from there on by decoding everything: the same frames either way.
    """
    done = 0
    if span.complete:
        for frame in _by_plan(reader, span, moments):
            yield done, done + 1, moments[done], frame
            done += 1
    if done < len(moments):
        for first, stop, pts, frame in _plainly(reader, span, moments[done:]):
            yield done + first, done + stop, pts, frame


def _by_plan(reader: Reader, span: Span, moments: Sequence[int]) -> Iterator[VideoFrame]:
    """The frames of the moments, one each; ends early where the file is not what its packets promise."""
    runs = plan(span, np.array(moments, np.int64))
    wanted = frozenset(moments)
    due = iter(moments)
    packets = enumerate(reader.packets(span.origin))
    skips = may_skip(reader)
    context = reader.stream.codec_context
    for first, stop in runs:
        key = int(span.pts[first])
        trusted = first == 0 and span.origin == Origin()
        latest: int | None = None
        for frame in _run(context, packets, span, first=first, stop=stop, wanted=wanted, skips=skips):
            if frame.pts is None or (latest is not None and frame.pts <= latest):
                return
            latest = frame.pts
            if latest == key:
                trusted = trusted or frame.key_frame
            if latest in wanted:
                if not trusted or frame.is_corrupt or latest != next(due, None):
                    return
                yield frame


def _run(
    context: VideoCodecContext,
    packets: Iterator[tuple[int, Packet[VideoStream]]],
    span: Span,
    *,
    first: int,
    stop: int,
    wanted: frozenset[int],
    skips: bool,
) -> Iterator[VideoFrame]:
    """Decode packets first..stop, leaving out unreferenced frames that are not wanted."""
    try:
        context.flush_buffers()
        for index, packet in packets:
            if packet.pts != span.pts[index] and span.shown[index]:
                return
            if index >= first:
                if skips:
                    needed = index == first or packet.pts in wanted
                    context.skip_frame = "DEFAULT" if needed else "NONREF"
                yield from context.decode(packet)
            if index + 1 == stop:
                break
        yield from context.decode(None)
    except av.FFmpegError:
        return


def _plainly(reader: Reader, span: Span, moments: Sequence[int]) -> Iterator[tuple[int, int, int, VideoFrame]]:
    """By decoding all frames and taking their own timestamps; damaged ones count as not there."""
    at = 0
    before: tuple[int, VideoFrame] | None = None
    for pts, frame in _all_frames(reader, span):
        if before is not None:
            stop = bisect_left(moments, pts, at)
            if stop > at:
                yield at, stop, *before
                at = stop
                if at == len(moments):
                    return
        before = pts, frame
    if before is not None:
        yield at, len(moments), *before


def _all_frames(reader: Reader, span: Span) -> Iterator[tuple[int, VideoFrame]]:
    """The good frames in order with their timestamps, from a place where decoding can truly start."""
    frames = _every_frame(reader, span.origin, zero=span.zero)
    first = next(frames, None)
    if span.origin != Origin() and (first is None or not first[1].key_frame):
        frames = _every_frame(reader, Origin(), zero=span.zero)
        first = next(frames, None)
    if first is not None:
        yield first
        yield from frames


def _every_frame(reader: Reader, origin: Origin, *, zero: int) -> Iterator[tuple[int, VideoFrame]]:
    packets = reader.packets(origin)
    context = reader.stream.codec_context
    context.flush_buffers()
    context.skip_frame = "DEFAULT"
    gap = max(1, round(reader.frame_s() / reader.time_base))
    last: int | None = None
    delay: int | None = None  # of the decoder, where the order times the frames
    for packet in _then_none(packets):
        try:
            frames = context.decode(packet)
        except av.FFmpegError:
            continue
        for frame in frames:
            pts = frame.dts if frame.pts is None or reader.untimed else frame.pts
            if pts is None:
                pts = zero if last is None else last + gap
            elif reader.untimed:
                delay = pts - zero if delay is None else delay
                pts -= delay
            if not frame.is_corrupt and (last is None or pts > last):
                last = pts
                yield pts, frame


def _then_none(packets: Iterable[Packet[VideoStream]]) -> Iterator[Packet[VideoStream] | None]:
    yield from packets
    yield None


@dataclass(slots=True)
class Resizer:
    """Frames to upright RGB, downscaled by area averaging.

    Of swscale's ways that do not alias it is the fastest (1080p to 320: 1.3 ms, bilinear 1.7, bicubic 2.4). To planar
    RGB, because for packed RGB swscale halves the resolution of colours: 1.05 levels off the true average, planar 0.06.
    """

    _shape: tuple[int, int] | None = None
    _contexts: dict[tuple[int, int], VideoReformatter] = field(default_factory=dict)

    def size(self, frame: VideoFrame, long_side_px: int) -> tuple[int, int]:
        """(width, height) before rotation. All images of a clip are of one size: that of its first frame decides."""
        width, height = self._shape = self._shape or (frame.width, frame.height)
        scale = min(1.0, long_side_px / max(width, height))
        return max(1, round(width * scale)), max(1, round(height * scale))

    def image(self, frame: VideoFrame, size: tuple[int, int]) -> Images:
        context = self._contexts.setdefault(size, VideoReformatter())
        layout = "rgb24" if size == (frame.width, frame.height) else "gbrp"
        with media_errors(Reason.DECODE_ERROR, "cannot be converted to RGB"):
            rgb = context.reformat(frame, *size, format=layout, interpolation=Interpolation.AREA, threads=1)
        image = rgb.to_ndarray()
        return np.ascontiguousarray(np.rot90(image, k=quarter_turns(frame)))


def quarter_turns(frame: VideoFrame) -> int:
    """How often the picture must be turned 90 degrees counter-clockwise to stand upright: 0 to 3."""
    return round(frame.rotation / 90) % 4


def collect(
    shown: Iterable[tuple[int, int, float, VideoFrame]],
    *,
    moments: Sequence[float],
    members: Mapping[Sampling, npt.NDArray[np.intp]],
    seconds: float,
    frame_s: float,
) -> dict[Sampling, Frames]:
    """The frames of each sampling. Raises ClipError: decode_error, limit.

    `shown`: (first, stop, time, frame) for moments[first:stop], in order; times are seconds from the clip's start.
    `members`: which of the moments each sampling wants.
    """
    resizer = Resizer()
    found: dict[Sampling, list[tuple[float, Images]]] = {sampling: [] for sampling in members}
    stop = 0
    for first, stop, at, frame in shown:
        for moment in (moments[first], moments[stop - 1]):
            check_lost(moment, at, seconds=seconds, frame_s=frame_s)
        if first == 0:
            _check_bytes(frame, members, resizer)
        time = max(0.0, at)
        images: dict[tuple[int, int], Images] = {}
        for sampling, wants in members.items():
            due = np.searchsorted(wants, first) < np.searchsorted(wants, stop)
            if due and not (found[sampling] and found[sampling][-1][0] >= time):  # it may stand in for lost ones, once
                size = resizer.size(frame, sampling.long_side_px)
                if size not in images:
                    images[size] = resizer.image(frame, size)
                found[sampling].append((time, images[size]))
    if stop < len(moments):
        raise ClipError(Reason.DECODE_ERROR, "no frame can be decoded")
    return {
        sampling: Frames(np.array([time for time, _ in frames], np.float64), [image for _, image in frames])
        for sampling, frames in found.items()
    }


def check_lost(wanted: float, got: float, *, seconds: float, frame_s: float) -> None:
    """A clip with a stretch that cannot be decoded would be a broken sample: reject it."""
    if abs(wanted - got) > max(LOST_S, 1.5 * frame_s):
        detail = f"frame at {wanted:.2f} s of {seconds:.2f} s cannot be decoded; the nearest good one is at {got:.2f} s"
        raise ClipError(Reason.DECODE_ERROR, detail)


def _check_bytes(frame: VideoFrame, members: Mapping[Sampling, npt.NDArray[np.intp]], resizer: Resizer) -> None:
    total = 0
    for sampling, wants in members.items():
        width, height = resizer.size(frame, sampling.long_side_px)
        total += len(wants) * width * height * 3
    if total > MAX_BYTES:
        raise ClipError(Reason.LIMIT, f"bytes of sampled frames: {total} > {MAX_BYTES}; cut the video into clips")
