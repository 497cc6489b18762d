"""What a finished folder holds after a change of how it is published, and where clips come from addresses."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from shotscribe.builder.build import Built, build
from shotscribe.builder.contract.errors import RunError
from shotscribe.builder.output.record import _differ
from shotscribe.builder.progress import Progress

Published = Callable[[Path], dict[str, str]]


def built(recipe: Path, out: Path) -> Built:
    return build(recipe, out=out, progress=Progress())


def test_published_bytes_do_not_show_where_shards_of_work_end(
    recipe: Path, tmp_path: Path, published: Published
) -> None:
    built(recipe, tmp_path / "a")
    recipe.write_text(
        recipe.read_text().replace("piece_rows: 4", "piece_rows: 1000").replace("workers: 2", "workers: 1")
    )
    built(recipe, tmp_path / "b")
    assert published(tmp_path / "a") == published(tmp_path / "b")


def test_nothing_of_the_media_stays_when_it_may_not_be_published(recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert built(recipe, out).record["samples"]
    assert list((out / "assets").glob("*.jpg"))
    recipe.write_text(recipe.read_text().replace("shard_size", "media: reference, shard_size"))
    assert built(recipe, out).record["samples"] == []
    assert not list((out / "assets").glob("*.jpg"))
    assert not any(b"ftyp" in path.read_bytes() for path in (out / "data").iterdir())


def test_no_state_is_left_of_tables_that_nobody_needs(recipe: Path, tmp_path: Path) -> None:
    built(recipe, tmp_path / "out")
    work = tmp_path / "out" / ".work"
    assert not (work / "scratch").exists()
    assert not (work / "filling").exists()
    assert built(recipe, tmp_path / "out").reused


def test_a_clip_that_was_fetched_is_published(tmp_path: Path, clips_folder: Path) -> None:
    address = "https://example.com/v/one.mp4"
    (tmp_path / "t.csv").write_text(f"url\n{address}\n")
    recipe = tmp_path / "r.yaml"
    recipe.write_text('name: web\nversion: "1"\nsources: [{use: table, path: t.csv, license: cc0-1.0}]\nsteps: []\n')
    fetched = tmp_path / "out" / ".work" / "media" / hashlib.sha256(address.encode()).hexdigest()[:32]
    fetched.parent.mkdir(parents=True)
    fetched.write_bytes((clips_folder / "good 0.mp4").read_bytes())
    assert built(recipe, tmp_path / "out").record["rows"] == 1
    assert pq.read_table(tmp_path / "out" / "metadata").column("source_url").to_pylist() == [address]


def test_a_corpus_without_rows_is_told(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("path\n")
    recipe = tmp_path / "r.yaml"
    recipe.write_text('name: none\nversion: "1"\nsources: [{use: table, path: t.csv, license: cc0-1.0}]\nsteps: []\n')
    with pytest.raises(RunError, match="no clips in the sources"):
        built(recipe, tmp_path / "out")


def test_a_stage_that_ends_early_names_the_clips_that_failed(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shotscribe.builder.run.state._STOP_EARLY", 1)
    recipe.write_text(recipe.read_text().replace("max_reject_rate: 0.6", "max_reject_rate: 0.1"))
    with pytest.raises(RunError, match="max_reject_rate"):
        built(recipe, tmp_path / "out")
    named = pq.read_table(tmp_path / "out" / ".work" / "rejects.parquet").column("source_id").to_pylist()
    assert len(named) == len(set(named)) >= 1  # the first failure ends it; others may come in while it does
    assert set(named) <= {"text.mp4", "empty.mp4", "cut off.mp4"}


@pytest.mark.parametrize(
    ("least", "most", "drawn"),
    [(0.0, 1.0, True), (0.1, 0.1 + 1e-16, False), (-1e308, 1e308, False), (5.0, 5.0, False), (100.0, 100.1, True)],
)
def test_what_hardly_differs_is_not_drawn(least: float, most: float, drawn: bool) -> None:
    assert _differ(least, most) is drawn
    if drawn:
        assert len(np.unique([f"{edge:.6g}" for edge in np.histogram([least, most], bins=24)[1]])) == 25
