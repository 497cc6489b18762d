"""What is published of a file: its video and its sound, as the row says, and nothing that somebody wrote into it."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from shotscribe.builder.contract.limits import Decode
from shotscribe.builder.contract.locations import media_of, media_stat
from shotscribe.builder.media.cut import Form
from shotscribe.builder.media.video import probe
from shotscribe.builder.output.entries import Sample, cut_file

LIMITS = Decode()
SECRET = "PLANTED"
TAGS = {
    "title": f"{SECRET} title",
    "artist": f"{SECRET} artist",
    "comment": f"{SECRET} comment",
    "location": "+48.8577+002.2950/",
    "make": f"{SECRET} phone",
    "creation_time": "2024-03-01T12:00:00Z",
}
SEI = b"\x06\x05\x28" + b"0123456789abcdef" + f"{SECRET} 48.8577 in the SEI".encode()[:24] + b"\x80"
X264_UUID = bytes.fromhex("dc45e9bde6d948b7962cd820d923eeef")

Publish = Callable[..., tuple[dict[str, Any], Path]]


@pytest.fixture
def publish(tmp_path: Path) -> Publish:
    def publish(path: Path, start: float | None = None, end: float | None = None) -> tuple[dict[str, Any], Path]:
        row = probe(str(path), start=start, end=end, limits=LIMITS)
        sample = Sample("a", 1, media_of(path), "1", media_stat(path), Form.of(row), None, b"")
        extent = cut_file(str(tmp_path / "cut.mp4"), sample=sample, limits=LIMITS)
        target = tmp_path / f"published-{path.name}-{start}.mp4"
        with target.open("wb", buffering=0) as file:
            assert extent.copy_to(file.fileno()) == target.stat().st_size
        return row, target

    return publish


def video(container: Any, moving: Any, *, seconds: float, dx: float = 2.0, **tags: str) -> None:
    stream = container.add_stream("libx264", rate=20, options={"preset": "ultrafast"})
    stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
    stream.metadata.update(tags)
    container.start_encoding()
    for index, image in enumerate(moving(round(seconds * 20), dx=dx)):
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        frame.pts, frame.time_base = index, Fraction(1, 20)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def sounding(path: Path, moving: Any, *, picture_s: float, sound_s: float, codec: str = "aac") -> Path:
    with av.open(str(path), "w") as container:
        sound: Any = container.add_stream(codec, rate=48000, layout="mono")
        video(container, moving, seconds=picture_s)
        wave = np.sin(np.arange(round(sound_s * 48000)) * 0.05).astype(np.float32)[None]
        for at in range(0, wave.shape[1], 1024):
            block = av.AudioFrame.from_ndarray(np.ascontiguousarray(wave[:, at : at + 1024]), "fltp", "mono")
            block.sample_rate, block.time_base, block.pts = 48000, Fraction(1, 48000), at
            container.mux(sound.encode(block))
        container.mux(sound.encode(None))
    return path


def lengths(path: Path) -> dict[str, float]:
    with av.open(str(path)) as container:
        return {stream.type: float(stream.duration * stream.time_base) for stream in container.streams}


def planted(path: Path, moving: Any) -> Path:
    """Tags of the file and of its stream, a chapter, an attachment or a timecode track, boxes, data in the stream."""
    plain = path.with_name(f"plain{path.suffix}")
    with av.open(str(plain), "w", options={"movflags": "use_metadata_tags"} if path.suffix == ".mp4" else {}) as made:
        made.metadata.update(TAGS)
        if path.suffix == ".mp4":
            made.metadata["timecode"] = "01:02:03:04"
        made.set_chapters(
            [{"id": 1, "start": 0, "end": 900, "time_base": Fraction(1, 1000), "metadata": {"title": f"{SECRET} part"}}]
        )
        if path.suffix == ".mkv":
            made.add_attachment("note.txt", "text/plain", f"{SECRET} attachment".encode())
        video(made, moving, seconds=1.0, handler_name=f"{SECRET} handler", title=f"{SECRET} track", language="gsw")
    data = plain.read_bytes()
    if path.suffix == ".mp4":
        xmp = b"uuid" + bytes.fromhex("be7acfcb97a942e89c71999491e3afac") + f"<x:xmpmeta>{SECRET}".encode()
        data += (len(xmp) + 4).to_bytes(4, "big") + xmp
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("part", [(None, None), (0.2, 0.8)])
def test_nothing_that_was_written_into_the_file_is_published(publish, moving, tmp_path, suffix, part):
    path = planted(tmp_path / f"phone.{suffix}", moving)
    assert path.read_bytes().count(SECRET.encode()) >= 5
    _, made = publish(path, *part)
    data = made.read_bytes()
    for trace in (SECRET.encode(), b"48.8577", b"gsw", b"tmcd", b"2024", b"chpl", b"xmp"):
        assert trace not in data
    with av.open(str(made)) as container:
        assert [stream.type for stream in container.streams] == ["video"]
        assert container.metadata.keys() <= {"major_brand", "minor_version", "compatible_brands"}


@pytest.mark.parametrize("suffix", ["mp4", "ts"])
def test_data_of_users_in_the_stream_is_blanked_and_the_encoders_own_stays(publish, encode, moving, tmp_path, suffix):
    plain = encode(tmp_path / "plain.h264", moving(20), fps=20)
    path = tmp_path / f"dashcam.{suffix}"
    with av.open(str(plain)) as source, av.open(str(path), "w") as target:
        copy = target.add_stream_from_template(source.streams.video[0])
        for index, packet in enumerate(source.demux(video=0)):
            if not packet.size:
                continue
            changed = av.Packet(b"\0\0\0\1" + SEI + bytes(packet))
            changed.pts = changed.dts = index
            changed.time_base, changed.is_keyframe, changed.stream = Fraction(1, 20), packet.is_keyframe, copy
            target.mux(changed)
    assert SECRET.encode() in path.read_bytes()
    row, made = publish(path)
    assert (row["whole"], row["frames"]) == (True, 20)
    data = made.read_bytes()
    assert SECRET.encode() not in data
    assert X264_UUID in data
    assert frames(made) == frames(path)


def frames(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray().tobytes() for frame in container.decode(video=0)]


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "aac"), ("a.mkv", "aac"), ("b.mkv", "libopus"), ("c.mkv", "flac"), ("a.ts", "aac")]
)
@pytest.mark.parametrize("part", [(None, None), (0.5, 1.5)])
def test_sound_ends_with_the_picture(publish, moving, tmp_path, name, codec, part):
    row, made = publish(sounding(tmp_path / name, moving, picture_s=1.5, sound_s=5.0, codec=codec), *part)
    found = lengths(made)
    assert found["video"] == pytest.approx(row["duration"], abs=0.001)
    assert row["duration"] - 0.03 < found["audio"] <= row["duration"] + 0.0001
    with av.open(str(made)) as container:
        end = max(float((frame.pts + frame.samples) * frame.time_base) for frame in container.decode(audio=0))
        sound = container.streams.audio[0]
        assert (row["audio_rate"], row["audio_channels"]) == (sound.rate, sound.channels) == (48000, 1)
    assert end <= row["duration"] + 1024 / 48000


def test_sound_that_is_shorter_stays_so_in_a_copy(publish, moving, tmp_path):
    row, made = publish(sounding(tmp_path / "short.mp4", moving, picture_s=2.0, sound_s=0.5))
    assert lengths(made)["video"] == row["duration"] == 2.0
    assert lengths(made)["audio"] == pytest.approx(0.5, abs=0.05)


def test_only_the_stream_that_was_measured_is_published(publish, moving, tmp_path):
    path = tmp_path / "two.mp4"
    with av.open(str(path), "w") as container:
        streams: list[Any] = [container.add_stream("libx264", rate=20) for _ in range(2)]
        for stream, (width, height) in zip(streams, [(64, 48), (160, 96)], strict=True):
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for index in range(20):
            for level, stream in zip((0, 200), streams, strict=True):
                image = np.full((stream.height, stream.width, 3), level, np.uint8)
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                frame.pts, frame.time_base = index, Fraction(1, 20)
                container.mux(stream.encode(frame))
        for stream in streams:
            container.mux(stream.encode(None))
    row, made = publish(path)
    with av.open(str(made)) as container:
        assert [(s.type, s.width, s.height) for s in container.streams] == [("video", row["width"], row["height"])]


def test_frames_that_an_edit_list_hides_are_not_published(publish, encode, moving, tmp_path):
    decord = pytest.importorskip("decord")
    plain = encode(tmp_path / "plain.mp4", moving(40, dx=4), fps=20, options={"g": "40", "bf": "0"})
    path = tmp_path / "seeked.mp4"
    with av.open(str(plain)) as source, av.open(str(path), "w") as target:
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream)
        shift = round(Fraction(1, 2) / stream.time_base)
        for packet in source.demux(stream):
            if packet.size:
                packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, copy
                target.mux(packet)
    row, made = publish(path)
    assert (row["frames"], row["duration"]) == (30, 1.5)
    assert len(decord.VideoReader(str(made), num_threads=1)) == 30
    with av.open(str(made)) as ours, av.open(str(plain)) as theirs:
        images = [[frame.to_ndarray(format="gray") for frame in file.decode(video=0)] for file in (ours, theirs)]
    assert len(images[0]) == 30
    assert all(np.abs(a.astype(float) - b).mean() < 4 for a, b in zip(images[0], images[1][10:], strict=True))
