"""From a clip's packets to the frames that are on screen at wanted times.

A frame is wanted because it is on screen at a wanted time: the last one whose timestamp is not later. Which one that is
is known from the packets (`moments`, timestamps in the stream's time base) before anything is decoded.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

import av
import numpy as np
import numpy.typing as npt
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ..contract.errors import ClipError, Reason
from .packets import Span
from .reader import Origin, Reader
from .referring import may_skip

LOST_S = 0.5
"""A frame that cannot be decoded is replaced by the one before it if that is no older than this (or 1.5 frames)."""


def on_screen(reader: Reader, span: Span, moments: Sequence[int]) -> Iterator[tuple[int, int, int, VideoFrame]]:
    """(first, stop, timestamp, frame): what is on screen at moments[first:stop], in order.

    By the plan as far as that goes, from there on by decoding everything: the same frames either way. Each comes once,
    but for the one after which the plan failed, which may stand in for lost ones.
    """
    done = 0
    if span.complete:
        for frame in by_plan(reader, span, moments):
            yield done, done + 1, moments[done], frame
            done += 1
    if done < len(moments):
        for first, stop, pts, frame in _plainly(reader, span, moments[done:]):
            yield done + first, done + stop, pts, frame


def by_plan(reader: Reader, span: Span, moments: Sequence[int]) -> Iterator[VideoFrame]:
    """The frames of the moments, one each, in order; ends early where the file is not what its packets promise."""
    runs = plan(span, np.array(moments, np.int64))
    wanted = frozenset(moments)
    due = iter(moments)
    packets = enumerate(reader.packets(span.origin))
    skips = may_skip(reader.stream.codec_context)
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
    broken = False  # after a packet that cannot be decoded, what follows is made of nothing until the next key frame
    for packet in _then_none(packets):
        try:
            frames = context.decode(packet)
        except av.FFmpegError:
            broken = True
            continue
        for frame in frames:
            broken = broken and not frame.key_frame
            pts = frame.dts if frame.pts is None or reader.untimed else frame.pts
            if pts is None:
                pts = zero if last is None else last + gap
            elif reader.untimed:
                delay = pts - zero if delay is None else delay
                pts -= delay
            if not broken and not frame.is_corrupt and (last is None or pts > last):
                last = pts
                yield pts, frame


def _then_none(packets: Iterable[Packet[VideoStream]]) -> Iterator[Packet[VideoStream] | None]:
    yield from packets
    yield None


def check_lost(wanted: float, got: float, *, seconds: float, frame_s: float) -> None:
    """A clip with a stretch that cannot be decoded would be a broken sample: reject it."""
    if abs(wanted - got) > max(LOST_S, 1.5 * frame_s):
        detail = f"frame at {wanted:.2f} s of {seconds:.2f} s cannot be decoded; the nearest good one is at {got:.2f} s"
        raise ClipError(Reason.DECODE_ERROR, detail)


def plan(span: Span, moments: npt.NDArray[np.int64]) -> list[tuple[int, int]]:
    """The runs of packets (first, stop) that must be decoded to get the frames of these timestamps.

    A run starts at a key frame and stops after its last wanted packet. Frames that are decoded after a key frame but
    shown before it may refer to the group before it, so then that one is decoded as well.
    """
    wanted = np.isin(span.pts, moments) & span.shown
    starts = [0, *(int(i) for i in np.flatnonzero(span.keys) if i)]
    runs: list[tuple[int, int]] = []
    whole = False  # the group that follows in the file needs all of this one
    for first, stop in reversed(list(zip(starts, [*starts[1:], len(span.pts)], strict=True))):
        hits = np.flatnonzero(wanted[first:stop])
        if whole:
            runs[-1] = (first, runs[-1][1])
        elif hits.size:
            runs.append((first, first + int(hits[-1]) + 1))
        whole = bool(hits.size) and bool((span.pts[first:stop][hits] < span.pts[first]).any())
    return runs[::-1]
