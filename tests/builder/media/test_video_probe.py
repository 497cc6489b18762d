"""Opening and probing untrusted media."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from shotscribe.builder.contract.clip import PROBE_COLUMNS
from shotscribe.builder.contract.errors import ClipError, Reason
from shotscribe.builder.contract.frames import Sampling
from shotscribe.builder.contract.limits import Decode
from shotscribe.builder.media.video import decode, probe

LIMITS = Decode()
Moving = Callable[..., Iterable[np.ndarray]]


def rejected(path: Path | str, *, start: float | None = None, end: float | None = None) -> tuple[Reason, str]:
    with pytest.raises(ClipError) as caught:
        probe(str(path), start=start, end=end, limits=LIMITS)
    rejection = caught.value.rejection
    assert str(Path(path).parent) not in rejection.detail or str(Path(path).parent) == "/"
    return rejection.reason, rejection.detail


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory, encode: Callable[..., Path], moving: Moving) -> Path:
    """2 s at 25 frames a second, 96x64, with sound."""
    path = tmp_path_factory.mktemp("probe") / "clip.mp4"
    return encode(path, moving(50, size=(64, 96)), fps=25, audio=True)


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory, encode: Callable[..., Path], moving: Moving) -> Path:
    """8 s with a key frame every 2 s."""
    path = tmp_path_factory.mktemp("probe") / "long.mp4"
    return encode(path, moving(200, size=(64, 96)), fps=25, options={"g": "50", "bf": "0", "sc_threshold": "0"})


def test_the_columns_of_a_whole_file(clip: Path) -> None:
    row = probe(str(clip), start=None, end=None, limits=LIMITS)
    assert set(row) == set(PROBE_COLUMNS)
    assert row == {
        "start": 0.0,
        "end": pytest.approx(2.0),
        "duration": pytest.approx(2.0),
        "frames": 50,
        "fps": 25.0,
        "fps_num": 25,
        "fps_den": 1,
        "variable_frame_rate": False,
        "width": 96,
        "height": 64,
        "rotation": 0,
        "mirrored": False,
        "interlaced": False,
        "color_transfer": None,
        "bit_depth": 8,
        "pixel_aspect": "1:1",
        "codec": "h264",
        "container": "mov",
        "has_audio": True,
        "audio_rate": 48000,
        "audio_channels": 2,
        "media_duration": pytest.approx(2.0),
        "whole": True,
    }


def test_a_range(long_clip: Path) -> None:
    row = probe(str(long_clip), start=4.51, end=6.0, limits=LIMITS)
    assert (row["start"], row["end"], row["duration"]) == (4.52, 6.0, 1.48)
    assert row["media_duration"] == pytest.approx(8.0)
    assert row["fps"] == 25.0
    assert not row["whole"]


def test_ranges_that_are_clamped_or_refused(clip: Path) -> None:
    row = probe(str(clip), start=0.0, end=2.4, limits=LIMITS)
    assert (row["end"], row["whole"]) == (pytest.approx(2.0), True)
    assert probe(str(clip), start=1.0, end=None, limits=LIMITS)["duration"] == pytest.approx(1.0)
    for start, end in [(0.0, 3.0), (2.0, 2.2), (1.0, 1.0), (1.5, 1.0), (-1.0, 1.0), (float("nan"), 1.0), (9.0, None)]:
        assert rejected(clip, start=start, end=end)[0] is Reason.OUT_OF_RANGE


def test_rates(tmp_path: Path, encode: Callable[..., Path], moving: Moving) -> None:
    varying = [0.0, 0.1, 0.2, 0.9, 1.0, 2.5]
    row = probe(str(encode(tmp_path / "v.mkv", moving(6), times=varying)), start=None, end=None, limits=LIMITS)
    assert row["fps"] == pytest.approx(6 / row["duration"])
    assert row["variable_frame_rate"]
    slow = encode(tmp_path / "slow.mp4", moving(4), times=[0.0, 10.0, 20.0, 30.0])
    row = probe(str(slow), start=None, end=None, limits=LIMITS)
    assert (row["fps"], row["duration"]) == (pytest.approx(4 / 30, abs=0.001), pytest.approx(30.0, abs=0.1))
    row = probe(str(slow), start=11.0, end=19.0, limits=LIMITS)  # no frame begins in it
    assert (row["start"], row["end"], row["fps"], row["frames"]) == (10.0, 20.0, 0.1, 1)


@pytest.mark.parametrize("kept", [60, 120])
def test_a_cut_off_file_is_as_long_as_what_it_holds(long_clip: Path, tmp_path: Path, kept: int) -> None:
    """Cut off within a frame; its index, at the front, still claims 8 s."""
    fast = tmp_path / "fast.mp4"
    with av.open(str(long_clip)) as source, av.open(str(fast), "w", options={"movflags": "faststart"}) as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    with av.open(str(fast)) as container:
        packet = list(container.demux(video=0))[kept]
    fast.write_bytes(fast.read_bytes()[: packet.pos + packet.size // 2])
    with av.open(str(fast)) as container:
        assert container.duration == 8_000_000
    row = probe(str(fast), start=None, end=None, limits=LIMITS)
    assert row["media_duration"] == pytest.approx(kept / 25)
    part = probe(str(fast), start=0.5, end=1.5, limits=LIMITS)
    assert part["media_duration"] == pytest.approx(kept / 25)
    every = Sampling(every_s=0.04)
    frames = decode(str(fast), start=0.0, end=row["end"], samplings=[every], limits=LIMITS)[every]
    assert len(frames.images) == kept
    assert rejected(fast, start=7.0, end=8.0)[0] is Reason.OUT_OF_RANGE
    with pytest.raises(ClipError, match="the media ends at"):
        decode(str(fast), start=0.0, end=8.0, samplings=[every], limits=LIMITS)


def test_what_is_no_regular_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.mp4")
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "device.mp4").symlink_to("/dev/zero")
    (tmp_path / "dangling.mp4").symlink_to(tmp_path / "nothing")
    assert rejected(tmp_path / "fifo.mp4") == (Reason.REFUSED, "not a regular file: a named pipe")
    assert rejected(tmp_path / "folder.mp4") == (Reason.REFUSED, "not a regular file: a folder")
    assert rejected(tmp_path / "device.mp4") == (Reason.REFUSED, "not a regular file: a device")
    assert rejected(tmp_path / "dangling.mp4")[0] is Reason.MISSING_FILE
    assert rejected(tmp_path / "missing.mp4")[0] is Reason.MISSING_FILE
    assert rejected(f"{tmp_path}/zero\0byte.mp4")[0] is Reason.UNREADABLE


def test_scripts_that_name_other_files_are_refused(clip: Path, tmp_path: Path) -> None:
    for name, text in {
        "concat.mp4": f"ffconcat version 1.0\nfile '{clip}'\n",
        "bom.mp4": f"\ufeffffconcat version 1.0\nfile '{clip}'\n",
        "list.mp4": f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{clip}\n#EXT-X-ENDLIST\n",
        "session.mp4": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video 5000 RTP/AVP 96\n",
        "manifest.mp4": f'<?xml version="1.0"?><MPD><Period><BaseURL>{clip}</BaseURL></Period></MPD>',
    }.items():
        path = tmp_path / name
        path.write_text(text)
        assert rejected(path)[0] in {Reason.REFUSED, Reason.UNREADABLE}, name
    assert rejected(tmp_path / "concat.mp4") == (Reason.REFUSED, "a playlist, not a video")


def test_a_name_is_only_a_name(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ["concat:a|b.mp4", "http:x.mp4", "-i.mp4", "data:,x.mp4", os.fsdecode(b"caf\xe9.mp4"), "%d.mp4"]:
        shutil.copy(clip, name)
        assert probe(name, start=None, end=None, limits=LIMITS)["width"] == 96


def test_what_is_no_video(tmp_path: Path, encode: Callable[..., Path], moving: Moving) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("no video\n" * 100)
    whole = encode(tmp_path / "whole.mp4", moving(10))
    (tmp_path / "headless.mp4").write_bytes(whole.read_bytes()[:-400])
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.rate = 48000
        container.mux([*stream.encode(frame), *stream.encode(None)])
    with av.open(str(tmp_path / "picture.mp4"), "w", format="image2", options={"update": "1"}) as container:
        image = container.add_stream("png", rate=1)
        image.width, image.height, image.pix_fmt = 16, 16, "rgb24"
        container.mux([*image.encode(av.VideoFrame(16, 16, "rgb24")), *image.encode(None)])
    assert rejected(tmp_path / "empty.mp4") == (Reason.UNREADABLE, "empty file")
    assert rejected(tmp_path / "text.mp4")[0] is Reason.UNREADABLE
    assert rejected(tmp_path / "headless.mp4")[0] is Reason.UNREADABLE
    assert rejected(tmp_path / "sound.mp4") == (Reason.NOT_A_VIDEO, "no video stream")
    assert rejected(tmp_path / "picture.mp4")[0] is Reason.REFUSED


def gif(path: Path, images: Iterable[np.ndarray], lasts_s: Sequence[float]) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("gif", rate=100)
        stream.height, stream.width, stream.pix_fmt = 64, 96, "bgr8"
        at = 0
        for image, seconds in zip(images, lasts_s, strict=True):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="bgr8")
            frame.pts, frame.time_base = at, Fraction(1, 100)
            at += round(100 * seconds)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_a_gif_is_a_clip(tmp_path: Path, moving: Callable[..., Iterable[np.ndarray]]) -> None:
    """With the durations that its frames have."""
    images = [np.ascontiguousarray(image) for image in moving(10, size=(64, 96))]
    path = gif(tmp_path / "a.gif", images, [0.1] * 5 + [0.3] * 5)
    row = probe(str(path), start=None, end=None, limits=LIMITS)
    assert (row["width"], row["height"], row["container"], row["codec"]) == (96, 64, "gif", "gif")
    assert row["duration"] == pytest.approx(1.71)  # FFmpeg writes 0.01 s for the last one
    every = Sampling(every_s=0.1, long_side_px=96)
    got = decode(str(path), start=0.0, end=row["end"], samplings=[every], limits=LIMITS)[every]
    assert got.times.tolist() == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.8, 1.1, 1.4, 1.7])
    for image, shown in zip(images, got.images, strict=True):
        assert np.abs(image.astype(int) - shown).mean() < 30  # 256 colours


def test_webp_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "animated.gif"
    path.write_bytes(b"RIFF\x24\0\0\0WEBPVP8X\x0a\0\0\0\x02" + bytes(27))
    with pytest.raises(ClipError, match=r"a WebP picture: .* convert it to gif or mp4") as caught:
        probe(str(path), start=None, end=None, limits=LIMITS)
    assert caught.value.rejection.reason is Reason.REFUSED


def test_limits(clip: Path) -> None:
    for limits, detail in {
        Decode(max_pixels=6143): "max_pixels: 96x64 = 6144 > 6143",
        Decode(max_frames=49): "max_frames: more than 49 frames",
    }.items():
        with pytest.raises(ClipError) as caught:
            probe(str(clip), start=None, end=None, limits=limits)
        assert (caught.value.rejection.reason, caught.value.rejection.detail) == (Reason.LIMIT, detail)
    assert probe(str(clip), start=None, end=None, limits=Decode(max_pixels=6144, max_frames=50))["whole"]


def mutated(content: bytes, seed: int) -> bytes:
    noise, out = random.Random(seed), bytearray(content)
    kind = seed % 5
    if kind == 0:
        for _ in range(noise.choice([1, 10, 200])):
            out[noise.randrange(len(out))] ^= 1 << noise.randrange(8)
    elif kind == 1:
        del out[noise.randrange(1, len(out)) :]
    elif kind == 2:
        at = noise.randrange(len(out))
        out[at : at + 500] = noise.randbytes(len(out[at : at + 500]))
    else:  # the index: at the front or at the back
        for _ in range(20):
            at = noise.randrange(1500)
            out[at if kind == 3 else -1 - at] = noise.choice([0, 127, 255, noise.randrange(256)])
    return bytes(out)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi", "ts", "flv"])
def test_only_clip_errors_come_out_of_damaged_files(
    tmp_path: Path, encode: Callable[..., Path], moving: Moving, suffix: str
) -> None:
    content = encode(tmp_path / f"good.{suffix}", moving(20, size=(48, 64)), fps=25, audio=suffix == "mp4").read_bytes()
    samplings = [Sampling(every_s=0.1), Sampling(fractions=(0.0, 1.0), with_last=True, long_side_px=32)]
    details: list[str] = []
    for seed in range(40):
        path = tmp_path / f"{seed}.{suffix}"
        path.write_bytes(mutated(content, seed))
        try:
            row = probe(str(path), start=None, end=None, limits=LIMITS)
            decoded = decode(str(path), start=0.0, end=row["end"], samplings=samplings, limits=LIMITS)
        except ClipError as error:
            details.append(error.rejection.detail)
            continue
        for frames in decoded.values():
            assert len(frames.times) == len(frames.images) > 0
            assert (np.diff(frames.times) > 0).all()
    assert details
    assert not any(str(tmp_path) in detail for detail in details)
