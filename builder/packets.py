"""The packets of a clip: what is in the file, and when it is shown.

Reading packets costs 1 or 2% of decoding them. So a clip is read twice: once to learn the timestamps of all its frames,
then to decode no more than the wanted ones need.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from types import TracebackType
from typing import Self

import av
import numpy as np
import numpy.typing as npt
from av.packet import Packet
from av.stream import Discard
from av.video.stream import VideoStream

from .errors import ClipError, Reason
from .media import check_pixels, decoder_pixels, media_errors, open_media, video_stream
from .referring import reads_referred

TOLERANCE_S = 0.002
"""Times this close are one: corpora round to milliseconds, and so does Matroska."""

_INDEXED = (
    "mov",
    "matroska",
)  # containers whose seeking is exact; elsewhere it is a guess, so the file is read through
_HEAD = 64  # packets; H.264 and HEVC reorder within 16, so the earliest frame is among them
_NO_PTS = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True)
class Origin:
    """Where reading starts: a timestamp to seek to (None: the file's beginning), and packets to leave out after it."""

    seek_to: int | None = None
    leave_out: int = 0


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


class Reader:
    """A media file that is open for reading its video; use as a context manager."""

    def __init__(self, path: str, *, max_pixels: int) -> None:
        self._path = path
        self._max_pixels = max_pixels
        self._open()

    def _open(self) -> None:
        self.container = open_media(self._path, max_pixels=self._max_pixels)
        self._fresh = True
        self.stream: VideoStream = video_stream(self.container)
        check_pixels(self.stream.width, self.stream.height, max_pixels=self._max_pixels)
        self.time_base = float(self.stream.time_base or 0)
        context = self.stream.codec_context
        # One thread: threads cost 25% more CPU, and `skip_frame` would not act on the packet that it is set for.
        context.thread_type, context.thread_count = "SLICE", 1
        context.options = {"max_pixels": str(decoder_pixels(self._max_pixels))}  # the size may change within the stream
        for other in self.container.streams:
            if other.index != self.stream.index:
                other.discard = Discard.all

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.container.close()

    @property
    def indexed(self) -> bool:
        return self.container.format.name.startswith(_INDEXED)

    @property
    def untimed(self) -> bool:
        """AVI has no presentation times: where frames are reordered, FFmpeg's are made up and go to the wrong frames.

        Then packets get their decoding times, and frames are timed in the order that they come out in.
        """
        return self.container.format.name == "avi" and bool(self.stream.codec_context.has_b_frames)

    def frame_s(self) -> float:
        """Seconds from frame to frame, as the container has it; a guess where it does not."""
        rate = self.stream.average_rate or self.stream.guessed_rate
        return 1 / float(rate) if rate else 0.04

    def packets(self, origin: Origin) -> Iterator[Packet[VideoStream]]:
        """The video's packets from an origin to the end of what can be read. Ends an iteration under way."""
        if origin.seek_to is not None:
            with media_errors(Reason.UNREADABLE, "cannot seek"):
                self.container.seek(origin.seek_to, stream=self.stream)
        elif not self._fresh:
            self.container.close()
            self._open()
        self._fresh = False
        return islice(self._demux(), origin.leave_out, None)

    def _demux(self) -> Iterator[Packet[VideoStream]]:
        untimed = self.untimed
        with media_errors(Reason.UNREADABLE, "cannot be read"):
            try:
                for packet in self.container.demux(self.stream):
                    if packet.size and not packet.is_corrupt:  # corrupt: cut off by the end of the file
                        if untimed:
                            packet.pts = packet.dts
                        yield packet
            except av.InvalidDataError:
                return  # a truncated file: what was read before is good
            except IndexError:
                return  # PyAV at the end of a file in which a stream appeared on the way (FLV, MPEG); all was read


def scan(reader: Reader, *, start: float, end: float, max_frames: int, ahead_s: float = 0) -> Span:
    """The packets that show the frames from `start` to `end` (seconds; inf for the end), from the key frame before.

    `ahead_s`: how far beyond the end to look for where frames begin; back from the start as far.
    """
    head = list(islice(reader.packets(Origin()), _HEAD))
    if not head:
        raise ClipError(Reason.DECODE_ERROR, "no video data")
    zero = _earliest(head)
    back_s = min(start, ahead_s)
    first = zero + (start - back_s + TOLERANCE_S) / reader.time_base
    origin = _key_before(reader, int(min(first, 2.0**62))) if reader.indexed and start > 1 else None
    last = zero + (end + TOLERANCE_S) / reader.time_base
    stop = last + ahead_s / reader.time_base
    return _walk(reader, origin or Origin(), zero=zero, first=first, last=last, stop=stop, max_frames=max_frames)


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
    reader: Reader, origin: Origin, *, zero: int, first: float, last: float, stop: float, max_frames: int
) -> Span:
    pts: list[int] = []
    keys: list[bool] = []
    shown: list[bool] = []
    referred: list[bool] = []
    is_referred = reads_referred(reader.stream.codec_context)
    left_out, within, reached, frame = 0, 0, -np.inf, reader.frame_s() / reader.time_base
    ended = True
    for packet in reader.packets(origin):
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
