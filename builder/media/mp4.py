"""A whole mp4 that is published as it lies: what is private in it is overwritten in place, and nothing moves.

Copying bytes costs a tenth of writing a new mp4. It is done where the boxes of a file prove that its new mp4 would show
the same: one video, at most one sound that ends with it, every frame shown, the first at zero, all at the rate that the
row says, and not a byte of media that belongs to neither. A box that is not known here proves nothing; then the file is
cut like any other (`cut.py`). Layout: ISO/IEC 14496-12.
"""

from __future__ import annotations

import mmap
import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .timing import Timing
from .user_data import NalFormat, nal_format, private_ranges

Blanks = list[tuple[int, bytes]]
"""What is written over a file: offset, bytes."""

_Ints = npt.NDArray[np.int64]
_Boxes = dict[str, tuple[int, int]]  # by path ("mdia/hdlr"): where the contents begin and end

_PARENTS = frozenset({"moov", "trak", "edts", "mdia", "minf", "stbl"})
_LEAVES = {
    "ftyp", "mdat", "wide", "mvhd", "iods", "tkhd", "elst", "mdhd", "hdlr", "vmhd", "smhd", "dinf",
    "stsd", "stts", "ctts", "stss", "stsz", "stsc", "stco", "co64", "sdtp", "sgpd", "sbgp", "cslg",
}  # fmt: skip
_BLANKED = frozenset({"free", "skip", "udta", "meta", "uuid"})
_OF_ENTRY = {"avc1": 78, "hvc1": 78, "hev1": 78, "mp4a": 28}  # how long a sample entry is before its boxes
_IN_ENTRY = frozenset({"avcC", "hvcC", "colr", "pasp", "btrt", "fiel", "mdcv", "clli", "chrm", "esds"})
_MOST_BYTES = 64 << 20  # of an index
_OWN_FILE = 28  # bytes: one reference, to the file itself
_NO_LANGUAGE = struct.pack(">H", 0x55C4)  # "und"
_SLICES = np.array([1, 2, 5])  # H.264 has no SEI after the first slice of a picture


class _UnprovenError(Exception):
    """Something in the file is not known here, or not as it must be."""


def blanks_of(path: str, *, timing: Timing, sound: bool) -> Blanks | None:
    """What must be overwritten for a whole mp4 to be published as it lies; None where it may not be. Raises OSError."""
    with Path(path).open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        data = memoryview(mapped)
        try:
            return _blanks(data, timing, sound=sound)
        except (_UnprovenError, struct.error, IndexError, KeyError, ValueError, OverflowError, ZeroDivisionError):
            return None
        finally:
            data.release()


def _blanks(data: memoryview, timing: Timing, *, sound: bool) -> Blanks:
    top: _Boxes = {}
    tracks: list[_Boxes] = []
    blanks: Blanks = []
    _walk(data, 0, len(data), top, tracks, blanks)
    kinds = [bytes(data[begin + 8 : begin + 12]).decode("latin1") for begin, _ in (t["hdlr"] for t in tracks)]
    if any(t["dinf"][1] - t["dinf"][0] != _OWN_FILE for t in tracks):  # media that lie elsewhere
        raise _UnprovenError
    if sorted(kinds) != (["soun", "vide"] if sound else ["vide"]):
        raise _UnprovenError
    blanks.append(_dates(data, top["mvhd"]))
    media = []
    for kind, track in zip(kinds, tracks, strict=True):
        offsets, sizes = _samples(data, track)
        media.append(np.stack([offsets, offsets + sizes]))
        _check_times(data, track, len(sizes), top["mvhd"], timing, video=kind == "vide")
        form = _entry(data, track, blanks)
        blanks += [_dates(data, track["tkhd"]), _dates(data, track["mdhd"])]
        begin, end = track["mdhd"]
        blanks.append((begin + (32 if data[begin] else 20), _NO_LANGUAGE))
        begin, end = track["hdlr"]
        blanks.append((begin + 24, bytes(end - begin - 24)))
        if form is not None:
            blanks += _user_data(data, offsets, sizes, form)
    spans = np.concatenate(media, axis=1)
    spans = spans[:, np.argsort(spans[0], kind="stable")]
    edges = np.concatenate([[top["mdat"][0]], spans[1]]), np.concatenate([spans[0], [top["mdat"][1]]])
    if not np.array_equal(*edges):  # bytes of media that are nobody's
        raise _UnprovenError
    return [(at, new) for at, new in blanks if data[at : at + len(new)] != new]


