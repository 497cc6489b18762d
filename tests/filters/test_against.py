"""What an earlier dataset holds does not enter the new one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from shotscribe.builder.build import build
from shotscribe.builder.contract.errors import RecipeError, RunError
from shotscribe.builder.progress import Progress
from shotscribe.builder.recipe.recipe import load
from shotscribe.filters.embed.cosine import similarities, squares
from shotscribe.filters.semantic_dedup import duplicates

TEXTS = {"a": "A dog runs over a green lawn.", "b": "Rain on a window at night.", "c": "A red car in a tunnel."}
NEW = {
    "a2": "a dog runs over  a green lawn",
    "d": "Two people cook soup in a kitchen.",
    "d2": "Two people cook soup in a kitchen",
}
DEDUP = "{use: semantic_dedup, column: source_caption, threshold: 0.9, embed: {use: hashing}%s}"


@given(
    vectors=arrays(
        np.float32, st.tuples(st.integers(1, 30), st.integers(1, 4)), elements=st.integers(-2, 2).map(float)
    ),
    first=st.integers(0, 30),
    block=st.sampled_from([1, 3, 64]),
)
@settings(max_examples=150)
def test_rows_of_the_pool_stay_and_the_others_are_compared(vectors: np.ndarray, first: int, block: int) -> None:
    first = min(first, len(vectors))
    squared, kept, dropped = squares(vectors), list(range(first)), []
    for row in range(first, len(vectors)):
        near = similarities(vectors, squared, np.full(len(kept), row), np.array(kept, int))
        if len(kept) and near.max() >= 0.8:
            dropped.append((row, kept[int(near.argmax())]))
        else:
            kept.append(row)
    found = duplicates(vectors, threshold=0.8, first=first, block=block)
    assert [(one.position, one.of) for one in found] == dropped


def recipe(folder: Path, name: str, *, videos: str, more: str = "") -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(f"""
name: {name}
version: "1"
sources: [{{use: folder, path: {videos}, license: cc0-1.0}}]
steps: [{DEDUP % more}]
publish: {{caption: source_caption}}
run: {{workers: 1}}
""")
    return path


def made(folder: Path, name: str, **options: str) -> Path:
    with Progress() as progress:
        return build(recipe(folder, name, **options), out=folder / "out" / name, progress=progress).out


@pytest.fixture(scope="module", name="first")
def first_fixture(
    tmp_path_factory: pytest.TempPathFactory, encode: Callable[..., Path], moving: Callable[..., Iterable[np.ndarray]]
) -> Path:
    """A folder with videos, more videos, and a dataset of the first."""
    folder = tmp_path_factory.mktemp("against")
    for videos, texts in (("old", TEXTS), ("new", {"a": TEXTS["a"], **NEW})):
        for at, (name, text) in enumerate(texts.items()):
            encode(folder / videos / f"{name}.mp4", moving(6, seed=at), fps=6)
            (folder / videos / f"{name}.txt").write_text(text)
    made(folder, "first", videos="old")
    return folder


def test_what_is_published_does_not_come_again(first: Path) -> None:
    out = made(first, "second", videos="new", more=", against: out/first")
    assert [row["source_id"] for row in pq.read_table(out / "metadata").to_pylist()] == ["d.mp4"]
    rejects = {row["source_id"]: row for row in pq.read_table(out / "rejects.parquet").to_pylist()}
    assert {name: row["reason"] for name, row in rejects.items()} == dict.fromkeys(
        ["a.mp4", "a2.mp4", "d2.mp4"], "duplicate"
    )
    assert rejects["a.mp4"]["detail"].endswith(" in first 1, the same clip")
    assert " in first 1, similarity 0.9" in rejects["a2.mp4"]["detail"]
    assert " in " not in rejects["d2.mp4"]["detail"]
    assert str(first) not in (out / "build.json").read_text()


def test_it_is_known_by_its_content(first: Path) -> None:
    shutil.copytree(first / "out" / "first", first / "moved")
    here, moved = (
        load(recipe(first, "x", videos="new", more=f", against: {where}")) for where in ("out/first", "moved")
    )
    assert here.steps[0].model_dump(mode="json") == moved.steps[0].model_dump(mode="json")
    shutil.rmtree(first / "moved" / ".work")
    (metadata,) = (first / "moved" / "metadata").glob("*.parquet")
    metadata.write_bytes(metadata.read_bytes()[:-9])
    with pytest.raises(RunError, match=r"not as build\.json has it"):
        list(
            moved.steps[0].settle(
                pa.table({"clip_id": ["x"], "source_caption_hashing": pa.array([[1.0]], pa.list_(pa.float32()))})
            )
        )


@pytest.mark.parametrize(
    ("where", "said"), [("old", "no finished dataset"), ("nowhere", "no finished dataset"), ("odd", "not what a build")]
)
def test_a_folder_that_is_no_dataset_is_said_when_checked(first: Path, where: str, said: str) -> None:
    (first / "odd").mkdir(exist_ok=True)
    (first / "odd" / "build.json").write_text("[]")
    with pytest.raises(RecipeError, match=said):
        load(recipe(first, "x", videos="new", more=f", against: {where}"))


def test_what_cannot_be_compared_is_said_when_checked(first: Path) -> None:
    path = recipe(first, "x", videos="new", more=", against: out/first")
    path.write_text(path.read_text().replace("embed: {use: hashing}", "embed: {engine: bert}"))
    with pytest.raises(RecipeError, match="name a text column"):
        load(path)
    record = json.loads((first / "out" / "first" / "build.json").read_text())
    assert record["columns"].pop("source_caption") == "string"
    (first / "other").mkdir()
    (first / "other" / "build.json").write_text(json.dumps(record))
    with pytest.raises(RecipeError, match='first 1 has no text column "source_caption"; of texts it has clip_id'):
        load(recipe(first, "x", videos="new", more=", against: other"))
