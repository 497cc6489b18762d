"""Clips whose published caption shows nothing: rejected by name, or published without `.txt`, and counted."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from shotscribe.builder.contract.errors import Reason
from shotscribe.builder.output.uncaptioned import count_captioned, is_blank, uncaptioned
from shotscribe.builder.store.arrow import write_scratch

Command = Callable[..., subprocess.CompletedProcess[str]]

RECIPE = """\
name: half
version: "1"
sources:
  - {{use: folder, path: "{folder}", license: cc0-1.0}}
steps: []
publish: {{caption: source_caption{uncaptioned}}}
run: {{workers: 2, max_reject_rate: {rate}}}
"""


@pytest.mark.parametrize(
    ("caption", "blank"),
    [
        (None, True),
        ("", True),
        (" \n\t\u00a0\u3000", True),
        ("\u200b\ufeff\u00ad\x00", True),
        ("\u200b.", False),
        ("猫", False),
        ("🐈", False),
    ],
)
def test_blank_is_what_shows_nothing(caption: str | None, blank: bool) -> None:
    assert is_blank(caption) is blank


def test_they_are_named_and_counted_over_all_tables(tmp_path: Path) -> None:
    captions = [["A dog.", None], [], ["  ", "A cat."]]
    paths = []
    for number, texts in enumerate(captions):
        ids = pa.array([f"c{number}{at}" for at in range(len(texts))], pa.string())
        table = pa.table({"clip_id": ids, "caption": pa.array(texts, pa.string())})
        paths.append(tmp_path / f"{number}.arrow")
        write_scratch(paths[-1], table)
        pq.write_table(table, tmp_path / f"{number}.parquet")
    silent = uncaptioned(paths, "caption")
    assert {clip: (why.reason, why.detail) for clip, why in silent.items()} == {
        "c01": (Reason.NO_CAPTION, "caption is null"),
        "c20": (Reason.NO_CAPTION, "caption is blank"),
    }
    assert Reason.NO_CAPTION.is_error
    assert count_captioned(sorted(tmp_path.glob("*.parquet")), "caption") == 2


@pytest.fixture(scope="module")
def folder(
    encode: Callable[..., Path], moving: Callable[..., Iterable[Any]], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Four clips: two with a caption, one with an empty one, one with none."""
    folder = tmp_path_factory.mktemp("half")
    for name, caption in (("a", "A dog runs."), ("b", " \n"), ("c", None), ("d", "A cat sits.")):
        encode(folder / f"{name}.mp4", moving(6, size=(48, 64)))
        if caption is not None:
            (folder / f"{name}.txt").write_text(caption)
    return folder


def test_more_of_them_than_may_fail_end_the_run_and_the_advice_helps(
    folder: Path, tmp_path: Path, command: Command
) -> None:
    recipe, out = tmp_path / "half.yaml", tmp_path / "out"
    recipe.write_text(RECIPE.format(folder=folder, uncaptioned="", rate=0.2))
    done = command(recipe, "--out", out)
    assert done.returncode == 1
    assert "publish: 2 of 4 clips failed (2 no_caption)" in done.stderr
    assert "publish.uncaptioned: keep" in done.stderr
    assert not (out / "data").exists()
    named = pq.read_table(out / ".work" / "rejects.parquet").to_pylist()
    assert {row["source_id"]: (row["step"], row["reason"]) for row in named} == dict.fromkeys(
        ("b.mp4", "c.mp4"), ("publish", "no_caption")
    )
    recipe.write_text(RECIPE.format(folder=folder, uncaptioned=", uncaptioned: keep", rate=0.2))
    check_pages_and_readers(command(recipe, "--out", out), out, ids="abcd")


def test_fewer_are_left_out_by_name(folder: Path, tmp_path: Path, command: Command) -> None:
    recipe, out = tmp_path / "half.yaml", tmp_path / "out"
    recipe.write_text(RECIPE.format(folder=folder, uncaptioned="", rate=0.5))
    done = command(recipe, "--out", out)
    assert "2 no_caption" in done.stdout
    check_pages_and_readers(done, out, ids="ad")


def check_pages_and_readers(done: subprocess.CompletedProcess[str], out: Path, *, ids: str) -> None:
    """No empty text is published, readers load it all the same, and every page says how many are captioned."""
    import datasets
    import webdataset

    assert done.returncode == 0, done.stderr
    texts = {"a": "A dog runs.", "d": "A cat sits."}
    shards = sorted(map(str, (out / "data").glob("*.tar")))
    for sample in webdataset.WebDataset(shards, shardshuffle=False):
        name = json.loads(sample["json"])["source_id"].removesuffix(".mp4")
        assert sample.get("txt") == (texts[name].encode() if name in texts else None)
    read = sorted(
        datasets.load_dataset(str(out), split="train", streaming=True), key=lambda row: row["json"]["source_id"]
    )
    assert [row["json"]["source_id"] for row in read] == [f"{name}.mp4" for name in ids]
    assert [row["txt"] for row in read] == [texts.get(name) for name in ids]
    record = json.loads((out / "build.json").read_text())
    assert (record["rows"], record["captioned"]) == (len(ids), 2)
    said = f"2 of {len(ids)} captioned"
    card = (out / "README.md").read_text()
    assert all(said in text for text in (done.stdout, card, (out / "report.html").read_text()))
    assert "| `source_caption` | `the source` |" in card
    assert ('sample.get("txt")' in card) is (len(ids) == 4)
