"""Which files are published as they lie, and what is overwritten in them."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from shotscribe.builder.contract.limits import Decode
from shotscribe.builder.media.cut import Form
from shotscribe.builder.media.mp4 import Blanks, blanks_of
from shotscribe.builder.media.video import probe

SECRET = b"PLANTED"


@pytest.fixture
def plain(encode, moving, tmp_path: Path) -> Path:
    """Without B-frames, with which PyAV gets the last duration wrong."""
    return encode(tmp_path / "plain.mp4", moving(40), fps=20, options={"bf": "0", "preset": "ultrafast"})


def blanks(path: Path) -> Blanks | None:
    form = Form.of(probe(str(path), start=None, end=None, limits=Decode()))
    return blanks_of(str(path), timing=form.timing, sound=form.audio_rate is not None)


def published(path: Path) -> bytes:
    data = bytearray(path.read_bytes())
    for at, new in blanks(path) or []:
        data[at : at + len(new)] = new
    return bytes(data)


def frames(path: Path) -> list[tuple[Any, bytes]]:
    with av.open(str(path)) as container:
        return [(frame.pts, frame.to_ndarray().tobytes()) for frame in container.decode(video=0)]


def box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), name) + content


def test_what_is_private_is_overwritten_and_nothing_moves(plain, tmp_path):
    data = bytearray(plain.read_bytes())
    for name in (b"mvhd", b"tkhd", b"mdhd"):
        at = data.index(name) + 8
        data[at : at + 8] = b"TIMEWHEN"
    at = data.index(b"VideoHandler")
    data[at : at + 7] = SECRET
    at = data.index(b"avc1", data.index(b"stsd")) + 47
    data[at : at + 7] = SECRET
    data += box(b"uuid", bytes(16) + SECRET) + box(b"free", SECRET) + box(b"udta", box(b"\xa9xyz", SECRET))
    path = tmp_path / "phone.mp4"
    path.write_bytes(data)
    made = tmp_path / "made.mp4"
    made.write_bytes(published(path))
    assert len(made.read_bytes()) == len(data)
    assert SECRET not in made.read_bytes()
    assert b"TIMEWHEN" not in made.read_bytes()
    assert frames(made) == frames(plain)


def test_what_the_boxes_do_not_prove_is_cut(plain, moving, tmp_path):
    assert blanks(plain) is not None
    data = plain.read_bytes()

    def proven(changed: bytes) -> bool:
        path = tmp_path / "changed.mp4"
        path.write_bytes(changed)
        return blanks(path) is not None

    assert proven(data + box(b"free", b"x" * 20))
    assert not proven(data + box(b"junk", SECRET)), "a box that nobody knows"
    assert not proven(data + box(b"mdat", SECRET)), "media of nobody"
    at = data.index(b"mdhd") + 4 + 16
    assert not proven(data[:at] + struct.pack(">I", 12345) + data[at + 4 :]), "a duration that is not true"


def test_an_edit_list_that_hides_frames_proves_nothing(plain, tmp_path):
    data = bytearray(plain.read_bytes())
    at = data.index(b"elst") + 4
    (media_time,) = struct.unpack_from(">i", data, at + 12)
    with av.open(str(plain)) as container:
        ticks = round(Fraction(1, 20) / container.streams.video[0].time_base)
    struct.pack_into(">i", data, at + 12, media_time + 3 * ticks)
    path = tmp_path / "hidden.mp4"
    path.write_bytes(data)
    row = probe(str(path), start=None, end=None, limits=Decode())
    assert row["frames"] == 37
    assert blanks(path) is None


@pytest.mark.parametrize("flags", ["frag_keyframe", "empty_moov"])
def test_fragments_prove_nothing(plain, tmp_path, flags):
    path = tmp_path / "fragmented.mp4"
    with av.open(str(plain)) as source, av.open(str(path), "w", options={"movflags": flags}) as target:
        copy = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = copy
                target.mux(packet)
    assert blanks(path) is None


def test_damaged_boxes_prove_nothing_and_raise_nothing(plain, tmp_path):
    form = Form.of(probe(str(plain), start=None, end=None, limits=Decode()))
    data = plain.read_bytes()
    begin = data.index(b"moov")
    rng = np.random.default_rng(0)
    path = tmp_path / "damaged.mp4"
    for _ in range(300):
        changed = bytearray(data)
        for at in rng.integers(begin, len(data), 3):
            changed[at] = rng.integers(256)
        path.write_bytes(changed)
        blanks_of(str(path), timing=form.timing, sound=False)
    for kept in range(8, len(data), 997):
        path.write_bytes(data[:kept])
        assert blanks_of(str(path), timing=form.timing, sound=False) is None
