"""What players show: all eight orientations, square pixels, and the video of a file that has pictures too."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
import pytest
from av.stream import Disposition
from shotscribe.builder.contract.errors import ClipError, Reason
from shotscribe.builder.contract.frames import Sampling
from shotscribe.builder.contract.limits import Decode
from shotscribe.builder.media.container import open_media, video_stream
from shotscribe.builder.media.shown import square_size
from shotscribe.builder.media.video import decode, probe

LIMITS = Decode()
FIRST = Sampling(fractions=(0.0,), long_side_px=100_000)


def corners(size: tuple[int, int] = (64, 96)) -> np.ndarray:
    """Red, green, blue and white quarters, from the left above to the right below."""
    height, width = size
    picture = np.zeros((height, width, 3), np.uint8)
    for index, color in enumerate([(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)]):
        top, left = index // 2 * height // 2, index % 2 * width // 2
        picture[top : top + height // 2, left : left + width // 2] = color
    return picture


def remuxed(path: Path, target: Path, matrix: Sequence[int]) -> Path:
    """The same packets under a display matrix."""
    with av.open(str(path)) as source, av.open(str(target), "w") as container:
        stream = container.add_stream_from_template(source.streams.video[0])
        stream.set_display_matrix([*matrix[:2], 0, *matrix[2:], 0, 0, 0, 1 << 30])
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                packet.stream = stream
                container.mux(packet)
    return target


def first_image(path: Path, *, decoder: Literal["pyav", "decord"] = "pyav") -> np.ndarray:
    clip = probe(str(path), start=None, end=None, limits=LIMITS)
    limits = Decode(decoder=decoder)
    image = decode(str(path), start=0.0, end=clip["end"], samplings=[FIRST], limits=limits)[FIRST].images[0]
    assert image.shape[:2] == (clip["height"], clip["width"])
    return image


# (x, y) of the coded picture -> (ax + cy, bx + dy) of the shown one, and how numpy says it
ORIENTATIONS: dict[tuple[int, int, int, int], Callable[[np.ndarray], np.ndarray]] = {
    (1, 0, 0, 1): lambda image: image,
    (-1, 0, 0, 1): lambda image: image[:, ::-1],
    (1, 0, 0, -1): lambda image: image[::-1],
    (-1, 0, 0, -1): lambda image: image[::-1, ::-1],
    (0, 1, -1, 0): lambda image: np.rot90(image, k=-1),
    (0, -1, 1, 0): lambda image: np.rot90(image),
    (0, 1, 1, 0): lambda image: image.swapaxes(0, 1),
    (0, -1, -1, 0): lambda image: image[::-1, ::-1].swapaxes(0, 1),
}


@pytest.fixture(scope="module")
def coded(tmp_path_factory: pytest.TempPathFactory, encode: Callable[..., Path]) -> Path:
    return encode(tmp_path_factory.mktemp("coded") / "coded.mp4", [corners()] * 5)


@pytest.mark.parametrize("matrix", ORIENTATIONS)
def test_frames_are_shown_in_all_eight_orientations(
    tmp_path: Path, coded: Path, matrix: tuple[int, int, int, int]
) -> None:
    path = remuxed(coded, tmp_path / "turned.mp4", [number << 16 for number in matrix])
    np.testing.assert_array_equal(first_image(path), ORIENTATIONS[matrix](first_image(coded)))
    row = probe(str(path), start=None, end=None, limits=LIMITS)
    back = first_image(coded)
    for _ in range(row["rotation"] // 90):
        back = np.rot90(back, k=-1)
    np.testing.assert_array_equal(back[:, ::-1] if row["mirrored"] else back, first_image(path))


@pytest.mark.parametrize("degrees", [0.5, 89.4, 180.3, 269.7])
def test_a_turn_next_to_a_quarter_is_a_quarter(tmp_path: Path, coded: Path, degrees: float) -> None:
    cos, sin = (round(65536 * part(np.radians(degrees))) for part in (np.cos, np.sin))
    path = remuxed(coded, tmp_path / "nearly.mp4", [cos, sin, -sin, cos])
    np.testing.assert_array_equal(first_image(path), np.rot90(first_image(coded), k=-round(degrees / 90)))


@pytest.mark.parametrize("matrix", ORIENTATIONS)
def test_decord_shows_the_same_or_refuses(tmp_path: Path, coded: Path, matrix: tuple[int, int, int, int]) -> None:
    pytest.importorskip("decord")
    path = remuxed(coded, tmp_path / "turned.mp4", [number << 16 for number in matrix])
    a, b, c, d = matrix
    if a * d - b * c < 0:
        with pytest.raises(ClipError, match="decord does not show mirrored video as it is; use `decoder: pyav`"):
            first_image(path, decoder="decord")
    else:
        np.testing.assert_array_equal(first_image(path, decoder="decord"), first_image(path))


def test_any_other_turn_is_refused_and_a_matrix_of_nothing_ignored(tmp_path: Path, coded: Path) -> None:
    path = remuxed(coded, tmp_path / "slanted.mp4", [56756, 32768, -32768, 56756])
    with pytest.raises(ClipError, match="turns the picture by 30 degrees; quarter turns are read") as caught:
        first_image(path)
    assert caught.value.rejection.reason is Reason.REFUSED
    nothing = remuxed(coded, tmp_path / "nothing.mp4", [0, 0, 0, 0])
    np.testing.assert_array_equal(first_image(nothing), first_image(coded))


def jpegs_with_exif(path: Path, orientation: int) -> Path:
    """A motion JPEG whose frames carry their orientation in EXIF, as those of cameras do."""
    tags = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0" + bytes([orientation]) + b"\0\0\0\0\0\0"
    exif = b"\xff\xe1" + (len(tags) + 8).to_bytes(2, "big") + b"Exif\0\0" + tags
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("mjpeg", rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuvj444p"
        for _ in range(5):
            frame = av.VideoFrame.from_ndarray(corners(), format="rgb24").reformat(format="yuvj444p")
            for packet in stream.encode(frame):
                data = bytes(packet)
                tagged = av.Packet(data[:2] + exif + data[2:])
                tagged.stream, tagged.pts, tagged.dts, tagged.time_base = (
                    stream, packet.pts, packet.dts, packet.time_base,
                )  # fmt: skip
                tagged.is_keyframe = True
                container.mux(tagged)
    return path


def test_a_frame_with_side_data_that_is_unknown_keeps_its_orientation(tmp_path: Path) -> None:
    plain = first_image(jpegs_with_exif(tmp_path / "1.avi", 1))
    np.testing.assert_array_equal(first_image(jpegs_with_exif(tmp_path / "2.avi", 2)), plain[:, ::-1])
    np.testing.assert_array_equal(first_image(jpegs_with_exif(tmp_path / "6.avi", 6)), np.rot90(plain, k=-1))


@pytest.mark.parametrize(
    ("aspect", "shown"), [(Fraction(3, 2), (144, 64)), (Fraction(2, 3), (96, 96)), (Fraction(1), (96, 64))]
)
def test_frames_have_square_pixels(tmp_path: Path, aspect: Fraction, shown: tuple[int, int]) -> None:
    path = tmp_path / "anamorphic.mp4"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=10, options={"crf": "1"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv444p"
        stream.codec_context.sample_aspect_ratio = aspect
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(corners(), format="rgb24")))
        container.mux(stream.encode(None))
    row = probe(str(path), start=None, end=None, limits=LIMITS)
    assert (row["width"], row["height"]) == shown
    assert row["pixel_aspect"] == f"{aspect.numerator}:{aspect.denominator}"
    pytest.importorskip("decord")
    assert first_image(path, decoder="decord").shape == (shown[1], shown[0], 3)
    quarters = first_image(path)
    for x, y in ((0, 0), (1, 0), (0, 1), (1, 1)):  # nothing is cut off
        at = (2 * y + 1) * shown[1] // 4, (2 * x + 1) * shown[0] // 4
        np.testing.assert_allclose(quarters[at], corners()[16 + 32 * y, 24 + 48 * x], atol=6)
    small = Sampling(fractions=(0.0,), long_side_px=48)
    got = decode(str(path), start=0.0, end=row["end"], samplings=[small], limits=LIMITS)[small].images[0]
    assert got.shape[1] / got.shape[0] == pytest.approx(shown[0] / shown[1], abs=0.05)
    with pytest.raises(ClipError, match="max_pixels"):
        probe(str(path), start=None, end=None, limits=Decode(max_pixels=shown[0] * shown[1] - 1))


@pytest.mark.parametrize(
    ("size", "aspect", "shown"),
    [
        ((1440, 1080), Fraction(4, 3), (1920, 1080)),
        ((720, 576), Fraction(16, 15), (768, 576)),
        ((720, 480), Fraction(8, 9), (720, 540)),
        ((200, 112), Fraction(224, 225), (200, 112)),  # half a pixel is nothing
        ((121, 81), Fraction(1), (121, 81)),
    ],
)
def test_the_short_side_is_stretched(size: tuple[int, int], aspect: Fraction, shown: tuple[int, int]) -> None:
    assert square_size(*size, aspect) == shown


def streams(
    path: Path, kinds: Iterable[tuple[tuple[int, int], int, Disposition]], *, rates: Sequence[int] = (10, 10, 10)
) -> Path:
    """A file of several streams: (width, height), number of frames, flags."""
    with av.open(str(path), "w") as container:
        opened = []
        for ((width, height), count, flags), rate in zip(kinds, rates, strict=False):
            cover = bool(flags & Disposition.attached_pic)
            stream: Any = container.add_stream("mjpeg" if cover else "mpeg4", rate=rate)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuvj420p" if cover else "yuv420p"
            stream.disposition = flags
            opened.append((stream, count))
        for stream, count in opened:
            for index in range(count):
                frame = av.VideoFrame(stream.width, stream.height, stream.pix_fmt)
                frame.pts = index
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    return path


NONE, DEFAULT = Disposition(0), Disposition.default
SMALL, LARGE = (64, 48), (128, 96)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_a_still_picture_is_never_the_video(tmp_path: Path, suffix: str) -> None:
    """However large, whatever its flags, first or last: it has one frame, or it is too short."""
    for name, kinds in {
        "first": [(LARGE, 1, DEFAULT), (SMALL, 10, NONE)],
        "last": [(SMALL, 10, NONE), (LARGE, 1, DEFAULT)],
        "preview": [(LARGE, 2, DEFAULT), (SMALL, 10, NONE)],
    }.items():
        path = streams(tmp_path / f"{name}.{suffix}", kinds)
        row = probe(str(path), start=None, end=None, limits=LIMITS)
        assert (row["width"], row["height"], row["duration"]) == (*SMALL, pytest.approx(1.0, abs=0.01)), name
    alone = streams(tmp_path / f"alone.{suffix}", [(LARGE, 1, NONE)])
    assert probe(str(alone), start=None, end=None, limits=LIMITS)["width"] == LARGE[0]


def test_of_several_videos_it_is_the_default_then_the_largest(tmp_path: Path) -> None:
    def chosen(name: str, kinds: Iterable[tuple[tuple[int, int], int, Disposition]]) -> int:
        with open_media(str(streams(tmp_path / name, kinds))) as container:
            return video_stream(container).index

    assert chosen("default.mkv", [(LARGE, 10, NONE), (SMALL, 8, DEFAULT)]) == 1
    assert chosen("neither.mkv", [(SMALL, 10, NONE), (LARGE, 8, NONE)]) == 1
    assert chosen("both.mkv", [(SMALL, 10, DEFAULT), (LARGE, 8, DEFAULT)]) == 1
    assert chosen("same.mkv", [(SMALL, 10, DEFAULT), (SMALL, 10, DEFAULT)]) == 0
    cover = (LARGE, 1, Disposition.attached_pic)
    assert chosen("one.mp4", [cover, (SMALL, 10, NONE)]) == 0  # covers are listed last
    assert chosen("first.mp4", [(SMALL, 10, NONE), (LARGE, 10, NONE), cover]) == 0  # mp4's default, where none is told
    covers = streams(tmp_path / "cover.mp4", [cover])
    with open_media(str(covers)) as container, pytest.raises(ClipError, match="no video stream"):
        video_stream(container)
