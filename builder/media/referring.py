"""Which frames no other frame refers to, so that leaving them out changes no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

_NEVER_REFERRED_TO = frozenset({"h264", "mpeg4", "mpeg1video", "mpeg2video", "vp8"})
_START = b"\0\0\1"


def may_skip(context: VideoCodecContext) -> bool:
    """Whether frames that the decoder takes for unreferenced truly are.

    In HEVC a frame may be unreferenced within its temporal layer only; the header (hvcC) counts the layers.
    """
    name = context.codec.canonical_name
    if name == "hevc":
        header = context.extradata or b""
        return len(header) > 21 and header[0] == 1 and (header[21] >> 3) & 7 == 1
    return name in _NEVER_REFERRED_TO


def reads_referred(context: VideoCodecContext) -> Callable[[Packet[VideoStream]], bool]:
    """Tells of a packet whether other frames refer to its own, by the header of its first slice (H.264, HEVC).

    True where that cannot be told.
    """
    name, header = context.codec.canonical_name, context.extradata or b""
    slices = {"h264": _h264, "hevc": _hevc}.get(name)
    if slices is None or not may_skip(context):
        return lambda packet: True
    place = 4 if name == "h264" else 21
    size = (header[place] & 3) + 1 if len(header) > place and header[0] == 1 else 0
    return lambda packet: next((known for one in _units(packet, size) if (known := slices(one)) is not None), True)


def _units(packet: Packet[VideoStream], size: int) -> Iterator[int]:
    """The first byte of each unit (NAL) of a packet. `size`: bytes of the length before each; 0: a start code is."""
    data = memoryview(packet)
    if size:
        at = 0
        while at + size < len(data):
            yield data[at + size]
            at += size + int.from_bytes(data[at : at + size], "big")
        return
    whole = bytes(data)
    at = whole.find(_START)
    while 0 <= at < len(whole) - len(_START):
        yield whole[at + len(_START)]
        at = whole.find(_START, at + len(_START))


def _h264(first: int) -> bool | None:
    return (first >> 5) & 3 > 0 if 1 <= first & 31 <= 5 else None


def _hevc(first: int) -> bool | None:
    kind = (first >> 1) & 63
    return kind >= 16 or kind % 2 == 1 if kind < 32 else None
