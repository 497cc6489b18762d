"""One row becomes many: what is published of a video that is split, and what a change of the recipe costs."""

from __future__ import annotations

import io
import itertools
import json
import shutil
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow.parquet as pq
import pytest
from shotscribe.builder.contract.errors import RecipeError, StepError
from shotscribe.builder.recipe.plan import make_plan
from shotscribe.builder.recipe.recipe import load

FPS = 25
FILMS = {"a": (30, 41, 55), "b": (64,), "c": (50, 8, 30)}  # frames of each shot

RECIPE = """\
name: films
version: "1"
sources: [{{use: folder, path: films, license: cc0-1.0}}]
steps:
{steps}
run: {{workers: 2, piece_rows: 2}}
"""
STEPS = """\
  - {use: luma}
  - {use: split, by: scenes, min_shot_s: 0.2, min_s: 0.5}
  - {use: luma}
"""

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory, encode: Callable[..., Path]) -> Path:
    """Each frame is of the colour of its shot, with a bar where its number says."""
    folder = tmp_path_factory.mktemp("films")
    for name, lengths in FILMS.items():
        shots = (shot(at, length) for at, length in enumerate(lengths))
        encode(folder / f"{name}.mp4", itertools.chain(*shots), fps=FPS, options={"preset": "ultrafast", "crf": "4"})
    return folder


def shot(hue: int, frames: int) -> Iterable[np.ndarray]:
    for number in range(frames):
        picture = np.full((64, 160, 3), (30, 120, 40)[hue], np.uint8)
        picture[..., hue] += 110
        picture[:, 2 * number : 2 * number + 4] = 250
        yield picture


@pytest.fixture
def recipe(tmp_path: Path, films: Path) -> Callable[[str], Path]:
    (tmp_path / "films").symlink_to(films, target_is_directory=True)

    def written(steps: str) -> Path:
        path = tmp_path / "films.yaml"
        path.write_text(RECIPE.format(steps=steps))
        return path

    return written


def rows_of(out: Path) -> dict[str, dict[str, Any]]:
    return {row["clip_id"]: row for row in pq.read_table(out / "metadata").to_pylist()}


def pictures(out: Path) -> dict[str, list[np.ndarray]]:
    made: dict[str, list[np.ndarray]] = {}
    for path in sorted((out / "data").glob("*.tar")):
        with tarfile.open(path) as tar:
            for member in tar:
                if member.name.endswith(".mp4"):
                    data = tar.extractfile(member).read()  # type: ignore[union-attr]
                    with av.open(io.BytesIO(data)) as container:
                        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
                    made[member.name.removesuffix(".mp4")] = frames
    return made


def seen(frame: np.ndarray) -> tuple[int, int]:
    """The shot and the number of a frame."""
    bar = frame.min(axis=(0, 2)) > 180
    return int(frame[:, ~bar].mean(axis=(0, 1)).argmax()), int(np.flatnonzero(bar)[0]) // 2


def test_each_shot_is_a_clip_to_the_frame(recipe: Callable[[str], Path], tmp_path: Path, run: Run) -> None:
    out = run(recipe(STEPS), tmp_path / "out").out
    rows, shown = rows_of(out), pictures(out)
    assert rows.keys() == shown.keys()
    lengths = {(row["source_id"], row["part"]): row["frames"] for row in rows.values()}
    assert lengths == {
        **{("a.mp4", at): frames for at, frames in enumerate(FILMS["a"])},
        ("b.mp4", 0): 64,
        ("c.mp4", 0): 50,
        ("c.mp4", 2): 30,
    }
    for clip, row in rows.items():
        frames = shown[clip]
        assert len(frames) == row["frames"] == round(row["duration"] * FPS)
        assert [seen(frame) for frame in frames] == [(row["part"], number) for number in range(row["frames"])]
        assert row["whole"] == (row["source_id"] == "b.mp4")
        assert "shots" not in row
    parents = {row["source_id"]: row["parent_id"] for row in rows.values()}
    assert len(set(parents.values())) == 3
    assert [clip for clip, row in rows.items() if row["source_id"] == "b.mp4"] == [parents["b.mp4"]]
    rejected = pq.read_table(out / "rejects.parquet").to_pylist()
    assert [(row["source_id"], row["step"], row["reason"], row["option"]) for row in rejected] == [
        ("c.mp4", "split", "below_min", "min_s")
    ]
    assert rejected[0]["detail"] == "seconds of the part from 2.00 to 2.32: 0.32 < min_s 0.5"
    steps = {step["name"]: step for step in json.loads((out / "build.json").read_text())["steps"]}
    assert (steps["split"]["rows_in"], steps["split"]["rows_out"], steps["split"]["rejected"]) == (
        3,
        6,
        {"below_min": 1},
    )
    assert steps["luma-2"]["rows_in"] == 6
    assert "## From 3 to 6" in (out / "README.md").read_text()


