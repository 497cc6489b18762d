"""Reading the packets of a clip from where its range begins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from types import TracebackType
from typing import Self

import av
from av.packet import Packet
from av.stream import Discard
from av.video.stream import VideoStream

from ..contract.errors import Reason
from .container import check_pixels, decoder_pixels, media_errors, open_media, video_stream

TOLERANCE_S = 0.002
"""Times this close are one: corpora round to milliseconds, and so does Matroska."""


_INDEXED = (
    "mov",
    "matroska",
)  # containers whose seeking is exact; elsewhere it is a guess, so the file is read through


@dataclass(frozen=True, slots=True)
class Origin:
    """Where reading starts: a timestamp to seek to (None: the file's beginning), and packets to leave out after it."""

    seek_to: int | None = None
    leave_out: int = 0


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
