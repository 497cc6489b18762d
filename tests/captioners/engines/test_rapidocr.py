"""The engine rapidocr, with its real weights."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from shotscribe.builder.contract.engine import TextLine
from shotscribe.builder.contract.errors import RunError
from shotscribe.captioners.engines import _onnx
from shotscribe.captioners.engines.rapidocr import RapidOcr

pytest.importorskip("rapidocr")


def picture(*texts: str, size: tuple[int, int] = (360, 640), at: tuple[int, int] = (40, 30)) -> np.ndarray:
    """Lines of white text on soft colours, uint8 (h, w, 3)."""
    cells = np.random.default_rng(0).integers(40, 130, (4, 6, 3), np.uint8)
    image = Image.fromarray(cells).resize(size[::-1], Image.Resampling.BICUBIC)
    for number, text in enumerate(texts):
        place = (at[0], at[1] + 60 * number)
        ImageDraw.Draw(image).text(place, text, font=ImageFont.load_default(28), fill="white")
    return np.asarray(image)


def read(*clips: Sequence[np.ndarray]) -> list[list[list[TextLine]]]:
    """In the pictures of all clips, which ask at the same time."""

    async def ask() -> list[list[list[TextLine]]]:
        engine = await RapidOcr().start()
        return await asyncio.gather(*(engine.read_text(images) for images in clips))

    return asyncio.run(ask())


def test_it_reads_and_says_where() -> None:
    ((lines, none),) = read([picture("Good morning", "Platform 9"), picture()])
    assert [line.text for line in lines] == ["Good morning", "Platform 9"]
    assert none == []
    (left, top), _, (right, bottom), _ = lines[0].corners
    assert (left, top) == pytest.approx((40 / 640, 34 / 360), abs=0.02)
    assert right > left + 0.15
    assert lines[0].area == pytest.approx((right - left) * (bottom - top), rel=0.2)
    assert all(0.5 < line.score <= 1 for line in lines)


def test_each_clip_gets_its_own_lines_whatever_is_read_beside_it() -> None:
    clips = [[picture("one"), picture("two", "three")], [picture()], [picture("four", size=(200, 300))] * 3]
    assert read(*clips) == [read(clip)[0] for clip in clips]
    told = [[[line.text for line in lines] for lines in clip] for clip in read(*clips)]
    assert told == [[["one"], ["two", "three"]], [[]], [["four"]] * 3]


def test_pictures_too_small_to_hold_text_hold_none() -> None:
    assert read([np.zeros((8, 300, 3), np.uint8), np.zeros((300, 8, 3), np.uint8), np.zeros((1, 1, 3), np.uint8)]) == [
        [[], [], []]
    ]


def test_what_its_answers_depend_on() -> None:
    identity = RapidOcr().identity()
    assert (identity["model"], identity["license"]) == ("PP-OCRv6_small", "Apache-2.0")
    assert RapidOcr().requires() == {"onnxruntime": "looks", "rapidocr": "looks"}
    pinned = (Path(__file__).parents[3] / "constraints.txt").read_text().splitlines()
    assert f"rapidocr=={RapidOcr.release}" in pinned


def test_other_weights_under_its_name_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models").mkdir()
    for name in RapidOcr.weights:
        (tmp_path / name).write_bytes(resources.files("rapidocr").joinpath("config.yaml").read_bytes())
    monkeypatch.setattr(_onnx, "files", lambda package: tmp_path)
    with pytest.raises(RunError, match=r"rapidocr 3\.10\.0 brings models/PP-OCRv6_det_small.onnx .*==3\.10\.0$"):
        read([])
