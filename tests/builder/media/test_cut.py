from __future__ import annotations

import hashlib
import os
import struct
import subprocess
import sys
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from shotscribe.builder.contract.errors import ClipError, Reason
from shotscribe.builder.contract.limits import Decode
from shotscribe.builder.media import cut as cut_module
from shotscribe.builder.media.cut import Form, cut
from shotscribe.builder.media.video import probe

LIMITS = Decode()


@pytest.fixture
def cut_of(tmp_path: Path) -> Callable[..., Path]:
    def cut_of(path: Path, start: float | None = None, end: float | None = None) -> Path:
        found = probe(str(path), start=start, end=end, limits=LIMITS)
        target = tmp_path / f"{path.stem}-{start}-{end}-cut.mp4"
        assert cut(str(path), str(target), form=Form.of(found), limits=LIMITS) == target.stat().st_size
        return target

    return cut_of


def shown(path: Path) -> tuple[list[float], list[np.ndarray]]:
    """Times and luma of the frames of a file, as plain PyAV gives them."""
    with av.open(str(path)) as container:
        frames = list(container.decode(container.streams.video[0]))
    times = [round(float(frame.pts * frame.time_base), 4) for frame in frames]
    return times, [frame.reformat(format="gray").to_ndarray() for frame in frames]


def same(a: np.ndarray, b: np.ndarray, *, within: float = 4.0) -> bool:
    return a.shape == b.shape and float(np.abs(a.astype(float) - b.astype(float)).mean()) < within


def seconds(path: Path) -> dict[str, float]:
    with av.open(str(path)) as container:
        return {s.type: round(float(s.duration * s.time_base), 3) for s in container.streams}


def codecs(path: Path) -> dict[str, str]:
    with av.open(str(path)) as container:
        return {s.type: s.codec_context.codec.canonical_name for s in container.streams}


def packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


