"""The recipes that need no model, as they stand, over small corpora in the formats that they come in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

RECIPES = Path(__file__).parents[2] / "recipes"

Row = dict[str, Any]


@pytest.fixture(name="described")
def described_fixture(run: Callable[..., Any], read: Callable[..., Any]) -> Callable[..., Any]:
    """What a recipe makes; its captions say what was measured."""

    def described(name: str, out: Path, **variables: Path) -> Any:
        result = read(run(RECIPES / f"{name}.yaml", "--out", out, **variables), out)
        assert all(f"{row['width']} by {row['height']} pixels" in row["caption"] for row in result.kept)
        return result

    return described


def test_folder(
    tmp_path: Path, clip: Callable[..., Path], encode: Callable[..., Path], described: Callable[..., Any]
) -> None:
    folder = tmp_path / "videos"
    clip(folder / "beach.mp4", "yellow")
    (folder / "beach.txt").write_text("Waves roll in.\n")
    clip(folder / "2025" / "deep" / "street.mkv", "blue")
    clip(folder / "beach again.mov", "yellow", seconds=2.6)
    clip(folder / "short.mp4", "green", seconds=1)
    clip(folder / "small.mp4", "orange", size=(128, 160))
    clip(folder / "still.mp4", "purple", dx=0)
    encode(folder / "black.mp4", [np.zeros((256, 336, 3), np.uint8)] * 36, fps=15)
    result = described("folder", tmp_path / "out", HOME=tmp_path)
    assert [(row["source_id"], row["source_caption"], row["license"]) for row in result.kept] == [
        ("2025/deep/street.mkv", None, "cc-by-4.0"),
        ("beach again.mov", None, "cc-by-4.0"),
    ]
    assert result.why() == [
        ("beach.mp4", "semantic_dedup", "duplicate"),
        ("black.mp4", "luma", "above_max"),
        ("short.mp4", "duration", "below_min"),
        ("small.mp4", "resolution", "below_min"),
        ("still.mp4", "motion", "below_min"),
    ]
    assert result.with_media()
    assert {label for row in result.kept for label in row["camera_motion"]} == {"pan_right"}
    assert all(row["keyframes"][0] == 0 and len(row["keyframes"]) > 1 for row in result.kept)


def test_split_long_videos(tmp_path: Path, clip: Callable[..., Path], described: Callable[..., Any]) -> None:
    clip(tmp_path / "videos" / "talk.mp4", "red", "blue", "yellow", seconds=2.8)
    clip(tmp_path / "videos" / "short shots.mp4", "green", "orange", seconds=2)
    clip(tmp_path / "videos" / "one shot.mp4", "purple", seconds=3)
    result = described("split_long_videos", tmp_path / "out", HOME=tmp_path)
    assert sorted((row["source_id"], row["part"], row["frames"]) for row in result.kept) == [
        ("one shot.mp4", 0, 36),  # 45 frames, a tenth off at either end
        ("talk.mp4", 0, 34),
        ("talk.mp4", 1, 34),
        ("talk.mp4", 2, 34),
    ]
    assert result.why() == [("short shots.mp4", "split", "below_min")] * 2
    assert result.with_media()


def test_open_sora_table(
    tmp_path: Path, clip: Callable[..., Path], write_csv: Callable[..., None], described: Callable[..., Any]
) -> None:
    def row(path: str, text: str, *, aes: object, cmotion: str = "") -> Row:
        size = {"num_frames": 36, "height": 256, "width": 336, "aspect_ratio": 256 / 336, "resolution": 256 * 336}
        scores = {"fps": 15.0, "text_len": len(text), "aes": aes, "flow": 0.9, "match": "", "cmotion": cmotion}
        return {"path": path, "text": text, **size, **scores}

    clip(tmp_path / "v" / "a.mp4", "red")
    clip(tmp_path / "v" / "b.mp4", "green")
    clip(tmp_path / "v" / "c.mp4", "blue")
    clip(tmp_path / "v" / "d.mp4", "red", seconds=2.2)
    write_csv(
        tmp_path / "meta.csv",
        [
            row("v/a.mp4", "A cat, and\na dog.", aes=5.31, cmotion="pan_right"),
            row(str(tmp_path / "v" / "b.mp4"), "", aes=""),
            row("v/c.mp4", "Third.", aes=6.5),
            row("v/d.mp4", "A cat again.", aes=4),
            row("../../etc/passwd", "Nothing to see.", aes=9),
        ],
    )
    result = described("open_sora_table", tmp_path / "out", OPEN_SORA_ROOT=tmp_path)
    columns = ("source_id", "source_caption", "license", "aes", "flow", "match", "cmotion")
    assert [tuple(row[name] for name in columns) for row in result.kept] == [
        ("v/a.mp4", "A cat, and a dog.", "cc-by-4.0", 5.31, 0.9, None, "pan_right"),
        ("v/b.mp4", None, "cc-by-4.0", None, 0.9, None, None),
        ("v/c.mp4", "Third.", "cc-by-4.0", 6.5, 0.9, None, None),
    ]
    assert result.why() == [("line 7", "source", "refused"), ("v/d.mp4", "semantic_dedup", "duplicate")]
    assert result.with_media()


def test_demo(tmp_path: Path, described: Callable[..., Any]) -> None:
    result = described("demo", tmp_path / "out")
    assert len(result.kept) + len(result.rejects) == 40
    told = [row for row in result.kept if row["camera_motion"] != ["unclassified"]]
    right = [row for row in told if row["camera_motion"] == row["truth_camera_motion"]]
    assert len(right) >= 0.8 * len(result.kept)
    assert {row["license"] for row in result.kept} == {"cc0-1.0"}
    assert {(row["step"], row["reason"]) for row in result.rejects} == {
        ("luma", "above_max"),
        ("blur", "below_min"),
        ("motion", "above_max"),
        ("camera_motion", "excluded"),
        ("letterbox", "above_max"),
        ("semantic_dedup", "duplicate"),
    }
    assert result.with_media()
