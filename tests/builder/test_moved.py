"""A corpus that is touched, moved or copied costs nothing anew, and what is published stays as it is."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
from shotscribe.builder.build import Built

from .conftest import WorkDone

Run = Callable[..., Built]


def test_a_corpus_that_is_touched_is_already_built(parts: Path, tmp_path: Path, run: Run, work_done: WorkDone) -> None:
    run(parts, tmp_path / "out")
    for path in tmp_path.glob("*.mp4"):
        os.utime(path)
    work_done.clear()
    assert run(parts, tmp_path / "out").reused
    assert work_done() == {}


def test_a_corpus_that_is_moved_measures_and_cuts_nothing(
    parts: Path, tmp_path: Path, run: Run, work_done: WorkDone, published: Callable[[Path], dict[str, str]]
) -> None:
    run(parts, tmp_path / "out")
    before = published(tmp_path / "out")
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for path in [*tmp_path.glob("*.mp4"), tmp_path / "t.csv"]:
        shutil.move(path, moved)
    recipe = moved / parts.name
    recipe.write_text(parts.read_text())
    work_done.clear()
    run(recipe, tmp_path / "out")
    assert work_done() == {}
    assert {name: content for name, content in published(tmp_path / "out").items() if name.startswith("data/")} == {
        name: content for name, content in before.items() if name.startswith("data/")
    }
    recipe.write_text(recipe.read_text().replace("shard_size: 40KB", "shard_size: 9MB"))
    assert len(run(recipe, tmp_path / "out").record["shards"]) == 1
    assert work_done() == {}, "an mp4 is known by what it was cut from, wherever that lies"


def test_a_file_of_other_content_is_measured_and_cut_again(
    parts: Path, tmp_path: Path, run: Run, work_done: WorkDone, encode, moving
) -> None:
    run(parts, tmp_path / "out")
    rows = pq.read_table(tmp_path / "out" / "metadata").to_pylist()
    about = (tmp_path / "good 2.mp4").stat()
    encode(tmp_path / "good 2.mp4", moving(40, seed=99))
    os.utime(tmp_path / "good 2.mp4", ns=(about.st_atime_ns, about.st_mtime_ns))
    work_done.clear()
    run(parts, tmp_path / "out")
    changed = sum(row["source_id"].startswith("good 2.mp4") for row in rows)
    assert work_done()["cut_file"] == changed == 2
