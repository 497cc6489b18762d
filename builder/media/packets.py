"""The packets of a clip: what is in the file, and when it is shown.

Reading packets costs 1 or 2% of decoding them. So a clip is read twice: once to learn the timestamps of all its frames,
then to decode no more than the wanted ones need.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice

import av
import numpy as np
import numpy.typing as npt
from av.packet import Packet
from av.video.stream import VideoStream

from ..contract.errors import ClipError, Reason
from .reader import TOLERANCE_S, Origin, Reader
from .referring import reads_referred

_HEAD = 64  # packets; H.264 and HEVC reorder within 16, so the earliest frame is among them
_NO_PTS = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True, eq=False)
class Span:
    """A stretch of the video's packets, in decoding order.

    `pts`: int64 in the stream's time base. `keys`: decoding can start here, says the container. `shown`: False where an
    edit list hides the frame. `referred`: False where it is known that no other frame refers to it. `zero`: the
    earliest timestamp of the file. `media_end`: seconds from zero to the end of the last frame, None if the end was not
    reached. `complete`: every frame has a true timestamp.
    """

    origin: Origin
    time_base: float
    zero: int
    pts: npt.NDArray[np.int64]
    keys: npt.NDArray[np.bool_]
    shown: npt.NDArray[np.bool_]
    referred: npt.NDArray[np.bool_]
    media_end: float | None
    complete: bool

    def screen(self) -> npt.NDArray[np.int64]:
        """The timestamps of the frames that are shown, in order."""
        return np.unique(self.pts[self.shown & (self.pts != _NO_PTS)])

    def seconds(self, pts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        return (pts.astype(np.float64) - float(self.zero)) * self.time_base

    def seconds_at(self, pts: int) -> float:
        return (pts - self.zero) * self.time_base

    def pts_at(self, seconds: float) -> int:
        """The last timestamp that is not later."""
        return self.zero + math.floor(seconds / self.time_base)


def scan(reader: Reader, *, start: float, end: float, max_frames: int, ahead_s: float = 0) -> Span:
    """The packets that show the frames from `start` to `end` (seconds; inf for the end), from the key frame before.

    `ahead_s`: how far beyond the end to look for where frames begin; back from the start as far.
    """
    packets: Iterator[Packet[VideoStream]] = reader.packets(Origin())
    head = list(islice(packets, _HEAD))
    if not head:
        raise ClipError(Reason.DECODE_ERROR, "no video data")
    zero = _earliest(head)
    back_s = min(start, ahead_s)
    first = zero + (start - back_s + TOLERANCE_S) / reader.time_base
    origin = Origin()
    if reader.indexed and start > 1:
        origin = _key_before(reader, int(min(first, 2.0**62))) or origin
        packets = reader.packets(origin)
    else:
        packets = chain(head, packets)  # to open a file again takes longer than to read its packets
    last = zero + (end + TOLERANCE_S) / reader.time_base
    stop = last + ahead_s / reader.time_base
    return _walk(reader, packets, origin, zero=zero, first=first, last=last, stop=stop, max_frames=max_frames)


def _earliest(packets: list[Packet[VideoStream]]) -> int:
    shown = [p.pts for p in packets if p.pts is not None and not p.is_discard]
    any_time = [t for p in packets for t in (p.pts, p.dts) if t is not None]
    return min(shown or any_time, default=0)


def _key_before(reader: Reader, pts: int) -> Origin | None:
    """Where to seek to so that the first packet is a key frame that is shown at `pts` or before."""
    seek_to = pts
    for _ in range(3):  # a seek goes by decoding times, which lag behind
        packet = next(reader.packets(Origin(seek_to)), None)
        if packet is None or packet.pts is None or not packet.is_keyframe:
            return None
        if packet.pts <= pts:
            return Origin(seek_to)
        seek_to = (packet.pts if packet.dts is None else packet.dts) - 1
    return None


def _walk(
    reader: Reader,
    packets: Iterable[Packet[VideoStream]],
    origin: Origin,
    *,
    zero: int,
    first: float,
    last: float,
    stop: float,
    max_frames: int,
) -> Span:
    pts: list[int] = []
    keys: list[bool] = []
    shown: list[bool] = []
    referred: list[bool] = []
    is_referred = reads_referred(reader.stream.codec_context)
    left_out, within, reached, frame = 0, 0, -np.inf, reader.frame_s() / reader.time_base
    ended = True
    for packet in packets:
        time = packet.pts
        if packet.is_keyframe and time is not None and time <= first and pts and not reader.untimed:
            left_out += len(pts)
            pts, keys, shown, referred, within = [], [], [], [], 0
        pts.append(_NO_PTS if time is None else time)
        keys.append(packet.is_keyframe)
        shown.append(not packet.is_discard)
        referred.append(is_referred(packet))
        if shown[-1] and time is not None:
            reached = max(reached, time + (packet.duration or frame))
        within += shown[-1] and (time is None or time < last)
        if within > max_frames:
            raise ClipError(Reason.LIMIT, f"max_frames: more than {max_frames} frames")
        if packet.dts is not None and packet.dts >= stop:
            ended = False
            break
    times, visible = np.array(pts, np.int64), np.array(shown, np.bool_)
    return Span(
        origin=Origin(origin.seek_to, left_out),
        time_base=reader.time_base,
        zero=zero,
        pts=times,
        keys=np.array(keys, np.bool_),
        shown=visible,
        referred=np.array(referred, np.bool_),
        media_end=(reached - zero) * reader.time_base if ended and np.isfinite(reached) else None,
        complete=not reader.untimed and bool((times[visible] != _NO_PTS).all()),
    )


def zero_s(reader: Reader) -> float:
    """The first timestamp of the video on the container's clock, in seconds: zero of all times of its clips."""
    return _earliest(list(islice(reader.packets(Origin()), _HEAD))) * reader.time_base


def media_end(reader: Reader) -> float:
    """Seconds from zero to the end of the last frame, counted: a header may lie, and a cut-off file keeps its old one.

    Where seeking is exact only the file's tail is read.
    """
    head = list(islice(reader.packets(Origin()), _HEAD))
    zero, frame = _earliest(head), reader.frame_s() / reader.time_base
    origins = [Origin()]
    claimed = _claimed_s(reader)
    if reader.indexed and claimed is not None:
        origins.insert(0, Origin(zero + int(min(claimed / reader.time_base, 2.0**61))))
    for origin in origins:
        ends = (p.pts + (p.duration or frame) for p in reader.packets(origin) if p.pts is not None and not p.is_discard)
        end = max(ends, default=None)
        if end is not None:
            return (end - zero) * reader.time_base
    raise ClipError(Reason.DECODE_ERROR, "no video data")


def _claimed_s(reader: Reader) -> float | None:
    if reader.stream.duration is not None:
        return reader.stream.duration * reader.time_base
    return None if reader.container.duration is None else reader.container.duration / av.time_base
