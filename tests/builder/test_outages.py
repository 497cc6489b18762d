"""What the surroundings do is no verdict on a clip: the same command goes on when they are back."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from shotscribe.builder import build
from shotscribe.builder.contract.errors import RunError
from shotscribe.builder.output.tables import failures

Run = Callable[..., Any]
Published = Callable[[Path], dict[str, str]]

RECIPE = """\
name: disk
version: "1"
sources: [{{use: folder, path: "{folder}", license: cc0-1.0}}]
steps: [{{use: luma}}]
publish: {{caption: null}}
run: {{workers: 2, max_reject_rate: 0.5}}
"""


@pytest.fixture
def disk(tmp_path: Path, clips_folder: Path) -> Path:
    """A recipe over a folder of five clips, on a disk that can go."""
    (tmp_path / "disk").mkdir()
    for path in sorted(clips_folder.glob("good *.mp4"))[:5]:
        shutil.copy2(path, tmp_path / "disk")
    recipe = tmp_path / "disk.yaml"
    recipe.write_text(RECIPE.format(folder=tmp_path / "disk"))
    return recipe


def gone_once_listed(monkeypatch: pytest.MonkeyPatch, files: list[Path]) -> None:
    """These files go when the sources have been listed, before they are read."""
    check = build.check_licenses

    def checked(*arguments: Any) -> None:
        check(*arguments)
        for path in files:
            path.rename(path.with_suffix(".away"))

    monkeypatch.setattr(build, "check_licenses", checked)


def back(files: list[Path]) -> None:
    for path in files:
        path.with_suffix(".away").rename(path)


def test_some_files_that_are_gone_for_a_while_come_in_with_the_same_command(
    disk: Path, tmp_path: Path, run: Run, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, files = tmp_path / "out", sorted((tmp_path / "disk").iterdir())[:2]
    with monkeypatch.context() as patch:
        gone_once_listed(patch, files)
        assert run(disk, out).record["rows"] == 3
    assert failures(out).passing == {"missing_file": 2}
    assert pq.read_table(out / "rejects.parquet").column("passing").to_pylist() == [True, True]
    back(files)
    again = run(disk, out)
    assert (again.reused, again.record["rows"]) == (False, 5)
    assert run(disk, out).reused
    run(disk, tmp_path / "clean")
    assert published(out) == published(tmp_path / "clean")


def test_a_disk_that_is_gone_ends_the_run_and_the_same_command_goes_on(
    disk: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, files = tmp_path / "out", sorted((tmp_path / "disk").iterdir())
    with monkeypatch.context() as patch:
        gone_once_listed(patch, files)
        with pytest.raises(RunError, match="5 missing_file"):
            run(disk, out)
    back(files)
    assert run(disk, out).record["rows"] == 5


def test_the_command_says_what_it_tries_again_by_itself_and_what_has_to_be_asked_for(
    disk: Path, tmp_path: Path, command: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    (tmp_path / "disk" / "text.mp4").write_text("no video")
    done = command(disk, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    line = f"1 clip failed (1 unreadable): to try these again, build-dataset {disk} --retry unreadable"
    assert line in done.stdout.splitlines()
    again = command(*line.partition("again, build-dataset ")[2].split(), "--out", tmp_path / "out")
    assert again.returncode == 0, again.stderr
    assert "the same command" not in again.stdout
    assert "Already built" in command(disk, "--out", tmp_path / "out").stdout


VICTIM = """\
import os
import signal
from pathlib import Path
from typing import Any, Literal

from shotscribe.builder.contract import Clip, ClipStep, Columns, Engine


class Victim(ClipStep):
    use: Literal["victim"] = "victim"

    def adds(self) -> Columns:
        return {"one": "float64"}

    def make(self, clip: Clip, engine: Engine) -> dict[str, Any]:
        if (Path(__file__).parent / "kill").exists():
            os.kill(os.getpid(), signal.SIGNAL)
        return {"one": 1.0}
"""


@pytest.mark.parametrize(("name", "kept"), [("SIGKILL", False), ("SIGTERM", False), ("SIGSEGV", True)])
def test_a_worker_that_is_killed_from_outside_rejects_no_clip_for_good(
    disk: Path, tmp_path: Path, run: Run, name: str, kept: bool
) -> None:
    out = tmp_path / "out"
    disk.write_text(disk.read_text().replace("{use: luma}", "{use: ./victim.py}"))
    (tmp_path / "victim.py").write_text(VICTIM.replace("SIGNAL", name))
    (tmp_path / "kill").touch()
    with pytest.raises(RunError, match="5 worker_died"):
        run(disk, out)
    (tmp_path / "kill").unlink()
    if kept:
        with pytest.raises(RunError, match="5 worker_died"):
            run(disk, out)
    else:
        assert run(disk, out).record["rows"] == 5
