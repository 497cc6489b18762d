"""Whole runs: from a folder of clips to a dataset that readers load, and back to it after every kind of change."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from shotscribe.builder import cli
from shotscribe.builder.build import _cores
from shotscribe.builder.store.arrow import read_table

Command = Callable[..., subprocess.CompletedProcess[str]]
Published = Callable[[Path], dict[str, str]]


def rejects(out: Path) -> dict[str, tuple[str, str]]:
    rows = pq.read_table(out / "rejects.parquet").to_pylist()
    return {row["source_id"]: (row["step"], row["reason"]) for row in rows}


def values_written(out: Path) -> set[str]:
    return {str(path.relative_to(out)) for path in (out / ".work" / "values").rglob("*.arrow")}


def written_at(out: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file() and path.name != "lock"}


def test_every_file_is_kept_or_rejected_with_its_reason(recipe: Path, tmp_path: Path, command: Command) -> None:
    out = tmp_path / "out"
    done = command(recipe, "--out", out)
    assert done.returncode == 0, done.stderr
    kept = pq.read_table(out / "metadata").to_pylist()
    assert rejects(out) == {
        "good 0.mp4": ("semantic_dedup", "duplicate"),  # its copy below deep/ comes first
        "short.mp4": ("duration", "below_min"),
        "text.mp4": ("probe", "unreadable"),
        "empty.mp4": ("probe", "unreadable"),
        "cut off.mp4": ("probe", "unreadable"),
    }
    assert len(kept) + len(rejects(out)) == 13
    record = json.loads((out / "build.json").read_text())
    assert record["rows"] == len(kept) == 8
    assert [step["rows_out"] for step in record["steps"]][-1] == 8
    for row in kept:
        assert re.fullmatch(r"[a-z0-9_-]+", row["clip_id"])
        assert "40 frames" not in row["caption"]
        assert f"{row['width']}" in row["caption"]


def test_readers_load_it_as_it_is(recipe: Path, tmp_path: Path, command: Command) -> None:
    import datasets
    import webdataset

    out = tmp_path / "out"
    assert command(recipe, "--out", out).returncode == 0
    streamed = datasets.load_dataset(str(out), split="train", streaming=True)
    rows = list(streamed)
    assert len(rows) == 8
    assert rows[0]["mp4"]["bytes"][4:8] == b"ftyp"
    assert rows[0]["json"]["caption"] == rows[0]["txt"]
    shards = sorted(str(path) for path in (out / "data").glob("*.tar"))
    assert len(shards) > 1
    samples = list(webdataset.WebDataset(shards, shardshuffle=False))
    assert [sample["__key__"] for sample in samples] == [row["__key__"] for row in rows]
    assert [json.loads(sample["json"]) for sample in samples] == [row["json"] for row in rows]
    metadata = datasets.load_dataset("parquet", data_files=f"{out}/metadata/*.parquet", split="train")
    assert [row["clip_id"] for row in metadata] == [row["__key__"] for row in rows]


def test_load_recipe_builds_and_streams(recipe: Path, tmp_path: Path) -> None:
    import shotscribe

    dataset = shotscribe.load_recipe(recipe, out=tmp_path / "out", streaming=True)
    assert sum(1 for _ in dataset) == 8


def test_nothing_private_is_published(recipe: Path, tmp_path: Path, command: Command, clips_folder: Path) -> None:
    out = tmp_path / "out"
    assert command(recipe, "--out", out).returncode == 0
    private = [str(clips_folder).encode(), str(tmp_path).encode(), os.fsencode(Path.home()) + b"/"]
    for path in out.rglob("*"):
        if path.is_file() and ".work" not in path.parts:
            data = path.read_bytes()
            assert not any(secret in data for secret in private), path


def test_a_second_run_does_nothing(recipe: Path, tmp_path: Path, command: Command, published: Published) -> None:
    out = tmp_path / "out"
    assert command(recipe, "--out", out).returncode == 0
    before, values = published(out), values_written(out)
    stamps = written_at(out)
    again = command(recipe, "--out", out)
    assert again.returncode == 0
    assert "nothing was done" in again.stdout
    assert (published(out), values_written(out)) == (before, values)
    assert written_at(out) == stamps


def test_a_changed_threshold_decodes_nothing(
    recipe: Path, tmp_path: Path, command: Command, published: Published
) -> None:
    out = tmp_path / "out"
    assert command(recipe, "--out", out).returncode == 0
    first = published(out)
    values = values_written(out)
    text = recipe.read_text()
    motions = sorted(pq.read_table(out / "metadata").column("motion").to_pylist())
    recipe.write_text(text.replace("{use: motion}", f"{{use: motion, min: {motions[4]!r}}}"))
    assert command(recipe, "--out", out).returncode == 0
    assert pq.read_table(out / "metadata").num_rows == 4
    assert {path for path in values_written(out) - values if "decisions" not in path} == set()
    recipe.write_text(text)
    assert command(recipe, "--out", out).returncode == 0
    assert published(out) == first


def test_one_more_file_measures_one_more_clip(
    recipe: Path, tmp_path: Path, command: Command, clips_folder: Path
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    for path in sorted(clips_folder.glob("good*.mp4"))[:4]:
        (folder / path.name).write_bytes(path.read_bytes())
    text = recipe.read_text().replace("piece_rows: 4", "piece_rows: 1000")
    recipe.write_text(text.replace(str(clips_folder), str(folder)))
    out = tmp_path / "out"
    assert command(recipe, "--out", out).returncode == 0
    before = values_written(out)
    (folder / "a new one.mp4").write_bytes((clips_folder / "good 7.mp4").read_bytes())
    assert command(recipe, "--out", out).returncode == 0
    assert pq.read_table(out / "metadata").num_rows == 5
    probed = [path for path in values_written(out) - before if "/probe-" in path]
    rows = sum(read_table(out / path).num_rows for path in probed)
    assert rows == 1


def test_limit_then_all_equals_all(recipe: Path, tmp_path: Path, command: Command, published: Published) -> None:
    assert command(recipe, "--out", tmp_path / "a", "--limit", 5).returncode == 0
    assert command(recipe, "--out", tmp_path / "a").returncode == 0
    assert command(recipe, "--out", tmp_path / "b").returncode == 0
    assert published(tmp_path / "a") == published(tmp_path / "b")


def test_too_many_errors_stop_the_run(recipe: Path, tmp_path: Path, command: Command) -> None:
    recipe.write_text(recipe.read_text().replace("max_reject_rate: 0.6", "max_reject_rate: 0.1"))
    done = command(recipe, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "3 of 13 clips failed" in done.stderr
    assert "max_reject_rate" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out" / "data").exists()


def test_when_every_clip_is_rejected_nothing_is_published(recipe: Path, tmp_path: Path, command: Command) -> None:
    recipe.write_text(recipe.read_text().replace("min_s: 0.5", "min_s: 500"))
    done = command(recipe, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "10 by duration.min_s (below_min)" in done.stderr
    assert not (tmp_path / "out" / "README.md").exists()


def test_every_page_names_the_option_that_a_clip_was_dropped_for(
    recipe: Path, tmp_path: Path, command: Command
) -> None:
    out = tmp_path / "out"
    done = command(recipe, "--out", out)
    why = {row["source_id"]: row for row in pq.read_table(out / "rejects.parquet").to_pylist()}
    assert {name: row["option"] for name, row in why.items() if row["option"]} == {
        "good 0.mp4": "threshold",
        "short.mp4": "min_s",
    }
    assert why["short.mp4"]["detail"].endswith("< min_s 0.5")
    record = json.loads((out / "build.json").read_text())
    options = {step["name"]: step["options"] for step in record["steps"] if step["options"]}
    assert options == {"duration": {"below_min": {"min_s": 1}}, "semantic_dedup": {"duplicate": {"threshold": 1}}}
    assert "1 `below_min (min_s)`" in (out / "README.md").read_text()
    assert "duration.min_s" in (out / "report.html").read_text()
    assert "1 below_min (min_s)" in " ".join(done.stdout.split())


def test_what_the_recipe_asked_for_is_not_retried_but_decided_anew(
    recipe: Path, tmp_path: Path, command: Command
) -> None:
    out = tmp_path / "out"
    assert command(recipe, "--out", out).returncode == 0
    done = command(recipe, "--out", out, "--retry", "below_min")
    assert done.returncode == 2
    assert "change the option that rejects.parquet names" in done.stderr
    recipe.write_text(recipe.read_text().replace("min_s: 0.5", "min_s: 0.1"))  # the advice
    assert command(recipe, "--out", out).returncode == 0
    assert "short.mp4" not in rejects(out)


def test_a_second_run_at_once_says_so(recipe: Path, tmp_path: Path, command: Command) -> None:
    from shotscribe.builder.store.files import locked

    with locked(tmp_path / "out" / ".work"):
        done = command(recipe, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "another run holds this output folder" in done.stderr


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("path:", "paht:"), "did you mean"),
        (("use: luma", "use: lumma"), "did you mean"),
        (("caption: caption", "caption: nothing"), "nothing"),
    ],
)
def test_a_wrong_recipe_is_exit_code_2(
    recipe: Path, tmp_path: Path, command: Command, change: tuple[str, str], message: str
) -> None:
    recipe.write_text(recipe.read_text().replace(*change))
    for arguments in (("--check",), ("--out", tmp_path / "out")):
        done = command(recipe, *arguments)
        assert done.returncode == 2
        assert message in done.stderr
        assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("broken", ["missing", "empty", "file"])
def test_a_source_that_is_not_there(
    recipe: Path, tmp_path: Path, command: Command, broken: str, clips_folder: Path
) -> None:
    place = tmp_path / "corpus"
    if broken == "empty":
        place.mkdir()
    elif broken == "file":
        place.write_text("x")
    recipe.write_text(recipe.read_text().replace(str(clips_folder), str(place)))
    done = command(recipe, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "corpus" in done.stderr
    assert "Traceback" not in done.stderr


def test_import_and_check_load_no_heavy_library(recipe: Path) -> None:
    code = (
        "import sys; import shotscribe; from shotscribe.builder.cli import app;"
        "app([sys.argv[1], '--check'], standalone_mode=False);"
        "heavy = {'av', 'torch', 'transformers', 'vllm', 'faiss', 'datasets', 'matplotlib'} & set(sys.modules);"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    import sys

    done = subprocess.run([sys.executable, "-c", code, str(recipe)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "keyframes" in done.stdout


def test_a_system_that_does_not_tell_the_cores_of_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert _cores() == os.cpu_count()


def test_windows_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "win32")
    with pytest.raises(SystemExit, match="WSL"):
        cli.main()
