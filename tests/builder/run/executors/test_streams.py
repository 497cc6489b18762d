"""Nobody reads what the command says, or no longer: the work is done all the same, and the exit code says so."""

from __future__ import annotations

import subprocess
from pathlib import Path


def test_readers_that_go_away_end_no_run(recipe: Path, tmp_path: Path, entry: list[str]) -> None:
    command = [*entry, recipe, "--out", tmp_path / "out"]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    for pipe in (run.stdout, run.stderr):
        assert pipe is not None
        pipe.close()
    assert run.wait(timeout=240) == 0
    assert (tmp_path / "out" / "build.json").exists()


def test_no_traceback_where_one_line_is_read(recipe: Path, entry: list[str]) -> None:
    script = '"$@" | head -1; echo "${PIPESTATUS[0]}"'
    command = ["bash", "-c", script, "bash", *entry, str(recipe), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True)
    assert done.stdout.splitlines()[-1] == "0"
    assert done.stderr == ""


def test_streams_that_were_closed_at_the_start(recipe: Path, tmp_path: Path, entry: list[str]) -> None:
    command = ["bash", "-c", '"$@" <&- >&- 2>&-', "bash", *entry, str(recipe), "--out", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, timeout=240, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert (tmp_path / "out" / ".work" / "lock").read_text().startswith("process ")  # no output landed in a file


def test_a_run_that_fails_unheard_still_says_so(recipe: Path, tmp_path: Path, entry: list[str]) -> None:
    recipe.write_text(recipe.read_text().replace("min_s: 0.5", "min_s: 500"))
    run = subprocess.Popen([*entry, recipe, "--out", tmp_path / "out"], stderr=subprocess.PIPE)
    assert run.stderr is not None
    run.stderr.close()
    assert run.wait(timeout=240) == 1


def test_a_full_disk_is_no_reader_that_went_away(recipe: Path, entry: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*entry, recipe, "--check"], stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode != 0
