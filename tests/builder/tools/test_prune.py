"""`shotscribe prune` frees what no build needs, says so first, and never more."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from shotscribe.builder.contract.errors import RunError
from shotscribe.builder.store.files import locked
from shotscribe.builder.tools.main import app
from typer.testing import CliRunner


def prune(out: Path, *arguments: str) -> str:
    done = CliRunner().invoke(app, ["prune", str(out), *arguments], catch_exceptions=True)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def files(out: Path) -> set[Path]:
    return {path for path in out.rglob("*") if path.is_file() and path.name != "lock"}


@pytest.fixture
def aged(parts: Path, tmp_path: Path, run: Callable[..., Any]) -> Path:
    """A folder in which a recipe was changed in every way, and the whole dataset and a sample are finished."""
    out, text, table = tmp_path / "out", parts.read_text(), (tmp_path / "t.csv").read_text()
    parts.write_text(text.replace("{use: luma}", "{use: luma}\n  - {use: blur}"))
    (tmp_path / "t.csv").write_text(table + "".join(f"good {at}.mp4,0.3,1.{at}\n" for at in range(8)))
    run(parts, out)
    (tmp_path / "t.csv").write_text(table)
    parts.write_text(text.replace("min_s: 0.3", "min_s: 0.5"))
    run(parts, out)
    run(parts, out, limit=6)
    fetched = out / ".work" / "media" / hashlib.sha256(b"https://example.com/gone.mp4").hexdigest()[:32]
    fetched.parent.mkdir(exist_ok=True)
    fetched.write_bytes(b"a video that no clip is of any longer")
    return out


def test_without_yes_nothing_is_deleted(aged: Path) -> None:
    before = files(aged)
    said = prune(aged)
    assert files(aged) == before
    for what in ("steps that the recipe no longer has", "sources no longer have", "files from addresses", "dropped"):
        assert what in said, what
    assert "--yes" in said


def test_what_is_left_is_all_that_the_builds_need(
    aged: Path, parts: Path, run: Callable[..., Any], published: Callable[[Path], dict[str, str]], work_done: Any
) -> None:
    sample = aged.with_name("out-limit-6")
    before = published(aged), published(sample)
    assert len(prune(aged, "--yes").splitlines()) == 4
    assert (published(aged), published(sample)) == before
    assert run(parts, aged).reused
    assert run(parts, aged, limit=6).reused
    assert prune(aged) == "Nothing to free: all that is kept is needed.\n"
    assert not [path for path in files(aged) if "/blur-" in str(path)]
    assert not list((aged / ".work" / "cuts").iterdir())
    parts.write_text(parts.read_text().replace("min_s: 0.5", "min_s: 0.55"))
    run(parts, aged)
    assert work_done() == {}, "a tightened threshold needs nothing of what was pruned"


def test_what_was_pruned_is_made_again(aged: Path, parts: Path, run: Callable[..., Any], work_done: Any) -> None:
    prune(aged, "--yes")
    parts.write_text(parts.read_text().replace("min_s: 0.5", "min_s: 0.3"))
    assert run(parts, aged).record["rows"] == 12
    assert work_done() == {"cut_file": 5}, "what was measured of clips that are still listed is no waste"


def test_answers_that_were_paid_for_go_only_by_name(aged: Path) -> None:
    prune(aged, "--yes")
    piece = next((aged / ".work" / "clips").glob("*.arrow")).name.split(".")[0]
    paid = aged / ".work" / "completions" / ("0" * 16) / f"{piece}.jsonl"
    paid.parent.mkdir(parents=True)
    paid.write_text("an answer")
    said = prune(aged, "--yes")
    assert "1 files  answers of engines that the recipe no longer has" in said
    assert "kept without --completions" in said
    assert paid.exists()
    prune(aged, "--completions")
    assert paid.exists()
    assert "kept without" not in prune(aged, "--yes", "--completions")
    assert not paid.parent.exists()


def test_a_deleted_sample_needs_nothing(aged: Path) -> None:
    prune(aged, "--yes")
    shutil.rmtree(aged.with_name("out-limit-6"))
    assert "cuts of clips that were dropped" in prune(aged, "--yes")
    assert not [
        path for path in (aged / ".work" / "tars").iterdir() if path.stat().st_nlink == 1 and path.suffix == ".tar"
    ]


def test_a_run_that_was_interrupted_keeps_what_it_goes_on_with(
    aged: Path, parts: Path, run: Callable[..., Any], work_done: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts.write_text(parts.read_text().replace("min_s: 0.5", "min_s: 0.3").replace("luma}", "luma}\n  - {use: blur}"))

    def interrupted(*_args: object, **_kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("shotscribe.builder.build.write_pages", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(parts, aged)
    monkeypatch.undo()
    said = prune(aged, "--yes")
    assert "A run is not finished" in said
    assert "steps that the recipe no longer has" not in said
    spent = dict(work_done())
    run(parts, aged)
    assert work_done() == spent


def test_what_cannot_be_pruned_is_refused(aged: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no dataset was built here"):
        prune(tmp_path)
    with pytest.raises(RunError, match=r"is a sample, whose state is in \.\./out/\.work"):
        prune(aged.with_name("out-limit-6"))
    with locked(aged / ".work"), pytest.raises(RunError, match="another run holds"):
        prune(aged)
    (aged / ".work" / "done.json").write_text('{"digest": "of an earlier version"}')
    before = files(aged) - {aged / ".work" / "done.json"}  # as it is damaged, it is removed
    with pytest.raises(RunError, match="run its recipe again, then prune"):
        prune(aged, "--yes")
    assert files(aged) == before
