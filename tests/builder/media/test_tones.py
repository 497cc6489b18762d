"""A colour chart through the whole way: rendered in HDR by the inverse of its formulas, encoded, decoded, mapped."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest
from shotscribe.builder.contract.clip import Clip
from shotscribe.builder.contract.engine import NO_ENGINE
from shotscribe.builder.contract.errors import ClipError
from shotscribe.builder.contract.frames import Frames, Sampling
from shotscribe.builder.contract.limits import Decode
from shotscribe.builder.media.video import decode, probe
from shotscribe.filters.colors import Colors

Floats = npt.NDArray[np.float64]

LIMITS = Decode()
FIRST = Sampling(fractions=(0.0,), long_side_px=320)
WHITE = 203.0  # cd/m2
CHART: dict[str, tuple[float, float, float]] = {  # light in BT.709, 1.0 is SDR white
    "red": (1, 0, 0),
    "green": (0, 1, 0),
    "blue": (0, 0, 1),
    "white": (1, 1, 1),
    "gray": (0.2, 0.2, 0.2),
    "dark": (0.02, 0.02, 0.02),
    "brown": (0.25, 0.08, 0.03),
    "bright": (5, 5, 5),
    "sun": (20, 18, 15),
}
BT709_TO_BT2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])  # BT.2087
TRANSFERS = {"bt709": 1, "bt2020-10": 14, "smpte2084": 16, "arib-std-b67": 18}


def pq(light: Floats) -> Floats:
    power = (light / 10_000) ** 0.1593017578125
    return np.asarray(((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375)


def hlg(light: Floats) -> Floats:
    """Of a screen of 1,000 cd/m2."""
    luminance = light @ [0.2627, 0.6780, 0.0593] / 1000
    scene = np.clip(light / 1000 * luminance[..., None] ** (1 / 1.2 - 1), 0, 1)
    bent = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), bent)


def chart(path: Path, transfer: str) -> Path:
    """A stripe 32 pixels wide for each colour, 10 bits, BT.2020, video levels."""
    light = np.array(list(CHART.values())) @ BT709_TO_BT2020.T
    signal = {
        "smpte2084": lambda: pq(light * WHITE),
        "arib-std-b67": lambda: hlg(np.maximum(light * WHITE, 1e-9)),
        "bt2020-10": lambda: np.clip(light, 0, 1) ** (1 / 2.4),
    }[transfer]()
    y = signal @ [0.2627, 0.6780, 0.0593]
    u, v = (signal[:, 2] - y) / 1.8814, (signal[:, 0] - y) / 1.4746
    planes = [np.rint(64 + 876 * y), np.rint(512 + 896 * u), np.rint(512 + 896 * v)]
    rows = [np.tile(np.repeat(plane, 32).astype(np.uint16), (64, 1)) for plane in planes]
    return raw(path, rows, "yuv444p10le", color_primaries=9, color_trc=TRANSFERS[transfer], colorspace=9)


def raw(path: Path, planes: list[np.ndarray], pix_fmt: str, **tags: int) -> Path:
    height, width = planes[0].shape
    frame = av.VideoFrame(width, height, pix_fmt)
    for plane, values in zip(frame.planes, planes, strict=True):
        padded = np.zeros((plane.height, plane.line_size // values.itemsize), values.dtype)
        padded[:, : values.shape[1]] = values
        plane.update(padded.tobytes())
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        for name, value in tags.items():
            setattr(stream.codec_context, name, value)
        for index in range(3):
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def image_of(path: Path) -> np.ndarray:
    row = probe(str(path), start=None, end=None, limits=LIMITS)
    return decode(str(path), start=0.0, end=row["end"], samplings=[FIRST], limits=LIMITS)[FIRST].images[0]


def light(levels: Sequence[float]) -> list[float]:
    return [(level / 255) ** 2.4 for level in levels]


def shown(path: Path) -> dict[str, list[int]]:
    image = image_of(path)
    return {name: image[32, 16 + 32 * index].tolist() for index, name in enumerate(CHART)}


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
def test_hdr_has_the_colours_that_it_shows(tmp_path: Path, transfer: str) -> None:
    path = chart(tmp_path / "chart.mkv", transfer)
    row = probe(str(path), start=None, end=None, limits=LIMITS)
    assert (row["color_transfer"], row["bit_depth"]) == (transfer, 10)
    expected = {  # SDR white is bent to 0.77 of itself, what is darker than 86 cd/m2 stays: level = 255 light^(1/2.4)
        "red": (229, 0, 0),
        "green": (0, 229, 0),
        "blue": (0, 0, 229),
        "white": (229, 229, 229),
        "gray": (130, 130, 130),
        "dark": (50, 50, 50),
        "brown": (143, 89, 59),
        "bright": (255, 255, 255),
    }
    colours = shown(path)
    for name, levels in expected.items():
        assert light(colours[name]) == pytest.approx(light(levels), abs=0.02), name
        if min(levels) > 0:  # else a last bit of 10 is up to 26 levels: they lie close near black
            assert colours[name] == pytest.approx(levels, abs=3), name
    assert max(colours["sun"]) == 255
    assert min(colours["sun"]) > 220  # brighter than the screen is white, not a strange hue


@pytest.mark.parametrize("transfer", ["smpte2084", "bt2020-10"])
def test_decord_refuses_what_it_would_show_in_other_colours(tmp_path: Path, transfer: str) -> None:
    pytest.importorskip("decord")
    path = str(chart(tmp_path / "chart.mkv", transfer))
    with pytest.raises(ClipError, match="decord does not show HDR or a wide gamut as it is; use `decoder: pyav`"):
        decode(path, start=0.0, end=0.3, samplings=[FIRST], limits=Decode(decoder="decord"))


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67", "bt2020-10"])
def test_the_colours_of_hdr_are_named_right(tmp_path: Path, transfer: str) -> None:
    image = image_of(chart(tmp_path / "chart.mkv", transfer))
    for index, name in enumerate(("red", "green", "blue", "white", "gray")):
        stripe = np.ascontiguousarray(image[:, 32 * index + 4 : 32 * index + 28])
        frames = Frames(np.zeros(1), [stripe])
        assert Colors().make(Clip({}, lambda _, frames=frames: frames), NO_ENGINE)["colors"] == [name]


def test_wide_gamuts_of_sdr_are_brought_in(tmp_path: Path) -> None:
    path = chart(tmp_path / "wide.mkv", "bt2020-10")
    assert probe(str(path), start=None, end=None, limits=LIMITS)["color_transfer"] == "bt2020-10"
    colours = shown(path)
    for name in ("red", "green", "blue", "white", "gray", "brown"):
        levels = [round(255 * part ** (1 / 2.4)) for part in CHART[name]]
        assert colours[name] == pytest.approx(levels, abs=9), name


def test_a_matrix_that_cannot_be_undone_is_refused_by_name(tmp_path: Path) -> None:
    path = raw(tmp_path / "flat.mkv", [np.full((64, 96), 90, np.uint8)] * 3, "yuv444p", colorspace=14)
    with pytest.raises(ClipError, match="its colour matrix is ictcp, which is not read"):
        probe(str(path), start=None, end=None, limits=LIMITS)


MATRICES = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", MATRICES)
def test_the_matrix_and_the_range_of_the_file_are_used(tmp_path: Path, matrix: int, full: bool) -> None:
    red, green, blue = 0.8, 0.2, 0.3
    of_red, of_blue = MATRICES[matrix]
    y = of_red * red + (1 - of_red - of_blue) * green + of_blue * blue
    u, v = (blue - y) / (2 - 2 * of_blue), (red - y) / (2 - 2 * of_red)
    codes = (255 * y, 128 + 255 * u, 128 + 255 * v) if full else (16 + 219 * y, 128 + 224 * u, 128 + 224 * v)
    planes = [np.full((64, 96), round(code), np.uint8) for code in codes]
    path = raw(tmp_path / "flat.mkv", planes, "yuv444p", colorspace=matrix, color_range=2 if full else 1)
    assert image_of(path)[32, 48].tolist() == pytest.approx([204, 51, 76], abs=3)
