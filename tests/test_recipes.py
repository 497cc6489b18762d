"""Every recipe of recipes/, as it stands, over a small corpus in the format that the corpus itself comes in."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

RECIPES = Path(__file__).parents[1] / "recipes"
NAMES = sorted(path.stem for path in RECIPES.glob("*.yaml"))
ROOTS = {
    "panda70m": "PANDA70M_ROOT",
    "pexels": "PEXELS_ROOT",
    "ego4d": "EGO4D_ROOT",
    "open_sora_table": "OPEN_SORA_ROOT",
}

Row = dict[str, Any]
Clip = Callable[..., Path]


@dataclass(frozen=True)
class Result:
    out: Path
    kept: list[Row]
    rejects: list[Row]
    samples: list[Row]
    """As `datasets` streams them."""

    def why(self) -> list[tuple[str, str, str]]:
        return sorted((row["source_id"], row["step"], row["reason"]) for row in self.rejects)

    def members(self) -> list[str]:
        return [name for shard in sorted((self.out / "data").glob("*.tar")) for name in tarfile.open(shard).getnames()]


def run(name: str, *arguments: object, **variables: Path | None) -> subprocess.CompletedProcess[str]:
    """The command over a recipe file, with the variables that the file names; None takes one away."""
    environment = {**os.environ, **{key: str(value) for key, value in variables.items()}}
    for key in [key for key, value in variables.items() if value is None]:
        del environment[key]
    cli = [sys.executable, "-c", "from shotscribe.builder.cli import main; main()", RECIPES / f"{name}.yaml"]
    command = [*map(str, cli), *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)


def built(name: str, out: Path, **variables: Path) -> Result:
    import datasets

    done = run(name, "--out", out, **variables)
    assert done.returncode == 0, done.stderr
    kept, rejects = (pq.read_table(out / name).to_pylist() for name in ("metadata", "rejects.parquet"))
    samples = list(datasets.load_dataset(str(out), split="train", streaming=True))
    assert [sample["__key__"] for sample in samples] == [row["clip_id"] for row in kept]
    for sample, row in zip(samples, kept, strict=True):
        assert sample["txt"] == row["caption"]
        assert f"{row['width']} by {row['height']} pixels" in row["caption"]
        assert {key: sample["json"][key] for key in ("source", "source_id", "source_url", "license")} == {
            key: row[key] for key in ("source", "source_id", "source_url", "license")
        }
    return Result(out, kept, rejects, samples)


def with_media(result: Result) -> bool:
    """Whether each sample has its video; anything between is a fault."""
    videos = {name for name in result.members() if name.endswith(".mp4")}
    if not videos:
        assert all("mp4" not in sample for sample in result.samples)
        return False
    assert videos == {f"{row['clip_id']}.mp4" for row in result.kept}
    assert all(sample["mp4"]["bytes"][4:8] == b"ftyp" for sample in result.samples)
    return True


@pytest.fixture(scope="module", name="clip")
def clip_fixture(encode: Callable[..., Path]) -> Clip:
    """A clip that the filters of every recipe let pass: smooth patches of colour that slide, 15 frames a second."""

    def clip(path: Path, *, seed: int, size: tuple[int, int] = (256, 336), seconds: float = 2.4, dx: float = 3) -> Path:
        return encode(path, pictures(seed=seed, size=size, frames=round(15 * seconds), dx=dx), fps=15)

    return clip


def pictures(*, seed: int, size: tuple[int, int], frames: int, dx: float) -> Iterable[np.ndarray]:
    """Large patches, so that no two seeds look alike from afar, with fine ones over them, so that they are sharp."""
    rng = np.random.default_rng(seed)
    height, width = size[0], size[1] + round(abs(dx) * frames) + 1
    picture = np.zeros((height, width, 3))
    for patch, weight in ((size[0] // 3, 0.7), (8, 0.3)):
        cells = rng.integers(0, 256, (height // patch + 1, width // patch + 1, 3))
        picture += weight * np.kron(cells, np.ones((patch, patch, 1)))[:height, :width]
    for index in range(frames):
        at = round(dx * index)
        yield picture[:, at : at + size[1]].astype(np.uint8)


def write_csv(path: Path, rows: list[Mapping[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_passes_its_check_before_any_video_is_there(name: str, tmp_path: Path) -> None:
    (tmp_path / "meta.csv").write_text("path,text,aes\n")  # a table's columns are those of its header
    variables = {ROOTS[name]: tmp_path} if name in ROOTS else {}
    done = run(name, "--check", HOME=tmp_path, **variables)
    assert (done.returncode, done.stderr) == (0, "")
    assert "keyframe_embedding" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["meta.csv"]


@pytest.mark.parametrize(("name", "variable"), ROOTS.items())
def test_a_recipe_says_which_variable_it_needs(name: str, variable: str) -> None:
    done = run(name, "--check", **{variable: None})
    assert done.returncode == 2
    assert f"${{{variable}}}" in done.stderr
    assert f"export {variable}=" in (RECIPES / f"{name}.yaml").read_text(), "the recipe's head says how"


def test_every_recipe_is_run_here() -> None:
    assert [f"test_{name}" for name in NAMES if f"test_{name}" not in globals()] == []


def test_folder(tmp_path: Path, clip: Clip, encode: Callable[..., Path]) -> None:
    folder = tmp_path / "videos"
    clip(folder / "beach.mp4", seed=1)
    (folder / "beach.txt").write_text("Waves roll in.\n")
    clip(folder / "2025" / "deep" / "street.mkv", seed=2)
    clip(folder / "beach again.mov", seed=1, seconds=2.6)
    clip(folder / "short.mp4", seed=3, seconds=1)
    clip(folder / "small.mp4", seed=4, size=(128, 160))
    clip(folder / "still.mp4", seed=5, dx=0)
    encode(folder / "black.mp4", [np.zeros((256, 336, 3), np.uint8)] * 36, fps=15)
    result = built("folder", tmp_path / "out", HOME=tmp_path)
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
    assert with_media(result)
    assert {label for row in result.kept for label in row["camera_motion"]} == {"pan_right"}
    assert all(row["keyframes"][0] == 0 and len(row["keyframes"]) > 1 for row in result.kept)


def test_panda70m(tmp_path: Path, clip: Clip) -> None:
    def row(video: str, times: list[list[str]], captions: list[str], filtering: list[str]) -> dict[str, str]:
        return {
            "videoID": video,
            "url": f"https://www.youtube.com/watch?v={video}",
            "timestamp": str(times),
            "caption": str(captions),
            "matching_score": str([0.5 + index / 8 for index in range(len(times))]),
            "desirable_filtering": str(filtering),
            "shot_boundary_detection": str([[["0:00:00.000", "0:00:02.400"]] for _ in times]),
        }

    halves = [["0:00:00.000", "0:00:02.400"], ["0:00:02.400", "0:00:04.800"]]
    said = ["A man walks his dog, slowly.", 'It\'s a red "car" in the rain.']
    clip(tmp_path / "videos" / "-2yHu5qgTzM.mp4", seed=1, seconds=5)
    clip(tmp_path / "videos" / "AAAAAAAAAA2.webm.mp4", seed=9)  # some other name: never found
    clip(tmp_path / "videos" / "BBBBBBBBBB3.mkv", seed=2, seconds=5)
    write_csv(
        tmp_path / "panda70m_training_2m.csv",
        [
            row("-2yHu5qgTzM", halves, said, ["desirable", "2_tiny_camera_movement"]),
            row("AAAAAAAAAA2", halves, ["Gone.", "Gone too."], ["desirable"] * 2),
            row("BBBBBBBBBB3", halves, [said[0], "A cat sleeps on a sofa."], ["desirable"] * 2),
        ],
    )
    result = built("panda70m", tmp_path / "out", PANDA70M_ROOT=tmp_path)
    url = "https://www.youtube.com/watch?v="
    columns = ("source_id", "source_url", "start", "end", "source_caption", "matching_score", "desirable_filtering")
    assert [tuple(row[name] for name in columns) for row in result.kept] == [
        ("-2yHu5qgTzM", f"{url}-2yHu5qgTzM", 0.0, 2.4, said[0], 0.5, "desirable"),
        ("-2yHu5qgTzM", f"{url}-2yHu5qgTzM", 2.4, 4.8, said[1], 0.625, "2_tiny_camera_movement"),
        ("BBBBBBBBBB3", f"{url}BBBBBBBBBB3", 2.4, 4.8, "A cat sleeps on a sofa.", 0.625, "desirable"),
    ]
    assert result.why() == [
        ("AAAAAAAAAA2", "source", "missing_file"),
        ("AAAAAAAAAA2", "source", "missing_file"),
        ("BBBBBBBBBB3", "semantic_dedup", "duplicate"),
    ]
    assert all("no redistribution" in row["license"] for row in result.kept)
    assert not with_media(result)


def test_pexels(tmp_path: Path, clip: Clip) -> None:
    large = (480, 640)

    def video(found: int, words: str) -> Row:
        link = f"https://videos.pexels.com/video-files/{found}/{found}-hd.mp4"
        return {
            "id": found,
            "width": 1920,
            "height": 1080,
            "duration": 3,
            "url": f"https://www.pexels.com/video/{words}-{found}/",
            "image": f"https://images.pexels.com/videos/{found}/poster.jpeg",
            "user": {"id": 1, "name": "Ann Author", "url": "https://www.pexels.com/@ann"},
            "video_files": [
                {"id": 9, "quality": "hls", "file_type": "video/mp4", "link": "https://x/y.m3u8"},
                {"id": 8, "quality": "hd", "file_type": "video/mp4", "width": 1920, "height": 1080, "link": link},
            ],
        }

    clip(tmp_path / "videos" / "857195.mp4", seed=1, size=large)
    clip(tmp_path / "videos" / "12.mov", seed=2, size=large)
    clip(tmp_path / "videos" / "13.mp4", seed=2, size=large, seconds=2.8)
    clip(tmp_path / "videos" / "14.mp4", seed=3)
    clip(tmp_path / "videos" / "15.mp4", seed=4, size=large)
    pages = tmp_path / "pages"
    first = [video(857195, "a-dog-on-a-beach"), video(12, "waves"), video(13, "the-same-waves")]
    second = [video(14, "too-small"), video(404, "not-downloaded"), video(15, "a-forest")]
    write_json(pages / "page-1.json", {"page": 1, "per_page": 3, "total_results": 6, "videos": first})
    write_json(pages / "page-2.json", {"page": 2, "per_page": 3, "total_results": 6, "videos": second})
    result = built("pexels", tmp_path / "out", PEXELS_ROOT=tmp_path)
    assert [(row["source_id"], row["source_caption"], row["author"], row["license"]) for row in result.kept] == [
        ("857195", "a dog on a beach", "Ann Author", "pexels"),
        ("12", "waves", "Ann Author", "pexels"),
        ("15", "a forest", "Ann Author", "pexels"),
    ]
    assert result.kept[0]["source_url"] == "https://www.pexels.com/video/a-dog-on-a-beach-857195/"
    assert result.why() == [
        ("13", "semantic_dedup", "duplicate"),
        ("14", "resolution", "below_min"),
        ("page-2.json video 2", "source", "missing_file"),
    ]
    assert with_media(result)


def test_ego4d(tmp_path: Path, clip: Clip) -> None:
    uid = "001e3e4e-2743-47fc-8564-d5efd11f9e90"
    told = [
        (2.0, "#C C opens the fridge"),
        (6.0, "#C C opens the fridge"),
        (10.0, "#O man X sits"),
        (15.0, "#C C eats"),
    ]
    narrations = [{"timestamp_sec": at, "narration_text": text, "annotation_uid": "x"} for at, text in told]
    video = {
        "video_uid": uid,
        "duration_sec": 18.0,
        "scenarios": ["Cooking"],
        "video_metadata": {"fps": 15.0, "num_frames": 270, "video_duration_sec": 18.0},
        "is_stereo": False,
        "has_redacted_regions": True,
        "redacted_intervals": [{"start_sec": 14.0, "end_sec": 16.0}],
    }
    clip(tmp_path / "v2" / "video_540ss" / f"{uid}.mp4", seed=1, seconds=18)
    write_json(tmp_path / "v2" / "ego4d.json", {"videos": [video], "clips": []})
    second = [{"timestamp_sec": 3.0, "narration_text": "#C C of another annotator"}]
    passes = {"narration_pass_1": {"narrations": narrations}, "narration_pass_2": {"narrations": second}}
    write_json(tmp_path / "v2" / "annotations" / "narration.json", {uid: passes})
    result = built("ego4d", tmp_path / "out", EGO4D_ROOT=tmp_path)
    assert [(row["source_id"], row["start"], row["end"], row["source_caption"]) for row in result.kept] == [
        (f"{uid}/pass_1/00000", 0.0, 4.0, "The camera wearer opens the fridge"),
        (f"{uid}/pass_1/00002", 8.0, 12.0, "man X sits"),
    ]
    assert all(row["scenarios"] == ["Cooking"] and "no redistribution" in row["license"] for row in result.kept)
    assert result.why() == [
        (f"{uid}/pass_1/00001", "semantic_dedup", "duplicate"),
        (f"{uid}/pass_1/00003", "source", "excluded"),
    ]
    assert not with_media(result)


def test_open_sora_table(tmp_path: Path, clip: Clip) -> None:
    def row(path: str, text: str, *, aes: object, cmotion: str = "") -> Row:
        size = {"num_frames": 36, "height": 256, "width": 336, "aspect_ratio": 256 / 336, "resolution": 256 * 336}
        scores = {"fps": 15.0, "text_len": len(text), "aes": aes, "flow": 0.9, "match": "", "cmotion": cmotion}
        return {"path": path, "text": text, **size, **scores}

    clip(tmp_path / "v" / "a.mp4", seed=1)
    clip(tmp_path / "v" / "b.mp4", seed=2)
    clip(tmp_path / "v" / "c.mp4", seed=3)
    clip(tmp_path / "v" / "d.mp4", seed=1, seconds=2.2)
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
    result = built("open_sora_table", tmp_path / "out", OPEN_SORA_ROOT=tmp_path)
    columns = ("source_id", "source_caption", "license", "aes", "flow", "match", "cmotion")
    assert [tuple(row[name] for name in columns) for row in result.kept] == [
        ("v/a.mp4", "A cat, and\na dog.", "cc-by-4.0", 5.31, 0.9, None, "pan_right"),
        ("v/b.mp4", None, "cc-by-4.0", None, 0.9, None, None),
        ("v/c.mp4", "Third.", "cc-by-4.0", 6.5, 0.9, None, None),
    ]
    assert result.why() == [("line 7", "source", "refused"), ("v/d.mp4", "semantic_dedup", "duplicate")]
    assert with_media(result)


def test_demo(tmp_path: Path) -> None:
    result = built("demo", tmp_path / "out")
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
    assert with_media(result)