def stripes(frames: int, *, size: tuple[int, int] = (64, 96)) -> list[np.ndarray]:
    """Every frame unlike every other: its number in binary, as wide black and white bars."""
    height, width = size
    images = []
    for index in range(frames):
        image = np.full((height, width, 3), 128, np.uint8)
        for bit in range(6):
            image[:, bit * (width // 6) : (bit + 1) * (width // 6)] = 255 if index >> bit & 1 else 0
        images.append(image)
    return images


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi", "ts"])
def test_a_part_has_exactly_the_frames_on_screen(encode, cut_of, tmp_path, suffix):
    path = encode(tmp_path / f"a.{suffix}", stripes(50), fps=25, options={"g": "12", "preset": "ultrafast"})
    _, source = shown(path)
    times, images = shown(cut_of(path, 0.5, 1.2))  # 0.5 is in the middle of frame 12
    assert times == [at / 25 for at in range(18)]
    assert all(same(image, source[12 + at]) for at, image in enumerate(images))
    assert seconds(tmp_path / "a-0.5-1.2-cut.mp4")["video"] == 0.72


def test_a_variable_rate_and_a_late_start_are_kept(encode, cut_of, tmp_path):
    times = [5.0, 5.1, 5.15, 5.9, 6.0, 7.5, 7.51, 9.0]
    path = encode(tmp_path / "vfr.mkv", stripes(8), times=times)
    _, source = shown(path)
    found, images = shown(cut_of(path, 0.12, 3.0))  # zero is the first timestamp, 5.0
    assert found == pytest.approx([0, 0.05, 0.8, 0.9, 2.4, 2.41], abs=0.0011)
    assert [next(i for i, s in enumerate(source) if same(image, s)) for image in images] == [1, 2, 3, 4, 5, 6]
    assert seconds(tmp_path / "vfr-0.12-3.0-cut.mp4")["video"] == pytest.approx(2.9, abs=0.002)  # 7.51 stands on


@pytest.mark.parametrize(
    ("times", "asked", "lasts"),
    [
        ([0, 2, 4, 6], (2.5, 3.5), 2.0),  # a frame every two seconds: whole
        ([0, 0.1, 0.2, 9, 9.1, 9.2], (2.5, 3.5), 1.0),  # a picture that stands: what was asked for
        ([0, 0.1, 0.2, 0.3], (0.12, 0.13), 0.1),
    ],
)
def test_a_clip_between_two_frames_is_the_one_on_screen(encode, cut_of, tmp_path, times, asked, lasts):
    path = encode(tmp_path / "slow.mp4", stripes(len(times)), times=times)
    found, images = shown(cut_of(path, *asked))
    assert found == [0]
    assert same(images[0], shown(path)[1][max(at for at, time in enumerate(times) if time <= asked[0])])
    assert seconds(tmp_path / f"slow-{asked[0]}-{asked[1]}-cut.mp4")["video"] == lasts


@pytest.mark.parametrize(
    ("suffix", "codec", "kept"),
    [
        ("mkv", "libx264", True),
        ("ts", "libx264", True),
        ("flv", "libx264", True),
        ("avi", "mpeg4", True),
        ("mkv", "mpeg2video", True),
        ("webm", "libvpx-vp9", True),
        ("mkv", "libx265", True),
        ("webm", "libsvtav1", True),
        ("webm", "libvpx", False),
        ("avi", "mjpeg", False),
        ("mkv", "ffv1", False),
    ],
)
def test_a_whole_file_of_another_container_is_copied_where_mp4_can_hold_it(
    encode, moving, cut_of, monkeypatch, tmp_path, suffix, codec, kept
):
    if kept:
        monkeypatch.delattr(cut_module, "encode_picture")
    pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    path = encode(tmp_path / f"a.{suffix}", moving(20, dx=3), fps=25, codec=codec, pix_fmt=pix_fmt)
    made = cut_of(path)
    if kept:
        assert codecs(made) == codecs(path)
        assert len(packets(made)) == len(packets(path))
    else:
        assert codecs(made) == {"video": "h264"}
    times, images = shown(made)
    assert times == pytest.approx([at / 25 for at in range(20)], abs=0.0011)
    assert all(same(a, b) for a, b in zip(images, shown(path)[1], strict=True))


def test_b_frames_and_their_times_survive_a_copy(encode, moving, cut_of, monkeypatch, tmp_path):
    monkeypatch.delattr(cut_module, "encode_picture")
    path = encode(tmp_path / "b.mkv", moving(40), fps=25, options={"bf": "3", "preset": "medium"})
    made = cut_of(path)
    assert len(packets(made)) == len(packets(path)) == 40
    assert [len(packet) for packet in packets(made)] == [len(packet) for packet in packets(path)]
    assert shown(made)[0] == pytest.approx([at / 25 for at in range(40)], abs=0.0011)
    assert seconds(made)["video"] == pytest.approx(1.6, abs=0.05)


@pytest.mark.parametrize("size", [(63, 95), (64, 95), (63, 96), (3, 3)])
def test_an_odd_last_row_and_column_is_left_off(encode, moving, cut_of, tmp_path, size):
    images = [image[: size[0], : size[1]] for image in moving(12, size=(64, 96))]
    path = encode(tmp_path / "odd.mkv", images, fps=12, codec="ffv1", pix_fmt="yuv444p")
    _, images = shown(cut_of(path, 0.0, 0.5))
    height, width = size[0] // 2 * 2, size[1] // 2 * 2
    assert all(same(a, b[:height, :width], within=6) for a, b in zip(images, shown(path)[1], strict=False))


def turned(path: Path, matrix: Sequence[int]) -> Path:
    """Write a display matrix into an mp4's track header."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40  # version 0
    data[at : at + 36] = struct.pack(">9i", *(v << (30 if i % 3 == 2 else 16) for i, v in enumerate(matrix)))
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("matrix", "clockwise"),
    [((0, 1, 0, -1, 0, 0, 64, 0, 1), 1), ((-1, 0, 0, 0, -1, 0, 96, 64, 1), 2), ((0, -1, 0, 1, 0, 0, 0, 96, 1), 3)],
)
def test_a_part_is_upright_and_a_copy_keeps_the_flag(encode, cut_of, tmp_path, matrix, clockwise):
    plain = encode(tmp_path / "r.mp4", stripes(12), fps=12)
    upright = [np.rot90(image, -clockwise) for image in shown(plain)[1]]
    path = turned(plain, matrix)
    assert probe(str(path), start=None, end=None, limits=LIMITS)["rotation"] == clockwise * 90
    made = cut_of(path, 0.0, 0.5)
    _, images = shown(made)
    assert len(images) == 6
    assert all(same(a, b) for a, b in zip(images, upright, strict=False))
    assert probe(str(made), start=None, end=None, limits=LIMITS)["rotation"] == 0


def test_ten_bits_and_colour_tags_stay(encode, moving, cut_of, tmp_path):
    options = {"color_primaries": "bt2020", "color_trc": "smpte2084", "colorspace": "bt2020nc", "color_range": "tv"}
    path = encode(
        tmp_path / "hdr.mkv",
        moving(12),
        fps=12,
        codec="libx265",
        pix_fmt="yuv420p10le",
        options={**options, "x265-params": "colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:range=limited"},
    )
    with av.open(str(cut_of(path, 0.0, 0.5))) as made, av.open(str(path)) as source:
        ours, theirs = (next(container.decode(video=0)) for container in (made, source))
    assert ours.format.name == theirs.format.name == "yuv420p10le"
    tags = ("color_range", "colorspace", "color_primaries", "color_trc")
    assert [getattr(ours, tag) for tag in tags] == [getattr(theirs, tag) for tag in tags] == [1, 9, 9, 16]


def side_data(path: Path) -> dict[str, bytes]:
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        return {
            kind: bytes(frame.side_data.get(kind) or b"")
            for kind in ("MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL")
        }


def test_what_hdr_video_says_of_its_light_stays(encode, moving, cut_of, tmp_path):
    master = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
    options = {"x265-params": f"hdr10=1:master-display={master}:max-cll=1000,400"}
    path = encode(tmp_path / "light.mkv", moving(12), fps=12, codec="libx265", pix_fmt="yuv420p10le", options=options)
    ours, theirs = side_data(cut_of(path, 0.0, 0.5)), side_data(path)
    assert all(theirs.values())
    assert ours["CONTENT_LIGHT_LEVEL"] == theirs["CONTENT_LIGHT_LEVEL"]
    numbers = [np.frombuffer(one["MASTERING_DISPLAY_METADATA"], np.int32) for one in (ours, theirs)]
    assert np.allclose(*(one[:20:2] / one[1:20:2] for one in numbers))


def test_a_part_of_interlaced_video_has_no_combs(cut_of, tmp_path):
    """A bar that moves 8 pixels a field: woven, its edges are combs."""
    path = tmp_path / "camcorder.mkv"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25, options={"x264-params": "tff=1:crf=10"})
        stream.width, stream.height, stream.pix_fmt = 320, 96, "yuv420p"
        for index in range(25):
            image = np.zeros((96, 320, 3), np.uint8)
            for field in (0, 1):
                at = 8 * (2 * index + field) % 260
                image[field::2, at : at + 40] = 255
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    row = probe(str(path), start=0.2, end=0.8, limits=LIMITS)
    assert row["interlaced"]
    made = cut_of(path, 0.2, 0.8)
    _, images = shown(made)
    assert len(images) == row["frames"] == 15
    with av.open(str(made)) as container:
        assert not any(frame.interlaced_frame for frame in container.decode(video=0))
    for image in images:
        lines = image.astype(float)
        combs = np.abs(lines[1:-1] - (lines[:-2] + lines[2:]) / 2).mean()
        assert combs < 3, "of 255; woven it is about 12"


def test_a_size_that_changes_on_the_way_becomes_the_first(encode, moving, cut_of, tmp_path):
    first = encode(tmp_path / "1.ts", moving(10, size=(64, 96)), fps=10)
    second = encode(tmp_path / "2.ts", moving(10, size=(96, 128)), fps=10, times=[3 + at / 10 for at in range(10)])
    both = tmp_path / "both.ts"
    both.write_bytes(first.read_bytes() + second.read_bytes())
    _, images = shown(cut_of(both, 0.1, 3.5))
    assert len(images) > 12
    assert {image.shape for image in images} == {(64, 96)}


def with_sound(
    path: Path, wave: np.ndarray, *, rate: int, codec: str, layout: str, frames: int, start: float = 0.0
) -> Path:
    """10 frames a second, and a wave (float32, channels x samples) that begins `start` seconds after the picture."""
    with av.open(str(path), "w") as container:
        video: Any = container.add_stream("libx264", rate=10)
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        sound: Any = container.add_stream(codec, rate=rate)
        sound.codec_context.layout = layout
        for index, image in enumerate(stripes(frames)):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 10)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        resampler = av.AudioResampler(format=sound.codec_context.format, layout=layout, rate=rate)
        for at in range(0, wave.shape[1], 1024):
            block = av.AudioFrame.from_ndarray(np.ascontiguousarray(wave[:, at : at + 1024]), "fltp", layout)
            block.sample_rate, block.time_base, block.pts = rate, Fraction(1, rate), at + round(start * rate)
            for made in resampler.resample(block):
                container.mux(sound.encode(made))
        container.mux(sound.encode(None))
    return path


def loudness(path: Path, *, step_s: float = 0.02) -> tuple[np.ndarray, int]:
    """Root mean square in steps from the picture's zero, and the number of channels."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        rate = stream.rate
        line = np.zeros((stream.codec_context.channels, rate * 20), np.float32)
        resampler = av.AudioResampler(format="fltp")
        for frame in container.decode(stream):
            for block in resampler.resample(frame):
                samples, at = block.to_ndarray(), round(float(frame.pts * frame.time_base) * rate)
                skip = max(0, -at)
                line[:, at + skip : at + samples.shape[1]] = samples[:, skip:]
    step = round(step_s * rate)
    return np.sqrt((line[0][: len(line[0]) // step * step].reshape(-1, step) ** 2).mean(1)), line.shape[0]


def beep(rate: int, seconds: float, at: float, channels: int) -> np.ndarray:
    """Silence with a tone of 0.2 s."""
    wave = np.zeros((channels, round(rate * seconds)), np.float32)
    begin, end = round(at * rate), round((at + 0.2) * rate)
    wave[:, begin:end] = 0.5 * np.sin(np.arange(end - begin) * 2 * np.pi * 440 / rate)
    return wave


@pytest.mark.parametrize(
    ("suffix", "codec", "rate", "layout", "start"),
    [
        ("mp4", "aac", 44100, "stereo", 0.0),
        ("mkv", "libopus", 48000, "mono", 0.0),
        ("mkv", "pcm_s16le", 11025, "5.1", 0.0),
        ("mkv", "flac", 192000, "stereo", 0.0),
        ("mkv", "ac3", 48000, "stereo", 0.7),
        ("ts", "mp2", 48000, "stereo", 0.0),
    ],
)
def test_sound_is_cut_where_the_picture_is(cut_of, tmp_path, suffix, codec, rate, layout, start):
    channels = {"mono": 1, "stereo": 2, "5.1": 6}[layout]
    wave = beep(rate, 4.0 - start, 2.5 - start, channels)
    path = with_sound(tmp_path / f"s.{suffix}", wave, rate=rate, codec=codec, layout=layout, frames=40, start=start)
    made = cut_of(path, 2.1, 3.3)
    level, kept = loudness(made)
    loud = np.flatnonzero(level > 0.1) * 0.02
    assert (loud[0], loud[-1] + 0.02) == pytest.approx((0.4, 0.6), abs=0.041)
    assert codecs(made) == {"video": "h264", "audio": "aac"}
    assert kept == min(2, channels)
    assert seconds(made)["audio"] == pytest.approx(1.2, abs=0.03)


def test_sound_that_begins_late_is_silence_before(cut_of, tmp_path):
    wave = beep(48000, 1.0, 0.5, 1)
    path = with_sound(tmp_path / "late.mkv", wave, rate=48000, codec="aac", layout="mono", frames=40, start=2.0)
    level, _ = loudness(cut_of(path, 1.0, 4.0))
    loud = np.flatnonzero(level > 0.1) * 0.02
    assert (loud[0], loud[-1] + 0.02) == pytest.approx((1.5, 1.7), abs=0.041)
    assert seconds(tmp_path / "late-1.0-4.0-cut.mp4")["audio"] == pytest.approx(3.0, abs=0.03)


@pytest.mark.parametrize(
    ("suffix", "codec", "kept"), [("mkv", "aac", "aac"), ("ts", "aac", "aac"), ("mkv", "flac", "aac")]
)
def test_a_copy_has_its_sound(cut_of, tmp_path, suffix, codec, kept):
    wave = beep(48000, 4.0, 2.5, 2)
    path = with_sound(tmp_path / f"c.{suffix}", wave, rate=48000, codec=codec, layout="stereo", frames=40)
    made = cut_of(path)
    level, _ = loudness(made)
    loud = np.flatnonzero(level > 0.1) * 0.02
    assert (loud[0], loud[-1] + 0.02) == pytest.approx((2.5, 2.7), abs=0.041)
    assert codecs(made) == {"video": "h264", "audio": kept}


def test_the_same_bytes_whatever_the_memory_holds(encode, moving, tmp_path):
    """x264 reads memory that it did not write, with some settings: MALLOC_PERTURB_ fills it differently."""
    path = encode(tmp_path / "a.mp4", moving(48, size=(150, 214), dx=5), fps=24, audio=True)
    digests = set()
    for fill in ("0", "85", "255"):
        target = tmp_path / f"{fill}.mp4"
        code = (
            "from shotscribe.builder.media.cut import Form, cut\n"
            "from shotscribe.builder.contract.limits import Decode\n"
            "from shotscribe.builder.media.video import probe\n"
            f"form = Form.of(probe({str(path)!r}, start=0.3, end=1.9, limits=Decode()))\n"
            f"cut({str(path)!r}, {str(target)!r}, form=form, limits=Decode())"
        )
        subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "MALLOC_PERTURB_": fill})
        digests.add(hashlib.sha256(target.read_bytes()).hexdigest())
    assert len(digests) == 1
    data = target.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    assert b"Lavf" not in data
    assert b"Lavc" not in data


def test_a_stretch_that_cannot_be_decoded_is_an_error(encode, moving, cut_of, tmp_path):
    path = encode(tmp_path / "a.mp4", moving(60), fps=20, options={"g": "20", "preset": "ultrafast"})
    data = bytearray(path.read_bytes())
    begin = data.index(b"mdat") + 4
    end = data.index(b"moov")
    for at in range(begin + (end - begin) // 3, end - 100, 7):
        data[at] ^= 0x5A
    path.write_bytes(data)
    with pytest.raises(ClipError) as caught:
        cut_of(path, 0.5, 3.0)
    assert caught.value.rejection.reason == Reason.DECODE_ERROR
    assert str(tmp_path) not in caught.value.rejection.detail


def test_a_target_that_cannot_be_written_is_no_fault_of_the_clip(encode, moving, tmp_path):
    path = encode(tmp_path / "a.mp4", moving(12), fps=12)
    form = Form.of(probe(str(path), start=0.1, end=0.5, limits=LIMITS))
    with pytest.raises(OSError, match="No such file"):
        cut(str(path), str(tmp_path / "no" / "o.mp4"), form=form, limits=LIMITS)
