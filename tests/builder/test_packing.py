"""Which tars a whole run writes: anew those that a change touches, and no others."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from shotscribe.builder.build import Built
from shotscribe.builder.output import publish
from shotscribe.builder.output.generations import close_generation
from shotscribe.builder.store.outputs import output_of

from .conftest import WorkDone

Run = Callable[..., Built]

RECIPE = """\
name: packed
version: "1"
sources: [{{use: table, path: t.csv, license: cc0-1.0}}]
steps:
  - {{use: duration, min_s: 0.1}}
publish: {{caption: source_caption, uncaptioned: keep, order: {order}, shard_size: {size}, media: {media}}}
run: {{workers: 2, piece_rows: 20}}
"""
CLIPS = 80


@pytest.fixture
def corpus(tmp_path: Path, clips_folder: Path) -> Path:
    """A recipe over 80 clips of 0.2 s."""
    for at in range(8):
        (tmp_path / f"{at}.mp4").write_bytes((clips_folder / f"good {at}.mp4").read_bytes())
    write_rows(tmp_path, range(CLIPS))
    return write_recipe(tmp_path)


def write_rows(folder: Path, numbers: range | list[int], *, caption: dict[int, str] | None = None) -> None:
    texts = {at: f"clip {at}" for at in numbers} | (caption or {})
    rows = [f"{at // 10}.mp4,{at % 10 * 0.05:.2f},{at % 10 * 0.05 + 0.2:.2f},{texts[at]}" for at in numbers]
    (folder / "t.csv").write_text("\n".join(["path,start,end,caption", *rows]) + "\n")


def write_recipe(folder: Path, *, order: str = "shuffled", size: str = "1GB", media: str = "embed") -> Path:
    path = folder / "packed.yaml"
    path.write_text(RECIPE.format(order=order, size=size, media=media))
    return path


def tars(out: Path) -> dict[str, tuple[str, int]]:
    """Name -> content and inode."""
    return {
        path.name: (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_ino)
        for path in sorted((out / "data").iterdir())
    }


def captions(out: Path) -> list[str]:
    """The texts in the tars, in their order."""
    found: list[str] = []
    for path in sorted((out / "data").iterdir()):
        with tarfile.open(path) as tar:
            for member in tar:
                if member.name.endswith(".txt"):
                    file = tar.extractfile(member)
                    assert file is not None
                    found.append(file.read().decode())
    return found


def changed(before: dict[str, tuple[str, int]], after: dict[str, tuple[str, int]]) -> list[str]:
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def test_a_clip_that_is_dropped_added_or_described_anew_writes_one_tar(
    corpus: Path, tmp_path: Path, run: Run, work_done: WorkDone
) -> None:
    out = tmp_path / "out"
    run(corpus, out)
    first = tars(out)
    assert list(first) == [f"train-{at:05}-of-00008.tar" for at in range(8)]
    assert sorted(captions(out)) == sorted(f"clip {at}" for at in range(CLIPS))
    assert captions(out) != [f"clip {at}" for at in range(CLIPS)]
    work_done.clear()
    rows = [at for at in range(CLIPS) if at != 33]
    write_rows(tmp_path, rows)
    run(corpus, out)
    assert len(changed(first, tars(out))) == 1
    assert "cut_file" not in work_done()
    write_rows(tmp_path, range(CLIPS))
    run(corpus, out)
    assert changed(first, tars(out)) == changed(first, first | tars(out))
    assert {name: content for name, (content, _) in tars(out).items()} == {
        name: content for name, (content, _) in first.items()
    }
    assert "cut_file" not in work_done()
    second = tars(out)
    write_rows(tmp_path, range(CLIPS), caption={5: "another"})
    run(corpus, out)
    assert len(changed(second, tars(out))) == 1
    assert "another" in captions(out)


def test_metadata_and_tars_have_the_same_rows_in_the_same_order(corpus: Path, tmp_path: Path, run: Run) -> None:
    out = tmp_path / "out"
    record = run(corpus, out).record
    rows = pq.read_table(out / "metadata").to_pylist()
    assert [row["source_caption"] for row in rows] == captions(out)
    for shard in record["shards"]:
        inside = [row for row in rows if row["shard"] == shard["path"]]
        assert len(inside) == shard["rows"]
        with tarfile.open(out / shard["path"]) as tar:
            assert [n.removesuffix(".json") for n in tar.getnames() if n.endswith(".json")] == [
                row["clip_id"] for row in inside
            ]


def test_what_was_pushed_is_not_written_again(corpus: Path, tmp_path: Path, run: Run) -> None:
    out = tmp_path / "out"
    write_rows(tmp_path, range(70))
    run(corpus, out)
    first = tars(out)
    close_generation(output_of("packed", out, limit=None))
    assert run(corpus, out).reused
    write_rows(tmp_path, range(CLIPS))
    record = run(corpus, out).record
    after = tars(out)
    assert {name: after[name] for name in first} == first
    assert [name for name in after if name not in first] == ["train-g2-00000-of-00001.tar"]
    urls = json.dumps([line for line in (out / "README.md").read_text().splitlines() if "WebDataset(" in line])
    assert "/data/train-{00000..00007}-of-00008.tar::" in urls
    assert "/data/train-g2-00000-of-00001.tar" in urls
    assert sorted(captions(out)) == sorted(f"clip {at}" for at in range(CLIPS))
    assert record["rows"] == CLIPS

    import datasets

    read = list(datasets.load_dataset(str(out), split="train", streaming=True))
    assert sorted(row["txt"] for row in read) == sorted(f"clip {at}" for at in range(CLIPS))
    write_rows(tmp_path, [at for at in range(CLIPS) if at not in (3, 75)])
    run(corpus, out)
    assert len(changed(after, tars(out))) == 2


def test_the_order_of_the_sources_is_kept_where_it_is_asked_for(corpus: Path, tmp_path: Path, run: Run) -> None:
    out = tmp_path / "out"
    run(write_recipe(tmp_path, order="source"), out)
    assert captions(out) == [f"clip {at}" for at in range(CLIPS)]
    first = tars(out)
    assert len(first) > 1, "a tar ends where a piece does"
    write_rows(tmp_path, [at for at in range(CLIPS) if at != 33])
    run(corpus, out)
    contents = {content for content, _ in first.values()}
    assert len(contents - {content for content, _ in tars(out).values()}) == 1
    assert captions(out) == [f"clip {at}" for at in range(CLIPS) if at != 33]


def test_another_order_or_size_cuts_nothing_again(corpus: Path, tmp_path: Path, run: Run, work_done: WorkDone) -> None:
    out = tmp_path / "out"
    run(corpus, out)
    shuffled = captions(out)
    work_done.clear()
    run(write_recipe(tmp_path, order="source"), out)
    run(write_recipe(tmp_path, size="30KB"), out)
    assert len(tars(out)) > 8
    assert "cut_file" not in work_done()
    assert captions(out) == shuffled, "with another number of tars, the same order"


def test_a_tar_whose_clips_all_fail_is_left_out_and_the_others_laid_out_anew(
    corpus: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number of tars is settled before anything is cut."""
    out = tmp_path / "out"
    run(corpus, out)
    doomed = pq.read_table(out / "metadata" / "train-00003-of-00008.parquet").column("clip_id").to_pylist()
    sample = publish._sample

    def without(row, *arguments):
        made = sample(row, *arguments)
        if row["clip_id"] in doomed:
            object.__setattr__(made, "media", str(tmp_path / "gone.mp4"))
            object.__setattr__(made, "media_version", "gone")
        return made

    monkeypatch.setattr(publish, "_sample", without)
    text = corpus.read_text().replace("piece_rows: 20", "piece_rows: 20, max_reject_rate: 0.9")
    corpus.write_text(text)
    (tmp_path / "fresh").mkdir()
    record = run(corpus, tmp_path / "fresh").record
    assert record["rows"] == CLIPS - len(doomed)
    assert len(record["shards"]) == 4
    assert pq.read_table(tmp_path / "fresh" / "rejects.parquet").num_rows == len(doomed)