def _walk(data: memoryview, at: int, end: int, boxes: _Boxes, tracks: list[_Boxes], blanks: Blanks) -> None:
    while at < end:
        size, head, name = _header(data, at, end)
        inside = (at + head, at + size)
        if name in _BLANKED:
            blanks += [(at + 4, b"free"), (inside[0], bytes(inside[1] - inside[0]))]
        elif name == "trak":
            tracks.append({})
            _walk(data, *inside, tracks[-1], tracks, blanks)
        elif name in _PARENTS:
            _walk(data, *inside, boxes, tracks, blanks)
        elif name in _LEAVES and name not in boxes:
            boxes[name] = inside
        else:
            raise _UnprovenError
        at += size


def _header(data: memoryview, at: int, end: int) -> tuple[int, int, str]:
    size, name = struct.unpack_from(">I4s", data, at)
    head = 8
    if size == 1:
        (size,), head = struct.unpack_from(">Q", data, at + 8), 16
    if size < head or at + size > end or (name != b"mdat" and size > _MOST_BYTES):
        raise _UnprovenError
    return size, head, name.decode("latin1")


def _dates(data: memoryview, box: tuple[int, int]) -> tuple[int, bytes]:
    """Of creation and of the last change."""
    return box[0] + 4, bytes(16 if data[box[0]] else 8)


def _table(data: memoryview, box: tuple[int, int], *, columns: int, kind: str = ">u4", skip: int = 4) -> _Ints:
    """A table of integers after its count: (rows, columns)."""
    (rows,) = struct.unpack_from(">I", data, box[0] + skip)
    numbers = np.frombuffer(data, kind, rows * columns, box[0] + skip + 4).astype(np.int64)
    return numbers.reshape(rows, columns)


def _samples(data: memoryview, track: _Boxes) -> tuple[_Ints, _Ints]:
    """Offset and size of each sample."""
    (fixed,) = struct.unpack_from(">I", data, track["stsz"][0] + 4)
    if fixed:
        raise _UnprovenError
    sizes = _table(data, track["stsz"], columns=1, skip=8)[:, 0]
    chunks = (
        _table(data, track["stco"], columns=1)[:, 0]
        if "stco" in track
        else _table(data, track["co64"], columns=1, kind=">u8")[:, 0]
    )
    runs = _table(data, track["stsc"], columns=3)
    if (runs[:, 2] != 1).any() or runs[0, 0] != 1:
        raise _UnprovenError
    each = np.repeat(runs[:, 1], np.diff(np.append(runs[:, 0], len(chunks) + 1)))
    if len(each) != len(chunks) or each.sum() != len(sizes) or (each < 1).any():
        raise _UnprovenError
    before = np.concatenate([[0], np.cumsum(sizes)])[:-1]
    first = np.concatenate([[0], np.cumsum(each)])[:-1]
    return np.repeat(chunks - before[first], each) + before, sizes


