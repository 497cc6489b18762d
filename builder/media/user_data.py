"""Data of users inside H.264 and HEVC streams: blanked in copies, as cameras write positions and serial numbers there.

SEI messages of the type "unregistered user data" (H.264 and H.265, D.1) hold what their writer likes, under a UUID.
What x264 and x265 say of themselves stays, as decoders work around faults of their old versions; everything else is
overwritten with bytes of the same number, so that nothing moves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from av.audio.stream import AudioStream
from av.packet import Packet
from av.video.stream import VideoStream

_Stream = TypeVar("_Stream", VideoStream, AudioStream)

_UNREGISTERED = 5
_UUID = 16
_ENCODERS = (
    bytes.fromhex("dc45e9bde6d948b7962cd820d923eeef"),  # x264
    bytes.fromhex("2ca2de09b51747dbbb55a4fe7fc2fc4e"),  # x265
)
_BLANK = 0xFF  # never part of a start code


@dataclass(frozen=True, slots=True)
class NalFormat:
    """How a stream's packets hold their units: `length` bytes of size before each (0: start codes)."""

    codec: str
    length: int

    def is_sei(self, header: int) -> bool:
        return header & 0x1F == 6 if self.codec == "h264" else header >> 1 & 0x3F in (39, 40)

    @property
    def header(self) -> int:
        return 1 if self.codec == "h264" else 2


def nal_format(codec: str, extradata: bytes | None) -> NalFormat | None:
    """None for a codec that has no such units."""
    if codec not in ("h264", "hevc"):
        return None
    extra, at = extradata or b"", 4 if codec == "h264" else 21
    return NalFormat(codec, (extra[at] & 3) + 1 if len(extra) > at and extra[0] == 1 else 0)


def blanked(packet: Packet[_Stream], form: NalFormat | None) -> Packet[_Stream]:
    """The packet without data of users."""
    if form is None:
        return packet
    ranges = list(private_ranges(memoryview(packet), form))
    if ranges:
        data = bytearray(packet)
        for begin, end in ranges:
            data[begin:end] = bytes([_BLANK]) * (end - begin)
        packet.update(bytes(data))
    return packet


def private_ranges(data: memoryview, form: NalFormat) -> Iterator[tuple[int, int]]:
    """Where a packet holds data of users: from, to."""
    for begin, end in _units(data, form.length):
        if end > begin and form.is_sei(data[begin]):
            yield from _messages(data, begin + form.header, end)


def _units(data: memoryview, length: int) -> Iterator[tuple[int, int]]:
    if length:
        at = 0
        while at + length <= len(data):
            begin = at + length
            at = begin + int.from_bytes(data[at:begin], "big")
            yield begin, min(at, len(data))
        return
    whole = bytes(data)
    begin = whole.find(b"\0\0\1")
    while begin >= 0:
        after = whole.find(b"\0\0\1", begin + 3)
        yield begin + 3, len(whole) if after < 0 else after
        begin = after


def _messages(data: memoryview, at: int, end: int) -> Iterator[tuple[int, int]]:
    """The SEI messages of a unit: a type and a size, each a sum of bytes up to one that is not 255, and the payload."""
    places = _without_guards(data, at, end)
    spot = 0
    while spot + 2 <= len(places):
        numbers = []
        for _ in ("type", "size"):
            number = 0
            while spot < len(places) and data[places[spot]] == 0xFF:
                number, spot = number + 255, spot + 1
            if spot == len(places):
                return
            numbers.append(number + data[places[spot]])
            spot += 1
        kind, size = numbers
        payload = places[spot : spot + size]
        spot += size
        if kind == _UNREGISTERED and payload:
            uuid = bytes(data[place] for place in payload[:_UUID])
            if uuid not in _ENCODERS:
                yield payload[0], payload[-1] + 1


def _without_guards(data: memoryview, at: int, end: int) -> list[int]:
    """The places of a unit's bytes but for those that guard against start codes: 3 after two zeros."""
    places: list[int] = []
    zeros = 0
    for place in range(at, end):
        if zeros >= 2 and data[place] == 3:
            zeros = 0
            continue
        zeros = zeros + 1 if data[place] == 0 else 0
        places.append(place)
    return places
