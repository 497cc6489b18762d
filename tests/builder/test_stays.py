"""What cost work stays: through samples, thresholds that come and go, and corpora that are not all there."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from shotscribe.builder.contract.errors import RunError
from shotscribe.builder.store.outputs import output_of, outputs

Run = Callable[..., Any]
WorkDone = Any


def test_a_sample_is_a_dataset_of_its_own_and_costs_the_whole_nothing(
    parts: Path, tmp_path: Path, run: Run, published: Callable[[Path], dict[str, str]], work_done: WorkDone
) -> None:
    out = tmp_path / "out"
    run(parts, out)
    whole = published(out)
    work_done.clear()
    sample = run(parts, out, limit=3)
    assert work_done() == {}, "all that it needs was measured and cut by the whole run"
    assert sample.out == tmp_path / "out-limit-3"
    assert (sample.record["name"], sample.record["rows"]) == ("parts-limit-3", 3)
    assert pq.read_table(sample.out / "metadata").num_rows == 3
    assert published(out) == whole
    assert run(parts, out).reused
    assert run(parts, out, limit=3).reused


def test_the_whole_run_has_nothing_to_do_again_after_a_sample(
    parts: Path, tmp_path: Path, run: Run, published: Callable[[Path], dict[str, str]], work_done: WorkDone
) -> None:
    out = tmp_path / "out"
    run(parts, out, limit=5)
    assert work_done() == {"measure_clip": 10, "cut_file": 5}
    assert {path.name for path in out.iterdir()} == {".work"}
    work_done.clear()
    run(parts, out)
    assert work_done() == {"measure_clip": 14, "cut_file": 7}
    run(parts, tmp_path / "other")
    assert published(out) == published(tmp_path / "other")


def test_a_sample_of_a_changed_recipe_leaves_the_whole_as_it_was(
    parts: Path, tmp_path: Path, run: Run, published: Callable[[Path], dict[str, str]], work_done: WorkDone
) -> None:
    out = tmp_path / "out"
    run(parts, out)
    whole = published(out)
    text = parts.read_text()
    parts.write_text(text.replace("{use: luma}", "{use: luma}\n  - {use: blur}"))
    work_done.clear()
    run(parts, out, limit=3)
    assert work_done() == {"measure_clip": 3}
    assert published(out) == whole
    parts.write_text(text)
    assert run(parts, out).reused


def test_a_sample_can_be_deleted(
    parts: Path, tmp_path: Path, run: Run, published: Callable[[Path], dict[str, str]], work_done: WorkDone
) -> None:
    out = tmp_path / "out"
    sample = run(parts, out, limit=5)
    shutil.rmtree(sample.out)
    work_done.clear()
    run(parts, out)
    assert work_done()["cut_file"] == 7, "its cuts are in the state"
    assert [output.folder for output in outputs(out / ".work")] == [out]


def test_a_threshold_that_is_tightened_and_loosened_cuts_nothing(
    parts: Path, tmp_path: Path, run: Run, published: Callable[[Path], dict[str, str]], work_done: WorkDone
) -> None:
    out, text = tmp_path / "out", parts.read_text()
    run(parts, out)
    whole = published(out)
    work_done.clear()
    for tightened in ("min_s: 0.55", "min_s: 0.50", "min_s: 0.60"):
        parts.write_text(text.replace("min_s: 0.3", tightened))
        run(parts, out)
    kept = {path.stat().st_size for path in (out / ".work" / "cuts").iterdir()}
    assert kept
    parts.write_text(text)
    run(parts, out)
    assert work_done() == {}
    assert published(out) == whole
    assert not list((out / ".work" / "cuts").iterdir()), "each clip is kept once"


def test_a_corpus_that_is_not_all_there_is_said_and_costs_nothing(
    parts: Path, tmp_path: Path, run: Run, published: Callable[[Path], dict[str, str]], work_done: WorkDone
) -> None:
    out, table = tmp_path / "out", tmp_path / "t.csv"
    run(parts, out)
    whole, text, said = published(out), table.read_text(), list[str]()
    table.write_text("\n".join(text.splitlines()[:4]) + "\n")
    assert run(parts, out, said=said).record["rows"] == 3
    assert any("list 3 rows" in line and "listed 12" in line for line in said), said
    table.write_text(text)
    work_done.clear()
    run(parts, out)
    assert work_done() == {}
    assert published(out) == whole


def test_no_folder_is_taken_for_what_it_is_not(parts: Path, tmp_path: Path, run: Run) -> None:
    out = tmp_path / "out"
    sample = run(parts, out, limit=3)
    with pytest.raises(RunError, match=r"is a sample, whose state is in \.\./out/\.work; give this run another folder"):
        run(parts, sample.out)
    another = tmp_path / "out-limit-4"
    another.mkdir()
    (another / "thesis.tex").write_text("years of work")
    with pytest.raises(RunError, match="there are files in it that no build made"):
        run(parts, out, limit=4)
    run(parts, tmp_path / "out-limit-5")  # a whole dataset of that name
    with pytest.raises(RunError, match="there are files in it that no build made"):
        run(parts, out, limit=5)
    assert output_of("parts", out, limit=None).folder == out