def _check_times(
    data: memoryview, track: _Boxes, samples: int, movie: tuple[int, int], timing: Timing, *, video: bool
) -> None:
    """Every frame is shown, the first at zero, for as long as the row says; sound begins and ends with them."""
    scale, whole = (_number(data, box, "scale") for box in (track["mdhd"], movie))
    runs = _table(data, track["stts"], columns=2)
    if runs[:, 0].sum() != samples:
        raise _UnprovenError
    ticks = np.repeat(runs[:, 1], runs[:, 0])
    begins = np.concatenate([[0], np.cumsum(ticks)])[:-1]
    if "ctts" in track:
        late = _table(data, track["ctts"], columns=2, kind=">i4")
        begins = begins + np.repeat(late[:, 1], late[:, 0])
    first, last = int(begins.min()), int((begins + ticks).max())
    shown, skipped = Fraction(last - first, scale), first
    if "elst" in track:
        ((length, skipped, rate),) = _edits(data, track["elst"])
        if rate != 0x10000 or skipped < 0:
            raise _UnprovenError
        shown = Fraction(last - skipped, scale)
        if video and Fraction(length, whole) < shown - Fraction(1, whole):
            raise _UnprovenError
    lasts = timing.frames / timing.rate
    said = _number(data, track["mdhd"], "duration"), Fraction(_number(data, movie, "duration"), whole)
    if said[0] != ticks.sum() or said[1] > lasts + Fraction(1, 1000) + Fraction(1, whole):
        raise _UnprovenError
    if not video:
        if shown > lasts + Fraction(1, 1000):
            raise _UnprovenError
        return
    even = timing.variable or (ticks == scale / timing.rate).all()
    exact = samples == timing.frames == len(np.unique(begins)) and abs(shown - lasts) < Fraction(1, 1000)
    if skipped != first or not even or not exact:
        raise _UnprovenError


def _number(data: memoryview, box: tuple[int, int], name: str) -> int:
    """Of a header with dates: its "scale" (ticks a second) or its "duration"."""
    long = bool(data[box[0]])
    at = box[0] + (20 if long else 12) + (4 if name == "duration" else 0)
    return int(struct.unpack_from(">Q" if long and name == "duration" else ">I", data, at)[0])


def _edits(data: memoryview, box: tuple[int, int]) -> list[tuple[int, int, int]]:
    (rows,) = struct.unpack_from(">I", data, box[0] + 4)
    form = ">QqI" if data[box[0]] else ">IiI"
    return [struct.unpack_from(form, data, box[0] + 8 + at * struct.calcsize(form)) for at in range(min(rows, 2))]


def _entry(data: memoryview, track: _Boxes, blanks: Blanks) -> NalFormat | None:
    """Check and blank the description of a track's samples; how H.264 and HEVC units lie in them."""
    begin, end = track["stsd"]
    (rows,) = struct.unpack_from(">I", data, begin + 4)
    size, head, name = _header(data, begin + 8, end)
    if rows != 1 or begin + 8 + size != end or name not in _OF_ENTRY:
        raise _UnprovenError
    at = begin + 8 + head + _OF_ENTRY[name]
    if name != "mp4a":
        blanks.append((begin + 8 + head + 42, bytes(32)))  # the name of the encoder
    elif bytes(data[begin + 8 + head + 8 : begin + 8 + head + 10]) != b"\0\0":  # QuickTime's longer forms
        raise _UnprovenError
    form = None
    while at < end:
        size, head, inner = _header(data, at, end)
        if inner not in _IN_ENTRY or (inner == "esds" and not _is_aac(data[at + head : at + size])):
            raise _UnprovenError
        if inner in ("avcC", "hvcC"):
            form = nal_format("h264" if inner == "avcC" else "hevc", bytes(data[at + head : at + size]))
        at += size
    if name != "mp4a" and form is None:
        raise _UnprovenError
    return form


def _is_aac(descriptor: memoryview) -> bool:
    """By the object type in an MPEG-4 descriptor; the size of each part is a byte or more, the last one below 128."""
    at = 4
    for tag, fields in ((3, 3), (4, 0)):
        if descriptor[at] != tag:
            return False
        at += 1
        while descriptor[at] & 0x80:
            at += 1
        at += 1 + fields
    return descriptor[at] == 0x40


def _user_data(data: memoryview, offsets: _Ints, sizes: _Ints, form: NalFormat) -> Blanks:
    if form.codec == "h264" and sizes.min() > form.length:
        first = np.frombuffer(data, np.uint8)[offsets + form.length] & 0x1F
        at = np.flatnonzero(~np.isin(first, _SLICES))
        offsets, sizes = offsets[at], sizes[at]
    return [
        (offset + begin, b"\xff" * (end - begin))
        for offset, size in zip(offsets.tolist(), sizes.tolist(), strict=True)
        for begin, end in private_ranges(data[offset : offset + size], form)
    ]
