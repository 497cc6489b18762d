"""Opening an untrusted media file, and which of its streams is the video."""

from __future__ import annotations

import itertools
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard, Disposition, Stream
from av.video.stream import VideoStream

from ..contract.disguises import HEAD, stand_in
from ..contract.errors import ClipError, Reason
from ..contract.limits import MAX_PIXELS

CONTAINERS = ("mov", "matroska", "avi", "mpegts", "mpeg", "flv", "asf", "ogg", "gif")
"""The containers that are opened, by FFmpeg's names: mp4 and 3gp are `mov`, webm is `matroska`, wmv is `asf`."""


_FILE = "file:"
_PLAYLISTS = (b"#EXTM3U", b"ffconcat")
_PICTURES = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
_FULL = 0.25  # of the most frames, and of the longest duration: what has less is a picture or a preview
_COUNTED = 20_000  # packets, of all video streams together


def open_media(path: str, *, max_pixels: int = MAX_PIXELS) -> InputContainer:
    """Open a regular file that is one of CONTAINERS; whatever it names, no other file is read.

    Raises ClipError: missing_file, unreadable, refused (no regular file, or a playlist, a script, an image, ...).
    """
    _check_file(path)
    with media_errors(Reason.UNREADABLE, "cannot be opened"):
        try:
            return av.open(
                _FILE + path,  # the prefix: a name such as `concat:a|b` or `http:x` is still only a name
                options={
                    "format_whitelist": ",".join(CONTAINERS),
                    "protocol_whitelist": "file",
                    "max_pixels": str(decoder_pixels(max_pixels)),
                },
                metadata_errors="replace",
            )
        except av.error.ArgumentError:  # what FFmpeg returns for a format that is not on the list
            raise ClipError(Reason.REFUSED, f"not one of the allowed containers: {', '.join(CONTAINERS)}") from None


def video_stream(container: InputContainer) -> VideoStream:
    """The video of a file, the same for everyone who reads it.

    Never a cover, a thumbnail or a still picture. Of several streams those that have less than a quarter of the most
    frames are left aside, then those with less than a quarter of the longest duration: pictures whose flag is missing.
    Of the rest it is the one flagged as default, then the largest, then the first. Raises ClipError.
    """
    streams = [s for s in container.streams.video if not s.disposition & _PICTURES]
    if not streams:
        raise ClipError(Reason.NOT_A_VIDEO, "no video stream")
    if len(streams) > 1:
        lengths = _lengths(container, streams)
        for most in (0, 1):  # frames, seconds
            full = _FULL * max(lengths[s.index][most] for s in streams)
            streams = [s for s in streams if lengths[s.index][most] >= full]
    known = [s for s in streams if s.codec_context is not None and s.time_base]
    if not known:
        raise ClipError(Reason.DECODE_ERROR, "no decoder for its video")
    return max(known, key=lambda s: (bool(s.disposition & Disposition.default), s.width * s.height, -s.index))


def _lengths(container: InputContainer, streams: Sequence[VideoStream]) -> dict[int, tuple[int, float]]:
    """Frames and seconds of the streams by their index: by the container's header, else counted from its packets."""
    if all(s.frames and s.duration and s.time_base for s in streams):
        return {s.index: (s.frames, float((s.duration or 0) * (s.time_base or 0))) for s in streams}
    frames = dict.fromkeys((s.index for s in streams), 0)
    ends = dict.fromkeys(frames, 0.0)
    begins: dict[int, float] = {}
    with open_media(container.name.removeprefix(_FILE)) as again:  # reading on must not move the caller's place
        for other in again.streams:
            if other.index not in frames:
                other.discard = Discard.all
        for packet in itertools.islice(_packets(again), _COUNTED):
            index = packet.stream.index
            if not packet.size or index not in frames:
                continue
            frames[index] += 1
            if packet.pts is not None:
                time = float(packet.pts * packet.time_base)
                begins.setdefault(index, time)
                ends[index] = max(ends[index], time + float((packet.duration or 0) * packet.time_base) - begins[index])
    return {index: (frames[index], ends[index]) for index in frames}


def _packets(container: InputContainer) -> Iterator[Packet[Stream]]:
    """All packets, up to the first that cannot be read."""
    with suppress(av.FFmpegError, IndexError):  # IndexError: PyAV, where a stream appears on the way
        yield from container.demux()


def decoder_pixels(max_pixels: int) -> int:
    """The limit as FFmpeg's decoders get it, before they allocate anything: they count padding, so it has slack."""
    return 2 * max_pixels + 2**20


def check_pixels(width: int, height: int, *, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise ClipError(Reason.LIMIT, f"max_pixels: {width}x{height} = {width * height} > {max_pixels}")


@contextmanager
def media_errors(reason: Reason, what: str) -> Iterator[None]:
    """FFmpeg's errors as a ClipError without the path."""
    try:
        yield
    except FileNotFoundError:
        raise ClipError(Reason.MISSING_FILE, "no such file", passing=True) from None
    except av.FFmpegError as error:
        raise ClipError(reason, f"{what}: {error.strerror}") from None
    except MemoryError:
        raise ClipError(reason, f"{what}: out of memory") from None


def _check_file(path: str) -> None:
    """Before FFmpeg sees it: opening a fifo would block, a device would never end."""
    file = Path(path)
    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ClipError(Reason.REFUSED, f"not a regular file: {_kind(status.st_mode)}")
        if status.st_size == 0:
            raise ClipError(Reason.UNREADABLE, "empty file")
        with file.open("rb") as opened:
            head = opened.read(HEAD)
    except (FileNotFoundError, NotADirectoryError):
        raise ClipError(Reason.MISSING_FILE, "no such file", passing=True) from None
    except OSError as error:
        raise ClipError(Reason.UNREADABLE, error.strerror or type(error).__name__, passing=True) from None
    except ValueError:  # a zero byte
        raise ClipError(Reason.UNREADABLE, "not a file name") from None
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        raise ClipError(Reason.REFUSED, "a WebP picture: FFmpeg shows no animated ones; convert it to gif or mp4")
    if head.lstrip(b"\xef\xbb\xbf").startswith(_PLAYLISTS):
        raise ClipError(Reason.REFUSED, "a playlist, not a video")
    if what := stand_in(head.decode("utf-8", "replace")):
        raise ClipError(Reason.UNREADABLE, what)


def _kind(mode: int) -> str:
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")
