"""Rows and files agree on frames, rate and duration, as readers see them that are not ours."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from shotscribe.builder.contract.limits import Decode
from shotscribe.builder.media.cut import Form, cut
from shotscribe.builder.media.video import probe

LIMITS = Decode()


def durations(path: Path) -> tuple[list[int], int]:
    """The ticks of each frame (stts), and ticks a second, of an mp4 with one video track; read by hand."""
    data = path.read_bytes()
    track = next(box for box in boxes(data, ("moov", "trak")) if b"vide" in box)
    (header,) = boxes(track, ("mdia", "mdhd"))
    (table,) = boxes(track, ("mdia", "minf", "stbl", "stts"))
    runs = struct.iter_unpack(">II", table[8:])
    return [ticks for count, ticks in runs for _ in range(count)], struct.unpack(">I", header[12:16])[0]


def boxes(data: bytes, path: tuple[str, ...]) -> Iterator[bytes]:
    at = 0
    while at + 8 <= len(data):
        size, name = struct.unpack(">I4s", data[at : at + 8])
        if name.decode("latin1") == path[0]:
            inside = data[at + 8 : at + size]
            yield from boxes(inside, path[1:]) if path[1:] else [inside]
        at += max(size, 8)


def checked(path: Path, target: Path, start: float | None = None, end: float | None = None) -> dict[str, Any]:
    """The row of a clip, after its mp4 was found to be what the row says."""
    decord = pytest.importorskip("decord")
    row = probe(str(path), start=start, end=end, limits=LIMITS)
    cut(str(path), str(target), form=Form.of(row), limits=LIMITS)
    rate = Fraction(row["fps_num"], row["fps_den"])
    ticks, per_second = durations(target)
    assert len(ticks) == row["frames"]
    assert sum(ticks) / per_second == pytest.approx(row["duration"], abs=2 / per_second)
    assert row["end"] - row["start"] == pytest.approx(row["duration"], abs=2e-6)
    assert round(row["duration"] * row["fps"]) == row["frames"]
    assert float(rate) == pytest.approx(row["fps"], abs=1e-6)
    assert float(row["frames"] / rate) == pytest.approx(row["duration"], abs=1e-6)
    if not row["variable_frame_rate"]:
        assert {Fraction(one, per_second) for one in ticks} == {1 / rate}
    with av.open(str(target)) as container:
        stream = container.streams.video[0]
        times = [frame.pts * frame.time_base for frame in container.decode(stream)]
        assert (len(times), times[0]) == (row["frames"], 0)
        assert float(stream.average_rate) == pytest.approx(
            float(rate), rel=1e-3 if row["variable_frame_rate"] else 1e-9
        )
    reader = decord.VideoReader(str(target), num_threads=1)
    assert len(reader) == row["frames"]
    assert reader.get_avg_fps() == pytest.approx(row["fps"], rel=1e-3)
    return row


RATES = [Fraction(24), Fraction(24000, 1001), Fraction(25), Fraction(30000, 1001), Fraction(60), Fraction(15, 2)]


@pytest.mark.parametrize("rate", RATES, ids=str)
@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_a_constant_rate_stays_so_in_every_clip(encode, moving, tmp_path, rate, suffix):
    images = moving(96, size=(48, 64))
    path = encode(tmp_path / f"a.{suffix}", images, fps=rate, options={"g": "12", "preset": "ultrafast", "bf": "2"})
    lasts = float(96 / rate)
    whole = checked(path, tmp_path / "whole.mp4")
    assert (whole["frames"], whole["whole"]) == (96, True)
    for start, end in [(0.0, 1.0), (0.31 * lasts, 0.77 * lasts), (0.5 * lasts, lasts), (0.123 * lasts, 0.4 * lasts)]:
        row = checked(path, tmp_path / "part.mp4", start, end)
        assert (Fraction(row["fps_num"], row["fps_den"]), row["variable_frame_rate"]) == (rate, False)
        assert abs(row["start"] - start) <= 0.5 / rate + 0.001
        assert abs(row["end"] - end) <= 0.5 / rate + 0.001


def test_clips_that_share_a_time_share_no_frame(encode, moving, tmp_path):
    path = encode(tmp_path / "a.mp4", moving(60, size=(48, 64)), fps=24)
    edges = [0.0, 0.507, 0.9, 1.48, 2.5]
    rows = [probe(str(path), start=a, end=b, limits=LIMITS) for a, b in itertools.pairwise(edges)]
    assert [row["start"] for row in rows[1:]] == pytest.approx([row["end"] for row in rows[:-1]])
    assert sum(row["frames"] for row in rows) == 60


@pytest.mark.parametrize(
    "times",
    [
        [0.0],
        [0.0, 0.1, 0.2, 0.9, 1.0, 2.5],
        [*(at / 60 for at in range(12)), 2.1],  # 60 a second, then one that stands
    ],
)
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_any_rate_is_frames_by_duration(encode, moving, tmp_path, times, suffix):
    path = encode(tmp_path / f"v.{suffix}", moving(len(times)), times=times, fps=60)
    row = checked(path, tmp_path / "whole.mp4")
    frames = row["frames"]
    assert frames == len(times)
    assert row["variable_frame_rate"] == (frames > 1)
    assert row["fps"] == pytest.approx(frames / row["duration"], rel=1e-4)
    if frames > 1:
        part = checked(path, tmp_path / "part.mp4", 0.0, 1.0)
        assert part["frames"] < frames


def test_one_frame_of_a_running_video_lasts_what_its_rate_says(encode, moving, tmp_path):
    path = encode(tmp_path / "a.mp4", moving(30), fps=Fraction(30000, 1001))
    row = checked(path, tmp_path / "part.mp4", 0.5, 0.51)
    assert (row["frames"], row["fps_num"], row["fps_den"]) == (1, 30000, 1001)


def test_frames_that_cannot_be_decoded_are_still_counted(encode, moving, tmp_path):
    """A few are lost: the one before stands in for each, so that the row stays true."""
    path = encode(tmp_path / "a.mp4", moving(40), fps=20, options={"g": "10", "preset": "ultrafast", "bf": "0"})
    with av.open(str(path)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    for at, size in places[26:28]:
        data[at + 4 : at + size] = bytes(size - 4)
    path.write_bytes(data)
    assert checked(path, tmp_path / "part.mp4", 0.5, 1.9)["frames"] == 28


def test_sampled_times_count_from_the_published_start(encode, moving, tmp_path):
    from shotscribe.builder.contract.frames import Sampling
    from shotscribe.builder.media.video import decode

    path = encode(tmp_path / "a.mp4", moving(50, dx=4), fps=25)
    row = checked(path, tmp_path / "part.mp4", 0.49, 1.01)
    sampling = Sampling(every_s=0.04, long_side_px=None)
    ours = decode(str(path), start=row["start"], end=row["end"], samplings=[sampling], limits=LIMITS)[sampling]
    assert ours.times.tolist() == pytest.approx([at / 25 for at in range(row["frames"])])
    with av.open(str(tmp_path / "part.mp4")) as container:
        theirs = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert all(np.abs(a.astype(float) - b).mean() < 6 for a, b in zip(ours.images, theirs, strict=True))