def test_a_change_works_on_nothing_that_stands(
    recipe: Callable[[str], Path], tmp_path: Path, run: Run, work_done: Any
) -> None:
    out = tmp_path / "out"
    first = rows_of(run(recipe(STEPS), out).out)
    work_done.clear()
    again = rows_of(run(recipe(STEPS.replace("min_s: 0.5", "min_s: 0.3")), out).out)
    assert first.items() <= again.items()
    assert len(again) == 7
    assert work_done() == {"measure_clip": 2, "cut_file": 1}  # the probe and the luma of the part that is new
    work_done.clear()
    whole = rows_of(run(recipe(STEPS.replace("by: scenes", "by: scenes, threshold: 250")), out).out)
    assert {row["parent_id"] for row in whole.values()} == whole.keys()
    assert {row["frames"] for row in whole.values()} == {126, 64, 88}
    assert work_done() == {"measure_clip": 2, "cut_file": 2}  # two films are probed as a part; their luma is known
    work_done.clear()
    assert rows_of(run(recipe(STEPS), out).out) == first
    assert "measure_clip" not in work_done()


def test_parts_of_overlapping_rows_are_clips_of_their_own(tmp_path: Path, films: Path, run: Run) -> None:
    shutil.copy2(films / "a.mp4", tmp_path)
    (tmp_path / "t.csv").write_text("path,start,end\na.mp4,0,3\na.mp4,1.2,5\na.mp4,,\n")
    path = tmp_path / "recipe.yaml"
    steps = "steps: [{use: split, by: windows, window_s: 1, min_s: 0.5}]"
    path.write_text(f'name: t\nversion: "1"\nsources: [{{use: table, path: t.csv, license: cc0-1.0}}]\n{steps}\n')
    rows = rows_of(run(path, tmp_path / "out").out)
    assert len(rows) == 3 + 4 + 5
    spans = sorted((row["start"], row["end"]) for row in rows.values())
    assert len(set(spans)) < len(spans)
    assert len({row["parent_id"] for row in rows.values()}) == 3
    for parent in {row["parent_id"] for row in rows.values()}:
        ours = sorted((row["part"], row["start"], row["end"]) for row in rows.values() if row["parent_id"] == parent)
        assert all(before[2] == after[1] for before, after in itertools.pairwise(ours))


def test_a_split_in_a_split(recipe: Callable[[str], Path], tmp_path: Path, run: Run) -> None:
    steps = "  - {use: split, by: scenes}\n  - {use: split, by: windows, window_s: 1}\n  - {use: luma}\n"
    path = recipe(steps)
    assert [stage.title for stage in make_plan(load(path)).stages] == [
        *("probe", "shots", "split", "probe-2", "split-2", "probe-3", "luma"),
    ]
    rows = rows_of(run(path, tmp_path / "out").out)
    assert sorted(row["frames"] for row in rows.values() if row["source_id"] == "a.mp4") == [5, 5, 16, 25, 25, 25, 25]


def test_what_was_made_of_the_whole_is_no_column_of_a_part(recipe: Callable[[str], Path]) -> None:
    steps = (
        "  - {use: keyframes}\n  - {use: split, by: scenes}\n"
        "  - {use: semantic_dedup, column: keyframe_embedding, threshold: 0.9}\n"
    )
    told = r'"keyframe_embedding", which is not there any more: steps\[1\] \(split\) makes other clips'
    with pytest.raises(RecipeError, match=told):
        make_plan(load(recipe(steps)))


OWN = """
from collections.abc import Sequence
from typing import Literal
from shotscribe.builder.contract import Columns, Range, Row, SplitStep

class Halves(SplitStep):
    use: Literal["halves"] = "halves"

    def reads(self) -> Columns:
        return {"duration": "float64"}

    def adds(self) -> Columns:
        return {"half": "int64"}

    def split(self, row: Row) -> Sequence[Range]:
        middle = row["duration"] / 2
        return PARTS
"""


def test_a_step_of_ones_own(recipe: Callable[[str], Path], tmp_path: Path, run: Run) -> None:
    path = recipe("  - {use: ./halves.py}\n  - {use: luma}\n")
    own = tmp_path / "halves.py"
    own.write_text(
        OWN.replace("PARTS", '[Range(0.0, middle, {"half": 0}), Range(middle, row["duration"], {"half": 1})]')
    )
    rows = rows_of(run(path, tmp_path / "out").out)
    assert sorted(row["half"] for row in rows.values()) == [0, 0, 0, 1, 1, 1]
    for parts, why in {
        "[]": "it gives no part",
        "[Range(0.0, 2 * row['duration'])]": "is none of a clip of",
        "[Range(0.0, middle, {'half': 'x'})]": "half",
        "[Range(0.0, middle)]": "half",
        "[1 / 0]": "ZeroDivisionError",
    }.items():
        own.write_text(OWN.replace("PARTS", parts))
        with pytest.raises(StepError, match=why):
            run(path, tmp_path / "out")
